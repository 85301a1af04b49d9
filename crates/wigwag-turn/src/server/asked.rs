//! A request, and the answer to it (RFC 8489 §6.3.1).

use super::auth::Known;
use super::refusal::Refusal;
use super::{FiveTuple, Server};
use crate::stats::count;
use std::time::Instant;
use wigwag_sansio::{Ecn, Protocol};
use wigwag_stun::{AttributeType, Class, IntegrityKey, Message, MessageWriter, Method, TransactionId};

/// An answer to somebody who is not known is at most so many times as long as the request: whoever asks in another's name gains little.
const AMPLIFICATION_MAX: usize = 3;

/// What an answer has to know of its request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) way: FiveTuple,
    pub(super) method: Method,
    pub(super) id: TransactionId,
    has_fingerprint: bool,
    len: usize,
}

impl Asked {
    pub(super) const fn new(way: FiveTuple, message: &Message<'_>, len: usize) -> Self {
        let (method, id) = (message.method(), message.transaction());
        Self { way, method, id, has_fingerprint: message.has_fingerprint(), len }
    }

    fn writer<'o>(&self, out: &'o mut Vec<u8>, class: Class) -> MessageWriter<'o> {
        MessageWriter::new(out, class, self.method, self.id)
    }

    fn sign(&self, writer: MessageWriter<'_>, key: &IntegrityKey) {
        let signed = writer.integrity(key);
        if self.has_fingerprint {
            signed.fingerprint();
        }
    }
}

impl Server {
    /// It is granted, with what `write` says.
    pub(super) fn grant(
        &mut self,
        asked: Asked,
        key: &IntegrityKey,
        write: impl for<'o> FnOnce(MessageWriter<'o>) -> MessageWriter<'o>,
    ) {
        count(&mut self.stats.granted);
        let mut out = self.outbox.buffer();
        asked.sign(write(asked.writer(&mut out, Class::SuccessResponse)), key);
        self.send(asked.way, Ecn::NotEct, out);
    }

    /// It is refused; the attributes are those that were not understood.
    pub(super) fn refuse(
        &mut self,
        asked: Asked,
        known: &Known,
        refusal: Refusal,
        unknown: impl Iterator<Item = AttributeType> + Clone,
    ) {
        count(&mut self.stats.refused);
        let mut out = self.outbox.buffer();
        let mut writer = asked.writer(&mut out, Class::ErrorResponse).error_code(refusal.in_words());
        if refusal == Refusal::UNKNOWN_ATTRIBUTE {
            writer = writer.unknown_attributes(unknown);
        }
        asked.sign(writer, &known.key);
        self.send(asked.way, Ecn::NotEct, out);
    }

    /// It is refused, since it is not known whose it is.
    pub(super) fn refuse_stranger(&mut self, asked: Asked, refusal: Refusal, now: Instant) {
        let mut out = self.outbox.buffer();
        let mut writer = asked.writer(&mut out, Class::ErrorResponse).error_code(refusal.in_short());
        if refusal.is_challenge() {
            // RFC 8489 §9.2.4: "This response MUST include a REALM value."
            // RFC 8489 §9.2.4: "The response MUST include a NONCE, selected by the server."
            let nonce = self.nonces.make(&asked.way, now);
            let realm = self.config.users.realm.as_bytes();
            writer = writer.attribute(AttributeType::REALM, realm).attribute(AttributeType::NONCE, nonce.as_bytes());
        }
        if asked.has_fingerprint {
            writer.fingerprint();
        }
        // Whoever has opened a stream is there.
        let may_be_forged = asked.way.protocol == Protocol::Udp;
        if may_be_forged && out.len() > asked.len.saturating_mul(AMPLIFICATION_MAX) {
            count(&mut self.stats.amplifying);
            return self.outbox.give_back(out);
        }
        count(if refusal.is_challenge() { &mut self.stats.challenged } else { &mut self.stats.refused });
        self.send(asked.way, Ecn::NotEct, out);
    }

    /// A Binding request, of anybody.
    pub(super) fn answer_binding(&mut self, way: FiveTuple, request: &[u8]) {
        let mut out = self.outbox.buffer();
        if wigwag_stun::answer(request, way.remote, &mut out) {
            count(&mut self.stats.granted);
            self.send(way, Ecn::NotEct, out);
        } else {
            count(&mut self.stats.malformed);
            self.outbox.give_back(out);
        }
    }
}
