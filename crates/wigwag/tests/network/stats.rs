//! W3C `getStats`: its names, and values that agree with what was sent.

use crate::common::{Peer, dissect};
use crate::media::{call, picture, sound};
use std::time::Duration;
use wigwag::stats::{
    CandidatePairStats, CertificateStats, CodecStats, DataChannelStats, InboundRtpStats, LocalCandidateStats,
    OutboundRtpStats, RemoteInboundRtpStats, RemoteOutboundRtpStats, RtcTransportStats, Stats,
};
use wigwag::{DataChannelInit, Direction, Frame, MediaKind, StatsReport, TransceiverId};
use wigwag_sim::{A, Host, World, Z, address};

/// The members of each dictionary in the IDL of webrtc-stats, besides those of `RTCStats`, as written there.
const W3C: &[(&str, &str)] = &[
    ("codec", "payloadType transportId mimeType clockRate channels sdpFmtpLine"),
    (
        "inbound-rtp",
        "ssrc kind transportId codecId packetsReceived packetsReceivedWithEct1 packetsReceivedWithCe \
         packetsReportedAsLost packetsReportedAsLostButRecovered packetsLost jitter trackIdentifier mid remoteId \
         framesDecoded keyFramesDecoded framesRendered framesDropped frameWidth frameHeight framesPerSecond qpSum \
         totalDecodeTime totalInterFrameDelay totalSquaredInterFrameDelay pauseCount totalPausesDuration freezeCount \
         totalFreezesDuration lastPacketReceivedTimestamp headerBytesReceived packetsDiscarded fecBytesReceived \
         fecPacketsReceived fecPacketsDiscarded bytesReceived nackCount firCount pliCount totalProcessingDelay \
         estimatedPlayoutTimestamp jitterBufferDelay jitterBufferTargetDelay jitterBufferEmittedCount \
         jitterBufferMinimumDelay totalSamplesReceived concealedSamples silentConcealedSamples concealmentEvents \
         insertedSamplesForDeceleration removedSamplesForAcceleration audioLevel totalAudioEnergy totalSamplesDuration \
         framesReceived decoderImplementation playoutId powerEfficientDecoder framesAssembledFromMultiplePackets \
         totalAssemblyTime retransmittedPacketsReceived retransmittedBytesReceived rtxSsrc fecSsrc \
         totalCorruptionProbability totalSquaredCorruptionProbability corruptionMeasurements",
    ),
    (
        "outbound-rtp",
        "ssrc kind transportId codecId packetsSent bytesSent mid mediaSourceId remoteId rid encodingIndex \
         headerBytesSent retransmittedPacketsSent retransmittedBytesSent rtxSsrc targetBitrate totalEncodedBytesTarget \
         frameWidth frameHeight framesPerSecond framesSent hugeFramesSent framesEncoded keyFramesEncoded qpSum psnrSum \
         psnrMeasurements totalEncodeTime totalPacketSendDelay qualityLimitationReason qualityLimitationDurations \
         qualityLimitationResolutionChanges nackCount firCount pliCount encoderImplementation powerEfficientEncoder \
         active scalabilityMode packetsSentWithEct1",
    ),
    (
        "remote-inbound-rtp",
        "ssrc kind transportId codecId packetsReceived packetsReceivedWithEct1 packetsReceivedWithCe \
         packetsReportedAsLost packetsReportedAsLostButRecovered packetsLost jitter localId roundTripTime \
         totalRoundTripTime fractionLost roundTripTimeMeasurements packetsWithBleachedEct1Marking",
    ),
    (
        "remote-outbound-rtp",
        "ssrc kind transportId codecId packetsSent bytesSent localId remoteTimestamp reportsSent roundTripTime \
         totalRoundTripTime roundTripTimeMeasurements",
    ),
    ("peer-connection", "dataChannelsOpened dataChannelsClosed"),
    (
        "data-channel",
        "label protocol dataChannelIdentifier state messagesSent bytesSent messagesReceived bytesReceived",
    ),
    (
        "transport",
        "packetsSent packetsReceived bytesSent bytesReceived iceRole iceLocalUsernameFragment dtlsState iceState \
         selectedCandidatePairId localCertificateId remoteCertificateId tlsVersion dtlsCipher dtlsRole srtpCipher \
         selectedCandidatePairChanges ccfbMessagesSent ccfbMessagesReceived",
    ),
    (
        "candidate-pair",
        "transportId localCandidateId remoteCandidateId state nominated packetsSent packetsReceived bytesSent \
         bytesReceived lastPacketSentTimestamp lastPacketReceivedTimestamp totalRoundTripTime currentRoundTripTime \
         availableOutgoingBitrate availableIncomingBitrate requestsReceived requestsSent responsesReceived \
         responsesSent consentRequestsSent packetsDiscardedOnSend bytesDiscardedOnSend",
    ),
    ("local-candidate", CANDIDATE),
    ("remote-candidate", CANDIDATE),
    ("certificate", "fingerprint fingerprintAlgorithm base64Certificate issuerCertificateId"),
];
const CANDIDATE: &str = "transportId address port protocol candidateType priority url relayProtocol foundation \
                         relatedAddress relatedPort usernameFragment tcpType";

fn report(world: &World<Peer>, host: Host) -> StatsReport {
    world[host].connection.stats(world.now())
}

macro_rules! all {
    ($report:expr, $kind:ident) => {
        $report.iter().filter_map(|stats| if let Stats::$kind(stats) = stats { Some(stats) } else { None })
    };
}

macro_rules! only {
    ($report:expr, $kind:ident) => {{
        let mut all = all!($report, $kind);
        let first = all.next().expect("there is one");
        assert!(all.next().is_none(), "and no other");
        first
    }};
}

/// Sound and pictures both ways and a chat, over a path on which some packets are lost, but not the last.
fn busy_call(seed: u64) -> (World<Peer>, Vec<[TransceiverId; 2]>) {
    let (mut world, ids) = call(seed, &[MediaKind::Audio, MediaKind::Video]);
    let init = DataChannelInit::default().protocol("p").negotiated(7);
    let channels = [A, Z].map(|host| world[host].connection.create_data_channel("chat", init.clone()).unwrap());
    crate::media::negotiate_from(&mut world, A);
    world.run_for(Duration::from_secs(1));
    world.links(A, Z, |link| {
        link.loss(5.0);
    });
    for n in 0..300 {
        if n == 270 {
            world.links(A, Z, |link| {
                link.loss(0.0);
            });
        }
        for (at, host) in [A, Z].into_iter().enumerate() {
            world[host].connection.write_packet(ids[0][at], sound(n)).unwrap();
            world[host].connection.write_packet(ids[1][at], picture(n)).unwrap();
        }
        if n % 3 == 0 {
            world[A].connection.send(channels[0], vec![7; 100].into(), true).unwrap();
        }
        world.run_for(Duration::from_millis(20));
    }
    world.run_for(Duration::from_secs(5));
    (world, ids)
}

#[test]
fn types_and_members_have_the_names_that_w3c_gives_them_and_ids_name_objects_of_the_report() {
    let (world, _) = busy_call(600);
    for host in [A, Z] {
        let report = report(&world, host);
        let mut seen = std::collections::BTreeSet::new();
        for stats in report.iter() {
            let (_, members) = W3C.iter().find(|(kind, _)| *kind == stats.kind()).expect("a type of W3C");
            let json = stats.to_json();
            for member in stats.members() {
                assert!(members.split_whitespace().any(|name| name == *member), "{} has no {member}", stats.kind());
                // An id names an object that is there.
                let value = json.split_once(&format!("\"{member}\":\"")).and_then(|(_, rest)| rest.split_once('"'));
                if let Some((id, _)) = value.filter(|_| member.ends_with("Id")) {
                    assert!(report.get(id).is_some(), "{} names {id} as its {member}", stats.kind());
                }
            }
            assert!(seen.insert(stats.id().to_owned()), "{} names two", stats.id());
            let start = format!("{{\"id\":\"{}\",\"timestamp\":", stats.id());
            assert!(json.starts_with(&start) && json.contains(&format!(",\"type\":\"{}\"", stats.kind())), "{json}");
        }
        let kinds: std::collections::BTreeSet<_> = report.iter().map(Stats::kind).collect();
        assert_eq!(kinds.len(), W3C.len(), "{kinds:?}");
        let json = report.to_json();
        assert!(json.starts_with("{\"P\":{\"id\":\"P\"") && json.ends_with("}}"));
        assert!(!json.contains("null") && !json.contains(",,") && !json.contains("{,"), "{json}");
        let again = world[host].connection.stats(world.now());
        assert_eq!(again, report, "it is told without being changed");
    }
}

#[test]
fn streams_are_counted_as_they_were_sent_and_as_they_arrived() {
    let (world, ids) = busy_call(601);
    let [a, z] = [A, Z].map(|host| report(&world, host));
    for (at, kind) in ["audio", "video"].into_iter().enumerate() {
        let find = |report: &StatsReport| all!(report, OutboundRtp).find(|found| found.kind == kind).cloned();
        let sent: OutboundRtpStats = find(&a).expect("A sends");
        let arrived: &InboundRtpStats = all!(z, InboundRtp).find(|found| found.ssrc == sent.ssrc).expect("it arrived");
        let payload = if kind == "audio" { 80 } else { 1080 };
        assert_eq!(sent.packets_sent, 300 + sent.retransmitted_packets_sent);
        assert_eq!(sent.bytes_sent, payload * sent.packets_sent);
        assert_eq!(sent.retransmitted_bytes_sent, payload * sent.retransmitted_packets_sent);
        assert_eq!(arrived.bytes_received, payload * arrived.packets_received);
        // RFC 3550 counts a stream; what came again came in another (RFC 4588).
        let again = arrived.retransmitted_packets_received.unwrap_or(0);
        assert_eq!(arrived.packets_lost, 300 - i64::try_from(arrived.packets_received - again).unwrap());
        assert_eq!(arrived.retransmitted_bytes_received.unwrap_or(0), payload * again);
        assert_eq!(arrived.rtx_ssrc, sent.rtx_ssrc);
        assert_eq!(sent.mid.as_deref(), world[A].connection.transceiver(ids[at][0]).unwrap().mid.as_deref());
        if kind == "audio" {
            assert!(arrived.packets_lost > 0 && sent.retransmitted_packets_sent == 0 && sent.rtx_ssrc.is_none());
            assert_eq!((sent.frames_sent, arrived.pli_count, arrived.fir_count), (None, None, None));
        } else {
            assert!(arrived.packets_lost > 0 && sent.rtx_ssrc.is_some());
            assert_eq!(arrived.packets_received, 300, "what is lost is sent again");
            assert_eq!((sent.frames_sent, arrived.pli_count), (Some(100), Some(0)));
        }
        // Some NACKs were lost.
        assert!(arrived.nack_count >= sent.nack_count, "{arrived:?} {sent:?}");

        let heard = a.get(sent.remote_id.as_ref().expect("Z has reported")).expect("and it is told");
        let Stats::RemoteInboundRtp(heard) = heard else { panic!("{heard:?}") };
        let heard: &RemoteInboundRtpStats = heard;
        assert_eq!((heard.packets_lost, &heard.local_id, heard.ssrc), (arrived.packets_lost, &sent.id, sent.ssrc));
        assert_eq!(heard.jitter, arrived.jitter);
        let share = world[A].connection.sender_stats(ids[at][0]).unwrap().remote_fraction_lost;
        assert_eq!(heard.fraction_lost, f64::from(share) / 256.0);
        assert!((0.0..0.5).contains(&heard.fraction_lost), "a share, not a percentage or a count");
        let round_trip = heard.round_trip_time.expect("it was measured");
        assert!((40..60).contains(&round_trip.as_millis()), "twice 20 ms: {round_trip:?}");
        let mean = heard.total_round_trip_time / u32::try_from(heard.round_trip_time_measurements).unwrap();
        assert!(mean.abs_diff(round_trip) < Duration::from_millis(20), "{mean:?}");

        let told = z.get(arrived.remote_id.as_ref().expect("A has reported")).expect("and it is told");
        let Stats::RemoteOutboundRtp(told) = told else { panic!("{told:?}") };
        let told: &RemoteOutboundRtpStats = told;
        assert_eq!((told.packets_sent, &told.local_id), (300, &arrived.id), "RTCP counts what is sent anew");
        assert!(told.reports_sent > 3);
        let apart = told.timestamp.0.saturating_sub(told.remote_timestamp.expect("A has a wall clock").0);
        assert!((15..40).contains(&apart.as_millis()), "20 ms on the way: {apart:?}");

        let Some(Stats::Codec(codec)) = z.get(arrived.codec_id.as_ref().unwrap()) else { panic!("no codec") };
        let codec: &CodecStats = codec;
        let expected = if kind == "audio" { ("audio/opus", 111, 48_000) } else { ("video/VP8", 96, 90_000) };
        assert_eq!((codec.mime_type.as_str(), codec.payload_type, codec.clock_rate), expected);
        assert_eq!(codec.channels, (kind == "audio").then_some(2));
        assert_eq!(codec.sdp_fmtp_line.as_deref(), (kind == "audio").then_some("minptime=10;useinbandfec=1"));
    }
}

#[test]
fn the_transport_and_its_pair_count_what_the_network_carried() {
    let (world, _) = busy_call(602);
    let [a, z] = [A, Z].map(|host| report(&world, host));
    let is_carried = |from: Host| {
        let records = world.trace().records().iter();
        records
            .filter(move |record| record.from == address(from) && record.payload.first().is_none_or(|first| *first > 3))
    };
    for (report, host) in [(&a, A), (&z, Z)] {
        let other = if host == A { Z } else { A };
        let transport: &RtcTransportStats = only!(report, Transport);
        let (packets, bytes) =
            is_carried(host).fold((0, 0), |(n, len), record| (n + 1, len + record.payload.len() as u64));
        assert_eq!((transport.packets_sent, transport.bytes_sent), (packets, bytes));
        let arrived = is_carried(other).filter(|record| record.fate != wigwag_sim::Fate::Lost).count();
        assert_eq!(transport.packets_received, arrived as u64);
        assert_eq!((transport.dtls_state, transport.ice_state.as_str()), ("connected", "completed"));
        let roles = if host == A { ("controlling", "server") } else { ("controlled", "client") };
        assert_eq!((transport.ice_role, transport.dtls_role), roles);
        // What the connection says of itself, in W3C's form.
        let ours = world[host].connection.transport_stats();
        let version = ours.dtls_version.map(|version| format!("{:04X}", version.wire()));
        assert!(version.is_some() && transport.tls_version == version, "{:?}", transport.tls_version);
        assert_eq!(transport.dtls_cipher, ours.cipher_suite.map(|suite| suite.to_string()));
        assert_eq!(transport.srtp_cipher.as_deref(), Some("SRTP_AEAD_AES_128_GCM"));
        assert_eq!(transport.ice_local_username_fragment, world[host].connection.local_ufrag());

        let pair = report.get(transport.selected_candidate_pair_id.as_ref().expect("a pair is selected"));
        let Some(Stats::CandidatePair(pair)) = pair else { panic!("{pair:?}") };
        let pair: &CandidatePairStats = pair;
        assert_eq!((pair.state, pair.nominated), ("succeeded", true));
        assert_eq!((pair.packets_sent, pair.bytes_received), (transport.packets_sent, transport.bytes_received));
        let requests = |from: Host| {
            let records = world.trace().records().iter();
            records
                .filter(|record| record.from == address(from) && dissect(&record.payload) == "Binding request")
                .count()
        };
        assert_eq!(pair.requests_sent + pair.consent_requests_sent, requests(host) as u64);
        assert!(pair.consent_requests_sent > 0 && pair.responses_received > 0 && pair.responses_sent > 0);
        assert!(pair.requests_received <= requests(other) as u64 && pair.requests_received > 1);
        let round_trip = pair.current_round_trip_time.expect("it was measured");
        assert!((40..50).contains(&round_trip.as_millis()), "{round_trip:?}");
        assert!(pair.total_round_trip_time >= round_trip);
        assert_eq!(transport.selected_candidate_pair_changes, 1);
        assert!(pair.last_packet_sent_timestamp.is_some() && pair.last_packet_received_timestamp.is_some());

        let Some(Stats::LocalCandidate(local)) = report.get(&pair.local_candidate_id) else { panic!("no candidate") };
        let local: &LocalCandidateStats = local;
        assert_eq!((local.address.clone(), local.port), (address(host).ip().to_string(), address(host).port()));
        assert_eq!((local.candidate_type, local.protocol), ("host", "udp"));
        let Some(Stats::RemoteCandidate(remote)) = report.get(&pair.remote_candidate_id) else {
            panic!("no candidate")
        };
        assert_eq!(remote.username_fragment.as_deref(), Some(world[other].connection.local_ufrag()));
    }
    // Each shows the certificate that its description promised.
    let certificate = |report: &StatsReport, id: Option<&String>| -> CertificateStats {
        let Some(Stats::Certificate(found)) = report.get(id.expect("it was shown")) else { panic!("no certificate") };
        found.clone()
    };
    let (ours, theirs) = (only!(a, Transport), only!(z, Transport));
    let shown = certificate(&a, Some(&ours.local_certificate_id));
    let seen = certificate(&z, theirs.remote_certificate_id.as_ref());
    assert_eq!((&shown.fingerprint, &shown.base64_certificate), (&seen.fingerprint, &seen.base64_certificate));
    let line = format!("a=fingerprint:{} {}", shown.fingerprint_algorithm, shown.fingerprint);
    assert!(world[A].connection.local_description().unwrap().sdp.contains(&line), "{line}");
}

#[test]
fn data_channels_count_their_messages_and_the_connection_its_channels() {
    let (mut world, _) = busy_call(603);
    let [a, z] = [A, Z].map(|host| report(&world, host));
    let (sent, received): (&DataChannelStats, &DataChannelStats) = (only!(a, DataChannel), only!(z, DataChannel));
    assert_eq!((sent.label.as_str(), sent.protocol.as_str(), sent.state), ("chat", "p", "open"));
    assert_eq!(sent.data_channel_identifier, Some(7));
    assert_eq!((sent.messages_sent, sent.bytes_sent, sent.messages_received), (100, 10_000, 0));
    assert_eq!((received.messages_received, received.bytes_received, received.messages_sent), (100, 10_000, 0));
    let counts = |world: &World<Peer>, host| {
        let report = report(world, host);
        let stats = only!(report, PeerConnection);
        (stats.data_channels_opened, stats.data_channels_closed)
    };
    assert_eq!([counts(&world, A), counts(&world, Z)], [(1, 0); 2]);
    let more = world[Z].connection.create_data_channel("more", DataChannelInit::default()).unwrap();
    world.run_for(Duration::from_secs(1));
    assert_eq!([counts(&world, A), counts(&world, Z)], [(2, 0); 2]);
    world[Z].connection.close_data_channel(more);
    world.run_for(Duration::from_secs(1));
    assert_eq!([counts(&world, A), counts(&world, Z)], [(2, 1); 2]);
}

#[test]
fn frames_are_counted_where_they_are_frames() {
    let (mut world, ids) = call(604, &[MediaKind::Audio, MediaKind::Video]);
    for id in [ids[0][1], ids[1][1]] {
        world[Z].connection.receive_frames(id).unwrap();
    }
    for n in 0..50u32 {
        let sound = Frame::new(111, n * 960, vec![0x78; 60].into());
        world[A].connection.write_frame(ids[0][0], sound).unwrap();
        let picture = Frame::new(96, n * 1_800, vec![u8::from(n > 0); 3_000].into());
        world[A].connection.write_frame(ids[1][0], picture).unwrap();
        world.run_for(Duration::from_millis(20));
    }
    world.run_for(Duration::from_secs(2));
    let [a, z] = [A, Z].map(|host| report(&world, host));
    let sent = all!(a, OutboundRtp).find(|found| found.kind == "video").unwrap();
    assert_eq!((sent.frames_sent, sent.packets_sent), (Some(50), 150));
    for (kind, units) in [("audio", 50 * 960), ("video", 50)] {
        let found = all!(z, InboundRtp).find(|found| found.kind == kind).unwrap();
        assert_eq!(found.frames_received, (kind == "video").then_some(50));
        assert_eq!((found.jitter_buffer_emitted_count, found.packets_discarded), (Some(units), Some(0)));
        let delay = found.jitter_buffer_delay.unwrap() / u32::try_from(units).unwrap();
        let target = found.jitter_buffer_target_delay.unwrap() / u32::try_from(units).unwrap();
        assert!(
            (9..40).contains(&delay.as_millis()) && delay.abs_diff(target) < Duration::from_millis(10),
            "{delay:?}"
        );
    }
}

#[test]
fn before_anything_is_negotiated_little_is_known_and_that_is_told() {
    let mut world = crate::common::pair(605);
    let fresh = report(&world, A);
    let kinds: Vec<_> = fresh.iter().map(Stats::kind).collect();
    assert_eq!(kinds, ["peer-connection", "transport", "certificate", "local-candidate"]);
    let transport = only!(fresh, Transport);
    assert_eq!((transport.ice_role, transport.dtls_state, transport.ice_state.as_str()), ("unknown", "new", "new"));
    assert_eq!((transport.tls_version.as_ref(), transport.srtp_cipher.as_ref()), (None, None));
    assert!(!fresh.to_json().contains("tlsVersion"), "what is not known is left out");
    world[A].connection.close();
    world.run_for(Duration::from_secs(1));
    let closed = report(&world, A);
    assert_eq!(only!(closed, Transport).ice_state, "closed");
}

/// webrtc-stats: what has one id is one object, and what it counts grows.
#[test]
fn what_is_counted_under_an_id_never_becomes_less_also_when_ice_begins_anew() {
    let (mut world, ids) = call(606, &[MediaKind::Audio]);
    let mut before = [A, Z].map(|host| report(&world, host));
    let mut selected = std::collections::BTreeSet::new();
    for round in 0..12 {
        for n in 0..20 {
            world[A].connection.write_packet(ids[0][0], sound(round * 20 + n)).unwrap();
            world.run_for(Duration::from_millis(20));
        }
        if round % 4 == 3 {
            world[A].connection.restart_ice().unwrap();
            crate::media::negotiate_from(&mut world, A);
        }
        world.run_for(Duration::from_secs(2));
        for (host, before) in [A, Z].into_iter().zip(&mut before) {
            let now = report(&world, host);
            for old in all!(before, CandidatePair) {
                let Some(Stats::CandidatePair(new)) = now.get(&old.id) else { continue };
                let counts = |pair: &CandidatePairStats| {
                    [
                        [pair.packets_sent, pair.packets_received, pair.bytes_sent, pair.bytes_received],
                        [pair.requests_sent, pair.requests_received, pair.responses_sent, pair.responses_received],
                        [
                            pair.consent_requests_sent,
                            u64::try_from(pair.total_round_trip_time.as_nanos()).unwrap(),
                            0,
                            0,
                        ],
                    ]
                    .concat()
                };
                let grows = counts(old).iter().zip(counts(new)).all(|(old, new)| *old <= new);
                assert!(grows, "round {round}: {old:?} {new:?}");
            }
            let ufrag = |report: &StatsReport, id: &str| match report.get(id) {
                Some(Stats::LocalCandidate(found)) => found.username_fragment.clone(),
                Some(Stats::RemoteCandidate(found)) => found.username_fragment.clone(),
                _ => None,
            };
            for id in now.iter().map(Stats::id) {
                let (old, new) = (ufrag(before, id), ufrag(&now, id));
                assert!(old.is_none() || old == new, "{id} was of {old:?} and is of {new:?}");
            }
            selected.extend(only!(now, Transport).selected_candidate_pair_id.clone());
            *before = now;
        }
    }
    assert!(selected.len() > 2, "{selected:?}");
}

/// ... nor when a stream is put on hold, and goes on.
#[test]
fn a_stream_that_was_on_hold_is_counted_anew_under_another_id() {
    let (mut world, ids) = call(607, &[MediaKind::Audio]);
    let mut seen = std::collections::BTreeMap::new();
    for round in 0..6 {
        for n in 0..10 {
            let _ = world[A].connection.write_packet(ids[0][0], sound(round * 10 + n));
            world.run_for(Duration::from_millis(20));
            if let Some(found) = all!(report(&world, Z), InboundRtp).next() {
                let before = seen.insert(found.id.clone(), found.packets_received);
                assert!(before.unwrap_or_default() <= found.packets_received, "{found:?}");
            }
        }
        let direction = if round % 2 == 0 { Direction::Sendonly } else { Direction::Sendrecv };
        world[Z].connection.set_direction(ids[0][1], direction).unwrap();
        crate::media::negotiate_from(&mut world, Z);
    }
    assert_eq!(seen.into_values().collect::<Vec<_>>(), [10; 3], "each time it is another");
}
