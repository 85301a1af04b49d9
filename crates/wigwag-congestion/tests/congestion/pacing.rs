//! When packets leave.

use std::time::{Duration, Instant};
use wigwag_congestion::{Config, Controller};
use wigwag_sim::origin;

/// Without probes, so that the pace is that of the estimate: 300 kbit/s, times 2.5.
fn controller() -> Controller {
    let mut config = Config::new();
    config.is_probing = false;
    Controller::new(config).expect("possible")
}

/// All that waits leaves as soon as it may, of packets of this size; tells when.
fn drain(controller: &mut Controller, count: usize, size: usize, late: Duration) -> Vec<Duration> {
    let (mut now, mut left) = (origin(), Vec::new());
    while left.len() < count {
        let queued = (count - left.len()) * size;
        match controller.next_departure(queued, Some(origin()), now) {
            Some(at) => {
                assert!(at > now, "it is told to wait for the past");
                now = at + late;
            }
            None => {
                controller.handle_sent(left.len() as u64, size, true, now);
                left.push(now - origin());
            }
        }
    }
    left
}

/// What leaves within any five milliseconds, at most.
fn burst(left: &[Duration]) -> usize {
    let within =
        |from: &Duration| left.iter().filter(|at| (*from..*from + Duration::from_millis(5)).contains(at)).count();
    left.iter().map(within).max().unwrap_or(0)
}

#[test]
fn packets_leave_at_two_and_a_half_times_the_estimate() {
    // 750 kbit/s: a packet of 1000 bytes each 10.67 ms; 40 of them are less than the two seconds that a queue may take.
    let left = drain(&mut controller(), 40, 1000, Duration::ZERO);
    let last = left.last().unwrap().as_secs_f64();
    assert!((last - 39.0 * 0.010_667).abs() < 0.012, "{last}");
    assert_eq!(burst(&left), 1);
}

#[test]
fn small_packets_leave_in_bursts_of_five_milliseconds() {
    let left = drain(&mut controller(), 400, 100, Duration::ZERO);
    // 5 ms of 750 kbit/s are 469 bytes.
    assert!((5..=6).contains(&burst(&left)), "{}", burst(&left));
    let wakes = left.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!(wakes <= 400 / 5 + 1, "{wakes}");
}

#[test]
fn whoever_is_woken_late_makes_up_for_it() {
    let left = drain(&mut controller(), 400, 100, Duration::from_millis(2));
    let last = left.last().unwrap().as_secs_f64();
    assert!(last < 400.0 * 800.0 / 750_000.0 * 1.05, "{last}");
}

#[test]
fn a_long_queue_leaves_faster_so_that_no_packet_waits_for_more_than_two_seconds() {
    // 1 MB would take 10.7 s at 750 kbit/s.
    let left = drain(&mut controller(), 1000, 1000, Duration::ZERO);
    assert!(*left.last().unwrap() < Duration::from_millis(2500), "{:?}", left.last());
    assert!(burst(&left) < 30, "{}", burst(&left));
}

#[test]
fn sound_leaves_at_any_time_but_counts() {
    let mut controller = controller();
    let now = origin();
    for sequence in 0..10 {
        controller.handle_sent(sequence, 100, false, now);
    }
    // 1000 bytes at 750 kbit/s.
    let at = controller.next_departure(1000, Some(now), now).expect("it is limited");
    let wait = at.duration_since(now);
    assert!((10..=11).contains(&wait.as_millis()), "{wait:?}");
    // But no flood of it keeps others from leaving for ever.
    for sequence in 10..10_000 {
        controller.handle_sent(sequence, 100, false, now);
    }
    let at = controller.next_departure(1000, Some(now), now).expect("it is limited");
    assert!(at.duration_since(now) < Duration::from_millis(300));
}

#[test]
fn who_has_rested_may_send_a_burst_and_no_more() {
    let mut controller = controller();
    controller.handle_sent(0, 1000, true, origin());
    let later = origin() + Duration::from_secs(100);
    let mut count = 0;
    while controller.next_departure(1000, Some(later), later).is_none() {
        count += 1;
        assert!(count < 100, "it is never over");
        controller.handle_sent(count, 100, true, later);
    }
    assert!((5..=10).contains(&count), "{count}");
}

#[test]
fn before_anything_is_sent_nothing_is_limited() {
    let controller = controller();
    assert_eq!(controller.next_departure(usize::MAX, None, origin()), None);
    assert_eq!((controller.padding_wanted(origin()), controller.next_padding(origin())), (0, None));
}

/// A probe lacks bytes while it is open, in the portions of its pace, and leads to no more than it asks for.
#[test]
fn a_probe_asks_for_padding_at_its_pace() {
    let mut controller = Controller::new(Config::new()).expect("possible");
    controller.handle_sent(0, 1000, true, origin());
    let (mut now, mut padded, mut sequence): (Instant, usize, u64) = (origin(), 0, 0);
    while let Some(at) = controller.next_padding(now) {
        now = at;
        while controller.padding_wanted(now) > 0 {
            sequence += 1;
            let size = controller.padding_wanted(now).min(200);
            controller.handle_sent(sequence, size, true, now);
            padded += size;
        }
    }
    // 900 kbit/s, and four times its largest packet: 4000 bytes in 35 ms.
    assert!((3000..3300).contains(&padded), "{padded}");
    let took = (now - origin()).as_millis();
    assert!((22..40).contains(&took), "{took}");
}

/// What left at a high pace is no debt of a minute at a low one.
#[test]
fn a_pace_that_falls_lets_nobody_wait_for_longer_than_a_packet_may() {
    let mut config = Config::new();
    (config.is_probing, config.initial_bitrate) = (false, 50_000_000);
    let mut controller = Controller::new(config).expect("possible");
    let now = origin();
    let mut sequence = 0;
    while controller.next_departure(1200, Some(now), now).is_none() {
        controller.handle_sent(sequence, 1200, true, now);
        sequence += 1;
    }
    controller.set_bitrate_limits(5_000, 5_000).expect("possible");
    let at = controller.next_departure(1200, Some(now), now).expect("it is limited");
    assert!(at.duration_since(now) <= Duration::from_secs(2), "{:?}", at.duration_since(now));
}

/// Sound that takes all that may be sent, and a little video beside it: no packet waits for longer than it may.
#[test]
fn sound_that_takes_all_does_not_hold_back_video_for_ever() {
    let mut config = Config::new();
    (config.is_probing, config.initial_bitrate) = (false, 30_000);
    let mut controller = Controller::new(config).expect("possible");
    let (mut sequence, mut waiting, mut longest) = (0, Vec::<Instant>::new(), Duration::ZERO);
    let mut send = |controller: &mut Controller, size, is_paced, now| {
        controller.handle_sent(sequence, size, is_paced, now);
        sequence += 1;
    };
    for ms in 0..30_000_u64 {
        let now = origin() + Duration::from_millis(ms);
        // 96 kbit/s of sound, of the 75 that may leave, and 24 of video.
        if ms % 20 == 0 {
            send(&mut controller, 240, false, now);
        }
        if ms % 200 == 0 {
            waiting.push(now);
        }
        while let Some(oldest) = waiting.first().copied()
            && controller.next_departure(waiting.len() * 600, Some(oldest), now).is_none()
        {
            longest = longest.max(now - oldest);
            waiting.remove(0);
            send(&mut controller, 600, true, now);
        }
        longest = waiting.first().map_or(longest, |oldest| longest.max(now - *oldest));
    }
    assert!(longest <= Duration::from_millis(2_300), "{longest:?}");
}
