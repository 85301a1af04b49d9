//! What an association has counted.

use crate::migration::state;
use std::time::Duration;

/// Counters since the association was made, and what it knows of the path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Packets written.
    pub packets_sent: u64,
    /// Packets that were read, discarded ones included.
    pub packets_received: u64,
    /// Messages of which the last fragment was sent.
    pub messages_sent: u64,
    /// Messages handed to the user.
    pub messages_received: u64,
    /// Bytes of user data sent for the first time.
    pub bytes_sent: u64,
    /// Bytes of user data handed to the user.
    pub bytes_received: u64,
    /// DATA chunks sent again.
    pub retransmitted: u64,
    /// Expiries of the retransmission timer T3.
    pub timeouts: u64,
    /// Losses that were found by three miss indications.
    pub fast_retransmits: u64,
    /// Messages that were given up (RFC 3758).
    pub messages_abandoned: u64,
    /// The longest packet in bytes that the path is known to carry, SCTP header included.
    pub mtu: usize,
    /// The smoothed round trip time, once one was measured.
    pub round_trip: Option<Duration>,
    /// The retransmission timeout.
    pub rto: Duration,
    /// The congestion window in bytes.
    pub congestion_window: usize,
    /// The slow start threshold in bytes.
    pub slow_start_threshold: usize,
    /// Bytes in flight, chunk headers included.
    pub in_flight: usize,
    /// The receive window that the peer has told of, in bytes.
    pub peer_receive_window: u32,
    /// The receive window that the peer would be told of now, in bytes.
    pub receive_window: u32,
    /// How many received bytes may be kept now, an overhead for each message and each fragment included: it grows up to
    /// [`Config::receive_window_max`](crate::Config::receive_window_max). The peer is told of less, for it counts no overhead.
    pub receive_window_max: u32,
    /// How many are kept, because they were not fetched or because something is missing.
    pub receive_buffered: usize,
    /// How many bytes may wait to be sent now: it grows up to [`Config::send_buffer_max`](crate::Config::send_buffer_max).
    pub send_buffer: usize,
    /// Bytes of user data accepted and not yet sent, of all streams.
    pub buffered_amount: usize,
    /// How often a stream was looked at in order to send: it follows the work, however many streams there are.
    pub visits: u64,
    /// What was discarded.
    pub discarded: Discarded,
}

/// What was discarded, by reason. Packets, unless said otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Discarded {
    /// Shorter than a header, or of a chunk whose length or content does not decode.
    pub malformed: u64,
    /// The checksum is wrong.
    pub checksum: u64,
    /// Between other ports.
    pub port: u64,
    /// The verification tag is wrong.
    pub verification_tag: u64,
    /// Chunks that have no meaning in the state they met, and all SACK chunks of a packet but its first.
    pub unexpected: u64,
    /// Chunks of unknown kinds.
    pub unknown_chunk: u64,
    /// Cookies that we have not made, or for somebody else.
    pub cookie: u64,
    /// Cookies that we made long ago.
    pub stale_cookie: u64,
    /// DATA chunks that came twice.
    pub duplicate: u64,
    /// DATA chunks for which there was no room, or too far ahead.
    pub no_room: u64,
    /// DATA chunks on streams that do not exist.
    pub invalid_stream: u64,
    /// Fragments and messages that belong nowhere.
    pub orphan: u64,
    /// SACK chunks that are old, or acknowledge what was never sent.
    pub invalid_sack: u64,
    /// HEARTBEAT chunks that are too long, or HEARTBEAT ACK chunks that answer nothing.
    pub heartbeat: u64,
    /// RE-CONFIG requests and responses out of sequence.
    pub reconfig: u64,
    /// Replies that gave way to a later one before they were asked for.
    pub reply: u64,
}

// What is no counter is asked for when somebody asks.
state!(struct Stats {
    packets_sent, packets_received, messages_sent, messages_received, bytes_sent, bytes_received, retransmitted, timeouts, fast_retransmits, messages_abandoned, discarded,
} anew {
    mtu: |_| 0, round_trip: |_| None, rto: |_| Duration::ZERO, congestion_window: |_| 0, slow_start_threshold: |_| 0, in_flight: |_| 0, peer_receive_window: |_| 0, receive_window: |_| 0, receive_window_max: |_| 0, receive_buffered: |_| 0, send_buffer: |_| 0, buffered_amount: |_| 0, visits: |_| 0,
});
state!(struct Discarded {
    malformed, checksum, port, verification_tag, unexpected, unknown_chunk, cookie, stale_cookie, duplicate, no_room, invalid_stream, orphan, invalid_sack, heartbeat, reconfig, reply,
});
