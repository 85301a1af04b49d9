//! What idle connections hold: bytes that the allocator has given out.

use super::{BACKEND, Peer, USES, connect, ours, row, rtc, run, str0m};
use allocation_counter::measure;
use serde_json::Value;
use std::time::{Duration, Instant};

/// Connections, each a side of a pair.
const CONNECTIONS: usize = 100;
/// Each is left alone for as long.
const IDLE: Duration = Duration::from_secs(120);

pub(super) fn rows() -> Vec<Value> {
    let mut rows = Vec::new();
    for (what, uses) in USES {
        let work = format!("memory of an idle connection: {what}, {BACKEND}");
        let ours = held(|now| ours::pair(uses, now));
        rows.push(row(&work, "bytes", ours, str0m::NAME, held(|now| str0m::pair(uses, now))));
        rows.push(row(&work, "bytes", ours, rtc::NAME, held(|now| rtc::pair(uses, now))));
    }
    rows
}

/// Bytes held by a connection that was made and left alone.
fn held<P: Peer>(make: impl Fn(Instant) -> [P; 2]) -> f64 {
    let begin = Instant::now();
    let mut pairs = Vec::new();
    let counted = measure(|| {
        for _ in 0..CONNECTIONS / 2 {
            let mut pair = make(begin);
            let now = connect(&mut pair, begin, Duration::ZERO);
            run(&mut pair, now, now + IDLE, Duration::ZERO, |_| false);
            assert!(pair.iter().all(P::is_open));
            pairs.push(Box::new(pair));
        }
    });
    counted.bytes_current as f64 / CONNECTIONS as f64
}
