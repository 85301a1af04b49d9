//! While packets leave and nothing is heard of them, the path carries nothing: less is sent, and less again.

use std::time::{Duration, Instant};
use wigwag_sansio::Timer;

/// How long nothing need be heard, beside two round trips: a peer reports every 250 ms at least, and a report may be lost.
const PATIENCE: Duration = Duration::from_millis(500);
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
    /// Whether anything was heard, ever.
    is_heard: bool,
}

impl Outage {
    /// A packet leaves.
    pub(crate) fn sent(&mut self, round_trip: Option<Duration>, now: Instant) {
        if self.timer.is_armed() {
            return;
        }
        let patience = if self.is_heard { PATIENCE } else { FIRST_PATIENCE };
        let round_trips = round_trip.unwrap_or_default().min(ROUND_TRIP_MAX).saturating_mul(2);
        self.timer = Timer::after(now, patience.saturating_add(round_trips));
    }

    /// A report has come.
    pub(crate) fn heard(&mut self) {
        self.is_heard = true;
        self.timer.stop();
    }

    /// When less is to be sent.
    pub(crate) const fn deadline(&self) -> Option<Instant> {
        self.timer.deadline()
    }

    /// By which factor less is to be sent from now on, if nothing was heard for long.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<f64> {
        self.timer.expire(now).then_some(FACTOR)
    }
}
