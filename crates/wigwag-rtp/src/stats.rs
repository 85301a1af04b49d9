//! Counters.

use std::time::{Duration, Instant};

/// What a session did as a whole; one counter per reason of dropping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// RTP packets that did not decode.
    pub dropped_malformed_rtp: u64,
    /// RTCP packets that did not decode, in whole or from some place on.
    pub dropped_malformed_rtcp: u64,
    /// RTP packets that belong to no media section (RFC 9143 §9.2).
    pub dropped_unknown_stream: u64,
    /// RTP packets of a payload type that was not negotiated for their section.
    pub dropped_unknown_payload_type: u64,
    /// RTP packets of a new source, where there were as many as a session takes.
    pub dropped_too_many_sources: u64,
    /// RTP packets far from their stream's sequence numbers, not yet confirmed by a second one (RFC 3550 A.1).
    pub dropped_out_of_sequence: u64,
    /// RTP packets that came late, shortly after the end of their stream (RFC 3550 §6.2.1).
    pub dropped_after_end: u64,
    /// RTP packets that had arrived before, one of them in a stream of retransmissions.
    pub dropped_duplicates: u64,
    /// RTP packets in streams of retransmissions (RFC 4588) that nobody missed, and padding.
    pub dropped_retransmissions: u64,
    /// Received packets, and in the extreme other events, that nobody polled for in time.
    pub dropped_events: u64,
    /// RTCP packets within compounds that are of a kind we do not use.
    pub ignored_rtcp: u64,
    /// RTCP compounds received.
    pub rtcp_received: u64,
    /// RTCP compounds sent.
    pub rtcp_sent: u64,
    /// Transport-wide feedback messages received.
    pub transport_feedbacks_received: u64,
    /// Transport-wide feedback messages sent.
    pub transport_feedbacks_sent: u64,
    /// Congestion control feedback received (RFC 8888).
    pub congestion_feedbacks_received: u64,
    /// Congestion control feedback sent.
    pub congestion_feedbacks_sent: u64,
    /// Of the former, reports whose time is long before those that came, or is no time that passed.
    pub dropped_feedback_time: u64,
    /// What congestion control feedback said of packets that were never sent, or are forgotten.
    pub dropped_feedback_unknown: u64,
    /// Packets of ours that feedback of either kind reported as arrived.
    pub transport_arrived: u64,
    /// Packets of ours that feedback of either kind reported as missing, and that never turned up since.
    pub transport_lost: u64,
    /// How many streams, and packets that they miss, were looked at by all calls together; it follows the work, however many streams there are.
    pub visits: u64,
    /// The last round trip time measured from any report, if any was.
    pub round_trip_time: Option<Duration>,
    /// That of the path, as whoever carries our packets has measured it, if they have told.
    pub path_round_trip_time: Option<Duration>,
    /// What the receiver estimates it can take (REMB), in bits per second.
    pub remb_bps: Option<u64>,
}

/// What a stream of ours did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SenderStats {
    /// Packets sent, without those sent again.
    pub packets_sent: u64,
    /// Bytes of payload sent, without those sent again.
    pub bytes_sent: u64,
    /// Bytes of RTP headers sent, without those sent again.
    pub header_bytes_sent: u64,
    /// Packets sent with the marker, without those sent again: of pictures, whole frames.
    pub markers_sent: u64,
    /// Packets sent again.
    pub packets_resent: u64,
    /// Bytes of payload sent again.
    pub bytes_resent: u64,
    /// Bytes of RTP headers sent again.
    pub header_bytes_resent: u64,
    /// Packets that waited to be sent when a renegotiation made them impossible: too long, or of another payload type.
    pub packets_discarded: u64,
    /// The payload type of the last packet sent.
    pub payload_type: Option<u8>,
    /// NACK messages received.
    pub nacks_received: u64,
    /// Packets that a NACK asked for and that were no longer there, or could not leave for a second.
    pub nacks_unanswered: u64,
    /// Picture loss indications received.
    pub plis_received: u64,
    /// Full intra requests received.
    pub firs_received: u64,
    /// Report blocks that the peer sent on this stream; what it reports is meaningless before the first.
    pub reports_received: u64,
    /// When the last of them arrived.
    pub last_report_arrival: Option<Instant>,
    /// Packets that the peer reports as lost so far; negative if duplicates arrived.
    pub remote_packets_lost: i32,
    /// The share lost between the last two reports, in 1/256.
    pub remote_fraction_lost: u8,
    /// The jitter that the peer measures.
    pub remote_jitter: Duration,
    /// The last round trip time from a report on this stream, if any was.
    pub round_trip_time: Option<Duration>,
    /// The sum of all round trip times measured.
    pub round_trip_time_total: Duration,
    /// How many were.
    pub round_trip_time_measurements: u64,
}

/// What arrived from one source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReceiverStats {
    /// The source.
    pub ssrc: u32,
    /// Packets received.
    pub packets_received: u64,
    /// Bytes of payload received.
    pub bytes_received: u64,
    /// Bytes of RTP headers and padding received.
    pub header_bytes_received: u64,
    /// Packets expected less packets received (RFC 3550 A.3); negative if duplicates arrived.
    pub packets_lost: i64,
    /// How much the spacing of packets varies (RFC 3550 A.8).
    pub jitter: Duration,
    /// NACK messages sent.
    pub nacks_sent: u64,
    /// Packets that were asked for and came.
    pub packets_recovered: u64,
    /// Packets received in a stream of retransmissions (RFC 4588), of those received.
    pub retransmitted_packets_received: u64,
    /// Their bytes of payload.
    pub retransmitted_bytes_received: u64,
    /// The source of that stream, once a packet of it has come.
    pub rtx_ssrc: Option<u32>,
    /// Packets that were asked for in vain.
    pub packets_given_up: u64,
    /// Picture loss indications sent.
    pub plis_sent: u64,
    /// Full intra requests sent.
    pub firs_sent: u64,
    /// Sender reports received.
    pub sender_reports_received: u64,
    /// Packets that the peer says it has sent, in its last sender report.
    pub remote_packets_sent: u64,
    /// Bytes of payload that the peer says it has sent, likewise.
    pub remote_bytes_sent: u64,
    /// The peer's time when it sent that report: since 1900 if it has a wall clock (RFC 3550 §4).
    pub remote_time: Option<Duration>,
    /// When that report arrived.
    pub remote_report_arrival: Option<Instant>,
    /// The payload type of the last packet that came in order.
    pub payload_type: Option<u8>,
    /// When the first packet arrived: a source that has ended, or whose section was on hold, begins anew.
    pub first_arrival: Option<Instant>,
    /// When the last packet arrived.
    pub last_arrival: Option<Instant>,
}

/// How full a queue or list is, in entries or bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Load {
    /// What is in it.
    pub held: usize,
    /// What may be.
    pub bound: usize,
}

impl Load {
    /// That of both which is nearer to its limit.
    pub(crate) fn fuller(self, other: Self) -> Self {
        if self.share() < other.share() { other } else { self }
    }

    /// In millionths of the limit.
    pub(crate) fn share(&self) -> u128 {
        (self.held as u128 * 1_000_000) / self.bound.max(1) as u128
    }
}
