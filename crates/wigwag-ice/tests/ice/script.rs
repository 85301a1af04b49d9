//! A peer whose every message is written by the test.

use crate::config;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use wigwag_ice::{Agent, Credentials, Kind, LocalCandidate, Path, RemoteCandidate, Role};
use wigwag_sansio::{Datagram, Protocol, Seed};
use wigwag_stun::{Class, IntegrityKey, Message, MessageWriter, TransactionId};

/// The peer's password and ufrag.
pub(crate) const PEER_PASSWORD: &str = "the password of the peer";
pub(crate) const PEER_UFRAG: &str = "peer";

/// A check as the script sends it.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) transaction: TransactionId,
    pub(crate) username: String,
    pub(crate) password: String,
    pub(crate) use_candidate: bool,
    pub(crate) priority: Option<u32>,
    /// The role and the tie-breaker that the peer claims.
    pub(crate) claim: (Role, u64),
}

impl Request {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = MessageWriter::request(&mut out, self.transaction).username(&self.username);
        if let Some(priority) = self.priority {
            writer = writer.priority(priority);
        }
        if self.use_candidate {
            writer = writer.use_candidate();
        }
        let (role, tie_breaker) = self.claim;
        writer = match role {
            Role::Controlling => writer.ice_controlling(tie_breaker),
            Role::Controlled => writer.ice_controlled(tie_breaker),
        };
        writer.integrity(&IntegrityKey::short_term(&self.password)).fingerprint();
        out
    }
}

/// Something that the agent sent.
pub(crate) struct Sent {
    pub(crate) path: Path,
    pub(crate) bytes: Vec<u8>,
}

impl Sent {
    pub(crate) fn message(&self) -> Message<'_> {
        Message::decode(&self.bytes).unwrap()
    }

    pub(crate) fn is_check(&self) -> bool {
        !self.bytes.is_empty() && self.message().class() == Class::Request
    }
}

/// The agent under test, with a local candidate at 10.0.0.1:1000.
pub(crate) struct Script {
    pub(crate) agent: Agent,
    pub(crate) now: Instant,
    counter: u8,
}

pub(crate) fn local() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], 1000))
}

/// An address of the peer.
pub(crate) fn remote(number: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 2], 2000 + u16::from(number)))
}

pub(crate) fn path(number: u8) -> Path {
    Path { protocol: Protocol::Udp, local: local(), remote: remote(number) }
}

impl Script {
    pub(crate) fn new(role: Role) -> Self {
        let mut agent = Agent::new(config(role), Seed::for_test(7));
        agent.add_local_candidate(LocalCandidate::host(local())).unwrap();
        agent.set_remote_credentials(Credentials { ufrag: PEER_UFRAG.into(), password: PEER_PASSWORD.into() });
        Self { agent, now: wigwag_sim::origin(), counter: 0 }
    }

    /// With path 0 in use.
    pub(crate) fn connected(role: Role) -> Self {
        let mut script = Self::new(role);
        script.signal(0);
        let nomination = script.nomination().bytes();
        script.feed(0, &nomination);
        script.answer(&[0], Duration::from_secs(1));
        assert_eq!(script.agent.selected_path(), Some(path(0)));
        script
    }

    /// Signals the peer's candidate with this number; lower ones are preferred.
    pub(crate) fn signal(&mut self, number: u8) {
        let priority = 2_130_706_431 - 256 * u32::from(number);
        let candidate = RemoteCandidate::udp(&number.to_string(), priority, remote(number), Kind::Host);
        self.agent.add_remote_candidate(candidate).unwrap();
    }

    /// A right request, to be made wrong.
    pub(crate) fn request(&mut self) -> Request {
        self.counter = self.counter.wrapping_add(1);
        let credentials = self.agent.local_credentials();
        Request {
            transaction: TransactionId([self.counter; 12]),
            username: format!("{}:{PEER_UFRAG}", credentials.ufrag),
            password: credentials.password.clone(),
            use_candidate: false,
            priority: Some(1_862_270_975),
            claim: (if self.agent.role() == Role::Controlling { Role::Controlled } else { Role::Controlling }, 5),
        }
    }

    pub(crate) fn nomination(&mut self) -> Request {
        Request { use_candidate: true, ..self.request() }
    }

    /// Something arrives on the path with this number.
    pub(crate) fn feed(&mut self, number: u8, bytes: &[u8]) {
        let mut payload = bytes.to_vec();
        self.agent.handle_input(Datagram::udp(local(), remote(number), &mut payload), self.now);
    }

    /// All that the agent sends now.
    pub(crate) fn sent(&mut self) -> Vec<Sent> {
        let mut out = Vec::new();
        let mut sent = Vec::new();
        while self.agent.poll_event().is_some() {}
        while let Some(transmit) = self.agent.poll_transmit(self.now, &mut out) {
            let path = Path { protocol: transmit.protocol, local: transmit.local, remote: transmit.remote };
            sent.push(Sent { path, bytes: out.clone() });
        }
        while self.agent.poll_event().is_some() {}
        sent
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now += time;
        self.agent.handle_timeout(self.now);
    }

    /// The next check that the agent sends.
    pub(crate) fn check(&mut self) -> Sent {
        for _ in 0..1000 {
            if let Some(check) = self.sent().into_iter().find(Sent::is_check) {
                return check;
            }
            self.now = self.agent.poll_timeout(self.now).unwrap();
            self.agent.handle_timeout(self.now);
        }
        panic!("no check");
    }

    /// Answers all checks on the paths with these numbers, for so long.
    pub(crate) fn answer(&mut self, numbers: &[u8], time: Duration) {
        let end = self.now + time;
        loop {
            for check in self.sent().iter().filter(|sent| sent.is_check()) {
                if let Some(number) = numbers.iter().find(|number| remote(**number) == check.path.remote) {
                    self.feed(*number, &success(check));
                }
            }
            match self.agent.poll_timeout(self.now) {
                Some(at) if at <= end => self.now = at,
                _ => break,
            }
            self.agent.handle_timeout(self.now);
        }
        self.now = end;
        self.agent.handle_timeout(end);
    }
}

/// The right answer to a check.
pub(crate) fn success(check: &Sent) -> Vec<u8> {
    let mut out = Vec::new();
    MessageWriter::success(&mut out, check.message().transaction(), check.path.local)
        .integrity(&IntegrityKey::short_term(PEER_PASSWORD))
        .fingerprint();
    out
}
