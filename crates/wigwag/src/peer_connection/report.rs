//! W3C `getStats`: what the layers know, under the names of webrtc-stats.

use super::PeerConnection;
use crate::jsep::{DtlsRole, MediaKind, MediaParameters, NegotiatedCodec, Transceiver};
use crate::mapping;
use crate::state::IceConnectionState;
use crate::stats::{
    CandidatePairStats, CertificateStats, CodecStats, DataChannelStats, InboundRtpStats, LocalCandidateStats,
    OutboundRtpStats, PeerConnectionStats, RemoteCandidateStats, RemoteInboundRtpStats, RemoteOutboundRtpStats,
    RtcTransportStats, Stats, StatsReport, Timestamp, base64,
};
use crate::transport::Security;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use wigwag_dtls as dtls;
use wigwag_ice as ice;
use wigwag_rtp::{ReceiverStats, SenderStats, payload::FrameStats};
use wigwag_sansio::Rng;

const TRANSPORT: &str = "T";
const LOCAL_CERTIFICATE: &str = "C:local";
const REMOTE_CERTIFICATE: &str = "C:remote";
/// From 1900, where NTP begins, to 1970.
const NTP_TO_UNIX: Duration = Duration::from_secs(2_208_988_800);

impl PeerConnection {
    /// W3C `getStats`: everything that is known at `now`, with the names of webrtc-stats. It looks at everything there is,
    /// so ask once a second, not for each packet. Why something was dropped, [`drops`](Self::drops) tells.
    pub fn stats(&self, now: Instant) -> StatsReport {
        let mut collector = Collector { connection: self, now: self.clock.latest(now), found: Vec::new() };
        collector.connection();
        collector.certificates();
        collector.candidates();
        self.transceivers().for_each(|transceiver| collector.media(transceiver));
        collector.channels();
        StatsReport(collector.found)
    }
}

struct Collector<'a> {
    connection: &'a PeerConnection,
    now: Instant,
    found: Vec<Stats>,
}

/// What all objects of a stream have in common.
#[derive(Clone)]
struct Stream {
    ssrc: u32,
    kind: MediaKind,
    mid: Option<String>,
    codec_id: Option<String>,
}

/// Which of the streams of a transceiver it is.
#[derive(Clone, Copy)]
struct Encoding<'a> {
    index: usize,
    /// Of a layer.
    rid: Option<&'a str>,
    is_active: bool,
}

impl Collector<'_> {
    fn at(&self, at: Instant) -> Timestamp {
        Timestamp(self.connection.config.clock.unix_time(at))
    }

    fn timestamp(&self) -> Timestamp {
        self.at(self.now)
    }

    fn connection(&mut self) {
        let PeerConnection { transport, jsep, channels, .. } = self.connection;
        let (data_channels_opened, data_channels_closed) = channels.opened_and_closed();
        let timestamp = self.timestamp();
        self.found.push(Stats::PeerConnection(PeerConnectionStats {
            id: "P".to_owned(),
            timestamp,
            data_channels_opened,
            data_channels_closed,
        }));
        let (ice, secured, carried) = (&transport.ice, &transport.secured, transport.traffic().total());
        let dtls = secured.dtls.as_ref();
        let is_begun = jsep.local_description().is_some() || jsep.remote_description().is_some();
        self.found.push(Stats::Transport(RtcTransportStats {
            id: TRANSPORT.to_owned(),
            timestamp,
            packets_sent: carried.packets_sent,
            packets_received: carried.packets_received,
            bytes_sent: carried.bytes_sent,
            bytes_received: carried.bytes_received,
            ice_role: match ice.role() {
                _ if !is_begun => "unknown",
                ice::Role::Controlling => "controlling",
                ice::Role::Controlled => "controlled",
            },
            ice_local_username_fragment: ice.local_credentials().ufrag.clone(),
            dtls_state: match secured.security {
                Security::New => "new",
                Security::Connecting => "connecting",
                Security::Connected => "connected",
                Security::Closed(dtls::CloseReason::CloseNotify) => "closed",
                Security::Closed(_) => "failed",
            },
            ice_state: IceConnectionState::from(ice.state()).to_string(),
            selected_candidate_pair_id: ice
                .selected_path()
                .and_then(|path| ice.pairs().find(|pair| pair.path == path))
                .map(|pair| self.pair_id(&pair)),
            local_certificate_id: LOCAL_CERTIFICATE.to_owned(),
            remote_certificate_id: self.remote_certificate().map(|_| REMOTE_CERTIFICATE.to_owned()),
            tls_version: dtls.and_then(dtls::Connection::version).map(|version| format!("{:04X}", version.wire())),
            dtls_cipher: dtls.and_then(dtls::Connection::cipher_suite).map(|suite| suite.to_string()),
            dtls_role: match jsep.dtls_role() {
                Some(DtlsRole::Client) => "client",
                Some(DtlsRole::Server) => "server",
                None => "unknown",
            },
            srtp_cipher: dtls.and_then(dtls::Connection::srtp_profile).map(|profile| profile.to_string()),
            selected_candidate_pair_changes: ice.stats().path_changes,
            ccfb_messages_sent: secured.rtp.stats().congestion_feedbacks_sent,
            ccfb_messages_received: secured.rtp.stats().congestion_feedbacks_received,
        }));
    }

    fn remote_certificate(&self) -> Option<&[u8]> {
        self.connection.transport.secured.dtls.as_ref()?.peer_certificate_der()
    }

    fn certificates(&mut self) {
        let local = (LOCAL_CERTIFICATE, self.connection.certificate.der());
        let remote = self.remote_certificate().map(|der| (REMOTE_CERTIFICATE, der));
        let algorithm = dtls::HashAlgorithm::Sha256;
        let stats = |(id, der): (&str, &[u8])| {
            let text = dtls::Fingerprint::of(algorithm, der).to_string();
            Stats::Certificate(CertificateStats {
                id: id.to_owned(),
                timestamp: self.timestamp(),
                fingerprint: text.split_once(' ').map_or_else(String::new, |(_, digest)| digest.to_owned()),
                fingerprint_algorithm: algorithm.name().to_owned(),
                base64_certificate: base64(der),
            })
        };
        let all: Vec<_> = [Some(local), remote].into_iter().flatten().map(stats).collect();
        self.found.extend(all);
    }

    fn candidates(&mut self) {
        let PeerConnection { transport, jsep, .. } = self.connection;
        let ice = &transport.ice;
        let timestamp = self.timestamp();
        macro_rules! candidate {
            ($name:ident, $side:literal, $candidate:expr, $shown:expr, $ufrag:expr $(, $member:ident)*) => {{
                let candidate: &ice::Candidate = $candidate;
                $name {
                    id: self.candidate_id($side, candidate),
                    timestamp,
                    transport_id: TRANSPORT.to_owned(),
                    address: $shown,
                    port: candidate.address.port(),
                    protocol: mapping::protocol_name(candidate.protocol),
                    tcp_type: candidate.tcp_type.map(mapping::tcp_type),
                    candidate_type: mapping::candidate_type(candidate.kind),
                    priority: candidate.priority,
                    foundation: candidate.foundation.clone(),
                    related_address: candidate.related.map(|related| related.ip().to_string()),
                    related_port: candidate.related.map(|related| related.port()),
                    username_fragment: $ufrag,
                    $($member,)*
                }
            }};
        }
        let ufrag = &ice.local_credentials().ufrag;
        let local = ice.local_candidates().iter().map(|candidate| {
            let relays = transport.relays.as_ref().filter(|_| candidate.kind == ice::Kind::Relayed);
            let server = relays.and_then(|relays| relays.server_of(candidate.address));
            let (url, relay_protocol) = (server.map(ToString::to_string), server.map(|server| server.transport.name()));
            let (ufrag, shown) = (Some(ufrag.clone()), shown(candidate));
            Stats::LocalCandidate(candidate!(LocalCandidateStats, "L", candidate, shown, ufrag, url, relay_protocol))
        });
        let remote_ufrag = jsep.remote_transport().map(|remote| &remote.ufrag);
        let remote = ice.remote_candidates().iter().map(|candidate| {
            let shown = if self.is_secret(candidate) { nowhere(candidate) } else { shown(candidate) };
            let ufrag = remote_ufrag.cloned();
            Stats::RemoteCandidate(candidate!(RemoteCandidateStats, "R", candidate, shown, ufrag))
        });
        let candidates: Vec<_> = local.chain(remote).collect();
        self.found.extend(candidates);
        let pairs: Vec<_> = ice.pairs().map(|pair| Stats::CandidatePair(self.pair(pair))).collect();
        self.found.extend(pairs);
    }

    fn pair(&self, pair: ice::PairView<'_>) -> CandidatePairStats {
        let PeerConnection { transport, .. } = self.connection;
        let (ice, carried) = (&transport.ice, transport.traffic().on(pair.path));
        CandidatePairStats {
            id: self.pair_id(&pair),
            timestamp: self.timestamp(),
            transport_id: TRANSPORT.to_owned(),
            local_candidate_id: self.candidate_id("L", pair.local),
            remote_candidate_id: self.candidate_id("R", pair.remote),
            state: mapping::check_state(pair.state),
            nominated: pair.is_nominated,
            packets_sent: carried.packets_sent,
            packets_received: carried.packets_received,
            bytes_sent: carried.bytes_sent,
            bytes_received: carried.bytes_received,
            last_packet_sent_timestamp: carried.last_sent.map(|at| self.at(at)),
            last_packet_received_timestamp: carried.last_received.map(|at| self.at(at)),
            total_round_trip_time: pair.stats.round_trip_time_total,
            current_round_trip_time: pair.round_trip_time,
            available_outgoing_bitrate: self
                .connection
                .target_bitrate()
                .filter(|_| ice.selected_path() == Some(pair.path)),
            requests_received: pair.stats.requests_received,
            requests_sent: pair.stats.requests_sent,
            responses_received: pair.stats.responses_received,
            responses_sent: pair.stats.responses_sent,
            consent_requests_sent: pair.stats.consent_requests_sent,
        }
    }

    fn media(&mut self, transceiver: &Transceiver) {
        let Some(parameters) = &transceiver.negotiated else { return };
        let frames = self.connection.frame_stats(transceiver.id);
        for stats in self.connection.receiver_stats(transceiver.id) {
            let codec_id = self.codec(transceiver, "I", &parameters.receive_codecs, stats.payload_type);
            let frames = frames.iter().rfind(|(ssrc, _)| *ssrc == stats.ssrc).map(|(_, frames)| *frames);
            let stream = Stream { ssrc: stats.ssrc, kind: transceiver.kind, mid: transceiver.mid.clone(), codec_id };
            self.inbound(&stream, stats, frames, parameters);
        }
        let Some(send) = &transceiver.send else { return };
        for (rid, is_active, stats) in self.connection.streams_sent(transceiver.id) {
            let place = send.layers.iter().position(|layer| Some(layer.rid.as_str()) == rid);
            let layer = place.and_then(|place| send.layers.get(place));
            let (ssrc, rtx_ssrc) = layer.map_or((send.ssrc, send.rtx_ssrc), |layer| (layer.ssrc, layer.rtx_ssrc));
            let codec_id = self.codec(transceiver, "O", &parameters.send_codecs, stats.payload_type);
            let stream = Stream { ssrc, kind: transceiver.kind, mid: transceiver.mid.clone(), codec_id };
            let has_rtx = parameters.send_codecs.iter().any(|codec| codec.rtx.is_some());
            let encoding = Encoding { index: place.unwrap_or(0), rid, is_active };
            self.outbound(&stream, encoding, stats, rtx_ssrc.filter(|_| has_rtx));
        }
    }

    /// The codec of a stream, told once.
    fn codec(
        &mut self,
        transceiver: &Transceiver,
        way: &str,
        negotiated: &[NegotiatedCodec],
        payload_type: Option<u8>,
    ) -> Option<String> {
        let codec = negotiated.iter().find(|codec| Some(codec.payload_type) == payload_type)?;
        let mid = transceiver.mid.as_deref().unwrap_or_default();
        let id = format!("CO{way}:{mid}:{}", codec.payload_type);
        if !self.found.iter().any(|found| found.id() == id) {
            self.found.push(Stats::Codec(CodecStats {
                id: id.clone(),
                timestamp: self.timestamp(),
                payload_type: codec.payload_type,
                transport_id: TRANSPORT.to_owned(),
                mime_type: format!("{}/{}", transceiver.kind.as_str(), codec.name),
                clock_rate: codec.clock_rate,
                channels: (transceiver.kind == MediaKind::Audio).then_some(codec.channels),
                sdp_fmtp_line: Some(codec.parameters.clone()).filter(|parameters| !parameters.is_empty()),
            }));
        }
        Some(id)
    }

    fn inbound(
        &mut self,
        stream: &Stream,
        stats: ReceiverStats,
        frames: Option<FrameStats>,
        parameters: &MediaParameters,
    ) {
        let Stream { ssrc, kind, mid, codec_id } = stream.clone();
        let has_reported = stats.sender_reports_received > 0;
        let has_rtx = parameters.receive_codecs.iter().any(|codec| codec.rtx.is_some());
        let described = parameters.remote_rtx.iter().find(|(media, _)| *media == ssrc);
        // A source that begins anew is counted from nothing.
        let began = stats.first_arrival.map(|at| self.at(at).0.as_millis()).unwrap_or_default();
        let [id, remote_id] = ["IR", "ROR"].map(|kind| format!("{kind}{ssrc}:{began}"));
        let of_pictures = |count: u64| (kind == MediaKind::Video).then_some(count);
        self.found.push(Stats::InboundRtp(InboundRtpStats {
            id: id.clone(),
            timestamp: self.timestamp(),
            ssrc,
            kind: kind.as_str(),
            transport_id: TRANSPORT.to_owned(),
            codec_id: codec_id.clone(),
            packets_received: stats.packets_received,
            packets_lost: stats.packets_lost,
            jitter: stats.jitter,
            track_identifier: parameters.remote_track_id.clone(),
            mid,
            remote_id: has_reported.then(|| remote_id.clone()),
            last_packet_received_timestamp: stats.last_arrival.map(|at| self.at(at)),
            header_bytes_received: stats.header_bytes_received,
            packets_discarded: frames.map(|frames| frames.jitter.dropped_late + frames.jitter.dropped_full),
            bytes_received: stats.bytes_received,
            nack_count: stats.nacks_sent,
            fir_count: of_pictures(stats.firs_sent),
            pli_count: of_pictures(stats.plis_sent),
            jitter_buffer_delay: frames.map(|frames| frames.delay_total),
            jitter_buffer_target_delay: frames.map(|frames| frames.target_delay_total),
            jitter_buffer_emitted_count: frames.map(|frames| frames.delay_units),
            frames_received: frames.and_then(|frames| of_pictures(frames.frames)),
            retransmitted_packets_received: has_rtx.then_some(stats.retransmitted_packets_received),
            retransmitted_bytes_received: has_rtx.then_some(stats.retransmitted_bytes_received),
            rtx_ssrc: stats.rtx_ssrc.or(described.map(|(_, rtx)| *rtx)).filter(|_| has_rtx),
        }));
        if has_reported {
            self.found.push(Stats::RemoteOutboundRtp(RemoteOutboundRtpStats {
                id: remote_id,
                timestamp: stats.remote_report_arrival.map_or_else(|| self.timestamp(), |at| self.at(at)),
                ssrc,
                kind: kind.as_str(),
                transport_id: TRANSPORT.to_owned(),
                codec_id,
                local_id: id,
                packets_sent: stats.remote_packets_sent,
                bytes_sent: stats.remote_bytes_sent,
                remote_timestamp: stats.remote_time.and_then(|time| time.checked_sub(NTP_TO_UNIX)).map(Timestamp),
                reports_sent: stats.sender_reports_received,
            }));
        }
    }

    fn outbound(&mut self, stream: &Stream, encoding: Encoding<'_>, stats: SenderStats, rtx_ssrc: Option<u32>) {
        let Stream { ssrc, kind, mid, codec_id } = stream.clone();
        let has_reported = stats.reports_received > 0;
        let of_pictures = |count: u64| (kind == MediaKind::Video).then_some(count);
        self.found.push(Stats::OutboundRtp(OutboundRtpStats {
            id: format!("OR{ssrc}"),
            timestamp: self.timestamp(),
            ssrc,
            kind: kind.as_str(),
            transport_id: TRANSPORT.to_owned(),
            codec_id: codec_id.clone(),
            packets_sent: stats.packets_sent + stats.packets_resent,
            bytes_sent: stats.bytes_sent + stats.bytes_resent,
            mid,
            rid: encoding.rid.map(str::to_owned),
            encoding_index: of_pictures(encoding.index as u64).map(|index| index as u32),
            remote_id: has_reported.then(|| format!("RIR{ssrc}")),
            header_bytes_sent: stats.header_bytes_sent + stats.header_bytes_resent,
            retransmitted_packets_sent: stats.packets_resent,
            retransmitted_bytes_sent: stats.bytes_resent,
            rtx_ssrc,
            frames_sent: of_pictures(stats.markers_sent),
            nack_count: stats.nacks_received,
            fir_count: of_pictures(stats.firs_received),
            pli_count: of_pictures(stats.plis_received),
            active: encoding.is_active,
        }));
        if has_reported {
            self.found.push(Stats::RemoteInboundRtp(RemoteInboundRtpStats {
                id: format!("RIR{ssrc}"),
                timestamp: stats.last_report_arrival.map_or_else(|| self.timestamp(), |at| self.at(at)),
                ssrc,
                kind: kind.as_str(),
                transport_id: TRANSPORT.to_owned(),
                codec_id,
                local_id: format!("OR{ssrc}"),
                packets_lost: stats.remote_packets_lost.into(),
                jitter: stats.remote_jitter,
                round_trip_time: stats.round_trip_time,
                total_round_trip_time: stats.round_trip_time_total,
                round_trip_time_measurements: stats.round_trip_time_measurements,
                fraction_lost: f64::from(stats.remote_fraction_lost) / 256.0,
            }));
        }
    }

    fn channels(&mut self) {
        let timestamp = self.timestamp();
        self.found.extend(self.connection.data_channels().map(|(id, channel)| {
            let stats = channel.stats();
            Stats::DataChannel(DataChannelStats {
                id: format!("D{}", id.number()),
                timestamp,
                label: channel.label().to_owned(),
                protocol: channel.protocol().to_owned(),
                data_channel_identifier: channel.stream(),
                state: mapping::channel_state(channel.state()),
                messages_sent: stats.messages_sent,
                bytes_sent: stats.bytes_sent,
                messages_received: stats.messages_received,
                bytes_received: stats.bytes_received,
            })
        }));
    }
}

/// How candidates and pairs are named, and what is not told of them.
impl Collector<'_> {
    /// Who begins anew has other candidates and pairs, though their addresses are the same: they are counted from nothing.
    fn candidate_id(&self, side: &str, candidate: &ice::Candidate) -> String {
        let ice::Candidate { kind, protocol, address, base, name, .. } = candidate;
        let (kind, protocol) = (mapping::candidate_type(*kind), mapping::protocol_name(*protocol));
        let at = match name {
            Some(name) => format!("{name}:{}", address.port()),
            None if side == "R" && self.is_secret(candidate) => self.token(*address),
            None => format!("{address}:{}", self.place(*base)),
        };
        format!("{side}{}:{kind}:{protocol}:{at}", self.generation())
    }

    fn pair_id(&self, pair: &ice::PairView<'_>) -> String {
        let (path, name) = (pair.path, pair.remote.name.as_ref());
        let remote = match name {
            Some(name) => format!("{name}:{}", path.remote.port()),
            None if self.is_secret(pair.remote) => self.token(path.remote),
            None => path.remote.to_string(),
        };
        let (protocol, local) = (mapping::protocol_name(path.protocol), self.place(path.local));
        format!("CP{}:{protocol}:{local}:{remote}", self.generation())
    }

    fn generation(&self) -> u32 {
        self.connection.transport.ice.generation()
    }

    /// An address of ours, or its name.
    fn place(&self, address: SocketAddr) -> String {
        match self.connection.transport.ice.name_of_local_address(address.ip()) {
            Some(name) => format!("{name}:{}", address.port()),
            None => address.to_string(),
        }
    }

    /// Whether the address of a remote candidate is not told, which may be ours, too: of a peer on the same machine.
    ///
    /// draft-ietf-mmusic-mdns-ice-candidates §3.3.1: "statistics related to ICE candidates MUST NOT contain the IP address of any
    /// peer-reflexive candidate, unless that IP has already been learned through signaling of a candidate with the same address and either
    /// the same or a different port".
    fn is_secret(&self, candidate: &ice::Candidate) -> bool {
        let PeerConnection { transport, config, .. } = self.connection;
        let is_told = |known: &ice::Candidate| !known.may_be_hidden() && known.address.ip() == candidate.address.ip();
        config.hide_local_addresses
            && candidate.kind == ice::Kind::PeerReflexive
            && !transport.ice.remote_candidates().iter().any(is_told)
    }

    /// What stands for an address that is not told: the same each time, and it tells nothing.
    fn token(&self, address: SocketAddr) -> String {
        format!("{:016x}", Rng::new(self.connection.seed.fork(&format!("shown {address}"))).u64())
    }
}

/// draft-ietf-mmusic-mdns-ice-candidates §3.3.1: "Statistics related to ICE candidates that are accessible to the web application MUST NOT
/// contain the IP address of a local or remote mDNS candidate; the mDNS name SHOULD be used instead."
fn shown(candidate: &ice::Candidate) -> String {
    candidate.name.clone().unwrap_or_else(|| candidate.address.ip().to_string())
}

fn nowhere(candidate: &ice::Candidate) -> String {
    if candidate.address.is_ipv4() { "0.0.0.0" } else { "::" }.to_owned()
}
