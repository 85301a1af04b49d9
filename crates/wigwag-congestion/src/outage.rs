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
    /// Less is sent already.
    lasts: bool,
}

impl Outage {
    /// A packet leaves.
    pub(crate) fn sent(&mut self, round_trip: Option<Duration>, now: Instant) {
        if self.timer.is_armed() {
            return;
        }
        let reports = self.interval.saturating_mul(REPORTS).max(PATIENCE);
        let patience = if self.heard.is_some() { reports } else { FIRST_PATIENCE };
        if self.lasts {
            self.timer = Timer::after(now, PATIENCE);
            return;
        }
        let round_trips = round_trip.unwrap_or_default().min(ROUND_TRIP_MAX).saturating_mul(2);
        self.timer = Timer::after(now, patience.saturating_add(round_trips));
    }

    /// A report has come.
    pub(crate) fn heard(&mut self, now: Instant) {
        if let Some(before) = self.heard.replace(now) {
            let interval = now.saturating_duration_since(before).min(INTERVAL_MAX);
            self.interval = self.interval.mul_f64(0.875).saturating_add(interval.mul_f64(0.125));
        }
        self.lasts = false;
        self.timer.stop();
    }

    /// When less is to be sent.
    pub(crate) const fn deadline(&self) -> Option<Instant> {
        self.timer.deadline()
    }

    /// By which factor less is to be sent from now on, if nothing was heard for long.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<f64> {
        let has_expired = self.timer.expire(now);
        self.lasts |= has_expired;
        has_expired.then_some(FACTOR)
    }
}
