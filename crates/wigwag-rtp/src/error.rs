//! What can be wrong with bytes, and with commands.

use bytes::Bytes;

/// Why bytes are not an RTP or RTCP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// A length points past the end.
    #[error("truncated")]
    Truncated,
    /// The version is not 2 (RFC 3550 §5.1).
    #[error("not version 2")]
    Version,
    /// The padding is empty or longer than what it pads (RFC 3550 §5.1).
    #[error("impossible padding")]
    Padding,
    /// A field has a value that its message does not allow.
    #[error("malformed {0}")]
    Malformed(&'static str),
}

/// Why a command was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another stream of ours has this source.
    #[error("the SSRC {0:#010x} is in use")]
    SsrcInUse(u32),
    /// A payload type is above 127, or its clock does not tick.
    #[error("payload type {0} is out of range or has no clock rate")]
    PayloadType(u8),
    /// An identification tag or restriction identifier is empty or longer than 16 bytes.
    #[error("an identifier is empty or longer than 16 bytes")]
    IdentifierLength,
    /// There are as many streams as a session takes.
    #[error("too many streams")]
    TooMany,
    /// There is no such stream, or no longer.
    #[error("no such stream")]
    UnknownStream,
}

/// Why a packet was not queued; the payload is given back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The sender's queue is full: poll, then send again.
    #[error("the send queue is full")]
    Full(Bytes),
    /// There is no such sender, or no longer.
    #[error("no such sender")]
    UnknownSender(Bytes),
    /// With its header, the packet may be longer than the path takes (`Config::packet_len_max`).
    #[error("the packet is too long")]
    TooLong(Bytes),
    /// The payload type was not negotiated for this sender.
    #[error("the payload type was not negotiated")]
    PayloadType(Bytes),
}
