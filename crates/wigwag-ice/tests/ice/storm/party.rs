//! An agent, the program that uses it, and what it has seen.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use wigwag_ice::{Agent, Candidate, Config, Event, Path, RemoteCandidate, State};
use wigwag_sansio::{Datagram, Seed, Transmit};
use wigwag_sim::Node;
use wigwag_sim::swarm::STUN_SERVER;
use wigwag_stun::{Class, Message};

/// RFC 7675 §5.1
const CONSENT: Duration = Duration::from_secs(30);
/// So much is remembered by an observer.
const SEEN_MAX: usize = 64;
/// What is no STUN, as other protocols above.
const PROBE: &[u8] = b"\x80 a probe";

pub(super) struct Party {
    pub(super) agent: Agent,
    pub(super) address: SocketAddr,
    /// How often it has moved.
    pub(super) moves: u8,
    /// Candidates of a generation of the peer that is not agreed upon yet, by its ufrag.
    pub(super) early: Vec<(String, RemoteCandidate)>,
    /// The offer that waits for its answer.
    pub(super) offer: Option<u64>,
    /// When what was said last arrives: nothing overtakes it.
    pub(super) said_until: Duration,
    /// A program that is stopped finds later what has arrived meanwhile.
    is_stopped: bool,
    socket: Vec<(Path, Vec<u8>)>,
    /// What has come last, as an observer has it.
    seen: VecDeque<(Path, Vec<u8>)>,
    /// When each path brought its last answer.
    answered: BTreeMap<Path, Instant>,
    is_probe_owed: bool,
    /// A NAT has given port 9, which is none.
    pub(super) is_unlucky: bool,
    /// What a STUN server owes.
    answers: Vec<(Path, Vec<u8>)>,
    /// What a STUN server has told, to be signalled.
    pub(super) found: Vec<Candidate>,
    /// Where the peer's last probe came.
    pub(super) probed: Option<Path>,
}

impl Party {
    pub(super) fn new(config: Config, seed: u64, address: SocketAddr) -> Self {
        Self {
            agent: Agent::new(config, Seed::for_test(seed)),
            address,
            moves: 0,
            early: Vec::new(),
            offer: None,
            said_until: Duration::ZERO,
            is_stopped: false,
            socket: Vec::new(),
            seen: VecDeque::new(),
            answered: BTreeMap::new(),
            is_probe_owed: false,
            is_unlucky: false,
            answers: Vec::new(),
            found: Vec::new(),
            probed: None,
        }
    }

    pub(super) const fn stop(&mut self) {
        self.is_stopped = true;
    }

    pub(super) const fn probe(&mut self) {
        self.is_probe_owed = true;
    }

    pub(super) fn go_on(&mut self, now: Instant) {
        self.is_stopped = false;
        for (path, mut payload) in std::mem::take(&mut self.socket) {
            self.take(Datagram::udp(path.local, path.remote, &mut payload), now);
        }
    }

    /// Somebody who has seen what came here sends it again, from elsewhere or in the name of who sent it.
    pub(super) fn replay(&mut self, n: usize, from: Option<SocketAddr>, now: Instant) {
        if let Some((path, mut payload)) = self.seen.get(n % SEEN_MAX).cloned() {
            self.agent.handle_input(Datagram::udp(path.local, from.unwrap_or(path.remote), &mut payload), now);
        }
    }

    fn take(&mut self, datagram: Datagram<'_>, now: Instant) {
        let path = Path::of(&datagram);
        if datagram.payload == PROBE {
            self.probed = Some(path);
            return;
        }
        if Message::decode(datagram.payload).is_ok_and(|message| message.class() == Class::SuccessResponse) {
            self.answered.insert(path, now);
        }
        self.seen.truncate(SEEN_MAX - 1);
        self.seen.push_front((path, datagram.payload.to_vec()));
        self.agent.handle_input(datagram, now);
    }

    /// What holds at any time.
    pub(super) fn holds(&self, now: Instant) {
        let (state, path) = (self.agent.state(), self.agent.selected_path());
        match state {
            State::Connected | State::Completed => assert!(path.is_some(), "{state:?} without a path"),
            State::New | State::Failed | State::Closed => assert_eq!(path, None, "{state:?}"),
            State::Checking | State::Disconnected => {}
        }
        assert_eq!(self.agent.failure().is_some(), state == State::Failed, "a failure has a reason");
        assert!(self.agent.pairs().count() <= 100 && self.agent.remote_candidates().len() <= 100);
        assert!(self.is_stopped || self.agent.poll_timeout(now).is_none_or(|at| at >= now));
    }

    /// RFC 7675: nothing is sent without consent, whatever the agent itself believes.
    fn has_consent(&self, path: Path, now: Instant) -> bool {
        self.answered.get(&path).is_some_and(|answered| now.duration_since(*answered) <= CONSENT)
    }
}

impl Node for Party {
    fn handle_input(&mut self, datagram: Datagram<'_>, now: Instant) {
        if datagram.local == STUN_SERVER {
            let mut answer = Vec::new();
            if wigwag_stun::answer(datagram.payload, datagram.remote, &mut answer) {
                self.answers.push((Path::of(&datagram), answer));
            }
        } else if self.is_stopped {
            self.socket.push((Path::of(&datagram), datagram.payload.to_vec()));
        } else {
            self.take(datagram, now);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.agent.handle_timeout(now);
    }

    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        if let Some((path, answer)) = self.answers.pop() {
            *out = answer;
            return Some(Transmit::udp(path.local, path.remote, out.len()));
        }
        let Some(path) = self.agent.selected_path().filter(|_| self.is_probe_owed) else {
            self.is_probe_owed = false;
            return self.agent.poll_transmit(now, out);
        };
        self.is_probe_owed = false;
        assert!(self.has_consent(path, now), "nobody consents on {path:?}");
        out.clear();
        out.extend_from_slice(PROBE);
        Some(Transmit::udp(path.local, path.remote, out.len()))
    }

    fn poll_event(&mut self) -> bool {
        let event = self.agent.poll_event();
        let has_event = event.is_some();
        match event {
            Some(Event::LocalCandidate(candidate)) => self.found.push(candidate),
            Some(Event::CandidateError { text, .. }) => self.is_unlucky |= text.contains("cannot be a local candidate"),
            _ => {}
        }
        has_event
    }

    fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        match (self.is_stopped, self.is_probe_owed || !self.answers.is_empty()) {
            (true, _) => None,
            (false, true) => Some(now),
            (false, false) => self.agent.poll_timeout(now),
        }
    }
}
