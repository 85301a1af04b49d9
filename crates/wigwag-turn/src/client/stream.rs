//! The stream to a server, if it is asked over one (RFC 8656 §3.1): when it is opened and closed, and why it has ended.
//!
//! ```text
//!   Closed ──▶ Open ──▶ Leaving ──▶ Closed         a stream that ends is Closed
//! ```

use super::Client;
use super::allocation::Allocation;
use crate::framing::Cutter;
use std::net::SocketAddr;
use std::time::Instant;
use wigwag_sansio::{Datagram, Dscp, Ecn, Protocol, Transmit};
use wigwag_stun::Failure;

/// So much is kept of what the driver says of an end, in characters.
const WORDS_MAX: usize = 300;

#[derive(Debug, Default)]
pub(super) enum Stream {
    #[default]
    Closed,
    Open(Open),
    /// An empty transmit is owed.
    Leaving(SocketAddr),
}

#[derive(Debug)]
pub(super) struct Open {
    server: SocketAddr,
    cutter: Cutter,
    has_heard: bool,
    /// What the driver knows of why it is about to end.
    words: Option<String>,
}

impl Stream {
    /// Something is sent, which opens it.
    pub(super) fn open(&mut self, server: SocketAddr) {
        if let Self::Closed = self {
            *self = Self::Open(Open { server, cutter: Cutter::default(), has_heard: false, words: None });
        }
    }

    /// It is of no use any more.
    pub(super) fn leave(&mut self) {
        if let Self::Open(open) = self {
            *self = Self::Leaving(open.server);
        }
    }

    pub(super) const fn is_leaving(&self) -> bool {
        matches!(self, Self::Leaving(_))
    }
}

impl Client {
    /// The driver knows why the stream is about to end, as a sentence without its full stop: it is told with the failure. The empty
    /// input that ends it follows.
    pub fn explain_end(&mut self, why: &str) {
        if let Stream::Open(open) = &mut self.stream {
            open.words = Some(why.chars().take(WORDS_MAX).collect());
        }
    }

    /// What closes the stream, if one is open: for whoever has no more use for the client. The client says so itself when it is over.
    pub const fn closing(&self) -> Option<Transmit> {
        match &self.stream {
            Stream::Open(Open { server, .. }) | Stream::Leaving(server) => Some(self.transmit_to(*server, 0)),
            Stream::Closed => None,
        }
    }

    pub(super) const fn transmit_to(&self, remote: SocketAddr, len: usize) -> Transmit {
        let segment_size = if len == 0 { 1 } else { len };
        let (protocol, local) = (self.config.protocol, self.config.local);
        Transmit { protocol, local, remote, ecn: Ecn::NotEct, dscp: Dscp::DEFAULT, segment_size }
    }

    /// The next bytes of the stream, or its end.
    pub(super) fn read_stream(&mut self, datagram: Datagram<'_>, now: Instant, mut up: impl FnMut(Datagram<'_>)) {
        let Datagram { protocol, local, remote, ecn, payload } = datagram;
        let is_ours = (protocol, local) == (self.config.protocol, self.config.local);
        let open = match &mut self.stream {
            Stream::Open(open) if is_ours && remote == open.server => open,
            Stream::Open(_) | Stream::Leaving(_) | Stream::Closed => {
                let is_late = is_ours && self.is_over();
                let counter = if is_late { &mut self.stats.after_end } else { &mut self.stats.wrong_path };
                *counter = counter.saturating_add(1);
                return;
            }
        };
        if payload.is_empty() {
            return self.stream_ended();
        }
        open.has_heard = true;
        let mut cutter = std::mem::take(&mut open.cutter);
        let result = cutter.read(payload, |payload| {
            self.read(Datagram { protocol, local, remote, ecn, payload }, now, &mut up);
        });
        if result.is_err() {
            self.stats.out_of_sync = self.stats.out_of_sync.saturating_add(1);
            self.is_touched = true;
            self.end(Failure::OutOfSync);
        } else if let Stream::Open(open) = &mut self.stream {
            open.cutter = cutter;
        }
    }

    /// What the server has given ends with the stream that it was given on; so do requests.
    ///
    /// It is not opened anew here: a server that has gone is asked again by whoever asked it, when there is reason to.
    fn stream_ended(&mut self) {
        let Stream::Open(open) = std::mem::take(&mut self.stream) else { return };
        // RFC 8489 §6.2.2: "if the client is unable to establish the TCP connection, or the TCP connection is reset or fails before a
        // response is received, any request/response transaction in progress is considered to have failed."
        self.is_touched = true;
        let Open { has_heard, words, .. } = open;
        match self.allocation {
            Allocation::Asking(_) | Allocation::Held(_) => self.end(why(self.config.protocol, has_heard, words)),
            Allocation::Releasing(_) | Allocation::Over => self.allocation = Allocation::Over,
        }
    }
}

fn why(protocol: Protocol, has_heard: bool, words: Option<String>) -> Failure {
    if has_heard {
        let reason = words.unwrap_or_else(|| "it, or something on the way, has closed it".into());
        return Failure::Disconnected { reason };
    }
    let text = match protocol {
        Protocol::Tls => {
            "see that it listens there for TURN over TLS, that its certificate is for the name that was given, and that \
             nothing on the way forbids it"
        }
        Protocol::Tcp | Protocol::Udp => {
            "see that it listens there for TURN over TCP, and that nothing on the way forbids it"
        }
    };
    Failure::Unconnected { reason: words.unwrap_or_else(|| text.into()) }
}
