//! The peer's consent to be sent to, and whether it is still there (RFC 7675).

use crate::agent::Agent;
use crate::check::Purpose;
use crate::pair::Path;
use std::time::{Duration, Instant};
use wigwag_sansio::{Rng, Timer};

/// RFC 7675 §5.1: consent lasts for 30 seconds after a valid response.
pub(crate) const EXPIRY: Duration = Duration::from_secs(30);
/// RFC 7675 §5.1: a period of 5 s, times a random number from 0.8 to 1.2.
const INTERVAL_MIN: Duration = Duration::from_secs(4);
const INTERVAL_SPREAD_MS: u64 = 2000;

/// When the selected path is checked again.
#[derive(Debug, Default)]
pub(crate) struct Consent {
    next: Timer,
    is_owed: bool,
}

impl Consent {
    /// To be asked for when the next period ends.
    pub(crate) fn scheduled(rng: &mut Rng, now: Instant) -> Self {
        let interval = INTERVAL_MIN + Duration::from_millis(rng.below(INTERVAL_SPREAD_MS + 1));
        Self { next: Timer::after(now, interval), is_owed: false }
    }

    pub(crate) const fn is_owed(&self) -> bool {
        self.is_owed
    }

    pub(crate) const fn deadline(&self) -> Option<Instant> {
        self.next.deadline()
    }

    pub(crate) fn expire(&mut self, now: Instant) {
        self.is_owed |= self.next.expire(now);
    }
}

impl Agent {
    /// The selected pair was just checked, or there is none.
    pub(crate) fn restart_consent(&mut self, now: Instant) {
        let is_selected = self.selected.is_some() && !self.config.lite;
        self.consent = if is_selected { Consent::scheduled(&mut self.rng, now) } else { Consent::default() };
    }

    /// Writes a check of the selected path. It is a new transaction each time, and never sent again.
    pub(crate) fn write_consent(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Path> {
        let id = self.selected.filter(|_| self.consent.is_owed)?;
        self.restart_consent(now);
        let (path, request) = self.new_request(id, Purpose::Consent, now)?;
        self.stats.consent_checks_sent += 1;
        self.list.count(id, |stats| stats.consent_requests_sent += 1);
        self.write_request(request, out).then_some(path)
    }
}
