//! wigwag beside other stacks, in one run: medians of many short turns, taken alternately.
//!
//! Absolute figures say little on a shared machine; the ratios do.

#[cfg(feature = "compiled")]
mod dtls;
mod sdp;
#[cfg(feature = "compiled")]
mod srtp;
mod stun;

use measure::{median, time_ns};
use rustix::time::ClockId;

/// Turns of each side; the median of them counts.
const TURNS: usize = 41;
const TURN_NS: f64 = 15e6;

/// The cryptography that ours was built with.
#[cfg(feature = "compiled")]
const BACKEND: &str = if cfg!(feature = "aws-lc-rs") { "aws-lc-rs" } else { "RustCrypto" };

/// A piece of work, done by us and by a peer.
struct Row<'a> {
    work: String,
    peer_name: &'static str,
    ours: Box<dyn FnMut() + 'a>,
    peer: Box<dyn FnMut() + 'a>,
}

/// Measures the parts that are named, or all; with `--only=TEXT` the rows whose work and peer are called so. With `--ours=N` or
/// `--peer=N` nothing is measured: that side's work is done so often, for profilers.
fn main() {
    let (options, parts): (Vec<_>, Vec<_>) = std::env::args().skip(1).partition(|argument| argument.starts_with('-'));
    let is_wanted = |part: &str| parts.is_empty() || parts.iter().any(|named| named == part);
    let offer = sdp::offer();
    let mut rows = Vec::new();
    if is_wanted("sdp") {
        rows.extend([sdp::parse(&offer), sdp::print(&offer)]);
    }
    if is_wanted("stun") {
        rows.push(stun::check());
    }
    #[cfg(feature = "compiled")]
    if is_wanted("dtls") {
        rows.extend(dtls::rows());
    }
    #[cfg(feature = "compiled")]
    if is_wanted("srtp") {
        rows.extend(srtp::rows());
    }
    let value_of = |name: &str| options.iter().find_map(|option| option.strip_prefix(name));
    if let Some(text) = value_of("--only=") {
        rows.retain(|row| format!("{} {}", row.work, row.peer_name).contains(text));
    }
    if options.iter().any(|option| option.starts_with("--ours=") || option.starts_with("--peer=")) {
        let calls = |name: &str| value_of(name).map_or(0, |calls| calls.parse().expect("a number of calls"));
        for mut row in rows {
            (0..calls("--ours=")).for_each(|_| (row.ours)());
            (0..calls("--peer=")).for_each(|_| (row.peer)());
        }
        return;
    }
    let measured: Vec<_> = rows.into_iter().map(report).collect();
    if options.iter().any(|option| option == "--json") {
        println!("{}", serde_json::json!({ "rows": measured }));
    }
}

fn report(mut row: Row<'_>) -> serde_json::Value {
    let (ours, peer) = alternate(&mut row.ours, &mut row.peer);
    println!("{:48} {ours:9.0} ns   {:20} {peer:9.0} ns   ratio {:.2}", row.work, row.peer_name, ours / peer);
    serde_json::json!({
        "work": row.work, "unit": "ns", "better": "lower", "ours": ours, "peer": peer, "peer_name": row.peer_name,
    })
}

/// Nanoseconds a call of each: the medians of turns taken alternately, so that a drift of the machine hits both.
fn alternate(ours: &mut dyn FnMut(), peer: &mut dyn FnMut()) -> (f64, f64) {
    let calls = [calls_in_a_turn(ours), calls_in_a_turn(peer)];
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..TURNS {
        times[0].push(time(ours, calls[0]));
        times[1].push(time(peer, calls[1]));
    }
    let [ours, peer] = times.map(median);
    (ours, peer)
}

fn calls_in_a_turn(work: &mut dyn FnMut()) -> u32 {
    let mut calls = 1;
    while time(work, calls) * f64::from(calls) < TURN_NS {
        calls *= 2;
    }
    calls
}

fn time(work: &mut dyn FnMut(), calls: u32) -> f64 {
    let begin = time_ns(ClockId::ThreadCPUTime);
    for _ in 0..calls {
        work();
    }
    (time_ns(ClockId::ThreadCPUTime) - begin) / f64::from(calls)
}
