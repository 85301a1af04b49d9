//! What a caller did wrong, and what does not decode.

/// Why a command or a conversion was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not `<hash function> <hexadecimal bytes, with colons>`, of a known hash function, with its length.
    #[error(
        "not a fingerprint: expected `sha-256`, `sha-384` or `sha-512`, a space, and as many bytes, as in `12:DF:3E:…`"
    )]
    InvalidFingerprint,
    /// Not a certificate, or one with a key other than of P-256, P-384, Ed25519, or RSA with 2048 to 4096 bits.
    #[error("not an X.509 certificate with a key of P-256, P-384, Ed25519, or RSA with 2048 to 4096 bits")]
    InvalidCertificate,
    /// The certificate and its intermediates are more, or longer together, than a message that others take.
    #[error("a certificate and its intermediates are at most 100, with at most 32,764 bytes together")]
    ChainTooLong,
    /// Not a private key in PKCS #8, SEC 1 or PKCS #1, of P-256, P-384, Ed25519, or RSA with 2048 to 4096 bits; or one that is
    /// encrypted.
    #[error(
        "not an unencrypted private key in PKCS #8, SEC 1 or PKCS #1, of P-256, P-384, Ed25519, or RSA with 2048 to 4096 bits"
    )]
    InvalidKey,
    /// The private key is not that of the certificate.
    #[error("the private key is not that of the certificate")]
    KeyMismatch,
    /// The time cannot be written in a certificate.
    #[error("the time cannot be written in a certificate")]
    InvalidTime,
    /// A field of a [`Config`](crate::Config) contradicts others, or itself: no connection can be made with it.
    #[error("Config::{field}: {problem}")]
    InvalidConfig {
        /// Its name.
        field: &'static str,
        /// What would be right.
        problem: &'static str,
    },
    /// There are no keys before the handshake is complete.
    #[error("the connection has no keys")]
    NotConnected,
    /// The label belongs to TLS (RFC 5705 §4), or the context is longer than 65,535 bytes; or, in DTLS 1.3, more is wanted
    /// than 255 digests of the cipher suite's hash (RFC 5869 §2.3), which are 8,160 bytes with SHA-256.
    #[error("the label of an exporter belongs to TLS, or its context is too long, or too many bytes are wanted")]
    InvalidExporter,
}

/// Bytes that are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("does not decode")]
pub(crate) struct DecodeError;
