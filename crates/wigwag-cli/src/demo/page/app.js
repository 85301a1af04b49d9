// The page of `wigwag demo`: one call, with wigwag that echoes or with a friend; its chat, files, states and numbers.
//
// ?auto=echo | test | chat | friend   starts at once        ?offerer=server   wigwag makes the offer
// ?video=0  sound only                                      #room=…           a friend's invitation

import { Chart } from "./charts.js";
import { receiveFile, sendFile } from "./file.js";
import { Sides } from "./sides.js";

const query = new URLSearchParams(location.search);
const element = (id) => document.getElementById(id);
const started = performance.now();

// ── Small things ────────────────────────────────────────────────────────────────────────────────────────────────────

function setState(name, state) {
  const target = element(`${name}-state`);
  if (target.textContent !== state) note(`${name}: ${state}`);
  target.textContent = state;
  target.dataset.state = state;
}

function note(text) {
  const item = document.createElement("li");
  const time = document.createElement("time");
  time.textContent = `${((performance.now() - started) / 1000).toFixed(3).padStart(8)} s`;
  item.append(time, text);
  const log = element("event-log");
  log.append(item);
  if (log.children.length > 300) log.firstChild.remove();
  log.scrollTop = log.scrollHeight;
}

/** Tells a person what is wrong; `action` is `{ text, run }`. */
function complain(title, text, action) {
  note(`${title} ${text}`);
  element("notice-title").textContent = title;
  element("notice-text").textContent = text;
  const button = element("notice-action");
  button.hidden = !action;
  if (action) {
    button.textContent = action.text;
    button.onclick = () => { element("notice").hidden = true; action.run(); };
  }
  element("notice").hidden = false;
}
element("notice-close").onclick = () => { element("notice").hidden = true; };

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  for (const chart of Object.values(charts ?? {})) chart.draw();
}
element("theme").onclick = () => {
  const theme = document.documentElement.dataset.theme === "light" ? "dark" : "light";
  try { localStorage.setItem("theme", theme); } catch { /* not kept */ }
  setTheme(theme);
};

// ── Signalling ──────────────────────────────────────────────────────────────────────────────────────────────────────

const server = {
  socket: null,
  waiting: [],
  retry: 500,

  open() {
    const url = new URL("signalling", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    url.search = url.hash = "";
    this.socket = new WebSocket(url);
    this.socket.onopen = () => {
      setState("server", "connected");
      this.retry = 500;
      if (element("notice").dataset.about === "server") element("notice").hidden = true;
      // After a break the room is entered anew.
      if (room && !this.waiting.some(({ type }) => type === "join")) this.say({ type: "join", room });
      for (const message of this.waiting.splice(0)) this.say(message);
    };
    this.socket.onmessage = ({ data }) => hear(JSON.parse(data));
    this.socket.onclose = () => {
      const wasOpen = element("server-state").dataset.state === "connected";
      setState("server", "gone");
      this.waiting = [];
      if (wasOpen || this.retry > 1000) {
        complain("The server is gone.", "Start wigwag demo again: this page finds it by itself.");
        element("notice").dataset.about = "server";
      }
      if (wasOpen && !room) hangUp();
      setTimeout(() => this.open(), this.retry);
      this.retry = Math.min(this.retry * 2, 5000);
    };
  },

  say(message) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
    else if (this.socket.readyState === WebSocket.CONNECTING) this.waiting.push(message);
  },
};

async function hear(message) {
  try {
    switch (message.type) {
      case "offer": return await takeOffer(message.sdp);
      case "answer": return await call?.peer.setRemoteDescription({ type: "answer", sdp: message.sdp });
      case "ice-candidate": return await call?.peer.addIceCandidate(message.candidate ?? undefined);
      case "bye": return call && (note(`wigwag: ${message.reason}`), hangUp());
      case "stats": return call && message.report && sides.show(1, Object.values(message.report));
      case "joined": return await enterRoom(message.friend);
      case "friend-joined": return note("your friend is here");
      case "friend-left": return friendLeft();
      case "error": return complain("wigwag refused:", message.message);
    }
  } catch (error) {
    complain("That did not work:", error.message);
  }
}

// ── The call ────────────────────────────────────────────────────────────────────────────────────────────────────────

let call = null; // { peer, channel, stream, began, lines, unsent, previous }

function makeCall() {
  const peer = new RTCPeerConnection();
  call = { peer, channel: null, stream: null, began: performance.now(), lines: [], unsent: [], previous: new Map() };
  peer.onicecandidate = ({ candidate }) => server.say({ type: "ice-candidate", candidate: candidate?.toJSON() ?? null });
  peer.onsignalingstatechange = () => setState("signaling", peer.signalingState);
  peer.onicegatheringstatechange = () => setState("gathering", peer.iceGatheringState);
  peer.oniceconnectionstatechange = () => setState("ice", peer.iceConnectionState);
  peer.onconnectionstatechange = () => {
    if (call?.peer !== peer) return;
    setState("connection", peer.connectionState);
    if (peer.connectionState === "connected") {
      element("fact-setup").textContent = `${Math.round(performance.now() - call.began)} ms from the first step to connected`;
    } else if (peer.connectionState === "failed") {
      hangUp();
      complain("The connection failed.", `No path to ${room ? "your friend" : "wigwag"} works. Is a firewall blocking UDP between here and there?`);
    }
  };
  peer.ontrack = ({ track, streams }) => {
    note(`${track.kind} comes in`);
    const video = element("remote-video");
    video.srcObject ??= streams[0] ?? new MediaStream();
    if (!video.srcObject.getTracks().includes(track)) video.srcObject.addTrack(track);
    video.play().catch(() => { /* it begins with the next click */ });
  };
  peer.ondatachannel = ({ channel }) => (channel.label === "file" ? receiveFile(channel, element("file-list")) : useChannel(channel));
  for (const [name, state] of [["signaling", "stable"], ["gathering", "new"], ["ice", "new"], ["connection", "new"]]) setState(name, state);
  showControls();
  return call;
}

/** Who makes the offer is a choice of the page; everything else is the same. Among friends, who comes second offers. */
const isServerToOffer = () => !room && query.get("offerer") === "server";

async function negotiate() {
  const { peer } = call;
  if (isServerToOffer()) return server.say({ type: "call-me" });
  if (!call.channel) useChannel(peer.createDataChannel("chat"));
  await peer.setLocalDescription();
  server.say({ type: "offer", sdp: peer.localDescription.sdp });
}

/** A new path is looked for while the call goes on over the old one. The page offers, whoever offered first. */
async function restartIce() {
  if (!call || call.peer.signalingState !== "stable") return;
  const { peer } = call;
  note("looking for a new path");
  peer.restartIce();
  await peer.setLocalDescription();
  server.say({ type: "offer", sdp: peer.localDescription.sdp });
}

async function takeOffer(sdp) {
  const { peer } = call ?? makeCall();
  if (room && friend.stream) useStream(friend.stream);
  const { stream } = call;
  await peer.setRemoteDescription({ type: "offer", sdp });
  for (const transceiver of peer.getTransceivers()) {
    const track = stream?.getTracks().find((track) => track.kind === transceiver.receiver.track.kind);
    if (!track || transceiver.sender.track) continue;
    await transceiver.sender.replaceTrack(track);
    transceiver.sender.setStreams?.(stream);
    transceiver.direction = "sendrecv";
  }
  await peer.setLocalDescription();
  server.say({ type: "answer", sdp: peer.localDescription.sdp });
}

function useStream(stream) {
  call.stream = stream;
  call.began = performance.now();
  element("local-video").srcObject = stream;
}

async function startCall(makeStream) {
  element("notice").hidden = true;
  element("start-echo").disabled = element("start-test").disabled = true;
  try {
    const stream = await makeStream();
    if (!stream) return;
    const { peer } = call ?? makeCall();
    useStream(stream);
    if (!isServerToOffer()) for (const track of stream.getTracks()) peer.addTrack(track, stream);
    await negotiate();
  } catch (error) {
    complain("The call could not begin:", error.message);
    hangUp();
  } finally {
    showControls();
  }
}

function hangUp() {
  const streams = [call?.stream, friend.stream];
  if (call || room) server.say({ type: "bye" });
  room = null;
  friend.stream = null;
  endCall();
  for (const stream of streams) for (const track of stream?.getTracks() ?? []) { track.stop(); track.release?.(); }
  showControls();
}

/** The connection is over; the camera stays as it is. */
function endCall() {
  if (!call) return;
  const { peer } = call;
  call = null;
  peer.close();
  for (const id of ["local-video", "remote-video"]) element(id).srcObject = null;
  for (const name of ["signaling", "ice", "connection"]) setState(name, "closed");
  setState("gathering", "idle");
  sides.clear();
  for (const id of ["local-info", "remote-info", "clock"]) element(id).textContent = "";
}

// ── A friend: two pages meet in a room, by its link; the server only carries their descriptions and candidates ──────

let room = null;
const friend = { stream: null };

const invitedTo = () => new URLSearchParams(location.hash.slice(1)).get("room");

/** A name that nobody guesses. */
function newRoom() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

async function startFriend(makeStream) {
  element("notice").hidden = true;
  const stream = await makeStream();
  if (!stream) return;
  if (call) hangUp();
  friend.stream = stream;
  element("local-video").srcObject = stream;
  room = invitedTo() ?? newRoom();
  history.replaceState(null, "", `#${new URLSearchParams({ room })}`);
  server.say({ type: "join", room });
  showControls();
}

/** We are in the room; who comes second makes the offer. */
async function enterRoom(isFriendHere) {
  note(isFriendHere ? "your friend is in the room" : "waiting for your friend");
  endCall();
  if (!isFriendHere || !room) return;
  const { peer } = makeCall();
  useStream(friend.stream);
  for (const track of friend.stream.getTracks()) peer.addTrack(track, friend.stream);
  showControls();
  await negotiate();
}

function friendLeft() {
  note("your friend has left");
  endCall();
  if (room) element("local-video").srcObject = friend.stream;
  showControls();
}

element("invitation-copy").onclick = async () => {
  const link = element("invitation-link");
  link.select();
  await navigator.clipboard?.writeText(link.value).catch(() => { /* it is selected */ });
  element("invitation-copy").textContent = "Copied";
};

// ── Camera, microphone, or something to look at instead ─────────────────────────────────────────────────────────────

async function openCamera({ isFriend = false } = {}) {
  element("local-video").classList.add("mirror");
  const instead = { text: "Use a test picture", run: () => (isFriend ? startFriend : startCall)(makeTestPicture) };
  if (!navigator.mediaDevices?.getUserMedia) {
    complain("No camera on an insecure page.", "Browsers give cameras to pages of this machine (http://127.0.0.1) and to HTTPS only: run wigwag demo --tls.", instead);
    return null;
  }
  const video = query.get("video") === "0" ? false : { width: { ideal: 640 }, height: { ideal: 480 } };
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: true, video });
  } catch (error) {
    if (error.name === "NotFoundError" && video) {
      for (const only of [{ audio: true }, { video }]) {
        const stream = await navigator.mediaDevices.getUserMedia(only).catch(() => null);
        if (stream) {
          note(only.audio ? "no camera: sound only" : "no microphone: pictures only");
          return stream;
        }
      }
    }
    const reasons = {
      NotAllowedError: ["You did not allow the camera or microphone.", "Allow them in the address bar, then start again."],
      NotFoundError: ["No camera and no microphone was found.", "Connect one, or show a test picture."],
      NotReadableError: ["The camera or microphone is in use.", "Close the program that uses it, then start again."],
    };
    const [title, text] = reasons[error.name] ?? ["The camera cannot be opened:", error.message];
    complain(title, text, instead);
    return null;
  }
}

/** A moving picture and a quiet tone, for machines that have neither camera nor microphone. */
async function makeTestPicture() {
  element("local-video").classList.remove("mirror");
  const canvas = Object.assign(document.createElement("canvas"), { width: 640, height: 480 });
  const context = canvas.getContext("2d");
  const draw = () => {
    const seconds = performance.now() / 1000;
    const sky = context.createLinearGradient(0, 0, 640, 480);
    sky.addColorStop(0, `hsl(${(seconds * 20) % 360} 60% 42%)`);
    sky.addColorStop(1, `hsl(${(seconds * 20 + 90) % 360} 65% 22%)`);
    context.fillStyle = sky;
    context.fillRect(0, 0, 640, 480);
    context.lineWidth = 14;
    context.lineCap = context.lineJoin = "round";
    context.strokeStyle = "#ffffffd0";
    context.beginPath();
    for (let step = 0; step <= 60; step += 1) {
      context.lineTo(80 + step * 8, 220 + Math.sin(step / 6 + seconds * 3) * 70 * Math.sin((step / 60) * Math.PI));
    }
    context.stroke();
    context.fillStyle = "#fff";
    context.font = "600 44px system-ui, sans-serif";
    context.textAlign = "center";
    context.fillText(new Date().toLocaleTimeString(), 320, 400);
  };
  const timer = setInterval(draw, 40);
  draw();
  const stream = canvas.captureStream(25);
  stream.getVideoTracks()[0].release = () => clearInterval(timer);
  if (query.get("video") === "0") stream.removeTrack(stream.getVideoTracks()[0]);
  const audio = new AudioContext();
  const tone = new OscillatorNode(audio, { frequency: 330 });
  const quiet = new GainNode(audio, { gain: 0.03 });
  const sound = audio.createMediaStreamDestination();
  tone.connect(quiet).connect(sound);
  tone.start();
  const [track] = sound.stream.getAudioTracks();
  track.release = () => audio.close();
  stream.addTrack(track);
  return stream;
}

// ── Chat ────────────────────────────────────────────────────────────────────────────────────────────────────────────

function useChannel(channel) {
  call.channel = channel;
  const isFriend = Boolean(room);
  channel.onopen = () => {
    note(`data channel "${channel.label}" is open`);
    for (const line of call?.unsent.splice(0) ?? []) sendLine(line);
  };
  channel.onclose = () => note("data channel is closed");
  channel.onmessage = ({ data }) => {
    const sent = isFriend ? undefined : call?.lines.shift();
    addLine("echo", typeof data === "string" ? data : `${data.byteLength ?? data.size} bytes`,
      sent === undefined ? "" : `${(performance.now() - sent).toFixed(1)} ms`);
  };
}

function sendLine(line) {
  call.lines.push(performance.now());
  call.channel.send(line);
}

function addLine(kind, text, detail) {
  const item = Object.assign(document.createElement("li"), { className: kind, textContent: text });
  if (detail) item.append(Object.assign(document.createElement("small"), { textContent: detail }));
  const log = element("chat-log");
  log.append(item);
  if (log.children.length > 500) log.firstChild.remove();
  log.scrollTop = log.scrollHeight;
}

element("chat-form").onsubmit = async (event) => {
  event.preventDefault();
  const input = element("chat-input");
  const line = input.value;
  if (!line.trim()) return;
  input.value = "";
  addLine("me", line);
  await chat(line);
};

async function chat(line) {
  if (call?.channel?.readyState === "open") return sendLine(line);
  if (room && !call) return addLine("info", "nobody else is here yet");
  const isNew = !call;
  (call ?? makeCall()).unsent.push(line);
  if (!isNew && call.channel) return;
  addLine("info", "opening a data channel…");
  await negotiate().catch((error) => complain("The chat could not begin:", error.message));
}

// ── Files ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Resolves when data can be sent, after opening a connection for it if there is none. */
async function readyForData() {
  if (room && !call) throw new Error("nobody else is here yet");
  if (!call) {
    makeCall();
    await negotiate();
  }
  const { peer } = call;
  while (peer.connectionState !== "connected") {
    if (["failed", "closed"].includes(peer.connectionState)) throw new Error("there is no connection");
    await new Promise((resolve) => peer.addEventListener("connectionstatechange", resolve, { once: true }));
  }
  return peer;
}

async function sendFiles(files) {
  for (const file of files) {
    try {
      const peer = await readyForData();
      const channel = peer.createDataChannel("file");
      channel.binaryType = "arraybuffer";
      await new Promise((resolve, reject) => {
        channel.onopen = resolve;
        channel.onclose = () => reject(new Error("the channel did not open"));
      });
      note(`file of ${file.size} bytes`);
      await sendFile(channel, file, element("file-list"));
    } catch (error) {
      complain("The file was not sent:", `${error.message}.`);
    }
  }
}

element("file-input").onchange = async ({ target }) => {
  const files = [...target.files];
  await sendFiles(files);
  target.value = "";
};
for (const name of ["dragover", "dragleave", "drop"]) {
  element("drop").addEventListener(name, (event) => {
    event.preventDefault();
    element("drop").classList.toggle("over", name === "dragover");
    if (name === "drop") sendFiles([...event.dataTransfer.files]);
  });
}

// ── Numbers ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const charts = {
  bitrate: new Chart(element("chart-bitrate"), ["--out", "--in"], 100),
  loss: new Chart(element("chart-loss"), ["--out", "--in"], 1),
  rtt: new Chart(element("chart-rtt"), ["--accent"], 5),
  jitter: new Chart(element("chart-jitter"), ["--out", "--in"], 5),
};

const sides = new Sides(element("both-sides"));

const show = (id, number, digits = 0) => { element(id).textContent = number === null ? "–" : number.toFixed(digits); };
const sum = (list, name) => list.reduce((total, stats) => total + (stats[name] ?? 0), 0);

/** How much a counter has grown a second since the last look. */
function rate(stats, name) {
  const before = call.previous.get(stats.id);
  if (!before || stats.timestamp <= before.timestamp) return null;
  return ((stats[name] ?? 0) - (before[name] ?? 0)) / ((stats.timestamp - before.timestamp) / 1000);
}

const rates = (list, name) => {
  const known = list.map((stats) => rate(stats, name)).filter((number) => number !== null);
  return known.length ? known.reduce((total, number) => total + number, 0) : null;
};

async function measure() {
  if (!call || call.peer.connectionState !== "connected") return;
  const report = await call.peer.getStats().catch(() => null);
  if (!report || !call) return;
  const of = (type) => [...report.values()].filter((stats) => stats.type === type);
  const transport = of("transport")[0];
  const pair = report.get(transport?.selectedCandidatePairId) ?? of("candidate-pair").find((it) => it.nominated);
  const inbound = of("inbound-rtp"), outbound = of("outbound-rtp"), remote = of("remote-inbound-rtp");
  // Before the last nomination, packets may come over another pair than the selected one: the transport counts them all.
  const counter = transport?.bytesReceived === undefined ? pair : transport;
  showNumbers({ pair, counter, inbound, outbound, remote });
  sides.show(0, [...report.values()]);
  // Between friends there is nobody else to ask.
  if (!room) server.say({ type: "stats" });
  showFacts({ report, transport, pair, inbound, outbound, channels: of("data-channel") });
  for (const stats of report.values()) call.previous.set(stats.id, stats);
}

function showNumbers({ pair, counter, inbound, outbound, remote }) {
  const kbits = (number) => (number === null ? null : (number * 8) / 1000);
  const sent = kbits(counter ? rate(counter, "bytesSent") : null), received = kbits(counter ? rate(counter, "bytesReceived") : null);
  const lost = rates(inbound, "packetsLost"), arrived = rates(inbound, "packetsReceived");
  const loss = arrived === null || lost + arrived <= 0 ? null : Math.max(0, (100 * lost) / (lost + arrived));
  const lossSent = remote.length ? (100 * sum(remote, "fractionLost")) / remote.length : null;
  const rtt = pair?.currentRoundTripTime === undefined ? null : pair.currentRoundTripTime * 1000;
  const jitter = (kind) => {
    const stream = inbound.find((stats) => stats.kind === kind);
    return stream?.jitter === undefined ? null : stream.jitter * 1000;
  };
  show("stat-sent", sent);
  show("stat-received", received);
  show("stat-loss", loss, 1);
  show("stat-loss-sent", lossSent, 1);
  show("stat-rtt", rtt, 1);
  show("stat-jitter-audio", jitter("audio"), 1);
  show("stat-jitter", jitter("video"), 1);
  charts.bitrate.push(sent, received);
  charts.loss.push(lossSent, loss);
  charts.rtt.push(rtt);
  charts.jitter.push(jitter("audio"), jitter("video"));
}

const VERSIONS = { FEFD: "DTLS 1.2", FEFC: "DTLS 1.3", FEFF: "DTLS 1.0" };

function showFacts({ report, transport, pair, inbound, outbound, channels }) {
  const end = (candidate) => (candidate ? `${candidate.address ?? "?"}:${candidate.port} (${candidate.candidateType})` : "?");
  const text = (id, value) => { element(id).textContent = value || "–"; };
  if (pair) text("fact-path", `${end(report.get(pair.localCandidateId))} → ${end(report.get(pair.remoteCandidateId))}, UDP`);
  if (transport) {
    text("fact-dtls", [VERSIONS[transport.tlsVersion] ?? transport.tlsVersion, transport.dtlsCipher, transport.dtlsRole && `we are the ${transport.dtlsRole}`].filter(Boolean).join(" · "));
    text("fact-srtp", transport.srtpCipher);
  }
  const codec = (stats) => report.get(stats?.codecId)?.mimeType?.split("/")[1];
  const size = (stats) => (stats?.frameWidth ? `${stats.frameWidth}×${stats.frameHeight}` : "");
  const frames = (stats) => (stats?.framesPerSecond === undefined ? "" : `${stats.framesPerSecond}/s`);
  const stream = (list, kind) => list.find((stats) => stats.kind === kind);
  const [seen, shown] = [stream(inbound, "video"), stream(outbound, "video")];
  text("fact-audio", [codec(stream(inbound, "audio")), stream(inbound, "audio") && `${stream(inbound, "audio").packetsReceived} packets came back`].filter(Boolean).join(" · "));
  text("fact-video", [codec(seen), size(seen), frames(seen), seen && `${seen.framesDecoded ?? 0} pictures decoded`].filter(Boolean).join(" · "));
  const all = [...inbound, ...outbound];
  text("fact-repairs", all.length ? `${sum(all, "nackCount")} NACK, ${sum(all, "pliCount")} PLI, ${sum(outbound, "retransmittedPacketsSent")} packets sent again` : "");
  text("fact-data", channels.length ? `${sum(channels, "messagesSent")} messages sent, ${sum(channels, "messagesReceived")} came back` : "");
  element("local-info").textContent = [size(shown), frames(shown)].filter(Boolean).join(" · ");
  element("remote-info").textContent = [size(seen), frames(seen)].filter(Boolean).join(" · ");
}

setInterval(measure, 1000);
setInterval(() => {
  if (!call?.stream) return;
  const seconds = Math.floor((performance.now() - call.began) / 1000);
  element("clock").textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}, 500);

// ── Buttons ─────────────────────────────────────────────────────────────────────────────────────────────────────────

function showControls() {
  const stream = call?.stream ?? friend.stream;
  const has = (kind) => Boolean(stream?.getTracks().some((track) => track.kind === kind));
  const invited = invitedTo();
  for (const id of ["start-echo", "start-test", "start-friend"]) {
    element(id).hidden = Boolean(stream);
    element(id).disabled = false;
  }
  element("start-friend").textContent = invited ? "Join your friend" : "Call a friend";
  element("start-friend").classList.toggle("primary", Boolean(invited));
  element("start-echo").classList.toggle("primary", !invited);
  element("hang-up").hidden = !call && !room;
  element("hang-up").textContent = stream ? "Hang up" : "End chat";
  element("restart-ice").hidden = !call;
  element("mute").hidden = !has("audio");
  element("camera").hidden = !has("video");
  element("invitation").hidden = !room || Boolean(call);
  element("invitation-text").textContent = "Waiting for your friend. Whoever opens this link is in the call:";
  element("invitation-link").value = room ? location.href : "";
  element("invitation-copy").textContent = "Copy the link";
  showPartner(Boolean(room) || Boolean(invited && !call));
  element("sides").hidden = Boolean(room) || Boolean(invited && !call);
  for (const text of document.querySelectorAll(".idle")) text.hidden = Boolean(stream);
}

function showPartner(isFriend) {
  const texts = {
    "stage-title": ["Echo call", "Call with a friend"],
    "stage-about": ["what you send comes back from wigwag", "straight between the two browsers; wigwag introduces them"],
    "remote-name": ["Echo from wigwag", "Your friend"],
    "chat-about": ["over a data channel; every line comes back", "over a data channel, to your friend"],
    "files-about": ["of any size, there and back over a data channel", "of any size, to your friend over a data channel"],
  };
  for (const [id, both] of Object.entries(texts)) element(id).textContent = both[Number(isFriend)];
}

function toggle(id, kind, [on, off]) {
  element(id).onclick = () => {
    const tracks = (call?.stream ?? friend.stream)?.getTracks().filter((track) => track.kind === kind) ?? [];
    for (const track of tracks) track.enabled = !track.enabled;
    const isOff = tracks.some((track) => !track.enabled);
    element(id).setAttribute("aria-pressed", String(isOff));
    element(id).textContent = isOff ? off : on;
  };
}
toggle("mute", "audio", ["Mute microphone", "Unmute microphone"]);
toggle("camera", "video", ["Stop camera", "Start camera"]);
element("start-echo").onclick = () => startCall(() => openCamera());
element("start-test").onclick = () => startCall(makeTestPicture);
element("start-friend").onclick = () => startFriend(() => openCamera({ isFriend: true }));
element("hang-up").onclick = hangUp;
element("restart-ice").onclick = () => restartIce().catch((error) => complain("ICE could not be restarted:", error.message));
addEventListener("hashchange", showControls);
addEventListener("pagehide", hangUp);

let theme = matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark";
try { theme = localStorage.getItem("theme") ?? theme; } catch { /* the system's */ }
setTheme(query.get("theme") ?? theme);

if (typeof RTCPeerConnection === "undefined") {
  complain("This browser has no WebRTC.", "Open the page in Chromium, Firefox or Safari.");
} else {
  server.open();
  showControls();
  const begin = { friend: () => startFriend(makeTestPicture), echo: () => startCall(() => openCamera()), test: () => startCall(makeTestPicture), chat: () => chat("hello") }[query.get("auto")];
  begin?.();
}
