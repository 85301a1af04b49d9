//! How fast data travels over paths of many kinds, by controller; and what controllers leave to one another.

use crate::common::config;
use crate::path::{Network, Path};
use std::time::Duration;
use wigwag_sctp::{Config, CongestionControl};

const MEGABITS: u64 = 500;
const ROUND_TRIPS_MS: [u64; 5] = [2, 20, 50, 100, 300];
/// In a thousand.
const LOSSES: [u64; 4] = [0, 1, 10, 50];

fn with(control: CongestionControl) -> Config {
    config(|config| {
        config.congestion_control = control;
        config.receive_window = 64 << 20;
        config.send_buffer = 64 << 20;
    })
}

/// Megabits of user data a second, from the beginning on, connecting included.
fn goodput(control: CongestionControl, path: Path, duration: Duration) -> f64 {
    let mut network = Network::new(path, 1);
    let flow = network.add(with(control), Duration::ZERO);
    network.run_for(duration);
    let stats = network.stats(flow);
    if std::env::var("VERBOSE").is_ok() {
        println!(
            "{control:?} {path:?} rtt {:?} cwnd {} flight {} timeouts {} fast {} sent {} dropped {}",
            stats.round_trip,
            stats.congestion_window,
            stats.in_flight,
            stats.timeouts,
            stats.fast_retransmits,
            stats.packets_sent,
            network.dropped
        );
    }
    network.received(flow) as f64 * 8.0 / 1e6 / duration.as_secs_f64()
}

fn table(control: CongestionControl) -> String {
    let mut table = String::from("  RTT    0 %  0.1 %    1 %    5 %\n");
    for round_trip_ms in ROUND_TRIPS_MS {
        table += &format!("{round_trip_ms:>5}");
        for loss in LOSSES {
            let duration = Duration::from_millis((30 * round_trip_ms).max(2000));
            table += &format!(" {:>6.1}", goodput(control, Path::new(MEGABITS, round_trip_ms, loss), duration));
        }
        table += "\n";
    }
    table
}

#[test]
fn rfc_9260() {
    println!("{}", table(CongestionControl::Rfc9260));
}

#[test]
fn cubic() {
    println!("{}", table(CongestionControl::Cubic));
}

#[test]
fn trace() {
    let control = match std::env::var("CC").as_deref() {
        Ok("cubic") => CongestionControl::Cubic,
        Ok("bbr") => CongestionControl::Bbr,
        _ => CongestionControl::Rfc9260,
    };
    let n = |name: &str, d: u64| std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(d);
    let mut network = Network::new(Path::new(n("MB", 500), n("RTT", 300), n("LOSS", 0)), 1);
    let flow = network.add(with(control), Duration::ZERO);
    let step = n("STEP", 300);
    let mut before = 0;
    for at in 0..n("N", 40) {
        network.run_for(Duration::from_millis(step));
        let s = network.stats(flow);
        let r = network.received(flow);
        println!(
            "{:>6} ms rtt {:?} cwnd {:>9} ssthresh {:>9} flight {:>9} peer {:>9} to {} fast {} resent {} dropped {} rate {:.1}",
            (at + 1) * step,
            s.round_trip.unwrap_or_default(),
            s.congestion_window,
            s.slow_start_threshold,
            s.in_flight,
            s.peer_receive_window,
            s.timeouts,
            s.fast_retransmits,
            s.retransmitted,
            network.dropped,
            (r - before) as f64 * 8.0 / 1000.0 / step as f64
        );
        before = r;
    }
}

#[test]
fn bbr() {
    println!("{}", table(CongestionControl::Bbr));
}

fn shares(control: CongestionControl, queue_halves: usize) -> [f64; 2] {
    let mut path = Path::new(10, 50, 0);
    path.queue_len_max = path.queue_len_max * queue_halves / 2;
    let mut network = Network::new(path, 1);
    let flows = [
        network.add(with(CongestionControl::Rfc9260), Duration::ZERO),
        network.add(with(control), Duration::from_secs(5)),
    ];
    network.run_for(Duration::from_secs(20));
    let before = flows.map(|flow| network.received(flow));
    network.run_for(Duration::from_secs(60));
    let share = |n: usize| (network.received(flows[n]) - before[n]) as f64 * 8.0 / 60e6;
    [share(0), share(1)]
}

#[test]
fn fair() {
    for control in [CongestionControl::Rfc9260, CongestionControl::Cubic, CongestionControl::Bbr] {
        for halves in [1, 2, 8] {
            let [reno, other] = shares(control, halves);
            println!(
                "{control:?} {:.1} BDP: Reno {reno:.2} other {other:.2} ratio {:.2}",
                halves as f64 / 2.0,
                other / reno
            );
        }
    }
}

#[test]
fn fair_grid() {
    let n = |name: &str, d: u64| std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(d);
    let control = match std::env::var("CC").as_deref() {
        Ok("cubic") => CongestionControl::Cubic,
        Ok("bbr") => CongestionControl::Bbr,
        _ => CongestionControl::Rfc9260,
    };
    let secs = n("SECS", 200);
    for (mb, rtt) in [(5, 50), (10, 50), (20, 50), (50, 50), (10, 20), (10, 100), (20, 100)] {
        for halves in [1usize, 2, 8] {
            for first in [0, 1] {
                let mut path = Path::new(mb, rtt, 0);
                path.queue_len_max = path.queue_len_max * halves / 2;
                let mut network = Network::new(path, 1);
                let flows = [
                    network.add(with(CongestionControl::Rfc9260), Duration::from_secs(5 * first)),
                    network.add(with(control), Duration::from_secs(5 - 5 * first)),
                ];
                network.run_for(Duration::from_secs(20));
                let before = flows.map(|flow| network.received(flow));
                network.run_for(Duration::from_secs(secs));
                let share = |n: usize| (network.received(flows[n]) - before[n]) as f64 * 8.0 / (1e6 * secs as f64);
                println!(
                    "{control:?} {mb} Mbit/s {rtt} ms {:.1} BDP first {first}: Reno {:.2} other {:.2} ratio {:.2}",
                    halves as f64 / 2.0,
                    share(0),
                    share(1),
                    share(1) / share(0)
                );
            }
        }
    }
}
