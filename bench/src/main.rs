//! wigwag beside other stacks, in one run: medians of many short turns, taken alternately.
//!
//! Absolute figures say little on a shared machine; the ratios do.

mod sdp;
mod stun;

use std::time::{Duration, Instant};

/// Turns of each side; the median of them counts.
const TURNS: usize = 41;
const TURN: Duration = Duration::from_millis(15);

/// A piece of work, done by us and by a peer.
struct Row<'a> {
    work: &'static str,
    peer_name: &'static str,
    ours: Box<dyn FnMut() + 'a>,
    peer: Box<dyn FnMut() + 'a>,
}

fn main() {
    let is_json = std::env::args().any(|argument| argument == "--json");
    let offer = sdp::offer();
    let mut measured = Vec::new();
    for mut row in [sdp::parse(&offer), sdp::print(&offer), stun::check()] {
        let (ours, peer) = alternate(&mut row.ours, &mut row.peer);
        println!("{:44} {ours:8.0} ns   {:12} {peer:8.0} ns   ratio {:.2}", row.work, row.peer_name, ours / peer);
        measured.push(serde_json::json!({
            "work": row.work, "unit": "ns", "better": "lower", "ours": ours, "peer": peer, "peer_name": row.peer_name,
        }));
    }
    if is_json {
        println!("{}", serde_json::json!({ "rows": measured }));
    }
}

/// Nanoseconds a call of each: the medians of turns taken alternately, so that a drift of the machine hits both.
fn alternate(ours: &mut dyn FnMut(), peer: &mut dyn FnMut()) -> (f64, f64) {
    let calls = [calls_in_a_turn(ours), calls_in_a_turn(peer)];
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..TURNS {
        times[0].push(time(ours, calls[0]));
        times[1].push(time(peer, calls[1]));
    }
    let [ours, peer] = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[TURNS / 2]
    });
    (ours, peer)
}

fn calls_in_a_turn(work: &mut dyn FnMut()) -> u32 {
    let mut calls = 1;
    while time(work, calls) * f64::from(calls) < TURN.as_nanos() as f64 {
        calls *= 2;
    }
    calls
}

fn time(work: &mut dyn FnMut(), calls: u32) -> f64 {
    let begin = Instant::now();
    for _ in 0..calls {
        work();
    }
    begin.elapsed().as_nanos() as f64 / f64::from(calls)
}
