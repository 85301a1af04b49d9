//! Streams of media and their codecs, as webrtc-stats has them.

use super::dictionary::dictionary;
use super::json::Timestamp;
use std::time::Duration;

dictionary! {
    /// W3C `RTCCodecStats`: a codec that a stream uses.
    CodecStats: "codec" {
        /// The number in each packet.
        payload_type: u8 = "payloadType",
        /// The transport it is negotiated for.
        transport_id: String = "transportId",
        /// As `video/VP8`.
        mime_type: String = "mimeType",
        /// Ticks of the RTP clock per second.
        clock_rate: u32 = "clockRate",
        /// Channels, of sound.
        channels: Option<u16> = "channels",
        /// The format parameters (`a=fmtp`), if there are any.
        sdp_fmtp_line: Option<String> = "sdpFmtpLine",
    }
}

dictionary! {
    /// W3C `RTCInboundRtpStreamStats`: a stream that the peer sends.
    InboundRtpStats: "inbound-rtp" {
        /// The source.
        ssrc: u32 = "ssrc",
        /// `audio` or `video`.
        kind: &'static str = "kind",
        /// The transport it runs over.
        transport_id: String = "transportId",
        /// The codec of the last packet.
        codec_id: Option<String> = "codecId",
        /// Packets received.
        packets_received: u64 = "packetsReceived",
        /// Packets expected less packets received (RFC 3550 A.3); negative if duplicates arrived.
        packets_lost: i64 = "packetsLost",
        /// How much the spacing of packets varies (RFC 3550 A.8).
        jitter: Duration = "jitter",
        /// W3C's `MediaStreamTrack`, if the peer names it.
        track_identifier: Option<String> = "trackIdentifier",
        /// The section's name.
        mid: Option<String> = "mid",
        /// What the peer says of the stream.
        remote_id: Option<String> = "remoteId",
        /// When the last packet arrived.
        last_packet_received_timestamp: Option<Timestamp> = "lastPacketReceivedTimestamp",
        /// Bytes of RTP headers and padding received.
        header_bytes_received: u64 = "headerBytesReceived",
        /// Packets that came too late, or for which there was no room; of a stream that is received as frames.
        packets_discarded: Option<u64> = "packetsDiscarded",
        /// Bytes of payload received.
        bytes_received: u64 = "bytesReceived",
        /// NACK messages sent.
        nack_count: u64 = "nackCount",
        /// Full intra requests sent, for pictures.
        fir_count: Option<u64> = "firCount",
        /// Picture loss indications sent, for pictures.
        pli_count: Option<u64> = "pliCount",
        /// How long all samples or frames were in the jitter buffer together; of a stream that is received as frames.
        jitter_buffer_delay: Option<Duration> = "jitterBufferDelay",
        /// How long they were to be there together, likewise.
        jitter_buffer_target_delay: Option<Duration> = "jitterBufferTargetDelay",
        /// How many samples or frames have left it, likewise.
        jitter_buffer_emitted_count: Option<u64> = "jitterBufferEmittedCount",
        /// Whole frames, of pictures that are received as frames.
        frames_received: Option<u64> = "framesReceived",
        /// Packets received that were sent again in a stream of their own; where there is one (RFC 4588).
        retransmitted_packets_received: Option<u64> = "retransmittedPacketsReceived",
        /// Their bytes of payload, likewise.
        retransmitted_bytes_received: Option<u64> = "retransmittedBytesReceived",
        /// The source of that stream, as far as it is known.
        rtx_ssrc: Option<u32> = "rtxSsrc",
    }
}

dictionary! {
    /// W3C `RTCOutboundRtpStreamStats`: a stream that we send.
    OutboundRtpStats: "outbound-rtp" {
        /// The source.
        ssrc: u32 = "ssrc",
        /// `audio` or `video`.
        kind: &'static str = "kind",
        /// The transport it runs over.
        transport_id: String = "transportId",
        /// The codec of the last packet.
        codec_id: Option<String> = "codecId",
        /// Packets sent, also those sent again.
        packets_sent: u64 = "packetsSent",
        /// Bytes of payload sent, also those sent again.
        bytes_sent: u64 = "bytesSent",
        /// The section's name.
        mid: Option<String> = "mid",
        /// The layer's name, where simulcast is sent.
        rid: Option<String> = "rid",
        /// The layer's place among those that were [named](crate::PeerConnection::set_send_layers), of pictures.
        encoding_index: Option<u32> = "encodingIndex",
        /// What the peer says of the stream.
        remote_id: Option<String> = "remoteId",
        /// Bytes of RTP headers sent, also those sent again.
        header_bytes_sent: u64 = "headerBytesSent",
        /// Packets sent again.
        retransmitted_packets_sent: u64 = "retransmittedPacketsSent",
        /// Bytes of payload sent again.
        retransmitted_bytes_sent: u64 = "retransmittedBytesSent",
        /// The source of the stream in which they are, if they have one of their own (RFC 4588).
        rtx_ssrc: Option<u32> = "rtxSsrc",
        /// Whole frames sent, of pictures.
        frames_sent: Option<u64> = "framesSent",
        /// NACK messages received.
        nack_count: u64 = "nackCount",
        /// Full intra requests received, for pictures.
        fir_count: Option<u64> = "firCount",
        /// Picture loss indications received, for pictures.
        pli_count: Option<u64> = "pliCount",
        /// Whether it is sent now: not while the direction does not let us, and not a layer that the peer does not take.
        active: bool = "active",
    }
}

dictionary! {
    /// W3C `RTCRemoteInboundRtpStreamStats`: what the peer reports of a stream that we send.
    RemoteInboundRtpStats: "remote-inbound-rtp" {
        /// The source.
        ssrc: u32 = "ssrc",
        /// `audio` or `video`.
        kind: &'static str = "kind",
        /// The transport it runs over.
        transport_id: String = "transportId",
        /// The codec of the last packet.
        codec_id: Option<String> = "codecId",
        /// The stream it is about.
        local_id: String = "localId",
        /// Packets that the peer did not get; negative if duplicates arrived.
        packets_lost: i64 = "packetsLost",
        /// The jitter that the peer measures.
        jitter: Duration = "jitter",
        /// The last round trip time, if any was measured.
        round_trip_time: Option<Duration> = "roundTripTime",
        /// The sum of all that were.
        total_round_trip_time: Duration = "totalRoundTripTime",
        /// How many were.
        round_trip_time_measurements: u64 = "roundTripTimeMeasurements",
        /// The share lost between the last two reports, 0 to 1.
        fraction_lost: f64 = "fractionLost",
    }
}

dictionary! {
    /// W3C `RTCRemoteOutboundRtpStreamStats`: what the peer reports of a stream that it sends.
    RemoteOutboundRtpStats: "remote-outbound-rtp" {
        /// The source.
        ssrc: u32 = "ssrc",
        /// `audio` or `video`.
        kind: &'static str = "kind",
        /// The transport it runs over.
        transport_id: String = "transportId",
        /// The codec of the last packet.
        codec_id: Option<String> = "codecId",
        /// The stream it is about.
        local_id: String = "localId",
        /// Packets that the peer has sent.
        packets_sent: u64 = "packetsSent",
        /// Bytes of payload that it has sent.
        bytes_sent: u64 = "bytesSent",
        /// The peer's time when it said so, if it has a wall clock.
        remote_timestamp: Option<Timestamp> = "remoteTimestamp",
        /// Sender reports that came.
        reports_sent: u64 = "reportsSent",
    }
}
