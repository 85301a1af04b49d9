// werift: all in TypeScript, without codecs. Its packets of media come back and are compared.
import { installed, serve, sleep, version } from './driver.mjs';
import { W3cDriver } from './w3c.mjs';

const { MediaStreamTrack, RTCPeerConnection, RtpHeader, RtpPacket } = installed('werift');

class Werift extends W3cDriver {
  tracks = [];

  hello() {
    return version('werift');
  }

  make({ media = [], offers, stun }) {
    // Without a server it would ask one on the Internet, and wait.
    this.watch(new RTCPeerConnection({ iceServers: [{ urls: `stun:${stun}` }] }));
    this.media = media;
    this.pc.ontrack = ({ track }) => {
      track.onReceiveRtp.subscribe(({ payload }) => {
        this.tracks.find(({ kind }) => kind === track.kind)?.returned.push(payload.toString('latin1'));
      });
    };
    if (offers) this.addTracks();
  }

  addTracks() {
    for (const kind of this.media.splice(0)) {
      const track = new MediaStreamTrack({ kind });
      this.pc.addTrack(track);
      this.tracks.push({ kind, track, sent: [], returned: [] });
    }
  }

  // Sends packets of each kind for `ms`, and compares those that came back.
  async play({ ms }) {
    for (let number = 0; number < ms / 20; number++, await sleep(20)) {
      for (const it of this.tracks) this.sendPacket(it, number);
    }
    const isBack = ({ sent, returned }) => returned.includes(sent.at(-1));
    await this.until(() => this.tracks.every(isBack), 'the last packet');
    return Object.fromEntries(this.tracks.map(({ kind, sent, returned }) => {
      // The first may have come before the other side was ready: what counts is that then none is lost, doubled or changed.
      const first = sent.indexOf(returned[0]);
      const right = returned.filter((payload, i) => first >= 0 && payload === sent[first + i]).length;
      return [kind, { received: returned.length, right, different: new Set(returned).size, missing: sent.length - Math.max(first, 0) - returned.length }];
    }));
  }

  // VP8: a whole frame a packet, its descriptor (RFC 7741 §4.2) with S set and partition 0, and a key frame's header.
  sendPacket({ kind, track, sent }, number) {
    const isVideo = kind === 'video';
    const start = isVideo ? [0x10, 0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0x00] : [0xfc];
    const payload = Buffer.concat([Buffer.from(start), Buffer.from(`${kind} ${number} `.padEnd(isVideo ? 900 : 80, 'x'))]);
    sent.push(payload.toString('latin1'));
    const timestamp = (number * (isVideo ? 1800 : 960)) >>> 0;
    const header = new RtpHeader({ sequenceNumber: number & 0xffff, timestamp, marker: isVideo, payloadType: 96, ssrc: 1 });
    track.writeRtp(new RtpPacket(header, payload));
  }
}

await serve(new Werift());
