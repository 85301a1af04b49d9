//! Streams of TCP, plain or in TLS, to whom cannot be reached over UDP: opened, or accepted, and carried and closed as the endpoint says.
//!
//! A stream is known to the endpoint by a name. Of one that we open its port is not the one that the system gives the socket; of one that
//! a peer has opened it is the listener's. The bytes are of no concern here, but for one thing: what is dropped for want of room is
//! dropped by whole segments of a transmit, so that the stream stays whole.

mod stream;

use crate::config::DriverConfig;
use crate::stats::DriverStats;
use crate::tls::{Session, Tls};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::time::Instant;
pub(crate) use stream::SEND_BUFFER;
use stream::{Outcome, Stream, words};
use wigwag::Path;
use wigwag_sansio::{Datagram, Deadlines, Protocol, Ready, Transmit};

/// Their tokens begin far behind those of sockets.
pub(crate) const FIRST_STREAM: usize = usize::MAX / 2;
/// What waits for a stream, in bytes. It delays what is behind it: more would be of no use to a call, which rather loses some.
const QUEUE_MAX: usize = 64 << 10;
/// How much is read at once, and how often in one turn before the others have theirs.
const READ_LEN: usize = 64 << 10;
const READS_PER_TURN: usize = 4;
/// How many are read in one turn; the others are the first of the next.
const VISITS_PER_TURN: usize = 64;
/// Why nothing is sent by a name that could only be of a stream that a peer has opened.
const NOT_ACCEPTED: &str = "a listener is there, and no peer has opened this stream";

/// All streams of a driver.
#[derive(Default)]
pub(crate) struct Streams {
    /// Those of closed ones are empty until they are taken again.
    places: Vec<Option<Stream>>,
    /// The empty ones.
    free: Vec<usize>,
    by_name: BTreeMap<Path, usize>,
    /// Those that may have something for the endpoint, which no readiness will tell again.
    ready: Ready,
    /// How many of them peers have opened.
    accepted: usize,
    /// When those are closed on which nothing has come.
    silent: Deadlines,
    /// What the endpoint is to be told: which stream has ended, and why. Until then it may send more, which no other stream is opened for.
    ended: BTreeMap<Path, String>,
    buffer: Vec<u8>,
}

impl Streams {
    /// Sends the next bytes of a stream, which opens it if it is not, or closes it if there are none. It is opened from this address of
    /// ours, and not at all without one; and `tls` says then whom to trust, and by which name.
    pub(crate) fn send<'a>(
        &mut self,
        transmit: &Transmit,
        bytes: &[u8],
        from: Option<IpAddr>,
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
        let number = match (number, from) {
            (Some(number), _) => Ok(number),
            (None, Some(from)) => self.open(name, from, tls(), registry).inspect_err(|_| stats.streams_failed += 1),
            (None, None) => {
                stats.dropped_no_route += segments(bytes, transmit);
                Err(NOT_ACCEPTED.into())
            }
        };
        let number = match number {
            Ok(number) => number,
            Err(why) => {
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
        self.put(Stream::opening(name, from, session)?, registry).map_err(|error| words(&error))
    }

    /// A peer has opened this one. It is closed at once where there are as many as may be, or where the endpoint has not heard yet that
    /// the last one of this name has ended.
    pub(crate) fn accept(
        &mut self,
        name: Path,
        io: TcpStream,
        config: &DriverConfig,
        now: Instant,
        registry: &Registry,
        stats: &mut DriverStats,
    ) {
        if self.accepted >= config.streams_max || self.by_name.contains_key(&name) || self.ended.contains_key(&name) {
            tracing::debug!(remote = %name.remote, accepted = self.accepted, "a stream is not taken");
            stats.streams_refused += 1;
            return;
        }
        match self.put(Stream::accepted(name, io), registry) {
            Ok(number) => {
                self.accepted += 1;
                self.ready.push(number);
                self.silent.set(number, now.checked_add(config.silence_max));
                stats.streams_accepted += 1;
            }
            Err(error) => {
                tracing::debug!(remote = %name.remote, %error, "a stream cannot be waited for");
                stats.streams_refused += 1;
            }
        }
    }

    /// One more, in a place of its own.
    fn put(&mut self, mut stream: Stream, registry: &Registry) -> io::Result<usize> {
        let number = self.free.last().copied().unwrap_or(self.places.len());
        registry.register(&mut stream.io, Token(FIRST_STREAM + number), Interest::READABLE | Interest::WRITABLE)?;
        if self.free.pop().is_none() {
            self.places.push(None);
        }
        self.by_name.insert(stream.name, number);
        self.places[number] = Some(stream);
        Ok(number)
    }

    /// It is gone; its place may be taken.
    fn take(&mut self, number: usize) -> Option<Stream> {
        let stream = self.places.get_mut(number).and_then(Option::take)?;
        self.free.push(number);
        self.by_name.remove(&stream.name);
        if stream.is_accepted {
            self.accepted -= 1;
            self.silent.set(number, None);
        }
        Some(stream)
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
        let outcome = if is_writable { stream.connected(stats).and_then(|()| stream.flush(stats)) } else { Ok(()) };
        if stream.may_have_something() {
            self.ready.push(number);
        }
        self.conclude(number, outcome, registry, stats);
    }

    /// Whether there is something for the endpoint.
    pub(crate) fn has_something(&self) -> bool {
        !self.ended.is_empty() || !self.ready.is_empty()
    }

    /// Hands what has come to `each`, a bounded amount of each stream and of a bounded number of them: whoever has more waits behind the
    /// others.
    pub(crate) fn receive(&mut self, registry: &Registry, stats: &mut DriverStats, mut each: impl FnMut(Datagram<'_>)) {
        self.buffer.resize(if self.ready.is_empty() { 0 } else { READ_LEN }, 0);
        let mut first_again = None;
        for _ in 0..VISITS_PER_TURN {
            let Some(number) = self.ready.front().filter(|number| Some(*number) != first_again) else { break };
            self.ready.pop();
            stats.stream_visits += 1;
            let Some(Some(stream)) = self.places.get_mut(number) else { continue };
            let before = stats.stream_bytes_received;
            let outcome = stream.receive(&mut self.buffer, stats, &mut each);
            if outcome.is_ok() && stream.may_have_something() {
                self.ready.push(number);
                first_again = first_again.or(Some(number));
            }
            if stream.is_accepted && stats.stream_bytes_received > before {
                self.silent.set(number, None);
            }
            self.conclude(number, outcome, registry, stats);
        }
    }

    /// When [`give_up`](Self::give_up) does something.
    pub(crate) fn patience_ends(&self) -> Option<Instant> {
        self.silent.earliest()
    }

    /// Ends those of peers on which nothing has come for long.
    pub(crate) fn give_up(&mut self, now: Instant, registry: &Registry, stats: &mut DriverStats) {
        while let Some(number) = self.silent.expire(now) {
            stats.streams_silent += 1;
            self.conclude(number, Err("the peer has said nothing on it".into()), registry, stats);
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

#[cfg(test)]
mod tests;
