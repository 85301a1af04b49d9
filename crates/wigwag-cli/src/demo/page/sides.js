// The same call as both sides count it: the browser's getStats beside wigwag's, which has the same names.

const ROWS = [
  ["Sent", (of) => packets(of("outbound-rtp"), "packetsSent", "bytesSent")],
  ["Received", (of) => packets(of("inbound-rtp"), "packetsReceived", "bytesReceived")],
  ["Lost on the way here", (of) => count(of("inbound-rtp"), "packetsLost")],
  ["Lost, says the other", (of) => count(of("remote-inbound-rtp"), "packetsLost")],
  ["Sent again", (of) => count(of("outbound-rtp"), "retransmittedPacketsSent")],
  ["Asked for", (of) => asked([...of("inbound-rtp")])],
  ["Jitter", (of) => kinds(of("inbound-rtp"), "jitter")],
  ["Round trip of media", (of) => kinds(of("remote-inbound-rtp"), "roundTripTime")],
  ["Round trip of checks", (of) => millis(pair(of)?.currentRoundTripTime)],
  ["Codecs", (of) => [...new Set(of("codec").map((codec) => codec.mimeType?.split("/")[1]))].join(", ")],
  ["ICE", (of) => [of("transport")[0]?.iceRole, of("transport")[0]?.iceState].filter(Boolean).join(", ")],
  ["DTLS", (of) => [of("transport")[0]?.dtlsRole, of("transport")[0]?.tlsVersion, of("transport")[0]?.dtlsState].filter(Boolean).join(", ")],
  ["Cipher", (of) => of("transport")[0]?.srtpCipher ?? of("transport")[0]?.dtlsCipher],
  ["Messages", (of) => messages(of("data-channel"))],
];

const sum = (list, name) => list.reduce((total, stats) => total + (stats[name] ?? 0), 0);
const count = (list, name) => (list.length ? sum(list, name).toLocaleString("en") : "");
const millis = (seconds) => (seconds === undefined ? "" : `${(seconds * 1000).toFixed(1)} ms`);
const pair = (of) => of("candidate-pair").find((it) => it.nominated && it.state === "succeeded") ?? of("candidate-pair")[0];

function packets(list, number, size) {
  return list.length ? `${count(list, number)} packets, ${(sum(list, size) / 1e6).toFixed(2)} MB` : "";
}

function kinds(list, name) {
  const known = list.filter((stats) => stats[name] !== undefined);
  return known.map((stats) => `${stats.kind} ${millis(stats[name])}`).sort().join(", ");
}

function asked(list) {
  return list.length ? `${sum(list, "nackCount")} NACK, ${sum(list, "pliCount")} PLI, ${sum(list, "firCount")} FIR` : "";
}

function messages(list) {
  return list.length ? `${count(list, "messagesSent")} sent, ${count(list, "messagesReceived")} received` : "";
}

export class Sides {
  constructor(table) {
    this.body = table.tBodies[0];
    this.cells = ROWS.map(([name]) => {
      const row = this.body.insertRow();
      const head = document.createElement("th");
      Object.assign(head, { scope: "row", textContent: name });
      row.append(head);
      const slug = name.toLowerCase().replaceAll(/[^a-z]+/g, "-");
      return ["browser", "wigwag"].map((side) => {
        const cell = row.insertCell();
        cell.dataset.testid = `${side}-${slug}`;
        return cell;
      });
    });
    this.clear();
  }

  /** `side` is 0 for the browser and 1 for wigwag; `objects` are those of its report. */
  show(side, objects) {
    const of = (type) => objects.filter((stats) => stats.type === type);
    ROWS.forEach(([, value], index) => { this.cells[index][side].textContent = value(of) || "–"; });
  }

  clear() {
    for (const cell of this.cells.flat()) cell.textContent = "–";
  }
}
