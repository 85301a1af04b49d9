// Files over data channels, of any size: one channel for each, piece by piece, with a hash at both ends.
//
// The sender says { type: "file", name, size }, then the pieces, then { type: "end", sha256 }. wigwag sends all of that
// back; a friend answers { type: "got", bytes } now and then, and { type: "done", sha256 } at the end.

import { Sha256 } from "./sha256.js";

/** Both browsers take messages of this size, and one is small beside what may be under way. */
const PIECE = 64 << 10;
/** So much may be under way before more is sent: neither side has to keep a file in its memory. */
const AHEAD_MAX = 4 << 20;
const BUFFERED_MAX = 1 << 20;
const ACKNOWLEDGE = 1 << 20;

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 2 : 1)} MB`;

/** A line of the list, with its progress. */
class Line {
  constructor(list, name, size, arrow) {
    this.began = performance.now();
    this.size = size;
    this.item = document.createElement("li");
    this.item.dataset.state = "running";
    const title = Object.assign(document.createElement("b"), { textContent: `${arrow} ${name}` });
    this.bar = Object.assign(document.createElement("progress"), { max: Math.max(size, 1), value: 0 });
    this.bar.setAttribute("aria-label", `Progress of ${name}`);
    this.detail = document.createElement("small");
    this.item.append(title, this.bar, this.detail);
    list.prepend(this.item);
  }

  show(bytes, verb) {
    this.bar.value = this.size === 0 ? 1 : bytes;
    const rate = bytes / 1e6 / Math.max((performance.now() - this.began) / 1000, 0.001);
    this.detail.textContent = `${megabytes(bytes)} of ${megabytes(this.size)} ${verb} · ${rate.toFixed(1)} MB/s`;
  }

  /** How it ended; the hashes of both ends are there to be compared by eye, too. */
  end(state, text, hashes) {
    this.item.dataset.state = state;
    const result = document.createElement("p");
    result.textContent = text;
    const codes = Object.entries(hashes).map(([end, hash]) => {
      const code = Object.assign(document.createElement("code"), { textContent: `${end} ${hash}` });
      code.dataset.hash = hash;
      return code;
    });
    this.item.append(result, ...codes);
  }
}

/** Sends a file, once its channel is open; its line is in `list`. */
export async function sendFile(channel, file, list) {
  const line = new Line(list, file.name, file.size, "↑");
  const sent = new Sha256(), echoed = new Sha256();
  let confirmed = 0, wake = () => {};
  const news = () => new Promise((resolve) => { wake = resolve; });
  const ended = new Promise((resolve, reject) => {
    channel.onclose = () => { reject(new Error("the channel closed before the end")); wake(); };
    channel.onmessage = ({ data }) => {
      if (typeof data !== "string") {
        echoed.update(new Uint8Array(data));
        confirmed += data.byteLength;
        line.show(confirmed, "there and back");
      } else {
        const message = JSON.parse(data);
        if (message.type === "got") line.show(confirmed = message.bytes, "there");
        if (message.type === "end") resolve({ here: message.sha256, back: echoed.finish() });
        if (message.type === "done") resolve({ here: null, there: message.sha256 });
      }
      wake();
    };
    channel.onbufferedamountlow = () => wake();
  });
  ended.catch(() => { /* told below */ });
  try {
    channel.bufferedAmountLowThreshold = BUFFERED_MAX / 4;
    channel.send(JSON.stringify({ type: "file", name: file.name, size: file.size }));
    for (let at = 0; at < file.size; at += PIECE) {
      const piece = new Uint8Array(await file.slice(at, at + PIECE).arrayBuffer());
      while (channel.readyState === "open" && (at - confirmed > AHEAD_MAX || channel.bufferedAmount > BUFFERED_MAX)) await news();
      sent.update(piece);
      channel.send(piece);
    }
    const here = sent.finish();
    channel.send(JSON.stringify({ type: "end", sha256: here }));
    const { back, there } = await ended;
    const isSame = here === (back ?? there);
    line.show(file.size, back ? "there and back" : "there");
    line.end(isSame ? "done" : "failed", isSame ? "Every byte is the same." : "The bytes differ.", { "sent    ": here, ...(back ? { "returned": back } : { "received": there }) });
  } catch (error) {
    line.end("failed", `Not sent: ${error.message}.`, {});
  } finally {
    channel.onclose = null;
    channel.close();
  }
}

/** Takes the file that a friend sends over `channel`. */
export function receiveFile(channel, list) {
  const hash = new Sha256(), pieces = [];
  let line = null, name = "file", got = 0, told = 0;
  const end = (state, text, hashes) => { line?.end(state, text, hashes); line = null; };
  channel.binaryType = "arraybuffer";
  channel.onclose = () => end("failed", "Not received: the channel closed before the end.", {});
  channel.onmessage = ({ data }) => {
    if (typeof data !== "string") {
      hash.update(new Uint8Array(data));
      // A blob need not stay in memory.
      pieces.push(new Blob([data]));
      got += data.byteLength;
      line?.show(got, "received");
      if (got - told >= ACKNOWLEDGE) channel.send(JSON.stringify({ type: "got", bytes: told = got }));
      return;
    }
    const message = JSON.parse(data);
    if (message.type === "file" && !line) {
      name = String(message.name);
      line = new Line(list, name, Number(message.size) || 0, "↓");
    } else if (message.type === "end" && line) {
      const there = hash.finish();
      channel.send(JSON.stringify({ type: "done", sha256: there }));
      line.show(got, "received");
      const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(new Blob(pieces)), download: name, textContent: "Save" });
      line.item.append(link);
      const isSame = there === message.sha256;
      end(isSame ? "done" : "failed", isSame ? "Every byte is the same." : "The bytes differ.", { "sent    ": String(message.sha256), "received": there });
    }
  };
}
