//! All handshake messages so far (RFC 5246 §7.4.9, RFC 6347 §4.2.6).

use crate::crypto::hash;

/// Kept as bytes, since which hash is asked for is known only later: a signature may be made with another than the
/// PRF's. A handshake is a few kilobytes, and its messages are limited.
#[derive(Debug, Default)]
pub(crate) struct Transcript(Vec<u8>);

impl Transcript {
    /// Adds a message with its header.
    ///
    /// RFC 6347 §4.2.6: "hash calculations include … DTLS-specific fields: message_seq, fragment_offset, and
    /// fragment_length … as if each handshake message had been sent as a single fragment."
    pub(crate) fn add(&mut self, message: &[u8]) {
        self.0.extend_from_slice(message);
    }

    /// RFC 6347 §4.2.6: "the initial ClientHello and HelloVerifyRequest are not included".
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn hash(&self) -> [u8; 32] {
        hash::sha256(&self.0)
    }
}
