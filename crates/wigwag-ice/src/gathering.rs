//! Asking STUN servers which address they see us at (RFC 8445 §5.1.1.2).
//!
//! Each host candidate asks each server of its family, one new question every Ta, and each answer that is not redundant is
//! a server-reflexive candidate. A question that is not answered, or refused, is told.

use crate::agent::Agent;
use crate::candidate::{LocalCandidate, is_worth_trying, reachable};
use crate::pair::Path;
use crate::{Event, GatheringState, Kind};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Instant;
use wigwag_sansio::{Datagram, earliest};
use wigwag_stun::{Client, ClientConfig, ClientEvent, Failure, TransactionId};

/// So many servers are asked; browsers take five for too many.
const SERVERS_MAX: usize = 8;
/// W3C: what `icecandidateerror` says of a server that does not answer.
const UNREACHABLE: u16 = 701;

/// The questions that await their answers, and what is to be told of those that are answered.
#[derive(Debug, Default)]
pub(crate) struct Gathering {
    servers: Vec<SocketAddr>,
    questions: Vec<Client>,
    /// What each base was told by each server, most lately.
    told_addresses: BTreeMap<(SocketAddr, SocketAddr), SocketAddr>,
    /// Bounded by the questions there ever were: as many as bases times servers, until somebody polls.
    owed: VecDeque<Event>,
    told: GatheringState,
}

impl Gathering {
    /// Whether nothing is asked.
    pub(crate) fn is_idle(&self) -> bool {
        self.questions.is_empty()
    }

    /// Whether a question waits for its turn.
    pub(crate) fn is_new_owed(&self) -> bool {
        self.questions.iter().any(Client::is_new)
    }

    /// When a question is to be asked again or given up.
    pub(crate) fn deadline(&self, now: Instant) -> Option<Instant> {
        earliest(self.questions.iter().filter(|question| !question.is_new()).map(|question| question.poll_timeout(now)))
    }

    pub(crate) fn is_awaiting(&self, transaction: TransactionId) -> bool {
        self.questions.iter().any(|question| question.is_awaiting(transaction))
    }

    /// Whether something is to be told.
    pub(crate) fn is_event_owed(&self, state: GatheringState) -> bool {
        !self.owed.is_empty() || self.told != state
    }

    pub(crate) fn next_event(&mut self, state: GatheringState) -> Option<Event> {
        let event = self.owed.pop_front();
        event.or_else(|| {
            (std::mem::replace(&mut self.told, state) != state).then_some(Event::GatheringStateChanged(state))
        })
    }

    /// Nothing is asked any more.
    pub(crate) fn stop(&mut self) {
        self.questions.clear();
    }

    /// The base is gone.
    pub(crate) fn forget(&mut self, base: SocketAddr) {
        self.questions.retain(|question| question.config().local != base);
        self.told_addresses.retain(|(of, _), _| *of != base);
    }

    fn is_asking(&self, base: SocketAddr, server: SocketAddr) -> bool {
        self.questions.iter().any(|question| (question.config().local, question.config().server) == (base, server))
    }
}

impl Agent {
    /// Asks a STUN server (by UDP) which address it sees each host candidate at, also those that are added later. What it
    /// says comes as [`Event::LocalCandidate`], and why it says nothing as [`Event::CandidateError`]. Of more than 8
    /// servers, those after the eighth are not asked.
    pub fn add_stun_server(&mut self, server: SocketAddr) {
        // RFC 8445 §5.2: "Lite implementations only utilize host candidates."
        let is_closed = self.config.lite || self.state() == crate::State::Closed;
        let gathering = &mut self.gathering;
        if is_closed || gathering.servers.contains(&server) || gathering.servers.len() >= SERVERS_MAX {
            return;
        }
        gathering.servers.push(server);
        for index in 0..self.local_candidates.len() {
            self.ask(index, server);
        }
        self.touch();
    }

    /// How far the search for local candidates is: complete when [`end_of_local_candidates`](Self::end_of_local_candidates)
    /// was said and every server has answered or failed.
    pub fn gathering_state(&self) -> GatheringState {
        match (self.has_all_local, self.gathering.is_idle()) {
            (true, true) => GatheringState::Complete,
            (true, false) | (false, false) => GatheringState::Gathering,
            (false, true) if self.local_candidates.is_empty() => GatheringState::New,
            (false, true) => GatheringState::Gathering,
        }
    }

    /// A host candidate is new: all servers are asked about it.
    pub(crate) fn ask_all(&mut self, index: usize) {
        for server in 0..self.gathering.servers.len() {
            if let Some(server) = self.gathering.servers.get(server).copied() {
                self.ask(index, server);
            }
        }
    }

    /// A new generation: a NAT may give other addresses by now.
    pub(crate) fn ask_again(&mut self) {
        for index in 0..self.local_candidates.len() {
            self.ask_all(index);
        }
    }

    fn ask(&mut self, index: usize, server: SocketAddr) {
        let Some(candidate) = self.local_candidates.get(index) else { return };
        let base = candidate.base;
        // RFC 8445 §5.1.1.2 has the base of a host candidate ask; a relayed one is behind no NAT.
        if candidate.kind == Kind::Host
            && candidate.tcp_type.is_none()
            && is_worth_trying(base, server)
            && let Some(server) = reachable(base, server)
            && !self.gathering.is_asking(base, server)
        {
            self.gathering.questions.push(Client::new(ClientConfig::new(base, server), self.rng.seed()));
        }
    }

    /// Writes a question that is owed again, or, in its turn, one that was never asked.
    pub(crate) fn write_question(&mut self, now: Instant, is_turn: bool, out: &mut Vec<u8>) -> Option<Path> {
        let mut questions = self.gathering.questions.iter_mut();
        let question = questions.find(|question| {
            (is_turn || !question.is_new()) && question.poll_timeout(now).is_some_and(|at| at <= now)
        })?;
        let is_new = question.is_new();
        let transmit = question.poll_transmit(now, out)?;
        if is_new {
            self.pace = now.checked_add(self.config.pacing);
        }
        self.stats.gathering_requests_sent += 1;
        Some(Path { protocol: transmit.protocol, local: transmit.local, remote: transmit.remote })
    }

    /// A response to a question came this way.
    pub(crate) fn handle_answer(&mut self, transaction: TransactionId, path: Path, payload: &mut [u8], now: Instant) {
        let mut questions = self.gathering.questions.iter_mut();
        let Some(question) = questions.find(|question| question.is_awaiting(transaction)) else { return };
        if (question.config().local, question.config().server) != (path.local, path.remote) {
            self.stats.asymmetric_responses += 1;
            return;
        }
        question.handle_input(Datagram::udp(path.local, path.remote, payload), now);
        self.conclude_questions(now);
    }

    /// Takes note of what was answered, refused or given up.
    pub(crate) fn conclude_questions(&mut self, now: Instant) {
        let mut ended = Vec::new();
        self.gathering.questions.retain_mut(|question| {
            question.handle_timeout(now);
            ended.extend(question.poll_event().map(|event| (*question.config(), event)));
            !question.is_done()
        });
        for (config, event) in ended {
            match event {
                ClientEvent::Mapped { address, .. } => self.mapped(config, address),
                ClientEvent::Failed(failure) => self.failed_to_gather(config, &failure),
                _ => {}
            }
        }
    }

    fn mapped(&mut self, config: ClientConfig, address: SocketAddr) {
        let ClientConfig { local: base, server, .. } = config;
        if let Some(before) = self.gathering.told_addresses.insert((base, server), address).filter(|it| *it != address)
        {
            self.forget_mapped(before, base);
        }
        // RFC 8445 §5.1.3: "A candidate is redundant if and only if its transport address and base equal those of another
        // candidate."
        let candidate = LocalCandidate::server_reflexive(address, base, server.ip());
        if self.is_redundant(&candidate) {
            return;
        }
        match self.add_local_candidate(candidate) {
            Ok(candidate) => self.gathering.owed.push_back(Event::LocalCandidate(candidate)),
            Err(error) => self.owe_error(config, UNREACHABLE, error.to_string()),
        }
    }

    /// The NAT gives another address now, unless another server still sees this one.
    fn forget_mapped(&mut self, address: SocketAddr, base: SocketAddr) {
        let is_seen = self.gathering.told_addresses.iter().any(|((of, _), seen)| *of == base && *seen == address);
        if !is_seen {
            let is_it = |known: &crate::Candidate| (known.address, known.base) == (address, base);
            self.remove_local(|known| known.kind == Kind::ServerReflexive && is_it(known));
        }
    }

    fn failed_to_gather(&mut self, config: ClientConfig, failure: &Failure) {
        match failure {
            Failure::Refused { code, reason } => self.owe_error(config, *code, reason.clone()),
            failure => self.owe_error(config, UNREACHABLE, failure.to_string()),
        }
    }

    fn owe_error(&mut self, config: ClientConfig, code: u16, text: String) {
        let ClientConfig { local, server, .. } = config;
        self.gathering.owed.push_back(Event::CandidateError { local, server, code, text });
    }
}
