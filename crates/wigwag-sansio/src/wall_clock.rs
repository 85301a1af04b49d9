//! Wall time, without a clock.

use std::time::{Duration, Instant};

/// What the wall clock showed at one instant; what it shows at another follows.
///
/// A machine cannot read a clock. Where a protocol wants the time of day, its owner says once what time it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallClock {
    instant: Instant,
    unix_time: Duration,
}

impl WallClock {
    /// At `instant`, `unix_time` had passed since 1970-01-01T00:00:00Z.
    pub const fn new(instant: Instant, unix_time: Duration) -> Self {
        Self { instant, unix_time }
    }

    /// When it was told.
    pub const fn instant(&self) -> Instant {
        self.instant
    }

    /// The time since 1970-01-01T00:00:00Z at `now`; never less than nothing.
    pub fn unix_time(&self, now: Instant) -> Duration {
        match now.checked_duration_since(self.instant) {
            Some(after) => self.unix_time.saturating_add(after),
            None => self.unix_time.saturating_sub(self.instant.saturating_duration_since(now)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "an arbitrary origin; only differences are used")]
    fn tells_the_time_before_and_after_it_was_set() {
        let second = Duration::from_secs(1);
        let set = Instant::now() + 10 * second;
        let clock = WallClock::new(set, 5 * second);
        assert_eq!(clock.unix_time(set + second), 6 * second);
        assert_eq!(clock.unix_time(set - second), 4 * second);
        assert_eq!(clock.unix_time(set - 9 * second), Duration::ZERO);
    }
}
