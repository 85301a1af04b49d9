//! Why bytes are not a STUN message.

use crate::AttributeType;

/// What is wrong with bytes that were to be a STUN message (RFC 8489 §5, §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Shorter than a header, or without the two zero bits or the magic cookie: something else than STUN.
    #[error("not a STUN message")]
    NotStun,
    /// The length in the header is no multiple of four, or is not the length of what follows the header.
    #[error("the length in the header is wrong")]
    Length,
    /// An attribute reaches beyond the end.
    #[error("attribute {0} reaches beyond the end of the message")]
    Truncated(AttributeType),
    /// The value of a known attribute is none that it can have.
    #[error("attribute {0} has an impossible value")]
    Malformed(AttributeType),
    /// FINGERPRINT is wrong.
    #[error("the fingerprint does not match")]
    Fingerprint,
    /// FINGERPRINT is not the last attribute.
    #[error("an attribute follows the fingerprint")]
    AfterFingerprint,
}
