//! SCTP alone: both ends in memory, in one thread and in virtual time.
//!
//! The work is the same for all: packets of at most 1,188 bytes, a receive window of 1 MiB, up to 1 MiB that waits to be sent (which
//! rtc-sctp counts with what is in flight, so that a larger window would be one for the others alone). All make checksums; ours and
//! dcsctp once more without (RFC 9653), as above DTLS. Whatever is owed leaves; up to 16 packets arrive in each direction before the
//! other end is asked again, as a driver reads them. A packet is one of the end that sends messages, and costs what both ends do for
//! it: how often it is acknowledged is up to the stack.

mod dcsctp;
mod ours;
mod rtc;

use crate::{MESSAGES, Row};
use bytes::Bytes;
use measure::{median, time_ns};
use rustix::time::ClockId;
use std::collections::VecDeque;
use std::process::Command;
use std::time::{Duration, Instant};

/// The longest packet.
const MTU: usize = 1188;
const WINDOW: u32 = 1 << 20;
const STREAM: u16 = 1;
/// What an application lets wait.
const BUFFERED_MAX: usize = 1 << 20;
/// Packets that arrive at once.
const BATCH: usize = 16;
/// How far an exchange is from the next.
const ROUND: Duration = Duration::from_micros(20);

/// Turns of each; the median of them counts.
const TURNS: usize = 21;
/// What is carried in a turn, and before the first.
const TURN: usize = 8 << 20;
/// What is carried where instructions are counted: the difference counts.
const RUNS: [usize; 2] = [8 << 20, 24 << 20];

/// Whether packets have one.
#[derive(Clone, Copy, PartialEq)]
enum Checksum {
    Crc,
    Zero,
}

/// One end of an association.
trait End {
    type Packet: AsRef<[u8]>;
    fn new(is_client: bool, checksum: Checksum, now: Instant) -> Self;
    /// Gives back a packet that is used up, if somebody has a use for it.
    fn handle_input(&mut self, packet: Self::Packet, now: Instant) -> Option<Self::Packet>;
    /// Something to write packets into.
    fn recycle(&mut self, _: Self::Packet) {}
    fn handle_timeout(&mut self, now: Instant);
    fn poll_timeout(&self, now: Instant) -> Option<Instant>;
    fn poll_packet(&mut self, now: Instant) -> Option<Self::Packet>;
    fn is_connected(&self) -> bool;
    /// Bytes that wait to be sent.
    fn buffered(&mut self) -> usize;
    fn send(&mut self, message: &Bytes, now: Instant);
    /// The length of the next message that has arrived.
    fn receive(&mut self) -> Option<usize>;
}

/// Two ends, and what is on the way to each.
struct Pair<E: End> {
    ends: [E; 2],
    ways: [VecDeque<E::Packet>; 2],
    now: Instant,
    /// How many each has sent.
    packets: [usize; 2],
}

impl<E: End> Pair<E> {
    fn new(checksum: Checksum) -> Self {
        let now = Instant::now();
        let ends = [true, false].map(|is_client| E::new(is_client, checksum, now));
        let mut pair = Self { ends, ways: Default::default(), now, packets: [0; 2] };
        while !pair.ends.iter().all(E::is_connected) {
            pair.exchange();
        }
        pair
    }

    /// Lets all leave and some arrive, and time pass.
    fn exchange(&mut self) {
        let Self { ends, ways, now, packets } = self;
        let mut is_quiet = true;
        for ((end, way), packets) in ends.iter_mut().zip(&mut *ways).zip(packets) {
            while let Some(packet) = end.poll_packet(*now) {
                assert!(packet.as_ref().len() <= MTU, "a packet of {} bytes", packet.as_ref().len());
                *packets += 1;
                way.push_back(packet);
            }
        }
        for (from, way) in ways.iter_mut().enumerate() {
            for packet in way.drain(..BATCH.min(way.len())) {
                is_quiet = false;
                if let Some(packet) = ends[1 - from].handle_input(packet, *now) {
                    ends[from].recycle(packet);
                }
            }
        }
        *now += ROUND;
        let timeouts = ends.iter().filter_map(|end| end.poll_timeout(*now));
        if is_quiet {
            *now = timeouts.min().map_or(*now, |at| at.max(*now));
        }
        for end in ends {
            if end.poll_timeout(*now).is_some_and(|at| at <= *now) {
                end.handle_timeout(*now);
            }
        }
    }

    /// Carries so many messages from the first end to the second. Returns how many packets of the first it took.
    fn carry(&mut self, message: &Bytes, count: usize) -> usize {
        let [before, _] = self.packets;
        let (mut sent, mut received) = (0, 0);
        while received < count {
            while sent < count && self.ends[0].buffered() + message.len() <= BUFFERED_MAX {
                self.ends[0].send(message, self.now);
                sent += 1;
            }
            self.exchange();
            while let Some(len) = self.ends[1].receive() {
                assert_eq!(len, message.len());
                received += 1;
            }
        }
        self.packets[0] - before
    }
}

/// An association over which messages of one length go.
struct Work {
    carry: Box<dyn FnMut(usize) -> usize>,
    len: usize,
}

impl Work {
    fn new<E: End + 'static>(checksum: Checksum, len: usize) -> Self {
        let (mut pair, message) = (Pair::<E>::new(checksum), Bytes::from(vec![0x5a; len]));
        let mut work = Self { carry: Box::new(move |count| pair.carry(&message, count)), len };
        (work.carry)(TURN / len);
        work
    }

    fn of(stack: &str, len: usize) -> Self {
        match stack {
            "ours" => Self::new::<ours::Ours>(Checksum::Crc, len),
            "ours-zero" => Self::new::<ours::Ours>(Checksum::Zero, len),
            "rtc-sctp" => Self::new::<rtc::Rtc>(Checksum::Crc, len),
            "dcsctp" => Self::new::<dcsctp::Dcsctp>(Checksum::Crc, len),
            "dcsctp-zero" => Self::new::<dcsctp::Dcsctp>(Checksum::Zero, len),
            _ => panic!("no stack is called {stack}"),
        }
    }

    /// Nanoseconds that a turn takes, by packet and by message.
    fn turn(&mut self) -> [f64; 2] {
        let begin = time_ns(ClockId::ThreadCPUTime);
        let packets = (self.carry)(TURN / self.len);
        let time = time_ns(ClockId::ThreadCPUTime) - begin;
        [time / packets as f64, time / (TURN / self.len) as f64]
    }
}

/// What is measured, and which of them are compared.
const STACKS: [&str; 5] = ["ours", "ours-zero", "rtc-sctp", "dcsctp", "dcsctp-zero"];
const PAIRS: [(usize, usize, &str, &str); 3] = [
    (0, 2, "checksum", "rtc-sctp 0.21"),
    (0, 3, "checksum", "dcsctp 0.1.16, unlogged"),
    (1, 4, "zero checksum", "dcsctp 0.1.16, unlogged"),
];
/// What of a turn is told.
const OF: [&str; 2] = ["a packet", "a message"];

pub(crate) fn rows() -> Vec<Row> {
    let has_valgrind = Command::new("valgrind").arg("--version").output().is_ok();
    if !has_valgrind {
        println!("skipped: instructions of SCTP alone (valgrind counts them: apt-get install valgrind)");
    }
    let mut rows = Vec::new();
    for (len, name) in MESSAGES {
        rows.extend(table(name, "ns", times(len)).map(Row::print));
        if has_valgrind {
            rows.extend(table(name, "instructions", STACKS.map(|stack| instructions(stack, len))).map(Row::print));
        }
    }
    rows
}

fn table(name: &str, unit: &'static str, measured: [[f64; 2]; 5]) -> impl Iterator<Item = Row> {
    PAIRS.into_iter().flat_map(move |(ours, peer, checksum, peer_name)| {
        [0, 1].map(|of| Row {
            work: format!("SCTP alone, {checksum}, {name} messages: {}", OF[of]),
            unit,
            better: "lower",
            ours: measured[ours][of],
            peer: measured[peer][of],
            peer_name,
        })
    })
}

fn times(len: usize) -> [[f64; 2]; 5] {
    let mut stacks = STACKS.map(|stack| (Work::of(stack, len), [const { Vec::new() }; 2]));
    for _ in 0..TURNS {
        for (work, times) in &mut stacks {
            for (times, time) in times.iter_mut().zip(work.turn()) {
                times.push(time);
            }
        }
    }
    stacks.map(|(_, times)| times.map(median))
}

/// As many as valgrind counts, whatever else the machine does: of a long run, less those of a short one.
fn instructions(stack: &str, len: usize) -> [f64; 2] {
    let [short, long] = RUNS.map(|bytes| count(stack, len, bytes));
    let [instructions, packets] = [0, 1].map(|of| long[of] - short[of]);
    [instructions / packets, instructions / ((RUNS[1] - RUNS[0]) / len) as f64]
}

/// Instructions and packets of a run.
fn count(stack: &str, len: usize, bytes: usize) -> [f64; 2] {
    // Valgrind counts a string instruction once a byte: glibc is told to copy without them.
    let output = Command::new("valgrind")
        .env(
            "GLIBC_TUNABLES",
            "glibc.cpu.x86_rep_movsb_threshold=1000000000:glibc.cpu.x86_rep_stosb_threshold=1000000000",
        )
        .args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"])
        .arg(std::env::current_exe().expect("this program"))
        .args(["--run", stack, &len.to_string(), &bytes.to_string()])
        .output()
        .expect("valgrind");
    let [said, counted] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    let instructions = counted.lines().find_map(|line| line.split_once("refs:")).expect(&counted).1;
    let number = |text: &str| text.trim().replace(',', "").parse().expect("a number");
    [number(instructions), number(&said)]
}

/// Carries so many bytes, and says how many packets that took.
pub(crate) fn run(stack: &str, len: usize, bytes: usize) {
    println!("{}", (Work::of(stack, len).carry)(bytes / len));
}
