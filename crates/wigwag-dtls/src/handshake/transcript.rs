//! All handshake messages so far (RFC 5246 §7.4.9, RFC 6347 §4.2.6).

use crate::HashAlgorithm;
use crate::crypto::hash;

/// Kept as bytes, since which hash is asked for is known only later: a signature may be made with another than the
/// PRF's. A handshake is a few kilobytes, and its messages are limited.
#[derive(Debug, Default)]
pub(crate) struct Transcript(Vec<u8>);

impl Transcript {
    /// Adds a message with its header.
    ///
    /// RFC 6347 §4.2.6: "Hash calculations include entire handshake messages, including DTLS-specific fields: message_seq,
    /// fragment_offset, and fragment_length. However, in order to remove sensitivity to handshake message fragmentation, the
    /// Finished MAC MUST be computed as if each handshake message had been sent as a single fragment."
    pub(crate) fn add(&mut self, message: &[u8]) {
        self.0.extend_from_slice(message);
    }

    /// RFC 6347 §4.2.6: "Note that in cases where the cookie exchange is used, the initial ClientHello and HelloVerifyRequest
    /// MUST NOT be included in the CertificateVerify or Finished MAC computations."
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn hash(&self, algorithm: HashAlgorithm) -> Vec<u8> {
        hash::hash(algorithm, &self.0)
    }
}
