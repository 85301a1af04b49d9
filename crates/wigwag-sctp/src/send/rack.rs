//! Losses found by time: what departed before something that has arrived, by more than packets overtake one another, is lost; and
//! when nothing comes back, a probe tells earlier than T3 would (RFC 8985, RACK-TLP).

use super::flights::Departure;
use crate::migration::state;
use std::time::{Duration, Instant};
use wigwag_sansio::Timer;

/// RFC 8985 §7.2: how long a peer may delay the acknowledgement of a single packet.
const ACK_DELAY_MAX: Duration = Duration::from_millis(200);
/// Nobody is in a hurry for less, and clocks of others are coarse.
const PROBE_MIN: Duration = Duration::from_millis(10);
/// How often in a row it must not have been needed until the window for overtaking shrinks again (RFC 8985 §6.2).
const PERSISTENCE: u8 = 16;
/// As many later packets tell of a loss at once, as long as none was seen overtaking.
const MISSES: u64 = 3;

/// A probe for what was sent last (RFC 8985 §7).
#[derive(Debug, Default)]
pub(crate) enum Probe {
    #[default]
    Idle,
    Armed(Timer),
    Owed,
    /// From this departure on; and whether it was one of what had departed before.
    Sent {
        departure: u64,
        is_again: bool,
    },
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Rack {
    /// The last departure of all that has arrived.
    latest: Option<(u64, Instant)>,
    /// How long it took.
    round_trip: Duration,
    round_trip_min: Option<Duration>,
    is_reordering: bool,
    /// In quarters of the shortest round trip.
    window: u32,
    persistence: u8,
    /// When the window widened last, by the number of the round trip.
    widened: u64,
    /// When what is not lost yet will be.
    pub(crate) timer: Timer,
    pub(crate) probe: Probe,
}

/// Whether a departure is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Lost,
    /// At that time, if it has not arrived until then.
    Until(Instant),
    /// Nothing later has arrived.
    Open,
}

state!(enum Probe { 0: Idle, 1: Armed(timer), 2: Owed, 3: Sent { departure, is_again } });
state!(struct Rack {
    latest, round_trip, round_trip_min, is_reordering, window, persistence, widened, timer, probe,
});

impl Rack {
    pub(crate) const fn new() -> Self {
        Self {
            latest: None,
            round_trip: Duration::ZERO,
            round_trip_min: None,
            is_reordering: false,
            window: 1,
            persistence: 0,
            widened: 0,
            timer: Timer::idle(),
            probe: Probe::Idle,
        }
    }

    /// Something has arrived: the last departure of it, and the first of what has departed once.
    pub(crate) fn arrived(&mut self, (number, departure): (u64, Departure), earliest_once: Option<u64>, now: Instant) {
        let round_trip = now.saturating_duration_since(departure.at);
        // RFC 8985 §6.2 step 2: it may be an earlier departure that has arrived.
        if departure.is_again && self.round_trip_min.is_some_and(|min| round_trip < min) {
            return;
        }
        if !departure.is_again {
            self.round_trip_min = Some(self.round_trip_min.map_or(round_trip, |min| min.min(round_trip)));
        }
        let latest = self.latest.map(|(number, _)| number);
        self.is_reordering |= earliest_once.is_some() && earliest_once < latest;
        if latest.is_none_or(|latest| number > latest) {
            (self.latest, self.round_trip) = (Some((number, departure.at)), round_trip);
        }
    }

    /// The peer has got something twice: it was not lost, only late (RFC 8985 §6.2 step 4). Once a round trip.
    pub(crate) const fn widen(&mut self, round: u64) {
        if round > self.widened {
            self.window = if self.window < 64 { self.window + 1 } else { 64 };
            (self.persistence, self.widened) = (PERSISTENCE, round);
        }
    }

    /// All that was lost has arrived.
    pub(crate) const fn recovered(&mut self) {
        self.persistence = self.persistence.saturating_sub(1);
        if self.persistence == 0 {
            self.window = 1;
        }
    }

    fn overtaking(&self, is_recovering: bool, later: u64, smoothed: Option<Duration>) -> Duration {
        if !self.is_reordering && (is_recovering || later >= MISSES) {
            return Duration::ZERO;
        }
        let quarter = self.round_trip_min.unwrap_or_default() / 4;
        quarter.saturating_mul(self.window).min(smoothed.unwrap_or(quarter))
    }

    /// What is known of a departure when `later` chunks are known to have arrived beyond gaps.
    pub(crate) fn verdict(
        &self,
        (number, departure): (u64, Departure),
        is_recovering: bool,
        later: u64,
        smoothed: Option<Duration>,
        now: Instant,
    ) -> Verdict {
        if self.latest.is_none_or(|(latest, _)| number >= latest) {
            return Verdict::Open;
        }
        let patience = self.round_trip.saturating_add(self.overtaking(is_recovering, later, smoothed));
        match departure.at.checked_add(patience) {
            Some(at) if at <= now => Verdict::Lost,
            Some(at) => Verdict::Until(at),
            None => Verdict::Open,
        }
    }

    /// Lets the time begin after which what is on its way is probed for; it ends no later than T3 does.
    pub(crate) fn arm_probe(&mut self, smoothed: Option<Duration>, packets: usize, t3: Option<Instant>, now: Instant) {
        let Some(smoothed) = smoothed else { return };
        let alone = if packets <= 1 { ACK_DELAY_MAX } else { Duration::ZERO };
        let at = now.checked_add(smoothed.saturating_mul(2).max(PROBE_MIN).saturating_add(alone));
        self.probe = at.into_iter().chain(t3).min().map_or(Probe::Idle, |at| Probe::Armed(Timer::at(at)));
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        let probe = if let Probe::Armed(timer) = &self.probe { timer.deadline() } else { None };
        wigwag_sansio::earliest([self.timer.deadline(), probe])
    }

    pub(crate) fn disarm_probe(&mut self) {
        if let Probe::Armed(_) = self.probe {
            self.probe = Probe::Idle;
        }
    }

    /// True once, when a probe is due.
    pub(crate) fn expire_probe(&mut self, now: Instant) -> bool {
        let is_due = if let Probe::Armed(timer) = &mut self.probe { timer.expire(now) } else { false };
        if is_due {
            self.probe = Probe::Idle;
        }
        is_due
    }

    /// Nothing is on its way any more, or all of it is given up for lost.
    pub(crate) fn stop(&mut self) {
        self.timer.stop();
        self.probe = Probe::Idle;
    }
}
