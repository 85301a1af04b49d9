//! rtc-sctp, which knows nothing of zero checksums.

use super::{Checksum, End, MTU, STREAM, WINDOW};
use bytes::Bytes;
use rtc_sctp::{
    Association, AssociationHandle, ClientConfig, DatagramEvent, Endpoint, EndpointConfig, Event, Payload,
    PayloadProtocolIdentifier, ServerConfig, TransportConfig, max_payload_size_for_mtu,
};
use rtc_shared::TransportProtocol;
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

const REMOTE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5001);

pub(super) struct Rtc {
    endpoint: Endpoint,
    association: Option<(AssociationHandle, Association)>,
    packets: VecDeque<Bytes>,
    is_connected: bool,
    has_stream: bool,
    /// Where messages are read into.
    message: Vec<u8>,
}

impl Rtc {
    fn association(&mut self) -> &mut Association {
        &mut self.association.as_mut().expect("an association").1
    }

    fn poll_events(&mut self) {
        let Some((handle, association)) = &mut self.association else { return };
        while let Some(event) = association.poll() {
            self.is_connected |= matches!(event, Event::Connected);
        }
        while let Some(event) = association.poll_endpoint_event() {
            self.endpoint.handle_event(*handle, event);
        }
    }
}

impl End for Rtc {
    type Packet = Bytes;

    fn new(is_client: bool, _: Checksum, now: Instant) -> Self {
        let transport = Arc::new(TransportConfig::default().with_max_receive_buffer_size(WINDOW));
        let mut config = EndpointConfig::new();
        config.max_payload_size(max_payload_size_for_mtu(MTU as u32));
        let mut server = ServerConfig::default();
        server.transport = transport.clone();
        let mut endpoint = Endpoint::new(REMOTE, TransportProtocol::UDP, Arc::new(config), Some(Arc::new(server)));
        let association =
            is_client.then(|| endpoint.connect(now, ClientConfig { transport }, REMOTE).expect("a place for it"));
        let message = vec![0; 1 << 18];
        Self { endpoint, association, packets: VecDeque::new(), is_connected: false, has_stream: false, message }
    }

    fn handle_input(&mut self, packet: Bytes, now: Instant) -> Option<Bytes> {
        match self.endpoint.handle(now, REMOTE, None, packet) {
            Some((handle, DatagramEvent::NewAssociation(new))) => {
                self.association.get_or_insert((handle, new));
            }
            Some((_, DatagramEvent::AssociationEvent(event))) => self.association().handle_event(event),
            _ => {}
        }
        self.poll_events();
        None
    }

    fn handle_timeout(&mut self, now: Instant) {
        if let Some((_, association)) = &mut self.association {
            association.handle_timeout(now);
        }
        self.poll_events();
    }

    fn poll_timeout(&self, _: Instant) -> Option<Instant> {
        self.association.as_ref().and_then(|(_, association)| association.poll_timeout())
    }

    fn poll_packet(&mut self, now: Instant) -> Option<Bytes> {
        self.poll_events();
        let (_, association) = self.association.as_mut()?;
        while self.packets.is_empty()
            && let Some(transmit) = association.poll_transmit(now)
        {
            if let Payload::RawEncode(packets) = transmit.message {
                self.packets.extend(packets);
            }
        }
        self.packets.pop_front()
    }

    fn is_connected(&self) -> bool {
        self.is_connected
    }

    fn buffered(&mut self) -> usize {
        if !std::mem::replace(&mut self.has_stream, true) {
            let kind = PayloadProtocolIdentifier::Binary;
            self.association().open_stream(STREAM, kind).expect("a stream that can be opened");
        }
        self.association().stream(STREAM).and_then(|stream| stream.buffered_amount()).expect("a stream")
    }

    fn send(&mut self, message: &Bytes, now: Instant) {
        let mut stream = self.association().stream(STREAM).expect("a stream");
        stream.write_sctp(now, message, PayloadProtocolIdentifier::Binary).expect("a stream that stands");
    }

    fn receive(&mut self) -> Option<usize> {
        let (_, association) = self.association.as_mut()?;
        self.has_stream = self.has_stream || association.accept_stream().is_some();
        if !self.has_stream {
            return None;
        }
        let chunks = association.stream(STREAM).ok()?.read_sctp().ok()??;
        chunks.read(&mut self.message).ok()
    }
}
