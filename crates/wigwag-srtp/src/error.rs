//! Why a packet or a key is refused.

/// Why a packet was not opened, or a context not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A master key or salt is not as long as the profile says.
    #[error("a master key or salt is not as long as the profile says")]
    KeyLength,
    /// Too short, not version 2, or with a CSRC list or header extension that does not end within the packet.
    #[error("not an RTP or RTCP packet")]
    Malformed,
    /// The tag does not match: forged, damaged, or of another key.
    #[error("not authentic")]
    Unauthentic,
    /// Seen before.
    #[error("replayed")]
    Replayed,
    /// Older than the replay window reaches.
    #[error("too old to tell whether it is replayed")]
    TooOld,
    /// An RTCP packet whose E bit says that it is not encrypted.
    #[error("not encrypted")]
    Unencrypted,
    /// An RTP packet whose CSRCs or header extensions are not encrypted, where that is required (RFC 9335 §5.2).
    #[error("CSRCs or header extensions are not encrypted")]
    HeaderInClear,
    /// Of a new source, where there are as many as a context keeps.
    #[error("too many sources")]
    TooManySources,
}
