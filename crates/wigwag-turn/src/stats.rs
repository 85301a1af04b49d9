//! What a client counts.

/// What a client has sent and dropped, in messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientStats {
    /// Requests that were sent, retransmissions included.
    pub requests_sent: u64,
    /// Datagrams of peers that came by the server.
    pub relayed: u64,
    /// Dropped: neither STUN nor ChannelData, malformed, or nothing that a server sends.
    pub malformed: u64,
    /// Dropped: from elsewhere, or to elsewhere.
    pub wrong_path: u64,
    /// Dropped: a response to no request that waits for one.
    pub unknown_transaction: u64,
    /// Dropped: a response that is not authentic, and has to be.
    pub forged: u64,
    /// Dropped: a datagram of a peer that we have asked for no permission for, or on a channel that is nobody's.
    pub unknown_peer: u64,
    /// Dropped: after the end.
    pub after_end: u64,
    /// Streams that held something else than messages, and were closed.
    pub out_of_sync: u64,
}

impl ClientStats {
    /// The sum of two clients'.
    #[must_use]
    pub const fn plus(&self, other: &Self) -> Self {
        Self {
            requests_sent: self.requests_sent.saturating_add(other.requests_sent),
            relayed: self.relayed.saturating_add(other.relayed),
            malformed: self.malformed.saturating_add(other.malformed),
            wrong_path: self.wrong_path.saturating_add(other.wrong_path),
            unknown_transaction: self.unknown_transaction.saturating_add(other.unknown_transaction),
            forged: self.forged.saturating_add(other.forged),
            unknown_peer: self.unknown_peer.saturating_add(other.unknown_peer),
            after_end: self.after_end.saturating_add(other.after_end),
            out_of_sync: self.out_of_sync.saturating_add(other.out_of_sync),
        }
    }

    /// All messages that were dropped.
    pub const fn dropped(&self) -> u64 {
        let Self { malformed, wrong_path, unknown_transaction, forged, unknown_peer, after_end, out_of_sync, .. } =
            self;
        malformed
            .saturating_add(*wrong_path)
            .saturating_add(*unknown_transaction)
            .saturating_add(*forged)
            .saturating_add(*unknown_peer)
            .saturating_add(*after_end)
            .saturating_add(*out_of_sync)
    }
}
