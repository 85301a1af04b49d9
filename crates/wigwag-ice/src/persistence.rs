//! How often and how long a check is sent (RFC 8489 §6.2.1).

use crate::check::Request;
use std::time::{Duration, Instant};
use wigwag_sansio::{Backoff, Timer};
use wigwag_stun::TransactionId;

/// RFC 8489 §6.2.1: "Rc SHOULD be configurable and SHOULD have a default of 7."
const REQUESTS_MAX: u32 = 7;
/// RFC 8489 §6.2.1: "Rm SHOULD be configurable and SHOULD have a default of 16."
const LAST_WAIT: u32 = 16;
/// Where one of ten is lost, three requests or their answers are lost together less than once in a hundred times.
const DOUBTFUL: u32 = 3;
/// So long a check is sent again and waited for: 7 requests and a last wait with the least RTO. Where there are many pairs the RTO is
/// longer, and the requests are fewer: a hundred pairs would be waited for for more than six minutes.
const CHECK_MAX: Duration = Duration::from_millis(39_500);

/// What a request is sent over.
#[derive(Debug)]
enum Way {
    /// Something may be lost: it is sent again.
    Datagrams,
    /// Nothing is lost: it is sent once.
    Stream,
    /// The stream could not be opened, or has ended: after a while it is tried again with another.
    Broken,
}

/// After so long without an answer over a stream there will hardly be one: as long as three datagrams are waited for.
const STREAM_DOUBT: Duration = Duration::from_millis(3_500);
/// How long the first broken stream is waited for before the next, doubled; each next wait is twice as long.
const STREAM_WAIT: Duration = Duration::from_millis(250);

/// A request that is sent again until it is answered or given up.
#[derive(Debug)]
pub(crate) struct Check {
    pub(crate) request: Request,
    rto: Duration,
    backoff: Backoff,
    sent: u32,
    way: Way,
    retransmit: Timer,
    pub(crate) is_resend_owed: bool,
    /// How much of `CHECK_MAX` is left behind the wait that runs; a program that was stopped does not use it up.
    time_left: Duration,
}

impl Check {
    pub(crate) fn new(request: Request, rto: Duration, now: Instant) -> Self {
        let backoff = Backoff::new(rto, Duration::MAX);
        let retransmit = Timer::idle();
        let (sent, way, is_resend_owed, time_left) = (1, Way::Datagrams, false, CHECK_MAX);
        let mut check = Self { request, rto, retransmit, backoff, sent, way, is_resend_owed, time_left };
        check.wait(rto, now);
        check
    }

    /// RFC 8489 §6.2.2: over a stream, which loses nothing, a request is sent once, and waited for for Ti: "Ti SHOULD be configurable and
    /// SHOULD have a default of 39.5s."
    pub(crate) fn over_stream(request: Request, now: Instant) -> Self {
        let backoff = Backoff::new(STREAM_WAIT, Duration::MAX);
        Self { way: Way::Stream, backoff, ..Self::new(request, STREAM_DOUBT, now) }
    }

    /// The stream could not be opened, or has ended without an answer: it is sent again over another.
    pub(crate) fn stream_ended(&mut self, now: Instant) {
        let left = self.retransmit.deadline().map(|at| at.saturating_duration_since(now));
        self.time_left = self.time_left.saturating_add(left.unwrap_or_default());
        (self.way, self.is_resend_owed, self.sent) = (Way::Broken, false, 1);
        let wait = self.backoff.double();
        self.wait(wait, now);
    }

    /// Takes note of the time; `false` if it was sent often or waited for long enough.
    pub(crate) fn expire(&mut self, now: Instant) -> bool {
        if !self.retransmit.expire(now) {
            return true;
        }
        let is_to_be_sent = match self.way {
            Way::Datagrams => self.sent < REQUESTS_MAX,
            Way::Stream if !self.time_left.is_zero() => {
                self.sent = DOUBTFUL;
                self.wait(Duration::MAX, now);
                return true;
            }
            Way::Stream => false,
            Way::Broken => true,
        };
        self.is_resend_owed = is_to_be_sent && !self.time_left.is_zero();
        self.is_resend_owed
    }

    pub(crate) fn resend(&mut self, now: Instant) {
        self.is_resend_owed = false;
        self.sent = self.sent.saturating_add(1);
        let wait = match self.way {
            Way::Datagrams if self.sent < REQUESTS_MAX => self.backoff.double(),
            Way::Datagrams => self.rto.saturating_mul(LAST_WAIT),
            Way::Stream | Way::Broken => STREAM_DOUBT,
        };
        if matches!(self.way, Way::Broken) {
            self.way = Way::Stream;
        }
        self.wait(wait, now);
    }

    fn wait(&mut self, wait: Duration, now: Instant) {
        let wait = wait.min(self.time_left);
        self.time_left -= wait;
        self.retransmit = Timer::after(now, wait);
    }

    pub(crate) fn is_of(&self, transaction: TransactionId) -> bool {
        self.request.transaction == transaction
    }

    pub(crate) const fn deadline(&self) -> Option<Instant> {
        self.retransmit.deadline()
    }

    /// Whether it was sent so often, or has waited for so long, that it will hardly be answered.
    pub(crate) const fn is_doubtful(&self) -> bool {
        self.sent >= DOUBTFUL
    }

    #[cfg(debug_assertions)]
    pub(crate) const fn is_alive(&self) -> bool {
        self.is_resend_owed || self.retransmit.is_armed()
    }
}
