// What every driver in JavaScript does alike: the line protocol, and channels that echo or compare.
//
// A request is a line of JSON on the standard input, {"do": name, …}, an answer one on the standard output, {"ok": …} or
// {"error": text}, in the order of the requests. README.md lists the requests.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const folder = process.env.WIGWAG_PEERS + '/node/';

// Takes a package from where `cargo xtask setup` put it.
export const installed = createRequire(folder);
export const version = (name) => JSON.parse(readFileSync(`${folder}node_modules/${name}/package.json`)).version;

export class Driver {
  channels = new Map();
  candidates = [];
  log = [];
  state = 'new';

  // `held` is what a peer knows as a channel: label, describe(), isOpen(), send(data), close(). Whoever did not open an
  // "echo" channel echoes; all others keep what arrives.
  adopt(held, isOurs) {
    Object.assign(held, { messages: [], isClosed: false, echoes: !isOurs && held.label.startsWith('echo') });
    this.channels.set(held.label, held);
    return held;
  }

  received(held, data) {
    if (held.echoes) held.send(data);
    else held.messages.push(data);
  }

  channel({ label }) {
    const held = this.channels.get(label);
    if (!held) throw new Error('no channel is called ' + label);
    return held;
  }

  async until(condition, what, ms = 20000) {
    for (const end = Date.now() + ms; !condition(); await sleep(5)) {
      if (Date.now() > end) throw new Error(`waited in vain for ${what}; log: ${this.log.join(', ')}`);
    }
  }

  async opened({ label }) {
    await this.until(() => this.channels.get(label)?.isOpen(), `channel ${label} to open`);
    return this.channel({ label }).describe();
  }

  // Sends a message and compares what the other side echoes.
  async roundTrip({ label, length, text = false, seed = 1 }) {
    const held = this.channel({ label });
    const message = pattern(length, seed, text);
    const at = held.messages.length;
    held.send(message);
    await this.until(() => held.messages.length > at, `the echo of ${length} bytes on ${label}`);
    const echo = held.messages[at];
    const isEqual = typeof echo === 'string' || text ? echo === message : echo.equals(message);
    if (!isEqual) throw new Error(`${length} bytes came back as ${typeof echo} of ${echo.length}`);
    return { length, kind: typeof echo === 'string' ? 'string' : 'binary' };
  }

  // Sends `count` different messages at once; how many different ones came back.
  async burst({ label, count }) {
    const held = this.channel({ label });
    for (let i = 0; i < count; i++) held.send(Buffer.from([i >> 8, i & 255]));
    await this.until(() => held.messages.length >= count, `${count} echoes`);
    return new Set(held.messages.map((message) => message.readUInt16BE(0))).size;
  }

  // Of what kind and length the first `count` messages were that came on a channel which does not echo.
  async kept({ label, count }) {
    const held = this.channel({ label });
    await this.until(() => held.messages.length >= count, `${count} messages on ${label}`);
    return held.messages.slice(0, count).map((message) => ({ kind: typeof message === 'string' ? 'string' : 'binary', length: message.length }));
  }

  closeChannel(request) {
    this.channel(request).close();
  }

  async closed(request) {
    const held = this.channel(request);
    await this.until(() => held.isClosed, `channel ${request.label} to close`);
  }

  async connected() {
    await this.until(() => this.state === 'connected', 'the state connected');
  }

  takeCandidates() {
    return this.candidates.splice(0);
  }
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// A message of `length`, each different from the others; a string if `text`.
function pattern(length, seed, text) {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) bytes[i] = text ? 97 + ((i * 7 + seed) % 26) : (i * 31 + (i >> 8) + seed) & 255;
  return text ? bytes.toString('latin1') : bytes;
}

// Serves requests until the standard input ends.
export async function serve(driver) {
  for (const event of ['uncaughtException', 'unhandledRejection']) {
    process.on(event, (error) => { driver.log.push(`${event}: ${error?.stack ?? error}`); console.error(error); });
  }
  for await (const line of createInterface({ input: process.stdin })) {
    let answer;
    try {
      const request = JSON.parse(line);
      answer = { ok: (await driver[request.do](request)) ?? null };
    } catch (error) {
      answer = { error: String(error?.stack ?? error) };
    }
    process.stdout.write(JSON.stringify(answer) + '\n');
  }
  process.exit(0);
}
