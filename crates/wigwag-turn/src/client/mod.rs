//! One address at one server (RFC 8656): asked for, kept, and given back.

mod allocation;
mod answer;
mod grant;
mod peers;
mod relay;
mod request;
mod stream;

use crate::attribute::{
    ALLOCATE, CHANNEL_BIND, CHANNEL_NUMBER, CREATE_PERMISSION, LIFETIME, REFRESH, REQUESTED_TRANSPORT, UDP,
    XOR_PEER_ADDRESS,
};
use crate::config::ClientConfig;
use crate::event::ClientEvent;
use crate::login::Login;
use crate::stats::ClientStats;
use allocation::Allocation;
use peers::{Name, PERMISSIONS_MAX, Peers};
use request::Request;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;
use stream::Stream;
use wigwag_sansio::{Datagram, Monotonic, Protocol, Rng, Seed, Transmit, earliest};
use wigwag_stun::{Class, Failure, MessageWriter, Method, TransactionId};

/// Whose request it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Allocation,
    Grant(Name),
}

/// A client of one server, over UDP, TCP or TLS.
///
/// It asks for an address at once. When [`ClientEvent::Allocated`] has told it, datagrams to peers are [wrapped](Self::wrap) and sent to
/// the server, and what [`handle_input`](Self::handle_input) finds in the server's are those of peers. Only peers that were
/// [allowed](Self::allow) can reach us; one that is [bound](Self::bind) costs four bytes a datagram instead of 36.
///
/// [Over a stream](ClientConfig::over) inputs and transmits are its bytes, cut anywhere: the first transmit opens it, an empty one closes it,
/// and an empty input says that it has ended or was not opened, and with it all that the server had given.
#[derive(Debug)]
pub struct Client {
    config: ClientConfig,
    /// The server that is asked: another than the one of the configuration, if that one says so.
    server: SocketAddr,
    stream: Stream,
    /// All that were asked, this one included: none is asked twice.
    asked: Vec<SocketAddr>,
    login: Login,
    rng: Rng,
    allocation: Allocation,
    peers: Peers,
    owed: VecDeque<ClientEvent>,
    clock: Monotonic,
    /// Whether a command has changed something.
    is_touched: bool,
    /// What follows from all that is above: whether a request is owed, and when to look again.
    is_owed: bool,
    wake: Option<Instant>,
    /// What indications are called, and what the next one is: nobody is to tell from requests how many there were.
    indications: Rng,
    indication: Option<TransactionId>,
    /// A packet that is wrapped after it was written.
    scratch: Vec<u8>,
    stats: ClientStats,
}

impl Client {
    /// A client whose first request is owed at once.
    pub fn new(config: ClientConfig, seed: Seed) -> Self {
        let indications = Rng::new(seed.fork("indications"));
        let mut rng = Rng::new(seed);
        Self {
            server: config.server,
            stream: Stream::default(),
            asked: vec![config.server],
            login: Login::new(config.credentials.clone()),
            allocation: Allocation::Asking(Request::new(&mut rng, config.retransmission)),
            peers: Peers::default(),
            owed: VecDeque::new(),
            clock: Monotonic::default(),
            is_touched: true,
            is_owed: false,
            wake: None,
            indications,
            indication: None,
            scratch: Vec::new(),
            stats: ClientStats::default(),
            rng,
            config,
        }
    }

    /// The address of ours.
    pub const fn local(&self) -> SocketAddr {
        self.config.local
    }

    /// The server that is asked: another than the one of the configuration, if that one says so (RFC 8489 §10).
    pub const fn server(&self) -> SocketAddr {
        self.server
    }

    /// How the server is asked.
    pub const fn protocol(&self) -> Protocol {
        self.config.protocol
    }

    const fn is_over_stream(&self) -> bool {
        !matches!(self.config.protocol, Protocol::Udp)
    }

    /// Where peers reach us, while the server relays.
    pub fn relayed(&self) -> Option<SocketAddr> {
        self.allocation.held().map(|held| held.relayed)
    }

    /// Where the server sees us, while it relays.
    pub fn mapped(&self) -> Option<SocketAddr> {
        self.allocation.held().map(|held| held.mapped)
    }

    /// Whether it has come to an end: nothing is asked for or relayed any more. A stream may still be [to be closed](Self::closing).
    pub const fn is_over(&self) -> bool {
        matches!(self.allocation, Allocation::Over)
    }

    /// Whether a response of this transaction is for this client.
    pub fn is_awaiting(&self, transaction: TransactionId) -> bool {
        self.allocation.is_awaiting(transaction) || self.peers.awaiting(transaction).is_some()
    }

    /// What was counted.
    pub const fn stats(&self) -> &ClientStats {
        &self.stats
    }

    /// Lets a peer's datagrams through, from any of its ports, and ours to it: at once if the server relays already, or as soon as it
    /// does, and until the end. Of more than 128 peers, those after the last that there was room for are not asked for.
    pub fn allow(&mut self, peer: IpAddr) {
        if !self.has_ended() && self.peers.allow(peer) {
            self.is_touched = true;
        }
    }

    /// Forgets the permissions of peers that are not wanted any more; the server does so within five minutes.
    pub fn retain(&mut self, is_wanted: impl FnMut(IpAddr) -> bool) {
        self.peers.retain(is_wanted);
        self.is_touched = true;
    }

    /// Has datagrams from and to this peer cost four bytes more instead of 36 (48 if its address is of IPv6), and lets it
    /// through, too. It is kept as long as it is used. There is room for 32; those that there is no room for are reached in the longer
    /// way.
    pub fn bind(&mut self, peer: SocketAddr) {
        if !self.has_ended() && self.peers.bind(peer) {
            self.is_touched = true;
        }
    }

    /// Gives the address back: the server is told, and nothing is relayed any more.
    pub fn release(&mut self) {
        match self.allocation {
            Allocation::Held(_) => {
                let request = Request::new(&mut self.rng, self.config.retransmission);
                self.allocation = Allocation::Releasing(request);
            }
            // Whether the server has given anything is not known: it forgets what nobody refreshes.
            Allocation::Asking(_) => self.allocation = Allocation::Over,
            Allocation::Releasing(_) | Allocation::Over => return,
        }
        self.peers = Peers::default();
        self.is_touched = true;
    }

    const fn has_ended(&self) -> bool {
        matches!(self.allocation, Allocation::Releasing(_) | Allocation::Over)
    }

    /// Nothing is asked for or relayed any more.
    fn end(&mut self, failure: Failure) {
        let is_told = !self.has_ended(); // whoever gives it back does not care what becomes of it
        self.allocation = Allocation::Over;
        self.peers = Peers::default();
        if is_told {
            self.owed.push_back(ClientEvent::Ended(failure));
        }
    }
}

/// The five calls.
impl Client {
    /// A datagram arrived, or the next bytes of the stream. What peers have sent is handed to `up` as it would have come without a relay:
    /// its `local` is the [relayed address](Self::relayed), its `remote` the peer's. Of a stream's bytes it may be several.
    pub fn handle_input(&mut self, datagram: Datagram<'_>, now: Instant, up: impl FnMut(Datagram<'_>)) {
        let now = self.advance(now);
        if self.is_over_stream() {
            self.read_stream(datagram, now, up);
        } else {
            self.read(datagram, now, up);
        }
        if self.is_touched {
            self.settle(now);
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
    }

    /// What shall be sent? Replaces what is in `out`: a request to the server, or nothing, which closes the stream. Datagrams to peers are
    /// not among it, but what [`wrap`](Self::wrap) makes of them.
    pub fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        let now = self.advance(now);
        if !self.is_owed {
            return None;
        }
        if let Stream::Leaving(server) = self.stream {
            self.stream = Stream::Closed;
            out.clear();
            self.settle(now);
            return Some(self.transmit_to(server, 0));
        }
        let whose = if self.allocation.is_owed() { Whose::Allocation } else { Whose::Grant(self.peers.owing()?) };
        let request = self.request_mut(whose)?;
        let id = request.id();
        out.clear();
        self.login.sign(self.begin(whose, MessageWriter::new(out, Class::Request, self.method(whose), id)));
        let is_signed = self.login.is_challenged();
        if let Some(request) = self.request_mut(whose) {
            request.sent(is_signed, now);
        }
        self.stats.requests_sent = self.stats.requests_sent.saturating_add(1);
        if self.is_over_stream() {
            self.stream.open(self.server);
        }
        self.settle(now);
        Some(self.transmit_to(self.server, out.len()))
    }

    /// What has happened?
    pub fn poll_event(&mut self) -> Option<ClientEvent> {
        self.owed.pop_front()
    }

    /// When to call again; `Some(now)` if anything is owed.
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let now = self.clock.latest(now);
        if self.is_touched || self.peers.is_touched() || self.is_owed || !self.owed.is_empty() {
            return Some(now);
        }
        self.wake.map(|wake| wake.max(now))
    }

    fn advance(&mut self, now: Instant) -> Instant {
        let now = self.clock.advance(now);
        if self.is_touched || self.peers.is_touched() || self.wake.is_some_and(|wake| wake <= now) {
            self.settle(now);
        }
        now
    }

    /// Sees to all that the time or a change has brought.
    fn settle(&mut self, now: Instant) {
        self.is_touched = false;
        let retransmission = self.config.retransmission;
        let is_over_stream = self.is_over_stream();
        if let Some(failure) = self.allocation.handle_timeout(&mut self.rng, retransmission, is_over_stream, now) {
            self.end(failure);
        }
        if self.is_over() {
            self.stream.leave();
        }
        if self.allocation.held().is_some() {
            let owed = &mut self.owed;
            self.peers.handle_timeout(&mut self.rng, retransmission, now, |peer, failure| {
                tell_refused(owed, peer, failure);
            });
            self.wake = earliest([self.allocation.deadline(now), self.peers.deadline(now)]);
        } else {
            self.wake = self.allocation.deadline(now);
        }
        self.is_owed = self.stream.is_leaving()
            || self.allocation.is_owed()
            || self.allocation.held().is_some() && self.peers.owing().is_some();
    }

    fn request_mut(&mut self, whose: Whose) -> Option<&mut Request> {
        match whose {
            Whose::Allocation => self.allocation.request_mut(),
            Whose::Grant(name) => self.peers.grant(name)?.request.as_mut(),
        }
    }

    const fn method(&self, whose: Whose) -> Method {
        match (whose, &self.allocation) {
            (Whose::Allocation, Allocation::Asking(_)) => ALLOCATE,
            (Whose::Allocation, Allocation::Held(_) | Allocation::Releasing(_) | Allocation::Over) => REFRESH,
            (Whose::Grant(Name::Permission(_)), _) => CREATE_PERMISSION,
            (Whose::Grant(Name::Channel(..)), _) => CHANNEL_BIND,
        }
    }

    /// What a request says, but who we are.
    fn begin<'o>(&self, whose: Whose, writer: MessageWriter<'o>) -> MessageWriter<'o> {
        match (whose, &self.allocation) {
            (Whose::Allocation, Allocation::Asking(_)) => writer.attribute(REQUESTED_TRANSPORT, &UDP),
            (Whose::Allocation, Allocation::Releasing(_)) => writer.attribute(LIFETIME, &[0; 4]),
            (Whose::Allocation, Allocation::Held(_) | Allocation::Over) => writer,
            (Whose::Grant(Name::Permission(peer)), _) => writer.xor_address(XOR_PEER_ADDRESS, SocketAddr::new(peer, 0)),
            (Whose::Grant(Name::Channel(peer, number)), _) => {
                let [a, b] = number.to_be_bytes();
                writer.attribute(CHANNEL_NUMBER, &[a, b, 0, 0]).xor_address(XOR_PEER_ADDRESS, peer)
            }
        }
    }
}

/// Each peer once, until somebody polls, and no more than may be asked for.
fn tell_refused(owed: &mut VecDeque<ClientEvent>, refused: IpAddr, failure: Failure) {
    let is_it = |event: &ClientEvent| matches!(event, ClientEvent::PeerRefused { peer, .. } if *peer == refused);
    if owed.len() < PERMISSIONS_MAX && !owed.iter().any(is_it) {
        owed.push_back(ClientEvent::PeerRefused { peer: refused, failure });
    }
}
