//! A request, sent again until it is answered or given up (RFC 8489 §6.2.1); over a stream it is sent once (§6.2.2).
//!
//! ```text
//!   Owed ──▶ Waiting ──▶ Failed
//!     ▲         │
//!     └─────────┘ not answered in time
//! ```

use crate::TransactionId;
use std::time::{Duration, Instant};
use wigwag_sansio::{Backoff, Timer};

/// How often and how long a request is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retransmission {
    /// How long the first answer is waited for; each further one twice as long. 500 ms.
    pub rto: Duration,
    /// Rc: so often the request is sent. 7.
    pub requests_max: u32,
    /// Rm: so many times the first waiting time the last answer is waited for. 16.
    pub last_wait: u32,
}

impl Default for Retransmission {
    fn default() -> Self {
        // RFC 8489 §6.2.1: "In fixed-line access links, a value of 500 ms is RECOMMENDED." "Rc SHOULD be configurable and
        // SHOULD have a default of 7." "Rm SHOULD be configurable and SHOULD have a default of 16."
        Self { rto: Duration::from_millis(500), requests_max: 7, last_wait: 16 }
    }
}

impl Retransmission {
    /// Over a stream, which sends again what is lost: one request, whose answer is waited for as long as that of the last of seven.
    pub const fn over_stream() -> Self {
        // RFC 8489 §6.2.2: "there are no retransmissions at the STUN protocol level." "Ti SHOULD be configurable and SHOULD have a
        // default of 39.5s."
        Self { rto: Duration::from_millis(39_500), requests_max: 1, last_wait: 1 }
    }
}

#[derive(Debug)]
enum State {
    /// The request is to be sent, for the first time or again.
    Owed,
    Waiting {
        again: Timer,
    },
    Failed,
}

/// One request, whose owner writes it whenever it is owed, each time the same.
#[derive(Debug)]
pub struct Transaction {
    id: TransactionId,
    retransmission: Retransmission,
    backoff: Backoff,
    sent: u32,
    sent_at: Option<Instant>,
    state: State,
}

impl Transaction {
    /// A request that is owed.
    pub fn new(id: TransactionId, retransmission: Retransmission) -> Self {
        let backoff = Backoff::new(retransmission.rto, Duration::MAX);
        Self { id, retransmission, backoff, sent: 0, sent_at: None, state: State::Owed }
    }

    /// Its id.
    pub const fn id(&self) -> TransactionId {
        self.id
    }

    /// Whether the request is to be sent now.
    pub const fn is_owed(&self) -> bool {
        matches!(self.state, State::Owed)
    }

    /// Whether it was never sent.
    pub const fn is_new(&self) -> bool {
        self.sent == 0
    }

    /// Whether it was sent often enough, and long enough ago.
    pub const fn has_failed(&self) -> bool {
        matches!(self.state, State::Failed)
    }

    /// How long an answer that comes now has taken, if it is clear which request it answers.
    pub fn round_trip_time(&self, now: Instant) -> Option<Duration> {
        // RFC 8489 §6.2.1: "RTT estimates SHOULD NOT be computed from STUN transactions that result in the
        // retransmission of a request"
        self.sent_at.filter(|_| self.sent == 1).map(|at| now.saturating_duration_since(at))
    }

    /// Takes note that the request was sent.
    pub fn sent(&mut self, now: Instant) {
        self.sent = self.sent.saturating_add(1);
        self.sent_at = Some(now);
        let wait = match () {
            () if self.sent >= self.retransmission.requests_max => {
                self.retransmission.rto.saturating_mul(self.retransmission.last_wait)
            }
            () if self.sent == 1 => self.backoff.current(),
            () => self.backoff.double(),
        };
        self.state = State::Waiting { again: Timer::after(now, wait) };
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let State::Waiting { again } = &mut self.state
            && again.expire(now)
        {
            let is_last = self.sent >= self.retransmission.requests_max;
            self.state = if is_last { State::Failed } else { State::Owed };
        }
    }

    /// When to call again; `Some(now)` if the request is owed.
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        match &self.state {
            State::Owed => Some(now),
            State::Waiting { again } => again.deadline(),
            State::Failed => None,
        }
    }
}
