//! Listeners of TCP: peers open streams to them (RFC 6544 calls such candidates passive).

use crate::config::DriverConfig;
use crate::nat::Nat;
use crate::stats::DriverStats;
use crate::tcp::SEND_BUFFER;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};
use wigwag::Path;
use wigwag_sansio::{Datagram, Ecn, Protocol};

/// Their tokens begin behind those of sockets, and before those of links.
pub(crate) const FIRST_LISTENER: usize = 1 << 29;
/// How many streams may wait to be accepted; the system may grant fewer.
const BACKLOG: i32 = 1024;
/// How many one listener accepts in one turn before the others, the timers and the application have theirs.
const ACCEPTS_PER_TURN: usize = 64;
/// How long a listener is left alone that the system has no room for, as for one file more: whoever waits there goes on waiting, and
/// no readiness tells of them again.
const REST: Duration = Duration::from_millis(100);

/// All listeners of a driver.
#[derive(Default)]
pub(crate) struct Listeners(Vec<Listener>);

struct Listener {
    io: TcpListener,
    /// The address may be unspecified, the port is not.
    bound: SocketAddr,
    /// Somebody may wait, of whom readiness has told and will not tell again.
    is_ready: bool,
    rests_until: Option<Instant>,
}

impl Listeners {
    /// Those of `config`; number `n` has the token `FIRST_LISTENER + n`.
    pub(crate) fn bind(config: &DriverConfig, registry: &Registry) -> io::Result<Self> {
        let mut listeners = Self::default();
        for address in &config.tcp_listeners {
            match listeners.open(*address, registry) {
                Err(error) if config.skip_unavailable && error.kind() == io::ErrorKind::AddrNotAvailable => {
                    tracing::info!(%address, "no longer here");
                }
                Err(error) => return Err(io::Error::new(error.kind(), format!("TCP {address}: {error}"))),
                Ok(()) => {}
            }
        }
        Ok(listeners)
    }

    fn open(&mut self, address: SocketAddr, registry: &Registry) -> io::Result<()> {
        let mut io = listen(address)?;
        registry.register(&mut io, Token(FIRST_LISTENER + self.0.len()), Interest::READABLE)?;
        let bound = io.local_addr()?;
        tracing::debug!(%bound, "listening for TCP");
        // Who came before the registration is told by no readiness on some systems.
        self.0.push(Listener { io, bound, is_ready: true, rests_until: None });
        Ok(())
    }

    pub(crate) fn bound(&self) -> impl Iterator<Item = SocketAddr> {
        self.0.iter().map(|listener| listener.bound)
    }

    /// From which address of ours a stream of this local name is opened: none where only peers open them.
    pub(crate) fn source(&self, protocol: Protocol, local: SocketAddr) -> Option<IpAddr> {
        let is_accepted = protocol == Protocol::Tcp && self.has(local);
        (!is_accepted).then_some(local.ip())
    }

    fn has(&self, address: SocketAddr) -> bool {
        let is_for_all = |bound: SocketAddr| {
            bound.ip().is_unspecified() && bound.is_ipv4() == address.is_ipv4() && bound.port() == address.port()
        };
        self.bound().any(|bound| (bound.ip(), bound.port()) == (address.ip(), address.port()) || is_for_all(bound))
    }

    pub(crate) fn set_ready(&mut self, number: usize) {
        if let Some(listener) = self.0.get_mut(number) {
            listener.is_ready = true;
        }
    }

    /// Whether somebody may wait at a listener that does not rest.
    pub(crate) fn may_accept(&self) -> bool {
        self.0.iter().any(|listener| listener.is_ready && listener.rests_until.is_none())
    }

    /// When the next listener has rested.
    pub(crate) fn rest_ends(&self) -> Option<Instant> {
        self.0.iter().filter_map(|listener| listener.rests_until).min()
    }

    /// Hands those who have come to `each`, a bounded number of each listener, by the names that the endpoint knows them by.
    pub(crate) fn accept(
        &mut self,
        nat: &Nat,
        now: Instant,
        stats: &mut DriverStats,
        mut each: impl FnMut(Path, TcpStream, &mut DriverStats),
    ) {
        for listener in &mut self.0 {
            listener.accept(now, stats, TcpListener::accept, &mut |io, remote, stats| match io.local_addr() {
                Ok(local) => each(name(nat.outside(local), remote), io, stats),
                Err(_) => stats.listener_failures += 1,
            });
        }
    }
}

impl Listener {
    fn accept(
        &mut self,
        now: Instant,
        stats: &mut DriverStats,
        mut ask: impl FnMut(&TcpListener) -> io::Result<(TcpStream, SocketAddr)>,
        each: &mut impl FnMut(TcpStream, SocketAddr, &mut DriverStats),
    ) {
        self.rests_until.take_if(|at| *at <= now);
        for _ in 0..ACCEPTS_PER_TURN {
            if !self.is_ready || self.rests_until.is_some() {
                break;
            }
            match ask(&self.io) {
                Ok((io, remote)) => each(io, remote, stats),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.is_ready = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The peer had gone before its turn came; there may be others behind.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => stats.listener_failures += 1,
                Err(error) => {
                    tracing::debug!(bound = %self.bound, %error, "no stream can be accepted for a moment");
                    stats.listener_failures += 1;
                    self.rests_until = now.checked_add(REST);
                }
            }
        }
    }
}

/// As all paths are written.
fn name(local: SocketAddr, remote: SocketAddr) -> Path {
    Path::of(&Datagram { protocol: Protocol::Tcp, local, remote, ecn: Ecn::NotEct, payload: &mut [] })
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, Some(socket2::Protocol::TCP))?;
    if address.is_ipv6() {
        // The two families have listeners of their own, as sockets of UDP have.
        socket.set_only_v6(true)?;
    }
    // A server that starts again gets its port, though streams of before are not quite over. On Windows that needs nothing, and this
    // would share the port with whoever wants it.
    if cfg!(not(windows)) {
        socket.set_reuse_address(true)?;
    }
    socket.set_nonblocking(true)?;
    // What is accepted has it from here.
    if let Err(error) = socket.set_send_buffer_size(SEND_BUFFER) {
        tracing::debug!(%address, %error, "the send buffer keeps its size");
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}

#[cfg(test)]
mod tests;
