// What peers with the W3C's interface do alike.
import { Driver } from './driver.mjs';

export class W3cDriver extends Driver {
  // A channel as `Driver.adopt` wants it. `data` is a string, a Buffer or an ArrayBuffer.
  hold(channel, isOurs) {
    const held = this.adopt({
      label: channel.label,
      describe: () => {
        const { id, ordered, protocol, maxRetransmits, maxPacketLifeTime } = channel;
        return { id, ordered, protocol, maxRetransmits, maxPacketLifeTime };
      },
      isOpen: () => channel.readyState === 'open',
      send: (data) => channel.send(data),
      close: () => channel.close(),
    }, isOurs);
    channel.binaryType = 'arraybuffer';
    channel.onmessage = ({ data }) => this.received(held, typeof data === 'string' ? data : Buffer.from(data));
    channel.onclose = () => { held.isClosed = true; };
    return held;
  }

  watch(pc) {
    this.pc = pc;
    pc.onconnectionstatechange = () => {
      this.state = pc.connectionState;
      this.log.push(pc.connectionState);
    };
    pc.onicecandidate = ({ candidate }) => this.candidates.push(candidate?.toJSON?.() ?? candidate ?? null);
    pc.ondatachannel = ({ channel }) => this.hold(channel, false);
  }

  open({ label, init = {} }) {
    this.hold(this.pc.createDataChannel(label, init), true);
  }

  async gathered() {
    await this.until(() => this.pc.iceGatheringState === 'complete', 'candidates');
    return this.pc.localDescription.sdp;
  }

  async offer({ waits = true }) {
    await this.pc.setLocalDescription(await this.pc.createOffer());
    return waits ? this.gathered() : this.pc.localDescription.sdp;
  }

  async answer({ sdp, waits = true }) {
    await this.pc.setRemoteDescription({ type: 'offer', sdp });
    this.addTracks();
    await this.pc.setLocalDescription(await this.pc.createAnswer());
    return waits ? this.gathered() : this.pc.localDescription.sdp;
  }

  async accept({ sdp }) {
    await this.pc.setRemoteDescription({ type: 'answer', sdp });
  }

  async addCandidate({ candidate }) {
    if (candidate) await this.pc.addIceCandidate(candidate);
  }

  async close() {
    await this.pc.close();
  }
}
