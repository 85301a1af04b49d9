//! Whether the application sends much less than it may: then neither delay nor arrivals say how much more there would be.

use super::seconds;

/// Who sends more than so much of the estimate is not limited by itself.
const USAGE: f64 = 0.65;
/// The budget is of so many seconds.
const WINDOW: f64 = 0.5;
/// It begins when so much of the budget is left, and ends when so little is.
const BEGIN: f64 = 0.80;
const END: f64 = 0.50;

/// A budget that grows with the estimate and is spent by what is sent.
#[derive(Debug, Default)]
pub(crate) struct Alr {
    /// Bits that are left.
    budget: f64,
    at: Option<i64>,
    /// Since when it lasts.
    since: Option<i64>,
}

impl Alr {
    /// Since when the application sends much less than it may, if it does.
    pub(crate) const fn since(&self) -> Option<i64> {
        self.since
    }

    /// So many bytes leave.
    pub(crate) fn sent(&mut self, size: usize, estimate: f64, now: i64) {
        let rate = estimate * USAGE;
        let full = rate * WINDOW;
        let passed = seconds(now.saturating_sub(self.at.replace(now).unwrap_or(now)).max(0));
        self.budget = (self.budget + passed * rate).min(full) - size as f64 * 8.0;
        self.budget = self.budget.max(-full);
        let left = self.budget / full;
        if left > BEGIN {
            self.since.get_or_insert(now);
        } else if left < END {
            self.since = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether it lasts after three seconds of packets of 1000 bytes, so many a second.
    fn run(alr: &mut Alr, from: i64, per_second: i64) -> bool {
        for n in 0..per_second * 3 {
            alr.sent(1000, 1e6, from + n * 1_000_000 / per_second);
        }
        alr.since().is_some()
    }

    #[test]
    fn who_sends_half_of_what_it_may_is_limited_by_itself() {
        let mut alr = Alr::default();
        assert!(!run(&mut alr, 0, 120));
        assert!(run(&mut alr, 3_000_000, 50));
        assert!(!run(&mut alr, 6_000_000, 100));
    }
}
