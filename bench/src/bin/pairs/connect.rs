//! What a processor does until both sides of a pair have their data channel open: certificates, descriptions, ICE, DTLS and SCTP.

use super::{BACKEND, Peer, USES, connect, ours, row, rtc, str0m};
use rustix::time::{ClockId, clock_gettime};
use serde_json::Value;
use std::time::Instant;

/// Turns of each side, taken alternately; the median of them counts.
const TURNS: usize = 41;
/// Pairs that a turn connects.
const PAIRS: usize = 8;

pub(super) fn rows() -> Vec<Value> {
    let mut rows = Vec::new();
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
    let mut times = [(); TURNS].map(|()| [ours(), peer()]);
    let mut median = |side: usize| {
        times.sort_by(|a, z| a[side].total_cmp(&z[side]));
        times[TURNS / 2][side]
    };
    (median(0), median(1))
}

/// Microseconds of this thread for each pair that is made, connected and dropped.
fn turn<P: Peer>(make: impl Fn(Instant) -> [P; 2]) -> f64 {
    let begin = thread_time_us();
    for _ in 0..PAIRS {
        let now = Instant::now();
        connect(&mut make(now), now);
    }
    (thread_time_us() - begin) / PAIRS as f64
}

/// What this thread has had of a processor: others on the machine do not count.
fn thread_time_us() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}
