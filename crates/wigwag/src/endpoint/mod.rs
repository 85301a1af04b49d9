//! Many connections on one port.
//!
//! A STUN request names its connection by the ufrag in its USERNAME, a response by the transaction id that we chose, and
//! everything else is known by where it comes from. Only connections that have something to do are called.

mod accepted;
mod routes;
mod strangers;
mod streams;
mod taps;
mod tcp;

use crate::config::{Config, EndpointConfig};
use crate::error::{AddressError, EndpointError};
use crate::event::Event;
use crate::peer_connection::PeerConnection;
use crate::tap::Tapped;
use accepted::Accepted;
use routes::Routes;
use std::collections::VecDeque;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;
use strangers::Strangers;
use streams::Streams;
use taps::Taps;
use wigwag_ice::{self as ice, Path, Peek, TcpType};
use wigwag_sansio::{Datagram, Deadlines, Monotonic, Protocol, Ready, Rng, Seed, Transmit, earliest};

/// Names a connection of one [`Endpoint`], which uses it once; to another endpoint it means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId {
    slot: u32,
    generation: u32,
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connection {}.{}", self.slot, self.generation)
    }
}

/// What has happened at an endpoint.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum EndpointEvent {
    /// A stranger asks for a ufrag that is nobody's ([`EndpointConfig::unknown_ufrag`]).
    ///
    /// Nothing is known of them but this, and no state was made: [`Endpoint::create`] a connection with these
    /// credentials ([`Config::credentials`]), and their next check will find it.
    Incoming {
        /// The local part of the USERNAME.
        ufrag: String,
        /// Where the request came from; not proven.
        remote: SocketAddr,
    },
    /// A connection was removed without a word, and nobody is to answer for this name of its any more
    /// ([`Event::NameReleased`](crate::Event::NameReleased)).
    NameReleased(String),
    /// Something happened to a connection. After [`Event::Closed`] its id names nothing any more.
    Connection(ConnectionId, Event),
}

/// What an endpoint counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndpointStats {
    /// Datagrams that belong to no connection, by any rule.
    pub unroutable: u64,
    /// Proven 5-tuples that another connection owns already.
    pub claims_refused: u64,
    /// Calls into connections: the measure of work.
    pub visits: u64,
}

#[derive(Default)]
struct Slot {
    generation: u32,
    connection: Option<PeerConnection>,
}

/// Connections that share local addresses, one socket each.
///
/// It has the five calls of every machine, and creates, finds and forgets connections. One thread, one endpoint.
pub struct Endpoint {
    config: EndpointConfig,
    seeds: Rng,
    local_addresses: Vec<SocketAddr>,
    tcp_addresses: Vec<(SocketAddr, TcpType)>,
    /// Those that connections may tell though they hide others.
    exposed: Vec<IpAddr>,
    /// Names of connections that were removed. Each was told: it is polled before another is.
    released: VecDeque<String>,
    slots: Vec<Slot>,
    free: Vec<usize>,
    routes: Routes,
    streams: Streams,
    accepted: Accepted,
    strangers: Strangers,
    /// Those that were lent for a command, which may have changed nothing.
    commanded: Ready,
    may_send: Ready,
    may_tell: Ready,
    taps: Taps,
    deadlines: Deadlines,
    clock: Monotonic,
    stats: EndpointStats,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("connections", &self.len()).field("stats", &self.stats).finish_non_exhaustive()
    }
}

impl Endpoint {
    /// An endpoint without addresses or connections.
    pub fn new(config: EndpointConfig, seed: Seed) -> Self {
        Self {
            config,
            strangers: Strangers::new(seed.fork("strangers")),
            seeds: Rng::new(seed),
            local_addresses: Vec::new(),
            tcp_addresses: Vec::new(),
            exposed: Vec::new(),
            released: VecDeque::new(),
            slots: Vec::new(),
            free: Vec::new(),
            routes: Routes::default(),
            streams: Streams::default(),
            accepted: Accepted::default(),
            commanded: Ready::default(),
            may_send: Ready::default(),
            may_tell: Ready::default(),
            taps: Taps::default(),
            deadlines: Deadlines::default(),
            clock: Monotonic::default(),
            stats: EndpointStats::default(),
        }
    }

    /// An address on which datagrams arrive and leave: a host candidate of every connection, also of those that exist. One
    /// call for each address of an interface (`wigwag_mio::interfaces`, or the crate `if-addrs`, lists them); adding one again
    /// changes nothing.
    ///
    /// # Errors
    /// No packet can come to such an address, as of a socket bound to `0.0.0.0` or `[::]`, or to port 0.
    pub fn add_local_address(&mut self, address: SocketAddr) -> Result<(), AddressError> {
        AddressError::check(address)?;
        if self.local_addresses.contains(&address) {
            return Ok(());
        }
        self.local_addresses.push(address);
        for slot in 0..self.slots.len() {
            if let Some(connection) = &mut self.slots[slot].connection {
                // Whoever is over, or has as many as an agent takes, goes on as before.
                let _ = connection.add_local_address(address);
                self.touch(slot);
            }
        }
        Ok(())
    }

    /// An address has vanished, from all connections: see
    /// [`PeerConnection::remove_local_address`](crate::PeerConnection::remove_local_address).
    pub fn remove_local_address(&mut self, address: SocketAddr) {
        self.local_addresses.retain(|known| *known != address);
        self.routes.release_local(address);
        for slot in 0..self.slots.len() {
            if let Some(connection) = &mut self.slots[slot].connection {
                connection.remove_local_address(address);
                self.touch(slot);
            }
        }
    }

    /// This address may be told as it is also by connections that [hide](field@Config::hide_local_addresses) theirs, those that exist and
    /// those to come: see [`PeerConnection::expose_address`](crate::PeerConnection::expose_address).
    pub fn expose_address(&mut self, address: IpAddr) {
        if self.exposed.contains(&address) {
            return;
        }
        self.exposed.push(address);
        for slot in 0..self.slots.len() {
            if let Some(connection) = &mut self.slots[slot].connection {
                connection.expose_address(address);
                self.touch(slot);
            }
        }
    }

    /// The addresses that are there.
    pub fn local_addresses(&self) -> &[SocketAddr] {
        &self.local_addresses
    }

    /// How many datagrams of one size the driver can hand to the kernel at once, now and from now on; at least 1.
    pub fn set_max_segments(&mut self, max_segments: usize) {
        self.config.max_segments = max_segments;
        for slot in &mut self.slots {
            if let Some(connection) = &mut slot.connection {
                connection.set_max_segments(max_segments);
            }
        }
    }

    /// Makes a connection on this endpoint's addresses.
    ///
    /// # Errors
    /// There are [`EndpointConfig::connections_max`] already, its ufrag is another connection's, or the configuration
    /// is not usable.
    pub fn create(&mut self, config: Config) -> Result<ConnectionId, EndpointError> {
        if self.len() >= self.config.connections_max {
            return Err(EndpointError::TooManyConnections(self.config.connections_max));
        }
        config.check()?;
        let mut connection = PeerConnection::new(config, self.seeds.seed());
        if self.routes.knows_ufrag(connection.local_ufrag()) {
            return Err(EndpointError::UfragInUse(connection.local_ufrag().to_owned()));
        }
        connection.set_max_segments(self.config.max_segments);
        self.exposed.iter().for_each(|address| connection.expose_address(*address));
        for address in &self.local_addresses {
            let _ = connection.add_local_address(*address); // of more than an agent takes, the first
        }
        for (address, tcp_type) in &self.tcp_addresses {
            let _ = connection.add_local_tcp_address(*address, *tcp_type);
        }
        let slot = self.free.pop().unwrap_or(self.slots.len());
        if slot == self.slots.len() {
            self.slots.push(Slot::default());
        }
        self.routes.set_ufrags(slot, connection.ufrags());
        let awaited = self.accepted.find(connection.local_ufrag());
        self.slots[slot].connection = Some(connection);
        self.touch(slot);
        awaited.into_iter().for_each(|path| self.adopt(slot, path));
        Ok(self.id(slot))
    }

    /// A connection, to look at.
    pub fn connection(&self, id: ConnectionId) -> Option<&PeerConnection> {
        self.slots[self.slot(id)?].connection.as_ref()
    }

    /// A connection, to command. The next calls ask it what it owes since; no guard is needed, since nobody can poll while
    /// this borrow lasts. Whoever asks for a connection in each turn of a loop and changes nothing is not kept awake.
    pub fn connection_mut(&mut self, id: ConnectionId) -> Option<&mut PeerConnection> {
        let slot = self.slot(id)?;
        self.commanded.push(slot);
        self.slots[slot].connection.as_mut()
    }

    /// Forgets a connection without a word to its peer; [`PeerConnection::close`] says goodbye.
    pub fn remove(&mut self, id: ConnectionId) {
        if let Some(slot) = self.slot(id) {
            self.vacate(slot);
        }
    }

    /// The connections, in no particular order.
    pub fn ids(&self) -> impl Iterator<Item = ConnectionId> {
        (0..self.slots.len()).filter(|slot| self.slots[*slot].connection.is_some()).map(|slot| self.id(slot))
    }

    /// How many connections there are.
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether there is no connection.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was counted.
    pub const fn stats(&self) -> EndpointStats {
        self.stats
    }

    /// A datagram arrived.
    pub fn handle_input(&mut self, datagram: Datagram<'_>, now: Instant) {
        let now = self.clock.advance(now);
        self.admit(now);
        let path = Path::of(&datagram);
        if path.protocol != Protocol::Udp {
            return self.handle_stream(datagram, now);
        }
        let peek = ice::peek(datagram.payload);
        let Some(slot) = self.routes.find(path, peek.as_ref()) else { return self.handle_stranger(peek, path) };
        let is_stun = peek.is_some();
        self.hand_in(slot, datagram, now);
        if is_stun {
            self.learn_path(path, slot);
        }
    }

    fn hand_in(&mut self, slot: usize, datagram: Datagram<'_>, now: Instant) {
        let Some(connection) = &mut self.slots[slot].connection else { return };
        self.stats.visits += 1;
        connection.handle_input(datagram, now);
        self.schedule(slot, now);
        self.touch(slot);
    }

    /// STUN has arrived on a path, which may be the connection's now.
    fn learn_path(&mut self, path: Path, slot: usize) {
        if let Some(owner) = self.routes.owner(path).filter(|owner| *owner != slot)
            && !self.slots[owner].connection.as_ref().is_some_and(|connection| connection.is_proven(path))
        {
            // It has moved, and consents to nothing there any more: it holds no more than who was first.
            self.routes.doubt(path);
        }
        let Some(connection) = &self.slots[slot].connection else { return };
        if self.routes.is_full(slot) {
            self.routes.retain_paths(slot, |path| connection.is_open(path));
        }
        let has_claimed = self.routes.learn(path, slot, connection.is_proven(path), connection.is_open(path));
        self.stats.claims_refused += u64::from(!has_claimed);
    }

    fn handle_stranger(&mut self, peek: Option<Peek<'_>>, path: Path) {
        self.stats.unroutable += 1;
        if let (true, Some(Peek::Request { ufrag, .. })) = (self.config.unknown_ufrag, peek) {
            self.strangers.ask(ufrag, path.remote);
        }
    }

    /// Time has passed. Only those whose time has come are called.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.clock.advance(now);
        self.admit(now);
        while let Some(path) = self.accepted.expire(now) {
            self.refuse_accepted(path);
        }
        while let Some(slot) = self.deadlines.expire(now) {
            let Some(connection) = &mut self.slots[slot].connection else { continue };
            self.stats.visits += 1;
            connection.handle_timeout(now);
            self.routes.set_ufrags(slot, connection.ufrags()); // a name from before a restart ends with its consent
            if !connection.holds_paths() {
                // What a server relays is there for the next attempt.
                self.routes.retain_paths(slot, |path| connection.has_relay(path));
            }
            self.schedule_later(slot, now);
            self.touch(slot);
        }
        self.forget_the_idle(now);
    }

    /// Whoever waits for their turn may have nothing to do: what was owed may have been taken by another call.
    fn forget_the_idle(&mut self, now: Instant) {
        while let Some(slot) = self.may_send.front()
            && !self.is_due(slot, now)
        {
            self.may_send.pop();
            self.schedule_later(slot, now);
        }
        while let Some(slot) = self.may_tell.front()
            && !self.is_due(slot, now)
        {
            self.may_tell.pop();
            self.schedule_later(slot, now);
        }
    }

    /// Whether a connection owes something.
    fn is_due(&mut self, slot: usize, now: Instant) -> bool {
        let Some(connection) = &mut self.slots[slot].connection else { return false };
        self.stats.visits += 1;
        let is_due = |connection: &PeerConnection| connection.poll_timeout(now).is_some_and(|at| at <= now);
        if is_due(connection) {
            connection.handle_timeout(now); // a command does not look for what it has to tell
        }
        is_due(connection)
    }

    /// What shall be sent? Replaces what is in `out`: one datagram, or several of one connection if
    /// [`EndpointConfig::max_segments`] allows, cut by [`Transmit::segment_size`]. Connections take turns, a batch a turn.
    pub fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        let now = self.clock.advance(now);
        self.admit(now);
        if let Some(transmit) = self.streams.close() {
            out.clear();
            return Some(transmit);
        }
        while let Some(slot) = self.may_send.pop() {
            let Some(connection) = &mut self.slots[slot].connection else { continue };
            self.stats.visits += 1;
            let transmit = connection.poll_transmit(now, out);
            self.schedule(slot, now);
            if let Some(mut transmit) = transmit {
                self.touch(slot);
                if transmit.protocol != Protocol::Udp {
                    if self.name_stream(slot, &mut transmit, out.is_empty(), now) {
                        return Some(transmit);
                    }
                    continue;
                }
                self.remember_check(slot, &transmit, out);
                return Some(transmit);
            }
        }
        self.forget_the_idle(now);
        out.clear();
        None
    }

    /// A check on a path that nobody owns, or a question to a STUN server: its answer is known by its transaction only.
    fn remember_check(&mut self, slot: usize, transmit: &Transmit, packet: &[u8]) {
        let path = Path { protocol: transmit.protocol, local: transmit.local, remote: transmit.remote };
        if let Some(transaction) = ice::request_transaction(packet)
            && !self.routes.owns(slot, path)
        {
            self.routes.remember(transaction, slot);
        }
    }

    /// What has happened?
    pub fn poll_event(&mut self) -> Option<EndpointEvent> {
        if let Some(name) = self.released.pop_front() {
            return Some(EndpointEvent::NameReleased(name));
        }
        if let Some((ufrag, remote)) = self.strangers.take() {
            return Some(EndpointEvent::Incoming { ufrag, remote });
        }
        match self.clock.seen() {
            Some(now) => self.admit(now),
            None => {
                while let Some(slot) = self.commanded.pop() {
                    if let Some(connection) = &self.slots[slot].connection {
                        self.routes.set_ufrags(slot, connection.ufrags());
                    }
                    self.touch(slot);
                }
            }
        }
        while let Some(slot) = self.may_tell.pop() {
            let Some(connection) = &mut self.slots[slot].connection else { continue };
            self.stats.visits += 1;
            let event = connection.poll_event();
            let id = self.id(slot);
            if matches!(event, Some(Event::Closed(_))) {
                self.vacate(slot);
            } else {
                if let Some(now) = self.clock.seen() {
                    self.schedule(slot, now);
                }
                if event.is_some() {
                    self.touch(slot); // there may be more, and reading may open a window, which the peer must be told
                }
            }
            if let Some(event) = event {
                return Some(EndpointEvent::Connection(id, event));
            }
        }
        if let Some(now) = self.clock.seen() {
            self.forget_the_idle(now);
        }
        None
    }

    /// What the connections show that [`Config::tap`] asks it of, for debugging: keys and packets, also of one that is over.
    ///
    /// It is nothing that is owed, and wakes nobody: whoever wants it asks in every turn of the loop until `None`.
    pub fn poll_tap(&mut self) -> Option<(ConnectionId, Tapped)> {
        if let Some(found) = self.taps.poll_vacated() {
            return Some(found);
        }
        while let Some(slot) = self.taps.ready.pop() {
            let id = self.id(slot);
            let tapped = self.slots[slot].connection.as_mut().and_then(PeerConnection::poll_tap);
            if let Some(tapped) = tapped {
                self.taps.ready.push(slot); // there may be more
                return Some((id, tapped));
            }
        }
        None
    }

    /// When to call again: at `now` if anything is owed.
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let now = self.clock.latest(now);
        let is_told = self.strangers.is_empty() && self.released.is_empty();
        if self.streams.owes() || !self.may_send.is_empty() || !self.may_tell.is_empty() || !is_told {
            return Some(now);
        }
        let commanded = self.commanded.iter().filter_map(|slot| self.slots[slot].connection.as_ref());
        let commanded = commanded.filter_map(|connection| connection.poll_timeout(now)).min();
        earliest([commanded, self.deadlines.earliest(), self.accepted.deadline()])
    }

    /// Whoever owes something since it was commanded waits for its turn.
    fn admit(&mut self, now: Instant) {
        while let Some(slot) = self.commanded.pop() {
            let Some(connection) = &mut self.slots[slot].connection else { continue };
            self.stats.visits += 1;
            self.routes.set_ufrags(slot, connection.ufrags()); // a description may have begun ICE anew
            let at = connection.poll_timeout(now);
            self.deadlines.set(slot, at);
            if at.is_some_and(|at| at <= now) {
                connection.handle_timeout(now); // its clock was behind: what it wants later may be due
                self.touch(slot);
            }
        }
    }

    fn touch(&mut self, slot: usize) {
        self.may_send.push(slot);
        self.may_tell.push(slot);
    }

    fn schedule(&mut self, slot: usize, now: Instant) {
        let Some(connection) = &self.slots[slot].connection else { return self.deadlines.set(slot, None) };
        self.deadlines.set(slot, connection.poll_timeout(now));
        if connection.has_tapped() {
            self.taps.ready.push(slot);
        }
    }

    /// What is owed now is on the ready queues already, and must not keep the time from passing.
    fn schedule_later(&mut self, slot: usize, now: Instant) {
        let at = self.slots[slot].connection.as_ref().and_then(|connection| connection.poll_timeout(now));
        self.deadlines.set(slot, at.filter(|at| *at > now));
    }

    fn vacate(&mut self, slot: usize) {
        let id = self.id(slot);
        if let Some(tap) = self.slots[slot].connection.as_mut().and_then(PeerConnection::take_tap) {
            self.taps.vacate(id, tap);
        }
        let names = self.slots[slot].connection.as_mut().map(PeerConnection::release_names);
        self.released.extend(names.into_iter().flatten());
        let generation = self.slots[slot].generation.wrapping_add(1);
        let vacated = std::mem::replace(&mut self.slots[slot], Slot { generation, connection: None });
        if vacated.connection.is_some() {
            self.routes.remove(slot);
            self.streams.vacate(slot);
            self.deadlines.set(slot, None);
            self.free.push(slot);
        }
    }

    fn slot(&self, id: ConnectionId) -> Option<usize> {
        let slot = usize::try_from(id.slot).ok()?;
        let found = self.slots.get(slot)?;
        (found.generation == id.generation && found.connection.is_some()).then_some(slot)
    }

    fn id(&self, slot: usize) -> ConnectionId {
        ConnectionId { slot: u32::try_from(slot).unwrap_or(u32::MAX), generation: self.slots[slot].generation }
    }
}
