//! What arrives in records of DTLS 1.3 (RFC 9147).

use super::{Connection, State};
use crate::alert::{Alert, AlertDescription};
use crate::codec::Reader;
use crate::handshake::Failure;
use crate::handshake::expect::{Expect, Secrets};
use crate::handshake::fragment::Fragment;
use crate::record::plaintext::RecordNumber;
use crate::record::{ContentType, PLAINTEXT_LEN_MAX, unified};
use crate::v13::{APPLICATION_EPOCH, ack};
use crate::{CloseReason, Role};
use std::time::Instant;

impl Connection {
    pub(super) fn handle_unified<'a>(&mut self, datagram: &mut &'a mut [u8], now: Instant) -> Option<&'a [u8]> {
        let record = unified::split(datagram);
        if self.is_closed() {
            self.stats.after_close += 1;
            // What it is can no longer be told; if it is the peer's flight once more, it has not got our alert.
            self.refuse_again();
            return None;
        }
        let opened = match record.and_then(|record| self.handshake.readers.open(record)) {
            Ok(opened) => opened,
            Err(discard) => {
                self.discard(discard);
                if self.handshake.readers.is_worn() {
                    // RFC 9147 §4.5.3: "If the number of packets that fail authentication exceeds a limit that is specific to the
                    // AEAD in use, an implementation SHOULD immediately close the connection."
                    self.closed(CloseReason::ForgeriesExceeded, Some(Alert::warning(AlertDescription::CloseNotify)));
                }
                return None;
            }
        };
        self.handshake.readers.age(now);
        if opened.text.len() > PLAINTEXT_LEN_MAX {
            self.failed(Failure::overflow());
            return None;
        }
        let number = opened.number;
        match (opened.content_type, &self.state) {
            (ContentType::ApplicationData, State::Connected(_)) if number.epoch >= APPLICATION_EPOCH => {
                self.stats.application_records_received += 1;
                return Some(opened.text).filter(|text| !text.is_empty());
            }
            // With the keys of the handshake, nobody but the peer can have sent it, and it must not.
            (ContentType::ApplicationData, State::Handshaking(_)) if number.epoch < APPLICATION_EPOCH => {
                let why = "application data came with the keys of the handshake";
                self.failed(Failure::refused(AlertDescription::UnexpectedMessage, why));
            }
            (ContentType::ApplicationData, _) => self.stats.early_application_data += 1,
            (ContentType::Alert, _) => self.handle_alert_13(opened.text),
            (ContentType::Handshake, _) => self.handle_protected_fragments(number, opened.text, now),
            (ContentType::Ack, _) => self.handle_ack(opened.text, now),
            (ContentType::ChangeCipherSpec, _) => self.stats.late_change_cipher_specs += 1,
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
        if reader.is_empty() {
            self.stats.malformed_fragments += 1;
            return;
        }
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
            let is_repeated = fragment.message_seq < self.handshake.received.next();
            let is_taken = match &self.state {
                State::Connected(_) if !is_repeated => self.handle_post_handshake(number, &fragment),
                State::Handshaking(_) | State::Connected(_) | State::Closed => {
                    self.handle_fragment(number, &fragment, now)
                }
            };
            if !is_taken && !is_repeated {
                self.handshake.acks.forget(number);
            }
        }
        // What begins our next flight has emptied the list: that flight says it.
        if self.handshake.acks.has(number) {
            let is_over = matches!(self.state, State::Connected(_)) && self.handshake.received.next() != next;
            match (is_over, is_new && self.handshake.config.role == Role::Client) {
                // Of the server's last message, which our own flight answers.
                (true, true) => self.handshake.acks.clear(),
                (true, false) => self.handshake.acks.owe(),
                (false, _) => self.handshake.acks.delay(now, self.handshake.flight.period()),
            }
        }
    }

    /// A fragment of a message after the handshake. Says whether it was taken.
    ///
    /// Of later messages than the next nothing is held: a KeyUpdate is acknowledged when it was processed, or its sender would
    /// use keys that we do not have yet.
    fn handle_post_handshake(&mut self, number: RecordNumber, fragment: &Fragment<'_>) -> bool {
        if fragment.message_seq != self.handshake.received.next() {
            self.stats.excessive_fragments += 1;
            return false;
        }
        // What comes after a KeyUpdate comes with the keys after it.
        if number.epoch != self.handshake.readers.epoch() {
            let why = "a handshake message came with keys that were replaced before";
            self.failed(Failure::refused(AlertDescription::UnexpectedMessage, why));
            return false;
        }
        if self.handshake.received.insert(number.epoch, fragment).is_err() {
            self.stats.excessive_fragments += 1;
            return false;
        }
        let Some(message) = self.handshake.received.pop() else { return true };
        let epoch = self.handshake.readers.epoch();
        let State::Connected(Secrets::Dtls13(established)) = &mut self.state else { return false };
        if let Err(failure) = established.handle(&message, &mut self.handshake) {
            self.failed(failure);
            return false;
        }
        self.stats.key_updates_received += u64::from(self.handshake.readers.epoch() != epoch);
        true
    }

    fn handle_ack(&mut self, body: &[u8], now: Instant) {
        let Ok(numbers) = ack::decode(body) else {
            self.stats.malformed_acks += 1;
            return;
        };
        numbers.for_each(|number| self.handshake.flight.acknowledge_record(number));
        if !self.handshake.flight.is_acknowledged() {
            return;
        }
        match &mut self.state {
            State::Connected(Secrets::Dtls13(established)) => {
                if let Err(failure) = established.acknowledged(&mut self.handshake) {
                    self.failed(failure);
                }
            }
            State::Handshaking(_) => self.handshake.flight.await_answer(now),
            State::Connected(Secrets::Dtls12(_)) | State::Closed => {}
        }
    }

    /// A fragment was new. In 1.3, whatever the peer sends with the keys of epoch 2, it answers our flight with: the server its
    /// ClientHello, the client the whole flight of the server.
    pub(super) fn note_progress(&mut self, number: RecordNumber, now: Instant) {
        if number.epoch >= 2 && matches!(&self.state, State::Handshaking(expect) if expect.is_dtls13()) {
            self.handshake.flight.await_answer(now);
        }
        // Whether the server speaks 1.3, and wants to be told of its ServerHello, is known later.
        if number.epoch == 0 && matches!(&self.state, State::Handshaking(Expect::ServerHello(_))) {
            self.handshake.acks.received(number);
        }
    }

    /// The ServerHello came, and the rest of the flight may be on its way.
    pub(super) fn schedule_ack_of_hello(&mut self, number: RecordNumber, now: Instant) {
        let is_hello =
            self.handshake.acks.has(number) && matches!(&self.state, State::Handshaking(expect) if expect.is_dtls13());
        if is_hello {
            self.handshake.flight.await_answer(now);
            self.handshake.acks.delay(now, self.handshake.flight.period());
        }
    }

    /// The handshake of 1.3 is complete. The client's last flight is acknowledged by nothing but an ACK.
    pub(super) fn completed_13(&mut self) {
        match self.handshake.config.role {
            Role::Client => {}
            Role::Server => self.handshake.acks.owe(),
        }
    }
}
