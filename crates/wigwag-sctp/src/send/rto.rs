//! The retransmission timeout (RFC 9260 §6.3.1).

use crate::Config;
use crate::config::TIMEOUT_MIN;
use crate::migration::state;
use std::time::Duration;

/// What round trips have taught.
#[derive(Debug)]
pub(crate) struct Rto {
    min: Duration,
    max: Duration,
    smoothed: Option<Duration>,
    variation: Duration,
    current: Duration,
}

state!(struct Rto { smoothed, variation, current } anew {
    min: |from| from.config.rto_min, max: |from| from.config.rto_max,
} => then |mut rto, _| {
    rto.current = rto.current.clamp(TIMEOUT_MIN, rto.max);
    Some(rto)
});

impl Rto {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            min: config.rto_min,
            max: config.rto_max,
            smoothed: None,
            variation: Duration::ZERO,
            current: config.rto_initial.min(config.rto_max),
        }
    }

    pub(crate) const fn current(&self) -> Duration {
        self.current
    }

    pub(crate) const fn smoothed(&self) -> Option<Duration> {
        self.smoothed
    }

    // RFC 9260 §6.3.3: "set RTO = RTO * 2 ('back off the timer')"
    pub(crate) fn back_off(&mut self) {
        self.current = self.current.saturating_mul(2).min(self.max);
    }

    /// Takes in a round trip of what was sent once only. A longer one than the longest timeout is nobody's: who was not woken in time did not
    /// see the answer come.
    pub(crate) fn measure(&mut self, round_trip: Duration) {
        let round_trip = round_trip.min(self.max);
        let smoothed = match self.smoothed {
            None => {
                self.variation = round_trip / 2;
                round_trip
            }
            Some(smoothed) => {
                self.variation = self.variation.saturating_mul(3).saturating_add(smoothed.abs_diff(round_trip)) / 4;
                smoothed.saturating_mul(7).saturating_add(round_trip) / 8
            }
        };
        self.smoothed = Some(smoothed);
        // The minimum is one of the variation: however short the round trip, the peer's SACK may be delayed beyond it.
        let margin = self.variation.saturating_mul(4).max(self.min);
        self.current = smoothed.saturating_add(margin).min(self.max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn follows_the_round_trip() {
        let mut rto = Rto::new(&Config::default());
        assert_eq!(rto.current(), ms(500));
        rto.measure(ms(400));
        assert_eq!((rto.smoothed(), rto.current()), (Some(ms(400)), ms(400 + 4 * 200)));
        rto.measure(ms(400));
        assert_eq!((rto.smoothed(), rto.current()), (Some(ms(400)), ms(400 + 4 * 150)));
    }

    #[test]
    fn stays_between_its_bounds() {
        let mut rto = Rto::new(&Config::default());
        rto.measure(ms(1));
        assert_eq!(rto.current(), ms(221));
        for _ in 0..9 {
            rto.back_off();
        }
        assert_eq!(rto.current(), ms(3000));
    }
}
