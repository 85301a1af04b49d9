//! The states of an association, each with what exists only in it (RFC 9260 §4).
//!
//! ```text
//!            connect              INIT ACK                COOKIE ACK
//! Idle ────────────► CookieWait ────────────► CookieEchoed ─────────► Established
//!   └──────────────────────┴──── COOKIE ECHO ──────┴─────────────────────►│
//!                                                       shutdown │        │ SHUTDOWN
//!                                               ShutdownPending ◄┘        └► ShutdownReceived
//!                                   all acknowledged │                          │ all acknowledged
//!                                               ShutdownSent ──── SHUTDOWN ──► ShutdownAckSent
//!                                      SHUTDOWN ACK └────────► Ended ◄──────────┘ SHUTDOWN COMPLETE
//! ```

use crate::State;
use crate::config::{TIMEOUT_MAX, TIMEOUT_MIN};
use crate::migration::state;
use std::time::{Duration, Instant};
use wigwag_sansio::Timer;

/// Something that is sent until it is answered: it is owed, or its timer runs.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) failures: u32,
    /// How long an answer is waited for, and how long at most.
    rto: Duration,
    rto_max: Duration,
    timer: Timer,
}

state!(struct Attempt { failures, rto, rto_max, timer } if |attempt, _| {
    TIMEOUT_MIN <= attempt.rto && attempt.rto <= attempt.rto_max && attempt.rto_max <= TIMEOUT_MAX
});

impl Attempt {
    pub(crate) fn new(rto: Duration, rto_max: Duration) -> Self {
        Self { failures: 0, rto: rto.min(rto_max), rto_max, timer: Timer::idle() }
    }

    pub(crate) const fn is_owed(&self) -> bool {
        !self.timer.is_armed()
    }

    pub(crate) const fn owe(&mut self) {
        self.timer.stop();
    }

    pub(crate) fn sent(&mut self, now: Instant) {
        self.timer = Timer::after(now, self.rto);
    }

    pub(crate) const fn deadline(&self) -> Option<Instant> {
        self.timer.deadline()
    }

    /// True if no answer came in time.
    pub(crate) fn expire(&mut self, now: Instant) -> bool {
        let is_expired = self.timer.expire(now);
        if is_expired {
            self.failures = self.failures.saturating_add(1);
            self.rto = self.rto.saturating_mul(2).min(self.rto_max);
        }
        is_expired
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) enum Phase {
    Idle,
    CookieWait(Attempt),
    CookieEchoed {
        cookie: Vec<u8>,
        attempt: Attempt,
    },
    Established,
    ShutdownPending,
    ShutdownSent {
        attempt: Attempt,
        /// T5-shutdown-guard; begins when the first SHUTDOWN is sent.
        guard: Timer,
    },
    ShutdownReceived,
    ShutdownAckSent(Attempt),
    Ended,
}

state!(enum Phase {
    0: Idle,
    1: CookieWait(attempt),
    2: CookieEchoed { cookie, attempt },
    3: Established,
    4: ShutdownPending,
    5: ShutdownSent { attempt, guard },
    6: ShutdownReceived,
    7: ShutdownAckSent(attempt),
    8: Ended,
});

impl Phase {
    pub(crate) const fn state(&self) -> State {
        match self {
            Self::Idle | Self::Ended => State::Closed,
            Self::CookieWait(_) => State::CookieWait,
            Self::CookieEchoed { .. } => State::CookieEchoed,
            Self::Established => State::Established,
            Self::ShutdownPending => State::ShutdownPending,
            Self::ShutdownSent { .. } => State::ShutdownSent,
            Self::ShutdownReceived => State::ShutdownReceived,
            Self::ShutdownAckSent(_) => State::ShutdownAckSent,
        }
    }

    pub(crate) const fn attempt(&self) -> Option<&Attempt> {
        match self {
            Self::CookieWait(attempt)
            | Self::CookieEchoed { attempt, .. }
            | Self::ShutdownSent { attempt, .. }
            | Self::ShutdownAckSent(attempt) => Some(attempt),
            Self::Idle | Self::Established | Self::ShutdownPending | Self::ShutdownReceived | Self::Ended => None,
        }
    }

    pub(crate) const fn attempt_mut(&mut self) -> Option<&mut Attempt> {
        match self {
            Self::CookieWait(attempt)
            | Self::CookieEchoed { attempt, .. }
            | Self::ShutdownSent { attempt, .. }
            | Self::ShutdownAckSent(attempt) => Some(attempt),
            Self::Idle | Self::Established | Self::ShutdownPending | Self::ShutdownReceived | Self::Ended => None,
        }
    }

    /// Whether DATA may be sent, streams reset and the path probed.
    pub(crate) const fn carries_data(&self) -> bool {
        matches!(self, Self::Established | Self::ShutdownPending | Self::ShutdownReceived)
    }

    // RFC 9260 §6: "DATA chunks MUST only be received according to the rules below in ESTABLISHED, SHUTDOWN-PENDING, and
    // SHUTDOWN-SENT states."
    pub(crate) const fn takes_data(&self) -> bool {
        matches!(self, Self::Established | Self::ShutdownPending | Self::ShutdownSent { .. })
    }

    /// Whether the user may still send.
    pub(crate) const fn takes_messages(&self) -> bool {
        matches!(self, Self::Idle | Self::CookieWait(_) | Self::CookieEchoed { .. } | Self::Established)
    }
}
