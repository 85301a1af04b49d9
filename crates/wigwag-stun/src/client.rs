//! Asks a server which address it sees us at (RFC 8489 §2, §6).

use crate::transaction::{Retransmission, Transaction};
use crate::{Class, Message, MessageWriter, Method, TransactionId};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use wigwag_sansio::{Datagram, Monotonic, Protocol, Rng, Seed, Transmit};

/// Whom to ask, from where, and how patiently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientConfig {
    /// The address of ours that is asked about.
    pub local: SocketAddr,
    /// Where the server listens.
    pub server: SocketAddr,
    /// How often and how long the request is sent again.
    pub retransmission: Retransmission,
}

impl ClientConfig {
    /// Asks `server` about `local`, with the timers of RFC 8489.
    pub fn new(local: SocketAddr, server: SocketAddr) -> Self {
        Self { local, server, retransmission: Retransmission::default() }
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// No answer came to any of the requests.
    #[error("the server does not answer")]
    TimedOut,
    /// The server said no.
    #[error("the server refuses: {code} {reason}")]
    Refused {
        /// Its ERROR-CODE, 300 to 699; 0 if it gave none.
        code: u16,
        /// Its words.
        reason: String,
    },
    /// The answer says no address, or something that is not understood and must be.
    #[error("the server's answer is of no use")]
    Useless,
    /// The stream to the server was not opened, or ended before the server had said anything.
    #[error("there is no connection to the server: {reason}")]
    Unconnected {
        /// What is known of it, and what helps.
        reason: String,
    },
    /// The stream to the server has ended.
    #[error("the connection to the server has ended: {reason}")]
    Disconnected {
        /// What is known of it.
        reason: String,
    },
    /// What comes on the stream is no STUN, or is not cut as it says.
    #[error("what is at the server's address does not speak TURN, or something between changes what it says")]
    OutOfSync,
}

impl Failure {
    /// What an error response says, with no more words than it may have.
    pub fn refused(message: &Message<'_>) -> Self {
        let (code, reason) = message.attributes.error_code.map_or((0, ""), |error| (error.code, error.reason));
        Self::Refused { code, reason: reason.chars().take(REASON_MAX).collect() }
    }
}

/// How it ended. There is one event.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The server sees us here.
    Mapped {
        /// The address that it sees: ours, or that of a NAT before us.
        address: SocketAddr,
        /// How long the answer took, if that can be told.
        round_trip_time: Option<Duration>,
    },
    /// There will be no answer.
    Failed(Failure),
}

/// What a client has dropped, in messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientStats {
    /// Requests that were sent, retransmissions included.
    pub requests_sent: u64,
    /// Dropped: not STUN, malformed, or no response to a Binding request.
    pub malformed: u64,
    /// Dropped: from elsewhere, or to elsewhere.
    pub wrong_path: u64,
    /// Dropped: a response to another request.
    pub unknown_transaction: u64,
    /// Dropped: after the end.
    pub after_end: u64,
}

impl ClientStats {
    /// All messages that were dropped.
    pub const fn dropped(&self) -> u64 {
        let Self { malformed, wrong_path, unknown_transaction, after_end, .. } = self;
        malformed.saturating_add(*wrong_path).saturating_add(*unknown_transaction).saturating_add(*after_end)
    }
}

#[derive(Debug)]
enum State {
    Asking(Transaction),
    Done { event: Option<ClientEvent> },
}

/// One question to one server, by UDP.
#[derive(Debug)]
pub struct Client {
    config: ClientConfig,
    clock: Monotonic,
    state: State,
    stats: ClientStats,
}

impl Client {
    /// A client whose request is owed at once.
    pub fn new(config: ClientConfig, seed: Seed) -> Self {
        let id = TransactionId::random(&mut Rng::new(seed));
        let state = State::Asking(Transaction::new(id, config.retransmission));
        Self { config, clock: Monotonic::default(), state, stats: ClientStats::default() }
    }

    /// Whom it asks, from where.
    pub const fn config(&self) -> &ClientConfig {
        &self.config
    }

    /// Whether a response of this transaction is for this client.
    pub fn is_awaiting(&self, transaction: TransactionId) -> bool {
        matches!(&self.state, State::Asking(asking) if asking.id() == transaction)
    }

    /// Whether nothing was sent yet: whoever paces new transactions paces this one.
    pub const fn is_new(&self) -> bool {
        matches!(&self.state, State::Asking(asking) if asking.is_new())
    }

    /// Whether it has come to an end.
    pub const fn is_done(&self) -> bool {
        matches!(&self.state, State::Done { .. })
    }

    /// What was counted.
    pub const fn stats(&self) -> &ClientStats {
        &self.stats
    }

    /// A datagram arrived.
    #[expect(clippy::needless_pass_by_value, reason = "a datagram is handed over")]
    pub fn handle_input(&mut self, datagram: Datagram<'_>, now: Instant) {
        let now = self.advance(now);
        let ClientConfig { local, server, .. } = self.config;
        let State::Asking(asking) = &self.state else {
            count(&mut self.stats.after_end);
            return;
        };
        match Message::decode(datagram.payload) {
            _ if (datagram.protocol, datagram.local, datagram.remote) != (Protocol::Udp, local, server) => {
                count(&mut self.stats.wrong_path);
            }
            Ok(message) if is_response(&message) && message.transaction() == asking.id() => {
                let event = outcome(&message, asking.round_trip_time(now));
                self.state = State::Done { event: Some(event) };
            }
            Ok(message) if is_response(&message) => count(&mut self.stats.unknown_transaction),
            Ok(_) | Err(_) => count(&mut self.stats.malformed),
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
    }

    /// What shall be sent? Replaces what is in `out`.
    pub fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        let now = self.advance(now);
        let State::Asking(asking) = &mut self.state else { return None };
        if !asking.is_owed() {
            return None;
        }
        out.clear();
        // Without a word of whose software this is, which helps nobody but attackers.
        MessageWriter::request(out, asking.id()).fingerprint();
        asking.sent(now);
        count(&mut self.stats.requests_sent);
        Some(Transmit::udp(self.config.local, self.config.server, out.len()))
    }

    /// What has happened? There is one event.
    pub fn poll_event(&mut self) -> Option<ClientEvent> {
        match &mut self.state {
            State::Asking(_) => None,
            State::Done { event } => event.take(),
        }
    }

    /// When to call again; `Some(now)` if anything is owed.
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let now = self.clock.latest(now);
        match &self.state {
            State::Asking(asking) => asking.poll_timeout(now),
            State::Done { event } => event.as_ref().map(|_| now),
        }
    }

    fn advance(&mut self, now: Instant) -> Instant {
        let now = self.clock.advance(now);
        if let State::Asking(asking) = &mut self.state {
            asking.handle_timeout(now);
            if asking.has_failed() {
                self.state = State::Done { event: Some(ClientEvent::Failed(Failure::TimedOut)) };
            }
        }
        now
    }
}

const fn count(counter: &mut u64) {
    *counter = counter.saturating_add(1);
}

fn is_response(message: &Message<'_>) -> bool {
    let is_response = matches!(message.class(), Class::SuccessResponse | Class::ErrorResponse);
    is_response && message.method() == Method::BINDING
}

fn outcome(message: &Message<'_>, round_trip_time: Option<Duration>) -> ClientEvent {
    match (message.class(), message.attributes.xor_mapped_address) {
        // RFC 8489 §6.3.3: "If the success response contains unknown comprehension-required attributes, the response is
        // discarded and the transaction is considered to have failed."
        _ if message.has_unknown_required() => ClientEvent::Failed(Failure::Useless),
        (Class::SuccessResponse, Some(address)) => ClientEvent::Mapped { address, round_trip_time },
        // RFC 8489 §6.3.3: "For the Binding method, the client checks that the XOR-MAPPED-ADDRESS attribute is present
        // in the response."
        (Class::SuccessResponse | Class::Request | Class::Indication, _) => ClientEvent::Failed(Failure::Useless),
        (Class::ErrorResponse, _) => ClientEvent::Failed(Failure::refused(message)),
    }
}

/// RFC 8489 §14.8 has the reason be of fewer than 128 characters.
const REASON_MAX: usize = 127;
