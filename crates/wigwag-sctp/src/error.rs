//! What the caller, or the bytes, did wrong.

use bytes::Bytes;

/// Why a message was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// Longer than the peer takes.
    #[error("a message of {len} bytes, but the peer takes at most {max}")]
    TooLarge {
        /// The length of the message in bytes.
        len: usize,
        /// The longest message that the peer takes, in bytes.
        max: usize,
    },
    /// The send buffer is full. Gives the message back; [`Event::Writable`](crate::Event::Writable) tells when to try again.
    #[error("the send buffer is full")]
    Full(Bytes),
    /// SCTP has no empty messages (RFC 9260 §3.3.1); data channels have payload protocol identifiers for them.
    #[error("an SCTP message cannot be empty")]
    Empty,
    /// The association is shutting down or has ended.
    #[error("the association is closed")]
    Closed,
    /// The stream is being reset. Gives the message back; [`Event::OutgoingStreamReset`](crate::Event::OutgoingStreamReset)
    /// tells when to try again.
    #[error("the stream is being reset")]
    StreamResetting(Bytes),
    /// There is no such stream.
    #[error("stream {stream}, but there are only {streams}")]
    NoSuchStream {
        /// The id that was asked for.
        stream: u16,
        /// How many streams there are.
        streams: u16,
    },
}

/// Why a stream cannot be reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResetError {
    /// The association is shutting down or has ended.
    #[error("the association is closed")]
    Closed,
    /// The peer did not offer RE-CONFIG (RFC 6525 §5.1).
    #[error("the peer cannot reset streams")]
    NotSupported,
    /// More streams than there may be, or more requests than may wait.
    #[error("too many")]
    TooMany,
    /// There is no such stream.
    #[error("stream {stream}, but there are only {streams}")]
    NoSuchStream {
        /// The id that was asked for.
        stream: u16,
        /// How many streams there are.
        streams: u16,
    },
}
