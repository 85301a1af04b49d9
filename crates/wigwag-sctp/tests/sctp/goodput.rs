//! How fast data travels over paths of many kinds, by controller; and what controllers leave to one another.

use crate::common::config;
use crate::path::{Network, Path};
use expect_test::{Expect, expect};
use std::time::Duration;
use wigwag_sctp::{Config, CongestionControl};

const ROUND_TRIPS_MS: [u64; 5] = [2, 20, 50, 100, 300];
/// In a thousand.
const LOSSES: [u64; 4] = [0, 1, 10, 50];
/// What the fastest of dcsctp, usrsctp, sctp-proto and rtc-sctp reached with a round trip of 50 ms, no limit to the rate and 5 MiB of
/// receive window; without loss, and with 1 %.
const PEERS_MEGABITS: [f64; 2] = [206.0, 3.1];

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
    let flow = network.add(&with(control), Duration::ZERO);
    network.run_for(duration);
    network.received(flow) as f64 * 8.0 / 1e6 / duration.as_secs_f64()
}

/// Over 100 Mbit/s and a queue of one bandwidth-delay product; by round trip and loss.
fn measure(control: CongestionControl) -> [[f64; 4]; 5] {
    ROUND_TRIPS_MS.map(|round_trip_ms| {
        let duration = Duration::from_millis((60 * round_trip_ms).max(3000));
        LOSSES.map(|loss| goodput(control, Path::new(100, round_trip_ms, loss), duration))
    })
}

fn assert_table(table: [[f64; 4]; 5], expected: &Expect) {
    let mut text = String::from("RTT (ms)   0 %  0.1 %    1 %    5 %  (Mbit/s)\n");
    for (round_trip_ms, row) in ROUND_TRIPS_MS.iter().zip(table) {
        let row: String = row.iter().map(|goodput| format!("{goodput:>7.1}")).collect();
        text += &format!("{round_trip_ms:>7}{row}\n");
    }
    expected.assert_eq(&text);
}

#[test]
fn by_rfc_9260() {
    let table = measure(CongestionControl::Rfc9260);
    assert_table(
        table,
        &expect![[r#"
        RTT (ms)   0 %  0.1 %    1 %    5 %  (Mbit/s)
              2   90.1   87.9   51.6   15.2
             20   86.9   20.2    5.7    2.0
             50   25.9   10.9    3.1    0.7
            100   21.9    5.5    1.6    0.5
            300   11.6    1.8    0.5    0.2
    "#]],
    );
}

#[test]
fn by_cubic() {
    let table = measure(CongestionControl::Cubic);
    assert_table(
        table,
        &expect![[r#"
        RTT (ms)   0 %  0.1 %    1 %    5 %  (Mbit/s)
              2   90.4   90.1   57.8   20.6
             20   86.7   24.7    6.4    2.0
             50   78.7   15.6    3.5    0.8
            100   76.9    8.0    1.8    0.5
            300   74.6    2.9    0.6    0.2
    "#]],
    );
    assert!(table.iter().all(|row| row[0] >= 70.0), "without loss the path is full soon");
}

#[test]
fn by_a_model_of_the_path() {
    let table = measure(CongestionControl::Bbr);
    assert_table(
        table,
        &expect![[r#"
            RTT (ms)   0 %  0.1 %    1 %    5 %  (Mbit/s)
                  2   90.0   89.8   89.4   74.6
                 20   86.5   86.5   85.9   68.4
                 50   78.4   78.3   76.9   58.6
                100   76.8   76.7   75.0   63.4
                300   74.4   74.3   72.4   51.2
        "#]],
    );
    assert!(table.iter().all(|row| row[0] >= 70.0), "without loss the path is full soon");
    assert!(table.iter().all(|row| row[2] >= 0.8 * row[0]), "a loss of 1 % costs little");
    assert!(table[2][2] >= 5.0 * PEERS_MEGABITS[1], "at 50 ms and 1 %");
}

#[test]
fn a_fast_path_is_filled() {
    let path = Path::new(1000, 50, 0);
    let speeds = [CongestionControl::Cubic, CongestionControl::Bbr]
        .map(|control| (control, goodput(control, path, Duration::from_secs(3))));
    for (control, goodput) in speeds {
        assert!(goodput >= 2.0 * PEERS_MEGABITS[0], "{control:?}: {goodput:.1} Mbit/s");
    }
}

/// What each of two flows gets of a bottleneck, in Mbit/s, averaged over two minutes; the second one begins 5 s later.
fn shares(controls: [CongestionControl; 2], megabits: u64, queue_halves: usize) -> [f64; 2] {
    let mut path = Path::new(megabits, 50, 0);
    path.queue_len_max = path.queue_len_max * queue_halves / 2;
    let mut network = Network::new(path, 1);
    let [first, second] = controls;
    let flows = [network.add(&with(first), Duration::ZERO), network.add(&with(second), Duration::from_secs(5))];
    network.run_for(Duration::from_secs(20));
    let before = flows.map(|flow| network.received(flow));
    network.run_for(Duration::from_secs(120));
    [0, 1].map(|flow| (network.received(flows[flow]) - before[flow]) as f64 * 8.0 / 120e6)
}

/// Beside one flow that keeps to RFC 9260, with queues of 0.5, 1 and 4 bandwidth-delay products, first and second.
fn assert_fair(control: CongestionControl, ratio_max: f64, expected: &Expect) {
    let mut text = String::from("Mbit/s  queue  RFC 9260  other  ratio\n");
    let mut is_fair = true;
    for megabits in [10, 20] {
        for queue_halves in [1, 2, 8] {
            for is_first in [false, true] {
                let standard = CongestionControl::Rfc9260;
                let [reno, other] = if is_first {
                    let [other, reno] = shares([control, standard], megabits, queue_halves);
                    [reno, other]
                } else {
                    shares([standard, control], megabits, queue_halves)
                };
                let (queue, ratio) = (queue_halves as f64 / 2.0, other / reno);
                text += &format!("{megabits:>6}  {queue:>5.1}  {reno:>8.2}  {other:>5.2}  {ratio:>5.2}\n");
                is_fair &= ratio <= ratio_max && ratio >= 1.0 / ratio_max && reno >= 0.25 * (reno + other);
            }
        }
    }
    expected.assert_eq(&text);
    assert!(is_fair, "{text}");
}

#[test]
fn cubic_leaves_others_their_share() {
    assert_fair(
        CongestionControl::Cubic,
        2.0,
        &expect![[r#"
        Mbit/s  queue  RFC 9260  other  ratio
            10    0.5      3.97   4.96   1.25
            10    0.5      3.92   5.00   1.27
            10    1.0      4.00   5.06   1.27
            10    1.0      3.93   5.13   1.31
            10    4.0      4.03   5.04   1.25
            10    4.0      4.22   4.84   1.15
            20    0.5      7.64  10.31   1.35
            20    0.5      8.55   9.33   1.09
            20    1.0      9.02   9.10   1.01
            20    1.0      8.13   9.98   1.23
            20    4.0      7.19  10.93   1.52
            20    4.0      8.13   9.99   1.23
    "#]],
    );
}

#[test]
fn the_model_leaves_others_their_share() {
    assert_fair(
        CongestionControl::Bbr,
        3.0,
        &expect![[r#"
            Mbit/s  queue  RFC 9260  other  ratio
                10    0.5      2.85   6.13   2.15
                10    0.5      3.02   5.94   1.97
                10    1.0      3.38   5.68   1.68
                10    1.0      3.17   5.89   1.86
                10    4.0      4.13   4.94   1.20
                10    4.0      5.00   4.07   0.81
                20    0.5      6.18  11.75   1.90
                20    0.5      6.30  11.65   1.85
                20    1.0      6.56  11.56   1.76
                20    1.0      7.14  10.98   1.54
                20    4.0     10.94   7.19   0.66
                20    4.0      9.55   8.58   0.90
        "#]],
    );
}

#[test]
fn two_of_a_kind_share() {
    for control in [CongestionControl::Rfc9260, CongestionControl::Cubic, CongestionControl::Bbr] {
        for queue_halves in [1, 2, 8] {
            let [first, second] = shares([control; 2], 10, queue_halves);
            let ratio = first / second;
            assert!((0.5..=2.0).contains(&ratio), "{control:?}, {queue_halves}: {first:.1} and {second:.1} Mbit/s");
        }
    }
}
