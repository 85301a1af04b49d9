//! When the next packets may leave: a burst of a millisecond at a time, so that neither a queue on the way overflows nor
//! anybody is woken for each packet.

use crate::migration::state;
use std::time::{Duration, Instant};

/// How much leaves at once, in time.
const BURST: Duration = Duration::from_millis(1);

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Pacer {
    /// When all that has left would have left at the pace of the path.
    paid_until: Option<Instant>,
    /// Nothing leaves before.
    closed_until: Option<Instant>,
}

state!(struct Pacer { paid_until, closed_until });

impl Pacer {
    pub(crate) fn is_open(&self, now: Instant) -> bool {
        self.closed_until.is_none_or(|until| until <= now)
    }

    /// When it opens, if it is closed.
    pub(crate) fn opens_at(&self, now: Instant) -> Option<Instant> {
        self.closed_until.filter(|until| *until > now)
    }

    /// So many bytes have left, at so many bytes a second.
    #[inline]
    pub(crate) fn sent(&mut self, len: usize, rate: Option<u64>, now: Instant) {
        if rate.is_some() || self.paid_until.is_some() {
            self.pace(len, rate, now);
        }
    }

    fn pace(&mut self, len: usize, rate: Option<u64>, now: Instant) {
        let Some(rate) = rate.filter(|rate| *rate > 0) else {
            (self.paid_until, self.closed_until) = (None, None);
            return;
        };
        let nanos = (len as u64).saturating_mul(1_000_000_000) / rate;
        // Who was woken late may make up for it, but for no more than a burst.
        let earliest = now.checked_sub(BURST).unwrap_or(now);
        let from = self.paid_until.map_or(now, |until| until.max(earliest));
        self.paid_until = from.checked_add(Duration::from_nanos(nanos));
        self.closed_until = self.paid_until.filter(|until| until.saturating_duration_since(now) >= BURST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wigwag_sim::origin;

    /// How many packets leave in how many bursts within a second if somebody comes whenever it is open.
    fn run(rate: u64, lateness: Duration) -> (u64, u64) {
        let (mut pacer, begin) = (Pacer::default(), origin());
        let (mut now, mut packets, mut bursts) = (begin, 0, 0);
        while now < begin + Duration::from_secs(1) {
            bursts += 1;
            while pacer.is_open(now) {
                pacer.sent(1000, Some(rate), now);
                packets += 1;
            }
            now = pacer.opens_at(now).map_or(now, |at| at + lateness);
        }
        (packets, bursts)
    }

    #[test]
    fn keeps_the_pace_in_bursts_of_a_millisecond() {
        assert_eq!(run(100_000, Duration::ZERO), (100, 100));
        let (packets, bursts) = run(10_000_000, Duration::ZERO);
        assert!((10_000..=10_020).contains(&packets) && bursts <= 1001, "{packets} {bursts}");
    }

    #[test]
    fn whoever_comes_late_makes_up_for_it() {
        let (packets, _) = run(10_000_000, Duration::from_micros(700));
        assert!((9_900..=10_020).contains(&packets), "{packets}");
    }

    #[test]
    fn without_a_rate_it_is_open() {
        let mut pacer = Pacer::default();
        pacer.sent(1000, Some(1000), origin());
        assert!(!pacer.is_open(origin()));
        pacer.sent(1000, None, origin());
        assert!(pacer.is_open(origin()));
    }
}
