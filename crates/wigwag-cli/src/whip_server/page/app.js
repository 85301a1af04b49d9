// Publishes a camera or a screen, or watches: /publish/NAME and /watch/NAME, and a form for both at /. A token stands behind #.

import { Refused, Session } from '/client.js';

const element = (id) => document.getElementById(id);
const [, action, name] = location.pathname.split('/');
const token = decodeURIComponent(location.hash.slice(1));
const RETRY_MS = 2000;

// What goes on now; each turn ends the one before.
let session, peer, turn = 0;

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

// A connection whose state is shown; where a path is lost, another is looked for until the server has forgotten us.
const connect = (mine, ended) => {
  const current = new RTCPeerConnection();
  const isOver = () => mine !== turn || current !== peer;
  current.addEventListener('connectionstatechange', async () => {
    if (isOver()) return;
    const { connectionState } = current;
    if (connectionState === 'connected') show('live', action === 'publish' ? 'on air' : 'live');
    if (connectionState === 'disconnected') show('waiting', 'the path is lost, another is looked for');
    if (connectionState === 'closed') ended();
    while (!isOver() && current.connectionState === 'failed') {
      try {
        await session?.restart();
        break;
      } catch (error) {
        if (error instanceof Refused) return ended();
        await sleep(RETRY_MS);
      }
    }
  });
  peer = current;
  return current;
};

// What was begun in this turn, or nothing if another has begun since.
const begin = async (mine, current, endpoint) => {
  const begun = await Session.begin(current, endpoint, token);
  if (mine === turn) return (session = begun);
  await begun.end();
};

const publish = async (take) => {
  const mine = await stop();
  let tracks = [];
  const end = (state, text) => {
    tracks.forEach((track) => track.stop());
    if (mine === turn) stop(state, text);
  };
  try {
    const local = await take();
    tracks = local.getTracks();
    if (mine !== turn) return end();
    element('video').srcObject = local;
    element('video').muted = true;
    element('stop').disabled = false;
    show('waiting', 'connecting');
    const current = connect(mine, () => end('failed', 'the server has ended it'));
    for (const track of tracks) {
      current.addTransceiver(track, { direction: 'sendonly', streams: [local] });
      track.addEventListener('ended', () => end('idle', 'off air'));
    }
    if (!(await begin(mine, current, `/whip/${name}`))) end();
  } catch (error) {
    end('failed', error.message);
  }
};

// Ends what goes on, and says which turn it is.
const stop = async (state = 'idle', text = 'off air') => {
  const mine = ++turn;
  const [over, shown] = [session, element('video').srcObject];
  session = undefined;
  element('video').srcObject = null;
  element('stop').disabled = true;
  show(state, text);
  if (action === 'publish') shown?.getTracks().forEach((track) => track.stop());
  await over?.end();
  return mine;
};

// Tries until there is something to be seen, and again when it is over.
const watch = async () => {
  const mine = ++turn;
  while (mine === turn) {
    let wait = RETRY_MS;
    let current;
    try {
      const ended = new Promise((resolve) => (current = connect(mine, resolve)));
      const stream = new MediaStream();
      for (const kind of ['audio', 'video']) current.addTransceiver(kind, { direction: 'recvonly' });
      current.addEventListener('track', ({ track }) => stream.addTrack(track));
      if (!(await begin(mine, current, `/whep/${name}`))) return;
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

const open = () => {
  if (action !== 'publish' && action !== 'watch') return choose();
  element('name').textContent = name;
  document.title = `${name} – wigwag streams`;
  element('screen').hidden = false;
  setInterval(tellFigures, 1000);
  addEventListener('pagehide', () => session?.end());
  if (action === 'publish') {
    element('sources').hidden = false;
    const devices = navigator.mediaDevices;
    if (!devices) return show('failed', 'browsers give cameras to https and to 127.0.0.1 only: start the server with --tls');
    element('camera').onclick = () => publish(() => devices.getUserMedia({ audio: true, video: { width: { ideal: 1280 } } }));
    element('display').onclick = () => publish(() => devices.getDisplayMedia({ audio: true, video: true }));
    element('stop').onclick = () => stop();
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

open();
