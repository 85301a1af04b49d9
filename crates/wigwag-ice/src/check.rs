//! Checks: sending, answering, and being answered (RFC 8445 §7).

use crate::agent::Agent;
use crate::candidate::peer_reflexive_priority;
use crate::check_list::CheckList;
use crate::decision::Deed;
use crate::nomination::Nomination;
use crate::pair::{PairId, PairState, Path, Valid};
use crate::persistence::Check;
use crate::{Role, consent};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tracing::debug;
use wigwag_sansio::Protocol;
use wigwag_stun::{AttributeType, Class, ErrorCode, Message, MessageWriter, TransactionId};

/// RFC 8445 §14.3: "RTO = MAX (500ms, Ta * N * (Num-Waiting + Num-In-Progress))"
const RTO_MIN: Duration = Duration::from_millis(500);
/// A response that takes longer than all retransmissions of its request comes too late.
const TRANSACTION_AGE_MAX: Duration = Duration::from_secs(40);
/// A peer that checks all of 100 pairs at once is answered.
const ANSWERS_MAX: usize = 128;
/// So many attributes are listed that were not understood.
const UNKNOWN_MAX: usize = 8;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Does this path work?
    Check,
    /// It works; let us use it.
    Nomination,
    /// May I go on sending?
    Consent,
}

/// A request as it was sent for the first time; it is the same when it is sent again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub(crate) transaction: TransactionId,
    purpose: Purpose,
    role: Role,
    tie_breaker: u64,
    priority: u32,
}

/// Writes who the agent takes itself for.
pub(crate) fn claim(role: Role, tie_breaker: u64, writer: MessageWriter<'_>) -> MessageWriter<'_> {
    match role {
        Role::Controlling => writer.ice_controlling(tie_breaker),
        Role::Controlled => writer.ice_controlled(tie_breaker),
    }
}

/// A request whose answer would be understood, also if it is not sent again any more.
#[derive(Clone, Copy, Debug)]
struct Transaction {
    pair: PairId,
    path: Path,
    request: Request,
    sent_at: Instant,
    is_retransmitted: bool,
}

/// The requests that may be answered, in the order of their ids.
#[derive(Debug, Default)]
pub(crate) struct Transactions(Vec<Transaction>);

impl Transactions {
    /// New transactions are paced, and old ones leave here, so their number is bounded by age over pace, and by the
    /// pairs whose check is still being sent.
    fn insert(&mut self, transaction: Transaction, list: &CheckList) {
        let now = transaction.sent_at;
        let is_alive = |old: &Transaction| {
            now.saturating_duration_since(old.sent_at) < TRANSACTION_AGE_MAX
                || list.get(old.pair).is_some_and(|pair| pair.awaits(old.request.transaction))
        };
        self.0.retain(is_alive);
        let (Ok(place) | Err(place)) = self.place(transaction.request.transaction);
        self.0.insert(place, transaction);
        // What many pairs needed at first, the few that are left do not.
        if self.0.capacity() > 8 * self.0.len() {
            self.0.shrink_to(2 * self.0.len());
        }
    }

    fn place(&self, id: TransactionId) -> Result<usize, usize> {
        self.0.binary_search_by_key(&id, |transaction| transaction.request.transaction)
    }

    fn get(&self, id: TransactionId) -> Option<Transaction> {
        self.0.get(self.place(id).ok()?).copied()
    }

    fn get_mut(&mut self, id: TransactionId) -> Option<&mut Transaction> {
        let place = self.place(id).ok()?;
        self.0.get_mut(place)
    }

    fn remove(&mut self, id: TransactionId) {
        if let Ok(place) = self.place(id) {
            self.0.remove(place);
        }
    }

    pub(crate) fn contains(&self, transaction: TransactionId) -> bool {
        self.place(transaction).is_ok()
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The pair goes another way: what it still awaits comes there, and the rest not at all.
    pub(crate) fn rename(&mut self, pair: PairId, path: Path, is_awaited: impl Fn(TransactionId) -> bool) {
        self.0.retain(|known| known.pair != pair || is_awaited(known.request.transaction));
        self.0.iter_mut().filter(|known| known.pair == pair).for_each(|known| known.path = path);
    }

    /// The pair's place is taken by another.
    pub(crate) fn forget(&mut self, pair: PairId) {
        self.0.retain(|transaction| transaction.pair != pair);
    }
}

/// What a request is answered.
#[derive(Debug)]
enum Reply {
    Success,
    Error(ErrorCode<'static>),
    Unknown(Vec<AttributeType>),
}

/// Which of the agent's credentials a request names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Generation {
    /// Those of before the last restart.
    Previous,
    /// Those in effect.
    Current,
    /// Those in effect after the next restart.
    Prepared,
}

/// An answer that is owed.
#[derive(Debug)]
struct Answer {
    path: Path,
    transaction: TransactionId,
    reply: Reply,
    generation: Generation,
}

/// The answers that are owed, in turn.
#[derive(Debug, Default)]
pub(crate) struct Answers(VecDeque<Answer>);

impl Answers {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn forget(&mut self, generation: Generation) {
        self.0.retain(|answer| answer.generation != generation);
    }

    /// The stream is no more: what is sent there would open another.
    pub(crate) fn forget_stream(&mut self, path: Path) {
        self.0.retain(|answer| answer.path != path);
    }

    /// What was to come is now; the rest is of the past.
    pub(crate) fn begin_anew(&mut self) {
        self.0.retain(|answer| answer.generation == Generation::Prepared);
        self.0.iter_mut().for_each(|answer| answer.generation = Generation::Current);
    }
}

/// Sending.
impl Agent {
    /// Writes the answer whose turn it is.
    pub(crate) fn write_answer(&mut self, out: &mut Vec<u8>) -> Option<Path> {
        let Answer { path, transaction, reply, generation } = self.answers.0.pop_front()?;
        let key = match (generation, &self.previous, &self.prepared) {
            (Generation::Current, ..) => &self.local.key,
            (Generation::Previous, Some(previous), _) => &previous.local.key,
            (Generation::Prepared, _, Some(prepared)) => &prepared.identity.key,
            // What it asked about has ended meanwhile.
            (Generation::Previous, None, _) | (Generation::Prepared, _, None) => return self.write_answer(out),
        };
        out.clear();
        let writer = match reply {
            Reply::Success => MessageWriter::success(out, transaction, path.remote),
            Reply::Error(error) => MessageWriter::error(out, transaction, error),
            Reply::Unknown(unknown) => MessageWriter::error(out, transaction, ErrorCode::UNKNOWN_ATTRIBUTE)
                .unknown_attributes(unknown.into_iter()),
        };
        writer.integrity(key).fingerprint();
        self.stats.responses_sent += 1;
        if let Some(pair) = self.list.find(path) {
            self.list.count(pair, |stats| stats.responses_sent += 1);
        }
        Some(path)
    }

    /// Writes a check that is owed again.
    pub(crate) fn write_resend(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Path> {
        let id = self.list.resend()?;
        let (path, request) = self.list.update(id, |pair| match &mut pair.state {
            PairState::InProgress(check) => {
                check.resend(now);
                Some((pair.path, check.request))
            }
            PairState::Frozen | PairState::Waiting | PairState::Succeeded | PairState::Failed => None,
        })??;
        if let Some(transaction) = self.transactions.get_mut(request.transaction) {
            transaction.is_retransmitted = true;
        }
        self.streams.note(path, now);
        self.stats.checks_retransmitted += 1;
        self.write_request(request, out).then_some(path)
    }

    /// Writes a new check of a pair.
    pub(crate) fn write_check(
        &mut self,
        pair: PairId,
        purpose: Purpose,
        now: Instant,
        out: &mut Vec<u8>,
    ) -> Option<Path> {
        let why = match (purpose, self.list.get(pair)?.triggered) {
            (Purpose::Nomination, _) => "to nominate it",
            (Purpose::Check | Purpose::Consent, Some(_)) => "the peer has checked it, or it is new",
            (Purpose::Check | Purpose::Consent, None) => "it is the best that waits",
        };
        let (path, request) = self.new_request(pair, purpose, now)?;
        self.note(Deed::Checked, Some(path), why);
        let check = match path.protocol {
            Protocol::Udp => Check::new(request, self.rto(), now),
            Protocol::Tcp | Protocol::Tls => Check::over_stream(request, now),
        };
        self.streams.note(path, now);
        self.list.update(pair, |pair| pair.state = PairState::InProgress(check))?;
        self.pace = now.checked_add(self.config.pacing);
        self.stats.checks_sent += 1;
        self.list.count(pair, |stats| stats.requests_sent += 1);
        self.write_request(request, out).then_some(path)
    }

    /// A request that was never sent before, which may be answered from now on.
    pub(crate) fn new_request(&mut self, pair: PairId, purpose: Purpose, now: Instant) -> Option<(Path, Request)> {
        let (path, local) = self.list.get(pair).map(|pair| (pair.path, pair.local))?;
        let priority = peer_reflexive_priority(path.protocol, self.local_candidates.get(local)?.priority);
        let transaction = TransactionId::random(&mut self.rng);
        let request = Request { transaction, purpose, role: self.role, tie_breaker: self.tie_breaker, priority };
        let transaction = Transaction { pair, path, request, sent_at: now, is_retransmitted: false };
        self.transactions.insert(transaction, &self.list);
        Some((path, request))
    }

    pub(crate) fn write_request(&self, request: Request, out: &mut Vec<u8>) -> bool {
        let Some(peer) = &self.peer else { return false };
        out.clear();
        // RFC 8445 §7.1.1: "The PRIORITY attribute MUST be included in a Binding request"
        let writer =
            MessageWriter::request(out, request.transaction).username(&peer.username).priority(request.priority);
        let writer = claim(request.role, request.tie_breaker, writer);
        let writer = match request.purpose {
            Purpose::Nomination => writer.use_candidate(),
            Purpose::Check | Purpose::Consent => writer,
        };
        writer.integrity(&peer.identity.key).fingerprint();
        true
    }

    fn rto(&self) -> Duration {
        let unresolved = u32::try_from(self.list.unresolved()).unwrap_or(u32::MAX);
        self.config.pacing.saturating_mul(unresolved).max(RTO_MIN)
    }

    /// Sends again or gives up what was not answered in time.
    pub(crate) fn expire_checks(&mut self, now: Instant) {
        while let Some(id) = self.list.overdue(now) {
            let is_alive = self.list.update(id, |pair| match &mut pair.state {
                PairState::InProgress(check) => check.expire(now),
                PairState::Frozen | PairState::Waiting | PairState::Succeeded | PairState::Failed => true,
            });
            if is_alive == Some(false) {
                self.give_up(id, now);
            }
        }
    }

    /// A check was not answered. If it was to nominate a pair that has answered others meanwhile, the pair is nominated anew: it
    /// works, as its consent says.
    fn give_up(&mut self, id: PairId, now: Instant) {
        let is_working = self.list.update(id, |pair| {
            let is_nominating =
                matches!(&pair.state, PairState::InProgress(check) if check.request.purpose == Purpose::Nomination);
            let is_working = is_nominating && pair.is_valid(now);
            if is_working {
                pair.state = PairState::Succeeded;
            }
            is_working
        });
        match is_working {
            Some(true) => self.nomination_failed(id),
            Some(false) | None => self.fail_pair(id, "not answered"),
        }
    }

    pub(crate) fn fail_pair(&mut self, id: PairId, why: &'static str) {
        let path = self.list.update(id, |pair| {
            (pair.state, pair.valid) = (PairState::Failed, None);
            pair.path
        });
        let Some(path) = path else { return };
        debug!(?path, why, "pair failed");
        self.note(Deed::Failed, Some(path), why);
        self.nomination_failed(id);
    }
}

/// Answering.
impl Agent {
    pub(crate) fn handle_request(&mut self, message: &Message<'_>, path: Path, now: Instant) {
        let ufrag = message.attributes.username.and_then(|username| username.split_once(':')).map(|(local, _)| local);
        // RFC 8445 §7.3: the fragment before the colon is ours; the other is the peer's affair, who proves itself by
        // our password.
        let Some((generation, key)) = ufrag.and_then(|ufrag| self.named(ufrag)) else {
            self.stats.unknown_ufrag += 1;
            return;
        };
        if !message.is_authentic(key) {
            self.stats.unauthenticated_requests += 1;
        } else if self.has_ended() && generation != Generation::Prepared {
            self.stats.after_end += 1;
        } else if !self.has_base(path) {
            self.stats.unknown_local_address += 1;
        } else if self.answers.0.len() >= ANSWERS_MAX {
            self.stats.too_many_requests += 1;
        } else {
            self.stats.checks_received += 1;
            match self.reply(generation, message, path, now) {
                Some(reply) => {
                    self.streams.note(path, now);
                    self.answers.0.push_back(Answer { path, transaction: message.transaction(), reply, generation });
                }
                None => self.stats.too_many_requests += 1,
            }
        }
    }

    /// What a request is answered; nothing if there is no room for its pair.
    fn reply(&mut self, generation: Generation, message: &Message<'_>, path: Path, now: Instant) -> Option<Reply> {
        // RFC 8489 §6.3.1: "If the request contains one or more unknown comprehension-required attributes, the server
        // replies with an error response with an error code of 420 (Unknown Attribute) and includes an
        // UNKNOWN-ATTRIBUTES attribute in the response that lists the unknown comprehension-required attributes."
        if message.has_unknown_required() {
            return Some(Reply::Unknown(message.unknown_required().take(UNKNOWN_MAX).collect()));
        }
        if generation == Generation::Previous {
            // It keeps the peer's consent alive, and changes nothing in this generation.
            self.hear_previous(path, now);
            return Some(Reply::Success);
        }
        let Some(priority) = message.attributes.priority else { return Some(Reply::Error(ErrorCode::BAD_REQUEST)) };
        if !self.resolve_role(message) {
            return Some(Reply::Error(ErrorCode::ROLE_CONFLICT));
        }
        if generation == Generation::Prepared {
            self.note_early(message, priority, path, now);
            return Some(Reply::Success);
        }
        // Whoever was told that a path works would send on it, and nominate it, and we know nothing of it.
        let id = self.pair_of_request(path, priority)?;
        self.list.hear(id, now);
        self.list.count(id, |stats| stats.requests_received += 1);
        if self.config.lite {
            self.believe(id, message.attributes.use_candidate, now);
        } else {
            self.trigger_for_peer(id, now);
        }
        if message.attributes.use_candidate {
            self.nominated_by_peer(id, message.transaction(), now);
        }
        Some(Reply::Success)
    }

    /// RFC 8445 §7.3.1.4: what the peer has checked is checked next, unless it is known to work.
    fn trigger_for_peer(&mut self, id: PairId, now: Instant) {
        let Some(pair) = self.list.get(id) else { return };
        match pair.state {
            PairState::Succeeded if pair.is_valid(now) => {}
            // A nomination is sent again by its own timer.
            PairState::InProgress(_) if pair.is_valid(now) => {}
            PairState::Frozen | PairState::Waiting => self.list.trigger(id),
            PairState::InProgress(_) | PairState::Succeeded | PairState::Failed if self.may_try_again() => {
                self.list.trigger(id);
            }
            PairState::InProgress(_) | PairState::Succeeded | PairState::Failed => {}
        }
    }

    /// RFC 8445 §7.3.1.1: settles who controls; `false` if the peer has to give way.
    fn resolve_role(&mut self, message: &Message<'_>) -> bool {
        let theirs = match self.role {
            Role::Controlling => message.attributes.ice_controlling,
            Role::Controlled => message.attributes.ice_controlled,
        };
        let Some(theirs) = theirs else { return true };
        let is_ours_greater = self.tie_breaker >= theirs;
        let must_switch = match self.role {
            Role::Controlling => !is_ours_greater,
            Role::Controlled => is_ours_greater,
        };
        self.stats.role_conflicts += 1;
        // A lite agent never controls one that sends checks.
        let must_switch = must_switch && !self.config.lite;
        if must_switch {
            self.switch_role();
        }
        must_switch
    }

    fn switch_role(&mut self) {
        self.role = self.role.other();
        debug!(role = ?self.role, "role conflict: switched");
        let why = match self.role {
            Role::Controlling => "role conflict: controlling now",
            Role::Controlled => "role conflict: controlled now",
        };
        self.note(Deed::SwitchedRole, None, why);
        self.restart_nomination();
        self.reprioritize();
    }
}

/// Being answered.
impl Agent {
    pub(crate) fn handle_response(&mut self, message: &Message<'_>, path: Path, now: Instant) {
        if self.previous.as_ref().is_some_and(|previous| previous.is_awaiting(message.transaction())) {
            return self.handle_previous_response(message, path, now);
        }
        let known = self.transactions.get(message.transaction());
        let Some((transaction, peer)) = known.zip(self.peer.as_ref()) else {
            self.stats.unknown_transaction += 1;
            return;
        };
        if !message.is_authentic(&peer.identity.key) {
            self.stats.unauthenticated_responses += 1;
            return;
        }
        if transaction.path != path {
            self.stats.asymmetric_responses += 1;
            return self.misdirected(&transaction);
        }
        self.transactions.remove(message.transaction());
        self.list.hear(transaction.pair, now);
        self.list.count(transaction.pair, |stats| stats.responses_received += 1);
        match (message.class(), message.attributes.xor_mapped_address) {
            (Class::SuccessResponse, Some(mapped)) if !message.has_unknown_required() => {
                self.stats.responses_received += 1;
                self.succeeded(&transaction, mapped, now);
            }
            (Class::ErrorResponse, _) => {
                self.stats.errors_received += 1;
                let code = message.attributes.error_code.map_or(0, |error| error.code);
                self.refused(&transaction, code);
            }
            (Class::SuccessResponse | Class::Request | Class::Indication, _) => {
                // RFC 8489 §6.3.3: "If the success response contains unknown comprehension-required attributes, the
                // response is discarded and the transaction is considered to have failed."
                self.stats.malformed += 1;
                self.refused(&transaction, 0);
            }
        }
    }

    /// RFC 8445 §7.2.5.2.1: an answer comes from where the request was sent, or the pair has failed.
    ///
    /// That is a rule for checks: somebody who sees the peer's consent to a path in use and sends it on from elsewhere
    /// must not be able to end it. And of a stream that has ended something may come late, when its check waits for another.
    fn misdirected(&mut self, transaction: &Transaction) {
        match transaction.request.purpose {
            _ if transaction.path.protocol != Protocol::Udp => {}
            Purpose::Check | Purpose::Nomination => {
                self.transactions.remove(transaction.request.transaction);
                self.fail_pair(transaction.pair, "answered on another path");
            }
            Purpose::Consent => {}
        }
    }

    fn succeeded(&mut self, transaction: &Transaction, mapped: SocketAddr, now: Instant) {
        let id = transaction.pair;
        let round_trip_time =
            (!transaction.is_retransmitted).then(|| now.saturating_duration_since(transaction.sent_at));
        let measured = round_trip_time.unwrap_or_default();
        self.list.count(id, |stats| stats.round_trip_time_total = stats.round_trip_time_total.saturating_add(measured));
        // An answer to an earlier request leaves a nomination on its way.
        let is_asked = matches!(self.nomination, Nomination::Asked(asked) if asked == id);
        let is_settled = !is_asked || transaction.request.purpose == Purpose::Nomination;
        let was_valid = self.list.update(id, |pair| {
            let was_valid = pair.is_valid(now);
            let round_trip_time = round_trip_time.or_else(|| pair.valid.and_then(|valid| valid.round_trip_time));
            pair.valid = now.checked_add(consent::EXPIRY).map(|until| Valid { until, round_trip_time });
            if is_settled {
                pair.state = PairState::Succeeded;
            }
            was_valid
        });
        match was_valid {
            None => return, // its place was needed
            Some(true) => {}
            Some(false) => {
                debug!(path = ?transaction.path, ?round_trip_time, "pair works");
                self.note(Deed::Succeeded, Some(transaction.path), "its check was answered");
            }
        }
        self.list.unfreeze(id);
        self.learn_mapped(id, mapped);
        self.pair_succeeded(id, transaction.request.purpose, transaction.request.role, now);
    }

    fn refused(&mut self, transaction: &Transaction, code: u16) {
        debug!(path = ?transaction.path, code, "refused");
        match (code, transaction.request.purpose) {
            (487, _) => {
                // RFC 8445 §7.2.5.1: whoever has switched meanwhile does not switch back.
                if transaction.request.role == self.role {
                    self.stats.role_conflicts += 1;
                    self.switch_role();
                    self.tie_breaker = self.rng.u64();
                }
                if self.may_try_again() {
                    self.list.trigger(transaction.pair);
                } else {
                    self.fail_pair(transaction.pair, "refused");
                }
            }
            // RFC 7675 §5.2 lets a peer revoke its consent by any means of its own; STUN's word for it is 403.
            (403, _) | (_, Purpose::Check | Purpose::Nomination) => self.fail_pair(transaction.pair, "refused"),
            (_, Purpose::Consent) => {}
        }
    }
}
