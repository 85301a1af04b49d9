//! Pairs of connections in memory and virtual time, of ours and of other stacks: what it takes to connect them, and what they hold
//! when they are idle.
//!
//! A program of its own, because an allocator that counts makes everything else slower.

mod connect;
mod memory;
mod ours;
mod rtc;
mod str0m;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// The cryptography of ours. The peers have AWS-LC in both builds.
const BACKEND: &str = if cfg!(feature = "aws-lc-rs") { "aws-lc-rs" } else { "RustCrypto" };

/// No handshake takes longer.
const CONNECTING_MAX: Duration = Duration::from_secs(20);

/// A side of a pair, of whatever stack.
trait Peer {
    /// Lets time pass, and appends the datagrams that leave.
    fn poll(&mut self, now: Instant, out: &mut VecDeque<Vec<u8>>);
    fn handle_input(&mut self, datagram: Vec<u8>, now: Instant);
    /// When `poll` is to be called again.
    fn timeout(&self) -> Instant;
    /// Whether its data channel is open.
    fn is_open(&self) -> bool;
}

/// What the pairs of each stack agree on besides a data channel: audio and video that one side could send, or none.
#[derive(Clone, Copy)]
struct Use {
    has_media: bool,
}

const USES: [(&str, Use); 2] =
    [("a data channel", Use { has_media: false }), ("audio, video and a data channel", Use { has_media: true })];

/// Measures what is named, `connect` or `memory`, or both.
fn main() {
    let (options, parts): (Vec<_>, Vec<_>) = std::env::args().skip(1).partition(|argument| argument.starts_with('-'));
    let is_wanted = |part: &str| parts.is_empty() || parts.iter().any(|named| named == part);
    let mut rows = Vec::new();
    if is_wanted("connect") {
        rows.extend(connect::rows());
    }
    if is_wanted("memory") {
        rows.extend(memory::rows());
    }
    if options.iter().any(|option| option == "--json") {
        println!("{}", serde_json::json!({ "rows": rows }));
    }
}

/// Prints what was measured, of which less is better.
fn row(work: &str, unit: &str, ours: f64, peer_name: &str, peer: f64) -> serde_json::Value {
    println!("{work:84} {ours:9.0} {unit:5}   {peer_name:12} {peer:9.0} {unit:5}   ratio {:.2}", ours / peer);
    serde_json::json!({
        "work": work, "unit": unit, "better": "lower", "ours": ours, "peer": peer, "peer_name": peer_name,
    })
}

fn address(side: usize) -> SocketAddr {
    ([127, 0, 0, 1], 5000 + side as u16).into()
}

/// Lets the two sides open their data channel, and tells when they had.
fn connect<P: Peer>(pair: &mut [P; 2], begin: Instant, delay: Duration) -> Instant {
    let is_open = |pair: &[P; 2]| pair.iter().all(P::is_open);
    let now = run(pair, begin, begin + CONNECTING_MAX, delay, is_open);
    assert!(is_open(pair), "not connected after {CONNECTING_MAX:?}");
    now
}

/// Carries datagrams, each of which takes `delay`, and skips the time between them, until `is_over` or `until`; tells what time
/// it is then.
fn run<P: Peer>(
    pair: &mut [P; 2],
    begin: Instant,
    until: Instant,
    delay: Duration,
    is_over: impl Fn(&[P; 2]) -> bool,
) -> Instant {
    let mut now = begin;
    let mut leaving = VecDeque::new();
    let mut under_way = VecDeque::new();
    while now < until && !is_over(pair) {
        let mut is_quiet = true;
        for side in [0, 1] {
            pair[side].poll(now, &mut leaving);
            is_quiet &= leaving.is_empty();
            under_way.extend(leaving.drain(..).map(|datagram| (now + delay, 1 - side, datagram)));
        }
        while under_way.front().is_some_and(|(at, ..)| *at <= now) {
            let (_, side, datagram): (_, usize, _) = under_way.pop_front().expect("it is there");
            pair[side].handle_input(datagram, now);
            is_quiet = false;
        }
        if is_quiet {
            let timeouts = pair.iter().map(|peer| peer.timeout().max(now + Duration::from_millis(1)));
            let next = timeouts.chain(under_way.front().map(|(at, ..)| *at)).min().expect("there are two");
            now = next.min(until);
        }
    }
    now
}
