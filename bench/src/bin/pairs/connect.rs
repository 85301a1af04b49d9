//! How much time passes until both sides of a pair have their data channel open, and what a processor does meanwhile:
//! certificates, descriptions, ICE, DTLS and SCTP.

use super::{BACKEND, Peer, USES, connect, ours, row, rtc, str0m};
use measure::{median, time_ns};
use rustix::time::ClockId;
use serde_json::Value;
use std::time::{Duration, Instant};

/// Turns of each side, taken alternately; the median of them counts.
const TURNS: usize = 41;
/// Pairs that a turn connects.
const PAIRS: usize = 8;

/// How long a datagram takes where time is measured.
const DELAY: Duration = Duration::from_millis(50);

pub(super) fn rows() -> Vec<Value> {
    let mut rows = Vec::new();
    // It is the same with all cryptography.
    for (what, uses) in USES.into_iter().filter(|_| !cfg!(feature = "aws-lc-rs")) {
        let work = format!("time until a channel is open, at {} ms of round trip: {what}", 2 * DELAY.as_millis());
        let ours = passes(|now| ours::pair(uses, now));
        rows.push(row(&work, "ms", ours, str0m::NAME, passes(|now| str0m::pair(uses, now))));
        rows.push(row(&work, "ms", ours, rtc::NAME, passes(|now| rtc::pair(uses, now))));
    }
    for (what, uses) in USES {
        let work = format!("connecting a pair: {what}, {BACKEND}");
        let ours = || turn(|now| ours::pair(uses, now));
        let (us, peer) = alternate(ours, || turn(|now| str0m::pair(uses, now)));
        rows.push(row(&work, "µs", us, str0m::NAME, peer));
        let (us, peer) = alternate(ours, || turn(|now| rtc::pair(uses, now)));
        rows.push(row(&work, "µs", us, rtc::NAME, peer));
    }
    rows
}

/// Microseconds a pair of each: the medians of turns taken alternately, so that a drift of the machine hits both.
fn alternate(ours: impl Fn() -> f64, peer: impl Fn() -> f64) -> (f64, f64) {
    let times = [(); TURNS].map(|()| (ours(), peer()));
    let (ours, peer) = times.into_iter().unzip();
    (median(ours), median(peer))
}

/// Milliseconds that pass until both sides have their channel open, when each has had the other's description at once.
fn passes<P: Peer>(make: impl Fn(Instant) -> [P; 2]) -> f64 {
    let begin = Instant::now();
    let end = connect(&mut make(begin), begin, DELAY);
    (end - begin).as_secs_f64() * 1e3
}

/// Microseconds of this thread for each pair that is made, connected and dropped.
fn turn<P: Peer>(make: impl Fn(Instant) -> [P; 2]) -> f64 {
    let begin = time_ns(ClockId::ThreadCPUTime);
    for _ in 0..PAIRS {
        let now = Instant::now();
        connect(&mut make(now), now, Duration::ZERO);
    }
    (time_ns(ClockId::ThreadCPUTime) - begin) / 1e3 / PAIRS as f64
}
