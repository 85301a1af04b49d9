//! Waiting longer after each failure.

use std::time::Duration;

/// A waiting time that doubles with each retransmission, up to a maximum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backoff {
    initial: Duration,
    max: Duration,
    current: Duration,
}

impl Backoff {
    /// Starts at `initial` and never exceeds `max`.
    pub fn new(initial: Duration, max: Duration) -> Self {
        let initial = initial.min(max);
        Self { initial, max, current: initial }
    }

    /// How long to wait now.
    pub const fn current(&self) -> Duration {
        self.current
    }

    /// Doubles the waiting time and returns it.
    pub fn double(&mut self) -> Duration {
        self.current = self.current.saturating_mul(2).min(self.max);
        self.current
    }

    /// Starts again, as after progress.
    pub const fn reset(&mut self) {
        self.current = self.initial;
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
    fn an_initial_beyond_the_maximum_is_the_maximum() {
        assert_eq!(Backoff::new(Duration::from_secs(9), Duration::from_secs(5)).current(), Duration::from_secs(5));
    }
}
