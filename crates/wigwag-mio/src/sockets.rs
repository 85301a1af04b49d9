//! All sockets of a driver: who sends what, who has something, and what waits for room.

use crate::config::DriverConfig;
use crate::offload::{ReceiveBuffer, Sent, Socket};
use crate::stats::DriverStats;
use mio::{Interest, Registry, Token};
use std::io;
use std::net::SocketAddr;
use std::time::Instant;
use wigwag_sansio::{Datagram, Protocol, Transmit};

/// How often one socket is asked in one turn before the others, the timers and the application have theirs.
const RECEIVES_PER_TURN: usize = 4;

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

#[derive(Default)]
pub(crate) struct Sockets {
    /// Places of closed ones are empty until they are taken again.
    sockets: Vec<Option<Socket>>,
    /// Sockets that may have something, of which readiness has told and will not tell again.
    readable: Vec<bool>,
    /// While something is blocked nothing else is sent: what is owed stays owed, in order.
    blocked: Option<Blocked>,
    /// The socket that is asked for room.
    watched: Option<usize>,
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
        if sockets.sockets.is_empty() {
            return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, "no UDP socket: no address is available"));
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
        let number = self.sockets.iter().position(Option::is_none).unwrap_or(self.sockets.len());
        registry.register(&mut socket.io, Token(first_token + number), Interest::READABLE)?;
        if number == self.sockets.len() {
            self.sockets.push(None);
            self.readable.push(false);
        }
        let bound = socket.bound;
        self.sockets[number] = Some(socket);
        // What came before the registration is told by no readiness on some systems.
        self.readable[number] = true;
        Ok(bound)
    }

    /// One less; what it could not send yet is lost, as on the way.
    pub(crate) fn close(&mut self, bound: SocketAddr, registry: &Registry) {
        let is_it = |socket: &Option<Socket>| socket.as_ref().is_some_and(|socket| socket.bound == bound);
        let Some(number) = self.sockets.iter().position(is_it) else { return };
        if let Some(mut socket) = self.sockets[number].take() {
            // It is closed next, which ends its registration too.
            let _ = registry.deregister(&mut socket.io);
        }
        self.readable[number] = false;
        self.blocked.take_if(|blocked| blocked.socket == number);
        // Another socket may take its number.
        self.watched.take_if(|watched| *watched == number);
    }

    pub(crate) fn bound(&self) -> impl Iterator<Item = SocketAddr> {
        self.sockets.iter().flatten().map(|socket| socket.bound)
    }

    /// The most datagrams that any socket takes at a time; the others send them one by one.
    pub(crate) fn max_segments(&self) -> usize {
        self.sockets.iter().flatten().map(Socket::max_segments).max().unwrap_or(1)
    }

    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked.is_some()
    }

    pub(crate) fn may_be_readable(&self) -> bool {
        self.readable.contains(&true)
    }

    pub(crate) fn set_readable(&mut self, number: usize) {
        if let Some(readable) = self.readable.get_mut(number) {
            *readable = true;
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
        let Some(Some(socket)) = self.sockets.get(number) else { return };
        if let Sent::Blocked(start) = socket.send(transmit, out, 0, &mut self.stats) {
            let bytes = std::mem::replace(out, std::mem::take(&mut self.spare));
            self.blocked = Some(Blocked { socket: number, transmit: *transmit, bytes, start });
        }
    }

    /// Sends what was blocked, as far as there is room now.
    pub(crate) fn send_blocked(&mut self) {
        let Some(mut blocked) = self.blocked.take() else { return };
        let Some(Some(socket)) = self.sockets.get(blocked.socket) else { return };
        match socket.send(&blocked.transmit, &blocked.bytes, blocked.start, &mut self.stats) {
            Sent::Done => self.spare = blocked.bytes,
            Sent::Blocked(start) => {
                blocked.start = start;
                self.blocked = Some(blocked);
            }
        }
    }

    /// Asks to be told of room only while something waits for it: a socket tells of room after every packet that left.
    pub(crate) fn watch_blocked(&mut self, registry: &Registry, first_token: usize) -> io::Result<()> {
        let wanted = self.blocked.as_ref().map(|blocked| blocked.socket);
        if wanted == self.watched {
            return Ok(());
        }
        for (number, interest) in
            [(self.watched, Interest::READABLE), (wanted, Interest::READABLE | Interest::WRITABLE)]
        {
            let Some(number) = number else { continue };
            if let Some(Some(socket)) = self.sockets.get_mut(number) {
                registry.reregister(&mut socket.io, Token(first_token + number), interest)?;
            }
        }
        self.watched = wanted;
        Ok(())
    }

    /// Hands what has arrived to `each`, a bounded amount for each socket.
    pub(crate) fn receive(&mut self, now: Instant, mut each: impl FnMut(Datagram<'_>)) {
        let Self { sockets, readable, buffer, observer, stats, .. } = self;
        for (socket, readable) in sockets.iter().zip(readable) {
            let Some(socket) = socket else { continue };
            for _ in 0..RECEIVES_PER_TURN {
                if !*readable {
                    break;
                }
                *readable = socket.receive(buffer, stats, |datagram| {
                    if let Some(observer) = observer {
                        let Datagram { local, remote, ref payload, .. } = datagram;
                        observer(Observed { direction: Direction::Received, at: now, local, remote, payload });
                    }
                    each(datagram);
                });
            }
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
            self.sockets.iter().position(|socket| socket.as_ref().is_some_and(|socket| is_it(socket.bound)))
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

#[cfg(test)]
mod tests;
