//! SCTP alone: both ends in memory, in one thread and in virtual time.
//!
//! The work is the same for all: packets of at most 1,188 bytes with checksums, a receive window of 5 MiB, up to 1 MiB that waits to
//! be sent. Whatever is owed leaves; up to 16 packets arrive in each direction before the other end is asked again, as a driver
//! reads them. A packet is one of either direction.

mod dcsctp;
mod ours;
mod rtc;

use crate::{MESSAGES, Row, median, time_ns};
use bytes::Bytes;
use rustix::time::ClockId;
use std::collections::VecDeque;
use std::process::Command;
use std::time::{Duration, Instant};

/// The longest packet.
const MTU: usize = 1188;
const WINDOW: u32 = 5 << 20;
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

/// One end of an association.
trait End {
    type Packet: AsRef<[u8]>;
    fn new(is_client: bool, now: Instant) -> Self;
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
    packets: usize,
}

impl<E: End> Pair<E> {
    fn new() -> Self {
        let now = Instant::now();
        let ends = [true, false].map(|is_client| E::new(is_client, now));
        let mut pair = Self { ends, ways: Default::default(), now, packets: 0 };
        while !pair.ends.iter().all(E::is_connected) {
            pair.exchange();
        }
        pair
    }

    /// Lets all leave and some arrive, and time pass.
    fn exchange(&mut self) {
        let Self { ends, ways, now, packets } = self;
        let mut is_quiet = true;
        for (end, way) in ends.iter_mut().zip(&mut *ways) {
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

    /// Carries so many messages from the first end to the second. Returns how many packets it took.
    fn carry(&mut self, message: &Bytes, count: usize) -> usize {
        let before = self.packets;
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
        self.packets - before
    }
}

/// An association over which messages of one length go.
struct Work {
    carry: Box<dyn FnMut(usize) -> usize>,
    len: usize,
}

impl Work {
    fn new<E: End + 'static>(len: usize) -> Self {
        let (mut pair, message) = (Pair::<E>::new(), Bytes::from(vec![0x5a; len]));
        let mut work = Self { carry: Box::new(move |count| pair.carry(&message, count)), len };
        (work.carry)(TURN / len);
        work
    }

    fn of(stack: &str, len: usize) -> Self {
        match stack {
            ours::NAME => Self::new::<ours::Ours>(len),
            dcsctp::NAME => Self::new::<dcsctp::Dcsctp>(len),
            rtc::NAME => Self::new::<rtc::Rtc>(len),
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

/// What of a turn is told.
const OF: [&str; 2] = ["a packet", "a message"];
const PEERS: [(&str, &str); 2] = [(rtc::NAME, "rtc-sctp 0.21"), (dcsctp::NAME, "dcsctp 0.1.16, no packet log")];

pub(crate) fn rows() -> Vec<Row> {
    let has_valgrind = Command::new("valgrind").arg("--version").output().is_ok();
    if !has_valgrind {
        println!("skipped: instructions of SCTP alone (valgrind counts them: apt-get install valgrind)");
    }
    let mut rows = Vec::new();
    for (len, name) in MESSAGES {
        let mut all: Vec<Row> = times(len, name);
        if has_valgrind {
            all.extend(instructions(len, name));
        }
        rows.extend(all.into_iter().map(Row::print));
    }
    rows
}

fn table(name: &str, unit: &'static str, [ours, peers @ ..]: [[f64; 2]; 3]) -> Vec<Row> {
    let row = |((_, peer_name), peer): ((&str, &'static str), [f64; 2])| {
        [0, 1].map(|of| Row {
            work: format!("SCTP alone, {} of {name}", OF[of]),
            unit,
            better: "lower",
            ours: ours[of],
            peer: peer[of],
            peer_name,
        })
    };
    PEERS.into_iter().zip(peers).flat_map(row).collect()
}

fn times(len: usize, name: &str) -> Vec<Row> {
    let mut stacks =
        [ours::NAME, PEERS[0].0, PEERS[1].0].map(|stack| (Work::of(stack, len), [const { Vec::new() }; 2]));
    for _ in 0..TURNS {
        for (work, times) in &mut stacks {
            for (times, time) in times.iter_mut().zip(work.turn()) {
                times.push(time);
            }
        }
    }
    table(name, "ns", stacks.map(|(_, times)| times.map(median)))
}

/// As many as valgrind counts, whatever else the machine does: of a long run, less those of a short one.
fn instructions(len: usize, name: &str) -> Vec<Row> {
    let stacks = [ours::NAME, PEERS[0].0, PEERS[1].0].map(|stack| {
        let [short, long] = RUNS.map(|bytes| count(stack, len, bytes));
        let [instructions, packets] = [0, 1].map(|of| long[of] - short[of]);
        [instructions / packets, instructions / ((RUNS[1] - RUNS[0]) / len) as f64]
    });
    table(name, "instructions", stacks)
}

/// Instructions and packets of a run.
fn count(stack: &str, len: usize, bytes: usize) -> [f64; 2] {
    let output = Command::new("valgrind")
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
