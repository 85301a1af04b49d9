//! rtc, whose users have a socket and a loop.

use super::Peer;
use bytes::BytesMut;
use rtc::crypto::providers::AwsLcRsProvider;
use rtc::data_channel::RTCDataChannelInit;
use rtc::peer_connection::configuration::RTCConfigurationBuilder;
use rtc::peer_connection::configuration::setting_engine::SettingEngineBuilder;
use rtc::peer_connection::event::{RTCDataChannelEvent, RTCPeerConnectionEvent};
use rtc::peer_connection::message::{RTCMessage, TaggedRTCMessage};
use rtc::peer_connection::transport::{CandidateConfig, CandidateHostConfig, RTCIceCandidate};
use rtc::peer_connection::{RTCPeerConnection, RTCPeerConnectionBuilder};
use rtc::sansio::Protocol;
use rtc::shared::{TaggedBytesMut, TransportContext, TransportProtocol};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_send_buffer_size};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What ours asks the kernel for.
const SOCKET_BUFFER: usize = 4 << 20;
/// Datagrams that are read before anything else happens.
const RECEIVES_PER_TURN: usize = 64;

pub(super) struct Rtc {
    connection: RTCPeerConnection,
    socket: UdpSocket,
    address: SocketAddr,
    buffer: Vec<u8>,
    channel: Option<usize>,
    received: u64,
    timeout: Instant,
}

impl Rtc {
    fn new() -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
        socket.set_nonblocking(true).expect("a socket");
        set_socket_recv_buffer_size(&socket, SOCKET_BUFFER).expect("a buffer");
        set_socket_send_buffer_size(&socket, SOCKET_BUFFER).expect("a buffer");
        let address = socket.local_addr().expect("an address");
        let engine = SettingEngineBuilder::new().with_crypto_provider(Arc::new(AwsLcRsProvider::default())).build();
        let builder = RTCPeerConnectionBuilder::new().with_configuration(RTCConfigurationBuilder::new().build());
        let mut connection = builder.with_setting_engine(engine).build(Instant::now()).expect("a connection");
        let base_config = CandidateConfig {
            network: "udp".into(),
            address: address.ip().to_string(),
            port: address.port(),
            component: 1,
            ..Default::default()
        };
        let candidate = CandidateHostConfig { base_config, ..Default::default() }.new_candidate_host();
        let candidate = RTCIceCandidate::from(&candidate.expect("a candidate")).to_json().expect("JSON");
        connection.add_local_candidate(candidate).expect("a candidate");
        let buffer = vec![0; 2048];
        Self { connection, socket, address, buffer, channel: None, received: 0, timeout: Instant::now() }
    }

    fn send(&mut self) {
        while let Some(transmit) = self.connection.poll_write() {
            // What the kernel does not take is lost, as on any path.
            let _ = self.socket.send_to(&transmit.message, transmit.transport.peer_addr);
        }
    }

    fn poll(&mut self) {
        self.send();
        while let Some(event) = self.connection.poll_event() {
            if let RTCPeerConnectionEvent::OnDataChannel(RTCDataChannelEvent::OnOpen(id)) = event {
                self.channel = Some(id);
            }
        }
        while let Some(TaggedRTCMessage { message, .. }) = self.connection.poll_read() {
            if let RTCMessage::DataChannelMessage(_, message) = message {
                self.received += message.data.len() as u64;
            }
        }
        self.send();
        self.timeout = self.connection.poll_timeout().unwrap_or_else(|| Instant::now() + Duration::from_secs(1));
    }

    fn receive(&mut self) -> bool {
        let Ok((len, peer_addr)) = self.socket.recv_from(&mut self.buffer) else { return false };
        let transport = TransportContext {
            local_addr: self.address,
            peer_addr,
            ecn: None,
            transport_protocol: TransportProtocol::UDP,
        };
        let message = BytesMut::from(&self.buffer[..len]);
        let _ = self.connection.handle_read(TaggedBytesMut { now: Instant::now(), transport, message });
        true
    }
}

impl Peer for Rtc {
    fn pair() -> [Self; 2] {
        let mut pair = [Self::new(), Self::new()];
        let [a, z] = pair.each_mut().map(|peer| &mut peer.connection);
        let now = Instant::now();
        a.create_data_channel("bench", Some(RTCDataChannelInit { ordered: true, ..Default::default() }))
            .expect("a channel");
        let offer = a.create_offer(None).expect("an offer");
        a.set_local_description(now, offer.clone()).expect("its own");
        z.set_remote_description(now, offer).expect("a right offer");
        let answer = z.create_answer(None).expect("an answer");
        z.set_local_description(now, answer.clone()).expect("its own");
        a.set_remote_description(now, answer).expect("a right answer");
        while pair.iter().any(|peer| peer.channel.is_none()) {
            pair.iter_mut().for_each(|peer| peer.turn(Duration::from_millis(1)));
        }
        pair
    }

    fn fill(&mut self, message: &[u8], buffered_max: usize) {
        let Some(mut channel) = self.channel.and_then(|id| self.connection.data_channel(id)) else { return };
        while channel.outstanding_bytes() + message.len() <= buffered_max
            && channel.send(Instant::now(), BytesMut::from(message)).is_ok()
        {}
    }

    fn turn(&mut self, wait: Duration) {
        self.poll();
        let mut has_received = false;
        for _ in 0..RECEIVES_PER_TURN {
            if !self.receive() {
                break;
            }
            has_received = true;
            self.poll();
        }
        let now = Instant::now();
        if now >= self.timeout {
            let _ = self.connection.handle_timeout(now);
            self.poll();
        } else if !has_received {
            let wait = Timespec::try_from((self.timeout - now).min(wait)).expect("a short time");
            let _ = poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], Some(&wait));
        }
    }

    fn received(&self) -> u64 {
        self.received
    }
}
