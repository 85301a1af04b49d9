//! Streams of TCP, plain or in TLS, to servers that cannot be asked over UDP: opened, carried and closed as the endpoint says.
//!
//! A stream is known to the endpoint by a name: its port is not the one that the system gives the socket. The bytes are of no concern
//! here, but for one thing: what is dropped for want of room is dropped by whole segments of a transmit, so that the stream stays whole.

use crate::stats::DriverStats;
use crate::tls::{Session, Tls};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr};
use wigwag::Path;
use wigwag_sansio::{Datagram, Ecn, Protocol, Transmit};

/// Their tokens begin far behind those of sockets.
pub(crate) const FIRST_STREAM: usize = usize::MAX / 2;
/// What waits for a stream, in bytes. It delays what is behind it: more would be of no use to a call, which rather loses some.
const QUEUE_MAX: usize = 64 << 10;
/// What the kernel is asked to hold of a stream. Left to itself it takes megabytes, which are seconds where it is slow.
const SEND_BUFFER: usize = 128 << 10;
/// How much is read at once, and how often in one turn before the others have theirs.
const READ_LEN: usize = 64 << 10;
const READS_PER_TURN: usize = 4;

/// All streams of a driver.
#[derive(Default)]
pub(crate) struct Streams {
    /// Those of closed ones are empty until they are taken again.
    places: Vec<Option<Stream>>,
    by_name: BTreeMap<Path, usize>,
    /// What the endpoint is to be told: which stream has ended, and why. Until then it may send more, which no other stream is opened for.
    ended: BTreeMap<Path, String>,
    buffer: Vec<u8>,
}

struct Stream {
    name: Path,
    io: TcpStream,
    session: Option<Session>,
    is_connected: bool,
    is_readable: bool,
    /// What the kernel had no room for yet.
    queue: Vec<u8>,
    sent: usize,
}

/// What a stream came to, if it has come to an end; the words are for people.
type Outcome = Result<(), String>;

impl Streams {
    /// Sends the next bytes of a stream, which opens it if it is not, or closes it if there are none. It is opened from this address of
    /// ours, and `tls` says then whom to trust, and by which name.
    pub(crate) fn send<'a>(
        &mut self,
        transmit: &Transmit,
        bytes: &[u8],
        from: IpAddr,
        tls: impl FnOnce() -> Option<(&'a Tls, &'a str)>,
        registry: &Registry,
        stats: &mut DriverStats,
    ) {
        let name = Path { protocol: transmit.protocol, local: transmit.local, remote: transmit.remote };
        let number = self.by_name.get(&name).copied();
        if bytes.is_empty() {
            self.ended.remove(&name);
            number.into_iter().for_each(|number| self.close(number, registry, stats));
            return;
        }
        if self.ended.contains_key(&name) {
            stats.dropped_no_room += segments(bytes, transmit);
            return;
        }
        let number = match number.map_or_else(|| self.open(name, from, tls(), registry), Ok) {
            Ok(number) => number,
            Err(why) => {
                stats.streams_failed += 1;
                self.ended.insert(name, why);
                return;
            }
        };
        let Some(Some(stream)) = self.places.get_mut(number) else { return };
        let (bytes, lost) = bytes.split_at(fitting(bytes, transmit, stream.room()));
        stats.dropped_no_room += segments(lost, transmit);
        let outcome = stream.send(bytes, stats);
        self.conclude(number, outcome, registry, stats);
    }

    /// It is gone; its place may be taken.
    fn take(&mut self, number: usize) -> Option<Stream> {
        let stream = self.places.get_mut(number).and_then(Option::take)?;
        self.by_name.remove(&stream.name);
        Some(stream)
    }

    fn open(
        &mut self,
        name: Path,
        from: IpAddr,
        tls: Option<(&Tls, &str)>,
        registry: &Registry,
    ) -> Result<usize, String> {
        let session = match (name.protocol, tls) {
            (Protocol::Tls, Some((tls, server_name))) => Some(Session::new(tls, server_name)?),
            (Protocol::Tls, None) => return Err(crate::tls::MISSING.into()),
            (Protocol::Tcp | Protocol::Udp, _) => None,
        };
        let mut io = connect(from, name.remote).map_err(|error| words(&error))?;
        let number = self.places.iter().position(Option::is_none).unwrap_or(self.places.len());
        let interest = Interest::READABLE | Interest::WRITABLE;
        registry.register(&mut io, Token(FIRST_STREAM + number), interest).map_err(|error| words(&error))?;
        if number == self.places.len() {
            self.places.push(None);
        }
        let (is_connected, is_readable, queue, sent) = (false, false, Vec::new(), 0);
        self.by_name.insert(name, number);
        self.places[number] = Some(Stream { name, io, session, is_connected, is_readable, queue, sent });
        Ok(number)
    }

    /// The endpoint has no more use for it. What the kernel has no room for is lost.
    fn close(&mut self, number: usize, registry: &Registry, stats: &mut DriverStats) {
        let Some(mut stream) = self.take(number) else { return };
        if let Some(session) = &mut stream.session {
            session.close(&mut stream.queue);
        }
        let _ = stream.flush(stats);
        let _ = registry.deregister(&mut stream.io);
    }

    /// If it has ended, the endpoint is to be told.
    fn conclude(&mut self, number: usize, outcome: Outcome, registry: &Registry, stats: &mut DriverStats) {
        let Err(why) = outcome else { return };
        let Some(mut stream) = self.take(number) else { return };
        tracing::debug!(remote = %stream.name.remote, why, "a stream has ended");
        if !stream.is_connected || stream.session.as_ref().is_some_and(Session::is_handshaking) {
            stats.streams_failed += 1;
        }
        let _ = registry.deregister(&mut stream.io);
        self.ended.insert(stream.name, why);
    }

    /// Readiness was told of the stream with this number.
    pub(crate) fn ready(
        &mut self,
        number: usize,
        [is_readable, is_writable]: [bool; 2],
        registry: &Registry,
        stats: &mut DriverStats,
    ) {
        let Some(Some(stream)) = self.places.get_mut(number) else { return };
        stream.is_readable |= is_readable;
        if is_writable {
            let outcome = stream.connected(stats).and_then(|()| stream.flush(stats));
            self.conclude(number, outcome, registry, stats);
        }
    }

    /// Whether there is something for the endpoint.
    pub(crate) fn has_something(&self) -> bool {
        !self.ended.is_empty() || self.places.iter().flatten().any(|stream| stream.is_connected && stream.is_readable)
    }

    /// Hands what has come to `each`, a bounded amount of each stream.
    pub(crate) fn receive(&mut self, registry: &Registry, stats: &mut DriverStats, mut each: impl FnMut(Datagram<'_>)) {
        self.buffer.resize(if self.places.iter().all(Option::is_none) { 0 } else { READ_LEN }, 0);
        for number in 0..self.places.len() {
            let Self { places, buffer, .. } = self;
            let Some(Some(stream)) = places.get_mut(number) else { continue };
            let outcome = stream.receive(buffer, stats, &mut each);
            self.conclude(number, outcome, registry, stats);
        }
    }

    /// The next stream that has ended, and why.
    pub(crate) fn poll_ended(&mut self) -> Option<(Path, String)> {
        self.ended.pop_first()
    }
}

/// How many segments these bytes of a transmit are.
fn segments(bytes: &[u8], transmit: &Transmit) -> u64 {
    bytes.len().div_ceil(transmit.segment_size.max(1)) as u64
}

/// How much of a transmit fits, by whole segments.
fn fitting(bytes: &[u8], transmit: &Transmit, room: usize) -> usize {
    let segment_size = transmit.segment_size.max(1);
    if bytes.len() <= room { bytes.len() } else { room - room % segment_size }
}

impl Stream {
    /// How much more may wait.
    fn room(&self) -> usize {
        let in_session = self.session.as_ref().map_or(0, Session::waiting);
        QUEUE_MAX.saturating_sub(self.queue.len()).saturating_sub(in_session)
    }

    fn send(&mut self, bytes: &[u8], stats: &mut DriverStats) -> Outcome {
        match &mut self.session {
            None => self.queue.extend_from_slice(bytes),
            Some(session) => session.write(bytes, &mut self.queue),
        }
        self.flush(stats)
    }

    /// Whether the connection is there, which a first readiness to write tells.
    fn connected(&mut self, stats: &mut DriverStats) -> Outcome {
        if self.is_connected {
            return Ok(());
        }
        if let Some(error) = self.io.take_error().map_err(|error| words(&error))? {
            return Err(words(&error));
        }
        self.is_connected = match self.io.peer_addr() {
            Ok(_) => true,
            Err(error) if error.kind() == io::ErrorKind::NotConnected => false,
            Err(error) => return Err(words(&error)),
        };
        stats.streams_opened += u64::from(self.is_connected);
        Ok(())
    }

    /// Sends what waits, as far as there is room.
    fn flush(&mut self, stats: &mut DriverStats) -> Outcome {
        while self.is_connected
            && let Some(rest) = self.queue.get(self.sent..).filter(|rest| !rest.is_empty())
        {
            match self.io.write(rest) {
                Ok(0) => return Err("the system takes no more of it".into()),
                Ok(len) => {
                    self.sent += len;
                    stats.stream_bytes_sent += len as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(words(&error)),
            }
        }
        self.queue.drain(..self.sent);
        self.sent = 0;
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8], stats: &mut DriverStats, each: &mut impl FnMut(Datagram<'_>)) -> Outcome {
        let Path { protocol, local, remote } = self.name;
        let mut hand_in = |payload: &mut [u8]| each(Datagram { protocol, local, remote, ecn: Ecn::NotEct, payload });
        for _ in 0..READS_PER_TURN {
            if !self.is_connected || !self.is_readable {
                break;
            }
            match self.io.read(buffer) {
                Ok(0) => return Err("the server has closed it".into()),
                Ok(len) => {
                    stats.stream_bytes_received += len as u64;
                    let bytes = buffer.get_mut(..len).unwrap_or_default();
                    match &mut self.session {
                        None => hand_in(bytes),
                        Some(session) => {
                            let outcome = session.read(bytes, &mut self.queue, &mut hand_in);
                            // An alert says to the server why.
                            let flushed = self.flush(stats);
                            outcome.and(flushed)?;
                        }
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.is_readable = false,
                Err(error) => return Err(words(&error)),
            }
        }
        Ok(())
    }
}

/// EINPROGRESS, which a system says of a connection that it is making (Windows says `WouldBlock`); std has no stable name for it.
const IN_PROGRESS: i32 = if cfg!(any(target_os = "linux", target_os = "android")) { 115 } else { 36 };

/// A connection that is being made.
fn connect(from: IpAddr, to: SocketAddr) -> io::Result<TcpStream> {
    let domain = socket2::Domain::for_address(to);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, Some(socket2::Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    if let Err(error) = socket.set_send_buffer_size(SEND_BUFFER) {
        tracing::debug!(%to, %error, "the send buffer keeps its size");
    }
    socket.bind(&SocketAddr::new(from, 0).into())?;
    match socket.connect(&to.into()) {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock && error.raw_os_error() != Some(IN_PROGRESS) => {
            return Err(error);
        }
        _ => {}
    }
    Ok(TcpStream::from_std(socket.into()))
}

/// What helps, as far as an error tells.
fn words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            format!("{error}: nothing listens for TCP at this address and port, or a firewall refuses for it")
        }
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
            format!("{error}: there is no way to it from this address")
        }
        io::ErrorKind::TimedOut => format!("{error}: it does not answer, or a firewall drops what is for it"),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
