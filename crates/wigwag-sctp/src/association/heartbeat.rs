//! Probing an idle path (RFC 9260 §8.3).

use crate::chunk::HeartbeatInfo;
use crate::migration::state;
use std::time::{Duration, Instant};
use wigwag_sansio::Timer;

#[derive(Debug)]
enum Phase {
    Resting(Timer),
    Owed,
    Waiting { info: HeartbeatInfo, sent: Instant, timer: Timer },
}

/// The HEARTBEATs of ours.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    interval: Duration,
    /// When data was sent last, which probes as well.
    data_sent: Option<Instant>,
    phase: Phase,
}

state!(struct Heartbeat { data_sent, phase } anew { interval: |from| from.config.heartbeat_interval });
state!(enum Phase { 0: Resting(timer), 1: Owed, 2: Waiting { info, sent, timer } });

impl Heartbeat {
    /// If nobody knows what time it is yet, the interval begins with `set_interval`.
    pub(crate) fn new(interval: Duration, now: Option<Instant>) -> Self {
        let timer = now.map_or(Timer::idle(), |now| Timer::after(now, interval));
        Self { interval, data_sent: None, phase: Phase::Resting(timer) }
    }

    /// A probe that is under way is waited for.
    pub(crate) fn set_interval(&mut self, interval: Duration, now: Instant) {
        self.interval = interval;
        if let Phase::Resting(timer) = &mut self.phase {
            *timer = Timer::after(now, interval);
        }
    }

    pub(crate) const fn data_sent(&mut self, now: Instant) {
        self.data_sent = Some(now);
    }

    pub(crate) const fn is_owed(&self) -> bool {
        matches!(self.phase, Phase::Owed)
    }

    pub(crate) fn sent(&mut self, info: HeartbeatInfo, now: Instant, rto: Duration) {
        self.phase = Phase::Waiting { info, sent: now, timer: Timer::after(now, rto) };
    }

    /// The round trip, if this is the answer that was waited for.
    pub(crate) fn handle_ack(&mut self, ack: HeartbeatInfo, now: Instant) -> Option<Duration> {
        let sent = match &self.phase {
            Phase::Waiting { info, sent, .. } if *info == ack => *sent,
            Phase::Waiting { .. } | Phase::Resting(_) | Phase::Owed => return None,
        };
        self.phase = Phase::Resting(Timer::after(now, self.interval));
        Some(now.saturating_duration_since(sent))
    }

    /// True if no answer came in time.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> bool {
        match &mut self.phase {
            Phase::Resting(timer) => {
                if timer.expire(now) {
                    let due = self.data_sent.and_then(|sent| sent.checked_add(self.interval));
                    self.phase = match due.filter(|due| *due > now) {
                        Some(due) => Phase::Resting(Timer::at(due)),
                        None => Phase::Owed,
                    };
                }
                false
            }
            Phase::Owed => false,
            Phase::Waiting { timer, .. } => {
                let is_missed = timer.expire(now);
                if is_missed {
                    self.phase = Phase::Resting(Timer::after(now, self.interval));
                }
                is_missed
            }
        }
    }

    pub(crate) const fn deadline(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Resting(timer) | Phase::Waiting { timer, .. } => timer.deadline(),
            Phase::Owed => None,
        }
    }
}
