//! The time that the peer's reports tell, which begins anew every 18 hours (RFC 8888 §3.1).

use crate::time;
use std::time::{Duration, Instant};

/// Units of a report's timestamp in a second.
const SECOND: i64 = 1 << 16;
/// A report that was overtaken by others is no older than this, compared with them.
const OVERTAKEN_MAX: i64 = SECOND;
/// So much later or sooner than clocks have it a report comes that waited in a queue, or for which others did not have to.
const QUEUED_MAX: u64 = 10 * SECOND as u64;
/// Where time begins, so that before it there is some.
const ORIGIN: i64 = 1 << 32;

/// The peer's clock.
#[derive(Debug, Default)]
pub(crate) struct PeerClock {
    latest: Option<Latest>,
}

/// The latest report.
#[derive(Debug)]
struct Latest {
    timestamp: u32,
    at: Instant,
    /// What the timestamp stands for, in its units, without beginning anew.
    time: i64,
}

impl PeerClock {
    /// What a timestamp stands for. `None` of a report that was made long before others that have come, and of one whose time our clock
    /// knows nothing of; the next is compared with that one, as the peer's clock may have been set.
    pub(crate) fn time(&mut self, timestamp: u32, now: Instant) -> Option<i64> {
        let Some(latest) = &mut self.latest else {
            let time = ORIGIN + i64::from(timestamp);
            self.latest = Some(Latest { timestamp, at: now, time });
            return Some(time);
        };
        let elapsed = units(now.saturating_duration_since(latest.at));
        // Modulo 2^32, as the timestamp is.
        let ahead = timestamp.wrapping_sub(latest.timestamp).wrapping_sub(elapsed as u32) as i32;
        let progress = elapsed.saturating_add(ahead.into());
        let time = latest.time.saturating_add(progress);
        if u64::from(ahead.unsigned_abs()) > QUEUED_MAX {
            *latest = Latest { timestamp, at: now, time: latest.time.saturating_add(elapsed) };
            return None;
        }
        if progress > 0 {
            *latest = Latest { timestamp, at: now, time };
        }
        (progress >= -OVERTAKEN_MAX).then_some(time)
    }
}

fn units(duration: Duration) -> i64 {
    i64::try_from(time::shorts(duration)).unwrap_or(i64::MAX)
}

/// What a time of the peer's is, since any instant.
pub(crate) fn since_origin(time: i64) -> Duration {
    let time = u128::from(time.max(0).unsigned_abs());
    Duration::from_nanos(u64::try_from((time * 1_000_000_000) >> 16).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        wigwag_sim::origin() + Duration::from_millis(millis)
    }

    /// A second of the timestamp.
    const S: u32 = 1 << 16;

    #[test]
    fn time_goes_on_when_the_timestamp_begins_anew() {
        let mut clock = PeerClock::default();
        let first = clock.time(u32::MAX - S / 2, at(0)).unwrap();
        assert_eq!(clock.time(S / 2 - 1, at(1000)), Some(first + SECOND));
        // However long nothing was heard: 20 hours.
        let later = 20 * 3600;
        let told = (S / 2 - 1).wrapping_add((later as u32).wrapping_mul(S));
        assert_eq!(clock.time(told, at(1000 + later * 1000)), Some(first + SECOND + later as i64 * SECOND));
    }

    #[test]
    fn a_report_that_waited_or_was_overtaken_a_little_is_taken() {
        let mut clock = PeerClock::default();
        let first = clock.time(100 * S, at(0)).unwrap();
        assert_eq!(clock.time(101 * S, at(4000)), Some(first + SECOND), "it waited for three seconds");
        assert_eq!(clock.time(104 * S, at(4010)), Some(first + 4 * SECOND), "and this one did not");
        assert_eq!(clock.time(104 * S, at(4010)), Some(first + 4 * SECOND), "in two packets");
        assert_eq!(clock.time(103 * S + S / 2, at(4020)), Some(first + 3 * SECOND + SECOND / 2), "overtaken");
        assert_eq!(clock.time(105 * S, at(5000)), Some(first + 5 * SECOND));
    }

    #[test]
    fn time_that_goes_back_or_leaps_is_not_taken() {
        let mut clock = PeerClock::default();
        let first = clock.time(100 * S, at(0)).unwrap();
        assert_eq!(clock.time(98 * S, at(100)), None, "two seconds before");
        assert_eq!(clock.time(100 * S + S / 10, at(100)), Some(first + SECOND / 10));
        assert_eq!(clock.time(200 * S, at(200)), None, "a leap");
        // From there on it goes on, as if there had been none.
        let set = clock.time(200 * S + S / 2, at(700)).unwrap();
        assert!((set - first - SECOND * 7 / 10).abs() < 10, "{}", set - first);
        assert_eq!(clock.time(3 * S, at(800)), None, "and back");
        assert!(clock.time(4 * S, at(1800)).is_some_and(|time| (time - first - SECOND * 18 / 10).abs() < 10));
    }

    #[test]
    fn what_was_before_all_is_at_the_beginning() {
        assert_eq!(since_origin(-5), Duration::ZERO);
        assert_eq!(since_origin(SECOND * 3 / 2), Duration::from_millis(1500));
    }
}
