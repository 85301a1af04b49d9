//! The agent: what it knows, and the five calls (RFC 8445).

mod progress;

use crate::candidate::Candidate;
use crate::check::{Answers, Purpose, Transactions};
use crate::check_list::CheckList;
use crate::consent::Consent;
use crate::credentials::{Identity, Peer};
use crate::decision::Decisions;
use crate::gathering::Gathering;
use crate::hiding::Hidden;
use crate::nomination::Nomination;
use crate::pair::{PairId, Path};
use crate::prepared::Prepared;
use crate::restart::Previous;
use crate::tcp::Streams;
use crate::trickle::Foundation;
use crate::{Config, Credentials, Event, Role, State, Stats};
use std::time::{Duration, Instant};
use wigwag_sansio::{Datagram, Monotonic, Protocol, Rng, Seed, Timer, Transmit, earliest};
use wigwag_stun::{Class, Message, Method, TransactionId};

/// RFC 8445 appendix B.1: "Experience has shown that many NAT devices have upper limits on the rate at which they will
/// create new bindings. Discussions in the IETF ICE WG during the work on this specification concluded that once every
/// 5 ms is well supported. This is why Ta has a lower bound of 5 ms."
const PACING_MIN: Duration = Duration::from_millis(5);
/// Nobody waits longer for a pair's turn, and retransmissions, which follow from it, have a time.
const PACING_MAX: Duration = Duration::from_secs(60);

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
    pub(crate) hidden: Hidden,
    pub(crate) has_all_local: bool,
    pub(crate) has_all_remote: bool,
    /// Names of the peer's candidates are being resolved.
    pub(crate) is_resolving: bool,
    pub(crate) foundations: Vec<Foundation>,
    pub(crate) list: CheckList,
    pub(crate) streams: Streams,
    pub(crate) transactions: Transactions,
    pub(crate) answers: Answers,
    pub(crate) nomination: Nomination,
    /// How often we have nominated, in this generation.
    pub(crate) nominations: u32,
    pub(crate) gathering: Gathering,
    /// What was in use before the last restart.
    /// By itself: it is rare.
    pub(crate) previous: Option<Box<Previous>>,
    /// What is in use after the next restart.
    pub(crate) prepared: Option<Prepared>,
    pub(crate) generation: u32,
    /// The address in use has vanished.
    pub(crate) is_roaming: bool,
    /// The path in use has fallen silent, and nothing was heard since of it or of another.
    pub(crate) is_deserted: bool,
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
        config.pacing = config.pacing.clamp(PACING_MIN, PACING_MAX);
        let role = if config.lite { Role::Controlled } else { config.role };
        Self {
            clock: Monotonic::default(),
            role,
            tie_breaker: rng.u64(),
            local: Identity::new(credentials),
            peer: None,
            local_candidates: Vec::new(),
            remote_candidates: Vec::new(),
            hidden: Hidden::default(),
            has_all_local: false,
            has_all_remote: false,
            is_resolving: false,
            foundations: Vec::new(),
            list: CheckList::new(config.pairs_max),
            streams: Streams::default(),
            transactions: Transactions::default(),
            answers: Answers::default(),
            nomination: Nomination::default(),
            nominations: 0,
            gathering: Gathering::default(),
            previous: None,
            prepared: None,
            generation: 0,
            is_roaming: false,
            is_deserted: false,
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
    /// [restarts](Self::restart), with the credentials that were [prepared](Self::prepare_restart), or else with new
    /// ones, which are to be signalled. Whoever has prepared a restart gets it also of a peer that keeps its credentials.
    pub fn set_remote_credentials(&mut self, credentials: Credentials) {
        let is_prepared = self.prepared.is_some();
        if !is_prepared && self.is_peer(&credentials) {
            return;
        }
        if (is_prepared || self.peer.is_some()) && self.restart().is_err() || self.has_ended() {
            return;
        }
        self.peer = Some(Peer::new(credentials, &self.local.credentials));
        self.patience = Patience::Beginning;
        self.touch();
    }

    /// Whether these are the peer's credentials, as far as it is known.
    pub fn is_peer(&self, credentials: &Credentials) -> bool {
        self.peer.as_ref().is_some_and(|peer| peer.identity.credentials == *credentials)
    }

    /// Whether it is known who the peer is.
    pub const fn has_peer(&self) -> bool {
        self.peer.is_some()
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
        pair.is_some_and(|pair| pair.heard.is_some()) || self.was_in_use(path) || self.is_open_early(path)
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
    pub fn visits(&self) -> u64 {
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
    /// A STUN message arrived; over TCP, out of its frame, and nothing if the stream has ended. Anything else is dropped and counted.
    #[expect(clippy::needless_pass_by_value, reason = "a datagram is handed over")]
    pub fn handle_input(&mut self, datagram: Datagram<'_>, now: Instant) {
        let now = self.advance(now);
        let path = Path::of(&datagram);
        if self.is_deaf() {
            if datagram.payload.is_empty() && path.protocol != Protocol::Udp {
                self.streams.forget(path);
            }
            self.stats.after_end += 1;
            return;
        }
        if datagram.payload.is_empty() && path.protocol != Protocol::Udp {
            self.stream_ended(path, now);
            self.expire(now); // with what was in use, the time of waiting for another begins
            self.settle(now);
            return;
        }
        if let Some(transaction) = self.answered_question(datagram.payload) {
            self.handle_answer(transaction, path, datagram.payload, now);
            self.settle(now);
            return;
        }
        match Message::decode(datagram.payload) {
            Err(_) => self.stats.malformed += 1,
            Ok(message) if message.method() != Method::BINDING || path.protocol == Protocol::Tls => {
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

    /// What shall be sent? Replaces what is in `out`. The first message of a stream opens it, and nothing closes it.
    pub fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        let now = self.advance(now);
        if let Some(Path { protocol, local, remote }) = self.streams.close() {
            out.clear();
            return Some(Transmit { protocol, ..Transmit::udp(local, remote, 1) });
        }
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
        let is_owed = self.is_touched || self.is_event_owed() || !self.answers.is_empty() || self.streams.owes();
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
