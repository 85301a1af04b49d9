//! The two stacks that have an endpoint of associations, as quinn has of connections: one has come from the other.

use crate::{End, How, MESSAGE_LEN_MAX, Options, State, WINDOW};
use bytes::Bytes;
use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

const REMOTE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 5001);
/// They say nothing of a full buffer; this is what a user would let wait.
const BUFFERED_MAX: usize = 1 << 20;

macro_rules! stack {
    (
        $module:ident, $stack:ident, $sized:expr, $reset:expr, $endpoint:expr, $connect:expr, $handle:expr, $payload:ident, $write:expr, $close:expr, $init:expr, $introduce:expr
    ) => {
        pub(crate) mod $module {
            use super::*;
            use $stack::*;

            pub(crate) struct Peer {
                endpoint: Endpoint,
                association: Option<(AssociationHandle, Association)>,
                streams: BTreeSet<u16>,
                packets: VecDeque<Bytes>,
                resets: Vec<u16>,
                state: State,
                /// Ours and the peer's.
                inits: (Option<Bytes>, Option<Bytes>),
            }

            fn transport() -> Arc<TransportConfig> {
                let sized: fn(TransportConfig) -> TransportConfig = $sized;
                Arc::new(sized(TransportConfig::default().with_max_receive_buffer_size(WINDOW)))
            }

            impl Peer {
                pub(crate) fn new(_: Instant) -> Self {
                    let mut server = ServerConfig::default();
                    server.transport = transport().into();
                    let endpoint: fn(EndpointConfig, ServerConfig) -> Endpoint = $endpoint;
                    let mut config = EndpointConfig::new();
                    config.max_payload_size((crate::MTU - 12) as u32);
                    Self {
                        endpoint: endpoint(config, server),
                        association: None,
                        streams: BTreeSet::new(),
                        packets: VecDeque::new(),
                        resets: Vec::new(),
                        state: State::Connecting,
                        inits: (None, None),
                    }
                }

                fn association(&mut self) -> &mut Association {
                    &mut self.association.as_mut().expect("an association").1
                }

                /// As it must be before it is read or written.
                fn open(&mut self, stream: u16) {
                    if self.streams.insert(stream) && self.association().stream(stream).is_err() {
                        self.association()
                            .open_stream(stream, PayloadProtocolIdentifier::Binary)
                            .expect("a stream that can be opened");
                    }
                }

                fn buffered_amount(&mut self, stream: u16) -> usize {
                    self.open(stream);
                    self.association().stream(stream).expect("a stream").buffered_amount().expect("a stream")
                }

                fn poll_events(&mut self) {
                    let Some((handle, association)) = &mut self.association else { return };
                    let reset: fn(&Event) -> Option<u16> = $reset;
                    while let Some(event) = association.poll() {
                        if let Some(id) = reset(&event) {
                            self.streams.remove(&id);
                            self.resets.push(id);
                            continue;
                        }
                        match event {
                            Event::Connected => self.state = State::Connected,
                            Event::HandshakeFailed { .. } | Event::AssociationLost { .. } => self.state = State::Closed,
                            _ => {}
                        }
                    }
                    while let Some(stream) = association.accept_stream() {
                        self.streams.insert(stream.stream_identifier());
                    }
                    if association.is_closed() {
                        self.state = State::Closed;
                    }
                    while let Some(event) = association.poll_endpoint_event() {
                        let _ = self.endpoint.handle_event(*handle, event);
                    }
                }
            }

            impl End for Peer {
                fn init(&mut self) -> Option<Bytes> {
                    let init: fn(&TransportConfig) -> Option<Bytes> = $init;
                    let transport = transport();
                    self.inits.0 = init(&transport);
                    self.inits.0.clone()
                }

                fn set_peer_init(&mut self, init: Bytes) {
                    self.inits.1 = Some(init);
                }

                fn connect(&mut self, now: Instant) {
                    let mut client = ClientConfig::default();
                    client.transport = transport();
                    let introduce: fn(ClientConfig, Bytes, Bytes) -> ClientConfig = $introduce;
                    if let (Some(ours), Some(theirs)) = std::mem::take(&mut self.inits) {
                        client = introduce(client, ours, theirs);
                    }
                    let connect: fn(&mut Endpoint, Instant, ClientConfig) -> (AssociationHandle, Association) =
                        $connect;
                    self.association = Some(connect(&mut self.endpoint, now, client));
                }

                fn handle_input(&mut self, packet: &[u8], now: Instant) {
                    let handle: fn(&mut Endpoint, Instant, Bytes) -> Option<(AssociationHandle, DatagramEvent)> =
                        $handle;
                    match handle(&mut self.endpoint, now, Bytes::copy_from_slice(packet)) {
                        // An INIT that arrives again makes another one, which nobody needs.
                        Some((handle, DatagramEvent::NewAssociation(new))) => {
                            self.association.get_or_insert((handle, new));
                        }
                        Some((handle, DatagramEvent::AssociationEvent(event))) => {
                            let association = self.association.as_mut().filter(|(ours, _)| *ours == handle);
                            if let Some((_, association)) = association {
                                association.handle_event(event);
                            }
                        }
                        _ => {}
                    }
                    self.poll_events();
                }

                fn handle_timeout(&mut self, now: Instant) {
                    if let Some((_, association)) = &mut self.association {
                        association.handle_timeout(now);
                    }
                    self.poll_events();
                }

                fn poll_timeout(&self, now: Instant) -> Option<Instant> {
                    let at = self.association.as_ref().and_then(|(_, association)| association.poll_timeout())?;
                    // A timer that has run out and stays would never let time pass.
                    Some(at.max(now + Duration::from_micros(100)))
                }

                fn poll_packet(&mut self, now: Instant, out: &mut Vec<u8>) -> bool {
                    self.poll_events();
                    if let Some((_, association)) = &mut self.association
                        && self.packets.is_empty()
                    {
                        while let Some(transmit) = association.poll_transmit(now) {
                            if let Payload::RawEncode(packets) = transmit.$payload {
                                self.packets.extend(packets);
                            }
                        }
                    }
                    let packet = self.packets.pop_front();
                    out.extend(packet.iter().flatten());
                    packet.is_some()
                }

                fn send(&mut self, stream: u16, data: &Bytes, how: How, now: Instant) -> bool {
                    if self.buffered_amount(stream) + data.len() > BUFFERED_MAX {
                        return false;
                    }
                    let (kind, value) = match (how.retransmits_max, how.lifetime) {
                        (Some(max), _) => (ReliabilityType::Rexmit, u32::from(max)),
                        (None, Some(lifetime)) => (ReliabilityType::Timed, lifetime.as_millis() as u32),
                        (None, None) => (ReliabilityType::Reliable, 0),
                    };
                    let mut stream = self.association().stream(stream).expect("a stream");
                    stream.set_reliability_params(how.unordered, kind, value).expect("a stream");
                    let write: fn(&mut Stream<'_>, Instant, &Bytes) = $write;
                    write(&mut stream, now, data);
                    true
                }

                fn poll_message(&mut self) -> Option<(u16, Bytes)> {
                    self.poll_events();
                    let (_, association) = self.association.as_mut()?;
                    for id in &self.streams {
                        if let Ok(mut stream) = association.stream(*id)
                            && let Ok(Some(chunks)) = stream.read()
                        {
                            let mut data = vec![0; chunks.len()];
                            chunks.read(&mut data).expect("room for it");
                            return Some((*id, data.into()));
                        }
                    }
                    None
                }

                fn reset(&mut self, stream: u16, now: Instant) {
                    let close: fn(&mut Stream<'_>, Instant) = $close;
                    // It may have answered the peer's reset with one of its own.
                    if let Ok(mut stream) = self.association().stream(stream) {
                        close(&mut stream, now);
                    }
                }

                fn peer_resets(&mut self) -> Vec<u16> {
                    self.poll_events();
                    std::mem::take(&mut self.resets)
                }

                fn shutdown(&mut self, _: Instant) {
                    self.association().shutdown().expect("an association that stands");
                }

                fn state(&self) -> State {
                    self.state
                }

                fn agreed(&self) -> Options {
                    Options::default()
                }
            }
        }
    };
}

stack!(
    sctp_proto,
    sctp_proto_crate,
    |config| {
        let config = config.with_max_send_message_size(MESSAGE_LEN_MAX);
        config.with_max_receive_message_size(MESSAGE_LEN_MAX)
    },
    |event| match event {
        Event::Stream(StreamEvent::Finished { id }) => Some(*id),
        _ => None,
    },
    |config, server| Endpoint::new(Arc::new(config), Some(Arc::new(server))),
    |endpoint, _, client| endpoint.connect(client, REMOTE).expect("a place for it"),
    |endpoint, now, packet| endpoint.handle(now, REMOTE, None, None, packet),
    payload,
    |stream, _, data| {
        stream.write_sctp(data, PayloadProtocolIdentifier::Binary).expect("a stream that stands");
    },
    |stream, _| stream.close().expect("a stream that stands"),
    |config| Some(generate_snap_token(config).expect("a config that makes sense")),
    |client, ours, theirs| client.with_snap(ours, theirs)
);

stack!(
    rtc_sctp,
    rtc_sctp_crate,
    |config| config.with_max_message_size(MESSAGE_LEN_MAX),
    |event| match event {
        Event::AssociationLost { reason: AssociationError::Reset, id } => Some(*id),
        _ => None,
    },
    |config, server| {
        Endpoint::new(REMOTE, rtc_shared::TransportProtocol::UDP, Arc::new(config), Some(Arc::new(server)))
    },
    |endpoint, now, client| endpoint.connect(now, client, REMOTE).expect("a place for it"),
    |endpoint, now, packet| endpoint.handle(now, REMOTE, None, packet),
    message,
    |stream, now, data| {
        stream.write_sctp(now, data, PayloadProtocolIdentifier::Binary).expect("a stream that stands");
    },
    |stream, now| stream.close(now).expect("a stream that stands"),
    |_| None,
    |client, _, _| client
);
