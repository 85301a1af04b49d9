// WHIP and WHEP in a page: one offer by POST, candidates and restarts by PATCH, and DELETE at the end.

const FRAGMENT = 'application/trickle-ice-sdpfrag';

export class Refused extends Error {
  constructor(status, text, retryAfter) {
    super(text.trim() || `HTTP ${status}`);
    Object.assign(this, { status, retryAfter });
  }
}

const refused = async (response) =>
  new Refused(response.status, await response.text(), Number(response.headers.get('Retry-After')) || undefined);

// The values of `a=name:` in a description, or in a part of one.
const values = (sdp, name) => [...sdp.matchAll(new RegExp(`^a=${name}:?(.*?)\\r?$`, 'gm'))].map(([, value]) => value);
const lines = (sdp, test) => sdp.split(/\r?\n/).filter((line) => line && test(line));

export class Session {
  #peer; #url; #etag; #headers; #waiting = []; #timer;

  // Begins what `peer` has tracks or transceivers for, at an endpoint.
  static async begin(peer, endpoint, token) {
    const session = new Session();
    session.#peer = peer;
    session.#headers = token ? { Authorization: `Bearer ${token}` } : {};
    peer.addEventListener('icecandidate', ({ candidate }) => session.#tell(candidate));
    try {
      await peer.setLocalDescription();
      const headers = { ...session.#headers, 'Content-Type': 'application/sdp' };
      const response = await fetch(endpoint, { method: 'POST', headers, body: peer.localDescription.sdp });
      if (response.status !== 201) throw await refused(response);
      session.#url = new URL(response.headers.get('Location'), response.url);
      session.#etag = response.headers.get('ETag');
      await peer.setRemoteDescription({ type: 'answer', sdp: await response.text() });
    } catch (error) {
      // A peer that nobody closes stays, and a page may have so many.
      await session.end();
      throw error;
    }
    session.#flush();
    return session;
  }

  // The server's description stays as it is, but for its ICE.
  async restart() {
    const before = this.#peer.currentRemoteDescription.sdp;
    this.#waiting = [];
    this.#peer.restartIce();
    await this.#peer.setLocalDescription();
    const response = await this.#patch('*', this.#fragment([]));
    if (response.status !== 200) throw await refused(response);
    this.#etag = response.headers.get('ETag');
    const news = await response.text();
    const isOld = (line) => /^a=(ice-ufrag|ice-pwd|candidate|end-of-candidates)/.test(line);
    const ice = lines(news, isOld);
    const sections = before.split(/^(?=m=)/m).map((part, index) => {
      const kept = lines(part, (line) => !isOld(line));
      return [...kept, ...(index ? ice : [])].join('\r\n') + '\r\n';
    });
    await this.#peer.setRemoteDescription({ type: 'answer', sdp: sections.join('') });
    this.#flush();
  }

  async end() {
    clearTimeout(this.#timer);
    this.#peer.close();
    if (this.#url) await fetch(this.#url, { method: 'DELETE', headers: this.#headers, keepalive: true }).catch(() => {});
  }

  // Those that come at about the same time are told together.
  #tell(candidate) {
    this.#waiting.push(candidate?.candidate || '');
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#flush(), 100);
  }

  #flush() {
    if (!this.#url || !this.#waiting.length || this.#peer.signalingState !== 'stable') return;
    const candidates = this.#waiting.splice(0).map((candidate) => (candidate ? `a=${candidate}` : 'a=end-of-candidates'));
    this.#patch(this.#etag, this.#fragment(candidates)).catch(() => {});
  }

  #fragment(candidates) {
    const { sdp } = this.#peer.localDescription;
    const [first] = sdp.split(/^(?=m=)/m).slice(1);
    const mid = values(first, 'mid')[0];
    const ice = ['ice-ufrag', 'ice-pwd'].map((name) => `a=${name}:${values(first, name)[0]}`);
    return [...ice, first.split(/\r?\n/)[0], `a=mid:${mid}`, ...candidates, ''].join('\r\n');
  }

  #patch(etag, body) {
    const headers = { ...this.#headers, 'Content-Type': FRAGMENT, 'If-Match': etag };
    return fetch(this.#url, { method: 'PATCH', headers, body });
  }
}
