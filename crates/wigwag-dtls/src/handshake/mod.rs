//! What the versions share of a handshake: fragments, flights, transcript, hellos (RFC 6347 §4.2, RFC 9147 §5).

pub(crate) mod cookie;
pub(crate) mod expect;
pub(crate) mod exporter;
pub(crate) mod first_flight;
pub(crate) mod flight;
pub(crate) mod fragment;
pub(crate) mod hello;
pub(crate) mod ranges;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod transcript;

use crate::alert::{ALERT_LEN, AlertDescription};
use crate::crypto::signature::{SignatureScheme, VerifyingKey};
use crate::error::DecodeError;
use crate::message::HandshakeType;
use crate::record::epoch::{ReadEpoch, WriteEpoch};
use crate::record::unified::Readers;
use crate::v13::ack::Acks;
use crate::{CipherSuite, CloseReason, Config, Fingerprint, Group, Role, SrtpProfile, Version};
use flight::{Content, Flight};
use fragment::{Message, Reassembly};
use std::collections::VecDeque;
use transcript::Transcript;
use wigwag_sansio::Rng;
use zeroize::Zeroizing;

/// How many messages each side sends in a handshake of 1.2 (RFC 6347 §4.2.4, figure 1, without those of resumption). In 1.3
/// none is kept.
const PEER_MESSAGES_MAX: usize = 5;
/// Few of ours are longer, those that are being the certificate's.
const MESSAGE_LEN: usize = 256;
/// How long ours are together but for the certificate: hellos, key shares, signatures.
const OTHER_MESSAGES_LEN_MAX: usize = 4096;

/// What the handlers of messages work on.
pub(crate) struct Handshake {
    pub(crate) config: Config,
    pub(crate) rng: Rng,
    pub(crate) received: Reassembly,
    pub(crate) transcript: Transcript,
    pub(crate) flight: Flight,
    pub(crate) negotiated: Negotiated,
    /// The last is the current one; those before it are kept while the flight may have to be repeated.
    pub(crate) write: Vec<WriteEpoch>,
    /// Of 1.2.
    pub(crate) read: Option<ReadEpoch>,
    /// Of 1.3.
    pub(crate) readers: Readers,
    /// Of 1.3.
    pub(crate) acks: Acks,
    /// Lines for whoever wants to read the connection, if it is configured.
    pub(crate) key_log: VecDeque<Zeroizing<String>>,
    next_message_seq: u32,
}

/// What was agreed upon so far.
#[derive(Debug, Default)]
pub(crate) struct Negotiated {
    pub(crate) cipher_suite: Option<CipherSuite>,
    pub(crate) group: Option<Group>,
    pub(crate) srtp_profile: Option<SrtpProfile>,
    /// Whether our client of 1.3 takes session tickets.
    pub(crate) takes_tickets: bool,
    /// In DER; its fingerprint was compared.
    pub(crate) peer_certificate: Vec<u8>,
}

impl Handshake {
    pub(crate) fn new(config: Config, rng: Rng) -> Self {
        Self {
            flight: Flight::new(&config.retransmission),
            received: Reassembly::new(config.message_len_max),
            transcript: Transcript::default(),
            negotiated: Negotiated::default(),
            write: vec![match config.role {
                Role::Client => WriteEpoch::first_flight(),
                Role::Server => WriteEpoch::plaintext(),
            }],
            config,
            rng,
            read: None,
            readers: Readers::default(),
            acks: Acks::default(),
            key_log: VecDeque::new(),
            next_message_seq: 0,
        }
    }

    /// The peer has answered the flight before.
    pub(crate) fn begin_flight(&mut self, is_last: bool) {
        self.flight.begin(is_last);
        // RFC 9147 §7: "Implementations can accomplish this by clearing their ACK list upon receiving the start of the next
        // flight." Ours is the answer to what is in it.
        self.acks.clear();
    }

    /// Adds a message to the flight and to the transcript.
    pub(crate) fn send(&mut self, message_type: HandshakeType, write: impl FnOnce(&Config, &mut Vec<u8>)) {
        let bytes = self.message(message_type, write);
        self.transcript.add(&bytes);
        self.flight.push(self.epoch(), Content::Handshake(bytes));
    }

    /// A message after the handshake, of which there is no transcript.
    pub(crate) fn send_post_handshake(
        &mut self,
        message_type: HandshakeType,
        write: impl FnOnce(&Config, &mut Vec<u8>),
    ) {
        let bytes = self.message(message_type, write);
        self.flight.push(self.epoch(), Content::Handshake(bytes));
    }

    /// RFC 6347 §4.2.2: "The first message each side transmits in each handshake always has message_seq = 0. Whenever each
    /// new message is generated, the message_seq value is incremented by one."
    fn message(&mut self, message_type: HandshakeType, write: impl FnOnce(&Config, &mut Vec<u8>)) -> Vec<u8> {
        let seq = u16::try_from(self.next_message_seq).unwrap_or(u16::MAX);
        let bytes = fragment::written(message_type, seq, MESSAGE_LEN, |out| write(&self.config, out));
        self.next_message_seq = self.next_message_seq.saturating_add(1);
        bytes
    }

    /// Whether there is a number for one more message.
    pub(crate) fn has_numbers(&self) -> bool {
        self.next_message_seq <= u16::MAX.into()
    }

    #[cfg(test)]
    pub(crate) fn set_next_message_seq(&mut self, seq: u16) {
        self.next_message_seq = seq.into();
    }

    /// A line for whoever wants to read the connection, if it is configured.
    pub(crate) fn log_key(&mut self, line: impl FnOnce() -> Zeroizing<String>) {
        if self.config.key_log {
            self.key_log.push_back(line());
        }
    }

    pub(crate) fn send_change_cipher_spec(&mut self) {
        self.flight.push(self.epoch(), Content::ChangeCipherSpec);
    }

    /// Begins where a client is after a cookie exchange of which nothing was kept.
    ///
    /// RFC 6347 §4.2.1: "In order to avoid sequence number duplication in case of multiple cookie exchanges, the server MUST
    /// use the record sequence number in the ClientHello as the record sequence number in its initial ServerHello."
    ///
    /// Its erratum 5186 says the same of message_seq.
    pub(crate) fn resume(&mut self, message_seq: u16, sequence: u64) {
        self.received.resume(message_seq);
        self.next_message_seq = message_seq.into();
        self.write.iter_mut().for_each(|epoch| epoch.resume(sequence));
    }

    /// The epoch that we write in.
    pub(crate) fn epoch(&self) -> u16 {
        self.write.last().map_or(0, WriteEpoch::epoch)
    }

    /// The certificate's fingerprint, or the user, decides before anything else of the peer is believed.
    ///
    /// RFC 5763 §5: "If the fingerprint does not match the hashed certificate, then the endpoint MUST tear down the media
    /// session immediately."
    pub(crate) fn authenticate(&mut self, certificate: &[u8], intermediates: &[&[u8]]) -> Result<(), Failure> {
        if let Some(verifier) = &self.config.verifier {
            let refused = |alert| Failure::refused(alert, "the peer's certificate is not believed");
            verifier.verify(certificate, intermediates).map_err(refused)?;
            self.negotiated.peer_certificate = certificate.to_vec();
            return Ok(());
        }
        // RFC 8122 §5.1: "An endpoint MUST select the set of fingerprints that use its most preferred hash function (out of
        // those offered by the peer) and verify that each certificate used matches one fingerprint out of that set."
        let fingerprints = &self.config.remote_fingerprints;
        let preferred = fingerprints.iter().map(Fingerprint::algorithm).max();
        let set = fingerprints.iter().filter(|fingerprint| Some(fingerprint.algorithm()) == preferred);
        // All are compared, whichever matches: time tells nothing of which.
        let matching = set.filter(|fingerprint| fingerprint.matches(certificate)).count();
        if matching == 0 {
            return Err(Failure { alert: AlertDescription::BadCertificate, reason: CloseReason::FingerprintMismatch });
        }
        self.negotiated.peer_certificate = certificate.to_vec();
        Ok(())
    }

    /// What the peer signed with, if it is one of those that it may sign with, and its key can.
    ///
    /// RFC 8446 §4.4.3: "In addition, the signature algorithm MUST be compatible with the key in the sender's end-entity
    /// certificate."
    pub(crate) fn accept(&self, version: Version, key: &VerifyingKey, scheme: u16) -> Result<SignatureScheme, Failure> {
        let mut schemes = self.config.signature_schemes.iter().copied().filter(|accepted| accepted.is_for(version));
        let illegal = |why| Failure::refused(AlertDescription::IllegalParameter, why);
        let scheme = schemes.find(|accepted| accepted.wire() == scheme);
        let scheme = scheme.ok_or(illegal("the peer signed with an algorithm not offered"))?;
        let is_possible = key.can_sign(version, scheme);
        is_possible.then_some(scheme).ok_or(illegal("the peer signed with an algorithm that is not for its key"))
    }

    /// Signs with the key of our certificate, or of somebody who keeps it.
    pub(crate) fn sign(&mut self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, Failure> {
        let signature = self.config.certificate.key().sign(scheme, message.into(), &mut self.rng);
        signature.ok_or(does_not_sign())
    }

    /// The same of all messages so far, in 1.2.
    pub(crate) fn sign_messages(&mut self, scheme: SignatureScheme) -> Result<Vec<u8>, Failure> {
        let hash = self.transcript.running();
        let signed = self.transcript.signed(hash.as_ref());
        self.config.certificate.key().sign(scheme, signed, &mut self.rng).ok_or(does_not_sign())
    }

    /// Whether this is the peer's signature of all messages so far, in 1.2.
    pub(crate) fn verify_messages(&self, key: &VerifyingKey, scheme: SignatureScheme, signature: &[u8]) -> bool {
        let hash = self.transcript.running();
        key.verify(Version::Dtls12, scheme, self.transcript.signed(hash.as_ref()), signature)
    }

    /// Bytes held.
    pub(crate) fn held_len(&self) -> usize {
        self.received.held_len()
            + self.transcript.bytes().len()
            + self.flight.len()
            + self.acks.held_len()
            + self.negotiated.peer_certificate.len()
    }

    /// The most that may be held: of the peer, its messages in the transcript, its certificate once more, and what is
    /// incomplete; of ours, the transcript and the flight.
    pub(crate) fn held_len_max(&self) -> usize {
        let message_len_max = fragment::HEADER_LEN + self.received.message_len_max();
        let ours_len_max = self.config.certificate.chain_len() + OTHER_MESSAGES_LEN_MAX;
        fragment::HELD_LEN_MAX
            + (PEER_MESSAGES_MAX + 1) * message_len_max
            + 2 * ours_len_max
            + Flight::RECORDS_LEN_MAX
            + Acks::HELD_LEN_MAX
    }

    /// What only the handshake needed.
    pub(crate) fn forget(&mut self) {
        self.received.clear();
        self.transcript = Transcript::default();
        // Our shares come from this generator: who learned its key later could make them again, and all keys of the handshake and
        // after it, whatever was replaced since.
        self.rng = Rng::new(self.rng.seed());
    }
}

fn does_not_sign() -> Failure {
    Failure::refused(AlertDescription::InternalError, "our certificate's key does not sign")
}

impl Message {
    /// The body, if it is a message of this type and came in this epoch.
    pub(crate) fn expect(&self, message_type: HandshakeType, epoch: u16) -> Result<&[u8], Failure> {
        if self.message_type() != message_type || self.epoch != epoch {
            return Err(Failure::refused(AlertDescription::UnexpectedMessage, "a handshake message was out of order"));
        }
        Ok(self.body())
    }
}

/// Why a handshake cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) alert: AlertDescription,
    pub(crate) reason: CloseReason,
}

impl Failure {
    pub(crate) const fn refused(alert: AlertDescription, why: &'static str) -> Self {
        Self { alert, reason: CloseReason::Refused { alert, why } }
    }
}

impl Failure {
    /// The peer has said more than there is to say in a handshake.
    pub(crate) const fn excess() -> Self {
        Self::refused(AlertDescription::UnexpectedMessage, "a handshake message came after the last")
    }

    pub(crate) const fn overflow() -> Self {
        Self::refused(AlertDescription::RecordOverflow, "a record is longer than records may be")
    }

    /// A protected alert that is none.
    pub(crate) fn bad_alert(body: &[u8], error: DecodeError) -> Self {
        if body.len() == ALERT_LEN {
            return Self::refused(AlertDescription::IllegalParameter, "an alert has an unknown level");
        }
        error.into()
    }
}

impl From<DecodeError> for Failure {
    fn from(_: DecodeError) -> Self {
        Self::refused(AlertDescription::DecodeError, "a handshake message does not decode")
    }
}
