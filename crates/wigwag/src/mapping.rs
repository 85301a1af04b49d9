//! Where the layers meet: the same things under each layer's own names.
//!
//! SRTP profiles, fingerprints, candidates and codecs exist by law on both sides of the composition; this file alone
//! turns one into the other.

use crate::config::Config;
use crate::data_channel::ChannelState;
use crate::description::SessionDescription;
use crate::error::Error;
use crate::jsep::{self, DtlsRole, HeaderEncryption, LocalTransport, MediaKind, MediaParameters};
use std::net::SocketAddr;
use wigwag_congestion as congestion;
use wigwag_dtls as dtls;
use wigwag_ice as ice;
use wigwag_rtp::{self as rtp, payload::Format};
use wigwag_sansio::{Protocol, Rng, Seed};
use wigwag_sctp as sctp;
use wigwag_sdp as sdp;
use wigwag_srtp as srtp;

// ── SDP ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

pub(crate) fn parse(description: &SessionDescription) -> Result<sdp::SessionDescription, Error> {
    Ok(sdp::SessionDescription::parse(&description.sdp)?)
}

// ── ICE ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

/// A local candidate as the peer is told of it.
pub(crate) fn candidate(candidate: &ice::Candidate, ufrag: &str) -> sdp::Candidate {
    let mut extensions = sdp::Extensions::default();
    extensions.push("ufrag", ufrag);
    sdp::Candidate {
        foundation: candidate.foundation.clone(),
        component: candidate.component,
        transport: protocol_name(candidate.protocol).into(),
        priority: candidate.priority,
        // draft-ietf-mmusic-mdns-ice-candidates §3.1.2.4: "The mDNS name of an mDNS candidate MUST be used in the connection-address field of
        // its candidate attribute."
        address: match &candidate.name {
            Some(name) => sdp::Address::Name(name.clone()),
            None => candidate.address.ip().into(),
        },
        port: candidate.address.port(),
        kind: match candidate.kind {
            ice::Kind::Host => sdp::CandidateKind::Host,
            ice::Kind::ServerReflexive => sdp::CandidateKind::ServerReflexive,
            ice::Kind::PeerReflexive => sdp::CandidateKind::PeerReflexive,
            ice::Kind::Relayed => sdp::CandidateKind::Relayed,
        },
        related_address: candidate.related.map(|related| related.ip().into()),
        related_port: candidate.related.map(|related| related.port()),
        tcp_type: candidate.tcp_type.map(|tcp_type| match tcp_type {
            ice::TcpType::Active => sdp::TcpType::Active,
            ice::TcpType::Passive => sdp::TcpType::Passive,
        }),
        extensions,
    }
}

/// A candidate of the peer's as the agent takes it; `None` if it is of a kind that nobody knows.
pub(crate) fn remote_candidate(candidate: &sdp::Candidate) -> Option<ice::RemoteCandidate> {
    let kind = match candidate.kind {
        sdp::CandidateKind::Host => ice::Kind::Host,
        sdp::CandidateKind::ServerReflexive => ice::Kind::ServerReflexive,
        sdp::CandidateKind::PeerReflexive => ice::Kind::PeerReflexive,
        sdp::CandidateKind::Relayed => ice::Kind::Relayed,
        _ => return None,
    };
    let address = match &candidate.address {
        sdp::Address::Ip(ip) => ice::RemoteAddress::Socket(SocketAddr::new(*ip, candidate.port)),
        sdp::Address::Name(name) => ice::RemoteAddress::Name(name.clone(), candidate.port),
    };
    let mut mapped = ice::RemoteCandidate::udp(&candidate.foundation, candidate.priority, address, kind);
    mapped.component = candidate.component;
    mapped.protocol = match () {
        () if candidate.transport == "udp" => Protocol::Udp,
        () if candidate.transport == "tcp" => Protocol::Tcp,
        () => return None,
    };
    mapped.tcp_type = match candidate.tcp_type {
        Some(sdp::TcpType::Active) => Some(ice::TcpType::Active),
        Some(sdp::TcpType::Passive) => Some(ice::TcpType::Passive),
        _ => None,
    };
    Some(mapped)
}

// ── Descriptions ────────────────────────────────────────────────────────────────────────────────────────────────────

/// What our descriptions say of the transport.
pub(crate) fn local_transport(
    agent: &ice::Agent,
    credentials: &ice::Credentials,
    certificate: &dtls::Certificate,
    is_complete: bool,
    sctp_init: Option<&[u8]>,
) -> LocalTransport {
    let own = certificate.fingerprint(dtls::HashAlgorithm::Sha256);
    LocalTransport {
        ufrag: credentials.ufrag.clone(),
        pwd: credentials.password.clone(),
        fingerprints: vec![sdp::Fingerprint { hash: "sha-256".into(), digest: own.digest().to_vec() }],
        candidates: agent.local_candidates().iter().map(|found| candidate(found, &credentials.ufrag)).collect(),
        end_of_candidates: is_complete,
        sctp_init: sctp_init.map(<[u8]>::to_vec),
    }
}

// ── DTLS ────────────────────────────────────────────────────────────────────────────────────────────────────────────

/// A certificate for this connection alone.
pub(crate) fn new_certificate(config: &Config, seed: &Seed) -> dtls::Certificate {
    let unix_time = config.clock.unix_time(config.clock.instant());
    dtls::Certificate::generate(unix_time, seed.fork("certificate"))
        .expect("a name, dates and a key of our own always make a certificate")
}

pub(crate) const fn dtls_role(role: DtlsRole) -> dtls::Role {
    match role {
        DtlsRole::Client => dtls::Role::Client,
        DtlsRole::Server => dtls::Role::Server,
    }
}

/// `None` if we do not have the hash function: another fingerprint must do (RFC 8122 §5).
pub(crate) fn fingerprint(fingerprint: &sdp::Fingerprint) -> Option<dtls::Fingerprint> {
    fingerprint.to_string().parse().ok()
}

pub(crate) const fn srtp_profile(profile: dtls::SrtpProfile) -> Option<srtp::Profile> {
    match profile {
        dtls::SrtpProfile::AeadAes128Gcm => Some(srtp::Profile::AeadAes128Gcm),
        dtls::SrtpProfile::AeadAes256Gcm => Some(srtp::Profile::AeadAes256Gcm),
        dtls::SrtpProfile::Aes128CmHmacSha1_80 => Some(srtp::Profile::Aes128CmSha1_80),
        dtls::SrtpProfile::Aes128CmHmacSha1_32 => Some(srtp::Profile::Aes128CmSha1_32),
        _ => None,
    }
}

/// The keys that DTLS exported, for SRTP to use.
pub(crate) fn srtp_context(keys: &dtls::SrtpKeys) -> Option<srtp::Context> {
    let local = srtp::MasterKey { key: keys.local_key(), salt: keys.local_salt() };
    let remote = srtp::MasterKey { key: keys.remote_key(), salt: keys.remote_salt() };
    srtp::Context::new(srtp_profile(keys.profile())?, local, remote).ok()
}

/// What was agreed upon for headers. Who has said that they take them encrypted gets some before the answer, and after a later one that takes it
/// back.
// RFC 9335 §4: "indicates that the endpoint is capable of receiving RTP packets encrypted with Cryptex"
pub(crate) const fn cryptex(policy: HeaderEncryption, is_agreed: bool) -> srtp::Cryptex {
    match (policy, is_agreed) {
        (HeaderEncryption::Require, _) => srtp::Cryptex::Required,
        (HeaderEncryption::Disable, _) => srtp::Cryptex::Off,
        (HeaderEncryption::Negotiate, true) => srtp::Cryptex::Negotiated,
        (HeaderEncryption::Negotiate, false) => srtp::Cryptex::Received,
    }
}

// ── SCTP ────────────────────────────────────────────────────────────────────────────────────────────────────────────

pub(crate) fn message_len_max_send(data: &jsep::DataParameters) -> usize {
    usize::try_from(data.max_message_size).unwrap_or(usize::MAX)
}

/// Of a connection that has received little.
const RECEIVE_WINDOW: u32 = 1 << 20;

/// The association of a connection that had so many before, as long as the peer has said nothing: its beginning is the same each time.
/// Two associations have no tag in common: what is under way of the first is not for the second.
fn association(config: sctp::Config, seed: &Seed, before: u32) -> sctp::Association {
    let seed = if before == 0 { seed.fork("sctp") } else { seed.fork(&format!("sctp {before}")) };
    sctp::Association::new(config, seed)
}

/// What our descriptions tell of the beginning of our association, if they may.
pub(crate) fn sctp_init(config: &Config, seed: &Seed, before: u32) -> Option<Vec<u8>> {
    config.negotiation.sctp_snap.then(|| association(sctp_config(config), seed, before).init_chunk())
}

pub(crate) fn sctp_association(
    config: &Config,
    data: &jsep::DataParameters,
    seed: &Seed,
    before: u32,
) -> sctp::Association {
    let mut mapped = sctp_config(config);
    (mapped.local_port, mapped.remote_port) = (data.local_port, data.remote_port);
    mapped.message_len_max_send = message_len_max_send(data);
    let mut association = association(mapped, seed, before);
    if let Some(peer) = data.peer_init {
        association.set_peer_init(peer);
    }
    association
}

fn sctp_config(config: &Config) -> sctp::Config {
    let mut mapped = sctp::Config::default();
    // RFC 9260 §3.2: chunks are padded to four bytes, so a limit that is not a multiple of them is never reached.
    mapped.mtu = (config.mtu() - dtls::Connection::OVERHEAD) & !3;
    if config.data_mtu_max() > config.mtu() {
        mapped.mtu_max = (config.data_mtu_max() - dtls::Connection::OVERHEAD) & !3;
    }
    mapped.congestion_control = config.sctp_congestion_control;
    mapped.message_len_max_receive = match config.negotiation.max_message_size {
        // RFC 8841 §6.1: zero means any size.
        0 => usize::MAX,
        size => usize::try_from(size).unwrap_or(usize::MAX),
    };
    mapped.partial_delivery_from = config.partial_delivery_from;
    // What is allowed, and no more: the window begins smaller and grows where the path needs it.
    mapped.receive_window_max = u32::try_from(config.receive_buffer).unwrap_or(u32::MAX);
    mapped.receive_window = mapped.receive_window_max.min(RECEIVE_WINDOW);
    mapped.send_buffer = config.send_buffer;
    mapped.send_buffer_max = config.send_buffer;
    // RFC 8261 §6: DTLS detects every error, so SCTP's checksum need not.
    mapped.zero_checksum = true;
    // RFC 8831 §6.4: priorities are weights, and a long message holds no other channel up where the peer can interleave.
    mapped.interleaving = true;
    mapped.scheduler = sctp::Scheduler::WeightedFair;
    mapped
}

// ── webrtc-stats ────────────────────────────────────────────────────────────────────────────────────────────────────

pub(crate) const fn protocol_name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Udp => "udp",
        Protocol::Tcp | Protocol::Tls => "tcp",
    }
}

pub(crate) const fn tcp_type(tcp_type: ice::TcpType) -> &'static str {
    match tcp_type {
        ice::TcpType::Active => "active",
        ice::TcpType::Passive => "passive",
    }
}

pub(crate) const fn candidate_type(kind: ice::Kind) -> &'static str {
    match kind {
        ice::Kind::Host => "host",
        ice::Kind::ServerReflexive => "srflx",
        ice::Kind::PeerReflexive => "prflx",
        ice::Kind::Relayed => "relay",
    }
}

/// W3C `RTCStatsIceCandidatePairState`.
pub(crate) const fn check_state(state: ice::CheckState) -> &'static str {
    match state {
        ice::CheckState::Waiting => "waiting",
        ice::CheckState::InProgress => "in-progress",
        ice::CheckState::Succeeded => "succeeded",
        ice::CheckState::Failed => "failed",
        _ => "frozen",
    }
}

pub(crate) const fn channel_state(state: ChannelState) -> &'static str {
    match state {
        ChannelState::Connecting => "connecting",
        ChannelState::Open => "open",
        ChannelState::Closing => "closing",
        ChannelState::Closed => "closed",
    }
}

// ── RTP ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

/// RFC 7022 §4.2: a name for one session has at least 96 bits of randomness.
pub(crate) fn cname(seed: &Seed) -> String {
    let bytes: [u8; 12] = Rng::new(seed.fork("cname")).bytes();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn rtp_config(config: &Config, cname: &str) -> rtp::Config {
    let mut mapped = rtp::Config::new(cname);
    mapped.clock = Some(config.clock);
    // What SRTP adds at most (RFC 7714 §14.2, RFC 9335 §5.1).
    let cryptex = cryptex(config.negotiation.header_encryption, true);
    mapped.packet_len_max = config.mtu() - srtp::Profile::AeadAes128Gcm.rtp_overhead() - cryptex.rtp_overhead();
    mapped
}

/// What is around an RTP packet on the wire: what SRTP adds at most (RFC 7714 §14.2), UDP and IPv4.
pub(crate) const MEDIA_OVERHEAD: usize = 16 + 8 + 20;

/// What the peer reports, as congestion control takes it.
pub(crate) const fn reported(reported: &rtp::Reported) -> congestion::Reported {
    congestion::Reported { sequence: reported.sequence, arrival: reported.arrival }
}

pub(crate) const fn rtp_kind(kind: MediaKind) -> rtp::Kind {
    match kind {
        MediaKind::Audio => rtp::Kind::Audio,
        MediaKind::Video => rtp::Kind::Video,
    }
}

/// The codecs whose frames are cut into packets here.
const PAYLOAD_FORMATS: [(&str, Format); 8] = [
    ("opus", Format::Opus),
    ("PCMU", Format::G711),
    ("PCMA", Format::G711),
    ("G722", Format::G722),
    ("VP8", Format::Vp8),
    ("H264", Format::H264),
    ("VP9", Format::Vp9),
    ("AV1", Format::Av1),
];

/// How frames of a codec are cut into packets; `None` if that is not known here.
pub(crate) fn payload_format(codec: &str, parameters: &str) -> Option<Format> {
    let fmtp = sdp::Fmtp { format: sdp::Format::PayloadType(0), parameters: parameters.to_owned() };
    let (_, format) = PAYLOAD_FORMATS.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(codec))?;
    match (format, fmtp.get("packetization-mode").unwrap_or("0")) {
        (Format::H264, "0") => Some(Format::H264SingleNal),
        (Format::H264, "1") => Some(Format::H264),
        // RFC 6184 §6.4: interleaved, out of the order of decoding.
        (Format::H264, _) => None,
        _ => Some(format),
    }
}

fn payload_types(codecs: &[jsep::NegotiatedCodec]) -> Vec<rtp::PayloadType> {
    codecs
        .iter()
        .map(|codec| rtp::PayloadType { number: codec.payload_type, clock_rate_hz: codec.clock_rate })
        .collect()
}

fn has_feedback(codecs: &[jsep::NegotiatedCodec], wanted: &sdp::Feedback) -> bool {
    codecs.iter().any(|codec| codec.feedback.contains(wanted))
}

fn extensions(parameters: &MediaParameters, is_used: impl Fn(&jsep::NegotiatedExtension) -> bool) -> rtp::Extensions {
    let number =
        |uri: &str| parameters.extensions.iter().find(|found| found.uri == uri && is_used(found)).map(|found| found.id);
    let mut extensions = rtp::Extensions::NONE;
    extensions.mid = number(jsep::HeaderExtension::MID);
    extensions.rid = number(jsep::HeaderExtension::RID);
    extensions.repaired_rid = number(jsep::HeaderExtension::REPAIRED_RID);
    extensions.abs_send_time = number(jsep::HeaderExtension::ABS_SEND_TIME);
    extensions.audio_level = number(jsep::HeaderExtension::AUDIO_LEVEL);
    extensions.transport_cc = number(jsep::HeaderExtension::TRANSPORT_CC);
    extensions.dependency_descriptor = number(jsep::HeaderExtension::DEPENDENCY_DESCRIPTOR);
    extensions.video_layers_allocation = number(jsep::HeaderExtension::VIDEO_LAYERS_ALLOCATION);
    extensions
}

/// RFC 8285 §4.2: what the one-byte form of a header extension holds, in bytes.
const MID_LEN_MAX: usize = 16;

/// The streams that we send: one, or the layers that were agreed upon.
pub(crate) fn sender_configs(
    transceiver: &jsep::Transceiver,
    parameters: &MediaParameters,
    send: &jsep::SendStream,
) -> Vec<rtp::SenderConfig> {
    let agreed = |rid: &str| parameters.send_layers.iter().find(|agreed| agreed.rid == rid);
    let layers = send.layers.iter().filter_map(|layer| {
        let agreed = agreed(&layer.rid)?;
        let mut config = sender_config(transceiver, parameters, (layer.ssrc, layer.rtx_ssrc));
        config.payload_types.retain(|known| agreed.payload_types.contains(&known.number));
        config.rid = Some(layer.rid.clone());
        Some(config)
    });
    let layers: Vec<_> = layers.collect();
    if layers.is_empty() { vec![sender_config(transceiver, parameters, (send.ssrc, send.rtx_ssrc))] } else { layers }
}

fn sender_config(
    transceiver: &jsep::Transceiver,
    parameters: &MediaParameters,
    (ssrc, rtx_ssrc): (u32, Option<u32>),
) -> rtp::SenderConfig {
    let codecs = &parameters.send_codecs;
    let mut mapped = rtp::SenderConfig::new(ssrc, rtp_kind(transceiver.kind), payload_types(codecs));
    // A longer one does not fit into a header extension of one byte: the peer knows our source by its number.
    mapped.mid = transceiver.mid.clone().filter(|mid| mid.len() <= MID_LEN_MAX);
    mapped.extensions = extensions(parameters, |extension| extension.sends);
    mapped.allows_mixed = parameters.extmap_allow_mixed;
    // Without an answer the number is of no use.
    mapped.extensions.transport_cc =
        mapped.extensions.transport_cc.filter(|_| has_feedback(codecs, &sdp::Feedback::TransportCc));
    mapped.ccfb = parameters.ccfb;
    mapped.nack = has_feedback(codecs, &sdp::Feedback::Nack);
    let rtx = rtx_payload_types(codecs);
    mapped.rtx = rtx_ssrc.filter(|_| !rtx.is_empty()).map(|ssrc| rtp::RtxStream::new(ssrc, rtx));
    mapped
}

fn rtx_payload_types(codecs: &[jsep::NegotiatedCodec]) -> Vec<rtp::RtxPayloadType> {
    let rtx = |codec: &jsep::NegotiatedCodec| Some(rtp::RtxPayloadType::new(codec.rtx?, codec.payload_type));
    codecs.iter().filter_map(rtx).collect()
}

pub(crate) fn receiver_config(transceiver: &jsep::Transceiver, parameters: &MediaParameters) -> rtp::ReceiverConfig {
    let codecs = &parameters.receive_codecs;
    let mut mapped = rtp::ReceiverConfig::new(rtp_kind(transceiver.kind), payload_types(codecs));
    mapped.mid.clone_from(&transceiver.mid);
    mapped.ssrcs.clone_from(&parameters.remote_ssrcs);
    mapped.rids = parameters.receive_layers.iter().map(|layer| layer.rid.as_str().into()).collect();
    mapped.extensions = extensions(parameters, |extension| extension.receives);
    mapped.nack = has_feedback(codecs, &sdp::Feedback::Nack);
    mapped.rtx = rtx_payload_types(codecs);
    mapped.rtx_ssrcs.clone_from(&parameters.remote_rtx);
    mapped.pli = has_feedback(codecs, &sdp::Feedback::NackPli);
    mapped.fir = has_feedback(codecs, &sdp::Feedback::CcmFir);
    mapped.transport_cc = has_feedback(codecs, &sdp::Feedback::TransportCc);
    mapped.ccfb = parameters.ccfb;
    mapped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_srtp_profile_that_dtls_negotiates_has_its_cipher_and_the_same_lengths() {
        for &profile in dtls::SrtpProfile::ALL {
            let mapped = srtp_profile(profile).expect("a cipher");
            assert_eq!((mapped.key_len(), mapped.salt_len()), (profile.key_len(), profile.salt_len()));
        }
    }

    #[test]
    fn payload_formats_are_found_whatever_the_case_of_their_names() {
        let found = ["opus", "OPUS", "vp8", "VP8", "H265", ""].map(|name| payload_format(name, ""));
        let (opus, vp8) = (Some(Format::Opus), Some(Format::Vp8));
        assert_eq!(found, [opus, opus, vp8, vp8, None, None]);
        let found = ["pcmu", "PCMA", "g722", "vp9", "av1"].map(|name| payload_format(name, ""));
        assert_eq!(found, [Format::G711, Format::G711, Format::G722, Format::Vp9, Format::Av1].map(Some));
        let found =
            ["", "packetization-mode=0", "profile-level-id=42e01f; packetization-mode=1", "packetization-mode=2"]
                .map(|parameters| payload_format("h264", parameters));
        let (single, several) = (Some(Format::H264SingleNal), Some(Format::H264));
        assert_eq!(found, [single, single, several, None]);
    }

    #[test]
    fn a_candidate_means_the_same_on_both_sides() {
        let text = "candidate:1 1 udp 2130706431 192.0.2.1 54321 typ srflx raddr 10.0.0.1 rport 9000 ufrag abcd";
        let parsed = sdp::Candidate::parse(text).unwrap();
        let mapped = remote_candidate(&parsed).unwrap();
        assert_eq!(mapped.address, ice::RemoteAddress::Socket(([192, 0, 2, 1], 54321).into()));
        assert_eq!((mapped.kind, mapped.priority, mapped.component), (ice::Kind::ServerReflexive, 2_130_706_431, 1));
    }

    #[test]
    fn names_and_streams_are_kept_and_unknown_kinds_are_not() {
        let name = sdp::Candidate::parse("candidate:1 1 udp 1 a.local 5 typ host").unwrap();
        assert_eq!(remote_candidate(&name).unwrap().address, ice::RemoteAddress::Name("a.local".into(), 5));
        let tcp = sdp::Candidate::parse("candidate:1 1 TCP 1 192.0.2.1 9 typ host tcptype active").unwrap();
        assert_eq!(remote_candidate(&tcp).unwrap().protocol, Protocol::Tcp);
        let unknown = sdp::Candidate::parse("candidate:1 1 udp 1 192.0.2.1 9 typ carrier-pigeon").unwrap();
        assert!(remote_candidate(&unknown).is_none());
    }

    #[test]
    fn fingerprints_are_mapped_whatever_the_case_of_their_hash() {
        for (hash, len) in [("SHA-256", 32), ("sha-384", 48), ("Sha-512", 64)] {
            let mapped = fingerprint(&sdp::Fingerprint { hash: hash.into(), digest: vec![7; len] });
            assert_eq!(mapped.map(|mapped| mapped.digest().to_vec()), Some(vec![7; len]), "{hash}");
        }
        assert!(fingerprint(&sdp::Fingerprint { hash: "md2".into(), digest: vec![7; 16] }).is_none());
    }
}
