//! All sockets of a driver: who sends what, who has something, and what waits for room.

use crate::config::DriverConfig;
use crate::offload::{ReceiveBuffer, Received, Sent, Socket};
use crate::stats::DriverStats;
use mio::{Interest, Registry, Token};
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use wigwag_sansio::{Datagram, Protocol, Transmit};

/// How often one socket is asked in one turn before the others, the timers and the application have theirs.
const RECEIVES_PER_TURN: usize = 4;
/// How many errors one socket may tell in one turn. Some systems tell one for each ICMP message, with datagrams behind;
/// a socket that tells nothing else may go on for ever.
const FAILURES_PER_TURN: usize = 16;
/// How long a socket without room holds up the others: a queue that is merely full moves on, of an interface that has
/// gone it never does, and the calls over it have to find another way.
const PATIENCE: Duration = Duration::from_millis(100);

/// Which way a datagram went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From us to the peer.
    Sent,
    /// From the peer to us.
    Received,
}

/// A datagram that was sent or received, for those who record the traffic.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Observed<'a> {
    /// Which way it went.
    pub direction: Direction,
    /// When.
    pub at: Instant,
    /// Our address.
    pub local: SocketAddr,
    /// The peer's address.
    pub remote: SocketAddr,
    /// The bytes on the wire: encrypted, but for STUN and handshakes.
    pub payload: &'a [u8],
}

pub(crate) type Observer = Box<dyn FnMut(Observed<'_>) + Send>;

/// A send for which the kernel had no room.
struct Blocked {
    socket: usize,
    transmit: Transmit,
    bytes: Vec<u8>,
    /// What was sent already.
    start: usize,
}

/// A socket, and what is known of its readiness.
struct Place {
    socket: Socket,
    /// It may have something, of which readiness has told and will not tell again.
    is_readable: bool,
    /// It told nothing but errors when it was asked last.
    is_failing: bool,
    /// Since when it has had no room, as far as it has told.
    full_since: Option<Instant>,
    /// Whether it is asked for room.
    is_watched: bool,
}

#[derive(Default)]
pub(crate) struct Sockets {
    /// Those of closed ones are empty until they are taken again.
    places: Vec<Option<Place>>,
    /// While something is blocked nothing else is sent: what is owed stays owed, in order.
    blocked: Option<Blocked>,
    /// The buffer of the last blocked send.
    spare: Vec<u8>,
    buffer: ReceiveBuffer,
    pub(crate) observer: Option<Observer>,
    pub(crate) stats: DriverStats,
}

impl Sockets {
    /// Binds all addresses of `config`; socket number `n` has the token `first_token + n`.
    pub(crate) fn bind(config: &DriverConfig, registry: &Registry, first_token: usize) -> io::Result<Self> {
        let mut sockets = Self::default();
        for address in &config.addresses {
            match sockets.open(*address, config, registry, first_token) {
                Err(error) if config.skip_unavailable && error.kind() == io::ErrorKind::AddrNotAvailable => {
                    tracing::info!(%address, "no longer here");
                }
                result => _ = result?,
            }
        }
        Ok(sockets)
    }

    /// One more; returns what it is bound to.
    pub(crate) fn open(
        &mut self,
        address: SocketAddr,
        config: &DriverConfig,
        registry: &Registry,
        first_token: usize,
    ) -> io::Result<SocketAddr> {
        let socket = Socket::bind(address, config);
        let mut socket = socket.map_err(|error| io::Error::new(error.kind(), format!("UDP {address}: {error}")))?;
        let number = self.places.iter().position(Option::is_none).unwrap_or(self.places.len());
        registry.register(&mut socket.io, Token(first_token + number), Interest::READABLE)?;
        if number == self.places.len() {
            self.places.push(None);
        }
        let bound = socket.bound;
        // What came before the registration is told by no readiness on some systems.
        let is_readable = true;
        self.places[number] =
            Some(Place { socket, is_readable, is_failing: false, full_since: None, is_watched: false });
        Ok(bound)
    }

    /// One less; what it could not send yet is lost, as on the way.
    pub(crate) fn close(&mut self, bound: SocketAddr, registry: &Registry) {
        let is_it = |place: &Option<Place>| place.as_ref().is_some_and(|place| place.socket.bound == bound);
        let Some(number) = self.places.iter().position(is_it) else { return };
        if let Some(mut place) = self.places[number].take() {
            // It is closed next, which ends its registration too.
            let _ = registry.deregister(&mut place.socket.io);
        }
        self.blocked.take_if(|blocked| blocked.socket == number);
    }

    fn all(&self) -> impl Iterator<Item = &Place> {
        self.places.iter().flatten()
    }

    fn place(&mut self, number: usize) -> Option<&mut Place> {
        self.places.get_mut(number)?.as_mut()
    }

    pub(crate) fn bound(&self) -> impl Iterator<Item = SocketAddr> {
        self.all().map(|place| place.socket.bound)
    }

    /// The most datagrams that any socket takes at a time; the others send them one by one.
    pub(crate) fn max_segments(&self) -> usize {
        self.all().map(|place| place.socket.max_segments()).max().unwrap_or(1)
    }

    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked.is_some()
    }

    pub(crate) fn may_be_readable(&self) -> bool {
        self.all().any(|place| place.is_readable && !place.is_failing)
    }

    /// Whether a socket told nothing but errors, and has to be asked again.
    pub(crate) fn is_failing(&self) -> bool {
        self.all().any(|place| place.is_readable && place.is_failing)
    }

    pub(crate) fn set_readable(&mut self, number: usize) {
        if let Some(place) = self.place(number) {
            place.is_readable = true;
        }
    }

    /// A socket has room again: what was blocked there is sent.
    pub(crate) fn set_writable(&mut self, number: usize, now: Instant) {
        if let Some(place) = self.place(number) {
            place.full_since = None;
        }
        if self.blocked.as_ref().is_some_and(|blocked| blocked.socket == number) {
            self.send_blocked(now);
        }
    }

    /// Sends the datagrams in `out`, or keeps them (and leaves another buffer in their place) until there is room.
    pub(crate) fn send(&mut self, transmit: &Transmit, out: &mut Vec<u8>, now: Instant) {
        debug_assert!(self.blocked.is_none(), "what is blocked goes first");
        self.observe(transmit, out, now);
        let datagrams = out.len().div_ceil(transmit.segment_size.max(1)) as u64;
        if transmit.protocol != Protocol::Udp {
            self.stats.dropped_protocol += datagrams;
            return;
        }
        let Some(number) = self.route(transmit) else {
            tracing::debug!(local = %transmit.local, remote = %transmit.remote, "no socket sends that");
            self.stats.dropped_no_route += datagrams;
            return;
        };
        let Some(Some(place)) = self.places.get_mut(number) else { return };
        if let Sent::Blocked(start) = place.socket.send(transmit, out, 0, &mut self.stats) {
            let bytes = std::mem::replace(out, std::mem::take(&mut self.spare));
            self.keep(Blocked { socket: number, transmit: *transmit, bytes, start }, now);
        }
    }

    /// Sends what was blocked, as far as there is room now.
    fn send_blocked(&mut self, now: Instant) {
        let Some(mut blocked) = self.blocked.take() else { return };
        let Some(Some(place)) = self.places.get_mut(blocked.socket) else { return };
        match place.socket.send(&blocked.transmit, &blocked.bytes, blocked.start, &mut self.stats) {
            Sent::Done => self.spare = blocked.bytes,
            Sent::Blocked(start) => {
                blocked.start = start;
                self.keep(blocked, now);
            }
        }
    }

    /// There is no room for it. It waits, and so does everything else; but if there has been none for long, it is lost.
    fn keep(&mut self, blocked: Blocked, now: Instant) {
        let Some(place) = self.place(blocked.socket) else { return };
        let since = *place.full_since.get_or_insert(now);
        if self.has_patience(since, now) {
            self.stats.sends_blocked += 1;
            self.blocked = Some(blocked);
            return;
        }
        let rest = blocked.bytes.len().saturating_sub(blocked.start);
        self.stats.dropped_no_room += rest.div_ceil(blocked.transmit.segment_size.max(1)) as u64;
        self.spare = blocked.bytes;
    }

    /// A socket without others holds up nobody.
    fn has_patience(&self, since: Instant, now: Instant) -> bool {
        self.all().count() < 2 || now.saturating_duration_since(since) < PATIENCE
    }

    /// When [`give_up`](Self::give_up) does something.
    pub(crate) fn patience_ends(&self) -> Option<Instant> {
        let blocked = self.blocked.as_ref().filter(|_| self.all().count() > 1)?;
        self.places.get(blocked.socket)?.as_ref()?.full_since?.checked_add(PATIENCE)
    }

    /// Tries what was blocked for long a last time: there may be some room, though not as much as readiness tells of.
    pub(crate) fn give_up(&mut self, now: Instant) {
        if self.patience_ends().is_some_and(|at| at <= now) {
            self.send_blocked(now);
        }
    }

    /// Asks to be told of room only those that had none: a socket tells of room after every packet that left.
    pub(crate) fn watch_full(&mut self, registry: &Registry, first_token: usize) -> io::Result<()> {
        for (number, place) in self.places.iter_mut().enumerate() {
            let Some(place) = place.as_mut().filter(|place| place.is_watched != place.full_since.is_some()) else {
                continue;
            };
            place.is_watched = place.full_since.is_some();
            let interest = if place.is_watched { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
            registry.reregister(&mut place.socket.io, Token(first_token + number), interest)?;
        }
        Ok(())
    }

    /// Hands what has arrived to `each`, a bounded amount for each socket.
    pub(crate) fn receive(&mut self, now: Instant, mut each: impl FnMut(Datagram<'_>)) {
        let Self { places, buffer, observer, stats, .. } = self;
        let mut each = |datagram: Datagram<'_>| {
            if let Some(observer) = observer {
                let Datagram { local, remote, ref payload, .. } = datagram;
                observer(Observed { direction: Direction::Received, at: now, local, remote, payload });
            }
            each(datagram);
        };
        for place in places.iter_mut().flatten() {
            place.receive(|socket| socket.receive(buffer, stats, &mut each));
        }
    }

    /// The socket of the local address, or the one for all addresses; none if the kernel could only refuse.
    fn route(&self, transmit: &Transmit) -> Option<usize> {
        let Transmit { local, remote, .. } = transmit;
        // Linux says EINVAL to some of these, which looks as if it could not send several datagrams at once.
        if remote.port() == 0 || remote.ip().is_unspecified() || local.is_ipv4() != remote.is_ipv4() {
            return None;
        }
        let is_for_all = |bound: SocketAddr| {
            bound.ip().is_unspecified() && bound.is_ipv4() == local.is_ipv4() && bound.port() == local.port()
        };
        let find = |is_it: &dyn Fn(SocketAddr) -> bool| {
            self.places.iter().position(|place| place.as_ref().is_some_and(|place| is_it(place.socket.bound)))
        };
        find(&|bound| bound == *local).or_else(|| find(&is_for_all))
    }

    fn observe(&mut self, transmit: &Transmit, out: &[u8], now: Instant) {
        let Some(observer) = &mut self.observer else { return };
        for payload in out.chunks(transmit.segment_size.max(1)) {
            let Transmit { local, remote, .. } = *transmit;
            observer(Observed { direction: Direction::Sent, at: now, local, remote, payload });
        }
    }
}

impl Place {
    /// Asks the socket until it has nothing, or as often as one may be asked in a turn.
    fn receive(&mut self, mut ask: impl FnMut(&Socket) -> Received) {
        let (mut received, mut failed) = (0, 0);
        while self.is_readable && received < RECEIVES_PER_TURN && failed < FAILURES_PER_TURN {
            match ask(&self.socket) {
                Received::Some => received += 1,
                Received::Failed => failed += 1,
                Received::Nothing => self.is_readable = false,
            }
        }
        self.is_failing = failed == FAILURES_PER_TURN && received == 0;
    }
}

#[cfg(test)]
mod tests;
