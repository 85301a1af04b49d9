//! The address that a server relays for (RFC 8656 §7, §8).
//!
//! ```text
//!   Asking ──▶ Held ──▶ Releasing ──▶ Over        what fails is Over
//! ```

use super::request::Request;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use wigwag_sansio::{Rng, Timer, earliest};
use wigwag_stun::{Failure, Retransmission, TransactionId};

/// RFC 8656 §3.2: "the default is 10 minutes"
pub(super) const LIFETIME: Duration = Duration::from_secs(600);
/// RFC 8656 §8: a client "SHOULD refresh" a minute before the end, as §7.2 reckons with.
const MARGIN: Duration = Duration::from_secs(60);
/// A server that cannot renew it is not asked more often.
const PAUSE_MIN: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) enum Allocation {
    Asking(Request),
    Held(Held),
    Releasing(Request),
    Over,
}

/// What the server has given.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) relayed: SocketAddr,
    pub(super) mapped: SocketAddr,
    expiry: Timer,
    renewal: Timer,
    request: Option<Request>,
    /// Why it was not renewed, since it was.
    refusal: Option<Failure>,
}

impl Held {
    pub(super) fn new(relayed: SocketAddr, mapped: SocketAddr, lifetime: Duration, now: Instant) -> Self {
        let (expiry, renewal) = (Timer::idle(), Timer::idle());
        let mut held = Self { relayed, mapped, expiry, renewal, request: None, refusal: None };
        held.prolong(lifetime, now);
        held
    }

    /// The server keeps it for so long from now on.
    pub(super) fn prolong(&mut self, lifetime: Duration, now: Instant) {
        let renewal = lifetime.checked_sub(MARGIN).filter(|at| *at >= MARGIN).unwrap_or_else(|| lifetime.div_f32(2.0));
        self.expiry = Timer::after(now, lifetime);
        self.renewal = Timer::after(now, renewal);
        (self.request, self.refusal) = (None, None);
    }

    /// The server cannot renew it now, and is asked again before it ends.
    pub(super) fn postpone(&mut self, refusal: Failure, now: Instant) {
        let left = self.expiry.deadline().map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        self.renewal = Timer::after(now, left.div_f32(4.0).max(PAUSE_MIN));
        (self.request, self.refusal) = (None, Some(refusal));
    }
}

impl Allocation {
    pub(super) const fn held(&self) -> Option<&Held> {
        match self {
            Self::Held(held) => Some(held),
            Self::Asking(_) | Self::Releasing(_) | Self::Over => None,
        }
    }

    pub(super) const fn request(&self) -> Option<&Request> {
        match self {
            Self::Asking(request) | Self::Releasing(request) => Some(request),
            Self::Held(held) => held.request.as_ref(),
            Self::Over => None,
        }
    }

    pub(super) const fn request_mut(&mut self) -> Option<&mut Request> {
        match self {
            Self::Asking(request) | Self::Releasing(request) => Some(request),
            Self::Held(held) => held.request.as_mut(),
            Self::Over => None,
        }
    }

    pub(super) fn is_awaiting(&self, transaction: TransactionId) -> bool {
        self.request().is_some_and(|request| request.id() == transaction)
    }

    pub(super) fn is_owed(&self) -> bool {
        self.request().is_some_and(Request::is_owed)
    }

    /// Time has passed. Why the allocation is lost, if it is.
    pub(super) fn handle_timeout(
        &mut self,
        rng: &mut Rng,
        retransmission: Retransmission,
        is_over_stream: bool,
        now: Instant,
    ) -> Option<Failure> {
        let mut failure = self.request_mut().and_then(|request| request.handle_timeout(now));
        if let Self::Held(held) = self {
            // A stream that is there loses nothing, but its driver may have had no room for the one request that there was.
            if let Some(refusal) = failure.take_if(|_| is_over_stream) {
                held.postpone(refusal, now);
            }
            if held.renewal.expire(now) {
                held.request = Some(Request::new(rng, retransmission));
            }
            let why = || held.refusal.take().unwrap_or(Failure::TimedOut);
            return failure.or_else(|| held.expiry.expire(now).then(why));
        }
        failure
    }

    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        let [expiry, renewal] = self.held().map_or([None; 2], |held| [held.expiry.deadline(), held.renewal.deadline()]);
        earliest([self.request().and_then(|request| request.deadline(now)), expiry, renewal])
    }
}
