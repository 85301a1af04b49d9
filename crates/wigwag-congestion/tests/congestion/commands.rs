//! What the application says.

use crate::script::{controller, told};
use std::time::{Duration, Instant};
use wigwag_congestion::{Config, Controller, Error, Reported};
use wigwag_sim::origin;

/// Packets of 1250 bytes each 10 ms, 1 Mbit/s, that all arrive, from number `from` on; tells when the last one was told of.
fn run(controller: &mut Controller, from: u64, count: u64) -> Instant {
    let mut reported = Vec::new();
    let mut now = origin();
    for sequence in from..from + count {
        now = origin() + Duration::from_millis(sequence * 10);
        controller.handle_sent(sequence, 1250, true, now);
        reported.push(Reported { sequence, arrival: Some(Duration::from_millis(sequence * 10)) });
        if sequence % 10 == 9 {
            controller.handle_feedback(&reported, now + Duration::from_millis(5));
            reported.clear();
        }
    }
    now + Duration::from_millis(5)
}

#[test]
fn a_change_is_told_once_and_a_small_one_is_not() {
    let mut config = Config::new();
    config.is_probing = false;
    let mut controller = Controller::new(config).unwrap();
    let mut before = 300_000;
    for n in 0..100 {
        let now = run(&mut controller, n * 10, 10);
        let target = controller.target_bitrate();
        let is_notable = target.abs_diff(before) as f64 >= before as f64 * 0.03;
        assert_eq!(controller.poll_timeout(now).is_some_and(|due| due <= now), is_notable);
        assert_eq!(told(&mut controller), is_notable.then_some(target));
        assert_eq!(told(&mut controller), None);
        before = if is_notable { target } else { before };
    }
    assert!(before > 500_000, "8 % a second: {before}");
}

#[test]
fn limits_are_kept_to_at_once_and_told() {
    let mut controller = controller();
    run(&mut controller, 0, 500);
    assert!(controller.target_bitrate() > 900_000);
    controller.set_bitrate_limits(30_000, 400_000).unwrap();
    assert_eq!((controller.target_bitrate(), controller.poll_timeout(origin())), (400_000, Some(origin())));
    assert_eq!(told(&mut controller), Some(400_000));
    run(&mut controller, 500, 500);
    assert_eq!(controller.target_bitrate(), 400_000);
    controller.set_bitrate_limits(2_000_000, 3_000_000).unwrap();
    assert_eq!(told(&mut controller), Some(2_000_000));
}

#[test]
fn a_limit_that_is_raised_was_all_that_there_was() {
    let mut controller = controller();
    controller.set_bitrate_limits(30_000, 300_000).unwrap();
    run(&mut controller, 0, 300);
    assert_eq!((controller.target_bitrate(), controller.stats().probes), (300_000, 0));
    controller.set_bitrate_limits(30_000, 5_000_000).unwrap();
    run(&mut controller, 300, 100);
    assert!(controller.target_bitrate() > 500_000, "{:?}", controller.stats());
}

#[test]
fn no_packet_is_longer_than_a_datagram() {
    let mut controller = controller();
    controller.handle_sent(0, usize::MAX, true, origin());
    let at = controller.next_departure(usize::MAX, None, origin()).expect("it is limited");
    assert!(at < origin() + Duration::from_secs(2));
}

/// As one that is sent again, before and after numbers are known.
#[test]
fn what_has_no_number_counts_for_the_pace_alone() {
    let mut controller = controller();
    controller.handle_unreported(9_000, true, origin());
    assert!(controller.next_departure(1000, None, origin()).is_some(), "it counts");
    assert_eq!(controller.poll_timeout(origin()), None, "nothing is waited for");
    let later = origin() + Duration::from_secs(1);
    controller.handle_sent(0, 1000, true, later);
    let reported = Reported { sequence: 0, arrival: Some(Duration::from_millis(7)) };
    controller.handle_feedback(&[reported], later + Duration::from_millis(100));
    let stats = controller.stats();
    assert_eq!((stats.packets_sent, stats.packets_arrived, stats.ignored_unknown), (2, 1, 0));
}

#[test]
fn limits_that_cannot_be_change_nothing() {
    let mut controller = controller();
    for (min, max) in [(4_999, 1_000_000), (500_000, 400_000), (30_000, u64::MAX)] {
        assert!(matches!(controller.set_bitrate_limits(min, max), Err(Error::Config { .. })), "{min} {max}");
    }
    assert_eq!((controller.target_bitrate(), told(&mut controller)), (300_000, None));
}

#[test]
fn another_path_is_found_anew() {
    let mut controller = controller();
    let now = run(&mut controller, 0, 500);
    let before = controller.stats();
    assert!(controller.target_bitrate() > 900_000);
    told(&mut controller);
    controller.handle_sent(500, 1250, true, now);
    controller.restart(now);
    assert_eq!(told(&mut controller), Some(300_000));
    let stats = controller.stats();
    assert_eq!((stats.round_trip, stats.acknowledged_bitrate), (None, None));
    // What was counted stays.
    assert_eq!((stats.packets_sent, stats.packets_arrived, stats.probes), (501, 500, before.probes));
    // What the old path tells changes nothing.
    let old = Reported { sequence: 500, arrival: Some(Duration::from_secs(9)) };
    controller.handle_feedback(&[old], now);
    assert_eq!((controller.stats().ignored_unknown, controller.stats().round_trip), (1, None));
    // And the first packets are probes again.
    run(&mut controller, 600, 200);
    assert!(controller.stats().probes > before.probes && controller.target_bitrate() > 800_000);
}

#[test]
fn without_probing_nobody_pads() {
    let mut config = Config::new();
    config.is_probing = false;
    let mut controller = Controller::new(config).unwrap();
    let now = run(&mut controller, 0, 300);
    assert_eq!((controller.stats().probes, controller.padding_wanted(now), controller.next_padding(now)), (0, 0, None));
}

#[test]
fn a_configuration_that_cannot_be_makes_no_controller() {
    let mut config = Config::new();
    config.initial_bitrate = 1;
    let error = Controller::new(config).unwrap_err();
    assert_eq!(error.to_string(), "initial_bitrate is out of range: choose min_bitrate to max_bitrate");
}

/// Sound without the extension that numbers packets: it takes its part of the pace, and no silence is heard behind it.
#[test]
fn what_nobody_reports_on_counts_for_the_pace_alone() {
    let mut controller = controller();
    let now = run(&mut controller, 0, 100);
    let (before, target) = (controller.stats(), controller.target_bitrate());
    for n in 0..500 {
        let now = now + Duration::from_millis(20 * n);
        controller.handle_sent(0, 9_000, true, now);
        assert!(controller.next_departure(1250, Some(now), now).is_some());
        controller.handle_timeout(now);
    }
    let after = controller.stats();
    assert_eq!((after.outages, after.probes, controller.target_bitrate()), (0, before.probes, target));
    assert_eq!(after.packets_sent, before.packets_sent + 500);
}
