//! Calls in any order, with anything in them, and what they must keep to.

use std::time::{Duration, Instant};
use wigwag_congestion::{Config, Controller, Event, Reported};
use wigwag_sansio::{Rng, Seed};
use wigwag_sim::origin;

/// A call, at a time since the beginning.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    Sent { sequence: u64, size: usize, is_paced: bool },
    Feedback(Vec<Reported>),
    Timeout,
    Limits(u64, u64),
    Desired(u64),
    Restart,
}

/// Calls of a sender whose peer is honest, or is not.
pub(crate) fn draw(seed: u64, calls: usize, is_hostile: bool) -> Vec<(Instant, Call)> {
    let mut rng = Rng::new(Seed::for_test(seed).fork("script"));
    let (mut at, mut sequence, mut sent, mut script) = (origin(), 0_u64, Vec::new(), Vec::new());
    for _ in 0..calls {
        at += Duration::from_micros(rng.below(20_000));
        if rng.one_in(500) {
            at += Duration::from_secs(rng.below(20));
        }
        let call = match rng.below(100) {
            0 if is_hostile => Call::Restart,
            1 => Call::Limits(5_000 + rng.below(100_000), 200_000 + rng.below(10_000_000)),
            2 => Call::Desired(rng.below(10_000_000)),
            3..10 => Call::Timeout,
            10..30 => {
                let mut reported: Vec<Reported> = std::mem::take(&mut sent);
                if is_hostile {
                    lie(&mut reported, sequence, &mut rng);
                } else {
                    reported.retain(|report| report.arrival.is_some());
                }
                Call::Feedback(reported)
            }
            _ => {
                sequence += 1 + rng.below(2);
                let size = 100 + rng.below(1100) as usize;
                let arrival = Some(Duration::from_secs(77) + at.duration_since(origin())).filter(|_| !rng.one_in(50));
                sent.push(Reported { sequence, arrival });
                Call::Sent { sequence, size, is_paced: !rng.one_in(4) }
            }
        };
        script.push((at, call));
    }
    script
}

/// Makes something else of what is true.
fn lie(reported: &mut Vec<Reported>, sequence: u64, rng: &mut Rng) {
    for report in reported.iter_mut() {
        match rng.below(12) {
            0 => report.sequence = rng.below(u64::MAX),
            1 => report.sequence = sequence + rng.below(10),
            2 | 3 => report.arrival = Some(Duration::MAX),
            4 => report.arrival = Some(Duration::ZERO),
            5 | 6 => report.arrival = Some(Duration::from_micros(rng.below(u64::MAX))),
            7 => report.arrival = report.arrival.map(|arrival| arrival + Duration::from_millis(rng.below(5000))),
            8 => report.arrival = Some(Duration::from_secs(77)),
            _ => {}
        }
    }
    if rng.one_in(3) {
        reported.extend_from_within(..);
    }
    if rng.one_in(3) {
        reported.reverse();
    }
}

pub(crate) fn controller() -> Controller {
    Controller::new(Config::new()).expect("the defaults are possible")
}

pub(crate) fn call(controller: &mut Controller, call: &Call, at: Instant) {
    match call {
        Call::Sent { sequence, size, is_paced } => controller.handle_sent(*sequence, *size, *is_paced, at),
        Call::Feedback(reported) => controller.handle_feedback(reported, at),
        Call::Timeout => controller.handle_timeout(at),
        Call::Limits(min, max) => controller.set_bitrate_limits(*min, *max).expect("possible limits"),
        Call::Desired(desired) => controller.set_desired_bitrate(*desired),
        Call::Restart => controller.restart(at),
    }
}

/// What is told after a call, and whether there is more.
pub(crate) fn told(controller: &mut Controller) -> Option<u64> {
    match controller.poll_event()? {
        Event::TargetBitrate { bits_per_second } => Some(bits_per_second),
        event => panic!("an event that is not expected: {event:?}"),
    }
}
