//! What a server lets us do for a while, if it is asked again and again: reach a peer (RFC 8656 §9), call it by a number (§12).
//!
//! ```text
//!   due ──▶ asked ──▶ held ──▶ due …          asked ──▶ refused, unless it is still held
//! ```

use super::request::Request;
use std::time::{Duration, Instant};
use wigwag_sansio::{Rng, Timer, earliest};
use wigwag_stun::{Failure, Retransmission, TransactionId};

/// A server that does not answer is asked again after this.
const PAUSE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Grant {
    is_due: bool,
    pub(super) request: Option<Request>,
    /// Until when the server keeps it.
    held: Timer,
    /// When it is asked for again.
    again: Timer,
}

impl Grant {
    /// One that is to be asked for.
    pub(super) const fn due() -> Self {
        Self { is_due: true, request: None, held: Timer::idle(), again: Timer::idle() }
    }

    /// Whether the server keeps it.
    pub(super) const fn is_held(&self) -> bool {
        self.held.is_armed()
    }

    /// Whether it may be in force: what was asked for may be there before the answer is.
    pub(super) const fn may_be_held(&self) -> bool {
        self.is_held() || self.request.is_some()
    }

    pub(super) fn is_awaiting(&self, transaction: TransactionId) -> bool {
        self.request.as_ref().is_some_and(|request| request.id() == transaction)
    }

    pub(super) fn is_owed(&self) -> bool {
        self.request.as_ref().is_some_and(Request::is_owed)
    }

    /// It is of use to nobody: it is not asked for again when it is time.
    pub(super) fn skip(&mut self, now: Instant) {
        let _ = self.again.expire(now);
    }

    /// It is of use, and is asked for at once if it would not be later. Whether it is.
    pub(super) fn keep(&mut self) -> bool {
        let is_new = self.is_held() && self.request.is_none() && !self.again.is_armed() && !self.is_due;
        self.is_due |= is_new;
        is_new
    }

    /// The server keeps it for `lifetime`; it is asked for again after `renewal`.
    pub(super) fn hold(&mut self, [lifetime, renewal]: [Duration; 2], now: Instant) {
        *self = Self { held: Timer::after(now, lifetime), again: Timer::after(now, renewal), ..Self::due() };
        self.is_due = false;
    }

    /// The server does not give it, and is not asked again; or does not renew what it has given, which it keeps until the end of that,
    /// and is asked again meanwhile. Whether there is nothing left.
    pub(super) fn refuse(&mut self, now: Instant) -> bool {
        let is_over = !self.is_held();
        let again = if is_over { Timer::idle() } else { Timer::after(now, PAUSE) };
        (self.is_due, self.request, self.again) = (false, None, again);
        is_over
    }

    /// Time has passed. What is due becomes a request. Why an old one has failed, if it has.
    pub(super) fn handle_timeout(
        &mut self,
        rng: &mut Rng,
        retransmission: Retransmission,
        now: Instant,
    ) -> Option<Failure> {
        let failure = self.request.as_mut().and_then(|request| request.handle_timeout(now));
        if failure.is_some() {
            self.request = None;
            self.again = Timer::after(now, PAUSE);
        }
        let _ = self.held.expire(now);
        self.is_due |= self.again.expire(now);
        if self.is_due && self.request.is_none() {
            self.is_due = false;
            self.request = Some(Request::new(rng, retransmission));
        }
        failure
    }

    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        let request = self.request.as_ref().and_then(|request| request.deadline(now));
        earliest([request, self.held.deadline(), self.again.deadline()])
    }
}
