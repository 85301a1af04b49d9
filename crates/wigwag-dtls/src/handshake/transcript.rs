//! All handshake messages so far (RFC 5246 §7.4.9, RFC 6347 §4.2.6, RFC 8446 §4.4.1).

use super::fragment::HEADER_LEN;
use crate::HashAlgorithm;
use crate::crypto::hash::{self, Running};
use crate::crypto::signature::Signed;
use crate::message::HandshakeType;

/// msg_type and length: what of a message's header counts in 1.3.
const SHORT_HEADER_LEN: usize = 4;

/// How long the messages of 1.2 are together, unless certificates are long.
const MESSAGES_LEN: usize = 2048;

/// Before the version is known, the messages are kept as bytes, and in 1.2 also beside their hash: a signature may be made with
/// another than the PRF's. A handshake is a few kilobytes, and its messages are limited. In 1.3 there is one hash.
pub(crate) enum Transcript {
    Messages(Vec<u8>),
    Hashed { messages: Vec<u8>, hash: Running },
    Hash(Running),
}

impl Default for Transcript {
    fn default() -> Self {
        Self::Messages(Vec::new())
    }
}

impl Transcript {
    /// Adds a message with its header.
    ///
    /// RFC 6347 §4.2.6: "Hash calculations include entire handshake messages, including DTLS-specific fields: message_seq,
    /// fragment_offset, and fragment_length. However, in order to remove sensitivity to handshake message fragmentation, the
    /// Finished MAC MUST be computed as if each handshake message had been sent as a single fragment."
    ///
    /// RFC 9147 §5.2: "In DTLS 1.3, the message transcript is computed over the original TLS 1.3-style Handshake messages
    /// without the message_seq, fragment_offset, and fragment_length values."
    pub(crate) fn add(&mut self, message: &[u8]) {
        match self {
            Self::Messages(bytes) => bytes.extend_from_slice(message),
            Self::Hashed { messages, hash } => {
                messages.extend_from_slice(message);
                hash.update(message);
            }
            Self::Hash(hash) => {
                for part in short(message) {
                    hash.update(part);
                }
            }
        }
    }

    /// The version is 1.2, and this the hash of its PRF.
    pub(crate) fn become_dtls12(&mut self, algorithm: HashAlgorithm) {
        if let Self::Messages(bytes) = self {
            let mut hash = Running::new(algorithm);
            hash.update(bytes);
            bytes.reserve(MESSAGES_LEN);
            *self = Self::Hashed { messages: std::mem::take(bytes), hash };
        }
    }

    /// The version is 1.3, and this its hash: what was added so far, one message, counts without the fields of DTLS.
    pub(crate) fn become_dtls13(&mut self, algorithm: HashAlgorithm) {
        if let Self::Messages(bytes) = self {
            let bytes = std::mem::take(bytes);
            *self = Self::Hash(Running::new(algorithm));
            self.add(&bytes);
        }
    }

    /// RFC 8446 §4.4.1: "when the server responds to a ClientHello with a HelloRetryRequest, the value of ClientHello1 is
    /// replaced with a special synthetic handshake message of handshake type "message_hash" containing Hash(ClientHello1)."
    pub(crate) fn replace_hello(&mut self, algorithm: HashAlgorithm) {
        self.become_dtls13(algorithm);
        let hash = self.hash(algorithm);
        self.restart(algorithm, &hash);
    }

    /// Begins with a first ClientHello of which only the hash is left.
    pub(crate) fn restart(&mut self, algorithm: HashAlgorithm, hello_hash: &[u8]) {
        let mut running = Running::new(algorithm);
        running.update(&[HandshakeType::MESSAGE_HASH.0, 0, 0]);
        running.update(&[u8::try_from(hello_hash.len()).unwrap_or(u8::MAX)]);
        running.update(hello_hash);
        *self = Self::Hash(running);
    }

    /// RFC 6347 §4.2.6: "Note that in cases where the cookie exchange is used, the initial ClientHello and HelloVerifyRequest
    /// MUST NOT be included in the CertificateVerify or Finished MAC computations."
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The messages of a handshake of 1.2.
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Messages(messages) | Self::Hashed { messages, .. } => messages,
            Self::Hash(_) => &[],
        }
    }

    /// The hash so far, if there is one already, and which it is.
    pub(crate) fn running(&self) -> Option<(HashAlgorithm, Vec<u8>)> {
        match self {
            Self::Messages(_) => None,
            Self::Hashed { hash, .. } | Self::Hash(hash) => Some((hash.algorithm(), hash.value())),
        }
    }

    /// The messages of a handshake of 1.2, to be signed, with the hash of them that [`running`](Self::running) tells.
    pub(crate) fn signed<'a>(&'a self, hash: Option<&'a (HashAlgorithm, Vec<u8>)>) -> Signed<'a> {
        Signed { message: self.bytes(), hash: hash.map(|(algorithm, hash)| (*algorithm, &**hash)) }
    }

    /// The hash so far, by the algorithm that the version's and cipher suite's choice has told, or by any before it.
    pub(crate) fn hash(&self, algorithm: HashAlgorithm) -> Vec<u8> {
        match self {
            Self::Messages(bytes) => hash::hash(algorithm, bytes),
            Self::Hashed { hash, .. } | Self::Hash(hash) => hash.value(),
        }
    }
}

/// The parts of a message that count in 1.3.
fn short(message: &[u8]) -> [&[u8]; 2] {
    let header = message.get(..SHORT_HEADER_LEN).unwrap_or_default();
    [header, message.get(HEADER_LEN..).unwrap_or_default()]
}

/// The hash of one message as it counts in 1.3.
pub(crate) fn message_hash(algorithm: HashAlgorithm, message: &[u8]) -> Vec<u8> {
    hash::hash(algorithm, &short(message).concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA256: HashAlgorithm = HashAlgorithm::Sha256;

    #[test]
    fn the_fields_of_dtls_count_in_one_version_and_not_in_the_other() {
        let message = b"\x01\0\0\x02\0\x07\0\0\0\0\0\x02hi";
        let mut transcript = Transcript::default();
        transcript.add(message);
        assert_eq!(transcript.hash(SHA256), hash::hash(SHA256, message));
        transcript.become_dtls13(SHA256);
        assert_eq!(transcript.hash(SHA256), hash::hash(SHA256, b"\x01\0\0\x02hi"));
        assert_eq!(transcript.hash(SHA256), message_hash(SHA256, message));
        transcript.add(message);
        assert_eq!(transcript.hash(SHA256), hash::hash(SHA256, b"\x01\0\0\x02hi\x01\0\0\x02hi"));
    }

    #[test]
    fn in_12_messages_are_hashed_as_they_come_and_kept() {
        let mut transcript = Transcript::default();
        transcript.add(b"one");
        transcript.become_dtls12(SHA256);
        transcript.add(b"two");
        assert_eq!(transcript.bytes(), b"onetwo");
        assert_eq!(transcript.hash(SHA256), hash::hash(SHA256, b"onetwo"));
    }

    #[test]
    fn a_hello_that_was_retried_counts_as_its_hash() {
        let hello = b"\x01\0\0\x02\0\0\0\0\0\0\0\x02hi";
        let mut transcript = Transcript::default();
        transcript.add(hello);
        transcript.replace_hello(SHA256);
        let synthetic = [&[254, 0, 0, 32][..], &hash::hash(SHA256, b"\x01\0\0\x02hi")].concat();
        assert_eq!(transcript.hash(SHA256), hash::hash(SHA256, &synthetic));
    }
}
