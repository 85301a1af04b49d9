//! Counters.

/// What a connection has counted. The second part counts what was dropped, by reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Application records sent.
    pub application_records_sent: u64,
    /// Application records received and delivered.
    pub application_records_received: u64,
    /// Datagrams of the handshake, and of alerts, sent.
    pub handshake_datagrams_sent: u64,
    /// HelloVerifyRequests sent, and HelloRetryRequests of a server that keeps nothing.
    pub hello_verify_requests_sent: u64,
    /// Flights sent again because no answer came.
    pub retransmissions: u64,
    /// Flights sent again because the peer repeated its own.
    pub repetitions: u64,
    /// How often the keys of what is received were replaced (DTLS 1.3).
    pub key_updates_received: u64,

    /// Dropped: not a record, or one that is longer than its datagram.
    pub malformed_records: u64,
    /// Dropped: a record of another version of DTLS.
    pub wrong_version: u64,
    /// Dropped: a record of a type that nobody knows.
    pub unknown_content_type: u64,
    /// Dropped: a record of an epoch for which there are no keys (yet, or any more).
    pub unknown_epoch: u64,
    /// Dropped: a record that was received before, or is too old to tell.
    pub replayed: u64,
    /// Dropped: a record that is not authentic.
    pub not_authentic: u64,
    /// Dropped: application data without protection.
    pub plaintext_application_data: u64,
    /// Dropped: an alert without protection after the handshake.
    pub plaintext_alerts: u64,
    /// Dropped: an acknowledgement without protection.
    pub plaintext_acks: u64,
    /// Dropped: an acknowledgement that does not decode.
    pub malformed_acks: u64,
    /// Dropped: a handshake message without protection after the handshake.
    pub plaintext_handshake: u64,
    /// Dropped: application data before the handshake was complete.
    pub early_application_data: u64,
    /// Dropped: an alert that is none, or that says nothing.
    pub ignored_alerts: u64,
    /// Dropped: not a fragment of a handshake message, or one that is longer than its message.
    pub malformed_fragments: u64,
    /// Dropped: what came of a message before a fragment that contradicts it; or the fragment, if it was protected less.
    pub contradicting_fragments: u64,
    /// Dropped: a fragment of a message too far ahead, or too large.
    pub excessive_fragments: u64,
    /// Dropped: a fragment of a message that is complete.
    pub repeated_fragments: u64,
    /// Dropped: a HelloRequest while a handshake is under way.
    pub early_hello_requests: u64,
    /// Dropped: a handshake message after the handshake.
    pub late_handshake_messages: u64,
    /// Dropped: a ChangeCipherSpec after the handshake.
    pub late_change_cipher_specs: u64,
    /// Dropped: a record that came after the connection was closed.
    pub after_close: u64,
}
