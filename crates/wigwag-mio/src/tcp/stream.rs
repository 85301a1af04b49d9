//! One stream: what waits for it, how it is made, and what is read of it.

use super::{QUEUE_MAX, READS_PER_TURN};
use crate::stats::DriverStats;
use crate::tls::Session;
use mio::net::TcpStream;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr};
use wigwag::Path;
use wigwag_sansio::{Datagram, Ecn};

/// What the kernel is asked to hold of a stream. Left to itself it takes megabytes, which are seconds where it is slow.
pub(crate) const SEND_BUFFER: usize = 128 << 10;

/// What a stream came to, if it has come to an end; the words are for people.
pub(super) type Outcome = Result<(), String>;

pub(super) struct Stream {
    pub(super) name: Path,
    pub(super) io: TcpStream,
    pub(super) session: Option<Session>,
    /// Whether the peer has opened it.
    pub(super) is_accepted: bool,
    pub(super) is_connected: bool,
    pub(super) is_readable: bool,
    /// What the kernel had no room for yet.
    pub(super) queue: Vec<u8>,
    sent: usize,
}

impl Stream {
    /// One that we open, which takes a while.
    pub(super) fn opening(name: Path, from: IpAddr, session: Option<Session>) -> Result<Self, String> {
        let io = connect(from, name.remote).map_err(|error| words(&error))?;
        let (is_accepted, is_connected, is_readable) = (false, false, false);
        Ok(Self { name, io, session, is_accepted, is_connected, is_readable, queue: Vec::new(), sent: 0 })
    }

    /// One that a peer has opened. What came before its registration is told by no readiness on some systems.
    pub(super) fn accepted(name: Path, io: TcpStream) -> Self {
        if let Err(error) = io.set_nodelay(true) {
            tracing::debug!(remote = %name.remote, %error, "small messages may wait");
        }
        let (is_accepted, is_connected, is_readable) = (true, true, true);
        Self { name, io, session: None, is_accepted, is_connected, is_readable, queue: Vec::new(), sent: 0 }
    }

    /// Whether it may have something for the endpoint.
    pub(super) const fn may_have_something(&self) -> bool {
        self.is_connected && self.is_readable
    }

    /// How much more may wait.
    pub(super) fn room(&self) -> usize {
        let in_session = self.session.as_ref().map_or(0, Session::waiting);
        QUEUE_MAX.saturating_sub(self.queue.len()).saturating_sub(in_session)
    }

    pub(super) fn send(&mut self, bytes: &[u8], stats: &mut DriverStats) -> Outcome {
        match &mut self.session {
            None => self.queue.extend_from_slice(bytes),
            Some(session) => session.write(bytes, &mut self.queue),
        }
        self.flush(stats)
    }

    /// Whether the connection is there, which a first readiness to write tells.
    pub(super) fn connected(&mut self, stats: &mut DriverStats) -> Outcome {
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
    pub(super) fn flush(&mut self, stats: &mut DriverStats) -> Outcome {
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

    pub(super) fn receive(
        &mut self,
        buffer: &mut [u8],
        stats: &mut DriverStats,
        each: &mut impl FnMut(Datagram<'_>),
    ) -> Outcome {
        let Path { protocol, local, remote } = self.name;
        let mut hand_in = |payload: &mut [u8]| each(Datagram { protocol, local, remote, ecn: Ecn::NotEct, payload });
        for _ in 0..READS_PER_TURN {
            if !self.may_have_something() {
                break;
            }
            match self.io.read(buffer) {
                Ok(0) if self.is_accepted => return Err("the peer has closed it".into()),
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
pub(super) fn words(error: &io::Error) -> String {
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
