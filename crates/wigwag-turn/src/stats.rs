//! What a client counts, and a server.

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

/// What a server has answered, relayed and dropped, in messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerStats {
    /// Requests that were answered with success, Binding requests included.
    pub granted: u64,
    /// Requests whose sender was told to authenticate, or to do so again: 401 and 438.
    pub challenged: u64,
    /// Requests that were refused with any other code.
    pub refused: u64,
    /// Datagrams that were relayed to peers.
    pub relayed_to_peers: u64,
    /// Datagrams that were relayed to clients.
    pub relayed_to_clients: u64,
    /// Dropped: neither STUN nor ChannelData, malformed, or nothing that a client sends.
    pub malformed: u64,
    /// Dropped: at an address that is none of the server's, or from one that nobody has.
    pub wrong_path: u64,
    /// Dropped: a request of somebody who is not known, to which the answer would be more than three times as long.
    pub amplifying: u64,
    /// Dropped: data of a client that has no allocation, or on a channel that is bound to nobody.
    pub unallocated: u64,
    /// Dropped: data to a peer or from one whom the client has no permission for.
    pub no_permission: u64,
    /// Dropped: data to a peer that the policy forbids.
    pub forbidden: u64,
    /// Dropped: there was no room in the queue, or it was too long to be relayed.
    pub overflowed: u64,
    /// Dropped: on a stream after it was closed, or for which there was no room.
    pub after_end: u64,
    /// Streams that held something else than messages, or too much of one by somebody who is not known, and were closed.
    pub out_of_sync: u64,
}

impl ServerStats {
    /// All messages that were dropped.
    pub const fn dropped(&self) -> u64 {
        let Self { malformed, wrong_path, amplifying, unallocated, no_permission, forbidden, .. } = self;
        malformed
            .saturating_add(*wrong_path)
            .saturating_add(*amplifying)
            .saturating_add(*unallocated)
            .saturating_add(*no_permission)
            .saturating_add(*forbidden)
            .saturating_add(self.overflowed)
            .saturating_add(self.after_end)
            .saturating_add(self.out_of_sync)
    }
}

/// Counts one more.
pub(crate) const fn count(counter: &mut u64) {
    *counter = counter.saturating_add(1);
}
