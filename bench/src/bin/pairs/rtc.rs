//! rtc, which has no RustCrypto.

use super::{Peer, Use, address};
use bytes::BytesMut;
use rtc::crypto::providers::AwsLcRsProvider;
use rtc::data_channel::RTCDataChannelInit;
use rtc::peer_connection::configuration::RTCConfigurationBuilder;
use rtc::peer_connection::configuration::media_engine::MediaEngine;
use rtc::peer_connection::configuration::setting_engine::SettingEngineBuilder;
use rtc::peer_connection::event::{RTCDataChannelEvent, RTCPeerConnectionEvent};
use rtc::peer_connection::transport::{CandidateConfig, CandidateHostConfig, RTCIceCandidate};
use rtc::peer_connection::{RTCPeerConnection, RTCPeerConnectionBuilder};
use rtc::rtp_transceiver::rtp_sender::RtpCodecKind;
use rtc::sansio::Protocol;
use rtc::shared::{TaggedBytesMut, TransportContext, TransportProtocol};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(super) const NAME: &str = "rtc 0.21, aws-lc-rs";

pub(super) struct Rtc {
    connection: RTCPeerConnection,
    side: usize,
    is_open: bool,
    timeout: Instant,
}

impl Peer for Rtc {
    fn poll(&mut self, now: Instant, out: &mut VecDeque<Vec<u8>>) {
        if now >= self.timeout {
            let _ = self.connection.handle_timeout(now);
        }
        while let Some(event) = self.connection.poll_event() {
            self.is_open |= matches!(event, RTCPeerConnectionEvent::OnDataChannel(RTCDataChannelEvent::OnOpen(_)));
        }
        while self.connection.poll_read().is_some() {}
        while let Some(transmit) = self.connection.poll_write() {
            out.push_back(transmit.message.to_vec());
        }
        self.timeout = self.connection.poll_timeout().unwrap_or(now + Duration::from_secs(1));
    }

    fn handle_input(&mut self, datagram: Vec<u8>, now: Instant) {
        let transport = TransportContext {
            local_addr: address(self.side),
            peer_addr: address(1 - self.side),
            ecn: None,
            transport_protocol: TransportProtocol::UDP,
        };
        let message = BytesMut::from(datagram.as_slice());
        let _ = self.connection.handle_read(TaggedBytesMut { now, transport, message });
    }

    fn timeout(&self) -> Instant {
        self.timeout
    }

    fn is_open(&self) -> bool {
        self.is_open
    }
}

pub(super) fn pair(uses: Use, now: Instant) -> [Rtc; 2] {
    let mut pair = [0, 1].map(|side| {
        let engine = SettingEngineBuilder::new().with_crypto_provider(Arc::new(AwsLcRsProvider::default())).build();
        let builder = RTCPeerConnectionBuilder::new().with_configuration(RTCConfigurationBuilder::new().build());
        let mut codecs = MediaEngine::default();
        codecs.register_default_codecs().expect("codecs");
        let builder = builder.with_setting_engine(engine).with_media_engine(codecs);
        let mut connection = builder.build(now).expect("a connection");
        let base_config = CandidateConfig {
            network: "udp".into(),
            address: address(side).ip().to_string(),
            port: address(side).port(),
            component: 1,
            ..Default::default()
        };
        let candidate = CandidateHostConfig { base_config, ..Default::default() }.new_candidate_host();
        let candidate = RTCIceCandidate::from(&candidate.expect("a candidate")).to_json().expect("JSON");
        connection.add_local_candidate(candidate).expect("a candidate");
        Rtc { connection, side, is_open: false, timeout: now }
    });
    let [a, z] = pair.each_mut().map(|peer| &mut peer.connection);
    a.create_data_channel("chat", Some(RTCDataChannelInit { ordered: true, ..Default::default() })).expect("a channel");
    if uses.has_media {
        for kind in [RtpCodecKind::Audio, RtpCodecKind::Video] {
            a.add_transceiver_from_kind(kind, None).expect("a transceiver");
        }
    }
    let offer = a.create_offer(None).expect("an offer");
    a.set_local_description(now, offer.clone()).expect("its own");
    z.set_remote_description(now, offer).expect("a right offer");
    let answer = z.create_answer(None).expect("an answer");
    z.set_local_description(now, answer.clone()).expect("its own");
    a.set_remote_description(now, answer).expect("a right answer");
    pair
}
