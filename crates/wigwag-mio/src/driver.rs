//! The loop that carries an endpoint: time, what it sends, what arrives.

use crate::config::DriverConfig;
use crate::interfaces;
use crate::listen::{FIRST_LISTENER, Listeners};
use crate::mdns::{self, FIRST_LINK, Names};
use crate::nat::Nat;
use crate::roam::Surroundings;
use crate::seed;
use crate::sockets::{Observed, Sockets};
use crate::stats::DriverStats;
use crate::tcp::{FIRST_STREAM, Streams};
use crate::wake::{Commands, Handle};
use mio::{Events, Poll, Token, Waker};
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};
use wigwag::{Endpoint, EndpointConfig, EndpointEvent, Event, Path};
use wigwag_sansio::{Datagram, Ecn, Protocol, Transmit};

const WAKE: Token = Token(0);
pub(crate) const FIRST_SOCKET: usize = 1;

/// How many batches leave in one turn before the sockets are read again.
const TRANSMITS_PER_TURN: usize = 64;
/// The shortest wait where nothing is owed: whatever deadline an endpoint names, the loop does not spin.
const TICK: Duration = Duration::from_millis(1);
/// The shortest wait while the kernel has no room: it tells of room, but what is owed would be due all the time.
const BLOCKED_TICK: Duration = Duration::from_millis(5);
/// How soon a socket that told nothing but errors is asked again, which would tell more of them all the time.
const FAILING_TICK: Duration = Duration::from_millis(5);

/// An [`Endpoint`] on real sockets.
///
/// Call [`run_once`](Self::run_once) in a loop, and take all events with [`poll_event`](Self::poll_event) in between.
pub struct Driver {
    pub(crate) endpoint: Endpoint,
    pub(crate) sockets: Sockets,
    pub(crate) listeners: Listeners,
    pub(crate) config: DriverConfig,
    pub(crate) surroundings: Surroundings,
    pub(crate) nat: Nat,
    pub(crate) names: Option<Names>,
    streams: Streams,
    commands: Commands<Endpoint>,
    pub(crate) poll: Poll,
    events: Events,
    /// Taken from the endpoint to see whether there is one; nothing waits while it is here.
    next: VecDeque<EndpointEvent>,
    max_segments: usize,
    out: Vec<u8>,
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sockets: Vec<_> = self.sockets.bound().collect();
        let listeners: Vec<_> = self.listeners.bound().collect();
        f.debug_struct("Driver")
            .field("endpoint", &self.endpoint)
            .field("sockets", &sockets)
            .field("listeners", &listeners)
            .finish_non_exhaustive()
    }
}

impl Driver {
    /// Opens the sockets and listeners and tells the endpoint of their addresses. Its seed is taken from the system.
    ///
    /// # Errors
    /// An address cannot be bound, which the error names; there is none, and no stream may be opened ([`DriverConfig::tcp_active`]); [`DriverConfig::nat_1to1`] maps an address twice, to another
    /// family, or to or from none ([`io::ErrorKind::InvalidInput`]); the system has no randomness, or no way to wait for sockets.
    pub fn bind(config: &DriverConfig, endpoint: EndpointConfig) -> io::Result<Self> {
        let nat = Nat::new(&config.nat_1to1)?;
        let poll = Poll::new()?;
        let commands = Commands::new(Waker::new(poll.registry(), WAKE)?);
        let sockets = Sockets::bind(config, poll.registry(), FIRST_SOCKET)?;
        let listeners = Listeners::bind(config, poll.registry())?;
        let mut endpoint = Endpoint::new(endpoint, seed()?);
        let names = if config.resolve_names { Some(Names::new(seed()?)) } else { None };
        let present = present(sockets.bound().chain(listeners.bound()), config)?;
        let max_segments = sockets.max_segments();
        endpoint.set_max_segments(max_segments);
        let is_unopened = |ip: &IpAddr| !sockets.bound().any(|bound| bound.ip() == *ip);
        let unopened = config.addresses.iter().map(SocketAddr::ip).filter(is_unopened).collect();
        let look_at = config.refresh_interval.and_then(|interval| now().checked_add(interval));
        let mut driver = Self {
            endpoint,
            sockets,
            listeners,
            config: config.clone(),
            surroundings: Surroundings::new(present, unopened, look_at),
            nat,
            names,
            streams: Streams::default(),
            commands,
            poll,
            events: Events::with_capacity(256),
            next: VecDeque::with_capacity(1),
            max_segments,
            out: Vec::new(),
        };
        config.nat_1to1.iter().for_each(|(_, outside)| driver.endpoint.expose_address(*outside));
        driver.tell_addresses();
        Ok(driver)
    }

    /// The endpoint, to look at.
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The endpoint, to command: what it owes then leaves in the next turn. Its local addresses are those of the sockets
    /// ([`bind_address`](Self::bind_address), [`DriverConfig::nat_1to1`]): others are taken from it when any come or vanish.
    pub const fn endpoint_mut(&mut self) -> &mut Endpoint {
        &mut self.endpoint
    }

    /// The addresses of the sockets, with the ports that the system chose.
    pub fn bound_addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.sockets.bound()
    }

    /// The addresses of the listeners of TCP, with the ports that the system chose.
    pub fn listening_addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.listeners.bound()
    }

    /// Reaches this driver from other threads.
    pub fn handle(&self) -> Handle<Endpoint> {
        self.commands.handle()
    }

    /// What was counted.
    pub const fn stats(&self) -> DriverStats {
        self.sockets.stats
    }

    /// Shows every datagram to `observer`, as it is on the wire: for recordings of the traffic.
    pub fn observe(&mut self, observer: impl FnMut(Observed<'_>) + Send + 'static) {
        self.sockets.observer = Some(Box::new(observer));
    }

    /// The next event of the endpoint. Take them here, not from the endpoint: one may have been taken already.
    pub fn poll_event(&mut self) -> Option<EndpointEvent> {
        self.next.pop_front().or_else(|| self.next_event())
    }

    /// The next event that is the application's: names are the driver's, if it sees to them.
    fn next_event(&mut self) -> Option<EndpointEvent> {
        loop {
            match (self.endpoint.poll_event()?, &mut self.names) {
                (EndpointEvent::Connection(id, Event::NameResolutionNeeded(name)), Some(names)) => {
                    if !names.resolve(&self.endpoint, id, &name) {
                        mdns::tell(&mut self.endpoint, id, &name, None);
                    }
                }
                (EndpointEvent::Connection(_, Event::NameRegistrationNeeded { name, address }), Some(names)) => {
                    self.sockets.stats.names_unanswered += u64::from(!names.register(&name, address));
                }
                (EndpointEvent::Connection(_, Event::NameReleased(name)), Some(names))
                | (EndpointEvent::NameReleased(name), Some(names)) => names.unregister(&name),
                (EndpointEvent::Connection(id, event @ Event::Closed(_)), Some(names)) => {
                    names.forget(id);
                    return Some(EndpointEvent::Connection(id, event));
                }
                (event, _) => return Some(event),
            }
        }
    }

    /// One turn: runs what handles have asked for, lets time pass, sends what is owed, waits until there is something to
    /// do but at most for `max_wait` (without one, for as long as it takes), and hands in what has arrived. Its work is
    /// bounded.
    ///
    /// # Errors
    /// The system cannot wait for sockets any more. What cannot be sent or received is no error: it is lost, and
    /// counted in [`stats`](Self::stats).
    pub fn run_once(&mut self, max_wait: Option<Duration>) -> io::Result<()> {
        self.commands.run(&mut self.endpoint);
        let now = now();
        self.refresh_in_turn(now);
        self.resolve_names(now);
        self.endpoint.handle_timeout(now);
        self.sockets.give_up(now);
        self.streams.give_up(now, self.poll.registry(), &mut self.sockets.stats);
        let has_more = self.transmit(now);
        self.sockets.watch_full(self.poll.registry(), FIRST_SOCKET)?;
        let wait = self.wait(now, max_wait, has_more);
        self.wait_for_readiness(wait)?;
        self.receive();
        Ok(())
    }

    /// Sends what is owed, up to what one turn may; whether there is more, and room for it. Nothing overtakes what the
    /// kernel had no room for.
    fn transmit(&mut self, now: Instant) -> bool {
        let mut has_more = true;
        for _ in 0..TRANSMITS_PER_TURN {
            let next = if self.sockets.is_blocked() { None } else { self.endpoint.poll_transmit(now, &mut self.out) };
            let Some(mut transmit) = next else {
                has_more = false;
                break;
            };
            if transmit.protocol != Protocol::Udp {
                self.send_stream(&transmit);
                continue;
            }
            transmit.local = self.nat.inside(transmit.local);
            self.sockets.send(&transmit, &mut self.out, now);
        }
        self.tell_max_segments();
        has_more
    }

    /// What is in `out` goes over a stream.
    fn send_stream(&mut self, transmit: &Transmit) {
        let stream = Path { protocol: transmit.protocol, local: transmit.local, remote: transmit.remote };
        let tls = || self.config.trusted().zip(self.endpoint.tls_server_name(stream));
        let from = self.listeners.source(transmit.protocol, self.nat.inside(transmit.local));
        self.streams.send(transmit, &self.out, from, tls, self.poll.registry(), &mut self.sockets.stats);
    }

    fn tell_max_segments(&mut self) {
        let max_segments = self.sockets.max_segments();
        if max_segments != self.max_segments {
            tracing::info!(max_segments, "the kernel takes fewer datagrams a call than it said");
            self.max_segments = max_segments;
            self.endpoint.set_max_segments(max_segments);
        }
    }

    fn wait(&mut self, now: Instant, max_wait: Option<Duration>, has_more: bool) -> Option<Duration> {
        if self.next.is_empty() {
            let next = self.next_event();
            self.next.extend(next);
        }
        let has_datagrams = self.sockets.may_be_readable() || self.hears_names();
        let has_streams = self.streams.has_something() || self.listeners.may_accept();
        if has_more || !self.next.is_empty() || has_datagrams || has_streams {
            return Some(Duration::ZERO);
        }
        let tick = if self.sockets.is_blocked() { BLOCKED_TICK } else { TICK };
        let due = self.endpoint.poll_timeout(now).map(|at| at.saturating_duration_since(now).max(tick));
        let look = self.surroundings.look_at.map(|at| at.saturating_duration_since(now).max(TICK));
        let patience = self.sockets.patience_ends().map(|at| at.saturating_duration_since(now));
        let names = self.names.as_ref().and_then(|names| names.poll_timeout(now));
        let names = names.map(|at| at.saturating_duration_since(now).max(TICK));
        let failing = self.sockets.is_failing().then_some(FAILING_TICK);
        let streams = [self.listeners.rest_ends(), self.streams.patience_ends()].into_iter().flatten().min();
        let streams = streams.map(|at| at.saturating_duration_since(now).max(TICK));
        [due, max_wait, look, patience, names, failing, streams].into_iter().flatten().min()
    }

    fn wait_for_readiness(&mut self, wait: Option<Duration>) -> io::Result<()> {
        match self.poll.poll(&mut self.events, wait) {
            // A signal: as if nothing had happened.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            result => result?,
        }
        for event in &self.events {
            if let Some(number) = event.token().0.checked_sub(FIRST_STREAM) {
                // An error is found by writing.
                let ready = [event.is_readable(), event.is_writable() || event.is_error()];
                self.streams.ready(number, ready, self.poll.registry(), &mut self.sockets.stats);
                continue;
            }
            if let (Some(number), Some(names)) = (event.token().0.checked_sub(FIRST_LINK), &mut self.names) {
                names.set_readable(number);
                continue;
            }
            if let Some(number) = event.token().0.checked_sub(FIRST_LISTENER) {
                self.listeners.set_ready(number);
                continue;
            }
            let Some(number) = event.token().0.checked_sub(FIRST_SOCKET) else { continue };
            // An error is read like a datagram, or it would be told for ever.
            if event.is_readable() || event.is_error() {
                self.sockets.set_readable(number);
            }
            if event.is_writable() {
                self.sockets.set_writable(number, now());
            }
        }
        Ok(())
    }

    fn receive(&mut self) {
        let Self { sockets, streams, endpoint, nat, poll, .. } = self;
        let now = now();
        sockets.receive(now, |mut datagram| {
            datagram.local = nat.outside(datagram.local);
            endpoint.handle_input(datagram, now);
        });
        streams.receive(poll.registry(), &mut sockets.stats, |datagram| endpoint.handle_input(datagram, now));
        while let Some((Path { protocol, local, remote }, why)) = streams.poll_ended() {
            endpoint.explain_stream_end(Path { protocol, local, remote }, &why);
            endpoint.handle_input(Datagram { protocol, local, remote, ecn: Ecn::NotEct, payload: &mut [] }, now);
        }
        self.accept(now);
        if let Some(names) = &mut self.names {
            names.receive(now);
        }
    }

    /// Takes the streams that peers have opened. Those that have ended were told before, so that the new ones may have their names.
    fn accept(&mut self, now: Instant) {
        let Self { sockets, listeners, streams, nat, poll, config, .. } = self;
        listeners.accept(nat, now, &mut sockets.stats, |name, io, stats| {
            streams.accept(name, io, config, now, poll.registry(), stats);
        });
    }

    fn hears_names(&self) -> bool {
        self.names.as_ref().is_some_and(Names::may_be_readable)
    }
}

/// The addresses of this machine, as far as they are needed for what is `bound`.
///
/// # Errors
/// There is nothing to carry anything; the system does not tell them.
fn present(bound: impl Iterator<Item = SocketAddr>, config: &DriverConfig) -> io::Result<Vec<IpAddr>> {
    let bound: Vec<_> = bound.collect();
    if bound.is_empty() && !config.tcp_active {
        return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, "no socket: no address is available"));
    }
    match interfaces(true) {
        Ok(found) => Ok(found.into_iter().map(|found| found.address).collect()),
        // Whoever has named their addresses can do without.
        Err(_) if !bound.is_empty() && !bound.iter().any(|bound| bound.ip().is_unspecified()) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_at_the_public_address_of_a_listener_is_not_opened_by_us() {
        let mut config = DriverConfig::new([]);
        config.tcp_listeners = vec!["127.0.0.1:0".parse().unwrap()];
        config.nat_1to1 = vec![("127.0.0.1".parse().unwrap(), "203.0.113.7".parse().unwrap())];
        let mut driver = Driver::bind(&config, EndpointConfig::default()).unwrap();
        let port = driver.listening_addresses().next().unwrap().port();
        let elsewhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        driver.out = vec![7; 10];
        let mut send = |protocol, port| {
            let (local, remote) = (SocketAddr::from(([203, 0, 113, 7], port)), elsewhere.local_addr().unwrap());
            driver.send_stream(&Transmit { protocol, ..Transmit::udp(local, remote, 5) });
            (driver.stats().dropped_no_route, driver.stats().streams_failed)
        };
        assert_eq!(send(Protocol::Tcp, port), (2, 0));
        assert_eq!(send(Protocol::Tls, port), (2, 1), "it is opened, though nobody says whom to trust");
        assert_eq!(send(Protocol::Tcp, port ^ 1), (2, 1));
        assert!(elsewhere.accept().is_ok());
    }
}
