//! The agent: what it knows, the five calls, and what follows from a change (RFC 8445).

use crate::candidate::Candidate;
use crate::check::{Answers, Purpose, Transactions};
use crate::check_list::CheckList;
use crate::consent::Consent;
use crate::credentials::{Identity, Peer};
use crate::decision::{Decisions, Deed};
use crate::gathering::Gathering;
use crate::nomination::Nomination;
use crate::pair::{PairId, Path};
use crate::restart::Previous;
use crate::trickle::Foundation;
use crate::{Config, Credentials, Event, Role, State, Stats};
use std::time::{Duration, Instant};
use tracing::debug;
use wigwag_sansio::{Datagram, Monotonic, Protocol, Rng, Seed, Timer, Transmit, earliest};
use wigwag_stun::{Class, Message, Method, TransactionId};

/// RFC 8445 appendix B.1: "Experience has shown that many NAT devices have upper limits on the rate at which they will
/// create new bindings. Discussions in the IETF ICE WG during the work on this specification concluded that once every
/// 5 ms is well supported. This is why Ta has a lower bound of 5 ms."
const PACING_MIN: Duration = Duration::from_millis(5);

/// How long the agent goes on although nothing works (RFC 8863).
#[derive(Debug)]
enum Patience {
    /// The peer is not known yet.
    Unneeded,
    /// It begins with the next call that tells the time.
    Beginning,
    /// It ends here.
    Running(Timer),
    /// It has ended.
    Over,
}

/// What was told by events.
#[derive(Debug)]
struct Told {
    state: State,
    role: Role,
    path: Option<Path>,
}

/// What is due when, computed after each change, so that polls with nothing to do cost nothing.
#[derive(Debug, Default)]
struct Agenda {
    wake: Option<Instant>,
    is_check_wanted: bool,
    is_question_wanted: bool,
    is_resend_owed: bool,
}

/// One ICE agent for one session of one stream with one component, as WebRTC bundles everything.
#[derive(Debug)]
pub struct Agent {
    pub(crate) config: Config,
    pub(crate) rng: Rng,
    clock: Monotonic,
    pub(crate) role: Role,
    pub(crate) tie_breaker: u64,
    pub(crate) local: Identity,
    pub(crate) peer: Option<Peer>,
    pub(crate) local_candidates: Vec<Candidate>,
    pub(crate) remote_candidates: Vec<Candidate>,
    pub(crate) has_all_local: bool,
    pub(crate) has_all_remote: bool,
    pub(crate) foundations: Vec<Foundation>,
    pub(crate) list: CheckList,
    pub(crate) transactions: Transactions,
    pub(crate) answers: Answers,
    pub(crate) nomination: Nomination,
    /// How often we have nominated, in this generation.
    pub(crate) nominations: u32,
    pub(crate) gathering: Gathering,
    /// What was in use before the last restart.
    pub(crate) previous: Option<Previous>,
    pub(crate) generation: u32,
    /// The address in use has vanished.
    pub(crate) is_roaming: bool,
    pub(crate) is_remote_lite: bool,
    pub(crate) decisions: Decisions,
    pub(crate) selected: Option<PairId>,
    path: Option<Path>,
    pub(crate) consent: Consent,
    patience: Patience,
    /// No new check before.
    pub(crate) pace: Option<Instant>,
    state: State,
    told: Told,
    /// Something has changed since the agenda was computed.
    is_touched: bool,
    agenda: Agenda,
    pub(crate) stats: Stats,
}

/// What is told and asked.
impl Agent {
    /// An agent that knows nothing but itself.
    pub fn new(mut config: Config, seed: Seed) -> Self {
        let mut rng = Rng::new(seed);
        let credentials = config.credentials.take().unwrap_or_else(|| Credentials::random(&mut rng));
        config.pacing = config.pacing.max(PACING_MIN);
        let role = if config.lite { Role::Controlled } else { config.role };
        Self {
            clock: Monotonic::default(),
            role,
            tie_breaker: rng.u64(),
            local: Identity::new(credentials),
            peer: None,
            local_candidates: Vec::new(),
            remote_candidates: Vec::new(),
            has_all_local: false,
            has_all_remote: false,
            foundations: Vec::new(),
            list: CheckList::new(config.pairs_max),
            transactions: Transactions::default(),
            answers: Answers::default(),
            nomination: Nomination::default(),
            nominations: 0,
            gathering: Gathering::default(),
            previous: None,
            generation: 0,
            is_roaming: false,
            is_remote_lite: false,
            decisions: Decisions::default(),
            selected: None,
            path: None,
            consent: Consent::default(),
            patience: Patience::Unneeded,
            pace: None,
            state: State::New,
            told: Told { state: State::New, role, path: None },
            is_touched: false,
            agenda: Agenda::default(),
            stats: Stats::default(),
            config,
            rng,
        }
    }

    /// Who we are; to be signalled to the peer.
    pub const fn local_credentials(&self) -> &Credentials {
        &self.local.credentials
    }

    /// Who nominates.
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Says who nominates. Once checks were sent or received, this changes nothing: from then on the agents settle
    /// conflicts between them.
    pub fn set_role(&mut self, role: Role) {
        if self.config.role != role && self.stats.checks_sent == 0 && self.stats.checks_received == 0 {
            self.config.role = role;
            self.determine_role();
            self.assume_role_known();
            self.touch();
        }
    }

    /// Says who the peer is. Checks are sent from now on; those that came before were answered and are remembered.
    ///
    /// If the peer was known, and this is another, it has begun anew, and so does this agent: it
    /// [restarts](Self::restart), and its new local credentials are to be signalled.
    pub fn set_remote_credentials(&mut self, credentials: Credentials) {
        if self.peer.as_ref().is_some_and(|peer| peer.identity.credentials == credentials) {
            return;
        }
        if self.peer.is_some() && self.restart().is_err() || self.has_ended() {
            return;
        }
        self.peer = Some(Peer::new(credentials, &self.local.credentials));
        if let Patience::Unneeded = self.patience {
            self.patience = Patience::Beginning;
        }
        self.touch();
    }

    /// All local candidates, those learned from checks included, in the order in which they became known.
    pub fn local_candidates(&self) -> &[Candidate] {
        &self.local_candidates
    }

    /// All remote candidates that can be used, those learned from checks included, in the order in which they became
    /// known.
    pub fn remote_candidates(&self) -> &[Candidate] {
        &self.remote_candidates
    }

    /// How far the agent is.
    pub const fn state(&self) -> State {
        self.state
    }

    /// Where what is not STUN may be sent: the nominated pair, or the best that works until one is nominated. `None`
    /// if no pair works or the peer's consent has expired.
    pub const fn selected_path(&self) -> Option<Path> {
        self.path
    }

    /// Whether a STUN message came this way that was authenticated. Other protocols may be received on it.
    pub fn is_open(&self, path: Path) -> bool {
        let path = path.normal();
        let pair = self.list.find(path).and_then(|id| self.list.get(id));
        pair.is_some_and(|pair| pair.heard.is_some()) || self.was_in_use(path)
    }

    /// Whether a check of ours was answered on this path, and the consent that it gave has not expired.
    pub fn is_proven(&self, path: Path) -> bool {
        let path = path.normal();
        let pair = self.list.find(path).and_then(|id| self.list.get(id));
        pair.zip(self.clock.seen()).is_some_and(|(pair, now)| pair.is_valid(now)) || self.was_in_use(path)
    }

    /// Whether this was the path before a restart, and the peer still consents.
    fn was_in_use(&self, path: Path) -> bool {
        let previous = self.previous.as_ref().filter(|previous| previous.path == path);
        previous.zip(self.clock.seen()).is_some_and(|(previous, now)| now < previous.until)
    }

    /// Whether a response of this transaction is for this agent.
    pub fn is_awaiting(&self, transaction: TransactionId) -> bool {
        self.transactions.contains(transaction)
            || self.gathering.is_awaiting(transaction)
            || self.previous.as_ref().is_some_and(|previous| previous.is_awaiting(transaction))
    }

    /// How long the last answer on the selected path took.
    pub fn round_trip_time(&self) -> Option<Duration> {
        self.selected.and_then(|id| self.list.get(id)?.valid?.round_trip_time)
    }

    /// What was counted.
    pub const fn stats(&self) -> &Stats {
        &self.stats
    }

    /// How many pairs were looked at since the beginning: the measure of work.
    pub const fn visits(&self) -> u64 {
        self.list.visits()
    }

    /// Ends the agent: nothing is sent any more.
    pub fn close(&mut self) {
        self.end(State::Closed);
    }

    pub(crate) const fn has_ended(&self) -> bool {
        match self.state {
            State::Failed | State::Closed => true,
            State::New | State::Checking | State::Connected | State::Completed | State::Disconnected => false,
        }
    }

    pub(crate) const fn seen(&self) -> Option<Instant> {
        self.clock.seen()
    }

    /// Whoever commands a role need not be told of it.
    pub(crate) const fn assume_role_known(&mut self) {
        self.told.role = self.role;
    }

    /// A command has changed something: what follows from it is seen to by the next call that tells the time.
    pub(crate) const fn touch(&mut self) {
        self.is_touched = true;
    }
}

/// The five calls.
impl Agent {
    /// A STUN message arrived. Anything else is dropped and counted.
    #[expect(clippy::needless_pass_by_value, reason = "a datagram is handed over")]
    pub fn handle_input(&mut self, datagram: Datagram<'_>, now: Instant) {
        let now = self.advance(now);
        if self.has_ended() {
            self.stats.after_end += 1;
            return;
        }
        let path = Path::of(&datagram);
        if let Some(transaction) = self.answered_question(datagram.payload) {
            self.handle_answer(transaction, path, datagram.payload, now);
            self.settle(now);
            return;
        }
        match Message::decode(datagram.payload) {
            Err(_) => self.stats.malformed += 1,
            Ok(message) if message.method() != Method::BINDING || path.protocol != Protocol::Udp => {
                self.stats.unsupported += 1;
            }
            Ok(message) => match message.class() {
                Class::Request => self.handle_request(&message, path, now),
                Class::SuccessResponse | Class::ErrorResponse => self.handle_response(&message, path, now),
                // RFC 8445 §11: a Binding indication keeps a NAT's binding alive, and has done so by arriving.
                Class::Indication => self.stats.indications_received += 1,
            },
        }
        self.settle(now);
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
    }

    /// What shall be sent? Replaces what is in `out`.
    pub fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        let now = self.advance(now);
        let path = match self.write_answer(out) {
            Some(path) => Some(path),
            None => {
                let path = self.write_own(now, out);
                if path.is_some() {
                    self.settle(now);
                }
                path
            }
        }?;
        Some(Transmit { protocol: path.protocol, ..Transmit::udp(path.local, path.remote, out.len()) })
    }

    /// What has happened?
    pub fn poll_event(&mut self) -> Option<Event> {
        if self.told.role != self.role {
            self.told.role = self.role;
            return Some(Event::RoleChanged(self.role));
        }
        if self.told.path != self.path {
            self.told.path = self.path;
            if let Some(path) = self.path {
                return Some(Event::PathSelected(path));
            }
        }
        if self.told.state != self.state {
            self.told.state = self.state;
            return Some(Event::StateChanged(self.state));
        }
        self.gathering.next_event(self.gathering_state())
    }

    /// When shall the agent be woken? `Some(now)` if anything is owed.
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let now = self.clock.latest(now);
        let is_owed = self.is_touched || self.is_event_owed() || !self.answers.is_empty();
        let is_consent_owed =
            self.consent.is_owed() || self.previous.as_ref().is_some_and(|previous| previous.consent.is_owed());
        if is_owed || is_consent_owed || self.agenda.is_resend_owed {
            return Some(now);
        }
        let is_paced = self.agenda.is_check_wanted || self.agenda.is_question_wanted;
        let check = is_paced.then(|| self.pace.map_or(now, |pace| pace.max(now)));
        earliest([check, self.agenda.wake.map(|wake| wake.max(now))])
    }

    fn is_event_owed(&self) -> bool {
        let is_path_new = self.path.is_some() && self.told.path != self.path;
        let is_gathering_told = !self.gathering.is_event_owed(self.gathering_state());
        self.told.role != self.role || is_path_new || self.told.state != self.state || !is_gathering_told
    }

    /// The transaction, if these bytes answer a question to a STUN server.
    fn answered_question(&self, payload: &[u8]) -> Option<TransactionId> {
        let message = Message::decode(payload).ok().filter(|_| !self.gathering.is_idle())?;
        Some(message.transaction()).filter(|transaction| self.gathering.is_awaiting(*transaction))
    }

    /// Writes a request, if one is due.
    fn write_own(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Path> {
        if let Some(path) = self.write_consent(now, out) {
            return Some(path);
        }
        if let Some(path) = self.write_previous_consent(now, out) {
            return Some(path);
        }
        if self.agenda.is_resend_owed
            && let Some(path) = self.write_resend(now, out)
        {
            return Some(path);
        }
        let is_turn = self.pace.is_none_or(|pace| pace <= now);
        if (self.agenda.is_resend_owed || self.agenda.is_question_wanted && is_turn)
            && let Some(path) = self.write_question(now, is_turn, out)
        {
            return Some(path);
        }
        if !self.agenda.is_check_wanted || !is_turn {
            return None;
        }
        if let Some(path) = self.write_nomination(now, out) {
            return Some(path);
        }
        let pair = self.list.next()?;
        let is_asked = matches!(self.nomination, Nomination::Asked(asked) if asked == pair);
        let purpose = if is_asked { Purpose::Nomination } else { Purpose::Check };
        self.write_check(pair, purpose, now, out)
    }
}

/// What follows from a change.
impl Agent {
    /// Takes note of the time, and of what is due by now.
    fn advance(&mut self, now: Instant) -> Instant {
        let now = self.clock.advance(now);
        if self.is_touched || self.agenda.wake.is_some_and(|wake| wake <= now) {
            self.expire(now);
            self.settle(now);
        }
        now
    }

    fn expire(&mut self, now: Instant) {
        match &mut self.patience {
            Patience::Beginning => self.patience = Patience::Running(Timer::after(now, self.config.patience)),
            Patience::Running(timer) => {
                if timer.expire(now) {
                    self.patience = Patience::Over;
                }
            }
            Patience::Unneeded | Patience::Over => {}
        }
        self.expire_checks(now);
        self.consent.expire(now);
        self.expire_previous(now);
        self.conclude_questions(now);
    }

    /// The agent is as patient as at its beginning.
    pub(crate) fn await_anew(&mut self) {
        self.patience = if self.peer.is_some() { Patience::Beginning } else { Patience::Unneeded };
        self.is_roaming = false;
        if self.previous.is_none() && self.selected.is_none() && self.state != State::Closed {
            self.enter(State::New);
        }
    }

    /// Draws all conclusions, and computes what is due when.
    fn settle(&mut self, now: Instant) {
        self.is_touched = false;
        if !self.has_ended() {
            self.list.expire(now);
            self.agree_without_checks(now);
            let decision = self.decide(now);
            self.select(now);
            let silent_at = self.progress(now);
            if !self.has_ended() {
                self.plan(decision, silent_at, now);
            }
        }
        #[cfg(debug_assertions)]
        self.invariants(now);
    }

    /// The nominated pair, or the best that works.
    fn select(&mut self, now: Instant) {
        let is_valid = |id: &PairId| self.list.get(*id).is_some_and(|pair| pair.is_valid(now));
        let selected = self.nomination.pair().filter(is_valid).or_else(|| self.list.best_valid());
        if selected.is_some_and(|id| matches!(self.nomination, Nomination::Done(done) if done == id)) {
            self.supersede();
        }
        let new = selected.and_then(|id| self.list.get(id)).map(|pair| pair.path);
        let path = self.old_in_use().map(|previous| previous.path).or(new);
        if self.path != path {
            debug!(?path, "selected");
            self.path = path;
            let why = match (&self.nomination, self.old_in_use()) {
                _ if path.is_none() => "none works any more",
                (_, Some(_)) => "as before the restart, until there is a new one",
                (Nomination::Done(_), None) => "it is nominated",
                (Nomination::Owed(_) | Nomination::Asked(_), None) => "it is to be nominated",
                (Nomination::Idle | Nomination::Waiting { .. }, None) => "it is the best that works",
            };
            self.note(Deed::Selected, path, why);
        }
        if self.selected != selected {
            self.selected = selected;
            self.restart_consent(now);
        }
        self.is_roaming &= path.is_none();
    }

    /// What was in use before the restart, as long as nothing new was nominated.
    fn old_in_use(&self) -> Option<&Previous> {
        self.previous.as_ref().filter(|previous| previous.is_in_use())
    }

    /// Computes the state; returns when the selected path will have been silent for too long.
    fn progress(&mut self, now: Instant) -> Option<Instant> {
        let is_old = self.old_in_use().is_some();
        let heard = match self.old_in_use() {
            Some(previous) => previous.heard,
            None => self.selected.and_then(|id| self.list.get(id)?.heard),
        };
        let silent_at = heard.and_then(|heard| heard.checked_add(self.config.silence_max));
        let is_silent = silent_at.is_some_and(|at| at <= now);
        let is_trying = !self.config.lite && self.list.unresolved() > 0;
        let is_complete = self.has_all_candidates();
        let state = match (self.path, &self.nomination) {
            // A restart forgets that the path was silent.
            (Some(_), _) if is_silent && is_old && self.peer.is_some() => State::Checking,
            (Some(_), _) if is_silent => State::Disconnected,
            (Some(_), Nomination::Done(_)) if is_complete && !is_trying && !is_old => State::Completed,
            (Some(_), _) => State::Connected,
            (None, _) if self.has_lost(is_trying) => State::Failed,
            (None, _) if self.is_roaming => State::Disconnected,
            (None, _) if self.peer.is_some() && !self.list.is_empty() => State::Checking,
            (None, _) => self.state,
        };
        if state == State::Failed {
            self.explain_failure();
            self.end(state);
        } else {
            self.enter(state);
        }
        silent_at.filter(|_| !is_silent)
    }

    /// Without a pair that works: whether there is no hope left.
    fn has_lost(&self, is_trying: bool) -> bool {
        let was_connected = match self.state {
            State::Connected | State::Completed | State::Disconnected => true,
            State::New | State::Checking | State::Failed | State::Closed => false,
        };
        // RFC 8863 §4: the agent must not fail before its patience is over, for the peer's checks may bring new pairs.
        !is_trying && (was_connected && !self.is_roaming || matches!(self.patience, Patience::Over))
    }

    /// Whether both sides have told all candidates they know of.
    pub(crate) fn has_all_candidates(&self) -> bool {
        self.has_all_local && self.gathering.is_idle() && self.has_all_remote
    }

    fn enter(&mut self, state: State) {
        if self.state != state {
            debug!(from = ?self.state, to = ?state, "state");
            self.state = state;
            self.note(Deed::StateChanged, None, state.name());
        }
    }

    /// Nothing is kept that could be sent.
    fn end(&mut self, state: State) {
        self.enter(state);
        self.list.clear();
        self.transactions.clear();
        self.answers.clear();
        self.nomination = Nomination::Idle;
        (self.selected, self.path) = (None, None);
        self.consent = Consent::default();
        self.patience = Patience::Unneeded;
        self.previous = None;
        self.gathering.stop();
        self.agenda = Agenda::default();
        self.is_touched = false;
    }

    fn plan(&mut self, decision: Option<Instant>, silent_at: Option<Instant>, now: Instant) {
        let patience = match &self.patience {
            Patience::Running(timer) => timer.deadline(),
            Patience::Unneeded | Patience::Beginning | Patience::Over => None,
        };
        let consent_end = self.selected.and_then(|id| self.list.get(id)?.valid).map(|valid| valid.until);
        let is_nomination_owed = matches!(self.nomination, Nomination::Owed(_));
        let previous = self.previous.as_ref().and_then(Previous::deadline);
        let question = self.gathering.deadline(now);
        let is_question_owed = question.is_some_and(|at| at <= now);
        let ends =
            [self.list.deadline(), patience, consent_end, decision, silent_at, self.consent.deadline(), previous];
        self.agenda = Agenda {
            wake: earliest(ends.into_iter().chain([question.filter(|_| !is_question_owed)])),
            is_question_wanted: self.gathering.is_new_owed(),
            is_check_wanted: !self.config.lite
                && self.peer.is_some()
                && (is_nomination_owed || self.list.next().is_some()),
            is_resend_owed: self.list.resend().is_some() || is_question_owed,
        };
    }

    /// What is always true.
    #[cfg(debug_assertions)]
    fn invariants(&self, now: Instant) {
        self.list.invariants();
        assert!(self.is_nomination_alive(), "a nomination is sent again or given up");
        assert!(self.agenda.wake.is_none_or(|wake| wake > now), "what was due is owed");
        let has_path = self.selected.is_some() || self.old_in_use().is_some();
        assert_eq!(has_path, self.path.is_some(), "a selected pair has a path");
        assert!(self.previous.as_ref().is_none_or(|previous| previous.until > now), "old paths end with their consent");
        if let Some(pair) = self.selected.and_then(|id| self.list.get(id)) {
            assert!(pair.is_valid(now), "what is not STUN is sent with consent only");
            let is_lite = self.config.lite;
            assert!(
                is_lite || self.consent.is_owed() || self.consent.deadline().is_some(),
                "consent is asked for again"
            );
        }
        let is_waiting = matches!(self.state, State::Checking) && self.peer.is_some();
        let is_alive = self.agenda.wake.is_some() || self.agenda.is_check_wanted || self.agenda.is_resend_owed;
        assert!(!is_waiting || is_alive, "whoever checks comes to an end");
    }
}
