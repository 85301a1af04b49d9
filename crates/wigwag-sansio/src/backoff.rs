//! Waiting longer after each failure.

use std::time::Duration;

/// A waiting time that doubles with each retransmission, up to a maximum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backoff {
    initial: Duration,
    max: Duration,
    doublings: u32,
}

impl Backoff {
    /// Starts at `initial` and never exceeds `max`.
    pub const fn new(initial: Duration, max: Duration) -> Self {
        Self { initial, max, doublings: 0 }
    }

    /// How long to wait now.
    pub fn current(&self) -> Duration {
        self.initial.saturating_mul(1 << self.doublings.min(31)).min(self.max)
    }

    /// Doubles the waiting time and returns it.
    pub fn double(&mut self) -> Duration {
        self.doublings = self.doublings.saturating_add(1);
        self.current()
    }

    /// Starts again, as after progress.
    pub const fn reset(&mut self) {
        self.doublings = 0;
    }

    /// Begins with another waiting time, doubled as often as this one.
    pub const fn set_initial(&mut self, initial: Duration) {
        self.initial = initial;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_its_maximum_and_starts_again() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(5));
        assert_eq!(backoff.current(), Duration::from_secs(1));
        assert_eq!([backoff.double(), backoff.double(), backoff.double()].map(|wait| wait.as_secs()), [2, 4, 5]);
        backoff.reset();
        assert_eq!(backoff.current(), Duration::from_secs(1));
    }

    #[test]
    fn another_beginning_is_doubled_as_often() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
        assert_eq!([backoff.double(), backoff.double(), backoff.double()].map(|wait| wait.as_secs()), [2, 4, 8]);
        backoff.set_initial(Duration::from_secs(2));
        assert_eq!(backoff.current(), Duration::from_secs(16));
    }

    #[test]
    fn an_initial_beyond_the_maximum_is_the_maximum() {
        assert_eq!(Backoff::new(Duration::from_secs(9), Duration::from_secs(5)).current(), Duration::from_secs(5));
    }
}
