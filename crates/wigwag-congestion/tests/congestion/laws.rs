//! The laws of the calls (docs/architecture.md). `wigwag_sim::contract` checks machines that send datagrams to each other; this one sends none.

use crate::script::{Call, call, controller, draw, told};
use allocation_counter::measure;
use std::time::Duration;
use wigwag_congestion::{Controller, Reported, Stats};
use wigwag_sim::{origin, seeds};

const CALLS: usize = 3000;

/// All that a controller shows.
fn state(controller: &Controller, at: std::time::Instant) -> (Stats, [Option<std::time::Instant>; 3], usize) {
    let times =
        [controller.poll_timeout(at), controller.next_departure(5000, Some(origin()), at), controller.next_padding(at)];
    (controller.stats(), times, controller.padding_wanted(at))
}

#[test]
fn law_1_time_that_runs_backwards_is_the_latest_seen() {
    for seed in seeds(20).chain([344]) {
        let (mut one, mut other) = (controller(), controller());
        let mut seen = None;
        for (n, (at, made)) in draw(seed, CALLS, true).into_iter().enumerate() {
            // Every other call comes with a time of long before.
            let late = if n % 2 == 1 { at.checked_sub(Duration::from_secs(5)).unwrap_or(at) } else { at };
            let latest = seen.map_or(late, |seen: std::time::Instant| seen.max(late));
            // The others tell no time.
            if !matches!(made, Call::Limits(..) | Call::Desired(_)) {
                seen = Some(latest);
            }
            call(&mut one, &made, latest);
            call(&mut other, &made, late);
            assert_eq!(state(&one, latest), state(&other, latest), "WIGWAG_SEED={seed}, after {n} calls");
        }
    }
}

#[test]
fn laws_2_and_4_late_polls_only_delay_and_what_is_told_is_the_latest() {
    for seed in seeds(20) {
        let (mut eager, mut lazy) = (controller(), controller());
        for (at, made) in draw(seed, CALLS, false) {
            for controller in [&mut eager, &mut lazy] {
                call(controller, &made, at);
            }
            told(&mut eager);
            assert_eq!(eager.target_bitrate(), lazy.target_bitrate(), "WIGWAG_SEED={seed}");
        }
        let target = lazy.target_bitrate();
        assert!(told(&mut lazy).is_none_or(|told| told == target), "WIGWAG_SEED={seed}");
        assert_eq!(told(&mut lazy), None);
    }
}

#[test]
fn law_5_what_is_owed_is_due_and_nothing_spins() {
    for (seed, is_hostile) in seeds(20).flat_map(|seed| [(seed, false), (seed, true)]) {
        let mut controller = controller();
        for (at, made) in draw(seed, CALLS, is_hostile) {
            call(&mut controller, &made, at);
            let is_due = controller.poll_timeout(at).is_some_and(|due| due <= at);
            let is_owed = told(&mut controller).is_some();
            assert!(is_due || !is_owed, "WIGWAG_SEED={seed}: owed, but not due after {made:?}");
            controller.handle_timeout(at);
            while told(&mut controller).is_some() {}
            assert!(controller.poll_timeout(at).is_none_or(|due| due > at), "WIGWAG_SEED={seed}: due for nothing");
        }
    }
}

#[test]
fn law_5_who_is_idle_is_not_woken() {
    let mut controller = controller();
    assert_eq!(controller.poll_timeout(origin()), None);
    let mut now = origin();
    for sequence in 0..100 {
        controller.handle_sent(sequence, 1000, true, now);
        now += Duration::from_millis(20);
    }
    let mut woken = 0;
    while let Some(at) = controller.poll_timeout(now) {
        now = now.max(at);
        controller.handle_timeout(now);
        while told(&mut controller).is_some() {}
        woken += 1;
        assert!(woken < 5, "again and again");
    }
    assert_eq!(controller.next_padding(now), None);
}

#[test]
fn law_6_early_and_repeated_calls_are_harmless() {
    for seed in seeds(20).chain([217]) {
        let (mut plain, mut fussy) = (controller(), controller());
        let mut before = origin();
        for (at, made) in draw(seed, CALLS, true) {
            // A loop that is woken when it wants to be …
            for controller in [&mut plain, &mut fussy] {
                while let Some(due) = controller.poll_timeout(before).filter(|due| *due < at) {
                    controller.handle_timeout(due.max(before));
                    while told(controller).is_some() {}
                }
            }
            // … and one that comes again and again.
            for part in 0..4 {
                let early = before + (at - before) / 4 * part;
                if fussy.poll_timeout(early).is_none_or(|due| due > early) {
                    fussy.handle_timeout(early);
                    assert_eq!(told(&mut fussy), None, "WIGWAG_SEED={seed}");
                }
            }
            before = at;
            call(&mut plain, &made, at);
            call(&mut fussy, &made, at);
            assert_eq!(state(&plain, at), state(&fussy, at), "WIGWAG_SEED={seed}");
        }
    }
}

#[test]
fn law_7_calls_determine_everything() {
    const fn is_send_and_sync<T: Send + Sync>() {}
    const { is_send_and_sync::<Controller>() };
    for seed in seeds(20) {
        let run = || {
            let mut controller = controller();
            let mut shown = Vec::new();
            for (at, made) in draw(seed, CALLS, true) {
                call(&mut controller, &made, at);
                shown.push((told(&mut controller), state(&controller, at)));
            }
            shown
        };
        assert!(run() == run(), "WIGWAG_SEED={seed}");
    }
}

/// Nobody reports, or somebody reports everything and much that never was: no more is held than all packets that are remembered.
#[test]
fn law_8_memory_is_bounded() {
    let mut reported: Vec<Reported> = Vec::new();
    for n in 0..50_000 {
        reported.push(Reported { sequence: n * 3, arrival: Some(Duration::from_nanos(n)) });
    }
    let cost = measure(|| {
        let mut controller = controller();
        for n in 0..100_000_u64 {
            let now = origin() + Duration::from_micros(n * 10);
            controller.handle_sent(n, 1200, true, now);
            if n % 10_000 == 9_999 {
                controller.handle_feedback(&reported, now);
            }
        }
    });
    assert!(cost.bytes_max < 1 << 20, "{cost:?}");
}
