// Publishes a camera or a screen, or watches: /publish/NAME and /watch/NAME, and a form for both at /. A token stands behind #.

import { Refused, Session } from '/client.js';

const element = (id) => document.getElementById(id);
const [, action, name] = location.pathname.split('/');
const token = decodeURIComponent(location.hash.slice(1));
const RETRY_MS = 2000;

let session, peer, local;

const show = (state, text) => {
  document.body.dataset.state = state;
  element('state').textContent = text;
};
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const choose = () => {
  element('choose').hidden = false;
  element('choose').addEventListener('submit', (event) => {
    event.preventDefault();
    const hash = element('token').value && `#${encodeURIComponent(element('token').value)}`;
    location.href = `/${event.submitter?.value || 'watch'}/${element('stream').value}${hash}`;
  });
};

// A connection whose state is shown; where a path is lost, another is looked for.
const connect = (ended) => {
  peer = new RTCPeerConnection();
  const mine = peer;
  let restarts = 0;
  mine.addEventListener('connectionstatechange', () => {
    if (mine !== peer) return;
    const { connectionState } = mine;
    if (connectionState === 'connected') [restarts] = [0, show('live', action === 'publish' ? 'on air' : 'live')];
    else if (connectionState === 'disconnected') show('waiting', 'the path is lost, another is looked for');
    if (connectionState === 'failed' || connectionState === 'closed') {
      const isOver = restarts++ >= 3;
      if (isOver) return ended();
      session?.restart().catch(ended);
    }
  });
};

const hangUp = async () => {
  const [over, tracks] = [session, local?.getTracks() ?? []];
  [session, local] = [];
  tracks.forEach((track) => track.stop());
  await over?.end();
};

const publish = async (take) => {
  await hangUp();
  try {
    local = await take();
    element('video').srcObject = local;
    element('video').muted = true;
    show('waiting', 'connecting');
    const over = () => show('failed', 'the server is not reached any more');
    connect(over);
    for (const track of local.getTracks()) {
      peer.addTransceiver(track, { direction: 'sendonly', streams: [local] });
      track.addEventListener('ended', () => stop());
    }
    session = await Session.begin(peer, `/whip/${name}`, token);
    element('stop').disabled = false;
  } catch (error) {
    await hangUp();
    show('failed', error.message);
  }
};

const stop = async () => {
  await hangUp();
  element('video').srcObject = null;
  element('stop').disabled = true;
  show('idle', 'off air');
};

// Tries until there is something to be seen, and again when it is over.
const watch = async () => {
  for (;;) {
    let wait = RETRY_MS;
    try {
      const ended = new Promise((resolve) => connect(resolve));
      const stream = new MediaStream();
      for (const kind of ['audio', 'video']) peer.addTransceiver(kind, { direction: 'recvonly' });
      peer.addEventListener('track', ({ track }) => stream.addTrack(track));
      session = await Session.begin(peer, `/whep/${name}`, token);
      // Not before: the page counts as loading for as long as it waits for a picture.
      element('video').srcObject = stream;
      await ended;
      show('waiting', 'it is over; waiting for the next');
    } catch (error) {
      const isForGood = error instanceof Refused && ![409, 503].includes(error.status);
      show(isForGood ? 'failed' : 'waiting', error instanceof Refused ? error.message : 'the server is not reached');
      if (isForGood) return;
      wait = (error.retryAfter ?? RETRY_MS / 1000) * 1000;
    }
    await session?.end();
    session = undefined;
    await sleep(wait);
  }
};

let before;
const tellFigures = async () => {
  const [kind, bytes] = action === 'publish' ? ['outbound-rtp', 'bytesSent'] : ['inbound-rtp', 'bytesReceived'];
  const stats = peer && session ? [...(await peer.getStats()).values()].filter(({ type }) => type === kind) : [];
  const total = stats.reduce((sum, stat) => sum + (stat[bytes] ?? 0), 0);
  const now = performance.now();
  const picture = stats.find((stat) => stat.kind === 'video');
  const rate = before && total >= before.total ? ((total - before.total) * 8) / (now - before.now) : 0;
  before = { total, now };
  const size = picture?.frameWidth ? `${picture.frameWidth}×${picture.frameHeight}, ${picture.framesPerSecond ?? 0} frames/s, ` : '';
  const decoded = action === 'watch' && picture ? `, ${picture.framesDecoded ?? 0} pictures decoded` : '';
  element('figures').textContent = stats.length ? `${size}${Math.round(rate)} kbit/s${decoded}` : '';
};

const begin = () => {
  if (action !== 'publish' && action !== 'watch') return choose();
  element('name').textContent = name;
  document.title = `${name} – wigwag streams`;
  element('screen').hidden = false;
  setInterval(tellFigures, 1000);
  addEventListener('pagehide', hangUp);
  if (action === 'publish') {
    element('sources').hidden = false;
    const devices = navigator.mediaDevices;
    if (!devices) return show('failed', 'browsers give cameras to https and to 127.0.0.1 only: start the server with --tls');
    element('camera').onclick = () => publish(() => devices.getUserMedia({ audio: true, video: { width: { ideal: 1280 } } }));
    element('display').onclick = () => publish(() => devices.getDisplayMedia({ audio: true, video: true }));
    element('stop').onclick = stop;
    return show('idle', 'off air');
  }
  // Pages that nobody has clicked may play without sound only.
  const video = element('video');
  video.muted = true;
  element('unmute').hidden = false;
  element('unmute').onclick = () => ([video.muted, element('unmute').hidden] = [false, true]);
  return watch();
};

// For the console, and for tests.
window.wigwag = { peer: () => peer, session: () => session };

begin();
