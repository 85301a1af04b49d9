//! What arrives: records, and what they carry.

use super::{Connection, Doubt, State};
use crate::alert::{Alert, AlertDescription, AlertLevel};
use crate::codec::Reader;
use crate::handshake::Failure;
use crate::handshake::expect::{Next, Secrets};
use crate::handshake::fragment::{Fragment, FragmentDiscard};
use crate::message::HandshakeType;
use crate::record::epoch::ReadEpoch;
use crate::record::plaintext::{self, Header, RecordNumber};
use crate::record::{ContentType, Discard, PLAINTEXT_LEN_MAX, unified};
use crate::{CloseReason, Role};
use std::time::Instant;

/// An alert without protection may be anybody's. If it is the peer's, the peer stays silent through this many expiries of
/// our timer (one forged datagram must not end a call).
const PATIENCE: u32 = 2;

impl Connection {
    /// Takes the next record off the datagram and returns the application data in it, if that is what it carries. It is
    /// doubtful whether it is one at all, if what came before it says where it begins and did not open.
    pub(super) fn handle_record<'a>(
        &mut self,
        datagram: &mut &'a mut [u8],
        is_doubtful: &mut bool,
        now: Instant,
    ) -> Option<&'a [u8]> {
        if datagram.first().is_some_and(|first| unified::is_unified(*first)) {
            return self.handle_unified(datagram, is_doubtful, now);
        }
        if *is_doubtful {
            *datagram = &mut [];
            return None;
        }
        let (header, body) = match plaintext::split(datagram) {
            Ok(record) => record,
            Err(discard) => {
                self.discard(discard);
                return None;
            }
        };
        match (&self.state, header.number.epoch) {
            (State::Closed, _) => self.handle_after_close(&header, body),
            (State::Handshaking(_) | State::Connected(_), 0) => self.handle_plaintext(&header, body, now),
            (State::Handshaking(_) | State::Connected(_), _) => match self.open(&header, body) {
                Ok(text) => return self.handle_protected(&header, text, now),
                Err(discard) => {
                    self.discard(discard);
                    self.end_forgeries();
                }
            },
        }
        None
    }

    fn handle_after_close(&mut self, header: &Header, body: &[u8]) {
        self.stats.after_close += 1;
        if header.content_type == ContentType::Handshake && !body.is_empty() {
            self.refuse_again();
        }
    }

    pub(super) fn refuse_again(&mut self) {
        if let Some(refusal) = &mut self.refusal
            && refusal.repetitions < self.handshake.config.retransmission.limit
        {
            // RFC 6347 §4.2.7: "However, a DTLS implementation which would ordinarily issue an alert SHOULD generate a new
            // alert message if the offending record is received again (e.g., as a retransmitted handshake message)."
            refusal.repetitions += u32::from(self.alert.is_none());
            self.alert = Some(refusal.alert);
        }
    }

    /// The key is decided before the record is opened: a failed attempt destroys it.
    fn open<'a>(&mut self, header: &Header, body: &'a mut [u8]) -> Result<&'a [u8], Discard> {
        let read = self.handshake.read.as_mut().filter(|read| read.epoch() == header.number.epoch);
        read.ok_or(Discard::UnknownEpoch)?.open(header, body).map(|text| &*text)
    }

    /// RFC 9147 §4.5.3: "If the number of packets that fail authentication exceeds a limit that is specific to the AEAD in use, an
    /// implementation SHOULD immediately close the connection."
    pub(super) fn end_forgeries(&mut self) {
        if self.handshake.readers.is_worn() || self.handshake.read.as_ref().is_some_and(ReadEpoch::is_worn) {
            self.closed(CloseReason::ForgeriesExceeded, Some(Alert::warning(AlertDescription::CloseNotify)));
        }
    }

    fn handle_plaintext(&mut self, header: &Header, body: &[u8], now: Instant) {
        if body.len() > PLAINTEXT_LEN_MAX {
            return self.discard(Discard::Malformed);
        }
        match header.content_type {
            ContentType::ApplicationData => self.stats.plaintext_application_data += 1,
            ContentType::Alert => {
                self.stats.plaintext_alerts += 1;
                self.doubt(body);
            }
            ContentType::ChangeCipherSpec => self.handle_change_cipher_spec(),
            ContentType::Ack => {
                self.stats.plaintext_acks += 1;
                self.handle_plaintext_ack(body, now);
            }
            ContentType::Handshake => match self.state {
                State::Handshaking(_) => self.handle_fragments(header.number, body, now),
                State::Connected(_) | State::Closed => self.stats.plaintext_handshake += 1,
            },
        }
    }

    fn handle_protected<'a>(&mut self, header: &Header, text: &'a [u8], now: Instant) -> Option<&'a [u8]> {
        // RFC 8446 §5.2: "An endpoint that receives a record from its peer with TLSInnerPlaintext.length larger than 2^14 …
        // MUST terminate the connection with a "record_overflow" alert."
        if text.len() > PLAINTEXT_LEN_MAX {
            self.failed(Failure::overflow());
            return None;
        }
        match (header.content_type, &self.state) {
            (ContentType::ApplicationData, State::Connected(_)) => {
                self.stats.application_records_received += 1;
                // Only who has our Finished sends application data.
                self.handshake.flight.acknowledge();
                return Some(text).filter(|text| !text.is_empty());
            }
            (ContentType::ApplicationData, State::Handshaking(_) | State::Closed) => {
                self.stats.early_application_data += 1;
            }
            (ContentType::Alert, _) => self.handle_alert(text),
            (ContentType::Handshake, State::Connected(_)) => self.handle_late_fragments(&mut Reader::new(text), now),
            (ContentType::Handshake, State::Handshaking(_) | State::Closed) => {
                self.handle_fragments(header.number, text, now);
            }
            (ContentType::ChangeCipherSpec, _) => self.handle_change_cipher_spec(),
            (ContentType::Ack, _) => self.stats.unknown_content_type += 1,
        }
        None
    }

    /// Nothing waits for it: the epoch of a record says the same.
    fn handle_change_cipher_spec(&mut self) {
        match self.state {
            State::Handshaking(_) => {}
            State::Connected(_) | State::Closed => self.stats.late_change_cipher_specs += 1,
        }
    }

    /// An alert that is the peer's.
    fn handle_alert(&mut self, body: &[u8]) {
        match Alert::decode(body) {
            // RFC 5246 §7.2.1: "The other party MUST respond with a close_notify alert of its own and close down the
            // connection immediately, discarding any pending writes."
            Ok(Alert { description: AlertDescription::CloseNotify, .. }) => {
                self.closed(CloseReason::CloseNotify, Some(Alert::warning(AlertDescription::CloseNotify)));
            }
            Ok(Alert { level: AlertLevel::Fatal, description }) => self.closed(CloseReason::Alert(description), None),
            Ok(Alert { level: AlertLevel::Warning, .. }) => self.stats.ignored_alerts += 1,
            // Nobody but the peer can have said it, so its state is not ours.
            Err(error) => self.failed(Failure::bad_alert(body, error)),
        }
    }

    /// An alert that may be anybody's.
    fn doubt(&mut self, body: &[u8]) {
        let is_end =
            |alert: &Alert| alert.level == AlertLevel::Fatal || alert.description == AlertDescription::CloseNotify;
        // Only while an answer is awaited can silence be told from patience; and a peer that has keys would have used them.
        let waits = matches!(self.state, State::Handshaking(_)) && self.handshake.flight.deadline().is_some();
        let waits = waits && self.doubt.is_none() && !self.handshake.readers.has_opened();
        if let Some(alert) = Alert::decode(body).ok().filter(|alert| waits && is_end(alert)) {
            self.doubt = Some(Doubt { description: alert.description, patience: PATIENCE });
        }
    }

    fn handle_fragments(&mut self, number: RecordNumber, body: &[u8], now: Instant) {
        let mut reader = Reader::new(body);
        if reader.is_empty() {
            self.stats.malformed_fragments += 1;
        }
        while !reader.is_empty() {
            match self.state {
                State::Handshaking(_) => {}
                // The message before, in the same record, was the last of the handshake, or its end.
                State::Connected(_) => return self.handle_late_fragments(&mut reader, now),
                State::Closed => return self.stats.after_close += 1,
            }
            let Ok(fragment) = Fragment::decode(&mut reader) else {
                self.stats.malformed_fragments += 1;
                return;
            };
            // RFC 5246 §7.4.1.1: "This message will be ignored by the client if the client is currently negotiating a session."
            if fragment.message_type == HandshakeType::HELLO_REQUEST {
                self.stats.early_hello_requests += 1;
                continue;
            }
            if !self.admits(number, &fragment, now) {
                return;
            }
            self.handle_fragment(number, &fragment, now);
        }
    }

    /// Says whether it was taken, and not before.
    pub(super) fn handle_fragment(&mut self, number: RecordNumber, fragment: &Fragment<'_>, now: Instant) -> bool {
        match self.handshake.received.insert(number.epoch, fragment) {
            Ok(()) => {
                self.note_progress(number, now);
                self.advance(now);
                return true;
            }
            Err(FragmentDiscard::Repeated) => {
                self.note_repetition(number, now);
                self.handle_repeated(fragment, now);
            }
            Err(FragmentDiscard::Contradicting) => {
                self.stats.contradicting_fragments += 1;
                self.advance(now);
            }
            Err(FragmentDiscard::Empty) => {
                self.stats.malformed_fragments += 1;
                return true;
            }
            Err(FragmentDiscard::Excessive) => self.stats.excessive_fragments += 1,
            Err(FragmentDiscard::Unprotected) => self.stats.plaintext_handshake += 1,
        }
        false
    }

    /// The end of the peer's last flight comes again: it has not got ours.
    pub(super) fn handle_repeated(&mut self, fragment: &Fragment<'_>, now: Instant) {
        self.stats.repeated_fragments += 1;
        let is_end = u32::from(fragment.message_seq) + 1 == self.handshake.received.next() && fragment.offset == 0;
        self.stats.repetitions += u64::from(is_end && self.handshake.flight.repeat(now));
    }

    /// Handles the messages that are complete and next.
    fn advance(&mut self, now: Instant) {
        while let Some(message) = self.handshake.received.pop() {
            let State::Handshaking(expect) = std::mem::replace(&mut self.state, State::Closed) else { return };
            self.doubt = None;
            match expect.handle(&message, &mut self.handshake) {
                Ok(Next::Expect(expect)) => {
                    // In 1.3, what comes answers our flight, and is acknowledged itself.
                    if !expect.is_dtls13() {
                        self.handshake.flight.progress(now);
                    }
                    self.state = State::Handshaking(expect);
                }
                // The peer has said more than there is to say, and before its time.
                Ok(Next::Complete(_)) if self.handshake.received.has_any() => return self.failed(Failure::excess()),
                Ok(Next::Complete(secrets)) => {
                    if let Secrets::Dtls13(_) = &secrets {
                        self.completed_13();
                    }
                    return self.connected(secrets);
                }
                Err(failure) => return self.failed(failure),
            }
        }
    }

    /// A handshake message after the handshake: the peer has not got our last flight, or wants to begin again.
    fn handle_late_fragments(&mut self, reader: &mut Reader<'_>, now: Instant) {
        while let (State::Connected(_), false) = (&self.state, reader.is_empty()) {
            self.stats.late_handshake_messages += 1;
            let Ok(fragment) = Fragment::decode(reader) else { return };
            self.handle_late_fragment(&fragment, now);
        }
    }

    fn handle_late_fragment(&mut self, fragment: &Fragment<'_>, now: Instant) {
        match (fragment.message_type, self.handshake.config.role) {
            // RFC 8827 §6.5: "Implementations MUST NOT implement DTLS renegotiation and MUST reject it with a
            // 'no_renegotiation' alert if offered."
            (HandshakeType::HELLO_REQUEST, Role::Client) | (HandshakeType::CLIENT_HELLO, Role::Server) => {
                self.alert.get_or_insert(Alert::warning(AlertDescription::NoRenegotiation));
            }
            _ if u32::from(fragment.message_seq) >= self.handshake.received.next() => self.failed(Failure::excess()),
            // In as many fragments as it may come: once.
            (HandshakeType::FINISHED, Role::Server) if fragment.offset == 0 => {
                self.stats.repetitions += u64::from(self.handshake.flight.repeat(now));
            }
            _ => {}
        }
    }

    pub(super) fn discard(&mut self, discard: Discard) {
        let stats = &mut self.stats;
        *match discard {
            Discard::Malformed => &mut stats.malformed_records,
            Discard::WrongVersion => &mut stats.wrong_version,
            Discard::UnknownContentType => &mut stats.unknown_content_type,
            Discard::UnknownEpoch => &mut stats.unknown_epoch,
            Discard::Replayed => &mut stats.replayed,
            Discard::NotAuthentic => &mut stats.not_authentic,
        } += 1;
    }
}
