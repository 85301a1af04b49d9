//! What can be wrong with bytes, and with commands.

use bytes::Bytes;
use std::fmt;

/// Why bytes are not an RTP or RTCP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// A length points past the end.
    Truncated,
    /// The version is not 2 (RFC 3550 §5.1).
    Version,
    /// The padding is empty or longer than what it pads (RFC 3550 §5.1).
    Padding,
    /// A field has a value that its message does not allow.
    Malformed(&'static str),
    /// It refers to a structure of dependencies that has not come, or is long gone (AV1 RTP A.8.3).
    UnknownTemplate,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("truncated"),
            Self::Version => f.write_str("not version 2"),
            Self::Padding => f.write_str("impossible padding"),
            Self::Malformed(what) => write!(f, "malformed {what}"),
            Self::UnknownTemplate => f.write_str("a structure of dependencies that has not come"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// Why a command was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// Another stream of ours has this source.
    SsrcInUse(u32),
    /// A payload type is above 127, or its clock does not tick.
    PayloadType(u8),
    /// An identification tag or restriction identifier is empty or longer than 16 bytes.
    IdentifierLength,
    /// There are as many streams as a session takes.
    TooMany,
    /// There is no such stream, or no longer.
    UnknownStream,
    /// A structure of dependencies, or a frame of it, cannot be written: this does not fit.
    DependencyStructure(&'static str),
    /// An allocation of layers cannot be written: a number is out of range, or layers are not in their order.
    LayersAllocation,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SsrcInUse(ssrc) => write!(f, "the SSRC {ssrc:#010x} is in use"),
            Self::PayloadType(number) => write!(f, "payload type {number} is out of range or has no clock rate"),
            Self::IdentifierLength => f.write_str("an identifier is empty or longer than 16 bytes"),
            Self::TooMany => f.write_str("too many streams"),
            Self::UnknownStream => f.write_str("no such stream"),
            Self::DependencyStructure(what) => write!(f, "the dependencies cannot be written: {what}"),
            Self::LayersAllocation => f.write_str("layers that cannot be told"),
        }
    }
}

impl std::error::Error for Error {}

/// Why a packet was not queued; the payload is given back.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The sender's queue is full: poll, then send again.
    Full(Bytes),
    /// There is no such sender, or no longer.
    UnknownSender(Bytes),
    /// With its header, the packet may be longer than the path takes (`Config::packet_len_max`).
    TooLong(Bytes),
    /// The payload type was not negotiated for this sender.
    PayloadType(Bytes),
    /// Its sequence number is more than 1,023 behind the furthest of this sender, or, of what is forwarded, before the first: nobody
    /// would take it.
    Late(Bytes),
    /// What is forwarded begins with a key frame, and none has come since it began, or since packets were left out: ask its source for one.
    KeyFrameNeeded(Bytes),
    /// It is no frame of its format, or an empty one: H.264 has start codes, AV1 the sizes of OBUs.
    Malformed(Bytes),
}

/// What a user sends stands in no log.
impl fmt::Debug for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, payload) = match self {
            Self::Full(payload) => ("Full", payload),
            Self::UnknownSender(payload) => ("UnknownSender", payload),
            Self::TooLong(payload) => ("TooLong", payload),
            Self::PayloadType(payload) => ("PayloadType", payload),
            Self::Late(payload) => ("Late", payload),
            Self::KeyFrameNeeded(payload) => ("KeyFrameNeeded", payload),
            Self::Malformed(payload) => ("Malformed", payload),
        };
        write!(f, "{name}({} bytes)", payload.len())
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "the send queue is full",
            Self::UnknownSender(_) => "no such sender",
            Self::TooLong(_) => "the packet is too long",
            Self::PayloadType(_) => "the payload type was not negotiated",
            Self::Late(_) => {
                "the sequence number is far behind those before: leave it to the sender (None), or go on from them"
            }
            Self::Malformed(_) => {
                "the frame is empty or not of its format: H.264 has start codes (Annex B), AV1 the sizes of its OBUs"
            }
            Self::KeyFrameNeeded(_) => "no key frame has come yet: ask the source for one",
        })
    }
}

impl std::error::Error for SendError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_that_is_given_back_is_printed_by_its_length() {
        let of = [SendError::Full, SendError::UnknownSender, SendError::TooLong, SendError::PayloadType];
        for error in of.map(|error| error(Bytes::from_static(b"secret"))) {
            let text = format!("{error:?}");
            assert!(text.ends_with("(6 bytes)") && !text.contains("secret"), "{text}");
        }
    }
}
