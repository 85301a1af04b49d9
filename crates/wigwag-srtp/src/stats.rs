//! Counters.

/// What a context did; one counter per reason of refusing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// RTP packets sealed.
    pub rtp_protected: u64,
    /// RTCP packets sealed.
    pub rtcp_protected: u64,
    /// RTP packets opened.
    pub rtp_unprotected: u64,
    /// RTCP packets opened.
    pub rtcp_unprotected: u64,
    /// Of the RTP packets sealed, those whose CSRCs and header extensions were encrypted, too (RFC 9335).
    pub cryptex_protected: u64,
    /// Of the RTP packets opened, likewise.
    pub cryptex_unprotected: u64,
    /// Received packets that are no RTP or RTCP.
    pub dropped_malformed: u64,
    /// Received packets whose tag does not match.
    pub dropped_unauthentic: u64,
    /// Received packets seen before.
    pub dropped_replayed: u64,
    /// Received packets older than the replay window.
    pub dropped_too_old: u64,
    /// Received RTCP packets that are not encrypted.
    pub dropped_unencrypted: u64,
    /// Received RTP packets whose CSRCs or header extensions are not encrypted, where that is required.
    pub dropped_header_in_clear: u64,
    /// Received packets of a source beyond the limit.
    pub dropped_too_many_sources: u64,
    /// Packets not sealed since they are no RTP or RTCP.
    pub refused_malformed: u64,
    /// RTP packets not sealed since their header extension is of a kind that cannot be encrypted (RFC 8285 has two), where that is required.
    pub refused_header_in_clear: u64,
    /// Packets not sealed since their index was used for other bytes, or too long ago to tell.
    pub refused_reused: u64,
    /// Packets not sealed since the key has sealed all it may.
    pub refused_exhausted: u64,
    /// Packets not sealed since their source is beyond the limit.
    pub refused_too_many_sources: u64,
}
