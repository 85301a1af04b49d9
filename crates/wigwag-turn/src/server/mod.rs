//! A TURN server (RFC 8656): who asks, what they have, and what goes through.

mod allocation;
mod asked;
mod auth;
mod channel;
mod outbox;
mod peer_policy;
mod permission;
mod quota;
mod refusal;
mod relay;
mod relays;
mod request;
mod streams;

pub use peer_policy::{PeerPolicy, Prefix, PrefixError};

use crate::attribute::SEND;
use crate::channel_data;
use crate::config::{Credentials, ServerConfig};
use crate::event::{CloseReason, ServerEvent, Traffic};
use crate::stats::{ServerStats, count};
use allocation::Allocation;
use asked::Asked;
use auth::Nonces;
use outbox::{Next, Outbox};
use quota::Quota;
use relays::{Errand, Relays};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;
use streams::{Reading, Streams};
use wigwag_sansio::{Datagram, Ecn, Monotonic, Protocol, Rng, Seed, Transmit, earliest};
use wigwag_stun::{Class, Message, Method};

/// Of a message that is not whole so much is kept of somebody who has nothing yet, in bytes: requests are shorter.
const STRANGER_HELD_MAX: usize = 2048;
/// What is reckoned for an entry of a list, in bytes.
const ENTRY_LEN: usize = 128;

/// A way to a client (RFC 8656 §2: "5-tuple"), from our side; or to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FiveTuple {
    protocol: Protocol,
    local: SocketAddr,
    remote: SocketAddr,
}

/// A server for clients over UDP, TCP and TLS, which relays to peers over UDP.
///
/// What arrives at an address that it [listens at](ServerConfig::listening) is a client's, what arrives at a relayed one is a peer's. For
/// each client it asks the driver for a socket ([`ServerEvent::RelayRequested`]) and is told whether there is one
/// ([`relay_opened`](Self::relay_opened)); the client is answered then. A socket that is not wanted any more is told, too.
///
/// Streams are opened by clients: the first input names one (by its protocol and both addresses), the next are its next bytes, an empty
/// one says that it has ended; an empty transmit closes it. TLS is the driver's.
#[derive(Debug)]
pub struct Server {
    config: ServerConfig,
    nonces: Nonces,
    rng: Rng,
    indications: Rng,
    allocations: BTreeMap<FiveTuple, Allocation>,
    /// When each allocation ends.
    deadlines: BTreeSet<(Instant, FiveTuple)>,
    relays: Relays,
    quota: Quota,
    streams: Streams,
    outbox: Outbox,
    clock: Monotonic,
    stats: ServerStats,
}

impl Server {
    /// A server that nobody has asked yet.
    pub fn new(config: ServerConfig, seed: Seed) -> Self {
        let indications = Rng::new(seed.fork("indications"));
        let mut rng = Rng::new(seed);
        Self {
            nonces: Nonces::new(&mut rng, config.nonce_lifetime),
            rng,
            indications,
            allocations: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            relays: Relays::default(),
            quota: Quota::default(),
            streams: Streams::default(),
            outbox: Outbox::default(),
            clock: Monotonic::default(),
            stats: ServerStats::default(),
            config,
        }
    }

    /// The driver has opened a socket that was [requested](ServerEvent::RelayRequested), or could not: another address is tried then. What
    /// was not requested, or was told before, is nothing. A server that is not told for five seconds refuses the client, and says that the
    /// socket is to be closed.
    pub fn relay_opened(&mut self, relayed: SocketAddr, is_open: bool) {
        self.relays.tell(relayed, is_open);
    }

    /// Serves somebody from now on, or knows another password of theirs.
    pub fn add_user(&mut self, user: &Credentials) {
        self.config.users.add(user);
    }

    /// Serves somebody of this name no more: what they have ends.
    pub fn remove_user(&mut self, username: &str) {
        self.config.users.named.remove(username);
        let is_theirs = |(way, held): (&FiveTuple, &Allocation)| (held.known.username == username).then_some(*way);
        let theirs: Vec<_> = self.allocations.iter().filter_map(is_theirs).collect();
        theirs.into_iter().for_each(|way| self.end(way, CloseReason::Removed));
    }

    /// How many allocations there are, those included that wait for their sockets.
    pub fn allocations(&self) -> usize {
        self.allocations.len()
    }

    /// How many streams are open, or to be closed.
    pub fn streams(&self) -> usize {
        self.streams.len()
    }

    /// What it holds for others, in bytes: what waits to be sent, what has come of messages that are not whole, and 128 for each
    /// entry of a list. It looks at all of it.
    pub fn held_len(&self) -> usize {
        let of_one = |held: &Allocation| held.permissions.len().saturating_add(held.channels.len()).saturating_add(1);
        let entries = self.allocations.values().map(of_one).fold(self.relays.len(), usize::saturating_add);
        let entries = entries.saturating_add(self.streams.len()).saturating_mul(ENTRY_LEN);
        self.outbox.len().saturating_add(self.streams.held_len()).saturating_add(entries)
    }

    /// What was counted.
    pub const fn stats(&self) -> &ServerStats {
        &self.stats
    }
}

/// The five calls.
impl Server {
    /// A datagram arrived, or the next bytes of a client's stream.
    pub fn handle_input(&mut self, datagram: Datagram<'_>, now: Instant) {
        let now = self.advance(now);
        let way = FiveTuple { protocol: datagram.protocol, local: datagram.local, remote: datagram.remote };
        if !may_be_source(way.remote) || self.config.listening.contains(&way.remote) {
            return count(&mut self.stats.wrong_path);
        }
        if way.protocol == Protocol::Udp
            && let Some(client) = self.relays.client_of(way.local)
        {
            return self.relay_to_client(client, datagram, now);
        }
        match (self.config.listening.contains(&way.local), way.protocol) {
            (false, _) => count(&mut self.stats.wrong_path),
            (true, Protocol::Udp) => self.read(way, datagram.ecn, datagram.payload, now),
            (true, Protocol::Tcp | Protocol::Tls) => self.read_stream(way, datagram.payload, now),
        }
        self.invariants();
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
        self.invariants();
    }

    /// What shall be sent? Replaces what is in `out`: to a client from where it has asked, to a peer from a relayed address, or nothing on a
    /// stream, which closes it.
    pub fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        self.advance(now);
        loop {
            let Next { transmit, way, stream } = self.outbox.pop(out)?;
            match stream {
                Some(id) if !self.streams.is_there(&way, id) => {}
                Some(_) if out.is_empty() => {
                    self.streams.remove(&way);
                    return Some(transmit);
                }
                Some(_) | None => return Some(transmit),
            }
        }
    }

    /// What is wanted of the driver?
    pub fn poll_event(&mut self) -> Option<ServerEvent> {
        Some(match self.relays.errand()? {
            Errand::Open { relayed, client } => {
                let username =
                    self.allocations.get(&client).map(|held| held.known.username.clone()).unwrap_or_default();
                ServerEvent::RelayRequested { relayed, client: client.remote, username }
            }
            Errand::Close { relayed, reason, traffic } => ServerEvent::RelayClosed { relayed, reason, traffic },
        })
    }

    /// When to call again; `Some(now)` if anything is owed.
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let now = self.clock.latest(now);
        if !self.outbox.is_empty() || self.relays.has_errand() || self.relays.has_been_told() {
            return Some(now);
        }
        let allocation = self.deadlines.first().map(|(at, _)| *at);
        earliest([allocation, self.streams.deadline()]).map(|at| at.max(now))
    }

    fn advance(&mut self, now: Instant) -> Instant {
        let now = self.clock.advance(now);
        while let Some((_, is_open, client)) = self.relays.take_told() {
            self.relay_told(client, is_open, now);
        }
        self.expire_allocations(now);
        let allocations = &self.allocations;
        let mut idle = Vec::new();
        while let Some(name) = self.streams.expire(|name| allocations.contains_key(name), now) {
            idle.push(name);
        }
        idle.iter().for_each(|name| self.close_stream(name));
        now
    }

    fn invariants(&self) {
        debug_assert_eq!(self.deadlines.len(), self.allocations.len(), "each allocation ends");
        debug_assert!(self.allocations.len() <= self.relays.len(), "each allocation has an address");
    }
}

impl Server {
    /// A message of a client's.
    fn read(&mut self, way: FiveTuple, ecn: Ecn, payload: &[u8], now: Instant) {
        if channel_data::is_likely(payload) {
            return self.channel_data(way, ecn, payload, now);
        }
        let Ok(message) = Message::decode(payload) else { return count(&mut self.stats.malformed) };
        let asked = Asked::new(way, &message, payload.len());
        match (message.class(), message.method()) {
            (Class::Request, Method::BINDING) => self.answer_binding(way, payload),
            (Class::Request, method) if request::is_served(method) => self.serve(asked, &message, now),
            (Class::Indication, SEND) => self.send_indication(way, ecn, &message, now),
            // It keeps a binding of a NAT alive.
            (Class::Indication, Method::BINDING) => {}
            (Class::Request | Class::Indication | Class::SuccessResponse | Class::ErrorResponse, _) => {
                count(&mut self.stats.malformed);
            }
        }
    }

    /// The next bytes of a stream, or its end.
    fn read_stream(&mut self, way: FiveTuple, payload: &mut [u8], now: Instant) {
        if payload.is_empty() {
            // What a client has ends with the stream that it has asked on.
            self.streams.remove(&way);
            return self.end(way, CloseReason::Disconnected);
        }
        let mut cutter = match self.streams.read(way, self.config.streams_max, now) {
            Reading::Open(cutter) => cutter,
            Reading::Refused(id) => {
                count(&mut self.stats.after_end);
                return self.outbox.push(way, Ecn::NotEct, Some(id), Vec::new());
            }
            Reading::Leaving => return count(&mut self.stats.after_end),
        };
        let is_in_sync = cutter.read(payload, |payload| self.read(way, Ecn::NotEct, payload, now)).is_ok();
        let is_too_long = cutter.held_len() > STRANGER_HELD_MAX && !self.allocations.contains_key(&way);
        self.streams.put_back(way, cutter);
        if !is_in_sync || is_too_long {
            count(&mut self.stats.out_of_sync);
            self.close_stream(&way);
        }
    }

    /// The stream is of no use any more.
    fn close_stream(&mut self, way: &FiveTuple) {
        self.end(*way, CloseReason::Disconnected);
        if let Some(id) = self.streams.leave(way) {
            self.outbox.push(*way, Ecn::NotEct, Some(id), Vec::new());
        }
    }

    /// Shall be sent, if there is room. Whether there was.
    fn send(&mut self, way: FiveTuple, ecn: Ecn, bytes: Vec<u8>) -> bool {
        let stream = self.streams.id_of(&way);
        let is_there = stream.is_some() || way.protocol == Protocol::Udp;
        let has_room = is_there && self.outbox.has_room(bytes.len(), self.config.queue_max);
        if has_room {
            self.outbox.push(way, ecn, stream, bytes);
        } else {
            count(&mut self.stats.overflowed);
            self.outbox.give_back(bytes);
        }
        has_room
    }
}

/// Whether somebody may be there to be answered.
const fn may_be_source(remote: SocketAddr) -> bool {
    let is_unicast = match remote.ip() {
        IpAddr::V4(ip) => !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast(),
        IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_multicast(),
    };
    is_unicast && remote.port() != 0
}
