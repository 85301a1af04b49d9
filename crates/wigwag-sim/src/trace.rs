//! What was sent: as records, as a ladder, as one number, as a capture.

use crate::{Fate, Tally, pcap};
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use wigwag_sansio::Protocol;

/// So many bytes of payloads are recorded; what comes later is counted and hashed only.
const RECORDED_LEN_MAX: usize = 64 << 20;

/// The phase before any other has begun.
const BEGINNING: &str = "beginning";

/// A datagram, or bytes of a stream, as they were sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record {
    /// When, since the beginning of the world.
    pub at: Duration,
    /// How it travelled.
    pub protocol: Protocol,
    /// From which address.
    pub from: SocketAddr,
    /// To which address.
    pub to: SocketAddr,
    /// Its bytes, before anything happened to them.
    pub payload: Vec<u8>,
    /// What became of it.
    pub fate: Fate,
    /// The places of sender and receiver in the order of the world's hosts; no receiver if nobody has the address.
    pub(crate) hosts: (usize, Option<usize>),
}

/// A datagram that was noted, and may still be lost where it arrives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    number: u64,
    phase: usize,
    fate: Fate,
}

/// All that was sent in a world.
#[derive(Clone, Debug)]
pub struct Trace {
    names: Vec<String>,
    records: Vec<Record>,
    recorded_len: usize,
    count: u64,
    hash: Fnv,
    tally: Tally,
    phase: usize,
    dissect: fn(&[u8]) -> String,
}

impl Trace {
    pub(crate) fn new() -> Self {
        let (mut tally, hash) = (Tally::default(), Fnv::new());
        let phase = tally.place(BEGINNING);
        Self { names: Vec::new(), records: Vec::new(), recorded_len: 0, count: 0, hash, tally, phase, dissect: hex }
    }

    pub(crate) fn add_host(&mut self, name: &str) {
        self.names.push(name.to_owned());
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    pub(crate) fn push(&mut self, record: Record) -> Sent {
        let sent = Sent { number: self.count, phase: self.phase, fate: record.fate };
        self.count += 1;
        self.tally.hit(self.phase, record.fate);
        let Record { at, from, to, payload, fate, .. } = &record;
        let line = format!("{} {from} {to} {fate} {} ", at.as_nanos(), payload.len());
        self.hash.add(line.as_bytes());
        self.hash.add(payload);
        self.recorded_len = self.recorded_len.saturating_add(payload.len());
        if self.recorded_len <= RECORDED_LEN_MAX {
            self.records.push(record);
        }
        sent
    }

    /// Something else became of it than it seemed when it was sent.
    pub(crate) fn amend(&mut self, sent: Sent, fate: Fate) {
        self.tally.miss(sent.phase, sent.fate);
        self.tally.hit(sent.phase, fate);
        self.hash.add(format!("{} {fate}", sent.number).as_bytes());
        // What is recorded is the beginning, so that numbers are places.
        let record = usize::try_from(sent.number).ok().and_then(|number| self.records.get_mut(number));
        record.into_iter().for_each(|record| record.fate = fate);
    }

    pub(crate) fn begin(&mut self, phase: &'static str) {
        self.phase = self.tally.place(phase);
    }

    pub(crate) const fn dissector(&mut self, dissect: fn(&[u8]) -> String) {
        self.dissect = dissect;
    }

    pub(crate) fn note(&mut self, event: &'static str) {
        self.tally.hit(self.phase, event);
    }

    /// How often what hit which phase. What becomes of a datagram hits the phase in which it was sent.
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Everything, in the order in which it was sent; of a very long run the first 64 MiB.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// How many datagrams were sent.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// A number that depends on every datagram: its time, addresses, bytes and fate. One seed, one hash.
    pub const fn hash(&self) -> u64 {
        self.hash.0
    }

    /// One line a datagram, at the time when it was sent; `dissect` says what it is.
    ///
    /// The longest time begins its line, so that `expect_test`, which takes away what all lines are indented by, takes
    /// nothing away.
    ///
    /// ```text
    ///    0 ms  A → Z  INIT
    ///   20 ms  A ← Z  INIT ACK
    ///   40 ms  A → Z  COOKIE ECHO
    ///   60 ms  A ✗ Z  COOKIE ACK  lost
    /// 1040 ms  A → Z  COOKIE ECHO
    /// ```
    pub fn ladder(&self, dissect: impl Fn(&[u8]) -> String) -> String {
        self.lines(&self.records, dissect)
    }

    /// The last lines of the ladder.
    pub(crate) fn tail(&self, lines: usize) -> String {
        let start = self.records.len().saturating_sub(lines);
        let omitted = if start > 0 { format!("… {start} before\n") } else { String::new() };
        omitted + &self.lines(self.records.get(start..).unwrap_or_default(), self.dissect)
    }

    fn lines(&self, records: &[Record], dissect: impl Fn(&[u8]) -> String) -> String {
        let width = records.last().map_or(0, |last| last.at.as_millis().to_string().len());
        records.iter().fold(String::new(), |mut ladder, record| {
            let (left, right, is_forwards) = self.ends(record);
            let arrow = match (record.fate.is_lost(), is_forwards) {
                (true, _) => '✗',
                (false, true) => '→',
                (false, false) => '←',
            };
            let (at, what) = (record.at.as_millis(), dissect(&record.payload));
            // Writing to a string cannot fail.
            let _ = write!(ladder, "{at:>width$} ms  {left} {arrow} {right}  {what}");
            let _ = match record.fate {
                Fate::Passed => writeln!(ladder),
                fate => writeln!(ladder, "  {fate}"),
            };
            ladder
        })
    }

    /// The names at the left and at the right, and whether the datagram goes from left to right.
    fn ends(&self, record: &Record) -> (String, String, bool) {
        let name = |host: usize| self.names.get(host).cloned().unwrap_or_default();
        match record.hosts {
            (from, None) => (name(from), record.to.to_string(), true),
            (from, Some(to)) if from <= to => (name(from), name(to), true),
            (from, Some(to)) => (name(to), name(from), false),
        }
    }

    /// Writes all UDP datagrams, as they were sent, as a capture that Wireshark opens (pcapng).
    ///
    /// # Errors
    /// What `writer` returns.
    pub fn write_pcap(&self, writer: impl io::Write) -> io::Result<()> {
        pcap::write(&self.records, writer)
    }
}

/// Length and first bytes.
fn hex(payload: &[u8]) -> String {
    let bytes: String = payload.iter().take(24).map(|byte| format!("{byte:02x}")).collect();
    format!("{} bytes {bytes}{}", payload.len(), if payload.len() > 24 { "…" } else { "" })
}

/// FNV-1a of 64 bits: not for strangers, but the same on every machine and in every version of Rust.
#[derive(Clone, Copy, Debug)]
struct Fnv(u64);

impl Fnv {
    const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn add(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{A, Z, address};
    use expect_test::expect;

    fn record(at_ms: u64, from: usize, to: usize, payload: &str, fate: Fate) -> Record {
        Record {
            at: Duration::from_millis(at_ms),
            protocol: Protocol::Udp,
            from: [address(A), address(Z)][from],
            to: [address(A), address(Z)][to],
            payload: payload.into(),
            fate,
            hosts: (from, Some(to)),
        }
    }

    pub(crate) fn trace() -> Trace {
        let mut trace = Trace::new();
        trace.add_host("A");
        trace.add_host("Z");
        trace.push(record(0, 0, 1, "INIT", Fate::Passed));
        trace.push(record(20, 1, 0, "INIT ACK", Fate::Corrupted));
        trace.push(record(60, 1, 0, "COOKIE ACK", Fate::Lost));
        trace
    }

    #[test]
    fn a_ladder_shows_time_direction_and_fate() {
        let ladder = trace().ladder(|payload| String::from_utf8_lossy(payload).into_owned());
        expect![[r#"
                 0 ms  A → Z  INIT
                20 ms  A ← Z  INIT ACK  corrupted
                60 ms  A ✗ Z  COOKIE ACK  lost
        "#]]
        .assert_eq(&ladder);
    }

    #[test]
    fn the_tail_says_what_it_leaves_out() {
        expect![[r#"
            … 2 before
            60 ms  A ✗ Z  10 bytes 434f4f4b49452041434b  lost
        "#]]
        .assert_eq(&trace().tail(1));
    }

    /// The test vectors of draft-eastlake-fnv.
    #[test]
    fn the_hash_is_fnv_1a() {
        let hash = |text: &str| {
            let mut hash = Fnv::new();
            hash.add(text.as_bytes());
            hash.0
        };
        assert_eq!((hash(""), hash("a")), (0xcbf2_9ce4_8422_2325, 0xaf63_dc4c_8601_ec8c));
        assert_eq!(hash("foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn every_byte_changes_the_hash() {
        let (one, mut other) = (trace(), trace());
        assert_eq!(one.hash(), other.hash());
        other.push(record(60, 1, 0, "", Fate::Passed));
        assert_ne!(one.hash(), other.hash());
    }
}
