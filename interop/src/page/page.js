// The browser's part in every scenario. `peer` is driven from outside; everything here returns JSON.
const peer = {
  pc: null,
  channels: {},
  candidates: [],
  log: [],
  held: [],

  make({ media = null, configuration = {} } = {}) {
    const pc = (this.pc = new RTCPeerConnection(configuration));
    pc.onicecandidate = ({ candidate }) => this.candidates.push(candidate ? candidate.toJSON() : null);
    pc.onconnectionstatechange = () => this.log.push('connection ' + pc.connectionState);
    pc.oniceconnectionstatechange = () => this.log.push('ice ' + pc.iceConnectionState);
    pc.ondatachannel = ({ channel }) => this.adopt(channel, channel.label.startsWith('echo'));
    pc.ontrack = ({ track, streams }) => {
      this.log.push('track ' + track.kind);
      const element = document.getElementById(track.kind === 'video' ? 'remote' : 'sound');
      element.srcObject = new MediaStream([track]);
      element.play().catch((error) => this.log.push('play ' + error));
    };
    return media ? this.addMedia(media) : null;
  },

  // `sendEncodings`: for pictures in several sizes.
  async addMedia(media, sendEncodings = null) {
    const stream = await navigator.mediaDevices.getUserMedia(media);
    for (const track of stream.getTracks())
      if (sendEncodings) this.pc.addTransceiver(track, { streams: [stream], sendEncodings });
      else this.pc.addTrack(track, stream);
    return stream.getTracks().map((track) => track.kind);
  },

  // A camera for the section that will be offered: who is asked for layers has them on the transceiver that the offer makes.
  async holdMedia(media) {
    this.held = (await navigator.mediaDevices.getUserMedia(media)).getTracks();
    return this.held.length;
  },

  // Keeps everything that arrives, or echoes it: whoever did not open an "echo" channel does.
  adopt(channel, echoes = false) {
    const held = { channel, messages: [], waiting: [], lowEvents: 0, closed: false };
    this.channels[channel.label] = held;
    channel.binaryType = 'arraybuffer';
    channel.onmessage = ({ data }) => {
      if (echoes) channel.send(data);
      else {
        held.messages.push(data);
        held.waiting.shift()?.();
      }
    };
    channel.onbufferedamountlow = () => held.lowEvents++;
    channel.onclose = () => { held.closed = true; };
    return held;
  },

  // What is null in `init` is not told: a browser would take it for a number.
  open(label, init = {}) {
    for (const name in init) if (init[name] === null) delete init[name];
    this.adopt(this.pc.createDataChannel(label, init));
    return label;
  },

  async opened(label) {
    await this.until(() => this.channels[label]?.channel.readyState === 'open', 'channel ' + label + ' to open');
    const { channel } = this.channels[label];
    const { id, ordered, protocol, negotiated, maxRetransmits, maxPacketLifeTime } = channel;
    return { id, ordered, protocol, negotiated, maxRetransmits, maxPacketLifeTime };
  },

  async until(condition, what, ms = 20000) {
    const end = performance.now() + ms;
    while (!condition()) {
      if (performance.now() > end) throw new Error('waited in vain for ' + what + '; log: ' + this.log.join(', '));
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return true;
  },

  async gathered() {
    await this.until(() => this.pc.iceGatheringState === 'complete', 'candidates');
    return this.pc.localDescription.sdp;
  },

  async offer(waits = true) {
    await this.pc.setLocalDescription();
    return waits ? this.gathered() : this.pc.localDescription.sdp;
  },

  async answer(sdp, waits = true) {
    await this.pc.setRemoteDescription({ type: 'offer', sdp });
    for (const track of this.held.splice(0)) {
      const { sender } = Object.assign(this.pc.getTransceivers()[0], { direction: 'sendonly' });
      await sender.replaceTrack(track);
    }
    await this.pc.setLocalDescription();
    return waits ? this.gathered() : this.pc.localDescription.sdp;
  },

  async accept(sdp) {
    await this.pc.setRemoteDescription({ type: 'answer', sdp });
  },

  async addCandidate(candidate) {
    await this.pc.addIceCandidate(candidate ?? undefined);
  },

  takeCandidates() {
    return this.candidates.splice(0);
  },

  // A message of `length`, each different from the others; a string if `text`.
  pattern(length, seed, text) {
    if (text) return Array.from({ length }, (_, i) => String.fromCharCode(97 + ((i * 7 + seed) % 26))).join('');
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >> 8) + seed) & 255;
    return bytes;
  },

  same(a, b) {
    if (typeof a === 'string' || typeof b === 'string') return a === b;
    const [x, y] = [new Uint8Array(a), new Uint8Array(b)];
    return x.length === y.length && x.every((byte, i) => byte === y[i]);
  },

  // Sends a message and compares what the other side echoes.
  async roundTrip(label, length, text = false, seed = 1) {
    const held = this.channels[label];
    const message = this.pattern(length, seed, text);
    const before = held.messages.length;
    held.channel.send(message);
    await this.until(() => held.messages.length > before, 'the echo of ' + length + ' bytes on ' + label);
    const echo = held.messages[before];
    const kind = typeof echo === 'string' ? 'string' : 'binary';
    if (!this.same(message, echo)) throw new Error('the echo differs: ' + kind + ' of ' + (echo.length ?? echo.byteLength));
    return { length, kind };
  },

  // Waits for all of these channels; their ids.
  async openedEach(labels) {
    const isOpen = (label) => this.channels[label]?.channel.readyState === 'open';
    await this.until(() => labels.every(isOpen), 'all channels to open');
    return labels.map((label) => this.channels[label].channel.id);
  },

  // A message of its own on each of these channels.
  sendOnEach(labels) {
    labels.forEach((label, n) => this.channels[label].channel.send(this.pattern((n * 7) % 2000, n)));
  },

  // How many have brought back that, and nothing else.
  async echoedOnEach(labels) {
    const held = labels.map((label) => this.channels[label]);
    await this.until(() => held.every(({ messages }) => messages.length > 0), 'an echo on each channel');
    const isRight = ({ messages }, n) => messages.length === 1 && this.same(messages[0], this.pattern((n * 7) % 2000, n));
    return held.filter(isRight).length;
  },

  // Closes these channels; how many were open.
  closeEach(labels) {
    const channels = labels.map((label) => this.channels[label].channel);
    const open = channels.filter(({ readyState }) => readyState === 'open').length;
    channels.forEach((channel) => channel.close());
    return open;
  },

  // Waits until the browser says of each that it is closed.
  async closedEach(labels) {
    const isClosed = ({ channel, closed }) => closed && channel.readyState === 'closed';
    await this.until(() => labels.every((label) => isClosed(this.channels[label])), 'onclose of each');
  },

  // Sends numbers on each of these channels, one after another; `counting` is done when all are sent.
  count(labels, count, ms, first = 0) {
    const all = async () => {
      for (let n = first; n < first + count; n++) {
        const message = new Uint8Array(200).fill(n);
        new DataView(message.buffer).setUint32(0, n, true);
        for (const label of labels) this.channels[label].channel.send(message);
        await new Promise((resolve) => setTimeout(resolve, ms));
      }
    };
    this.counting = all();
  },

  // The numbers that have come, of messages that are whole.
  counted(label) {
    const number = (data) => new DataView(data).getUint32(0, true);
    const isWhole = (data) => data.byteLength === 200 && new Uint8Array(data, 4).every((byte) => byte === number(data) % 256);
    return this.channels[label].messages.filter(isWhole).map(number);
  },

  async stats() {
    const all = {};
    (await this.pc.getStats()).forEach((report) => { (all[report.type] ??= []).push(report); });
    return all;
  },

  async inbound(kind) {
    return ((await this.stats())['inbound-rtp'] ?? []).find((report) => report.kind === kind) ?? null;
  },

  // How much more was decoded, and how much sound was heard, after `ms`.
  async mediaProgress(ms) {
    const before = { video: await this.inbound('video'), audio: await this.inbound('audio') };
    await new Promise((resolve) => setTimeout(resolve, ms));
    const after = { video: await this.inbound('video'), audio: await this.inbound('audio') };
    const grown = (kind, what) => (after[kind]?.[what] ?? 0) - (before[kind]?.[what] ?? 0);
    return {
      frames: grown('video', 'framesDecoded'),
      keyFrames: after.video?.keyFramesDecoded ?? 0,
      width: after.video?.frameWidth ?? 0,
      freezes: after.video?.freezeCount ?? 0,
      videoBytes: grown('video', 'bytesReceived'),
      audioPackets: grown('audio', 'packetsReceived'),
      energy: grown('audio', 'totalAudioEnergy'),
      lost: (after.video?.packetsLost ?? 0) + (after.audio?.packetsLost ?? 0),
    };
  },

  // By which codec, and how much more of this kind is decoded or heard within `ms` once something was.
  async decodes(kind, ms) {
    const what = kind === 'video' ? 'framesDecoded' : 'packetsReceived';
    const inbound = async () => (await this.inbound(kind)) ?? {};
    const end = performance.now() + 15000;
    while (!((await inbound())[what] > 0)) {
      if (performance.now() > end) {
        const { 'outbound-rtp': sent } = await this.stats();
        throw new Error('nothing was decoded: ' + JSON.stringify([await inbound(), sent]) + this.log.join(', '));
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const before = await inbound();
    await new Promise((resolve) => setTimeout(resolve, ms));
    const after = await inbound();
    const { mimeType } = (await this.pc.getStats()).get(after.codecId);
    const { keyFramesDecoded, pliCount, decoderImplementation, packetsLost } = after;
    const energy = (after.totalAudioEnergy ?? 0) - (before.totalAudioEnergy ?? 0);
    return { mimeType, grown: after[what] - (before[what] ?? 0), energy, keyFramesDecoded, pliCount, decoderImplementation, packetsLost };
  },

  // Presses keys of a telephone.
  async press(keys, duration, gap) {
    const sender = this.pc.getSenders().find(({ track }) => track?.kind === 'audio');
    await this.until(() => sender.dtmf.canInsertDTMF, 'a telephone');
    sender.dtmf.insertDTMF(keys, duration, gap);
    await this.until(() => sender.dtmf.toneBuffer === '', 'the keys to be pressed');
  },

  // A picture of the remote video, as a sum that changes when the picture does.
  picture() {
    const video = document.getElementById('remote');
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [64, 48];
    const context = canvas.getContext('2d');
    context.drawImage(video, 0, 0, 64, 48);
    const { data } = context.getImageData(0, 0, 64, 48);
    let [sum, light] = [0, 0];
    for (let i = 0; i < data.length; i++) {
      sum = (sum * 31 + data[i]) % 4294967291;
      light += i % 4 === 3 ? 0 : data[i];
    }
    return { sum, light };
  },

  async close() {
    this.pc?.close();
  },
};
