//! A peer that lies: it ends nothing, holds nothing up for long, and gets no more than the limits, and what was sent, allow.

use crate::script::{call, controller, draw, told};
use std::time::{Duration, Instant};
use wigwag_congestion::Reported;
use wigwag_sim::{origin, seeds};

#[test]
fn whatever_is_reported_the_estimate_keeps_to_its_limits() {
    for seed in seeds(50) {
        let mut controller = controller();
        let (mut min, mut max) = (30_000, 50_000_000);
        for (at, made) in draw(seed, 3000, true) {
            if let crate::script::Call::Limits(least, most) = made {
                (min, max) = (least, most);
            }
            call(&mut controller, &made, at);
            let stats = controller.stats();
            assert!((min..=max).contains(&controller.target_bitrate()), "WIGWAG_SEED={seed}: {stats:?}");
            assert!((0.0..=1.0).contains(&stats.loss_fraction), "WIGWAG_SEED={seed}: {stats:?}");
            assert!(told(&mut controller).is_none_or(|told| (min..=max).contains(&told)), "WIGWAG_SEED={seed}");
            let departure = controller.next_departure(10_000, Some(at), at);
            assert!(departure.is_none_or(|departure| departure < at + Duration::from_secs(5)), "WIGWAG_SEED={seed}");
        }
    }
}

/// Each packet is said to have come at once, as many times as the peer likes: it may tell what it wants of its clock, but what was sent is known.
#[test]
fn arrivals_that_are_too_good_allow_no_more_than_what_was_sent() {
    type Lie = fn(u64, Instant) -> Option<Duration>;
    let lies: [(&str, Lie); 5] = [
        ("all at one time", |_, _| Some(Duration::from_secs(9))),
        ("ever faster", |n, _| Some(Duration::from_secs(1_000) - Duration::from_micros(n * 100))),
        ("before they were sent", |_, at| Some(at.duration_since(origin()) / 2)),
        ("a nanosecond apart", |n, _| Some(Duration::from_nanos(n))),
        ("ages apart", |n, _| Some(Duration::from_secs(n.wrapping_mul(1 << 40)))),
    ];
    for (name, lie) in lies {
        let mut controller = controller();
        let mut reported: Vec<Reported> = Vec::new();
        // 400 kbit/s in packets that are spread evenly, whatever is told.
        for n in 0..3_000 {
            let now = origin() + Duration::from_millis(n * 20);
            controller.handle_sent(n, 1000, true, now);
            reported.push(Reported { sequence: n, arrival: lie(n, now) });
            if n % 5 == 4 {
                controller.handle_feedback(&reported, now);
                controller.handle_feedback(&reported, now);
                reported.clear();
            }
        }
        let target = controller.target_bitrate();
        assert!(target <= 400_000 * 3 / 2 + 15_000, "{name}: {target}");
        let stats = controller.stats();
        assert_eq!((stats.packets_arrived, stats.ignored_repeated), (3_000, 3_000), "{name}");
    }
}

#[test]
fn what_was_never_sent_is_counted_and_changes_nothing() {
    let mut controller = controller();
    for n in 0..100 {
        controller.handle_sent(n, 1000, true, origin());
    }
    let before = controller.stats();
    let reported: Vec<_> =
        (100..200).map(|sequence| Reported { sequence, arrival: Some(Duration::from_secs(sequence)) }).collect();
    controller.handle_feedback(&reported, origin());
    let after = controller.stats();
    assert_eq!(after.ignored_unknown, 100);
    let mut expected = before;
    (expected.ignored_unknown, expected.feedbacks) = (100, 1);
    assert_eq!(after, expected);
}

/// Reports of nothing do not hide that nothing is reported.
#[test]
fn who_is_told_nothing_new_hears_nothing() {
    let mut controller = controller();
    let report = Reported { sequence: 0, arrival: Some(Duration::ZERO) };
    for n in 0..200 {
        let now = origin() + Duration::from_millis(n * 20);
        controller.handle_sent(n, 1000, true, now);
        controller.handle_feedback(&[report], now);
        controller.handle_timeout(now);
    }
    assert!(controller.stats().outages >= 3);
    assert!(controller.target_bitrate() < 150_000);
}

/// After lies of every kind the truth is believed again.
#[test]
fn a_peer_that_lied_may_tell_the_truth() {
    for seed in seeds(20) {
        let mut controller = controller();
        let mut now = origin();
        for (at, made) in draw(seed, 2000, true) {
            call(&mut controller, &made, at);
            now = at;
        }
        controller.set_bitrate_limits(30_000, 5_000_000).unwrap();
        let begin = now;
        let mut reported = Vec::new();
        for n in 0..4_000 {
            now += Duration::from_millis(10);
            let sequence = 1_000_000 + n;
            controller.handle_sent(sequence, 1250, true, now);
            let arrival = Some(Duration::from_secs(50) + now.duration_since(begin));
            reported.push(Reported { sequence, arrival });
            if n % 10 == 9 {
                controller.handle_feedback(&reported, now);
                reported.clear();
            }
        }
        // 1 Mbit/s arrive.
        let target = controller.target_bitrate();
        assert!(target > 600_000, "WIGWAG_SEED={seed}: {target}, {:?}", controller.stats());
    }
}
