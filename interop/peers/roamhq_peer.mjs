// @roamhq/wrtc: libwebrtc, with its codecs. Pictures and a tone go out, what comes back is decoded and looked at.
import { installed, serve, sleep, version } from './driver.mjs';
import { W3cDriver } from './w3c.mjs';

const { MediaStream, RTCPeerConnection, nonstandard } = installed('@roamhq/wrtc');
const [WIDTH, HEIGHT, RATE, TONE] = [320, 240, 48000, 440];

class Roamhq extends W3cDriver {
  timers = [];

  hello() {
    return version('@roamhq/wrtc');
  }

  make({ media = [], offers, stun }) {
    this.watch(new RTCPeerConnection({ iceServers: [{ urls: `stun:${stun}` }] }));
    this.media = media;
    this.results = {};
    this.pc.ontrack = ({ track }) => {
      const result = (this.results[track.kind] = { received: 0, right: 0, seen: new Set() });
      if (track.kind === 'video') this.look(track, result);
      else this.listen(track, result);
    };
    if (offers) this.addTracks();
  }

  addTracks() {
    const stream = new MediaStream();
    for (const kind of this.media.splice(0)) {
      const track = kind === 'video' ? this.pictures() : this.tone();
      this.pc.addTrack(track, stream);
    }
  }

  // The left half is dark, the right half bright, and both become brighter with time.
  pictures() {
    const source = new nonstandard.RTCVideoSource();
    let number = 0;
    this.timers.push(setInterval(() => {
      const data = new Uint8ClampedArray(WIDTH * HEIGHT * 1.5).fill(128);
      const light = (number++ * 2) % 60;
      for (let i = 0; i < WIDTH * HEIGHT; i++) data[i] = i % WIDTH < WIDTH / 2 ? 30 + light : 150 + light;
      source.onFrame({ width: WIDTH, height: HEIGHT, data });
    }, 40));
    return source.createTrack();
  }

  tone() {
    const source = new nonstandard.RTCAudioSource();
    const [start, block] = [Date.now(), RATE / 100];
    let at = 0;
    this.timers.push(setInterval(() => {
      for (; (at / RATE) * 1000 < Date.now() - start; at += block) {
        const samples = Int16Array.from({ length: block }, (_, i) => 8000 * Math.sin((2 * Math.PI * TONE * (at + i)) / RATE));
        source.onData({ samples, sampleRate: RATE, bitsPerSample: 16, channelCount: 1, numberOfFrames: block });
      }
    }, 10));
    return source.createTrack();
  }

  look(track, result) {
    const sink = (result.sink = new nonstandard.RTCVideoSink(track));
    sink.onframe = ({ frame: { width, height, data } }) => {
      const at = (x) => data[Math.floor(height / 2) * width + Math.floor(width * x)];
      result.received++;
      result.right += at(0.75) - at(0.25) > 80;
      result.seen.add(at(0.25));
    };
  }

  // A tenth of a second of a tone of 440 Hz crosses zero 88 times.
  listen(track, result) {
    const sink = (result.sink = new nonstandard.RTCAudioSink(track));
    let [samplesSeen, crossings, last] = [0, 0, 0];
    sink.ondata = ({ samples, sampleRate, channelCount }) => {
      for (let i = 0; i < samples.length; i += channelCount) {
        crossings += samples[i] >= 0 !== last >= 0;
        last = samples[i];
        if (++samplesSeen < sampleRate / 10) continue;
        result.received++;
        result.right += Math.abs(crossings - TONE / 5) <= 4;
        result.seen.add(crossings);
        [samplesSeen, crossings] = [0, 0];
      }
    };
  }

  // What was decoded in `ms`, after the first came.
  async play({ ms }) {
    const kinds = Object.entries(this.results);
    for (const [kind, result] of kinds) await this.until(() => result.right > 0, `decoded ${kind} that is what was sent`);
    for (const [, result] of kinds) Object.assign(result, { received: 0, right: 0, seen: new Set() });
    await sleep(ms);
    return Object.fromEntries(kinds.map(([kind, { received, right, seen }]) => [kind, { received, right, different: seen.size }]));
  }

  async close() {
    this.timers.forEach(clearInterval);
    await super.close();
  }
}

await serve(new Roamhq());
