// node-datachannel: libdatachannel, through an interface of its own. It has no codecs.
import { Driver, installed, serve, version } from './driver.mjs';

const library = installed('node-datachannel');

class DataChannel extends Driver {
  hello() {
    return `${version('node-datachannel')} (libdatachannel ${library.getLibraryVersion()})`;
  }

  make({ stun }) {
    this.pc = new library.PeerConnection('driver', { iceServers: [`stun:${stun}`], disableAutoNegotiation: true });
    this.pc.onStateChange((state) => {
      this.state = state;
      this.log.push(state);
    });
    this.pc.onLocalCandidate((candidate, sdpMid) => this.candidates.push({ candidate, sdpMid }));
    this.pc.onDataChannel((channel) => this.hold(channel, false));
  }

  hold(channel, isOurs, { ordered = true, maxRetransmits = null, maxPacketLifeTime = null } = {}) {
    const held = this.adopt({
      label: channel.getLabel(),
      // The library does not tell the reliability of a channel that the other side opened.
      describe: () => ({ id: channel.getId(), protocol: channel.getProtocol(), ...(isOurs && { ordered, maxRetransmits, maxPacketLifeTime }) }),
      isOpen: () => channel.isOpen(),
      send: (data) => (typeof data === 'string' ? channel.sendMessage(data) : channel.sendMessageBinary(data)),
      close: () => channel.close(),
    }, isOurs);
    channel.onMessage((data) => this.received(held, typeof data === 'string' ? data : Buffer.from(data)));
    channel.onClosed(() => { held.isClosed = true; });
  }

  open({ label, init: { ordered = true, protocol = '', maxRetransmits, maxPacketLifeTime } = {} }) {
    const init = { unordered: !ordered, protocol, maxRetransmits, maxPacketLifeTime };
    this.hold(this.pc.createDataChannel(label, init), true, { ordered, maxRetransmits, maxPacketLifeTime });
  }

  async gathered() {
    await this.until(() => this.pc.gatheringState() === 'complete', 'candidates');
    return this.pc.localDescription().sdp;
  }

  async describe(waits) {
    await this.until(() => this.pc.localDescription(), 'a description');
    return waits ? this.gathered() : this.pc.localDescription().sdp;
  }

  async offer({ waits = true }) {
    this.pc.setLocalDescription('offer');
    return this.describe(waits);
  }

  async answer({ sdp, waits = true }) {
    this.pc.setRemoteDescription(sdp, 'offer');
    this.pc.setLocalDescription('answer');
    return this.describe(waits);
  }

  accept({ sdp }) {
    this.pc.setRemoteDescription(sdp, 'answer');
  }

  addCandidate({ candidate }) {
    if (candidate) this.pc.addRemoteCandidate(candidate.candidate, candidate.sdpMid);
  }

  close() {
    this.pc.close();
  }
}

await serve(new DataChannel());
