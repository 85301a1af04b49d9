//! What idle connections hold, of ours and of other stacks: bytes that the allocator has given out, in virtual time.
//!
//! A program of its own, because an allocator that counts makes everything else slower.

use allocation_counter::measure;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Connections, each a side of a pair.
const CONNECTIONS: usize = 100;
/// No handshake takes longer, and afterwards each is idle for as long.
const CONNECTING_MAX: Duration = Duration::from_secs(20);
const IDLE: Duration = Duration::from_secs(120);

/// A side of a pair, of whatever stack.
trait Peer {
    /// Lets time pass, and appends the datagrams that leave.
    fn poll(&mut self, now: Instant, out: &mut VecDeque<Vec<u8>>);
    fn handle_input(&mut self, datagram: Vec<u8>, now: Instant);
    /// When `poll` is to be called again.
    fn timeout(&self) -> Instant;
    /// Whether its data channel is open.
    fn is_open(&self) -> bool;
}

/// What the pairs of each stack agree on besides a data channel: audio and video that one side could send, or none.
#[derive(Clone, Copy)]
struct Use {
    has_media: bool,
}

fn address(side: usize) -> SocketAddr {
    ([127, 0, 0, 1], 5000 + side as u16).into()
}

/// Carries datagrams, and skips the time between them, until `is_over` or `until`.
fn run<P: Peer>(pair: &mut [P; 2], now: &mut Instant, until: Instant, is_over: impl Fn(&[P; 2]) -> bool) {
    let mut leaving = VecDeque::new();
    while *now < until && !is_over(pair) {
        let mut is_quiet = true;
        for side in [0, 1] {
            pair[side].poll(*now, &mut leaving);
            while let Some(datagram) = leaving.pop_front() {
                is_quiet = false;
                pair[1 - side].handle_input(datagram, *now);
            }
        }
        if is_quiet {
            let next = pair[0].timeout().min(pair[1].timeout());
            *now = next.max(*now + Duration::from_millis(1)).min(until);
        }
    }
}

/// Bytes held by a connection that was made and left alone.
fn held<P: Peer>(make: impl Fn(Instant) -> [P; 2]) -> f64 {
    let begin = Instant::now();
    let mut pairs = Vec::new();
    let counted = measure(|| {
        for _ in 0..CONNECTIONS / 2 {
            let mut now = begin;
            let mut pair = make(now);
            let is_open = |pair: &[P; 2]| pair.iter().all(P::is_open);
            run(&mut pair, &mut now, begin + CONNECTING_MAX, is_open);
            assert!(is_open(&pair), "not connected after {CONNECTING_MAX:?}");
            let until = now + IDLE;
            run(&mut pair, &mut now, until, |_| false);
            assert!(is_open(&pair));
            pairs.push(Box::new(pair));
        }
    });
    counted.bytes_current as f64 / CONNECTIONS as f64
}

fn main() {
    let mut rows = Vec::new();
    for (what, uses) in
        [("a data channel", Use { has_media: false }), ("audio, video and a data channel", Use { has_media: true })]
    {
        let ours = held(|now| ours::pair(uses, now));
        let peers: [(_, &dyn Fn() -> f64); 2] = [
            ("str0m 0.25", &|| held(|now| str0m_peer::pair(uses, now))),
            ("rtc 0.21", &|| held(|now| rtc_peer::pair(uses, now))),
        ];
        for (peer_name, peer) in peers {
            let (work, peer) = (format!("memory of an idle connection: {what}"), peer());
            println!("{work:62} {ours:9.0} bytes   {peer_name:12} {peer:9.0} bytes   ratio {:.2}", ours / peer);
            rows.push(serde_json::json!({
                "work": work, "unit": "bytes", "better": "lower", "ours": ours, "peer": peer, "peer_name": peer_name,
            }));
        }
    }
    if std::env::args().any(|argument| argument == "--json") {
        println!("{}", serde_json::json!({ "rows": rows }));
    }
}

mod ours {
    use super::{Peer, Use, address};
    use std::collections::VecDeque;
    use std::time::{Duration, Instant};
    use wigwag::sansio::{Datagram, Seed};
    use wigwag::{Config, DataChannelInit, Direction, Event, MediaKind, PeerConnection, WallClock};

    pub(super) struct Ours {
        connection: PeerConnection,
        side: usize,
        is_open: bool,
        timeout: Instant,
        out: Vec<u8>,
    }

    impl Peer for Ours {
        fn poll(&mut self, now: Instant, out: &mut VecDeque<Vec<u8>>) {
            self.connection.handle_timeout(now);
            while let Some(event) = self.connection.poll_event() {
                self.is_open |= matches!(event, Event::ChannelOpened(_));
            }
            while self.connection.poll_transmit(now, &mut self.out).is_some() {
                out.push_back(self.out.clone());
            }
            self.timeout = self.connection.poll_timeout(now).unwrap_or(now + Duration::from_secs(1));
            self.out = Vec::new();
        }

        fn handle_input(&mut self, mut datagram: Vec<u8>, now: Instant) {
            let (local, remote) = (address(self.side), address(1 - self.side));
            self.connection.handle_input(Datagram::udp(local, remote, &mut datagram), now);
        }

        fn timeout(&self) -> Instant {
            self.timeout
        }

        fn is_open(&self) -> bool {
            self.is_open
        }
    }

    pub(super) fn pair(uses: Use, now: Instant) -> [Ours; 2] {
        let mut pair = [0, 1].map(|side| {
            let config = Config::new(WallClock::new(now, Duration::from_secs(1_767_225_600)));
            let mut connection = PeerConnection::new(config, Seed::for_test(side as u64));
            connection.add_local_address(address(side)).expect("an address");
            Ours { connection, side, is_open: false, timeout: now, out: Vec::new() }
        });
        let [a, z] = pair.each_mut().map(|peer| &mut peer.connection);
        a.create_data_channel("chat", DataChannelInit::default()).expect("a channel");
        if uses.has_media {
            for kind in [MediaKind::Audio, MediaKind::Video] {
                a.add_transceiver(kind, Direction::Recvonly).expect("a transceiver");
            }
        }
        let offer = a.create_offer().expect("an offer");
        a.set_local_description(offer).expect("our own");
        z.set_remote_description(a.local_description().expect("it was set")).expect("a right offer");
        let answer = z.create_answer().expect("an answer");
        z.set_local_description(answer).expect("our own");
        a.set_remote_description(z.local_description().expect("it was set")).expect("a right answer");
        pair
    }
}

mod str0m_peer {
    use super::{Peer, Use, address};
    use std::collections::VecDeque;
    use std::sync::Arc;
    use std::time::Instant;
    use str0m::channel::ChannelConfig;
    use str0m::media::{Direction, MediaKind};
    use str0m::net::{Protocol, Receive};
    use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};

    pub(super) struct Str0m {
        rtc: Rtc,
        side: usize,
        is_open: bool,
        timeout: Instant,
    }

    impl Peer for Str0m {
        fn poll(&mut self, now: Instant, out: &mut VecDeque<Vec<u8>>) {
            self.rtc.handle_input(Input::Timeout(now)).expect("time passes");
            loop {
                match self.rtc.poll_output().expect("it lives") {
                    Output::Timeout(at) => {
                        self.timeout = at;
                        return;
                    }
                    Output::Transmit(transmit) => out.push_back(transmit.contents.to_vec()),
                    Output::Event(event) => self.is_open |= matches!(event, Event::ChannelOpen(..)),
                }
            }
        }

        fn handle_input(&mut self, datagram: Vec<u8>, now: Instant) {
            let contents = datagram.as_slice().try_into().expect("a datagram");
            let (source, destination) = (address(1 - self.side), address(self.side));
            let receive = Receive { proto: Protocol::Udp, source, destination, contents };
            self.rtc.handle_input(Input::Receive(now, receive)).expect("it lives");
        }

        fn timeout(&self) -> Instant {
            self.timeout
        }

        fn is_open(&self) -> bool {
            self.is_open
        }
    }

    pub(super) fn pair(uses: Use, now: Instant) -> [Str0m; 2] {
        let provider = Arc::new(str0m_aws_lc_rs::default_provider());
        let mut pair = [0, 1].map(|side| {
            let mut rtc = RtcConfig::new().set_crypto_provider(provider.clone()).build(now);
            rtc.add_local_candidate(Candidate::host(address(side), "udp").expect("a candidate"));
            Str0m { rtc, side, is_open: false, timeout: now }
        });
        let [a, z] = pair.each_mut().map(|peer| &mut peer.rtc);
        let mut api = a.sdp_api();
        api.add_channel_with_config(ChannelConfig { label: "chat".into(), ..Default::default() });
        if uses.has_media {
            for kind in [MediaKind::Audio, MediaKind::Video] {
                api.add_media(kind, Direction::RecvOnly, None, None, None);
            }
        }
        let (offer, pending) = api.apply().expect("something is wanted");
        let answer = z.sdp_api().accept_offer(offer).expect("a right offer");
        a.sdp_api().accept_answer(pending, answer).expect("a right answer");
        pair
    }
}

mod rtc_peer {
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
        a.create_data_channel("chat", Some(RTCDataChannelInit { ordered: true, ..Default::default() }))
            .expect("a channel");
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
}
