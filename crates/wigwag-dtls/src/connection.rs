//! A connection: records in, records out, and the handshake between them (RFC 6347, RFC 9147).

mod admission;
mod input;
mod input_13;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_13;
#[cfg(test)]
mod tests_hostile;

use crate::alert::{Alert, AlertDescription};
use crate::crypto::aead::{EXPLICIT_NONCE_LEN, TAG_LEN};
use crate::handshake::expect::{Expect, Secrets};
use crate::handshake::exporter::DTLS_SRTP;
use crate::handshake::first_flight::{self, ExpectClientHello};
use crate::handshake::flight::Expiry;
use crate::handshake::{Failure, Handshake, fragment};
use crate::message::HandshakeType;
use crate::record::ContentType;
use crate::record::epoch::WriteEpoch;
use crate::record::plaintext::HEADER_LEN;
use crate::{CipherSuite, CloseReason, Config, Error, Event, Group, Role, SrtpKeys, SrtpProfile, Stats, Version};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use wigwag_sansio::{Monotonic, Rng, Seed};

/// Connected and closed.
const EVENTS_MAX: usize = 2;

/// A DTLS connection: a handshake, and records around what the layer above sends.
///
/// It knows no address: whoever owns it decides what reaches it, and where its datagrams go. It must be given only what
/// came from where ICE has found the peer.
pub struct Connection {
    clock: Monotonic,
    state: State,
    handshake: Handshake,
    /// Owed.
    alert: Option<Alert>,
    /// Owed.
    verify_request: Option<VerifyRequest>,
    /// Why the handshake was refused.
    refusal: Option<Refusal>,
    doubt: Option<Doubt>,
    /// At most one of each kind.
    events: VecDeque<Event>,
    stats: Stats,
}

enum State {
    Handshaking(Expect),
    Connected(Secrets),
    /// An alert may still be owed.
    Closed,
}

/// An alert that anybody may have sent: it is believed when the peer stays silent.
#[derive(Clone, Copy)]
struct Doubt {
    description: AlertDescription,
    /// Expiries of the timer until then.
    patience: u32,
}

/// The answer to a ClientHello without cookie, of which nothing else is kept: a HelloVerifyRequest, or a HelloRetryRequest.
struct VerifyRequest {
    message_type: HandshakeType,
    body: Vec<u8>,
    /// Those of the ClientHello.
    message_seq: u16,
    sequence: u64,
}

/// A fatal alert that may have been lost.
#[derive(Clone, Copy)]
struct Refusal {
    alert: Alert,
    /// How often it was said again.
    repetitions: u32,
}

impl Connection {
    /// What a record adds to application data at most, in bytes: header, explicit nonce and tag. It is 22 in DTLS 1.3.
    pub const OVERHEAD: usize = HEADER_LEN + EXPLICIT_NONCE_LEN + TAG_LEN;

    /// A client owes its ClientHello at once; a server awaits one, as long as it takes. A configuration that contradicts itself
    /// ([`Config::check`]) is the end.
    pub fn new(config: Config, seed: Seed) -> Self {
        if let Err(Error::InvalidConfig { field, problem }) = config.check() {
            let mut refused = Self::with(Handshake::new(config, Rng::new(seed)), State::Closed);
            refused.end(CloseReason::InvalidConfig { field, problem }, None);
            return refused;
        }
        let role = config.role;
        let mut handshake = Handshake::new(config, Rng::new(seed));
        let expect = match role {
            Role::Client => first_flight::start(&mut handshake),
            Role::Server => Expect::ClientHello(ExpectClientHello { retried: None }),
        };
        Self::with(handshake, State::Handshaking(expect))
    }

    fn with(handshake: Handshake, state: State) -> Self {
        Self {
            clock: Monotonic::default(),
            state,
            handshake,
            alert: None,
            verify_request: None,
            refusal: None,
            doubt: None,
            events: VecDeque::new(),
            stats: Stats::default(),
        }
    }

    /// Reads every record of a datagram, which is decrypted where it lies. Application data is lent to `deliver`, record
    /// by record, before this returns.
    pub fn handle_input(&mut self, datagram: &mut [u8], now: Instant, mut deliver: impl FnMut(&[u8])) {
        let now = self.clock.advance(now);
        let (mut rest, mut is_doubtful) = (datagram, false);
        while !rest.is_empty() {
            if let Some(data) = self.handle_record(&mut rest, &mut is_doubtful, now) {
                deliver(data);
            }
        }
        self.invariants();
    }

    /// Lets time pass: a flight that was not answered is owed again.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.clock.advance(now);
        match self.handshake.flight.handle_timeout(now) {
            Expiry::None => {}
            Expiry::Again => {
                self.stats.retransmissions += 1;
                self.doubt_less();
            }
            Expiry::GaveUp => self.closed(CloseReason::TimedOut, None),
        }
        self.handshake.acks.handle_timeout(now);
        self.handshake.readers.age(now);
        self.invariants();
    }

    /// Appends one datagram of at most `limit` bytes, of the handshake or with an alert; or changes nothing and says
    /// `false`. What does not fit stays owed: give it 200 bytes or more, for with fewer than 50 nothing may ever fit, and
    /// [`poll_timeout`](Self::poll_timeout) says `now` without end.
    pub fn poll_packet(&mut self, now: Instant, limit: usize, out: &mut Vec<u8>) -> bool {
        let now = self.clock.advance(now);
        let has_written = self.write_alert(limit, out)
            || self.write_verify_request(limit, out)
            || self.write_ack(limit, out)
            || self.handshake.flight.write(now, limit, &mut self.handshake.write, out);
        if has_written {
            self.stats.handshake_datagrams_sent += 1;
            self.retire();
        }
        self.invariants();
        has_written
    }

    /// Appends one record of at most `limit` bytes around the application data that `write` appends, of which it is told
    /// how long it may be; or changes nothing and says `false`, when not connected, when `write` appends nothing and says so,
    /// or when it appends more than it may. A sequence number is spent on success only.
    ///
    /// As long as [`poll_packet`](Self::poll_packet) owes the end of our handshake, it says `false` as well: the peer could not
    /// read a record that overtakes it.
    pub fn protect(
        &mut self,
        limit: usize,
        out: &mut Vec<u8>,
        write: impl FnOnce(usize, &mut Vec<u8>) -> bool,
    ) -> bool {
        let State::Connected(secrets) = &mut self.state else { return false };
        let Some(epoch) = self.handshake.write.last_mut() else { return false };
        if self.handshake.flight.leads_to(epoch.epoch()) {
            return false;
        }
        let has_written = epoch.append(ContentType::ApplicationData, limit, out, write);
        self.stats.application_records_sent += u64::from(has_written);
        if let Secrets::Dtls13(established) = secrets {
            established.refresh(&mut self.handshake);
        }
        self.retire();
        has_written
    }

    /// What has happened?
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); `now` if a packet or an event is owed.
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let is_owed = !self.events.is_empty()
            || self.alert.is_some()
            || self.verify_request.is_some()
            || self.handshake.acks.is_owed()
            || self.handshake.flight.is_owed();
        let timers = [self.handshake.flight.deadline(), self.handshake.acks.deadline()];
        if is_owed { Some(now) } else { timers.into_iter().flatten().min() }
    }

    /// Replaces the keys of what we send, and asks the peer to replace its own if `is_requested` (RFC 9147 §8). The new ones
    /// are used when the peer has said that it knows of them. Nothing happens in DTLS 1.2, which cannot, or when not
    /// connected. It is done without being asked for before a key is worn out.
    pub fn update_keys(&mut self, is_requested: bool) {
        if let State::Connected(Secrets::Dtls13(established)) = &mut self.state {
            established.update(is_requested, &mut self.handshake);
        }
        self.invariants();
    }

    /// The peer was heard elsewhere: something came, a packet of SRTP for one, that only who has the keys exported from this
    /// connection can have sent, and not before. It counts as application data do: in DTLS 1.3, a last flight or a KeyUpdate that is
    /// not acknowledged is sent again, but is no reason to take such a peer for dead. Nothing happens when not connected.
    pub const fn media_received(&mut self) {
        if self.is_connected() {
            self.handshake.flight.hear();
        }
    }

    /// Whether new keys of ours are on their way, or wanted.
    pub fn is_updating_keys(&self) -> bool {
        matches!(&self.state, State::Connected(Secrets::Dtls13(established)) if established.is_updating())
    }

    /// Waits this long for an answer from now on, before anything is sent again; what is waited for now is waited for as if it
    /// had been so from the beginning, doubled as often as it was. At least 1 ms, and at most [`Retransmission::max`](crate::Retransmission::max).
    pub fn set_initial_timeout(&mut self, initial: Duration) {
        let before = self.handshake.flight.period();
        self.handshake.flight.set_initial(initial);
        self.handshake.acks.rescale(before, self.handshake.flight.period());
        self.invariants();
    }

    /// Closes. A close_notify is owed, if the peer knows of us.
    pub fn close(&mut self) {
        let is_known = self.is_known();
        self.closed(CloseReason::Local, is_known.then_some(Alert::warning(AlertDescription::CloseNotify)));
        self.invariants();
    }

    /// Gives up, and tells the peer why by a fatal alert, if it knows of us.
    pub fn abort(&mut self, alert: AlertDescription) {
        let is_known = self.is_known();
        self.closed(CloseReason::Local, is_known.then_some(Alert::fatal(alert)));
        self.invariants();
    }

    /// Whether application data can be sent.
    pub const fn is_connected(&self) -> bool {
        matches!(self.state, State::Connected(_))
    }

    /// Whether it is over. An alert may still be owed to the peer.
    pub const fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// The version, once it is negotiated.
    pub fn version(&self) -> Option<Version> {
        self.cipher_suite().map(CipherSuite::version)
    }

    /// The cipher suite, once it is negotiated.
    pub const fn cipher_suite(&self) -> Option<CipherSuite> {
        self.handshake.negotiated.cipher_suite
    }

    /// The group of the key exchange, once it is negotiated.
    pub const fn group(&self) -> Option<Group> {
        self.handshake.negotiated.group
    }

    /// The SRTP profile, once it is negotiated.
    pub const fn srtp_profile(&self) -> Option<SrtpProfile> {
        self.handshake.negotiated.srtp_profile
    }

    /// The peer's certificate in DER, once its fingerprint was found among those that were signalled. Before
    /// [`Event::Connected`] nothing shows yet that the peer has its key.
    pub fn peer_certificate_der(&self) -> Option<&[u8]> {
        Some(&*self.handshake.negotiated.peer_certificate).filter(|der| !der.is_empty())
    }

    /// Fills `out` with keying material for another protocol (RFC 5705): the same bytes on both sides.
    ///
    /// # Errors
    /// [`Error::NotConnected`]; [`Error::InvalidExporter`] if the label is one of TLS itself, or the context longer than
    /// 65,535 bytes.
    pub fn export_keying_material(&self, label: &str, context: Option<&[u8]>, out: &mut [u8]) -> Result<(), Error> {
        match &self.state {
            State::Connected(secrets) => secrets.export(label, context, out),
            State::Handshaking(_) | State::Closed => Err(Error::NotConnected),
        }
    }

    /// A line in the format of SSLKEYLOGFILE (RFC 9850), with which a packet analyser can read this connection: a secret.
    /// There is one in DTLS 1.2, and there are five in 1.3, each given once, as soon as there are its keys, and only if
    /// [`Config::key_log`] says so; it is wiped if nobody asks.
    ///
    /// It is nothing that is owed: whoever wants it asks after each input.
    pub fn poll_key_log(&mut self) -> Option<String> {
        self.handshake.key_log.pop_front().map(|mut line| std::mem::take(&mut *line))
    }

    /// What was counted.
    pub const fn stats(&self) -> &Stats {
        &self.stats
    }

    /// What it holds, in bytes: messages of the peer that are incomplete, the handshake so far, the flight that may have to
    /// be sent again, the peer's certificate, and events.
    pub fn held_len(&self) -> usize {
        self.handshake.held_len() + self.events.len() * size_of::<Event>()
    }

    /// The most that it holds, in bytes, whatever the peer and strangers send.
    pub fn held_len_max(&self) -> usize {
        self.handshake.held_len_max() + EVENTS_MAX * size_of::<Event>()
    }

    /// What it was made of.
    pub const fn config(&self) -> &Config {
        &self.handshake.config
    }

    /// Whether anything was sent to the peer, if not with the keys of now. Who was only asked for a cookie is nobody yet.
    fn is_known(&self) -> bool {
        self.is_connected() || !self.awaits_hello() && self.handshake.write.iter().any(WriteEpoch::is_used)
    }

    /// The handshake is complete: the peer has the key of a certificate whose fingerprint was signalled.
    fn connected(&mut self, secrets: Secrets) {
        let Config { role, .. } = self.handshake.config;
        let srtp = self.handshake.negotiated.srtp_profile.map(|profile| {
            let mut material = vec![0; profile.keying_material_len()];
            let exported = secrets.export(DTLS_SRTP, None, &mut material);
            debug_assert_eq!(exported, Ok(()), "the label is allowed");
            SrtpKeys::new(profile, role, material)
        });
        self.handshake.forget();
        self.doubt = None;
        self.state = State::Connected(secrets);
        self.events.push_back(Event::Connected { srtp });
        tracing::debug!(?role, "DTLS connected");
    }

    /// The handshake cannot go on; its state is used up already.
    fn failed(&mut self, failure: Failure) {
        let alert = Alert::fatal(failure.alert);
        self.refusal = Some(Refusal { alert, repetitions: 0 });
        self.end(failure.reason, Some(alert));
    }

    /// Whether nobody has begun: a server that keeps nothing of anybody.
    const fn awaits_hello(&self) -> bool {
        matches!(self.state, State::Handshaking(Expect::ClientHello(ExpectClientHello { retried: None })))
    }

    /// The end, if it has not come yet.
    fn closed(&mut self, reason: CloseReason, alert: Option<Alert>) {
        match self.state {
            State::Handshaking(_) | State::Connected(_) => self.end(reason, alert),
            State::Closed => {}
        }
    }

    fn end(&mut self, reason: CloseReason, alert: Option<Alert>) {
        tracing::debug!(%reason, "DTLS closed");
        self.state = State::Closed;
        self.alert = alert;
        self.verify_request = None;
        self.doubt = None;
        // An alert is no use to who cannot read it.
        if let Some(readable) = self.handshake.flight.readable() {
            self.handshake.write.retain(|epoch| epoch.epoch() <= readable);
        }
        self.handshake.flight.clear();
        self.handshake.forget();
        self.handshake.read = None;
        self.handshake.readers.clear();
        self.handshake.acks.clear();
        self.events.push_back(Event::Closed(reason));
    }

    /// The last sequence number, or the last that a key is good for, is for the alert that says goodbye.
    ///
    /// RFC 5246 §6.1: "Sequence numbers do not wrap. If a TLS implementation would need to wrap a sequence number, it must
    /// renegotiate instead."
    /// WebRTC does not renegotiate, so a new connection has to be made. In DTLS 1.3 new keys come long before, if the peer
    /// answers.
    fn retire(&mut self) {
        let exhausted = self.handshake.write.last().filter(|epoch| epoch.left() <= 1);
        if let Some(epoch) = exhausted.filter(|_| self.is_connected()) {
            let has_numbers = epoch.numbers_left() > 1;
            let reason = if has_numbers { CloseReason::KeysWornOut } else { CloseReason::SequenceExhausted };
            self.closed(reason, Some(Alert::warning(AlertDescription::CloseNotify)));
        }
    }

    fn write_alert(&mut self, limit: usize, out: &mut Vec<u8>) -> bool {
        let (Some(alert), Some(epoch)) = (self.alert, self.handshake.write.last_mut()) else { return false };
        let has_written = epoch.append(ContentType::Alert, limit, out, |room, out| {
            out.extend_from_slice(&alert.encode());
            room >= alert.encode().len()
        });
        // What no number is left for is not owed any more.
        if has_written || epoch.left() == 0 {
            self.alert = None;
        }
        has_written
    }

    fn write_verify_request(&mut self, limit: usize, out: &mut Vec<u8>) -> bool {
        let (Some(request), Some(epoch)) = (&self.verify_request, self.handshake.write.last_mut()) else {
            return false;
        };
        let message = fragment::whole(request.message_type, request.message_seq, &request.body);
        // RFC 6347 §4.2.1: "In order to avoid sequence number duplication in case of multiple HelloVerifyRequests, the server
        // MUST use the record sequence number in the ClientHello as the record sequence number in the HelloVerifyRequest."
        epoch.resume(request.sequence);
        let has_written = epoch.append(ContentType::Handshake, limit, out, |room, out| {
            out.extend_from_slice(&message);
            message.len() <= room
        });
        if has_written {
            self.verify_request = None;
            self.stats.hello_verify_requests_sent += 1;
        }
        has_written
    }

    /// RFC 9147 §7: "Implementations SHOULD simply use the highest current sending epoch"
    fn write_ack(&mut self, limit: usize, out: &mut Vec<u8>) -> bool {
        let Some(epoch) = self.handshake.write.last_mut() else { return false };
        self.handshake.acks.write(epoch, limit, out)
    }

    /// The timer has expired again, and the peer has not shown that the alert was not its.
    fn doubt_less(&mut self) {
        let Some(doubt) = &mut self.doubt else { return };
        doubt.patience = doubt.patience.saturating_sub(1);
        if doubt.patience == 0 {
            let reason = CloseReason::Alert(doubt.description);
            self.closed(reason, None);
        }
    }

    fn invariants(&self) {
        let flight = &self.handshake.flight;
        match &self.state {
            State::Handshaking(Expect::ClientHello(ExpectClientHello { retried: None })) => {
                debug_assert!(flight.is_idle(), "a server does not begin");
            }
            // The HelloRetryRequest may have been sent by who keeps nothing.
            State::Handshaking(Expect::ClientHello(_)) => {}
            State::Handshaking(_) => {
                debug_assert!(!flight.is_idle(), "a handshake is never stuck");
            }
            State::Connected(Secrets::Dtls12(_)) => {
                debug_assert_eq!(flight.deadline(), None, "the last flight has no timer");
            }
            State::Connected(Secrets::Dtls13(established)) => {
                debug_assert!(!established.is_updating() || !flight.is_idle(), "new keys come, or are asked for again");
            }
            State::Closed => debug_assert!(flight.is_idle(), "nothing but an alert is owed after the end"),
        }
        debug_assert!(self.handshake.received.held_len() <= fragment::HELD_LEN_MAX);
        debug_assert!(self.held_len() <= self.held_len_max());
        debug_assert!(self.events.len() <= EVENTS_MAX);
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = match &self.state {
            State::Handshaking(expect) => {
                let text = format!("{expect:?}");
                text.split(['(', ' ']).find(|word| !word.starts_with("Dtls")).unwrap_or_default().to_owned()
            }
            State::Connected(_) => "Connected".to_owned(),
            State::Closed => "Closed".to_owned(),
        };
        f.debug_struct("Connection").field("role", &self.config().role).field("state", &state).finish_non_exhaustive()
    }
}
