//! What the caller, or the bytes, did wrong.

use bytes::Bytes;
use std::fmt;

/// Why a message was not accepted.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
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
    /// A message is open on the stream ([`begin_message`](crate::Association::begin_message)): finish it or give it up first. Gives back
    /// what was to be sent.
    #[error("another message is open on the stream")]
    MessageOpen(Bytes),
    /// No message was begun on the stream that a part could belong to. Gives the part back.
    #[error("no message is open on the stream")]
    NoMessageOpen(Bytes),
    /// The open message was given up; the part is discarded. Told once: the message is not open any more.
    #[error("the message was given up")]
    Abandoned,
    /// There is no such stream.
    #[error("stream {stream}, but there are only {streams}")]
    NoSuchStream {
        /// The id that was asked for.
        stream: u16,
        /// How many streams there are.
        streams: u16,
    },
}

/// What a user sends stands in no log.
impl fmt::Debug for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { len, max } => f.debug_struct("TooLarge").field("len", len).field("max", max).finish(),
            Self::Full(data) => write!(f, "Full({} bytes)", data.len()),
            Self::Empty => f.write_str("Empty"),
            Self::Closed => f.write_str("Closed"),
            Self::StreamResetting(data) => write!(f, "StreamResetting({} bytes)", data.len()),
            Self::MessageOpen(data) => write!(f, "MessageOpen({} bytes)", data.len()),
            Self::NoMessageOpen(data) => write!(f, "NoMessageOpen({} bytes)", data.len()),
            Self::Abandoned => f.write_str("Abandoned"),
            Self::NoSuchStream { stream, streams } => {
                f.debug_struct("NoSuchStream").field("stream", stream).field("streams", streams).finish()
            }
        }
    }
}

/// Why bytes are not the INIT chunk of a peer (`a=sctp-init`). Without it, the handshake tells the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InitError {
    /// They are no chunk, more than one, another one, or its parameters do not decode.
    #[error("one INIT chunk is expected (RFC 9260 §3.3.2), and nothing else")]
    Malformed,
    /// Tag or numbers of streams are 0, or the window is too small (RFC 9260 §3.3.2).
    #[error("in an INIT chunk, the tag and either number of streams are not 0, and the window is at least 1500 bytes")]
    Invalid,
    /// It names a host (RFC 9260 §3.3.2.1).
    #[error("an INIT chunk with a host name, which nobody may resolve (RFC 9260 §3.3.2.1)")]
    HostName,
}

/// Why an association cannot be exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// It has ended: nothing of it could go on.
    #[error("the association has ended")]
    Ended,
}

/// Why bytes do not become an association that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResumeError {
    /// They are of another version of this crate, or of something else.
    #[error("version {found} of an exported association, but {expected} is expected")]
    Version {
        /// What is expected.
        expected: u8,
        /// What the bytes say; 0 if there are none.
        found: u8,
    },
    /// No association writes such bytes.
    #[error("the bytes are not those of an exported association")]
    Malformed,
    /// What was agreed on with the peer is not in this [`Config`](crate::Config).
    #[error("the configuration has not the {0} that the association has")]
    OtherConfig(&'static str),
    /// A packet in flight is longer than this [`Config`](crate::Config) allows: the association had a larger `mtu`, now or when that left.
    #[error(
        "a packet in flight has {needed} bytes, {allowed} are allowed: choose an mtu or mtu_max of {needed}, and set_mtu afterwards"
    )]
    Mtu {
        /// How long it is, in bytes, SCTP header included.
        needed: usize,
        /// What `mtu` and `mtu_max` allow.
        allowed: usize,
    },
}

/// Why a message cannot be given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AbandonError {
    /// The association is shutting down or has ended.
    #[error("the association is closed")]
    Closed,
    /// No message is open on the stream.
    #[error("no message is open on the stream")]
    NoMessageOpen,
    /// Something of it was sent, and the peer did not offer FORWARD TSN (RFC 3758): it could only be finished.
    #[error("the peer cannot be told that a message is given up")]
    NotSupported,
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
    /// A message is open on the stream: finish it or give it up first.
    #[error("a message is open on the stream")]
    MessageOpen,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_is_given_back_is_printed_by_its_length() {
        let secret = || Bytes::from_static(b"secret");
        for error in [
            SendError::Full(secret()),
            SendError::StreamResetting(secret()),
            SendError::MessageOpen(secret()),
            SendError::NoMessageOpen(secret()),
        ] {
            let text = format!("{error:?}");
            assert!(text.ends_with("(6 bytes)") && !text.contains("secret"), "{text}");
        }
        let of = SendError::NoSuchStream { stream: 7, streams: 5 };
        assert_eq!(format!("{of:?}"), "NoSuchStream { stream: 7, streams: 5 }");
    }
}
