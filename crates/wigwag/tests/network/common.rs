//! Two peer connections in a simulated network, and what happened to each.

use bytes::Bytes;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use wigwag::sansio::{Datagram, Seed, Transmit};
use wigwag::{
    ChannelId, CloseReason, Config, ConnectionState, DataChannelInit, Event, PeerConnection, ReceivedFrame, SdpType,
    SessionDescription, TransceiverId, Version, WallClock,
};
use wigwag_sim::{A, Host, Node, World, Z, address};

/// A peer connection on a host, and the events that it told.
pub(crate) struct Peer {
    pub(crate) connection: PeerConnection,
    pub(crate) events: Vec<String>,
    pub(crate) state: ConnectionState,
    pub(crate) channels: BTreeMap<String, ChannelId>,
    pub(crate) messages: Vec<(String, Bytes, bool)>,
    /// Parts of messages; whether a message begins, and ends with each.
    pub(crate) parts: Vec<(String, Bytes, [bool; 2])>,
    pub(crate) packets: Vec<wigwag::Received>,
    /// Frames, and gaps between them.
    pub(crate) frames: Vec<Told>,
    pub(crate) closed: Option<CloseReason>,
    pub(crate) writable: u32,
    pub(crate) targets: Vec<u64>,
    /// Of how many packets of ours it was told whether they arrived.
    pub(crate) reported: usize,
}

/// A frame and when it was captured, or for want of how many packets frames are missing.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) transceiver: TransceiverId,
    pub(crate) ssrc: u32,
    pub(crate) what: Result<(ReceivedFrame, Option<Duration>), u64>,
}

impl Peer {
    pub(crate) fn new(connection: PeerConnection) -> Self {
        Self {
            connection,
            events: Vec::new(),
            state: ConnectionState::New,
            channels: BTreeMap::new(),
            messages: Vec::new(),
            parts: Vec::new(),
            packets: Vec::new(),
            frames: Vec::new(),
            closed: None,
            writable: 0,
            targets: Vec::new(),
            reported: 0,
        }
    }

    pub(crate) fn label(&self, id: ChannelId) -> String {
        let known = self.channels.iter().find(|(_, known)| **known == id).map(|(label, _)| label.clone());
        known.unwrap_or_default()
    }

    fn note(&mut self, event: Event) {
        match event {
            Event::ConnectionStateChanged(state) => self.state = state,
            Event::ChannelOpened(id) => {
                let label =
                    self.connection.data_channel(id).map_or_else(String::new, |channel| channel.label().to_owned());
                self.channels.insert(label, id);
            }
            _ => {}
        }
        match event {
            Event::Message { channel, data, is_binary } => self.messages.push((self.label(channel), data, is_binary)),
            Event::MessagePart { channel, data, is_first, is_last, .. } => {
                self.parts.push((self.label(channel), data, [is_first, is_last]));
            }
            Event::RtpPacket { packet, .. } => self.packets.push(packet),
            Event::Frame { transceiver, ssrc, frame, capture_time } => {
                self.frames.push(Told { transceiver, ssrc, what: Ok((frame, capture_time)) });
            }
            Event::FramesLost { transceiver, ssrc, packets } => {
                self.frames.push(Told { transceiver, ssrc, what: Err(packets) });
            }
            Event::Writable => self.writable += 1,
            Event::TransportFeedback(reported) => self.reported += reported.len(),
            Event::TargetBitrate { bits_per_second } => self.targets.push(bits_per_second),
            event => {
                if let Event::Closed(reason) = &event {
                    self.closed = Some(reason.clone());
                }
                self.events.push(format!("{event:?}"));
            }
        }
    }
}

impl Node for Peer {
    fn handle_input(&mut self, datagram: Datagram<'_>, now: Instant) {
        self.connection.handle_input(datagram, now);
    }
    fn handle_timeout(&mut self, now: Instant) {
        self.connection.handle_timeout(now);
    }
    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        self.connection.poll_transmit(now, out)
    }
    fn poll_event(&mut self) -> bool {
        let event = self.connection.poll_event();
        let has_event = event.is_some();
        event.into_iter().for_each(|event| self.note(event));
        has_event
    }
    fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        self.connection.poll_timeout(now)
    }
}

/// 2026-01-01.
pub(crate) const UNIX_TIME: Duration = Duration::from_secs(1_767_225_600);

pub(crate) fn config() -> Config {
    Config::new(WallClock::new(wigwag_sim::origin(), UNIX_TIME))
}

pub(crate) fn connection(seed: u64, host: Host, config: Config) -> PeerConnection {
    let mut connection = PeerConnection::new(config, Seed::for_test(seed * 2 + u64::from(host == Z)));
    connection.add_local_address(address(host)).unwrap();
    connection
}

/// Two hosts that have not negotiated.
pub(crate) fn pair(seed: u64) -> World<Peer> {
    pair_with(seed, |_, _| {})
}

pub(crate) fn pair_with(seed: u64, adapt: impl Fn(Host, &mut Config)) -> World<Peer> {
    let peers = [A, Z].map(|host| {
        let mut config = config();
        adapt(host, &mut config);
        Peer::new(connection(seed, host, config))
    });
    World::pair(seed, peers)
}

/// Both versions of DTLS.
pub(crate) const VERSIONS: [Version; 2] = [Version::Dtls12, Version::Dtls13];

/// Two hosts that speak this version of DTLS alone.
pub(crate) fn pair_speaking(seed: u64, version: Version) -> World<Peer> {
    pair_with(seed, |_, config| config.dtls_versions = version..=version)
}

/// A offers and Z answers, at once.
pub(crate) fn negotiate(world: &mut World<Peer>) {
    let offer = offer(world, A);
    let answer = answer(world, Z, offer);
    world[A].connection.set_remote_description(answer).expect("the answer fits the offer");
}

pub(crate) fn offer(world: &mut World<Peer>, host: Host) -> SessionDescription {
    let connection = &mut world[host].connection;
    let offer = connection.create_offer().expect("something to offer");
    connection.set_local_description(offer).expect("its own offer");
    connection.local_description().expect("it was set")
}

pub(crate) fn answer(world: &mut World<Peer>, host: Host, offer: SessionDescription) -> SessionDescription {
    let connection = &mut world[host].connection;
    connection.set_remote_description(offer).expect("an offer of ours");
    let answer = connection.create_answer().expect("there is an offer");
    assert_eq!(answer.kind, SdpType::Answer);
    connection.set_local_description(answer).expect("its own answer");
    connection.local_description().expect("it was set")
}

/// A channel that A opens, connected and open on both sides.
pub(crate) fn connected_with_channel(seed: u64, label: &str, init: DataChannelInit) -> World<Peer> {
    let mut world = pair(seed);
    connect_with_channel(&mut world, label, init);
    world
}

pub(crate) fn connect_with_channel(world: &mut World<Peer>, label: &str, init: DataChannelInit) {
    world[A].connection.create_data_channel(label, init).expect("a new channel");
    negotiate(world);
    let is_open = |peer: &Peer| peer.channels.contains_key(label) && peer.state == ConnectionState::Connected;
    world.run_until(|world| is_open(&world[A]) && is_open(&world[Z]), Duration::from_secs(60));
}

/// What a datagram is, in one word or a few.
pub(crate) fn dissect(packet: &[u8]) -> String {
    match packet {
        [0, 1, ..] => "Binding request".into(),
        [1, 1, ..] => "Binding response".into(),
        [1, 0x11, ..] => "Binding error".into(),
        [0..=3, ..] => "STUN".into(),
        [20..=31, ..] => dtls(packet),
        [32..=63, ..] => unified(packet),
        [128..=191, 192..=223, ..] => "SRTCP".into(),
        [128..=191, ..] => "SRTP".into(),
        _ => "?".into(),
    }
}

/// Records of DTLS 1.3: what can be told of them is how long they are, and with the keys of what they are protected.
fn unified(mut packet: &[u8]) -> String {
    let mut names = Vec::new();
    while let Some((header, rest)) = packet.split_first_chunk::<5>() {
        let len = usize::from(u16::from_be_bytes([header[3], header[4]])).min(rest.len());
        names.push(match (header[0] & 3, len) {
            (2, _) => "Handshake",
            // Two bytes, their type, and a tag.
            (_, 19) => "alert",
            _ => "data",
        });
        packet = &rest[len..];
    }
    names.dedup();
    names.join(", ")
}

fn dtls(mut packet: &[u8]) -> String {
    let mut names: Vec<String> = Vec::new();
    while let Some((header, rest)) = packet.split_first_chunk::<13>().filter(|(header, _)| header[0] < 32) {
        let len = usize::from(u16::from_be_bytes([header[11], header[12]])).min(rest.len());
        let name = match (header[0], header[4], rest.first()) {
            (20, ..) => "ChangeCipherSpec",
            (21, ..) => "alert",
            (22, 0, Some(1)) => "ClientHello",
            (22, 0, Some(2)) => "ServerHello",
            (22, 0, Some(11)) => "Certificate",
            (22, 0, Some(12)) => "ServerKeyExchange",
            (22, 0, Some(13)) => "CertificateRequest",
            (22, 0, Some(14)) => "ServerHelloDone",
            (22, 0, Some(15)) => "CertificateVerify",
            (22, 0, Some(16)) => "ClientKeyExchange",
            (22, ..) => "Finished",
            (23, ..) => "data",
            _ => "?",
        };
        names.push(name.to_owned());
        packet = &rest[len..];
    }
    if !packet.is_empty() {
        names.push(unified(packet));
    }
    names.dedup();
    names.join(", ")
}
