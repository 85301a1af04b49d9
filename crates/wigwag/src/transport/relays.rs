//! Addresses at TURN servers (RFC 8656): asked for, kept, and what goes through them.
//!
//! Each local address asks each server of its family, one every Ta. What a server relays is one more local address for ICE; what
//! leaves from there is wrapped for the server, and what the server sends is unwrapped. A server that is asked over a stream is asked
//! from a port of its own, which is the stream's name.

use super::demultiplex::{self, Kind};
use crate::config::SERVERS_MAX;
use crate::turn_server::{TurnServer, TurnTransport};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use wigwag_ice as ice;
use wigwag_sansio::{Datagram, Protocol, Rng, Seed, Transmit, earliest};
use wigwag_turn::{Client, ClientConfig, ClientEvent, ClientStats, Failure, TransactionId};

/// So many addresses are asked for, of all servers together: each is one more candidate, and costs its server a port.
const CLIENTS_MAX: usize = 16;
/// RFC 8445 §14.2: Ta "SHOULD have a default of 50 ms", also between the questions to TURN servers (§14).
const PACE: Duration = Duration::from_millis(50);
/// RFC 6335 §6: dynamic ports begin here.
const FIRST_PORT: u16 = 49_152;
/// RFC 8445 §5.1.2.1 orders candidates of one kind by their local preference, of which those over UDP have the highest: a stream delays all
/// that is behind what was lost, and TLS costs more. The type preference stays the one that the RFC recommends for relays.
const TCP_PREFERENCE: u16 = 0x7FFF;
const TLS_PREFERENCE: u16 = 0x3FFF;

/// What is to be told.
#[derive(Debug)]
pub(crate) enum Found {
    /// A server relays for us.
    Candidate(Box<ice::Candidate>),
    /// A server does not, or not any more. The local address is nobody's business if only relayed ones are.
    Error { local: Option<SocketAddr>, url: String, failure: Failure },
}

#[derive(Debug)]
struct Relay {
    client: Client,
    /// The local address that asks.
    base: SocketAddr,
    /// The server as it is configured, by its number; it may have sent us to another.
    server: usize,
    /// The candidate that ICE was told of.
    candidate: Option<SocketAddr>,
}

/// All servers, and what they relay.
#[derive(Debug)]
pub(crate) struct Relays {
    servers: Vec<TurnServer>,
    seeds: Rng,
    /// Whether the peer may learn where the servers see us.
    is_hidden: bool,
    /// The local addresses that ask.
    bases: Vec<SocketAddr>,
    /// Who asks whom, when its turn has come.
    waiting: VecDeque<(SocketAddr, usize)>,
    turn: Option<Instant>,
    has_begun: bool,
    relays: Vec<Relay>,
    /// Streams of clients that are no more.
    closing: Vec<Transmit>,
    /// The port that names the next stream.
    next_port: u16,
    found: VecDeque<Found>,
    /// Whether ICE is to be told that there are no more candidates, when the last server has answered.
    is_end_wanted: bool,
    /// Which of ICE's remote candidates have been let through: its generation, and how many.
    followed: (u32, usize),
    bound: Option<ice::Path>,
    /// What clients have counted that are no more.
    counted: ClientStats,
}

impl Relays {
    /// `None` if there are no servers.
    pub(crate) fn new(servers: &[TurnServer], is_hidden: bool, seed: Seed) -> Option<Box<Self>> {
        let mut distinct: Vec<TurnServer> = Vec::new();
        for server in servers {
            if distinct.len() < SERVERS_MAX && !distinct.iter().any(|known| known.is_same(server)) {
                distinct.push(server.clone());
            }
        }
        (!distinct.is_empty()).then(|| {
            Box::new(Self {
                servers: distinct,
                seeds: Rng::new(seed),
                is_hidden,
                bases: Vec::new(),
                waiting: VecDeque::new(),
                turn: None,
                has_begun: false,
                relays: Vec::new(),
                closing: Vec::new(),
                next_port: FIRST_PORT,
                found: VecDeque::new(),
                is_end_wanted: false,
                followed: (0, 0),
                bound: None,
                counted: ClientStats::default(),
            })
        })
    }

    /// Every address asks every server that it has nothing of.
    pub(crate) fn begin(&mut self) {
        self.has_begun = true;
        for base in self.bases.clone() {
            self.ask_all(base);
        }
    }

    pub(crate) fn add_base(&mut self, base: SocketAddr) {
        if !self.bases.contains(&base) {
            self.bases.push(base);
            if self.has_begun {
                self.ask_all(base);
            }
        }
    }

    /// What was counted at all servers.
    pub(crate) fn stats(&self) -> ClientStats {
        self.relays.iter().fold(self.counted, |sum, relay| sum.plus(relay.client.stats()))
    }

    /// An address has vanished, and with it what servers relayed to it.
    pub(crate) fn remove_base(&mut self, base: SocketAddr, agent: &mut ice::Agent) {
        self.bases.retain(|known| *known != base);
        self.waiting.retain(|(of, _)| *of != base);
        for gone in self.relays.extract_if(.., |relay| relay.base == base) {
            self.counted = self.counted.plus(gone.client.stats());
            self.closing.extend(gone.client.closing());
            gone.candidate.into_iter().for_each(|address| agent.remove_local_candidate(address));
        }
    }

    fn ask_all(&mut self, base: SocketAddr) {
        for (index, server) in self.servers.iter().enumerate() {
            let is_possible = server.address.is_ipv4() == base.is_ipv4()
                && server.address.ip().is_loopback() == base.ip().is_loopback();
            let is_asked = self.waiting.contains(&(base, index))
                || self.relays.iter().any(|relay| (relay.base, relay.server) == (base, index));
            let has_room = self.waiting.len().saturating_add(self.relays.len()) < CLIENTS_MAX;
            if is_possible && !is_asked && has_room {
                self.waiting.push_back((base, index));
            }
        }
    }

    /// Whether a server has still to answer.
    pub(crate) fn is_busy(&self) -> bool {
        !self.waiting.is_empty() || self.relays.iter().any(|relay| relay.client.relayed().is_none())
    }

    /// ICE is told that there are no more candidates as soon as that is so.
    pub(crate) const fn want_end(&mut self) {
        self.is_end_wanted = true;
    }

    /// Whether a server relays to this local address what comes from that remote one.
    pub(crate) fn has_path(&self, path: ice::Path) -> bool {
        self.relays.iter().any(|relay| path_of(&relay.client) == path && relay.client.relayed().is_some())
    }

    /// Whether this is what arrives from, and goes to, a server.
    pub(crate) fn has_server(&self, path: ice::Path) -> bool {
        self.relays.iter().any(|relay| path_of(&relay.client) == path)
    }

    /// The server, as it is configured, that relays to this address.
    pub(crate) fn server_of(&self, relayed: SocketAddr) -> Option<&TurnServer> {
        let relay = self.relays.iter().find(|relay| relay.candidate == Some(relayed))?;
        self.servers.get(relay.server)
    }

    /// The name that the certificate must be for, of a stream in TLS.
    pub(crate) fn tls_server_name(&self, stream: ice::Path) -> Option<&str> {
        let relay = self.relays.iter().find(|relay| path_of(&relay.client) == stream)?;
        match &self.servers.get(relay.server)?.transport {
            TurnTransport::Tls { server_name } => Some(server_name),
            TurnTransport::Udp | TurnTransport::Tcp => None,
        }
    }

    /// Why a stream is about to end.
    pub(crate) fn explain_end(&mut self, stream: ice::Path, why: &str) {
        let mut clients = self.relays.iter_mut().map(|relay| &mut relay.client);
        clients.find(|client| path_of(client) == stream).into_iter().for_each(|client| client.explain_end(why));
    }

    /// Who speaks for this relayed address.
    pub(crate) fn client_of(&mut self, relayed: SocketAddr) -> Option<&mut Client> {
        self.relays.iter_mut().find(|relay| relay.candidate == Some(relayed)).map(|relay| &mut relay.client)
    }

    /// Whether a datagram is for a client, rather than for ICE, which may ask the same server.
    pub(crate) fn is_for_client(&self, datagram: &Datagram<'_>) -> bool {
        let path = ice::Path::of(datagram);
        let mut clients = self.relays.iter().map(|relay| &relay.client).filter(|client| path_of(client) == path);
        if path.protocol != Protocol::Udp {
            return clients.next().is_some(); // bytes that may be cut anywhere say nothing
        }
        // RFC 8489 figure 3: the type of every Binding message.
        let is_binding = matches!(datagram.payload, [0 | 1, 0x01 | 0x11, ..]);
        // Until a server relays it sends nothing but STUN: it may name another that is somebody else's address.
        let is_stun = demultiplex::kind(datagram.payload) == Kind::Stun;
        !is_binding && clients.any(|client| is_stun || client.relayed().is_some())
    }

    /// What peers have sent through the server is handed to `up`.
    pub(crate) fn handle_input(&mut self, datagram: Datagram<'_>, now: Instant, up: impl FnMut(Datagram<'_>)) {
        let path = ice::Path::of(&datagram);
        // A server may have sent a client to one that another asks already.
        let transaction = datagram.payload.get(8..20).and_then(|id| id.try_into().ok()).map(TransactionId);
        let is_stun = demultiplex::kind(datagram.payload) == Kind::Stun;
        let rank = |client: &Client| match transaction {
            Some(id) if is_stun && client.is_awaiting(id) => 0,
            _ if client.relayed().is_some() => 1,
            _ => 2,
        };
        let clients = self.relays.iter_mut().map(|relay| &mut relay.client).filter(|client| path_of(client) == path);
        if let Some(client) = clients.min_by_key(|client| rank(client)) {
            client.handle_input(datagram, now, up);
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.turn.is_none_or(|turn| turn <= now)
            && let Some((base, index)) = self.waiting.pop_front()
            && let Some(server) = self.servers.get(index)
        {
            let (address, protocol) = (server.address, server.transport.protocol());
            let credentials = server.credentials.clone();
            let local = if protocol == Protocol::Udp { base } else { self.stream_name(base) };
            let client = Client::new(ClientConfig::new(local, address, credentials).over(protocol), self.seeds.seed());
            self.relays.push(Relay { client, base, server: index, candidate: None });
            self.turn = now.checked_add(PACE);
        }
        self.relays.iter_mut().for_each(|relay| relay.client.handle_timeout(now));
    }

    /// The next port at this address that names no stream of ours.
    fn stream_name(&mut self, mut base: SocketAddr) -> SocketAddr {
        loop {
            base.set_port(self.next_port);
            self.next_port = self.next_port.checked_add(1).unwrap_or(FIRST_PORT);
            let is_used = self.relays.iter().any(|relay| relay.client.local() == base)
                || self.closing.iter().any(|closing| closing.local == base);
            if !is_used {
                return base; // there are many more ports than clients
            }
        }
    }

    pub(crate) fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        if let Some(closing) = self.closing.pop() {
            out.clear();
            return Some(closing);
        }
        self.relays.iter_mut().find_map(|relay| relay.client.poll_transmit(now, out))
    }

    /// Gives all addresses back, one request each, which is not sent again: whoever says goodbye does not wait. Streams are closed behind.
    pub(crate) fn release(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        self.waiting.clear();
        while let Some(mut relay) = self.relays.pop() {
            self.counted = self.counted.plus(relay.client.stats());
            relay.client.release();
            let transmit = relay.client.poll_transmit(now, out);
            self.closing.extend(relay.client.closing());
            if transmit.is_some() {
                return transmit;
            }
        }
        self.poll_transmit(now, out)
    }

    /// Whether there is nothing to give back.
    pub(crate) fn is_empty(&self) -> bool {
        self.relays.is_empty() && self.waiting.is_empty() && self.closing.is_empty()
    }

    pub(crate) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        if !self.closing.is_empty() {
            return Some(now);
        }
        let turn = (!self.waiting.is_empty()).then(|| self.turn.map_or(now, |turn| turn.max(now)));
        let clients = self.relays.iter().map(|relay| relay.client.poll_timeout(now));
        earliest(clients.chain([turn]))
    }

    /// What is to be told of the candidates.
    pub(crate) fn poll_found(&mut self) -> Option<Found> {
        self.found.pop_front()
    }

    pub(crate) fn has_found(&self) -> bool {
        !self.found.is_empty()
    }

    /// ICE learns of what the servers relay, and they of whom ICE wants to reach.
    pub(crate) fn settle(&mut self, agent: &mut ice::Agent) {
        self.take_events(agent);
        if self.is_end_wanted && !self.is_busy() {
            self.is_end_wanted = false;
            agent.end_of_local_candidates();
        }
        self.follow(agent);
        let path = agent.selected_path();
        if self.bound != path {
            self.bound = path;
            if let Some(path) = path
                && let Some(client) = self.client_of(path.local)
            {
                client.bind(path.remote);
            }
        }
    }

    fn take_events(&mut self, agent: &mut ice::Agent) {
        for index in 0..self.relays.len() {
            let Some(relay) = self.relays.get_mut(index) else { continue };
            let Some(server) = self.servers.get(relay.server) else { continue };
            while let Some(event) = relay.client.poll_event() {
                match event {
                    ClientEvent::Allocated { relayed, .. } if !can_be_lent(relayed, &self.bases, relay, agent) => {
                        self.found.push_back(relay.error(server, self.is_hidden, Failure::Useless));
                        relay.client.release();
                    }
                    ClientEvent::Allocated { relayed, mapped } => {
                        // Where a stream comes from is no address that datagrams reach.
                        if !self.is_hidden && server.transport == TurnTransport::Udp {
                            self.found.extend(reflexive(mapped, relay.base, server, agent));
                        }
                        let added = agent.add_local_candidate(candidate(relayed, mapped, server));
                        match added {
                            Ok(candidate) => {
                                relay.candidate = Some(relayed);
                                self.found.push_back(Found::Candidate(Box::new(candidate)));
                                self.followed = (0, 0); // it has let nobody through
                            }
                            // ICE has as many as it takes, or has ended, or it is no address that anybody reaches.
                            Err(_) => {
                                self.found.push_back(relay.error(server, self.is_hidden, Failure::Useless));
                                relay.client.release();
                            }
                        }
                    }
                    ClientEvent::Ended(failure) => {
                        relay.candidate.take().into_iter().for_each(|address| agent.remove_local_candidate(address));
                        self.found.push_back(relay.error(server, self.is_hidden, failure));
                    }
                    _ => {} // a peer that is refused is one whose checks are not answered
                }
            }
        }
        for over in self.relays.extract_if(.., |relay| relay.client.is_over()) {
            self.counted = self.counted.plus(over.client.stats());
            self.closing.extend(over.client.closing());
        }
    }

    /// ICE was told of candidates, which may have taken the place of others: as many as before need not be the same.
    pub(crate) const fn follow_anew(&mut self) {
        self.followed = (0, 0);
    }

    /// Lets through whom ICE knows of.
    fn follow(&mut self, agent: &ice::Agent) {
        let remote = agent.remote_candidates();
        let now = (agent.generation().saturating_add(1), remote.len());
        if self.followed == now {
            return;
        }
        let has_begun_anew = std::mem::replace(&mut self.followed, now).0 != now.0;
        let in_use = agent.selected_path(); // data goes on there until the new generation has a path of its own
        for relay in &mut self.relays {
            let Some(address) = relay.candidate else { continue };
            if has_begun_anew {
                relay.client.retain(|ip| {
                    in_use.is_some_and(|path| path.remote.ip() == ip)
                        || remote.iter().any(|candidate| candidate.address.ip() == ip)
                });
            }
            // A server is not to learn what the peer's name hides. Whom checks have brought through it, it has let through already.
            let told = remote.iter().filter(|candidate| !candidate.may_be_hidden());
            // And what comes over TCP comes through no relay.
            let told = told.filter(|candidate| candidate.tcp_type.is_none());
            let of_family = told.filter(|candidate| candidate.address.is_ipv4() == address.is_ipv4());
            of_family.for_each(|candidate| relay.client.allow(candidate.address.ip()));
        }
    }
}

impl Relay {
    /// What is told of a server that does not relay.
    fn error(&self, server: &TurnServer, is_hidden: bool, failure: Failure) -> Found {
        let local = if is_hidden { None } else { Some(self.base) };
        Found::Error { local, url: server.to_string(), failure }
    }
}

/// What arrives from a client's server comes this way.
const fn path_of(client: &Client) -> ice::Path {
    ice::Path { protocol: client.protocol(), local: client.local(), remote: client.server() }
}

/// Whether a server can relay to this address. One of ours, or another server's, it has not: everything that leaves from there would go to
/// it, and the address with it when it says that it relays no more.
fn can_be_lent(relayed: SocketAddr, bases: &[SocketAddr], relay: &Relay, agent: &ice::Agent) -> bool {
    let is_ours = bases.contains(&relayed) || agent.local_candidates().iter().any(|known| known.base == relayed);
    // One of this machine may have any address of the network; one of the network has none of this machine.
    !is_ours && (!relayed.ip().is_loopback() || relay.client.local().ip().is_loopback())
}

/// RFC 8445 §5.1.1.2: the server tells where it sees us, too. `None` if that is known.
fn reflexive(mapped: SocketAddr, base: SocketAddr, server: &TurnServer, agent: &mut ice::Agent) -> Option<Found> {
    let candidate = ice::LocalCandidate::server_reflexive(mapped, base, server.address.ip());
    if agent.is_redundant(&candidate) {
        return None;
    }
    agent.add_local_candidate(candidate).ok().map(|candidate| Found::Candidate(Box::new(candidate)))
}

/// The relayed address as ICE is told of it.
fn candidate(relayed: SocketAddr, mapped: SocketAddr, server: &TurnServer) -> ice::LocalCandidate {
    let mut candidate = ice::LocalCandidate::relayed(relayed, mapped, server.address.ip());
    candidate.local_preference = match server.transport {
        TurnTransport::Udp => None,
        TurnTransport::Tcp => Some(TCP_PREFERENCE),
        TurnTransport::Tls { .. } => Some(TLS_PREFERENCE),
    };
    candidate
}
