//! A request of the client's, until it is answered: asked again with credentials, or with another nonce, if the server wants that.

use std::time::Instant;
use wigwag_sansio::Rng;
use wigwag_stun::{Failure, Message, Retransmission, Transaction, TransactionId};

/// So often a request is asked anew because of its credentials. A nonce may grow old on the way; one that always does is of no use.
const ROUNDS_MAX: u32 = 4;

#[derive(Debug)]
pub(super) struct Request {
    transaction: Transaction,
    /// Whether it has shown credentials, when it was sent last.
    pub(super) is_signed: bool,
    rounds: u32,
    /// What an answer says that cannot be believed, should no better one come.
    rumour: Option<Failure>,
}

impl Request {
    /// A request that is owed.
    pub(super) fn new(rng: &mut Rng, retransmission: Retransmission) -> Self {
        let transaction = Transaction::new(TransactionId::random(rng), retransmission);
        Self { transaction, is_signed: false, rounds: 0, rumour: None }
    }

    /// Owed once more, as another transaction. `false` if it was asked too often.
    pub(super) fn ask_anew(&mut self, rng: &mut Rng, retransmission: Retransmission) -> bool {
        self.rounds = self.rounds.saturating_add(1);
        self.transaction = Transaction::new(TransactionId::random(rng), retransmission);
        self.rounds < ROUNDS_MAX
    }

    pub(super) const fn id(&self) -> TransactionId {
        self.transaction.id()
    }

    pub(super) const fn is_owed(&self) -> bool {
        self.transaction.is_owed()
    }

    pub(super) fn sent(&mut self, is_signed: bool, now: Instant) {
        self.is_signed = is_signed;
        self.transaction.sent(now);
    }

    /// Remembers what an answer says that nobody has signed: it is better than nothing for people.
    pub(super) fn heard(&mut self, message: &Message<'_>) {
        if message.attributes.error_code.is_some() {
            self.rumour = Some(Failure::refused(message));
        }
    }

    /// Time has passed. Why it has failed, if it has.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Option<Failure> {
        self.transaction.handle_timeout(now);
        self.transaction.has_failed().then(|| self.rumour.take().unwrap_or(Failure::TimedOut))
    }

    /// When to look again; not while it is owed, for then it is due.
    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        if self.is_owed() { None } else { self.transaction.poll_timeout(now) }
    }
}
