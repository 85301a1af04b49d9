//! A connection of ours on a socket, as a program drives it.

use anyhow::{Result, bail};
use std::io::ErrorKind::{ConnectionRefused, Interrupted, TimedOut, WouldBlock};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};
use wigwag_dtls::{CloseReason, Config, Connection, Event, SrtpKeys};
use wigwag_sansio::Seed;

/// The largest datagram, in bytes above UDP.
pub(crate) const MTU: usize = 1200;
const SLEEP_MIN: Duration = Duration::from_millis(1);
/// No longer, so that whoever drives this looks around.
const SLEEP_MAX: Duration = Duration::from_millis(20);

pub(crate) struct Ours {
    pub(crate) connection: Connection,
    socket: UdpSocket,
    /// A server knows its client when it has heard of it.
    peer: Option<SocketAddr>,
    pub(crate) is_connected: bool,
    pub(crate) srtp: Option<SrtpKeys>,
    pub(crate) closed: Option<CloseReason>,
    pub(crate) received: Vec<u8>,
    pub(crate) key_log: Vec<String>,
}

impl Ours {
    pub(crate) fn new(config: Config, seed: u64, peer: Option<SocketAddr>) -> Result<Self> {
        Ok(Self {
            connection: Connection::new(config, Seed::for_test(seed)),
            socket: UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?,
            peer,
            is_connected: false,
            srtp: None,
            closed: None,
            received: Vec::new(),
            key_log: Vec::new(),
        })
    }

    pub(crate) fn address(&self) -> Result<SocketAddr> {
        Ok(self.socket.local_addr()?)
    }

    /// Goes on until there is something.
    pub(crate) fn until<T>(
        &mut self,
        what: &str,
        limit: Duration,
        mut found: impl FnMut(&mut Self) -> Option<T>,
    ) -> Result<T> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(found) = found(self) {
                return Ok(found);
            }
            if Instant::now() > deadline {
                bail!("{what}: not within {limit:?}; closed: {:?}, {:?}", self.closed, self.connection.stats());
            }
            self.turn()?;
        }
    }

    /// One turn of the loop: time, events, packets, then a short wait.
    pub(crate) fn turn(&mut self) -> Result<()> {
        let now = Instant::now();
        self.connection.handle_timeout(now);
        self.key_log.extend(std::iter::from_fn(|| self.connection.poll_key_log()));
        while let Some(event) = self.connection.poll_event() {
            match event {
                Event::Connected { srtp } => (self.is_connected, self.srtp) = (true, srtp),
                Event::Closed(reason) => self.closed = Some(reason),
                event => bail!("{event:?}"),
            }
        }
        let mut out = Vec::new();
        while let Some(peer) = self.peer
            && self.connection.poll_packet(now, MTU, &mut out)
        {
            let _ = self.socket.send_to(&out, peer);
            out.clear();
        }
        let wait = self.connection.poll_timeout(now).map_or(SLEEP_MAX, |at| at.saturating_duration_since(now));
        self.socket.set_read_timeout(Some(wait.clamp(SLEEP_MIN, SLEEP_MAX)))?;
        let mut buffer = [0; 65_536];
        match self.socket.recv_from(&mut buffer) {
            Ok((len, from)) if from == *self.peer.get_or_insert(from) => {
                let received = &mut self.received;
                self.connection.handle_input(&mut buffer[..len], Instant::now(), |data| received.extend(data));
            }
            Ok(_) => {}
            Err(error) if matches!(error.kind(), WouldBlock | TimedOut | Interrupted | ConnectionRefused) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Sends this in one record, which may be lost.
    pub(crate) fn send(&mut self, data: &[u8]) {
        let mut out = Vec::new();
        let has_written = self.connection.protect(MTU, &mut out, |_, out| {
            out.extend_from_slice(data);
            true
        });
        if let (true, Some(peer)) = (has_written, self.peer) {
            let _ = self.socket.send_to(&out, peer);
        }
    }

    /// Whether this has come.
    pub(crate) fn has_received(&self, text: &str) -> bool {
        String::from_utf8_lossy(&self.received).contains(text)
    }
}
