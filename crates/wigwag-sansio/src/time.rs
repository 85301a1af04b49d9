//! Time is an argument; what a machine keeps of it are deadlines.

use std::time::{Duration, Instant};

/// A deadline that belongs to the state it is a field of, and dies with that state.
///
/// Not `Copy` and not `Clone`: a deadline that was copied out of its state would outlive it.
#[derive(Debug, Default)]
pub struct Timer(Option<Instant>);

impl Timer {
    /// A timer that expires at `at`.
    pub const fn at(at: Instant) -> Self {
        Self(Some(at))
    }

    /// The timer as it would be if it had been started with `now` instead of `before`; an idle one stays idle.
    #[must_use]
    pub fn rescaled(&self, before: Duration, now: Duration) -> Self {
        let start = self.deadline().and_then(|deadline| deadline.checked_sub(before));
        start.map_or(Self::idle(), |start| Self::after(start, now))
    }

    /// A timer that expires `after` from `now`; one so far away that it cannot be told never does.
    pub fn after(now: Instant, after: Duration) -> Self {
        Self(now.checked_add(after))
    }

    /// A timer that is not armed.
    pub const fn idle() -> Self {
        Self(None)
    }

    /// When the timer expires, if it is armed.
    pub const fn deadline(&self) -> Option<Instant> {
        self.0
    }

    /// Whether the timer will expire.
    pub const fn is_armed(&self) -> bool {
        self.0.is_some()
    }

    /// Disarms the timer.
    pub const fn stop(&mut self) {
        self.0 = None;
    }

    /// True once, when the time has come; the timer is idle then.
    #[must_use = "an expiry is told once"]
    pub fn expire(&mut self, now: Instant) -> bool {
        self.0.take_if(|at| *at <= now).is_some()
    }
}

/// The earliest of some deadlines.
pub fn earliest(deadlines: impl IntoIterator<Item = Option<Instant>>) -> Option<Instant> {
    deadlines.into_iter().flatten().min()
}

/// The latest `now` that a machine was told: time never runs backwards for it (law 1).
#[derive(Debug, Default)]
pub struct Monotonic(Option<Instant>);

impl Monotonic {
    /// Takes note of `now` and returns it, or the latest seen if that is later.
    #[inline]
    pub fn advance(&mut self, now: Instant) -> Instant {
        let now = self.latest(now);
        self.0 = Some(now);
        now
    }

    /// `now`, or the latest seen if that is later.
    #[inline]
    pub fn latest(&self, now: Instant) -> Instant {
        self.0.map_or(now, |seen| seen.max(now))
    }

    /// The latest time seen, if any was.
    pub const fn seen(&self) -> Option<Instant> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "an arbitrary origin; only differences are used")]
    fn a_rescaled_timer_expires_as_if_it_had_been_so_from_the_beginning() {
        let now = Instant::now();
        let [one, two] = [1, 2].map(Duration::from_secs);
        assert_eq!(Timer::after(now, two).rescaled(two, one).deadline(), Some(now + one));
        assert_eq!(Timer::idle().rescaled(two, one).deadline(), None);
    }

    #[expect(clippy::disallowed_methods, reason = "an arbitrary origin; only differences are used")]
    fn origin() -> Instant {
        Instant::now()
    }

    #[test]
    fn a_timer_expires_once_and_not_early() {
        let now = origin();
        let mut timer = Timer::after(now, Duration::from_millis(5));
        assert!(!timer.expire(now) && timer.is_armed());
        assert!(timer.expire(now + Duration::from_millis(5)));
        assert!(!timer.expire(now + Duration::from_millis(5)) && !timer.is_armed());
    }

    #[test]
    fn a_timer_beyond_the_end_of_time_never_expires() {
        assert!(!Timer::after(origin(), Duration::MAX).is_armed());
    }

    #[test]
    fn time_never_runs_backwards() {
        let now = origin();
        let mut clock = Monotonic::default();
        assert_eq!(clock.advance(now + Duration::from_secs(1)), now + Duration::from_secs(1));
        assert_eq!(clock.advance(now), now + Duration::from_secs(1));
        assert_eq!(clock.latest(now + Duration::from_secs(2)), now + Duration::from_secs(2));
    }

    #[test]
    fn the_earliest_of_none_is_none() {
        let now = origin();
        assert_eq!(earliest([None, None]), None);
        assert_eq!(earliest([None, Some(now + Duration::from_secs(1)), Some(now)]), Some(now));
    }
}
