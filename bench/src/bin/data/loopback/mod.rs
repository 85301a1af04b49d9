//! The whole stack: two peers, each in a thread and with a socket of its own on 127.0.0.1, and one data channel.
//!
//! One sends as much as it may and the other counts what has come. Either stack is driven as its users do: ours by wigwag-mio, rtc
//! by a loop of `sendto` and `recvfrom`, as its examples are.

mod ours;
mod rtc;

use crate::{BACKEND, MESSAGES, Row};
use measure::{median, time_ns};
use rustix::time::ClockId;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

/// Turns of each; the median of them counts. A turn is a connection.
const TURNS: usize = 7;
/// What a turn takes, and what goes before it is counted.
const TURN: Duration = Duration::from_millis(800);
const WARM_UP: Duration = Duration::from_millis(300);
/// How much may wait to be sent.
const BUFFERED_MAX: usize = 1 << 20;
/// After so long without anything to do, a peer looks whether the turn is over.
const WAIT: Duration = Duration::from_millis(20);

/// One side.
trait Peer: Send + Sized {
    /// Two that are connected, of which the first can send.
    fn pair() -> [Self; 2];
    /// Sends messages for as long as no more than so much waits.
    fn fill(&mut self, message: &[u8], buffered_max: usize);
    /// Sends and receives what there is, or waits for it.
    fn turn(&mut self, wait: Duration);
    /// How many bytes of messages have come.
    fn received(&self) -> u64;
}

/// Megabytes a second, and seconds of processors a gigabyte.
fn measure<P: Peer>(len: usize) -> [f64; 2] {
    let [mut sender, mut receiver] = P::pair();
    let (is_over, received) = (AtomicBool::new(false), AtomicU64::new(0));
    let message = vec![0x5a; len];
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Relaxed) {
                receiver.turn(WAIT);
                received.store(receiver.received(), Relaxed);
            }
        });
        let mut send = |duration| {
            let begin = Instant::now();
            while begin.elapsed() < duration {
                sender.fill(&message, BUFFERED_MAX);
                sender.turn(WAIT);
            }
        };
        send(WARM_UP);
        let state = || (Instant::now(), time_ns(ClockId::ProcessCPUTime), received.load(Relaxed));
        let (begin, time, bytes) = state();
        send(TURN);
        let (end, time_after, bytes_after) = state();
        is_over.store(true, Relaxed);
        let bytes = (bytes_after - bytes) as f64;
        [bytes / 1e6 / (end - begin).as_secs_f64(), (time_after - time) / bytes]
    })
}

/// A turn of one stack, whose figures are printed.
pub(crate) fn run(stack: &str, len: usize) {
    let [throughput, time] = match stack {
        "ours" => measure::<ours::Ours>(len),
        "rtc" => measure::<rtc::Rtc>(len),
        _ => panic!("no stack is called {stack}"),
    };
    println!("{throughput:.1} MB/s, {time:.2} CPU-s/GB");
}

pub(crate) fn rows() -> Vec<Row> {
    MESSAGES.into_iter().flat_map(|(len, name)| row(len, name)).map(Row::print).collect()
}

fn row(len: usize, name: &str) -> [Row; 2] {
    let mut measured: [[Vec<f64>; 2]; 2] = Default::default();
    for _ in 0..TURNS {
        for (values, [throughput, time]) in
            measured.iter_mut().zip([measure::<ours::Ours>(len), measure::<rtc::Rtc>(len)])
        {
            values[0].push(throughput);
            values[1].push(time);
        }
    }
    let [ours, peer] = measured.map(|values| values.map(median));
    let kinds = [("MB/s", "higher"), ("CPU-s/GB", "lower")];
    [0, 1].map(|of| Row {
        work: format!("data channel over loopback, {name} messages, {BACKEND}"),
        unit: kinds[of].0,
        better: kinds[of].1,
        ours: ours[of],
        peer: peer[of],
        peer_name: "rtc 0.21, aws-lc-rs",
    })
}
