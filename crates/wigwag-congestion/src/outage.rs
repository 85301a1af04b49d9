//! While packets leave and nothing is heard of them, the path carries nothing: less is sent, and less again.

use std::time::{Duration, Instant};
use wigwag_sansio::Timer;

/// How long nothing need be heard, beside two round trips …
const PATIENCE: Duration = Duration::from_millis(500);
/// … or for so many times of what is usual between two reports, for some may be lost …
const REPORTS: u32 = 4;
/// … which is no more than this.
const INTERVAL_MAX: Duration = Duration::from_millis(500);
/// The first report takes longer: not everything is up yet.
const FIRST_PATIENCE: Duration = Duration::from_secs(1);
/// A round trip that is not believed.
const ROUND_TRIP_MAX: Duration = Duration::from_secs(1);
/// What is left of the estimate each time.
const FACTOR: f64 = 0.7;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Outage {
    /// Armed by the first packet after the last report.
    timer: Timer,
    /// When something was heard last.
    heard: Option<Instant>,
    /// What is usual between two reports.
    interval: Duration,
    /// When less was to be sent last, if nothing was heard since.
    expired: Option<Instant>,
}

impl Outage {
    /// A packet leaves.
    pub(crate) fn sent(&mut self, round_trip: Option<Duration>, now: Instant) {
        if self.timer.is_armed() {
            return;
        }
        // Who has rested since, though: what leaves now has its time to come, and be told of.
        if self.expired.is_some_and(|expired| now.saturating_duration_since(expired) < PATIENCE) {
            self.timer = Timer::after(now, PATIENCE);
            return;
        }
        let reports = self.interval.saturating_mul(REPORTS).max(PATIENCE);
        let patience = if self.heard.is_some() { reports } else { FIRST_PATIENCE };
        let round_trips = round_trip.unwrap_or_default().min(ROUND_TRIP_MAX).saturating_mul(2);
        self.timer = Timer::after(now, patience.saturating_add(round_trips));
    }

    /// A report has come.
    pub(crate) fn heard(&mut self, now: Instant) {
        if let Some(before) = self.heard.replace(now) {
            let interval = now.saturating_duration_since(before).min(INTERVAL_MAX);
            self.interval = self.interval.mul_f64(0.875).saturating_add(interval.mul_f64(0.125));
        }
        self.expired = None;
        self.timer.stop();
    }

    /// When less is to be sent.
    pub(crate) const fn deadline(&self) -> Option<Instant> {
        self.timer.deadline()
    }

    /// By which factor less is to be sent from now on, if nothing was heard for long.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<f64> {
        let deadline = self.timer.deadline();
        let has_expired = self.timer.expire(now);
        if has_expired {
            self.expired = deadline;
        }
        has_expired.then_some(FACTOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wigwag_sim::origin;

    fn at(ms: u64) -> Instant {
        origin() + Duration::from_millis(ms)
    }

    #[test]
    fn less_is_sent_when_nothing_is_heard_and_less_again_while_packets_leave() {
        let mut outage = Outage::default();
        outage.heard(at(0));
        outage.sent(Some(Duration::from_millis(50)), at(100));
        outage.sent(Some(Duration::from_millis(50)), at(300));
        assert_eq!(outage.deadline(), Some(at(700)));
        assert!(outage.expire(at(699)).is_none() && outage.expire(at(700)).is_some());
        // Who sends nothing is not woken.
        assert_eq!(outage.deadline(), None);
        outage.sent(Some(Duration::from_millis(50)), at(800));
        assert_eq!(outage.deadline(), Some(at(1300)));
        // Who has sent nothing for a while begins anew.
        assert!(outage.expire(at(1300)).is_some());
        outage.sent(Some(Duration::from_millis(50)), at(9000));
        assert_eq!(outage.deadline(), Some(at(9600)));
        outage.heard(at(9100));
        assert_eq!(outage.deadline(), None);
    }

    #[test]
    fn who_reports_seldom_is_waited_for_longer() {
        let mut outage = Outage::default();
        for n in 0..50 {
            outage.heard(at(n * 400));
        }
        outage.sent(None, at(20_000));
        let deadline = outage.deadline().unwrap();
        assert!((1_500..1_700).contains(&(deadline - at(20_000)).as_millis()));
    }

    #[test]
    fn a_round_trip_that_is_not_believed_keeps_nobody_waiting() {
        let mut outage = Outage::default();
        outage.sent(Some(Duration::MAX), at(0));
        assert_eq!(outage.deadline(), Some(at(3000)));
    }
}
