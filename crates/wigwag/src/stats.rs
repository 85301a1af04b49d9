//! What was counted, and under which name it is told: ours, by reason, and W3C's (webrtc-stats).

mod base64;
mod dictionary;
mod json;
mod media;
mod report;
mod transport;

pub(crate) use base64::base64;
pub use json::Timestamp;
pub use media::{CodecStats, InboundRtpStats, OutboundRtpStats, RemoteInboundRtpStats, RemoteOutboundRtpStats};
pub use report::{Stats, StatsReport};
pub use transport::{
    CandidatePairStats, CertificateStats, DataChannelStats, LocalCandidateStats, PeerConnectionStats,
    RemoteCandidateStats, RtcTransportStats,
};

use crate::data_channel::{DataChannelDrops, DataChannels};
use crate::media::{FrameDrops, Media};
use crate::transport::Transport;
use std::time::Duration;
use wigwag_dtls::{CipherSuite, Group, SrtpProfile, Version};
use wigwag_ice::Path;

/// What the transport dropped before any layer saw it, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransportDrops {
    /// The first byte is that of no protocol of ours (RFC 7983), or the bytes came over a stream in TLS.
    pub unknown_protocol: u64,
    /// Not STUN, from where no authentic STUN message has come.
    pub closed_path: u64,
    /// DTLS that came before the peer's description, beyond what is kept.
    pub too_early: u64,
    /// Media that came before its keys.
    pub media_before_keys: u64,
    /// Streams over TCP that were closed: they began with no authentic check for this connection, or made no sense (streams).
    pub refused_streams: u64,
}

/// The transport under a connection, as it is now.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct TransportStats {
    /// The path in use.
    pub path: Option<Path>,
    /// Round trip time of the last connectivity check or consent.
    pub round_trip_time: Option<Duration>,
    /// The DTLS version.
    pub dtls_version: Option<Version>,
    /// The DTLS cipher suite.
    pub cipher_suite: Option<CipherSuite>,
    /// The group of the key exchange.
    pub group: Option<Group>,
    /// The SRTP profile.
    pub srtp_profile: Option<SrtpProfile>,
    /// How often something was sent again because no answer came: connectivity checks, flights of DTLS, chunks of SCTP.
    pub retransmissions: u64,
    /// What `send` took and what is not acknowledged yet, in bytes.
    pub send_buffered: usize,
    /// What arrived on data channels and was not polled yet, in bytes, each message with an overhead.
    pub receive_buffered: usize,
    /// How often a data channel or a stream of media was looked at: it follows the work, however many there are.
    pub visits: u64,
}

impl TransportStats {
    pub(crate) fn of(transport: &Transport, channels: &DataChannels, media: &Media) -> Self {
        let dtls = transport.secured.dtls.as_ref();
        let sctp = transport.secured.sctp.as_ref().map(wigwag_sctp::Association::stats).unwrap_or_default();
        Self {
            path: transport.ice.selected_path(),
            round_trip_time: transport.ice.round_trip_time(),
            dtls_version: dtls.and_then(wigwag_dtls::Connection::version),
            cipher_suite: dtls.and_then(wigwag_dtls::Connection::cipher_suite),
            group: dtls.and_then(wigwag_dtls::Connection::group),
            srtp_profile: dtls.and_then(wigwag_dtls::Connection::srtp_profile),
            retransmissions: transport.ice.stats().checks_retransmitted
                + dtls.map_or(0, |dtls| dtls.stats().retransmissions)
                + sctp.retransmitted,
            send_buffered: sctp.buffered_amount + sctp.in_flight,
            receive_buffered: sctp.receive_buffered,
            visits: channels.visits() + transport.secured.rtp.stats().visits + media.visits(),
        }
    }
}

/// Pairs each named counter with its name.
macro_rules! named {
    ($drops:ident, $layer:literal, $stats:expr, [$($field:ident),* $(,)?]) => {{
        let stats = $stats;
        $($drops.push((concat!($layer, ".", stringify!($field)), u64::from(stats.$field)));)*
    }};
}

/// Everything that was discarded, each cause by name.
pub(crate) fn drops(transport: &Transport, channels: DataChannelDrops, frames: FrameDrops) -> Vec<(&'static str, u64)> {
    let mut drops = Vec::new();
    named!(
        drops,
        "transport",
        transport.drops(),
        [unknown_protocol, closed_path, too_early, media_before_keys, refused_streams]
    );
    named!(
        drops,
        "ice",
        transport.ice.stats(),
        [
            malformed,
            unsupported,
            unknown_local_address,
            unknown_ufrag,
            unauthenticated_requests,
            unknown_transaction,
            unauthenticated_responses,
            asymmetric_responses,
            too_many_requests,
            after_end,
        ]
    );
    if let Some(relays) = &transport.relays {
        named!(
            drops,
            "turn",
            relays.stats(),
            [malformed, wrong_path, unknown_transaction, forged, unknown_peer, after_end, out_of_sync]
        );
    }
    if let Some(tap) = transport.tap() {
        drops.push(("tap.no_room", tap.no_room()));
    }
    if let Some(dtls) = &transport.secured.dtls {
        named!(
            drops,
            "dtls",
            dtls.stats(),
            [
                malformed_records,
                wrong_version,
                unknown_content_type,
                unknown_epoch,
                replayed,
                not_authentic,
                plaintext_application_data,
                plaintext_alerts,
                plaintext_acks,
                malformed_acks,
                plaintext_handshake,
                early_application_data,
                ignored_alerts,
                malformed_fragments,
                contradicting_fragments,
                excessive_fragments,
                repeated_fragments,
                early_hello_requests,
                late_handshake_messages,
                late_change_cipher_specs,
                after_close,
            ]
        );
    }
    if let Some(srtp) = transport.secured.media_keys.stats() {
        named!(
            drops,
            "srtp",
            srtp,
            [
                dropped_malformed,
                dropped_unauthentic,
                dropped_replayed,
                dropped_too_old,
                dropped_unencrypted,
                dropped_header_in_clear,
                dropped_too_many_sources,
                refused_malformed,
                refused_header_in_clear,
                refused_reused,
                refused_exhausted,
                refused_too_many_sources,
            ]
        );
    }
    named!(
        drops,
        "rtp",
        transport.secured.rtp.stats(),
        [
            dropped_malformed_rtp,
            dropped_malformed_rtcp,
            dropped_unknown_stream,
            dropped_unknown_payload_type,
            dropped_too_many_sources,
            dropped_out_of_sequence,
            dropped_after_end,
            dropped_events,
            dropped_feedback_time,
            dropped_feedback_unknown,
        ]
    );
    if let Some(sctp) = &transport.secured.sctp {
        named!(
            drops,
            "sctp",
            sctp.stats().discarded,
            [
                malformed,
                checksum,
                port,
                verification_tag,
                unexpected,
                unknown_chunk,
                cookie,
                stale_cookie,
                duplicate,
                no_room,
                invalid_stream,
                orphan,
                invalid_sack,
                heartbeat,
                reconfig,
                reply,
            ]
        );
    }
    named!(drops, "frames", frames, [late, duplicate, full, malformed, without_start, too_long, no_format]);
    named!(drops, "data_channel", channels, [no_channel, bad_dcep, refused_open, unknown_ppid]);
    drops
}
