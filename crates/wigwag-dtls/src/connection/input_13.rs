//! What arrives in records of DTLS 1.3 (RFC 9147).

use super::{Connection, State};
use crate::alert::{Alert, AlertDescription};
use crate::codec::Reader;
use crate::handshake::Failure;
use crate::handshake::expect::{Expect, Secrets};
use crate::handshake::first_flight::ExpectClientHello;
use crate::handshake::fragment::{Fragment, FragmentDiscard};
use crate::record::epoch::WriteEpoch;
use crate::record::plaintext::RecordNumber;
use crate::record::{ContentType, Discard, PLAINTEXT_LEN_MAX, unified};
use crate::v13::{APPLICATION_EPOCH, ack};
use crate::{CloseReason, Role, Version};
use std::time::Instant;

impl Connection {
    pub(super) fn handle_unified<'a>(
        &mut self,
        datagram: &mut &'a mut [u8],
        is_doubtful: &mut bool,
        now: Instant,
    ) -> Option<&'a [u8]> {
        let record = unified::split(datagram);
        if self.is_closed() {
            self.stats.after_close += 1;
            *datagram = &mut [];
            // What it is can no longer be told; if it is the peer's flight once more, it has not got our alert.
            self.refuse_again();
            return None;
        }
        let opened = match record.and_then(|record| self.handshake.readers.open(record)) {
            Ok(opened) => opened,
            Err(discard) => {
                // One datagram of noise in eight looks like a record of 1.3, and is counted once; only of who has sealed it is
                // known how long it is.
                let is_sealed = discard == Discard::Replayed;
                if !std::mem::replace(is_doubtful, !is_sealed) || is_sealed {
                    self.discard(discard);
                    self.note_early(discard, now);
                }
                self.end_forgeries();
                return None;
            }
        };
        *is_doubtful = false;
        self.doubt = None;
        self.handshake.readers.age(now);
        if opened.text.len() > PLAINTEXT_LEN_MAX {
            self.failed(Failure::overflow());
            return None;
        }
        let number = opened.number;
        match (opened.content_type, &self.state) {
            (Some(ContentType::ApplicationData), State::Connected(_)) if number.epoch >= APPLICATION_EPOCH => {
                self.stats.application_records_received += 1;
                self.handshake.flight.hear();
                return Some(opened.text).filter(|text| !text.is_empty());
            }
            // With the keys of the handshake, nobody but the peer can have sent it, and it must not.
            (Some(ContentType::ApplicationData), State::Handshaking(_)) if number.epoch < APPLICATION_EPOCH => {
                let why = "application data came with the keys of the handshake";
                self.failed(Failure::refused(AlertDescription::UnexpectedMessage, why));
            }
            (Some(ContentType::ApplicationData), _) => self.stats.early_application_data += 1,
            // RFC 8446 §5.4: "an implementation MUST NOT send Handshake and Alert records that have a zero-length
            // TLSInnerPlaintext.content; if such a message is received, the receiving implementation MUST terminate the
            // connection with an "unexpected_message" alert."
            (Some(ContentType::Alert | ContentType::Handshake), _) if opened.text.is_empty() => {
                self.failed(Failure::refused(AlertDescription::UnexpectedMessage, "a protected record is empty"));
            }
            (Some(ContentType::Alert), _) => self.handle_alert_13(opened.text),
            (Some(ContentType::Handshake), _) => self.handle_protected_fragments(number, opened.text, now),
            (Some(ContentType::Ack), _) => self.handle_ack(opened.text, now),
            // RFC 8446 §5: "If a TLS implementation receives an unexpected record type, it MUST terminate the connection with an
            // "unexpected_message" alert." A protected ChangeCipherSpec is one.
            (Some(ContentType::ChangeCipherSpec) | None, _) => {
                let why = "a protected record is of a type that none may be of";
                self.failed(Failure::refused(AlertDescription::UnexpectedMessage, why));
            }
        }
        None
    }

    /// RFC 8446 §6: "All the alerts listed in Section 6.2 MUST be sent with AlertLevel=fatal and MUST be treated as error alerts
    /// when received regardless of the AlertLevel in the message. Unknown Alert types MUST be treated as error alerts."
    fn handle_alert_13(&mut self, body: &[u8]) {
        match Alert::decode(body) {
            Ok(Alert { description: AlertDescription::CloseNotify, .. }) => {
                self.closed(CloseReason::CloseNotify, Some(Alert::warning(AlertDescription::CloseNotify)));
            }
            Ok(Alert { description: AlertDescription::UserCanceled, .. }) => self.stats.ignored_alerts += 1,
            Ok(Alert { description, .. }) => self.closed(CloseReason::Alert(description), None),
            Err(error) => self.failed(Failure::bad_alert(body, error)),
        }
    }

    fn handle_protected_fragments(&mut self, number: RecordNumber, body: &[u8], now: Instant) {
        let mut reader = Reader::new(body);
        let (next, is_new) = (self.handshake.received.next(), matches!(self.state, State::Handshaking(_)));
        self.handshake.acks.received(number);
        while !reader.is_empty() {
            if self.is_closed() {
                return self.stats.after_close += 1;
            }
            let Ok(fragment) = Fragment::decode(&mut reader) else {
                self.stats.malformed_fragments += 1;
                self.handshake.acks.forget(number);
                break;
            };
            let is_repeated = u32::from(fragment.message_seq) < self.handshake.received.next();
            let is_taken = match &self.state {
                State::Connected(_) if !is_repeated => self.handle_post_handshake(number, &fragment),
                State::Handshaking(_) | State::Connected(_) | State::Closed => {
                    self.handle_fragment(number, &fragment, now)
                }
            };
            if is_repeated {
                self.handshake.acks.repeated(number.epoch);
            } else if !is_taken {
                self.handshake.acks.forget(number);
            }
        }
        // What begins our next flight has emptied the list: that flight says it.
        if self.handshake.acks.has(number) {
            let is_over = matches!(self.state, State::Connected(_)) && self.handshake.received.next() != next;
            match (is_over, is_new && self.handshake.config.role == Role::Client) {
                // Of the server's last message, which our own flight answers.
                (true, true) => self.handshake.acks.clear(),
                // Of the client's last message: nothing else will tell it.
                (true, false) if is_new => self.handshake.acks.owe(),
                (true, false) | (false, _) => self.handshake.acks.delay(now, self.handshake.flight.period()),
            }
        }
    }

    /// A fragment of a message after the handshake. Says whether it was taken.
    fn handle_post_handshake(&mut self, number: RecordNumber, fragment: &Fragment<'_>) -> bool {
        // What comes after a KeyUpdate comes with the keys after it.
        if number.epoch != self.handshake.readers.epoch() {
            let why = "a handshake message came with keys that were replaced before";
            self.failed(Failure::refused(AlertDescription::UnexpectedMessage, why));
            return false;
        }
        match self.handshake.received.insert(number.epoch, fragment) {
            Ok(()) | Err(FragmentDiscard::Repeated | FragmentDiscard::Empty) => {}
            Err(FragmentDiscard::Excessive | FragmentDiscard::Contradicting | FragmentDiscard::Unprotected) => {
                self.stats.excessive_fragments += 1;
                return false;
            }
        }
        let epoch = self.handshake.readers.epoch();
        while let Some(message) = self.handshake.received.pop() {
            let State::Connected(Secrets::Dtls13(established)) = &mut self.state else { return false };
            let handled = established.handle(&message, &mut self.handshake);
            let is_new = self.handshake.readers.epoch() != epoch;
            self.stats.key_updates_received += u64::from(is_new);
            // What came early came with the keys before.
            let excess = is_new && self.handshake.received.has_any();
            if let Err(failure) = handled.and(if excess { Err(Failure::excess()) } else { Ok(()) }) {
                self.failed(failure);
                return false;
            }
        }
        true
    }

    fn handle_ack(&mut self, body: &[u8], now: Instant) {
        let Ok(numbers) = ack::decode(body) else {
            self.stats.malformed_acks += 1;
            return;
        };
        // Whoever acknowledges a part of what was sent lives, however long the rest takes.
        if numbers.filter(|number| self.handshake.flight.acknowledge_record(*number)).count() > 0 {
            self.handshake.flight.hear();
        }
        self.acknowledged(now, true);
    }

    /// Of records without protection, an ACK may be without protection as well: of a HelloRetryRequest, a ServerHello, a
    /// second ClientHello. Anybody can send it, so that what was lost of them is repeated later; but nothing that is protected.
    pub(super) fn handle_plaintext_ack(&mut self, body: &[u8], now: Instant) {
        let (true, Ok(numbers)) = (self.is_known_13(), ack::decode(body)) else { return };
        let mut numbers = numbers.peekable();
        if numbers.peek().is_none() {
            // Nothing of our flight can be read where it came: as if the flight before it came again.
            self.stats.repetitions += u64::from(self.handshake.flight.repeat(now));
        }
        numbers.filter(|number| number.epoch == 0).for_each(|number| {
            self.handshake.flight.acknowledge_record(number);
        });
        self.acknowledged(now, false);
    }

    /// Whether a handshake is under way of which it is known that it is one of 1.3.
    fn is_known_13(&self) -> bool {
        match &self.state {
            State::Handshaking(Expect::ClientHello(state)) => state.retried.is_some(),
            State::Handshaking(Expect::ServerHello(state)) => state.retried.is_some(),
            State::Handshaking(expect) => expect.is_dtls13(),
            State::Connected(_) | State::Closed => false,
        }
    }

    /// A part of a hello that was answered has come again: the peer may not have our answer, or waits for it still.
    pub(super) fn note_repetition(&mut self, number: RecordNumber, now: Instant) {
        if number.epoch == 0 && self.is_known_13() && self.handshake.config.role == Role::Client {
            self.handshake.acks.received(number);
            self.handshake.acks.delay(now, self.handshake.flight.period());
        }
    }

    /// The server speaks 1.3, and we have not seen its ServerHello yet, without which nothing else can be read.
    ///
    /// RFC 9147 §7.1: "For instance, a client might receive an EncryptedExtensions message prior to receiving a ServerHello. … If
    /// the client does not send an ACK, the server will eventually retransmit its first flight, but this might take far longer
    /// than the actual round trip time between client and server. Having the client send an empty ACK shortcuts this process."
    ///
    /// It waits as other ACKs do, for the ServerHello may only be late.
    fn note_early(&mut self, discard: Discard, now: Instant) {
        let awaits = matches!(self.state, State::Handshaking(Expect::ServerHello(_)));
        if awaits && discard == Discard::UnknownEpoch && self.handshake.config.speaks(Version::Dtls13) {
            self.handshake.write.iter_mut().for_each(WriteEpoch::settle_version);
            self.handshake.acks.delay(now, self.handshake.flight.period());
        }
    }

    /// Nothing of the flight has to be repeated any more, if that is so.
    fn acknowledged(&mut self, now: Instant, is_authentic: bool) {
        if !self.handshake.flight.is_acknowledged() {
            return;
        }
        match &mut self.state {
            State::Connected(Secrets::Dtls13(established)) => {
                if let Err(failure) = established.acknowledged(&mut self.handshake) {
                    self.failed(failure);
                }
            }
            State::Handshaking(_) => self.handshake.flight.await_answer(now, is_authentic),
            State::Connected(Secrets::Dtls12(_)) | State::Closed => {}
        }
    }

    /// A fragment was new. In 1.3, whatever the peer sends with the keys of epoch 2, it answers our flight with: the server its
    /// ClientHello, the client the whole flight of the server.
    pub(super) fn note_progress(&mut self, number: RecordNumber, now: Instant) {
        if number.epoch >= 2 && matches!(&self.state, State::Handshaking(expect) if expect.is_dtls13()) {
            self.handshake.flight.await_answer(now, true);
        }
        // After a HelloRetryRequest, the client's hello answers it, if it is the client's.
        let is_second = |retried: &ExpectClientHello| retried.retried.is_some();
        if matches!(&self.state, State::Handshaking(Expect::ClientHello(state)) if is_second(state)) {
            self.handshake.flight.await_answer(now, false);
            self.handshake.acks.received(number);
            self.handshake.acks.delay(now, self.handshake.flight.period());
        }
        // Whether the server speaks 1.3, and wants to be told of its ServerHello, is known later.
        if number.epoch == 0 && matches!(&self.state, State::Handshaking(Expect::ServerHello(_))) {
            self.handshake.acks.received(number);
        }
    }

    /// The handshake of 1.3 is complete. The client's last flight is acknowledged by nothing but an ACK; of what nothing may be
    /// acknowledged, because some of it was not taken, it is sent again.
    pub(super) fn completed_13(&mut self) {
        match self.handshake.config.role {
            Role::Server if self.handshake.acks.has_any() => self.handshake.acks.owe(),
            Role::Client | Role::Server => {}
        }
    }
}
