//! What a caller did wrong, and what does not decode.

/// Why a command or a conversion was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not `<hash function> <hexadecimal bytes, with colons>`, of a known hash function, with its length.
    #[error("not a fingerprint of a known hash function")]
    InvalidFingerprint,
    /// Not a certificate with a P-256 key.
    #[error("not an X.509 certificate with a P-256 key")]
    InvalidCertificate,
    /// Not a P-256 private key in PKCS #8.
    #[error("not a P-256 private key in PKCS #8")]
    InvalidKey,
    /// The private key is not that of the certificate.
    #[error("the private key is not that of the certificate")]
    KeyMismatch,
    /// The time cannot be written in a certificate.
    #[error("the time cannot be written in a certificate")]
    InvalidTime,
    /// There are no keys before the handshake is complete.
    #[error("the connection has no keys")]
    NotConnected,
    /// The label belongs to TLS (RFC 5705 §4), or the context is longer than 65,535 bytes.
    #[error("the label or the context of an exporter is not allowed")]
    InvalidExporter,
}

/// Bytes that are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("does not decode")]
pub(crate) struct DecodeError;
