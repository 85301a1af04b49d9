//! The nine laws, kept by the whole.

use crate::common::{Peer, Told, UNIX_TIME};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use wigwag::sansio::{Datagram, Seed, Transmit};
use wigwag::{
    Certificate, Config, ConnectionId, ConnectionState, DataChannelInit, Direction, Endpoint, EndpointConfig,
    EndpointEvent, Event, Frame, MediaKind, PeerConnection, RtpPacket, TransceiverId, WallClock, congestion,
};
use wigwag_sim::contract::{self, Law, Load, Network, Subject};
use wigwag_sim::{A, Host, Node, Z, address};

/// The laws of which the check compares two runs: AWS-LC signs with randomness of its own, of which no seed knows.
pub(crate) const EXCEPTED: &[Law] = if cfg!(feature = "aws-lc-rs") {
    &[
        Law::TimeIsAnArgument,
        Law::PacketsAreOwed,
        Law::InputsCannotFail,
        Law::NoOrder,
        Law::EarlyCallsAreHarmless,
        Law::OneSeed,
    ]
} else {
    &[]
};

/// One certificate for each side: to make them takes longer than to use them.
fn certificate(host: Host) -> Arc<Certificate> {
    static CERTIFICATES: OnceLock<[Arc<Certificate>; 2]> = OnceLock::new();
    let both = CERTIFICATES
        .get_or_init(|| [1, 2].map(|seed| Arc::new(Certificate::generate(UNIX_TIME, Seed::for_test(seed)).unwrap())));
    Arc::clone(&both[usize::from(host == Z)])
}

pub(crate) fn config(host: Host, now: Instant) -> Config {
    let mut config = Config::new(WallClock::new(now, UNIX_TIME));
    config.certificate = Some(certificate(host));
    config.receive_buffer = RECEIVE_BUFFER;
    // Or the window would be larger: four messages find room.
    config.negotiation.max_message_size = RECEIVE_BUFFER as u64 / 4;
    config.send_buffer = SEND_BUFFER;
    config
}

const RECEIVE_BUFFER: usize = 400_000;
const SEND_BUFFER: usize = 100_000;

pub(crate) fn negotiate([a, z]: [&mut PeerConnection; 2]) {
    let offer = a.create_offer().unwrap();
    a.set_local_description(offer).unwrap();
    z.set_remote_description(a.local_description().unwrap()).unwrap();
    let answer = z.create_answer().unwrap();
    z.set_local_description(answer).unwrap();
    a.set_remote_description(z.local_description().unwrap()).unwrap();
}

/// Messages by channel, in the order that the channel promises.
pub(crate) fn by_channel(messages: &[(String, Bytes, bool)]) -> BTreeMap<&str, Vec<(usize, Option<u8>)>> {
    let mut channels: BTreeMap<&str, Vec<(usize, Option<u8>)>> = BTreeMap::new();
    for (label, data, _) in messages {
        channels.entry(label).or_default().push((data.len(), data.first().copied()));
    }
    for (_, messages) in channels.iter_mut().filter(|(label, _)| label.contains("unordered")) {
        messages.sort_unstable();
    }
    channels
}

macro_rules! node_by_peer {
    ($name:ident) => {
        impl Node for $name {
            fn handle_input(&mut self, datagram: Datagram<'_>, now: Instant) {
                self.peer.handle_input(datagram, now);
            }
            fn handle_timeout(&mut self, now: Instant) {
                self.peer.handle_timeout(now);
            }
            fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
                self.peer.poll_transmit(now, out)
            }
            fn poll_event(&mut self) -> bool {
                self.peer.poll_event()
            }
            fn poll_timeout(&self, now: Instant) -> Option<Instant> {
                self.peer.poll_timeout(now)
            }
        }
    };
}

fn peer(host: Host, seed: u64, now: Instant) -> Peer {
    peer_with(config(host, now), host, seed)
}

fn peer_with(config: Config, host: Host, seed: u64) -> Peer {
    let mut connection = PeerConnection::new(config, Seed::for_test(2 * seed + u64::from(host == Z)));
    connection.add_local_address(address(host)).unwrap();
    connection.set_max_segments(if host == Z { 4 } else { 1 });
    Peer::new(connection)
}

/// A connected one with what `prepare` gives it.
fn crowd(seed: u64, now: Instant, prepare: impl Fn(&mut PeerConnection)) -> Peer {
    crowd_of(seed, now, prepare, |host| peer(host, seed, now))
}

fn crowd_of(seed: u64, now: Instant, prepare: impl Fn(&mut PeerConnection), peer_of: impl Fn(Host) -> Peer) -> Peer {
    let mut world = wigwag_sim::World::pair(seed, [A, Z].map(peer_of));
    prepare(&mut world[A].connection);
    crate::common::negotiate(&mut world);
    world.run_until(|world| world[A].state == ConnectionState::Connected, Duration::from_secs(10));
    world.run_for(Duration::from_secs(10));
    std::mem::replace(&mut world[A], peer(A, seed, now))
}

pub(crate) fn dropped(connection: &PeerConnection) -> u64 {
    connection.drops().iter().map(|(_, count)| count).sum()
}

/// Data channels of several kinds, opened, used and closed by both.
struct Data {
    peer: Peer,
    side: &'static str,
}

node_by_peer!(Data);

impl Data {
    fn channel(&self, name: &str) -> Option<wigwag::ChannelId> {
        self.peer.channels.get(&format!("{name} of {}", self.side)).copied()
    }
}

impl Subject for Data {
    const UNCHECKED: &'static [(Law, &'static str)] =
        &[(Law::PacketsAreOwed, "a transmit is written whole: there is no limit to keep to")];
    const COMMANDS: usize = 24;
    const NETWORK: Network = Network::Lossy;

    fn pair(seed: u64, now: Instant) -> [Self; 2] {
        let mut pair = [(A, "A"), (Z, "Z")].map(|(host, side)| Self { peer: peer(host, seed, now), side });
        let [a, z] = &mut pair;
        for peer in [&mut a.peer, &mut z.peer] {
            peer.connection.create_data_channel("agreed", DataChannelInit::default().negotiated(1000)).unwrap();
        }
        negotiate([&mut a.peer.connection, &mut z.peer.connection]);
        pair
    }

    fn command(&mut self, n: usize) -> bool {
        let name = |what: &str| format!("{what} of {}", self.side);
        let connection = &mut self.peer.connection;
        match n {
            0 => return connection.create_data_channel(&name("ordered"), DataChannelInit::default()).is_ok(),
            1 => {
                let init = DataChannelInit::default().unordered().protocol("p");
                return connection.create_data_channel(&name("unordered"), init).is_ok();
            }
            2 => return connection.create_data_channel(&name("brief"), DataChannelInit::default()).is_ok(),
            _ => {}
        }
        let (name, len) = match n % 4 {
            0 => ("unordered", n * 331 % 4000),
            1 => ("brief", n * 17 % 100),
            _ => ("ordered", n * 97 % 3000),
        };
        match self.channel(name) {
            Some(channel) if n == 21 => {
                self.peer.connection.close_data_channel(channel);
                true
            }
            Some(channel) => {
                let data = Bytes::from(vec![n as u8; len]);
                self.peer.connection.send(channel, data, n.is_multiple_of(2)).is_ok()
            }
            // It is closed already, and that is all that was left to do.
            None => false,
        }
    }

    fn outcome(&self) -> String {
        let changes = ["DataChannel(", "ChannelOpened(", "ChannelClosed("];
        let count = |what: &&str| self.peer.events.iter().filter(|event| event.starts_with(what)).count();
        let counts = changes.iter().map(count).collect::<Vec<_>>();
        let open = self.peer.connection.data_channels().count();
        format!("{:?} {open} channels {counts:?} {:?}", self.peer.state, by_channel(&self.peer.messages))
    }

    fn retransmitted(&self) -> u64 {
        self.peer.connection.transport_stats().retransmissions
    }

    fn dropped(&self) -> Option<u64> {
        Some(dropped(&self.peer.connection))
    }

    fn load(&self) -> Option<Load> {
        let stats = self.peer.connection.transport_stats();
        let held = stats.send_buffered + stats.receive_buffered;
        // What is in flight is no longer in the send buffer, and bounded by the window of the peer.
        Some(Load { held, bound: SEND_BUFFER + 2 * RECEIVE_BUFFER })
    }

    fn crowd(seed: u64, parts: usize, now: Instant) -> Option<Self> {
        let open = |connection: &mut PeerConnection| {
            for n in 0..parts {
                connection.create_data_channel(&n.to_string(), DataChannelInit::default()).unwrap();
            }
        };
        let peer = crowd(seed, now, open);
        assert_eq!(peer.channels.len(), parts);
        Some(Self { peer, side: "A" })
    }

    fn visits(&self) -> Option<u64> {
        Some(self.peer.connection.transport_stats().visits)
    }
}

#[test]
fn a_connection_with_data_channels_keeps_the_laws() {
    contract::check_but::<Data>(EXCEPTED);
}

/// A queue for each of two senders, one for all that was received, and the packet that is told next.
const PACKETS_MAX: usize = 3 * 1024 + 1;
/// What the jitter buffers of sound and of pictures hold besides.
const BUFFERED_MAX: usize = 256 + 2048;

/// Sound and pictures in both directions, as packets or as frames of a packet each, on a network that loses nothing.
struct Media<const AS_FRAMES: bool, const PACED: bool = false> {
    peer: Peer,
    transceivers: [TransceiverId; 2],
    /// How many packets `write_packet` took.
    accepted: u64,
}

impl<const AS_FRAMES: bool, const PACED: bool> Node for Media<AS_FRAMES, PACED> {
    fn handle_input(&mut self, datagram: Datagram<'_>, now: Instant) {
        self.peer.handle_input(datagram, now);
    }
    fn handle_timeout(&mut self, now: Instant) {
        self.peer.handle_timeout(now);
    }
    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        self.peer.poll_transmit(now, out)
    }
    fn poll_event(&mut self) -> bool {
        self.peer.poll_event()
    }
    fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        self.peer.poll_timeout(now)
    }
}

impl<const AS_FRAMES: bool, const PACED: bool> Media<AS_FRAMES, PACED> {
    fn new(mut peer: Peer, transceivers: [TransceiverId; 2]) -> Self {
        for id in transceivers.into_iter().filter(|_| AS_FRAMES) {
            peer.connection.receive_frames(id).unwrap();
            // However packets overtake each other, none comes too late.
            peer.connection.set_jitter_buffer_target(id, Duration::from_secs(4)).unwrap();
        }
        Self { peer, transceivers, accepted: 0 }
    }

    fn peer(host: Host, seed: u64, now: Instant) -> Peer {
        let mut config = config(host, now);
        if PACED {
            let mut control = congestion::Config::new();
            // How much padding there is depends on when it is asked for.
            control.is_probing = false;
            config.media_congestion_control = Some(control);
        }
        peer_with(config, host, seed)
    }

    fn count(&self, cause: &str) -> u64 {
        self.peer.connection.drops().iter().filter(|(name, _)| name.starts_with(cause)).map(|(_, count)| count).sum()
    }
}

impl<const AS_FRAMES: bool, const PACED: bool> Subject for Media<AS_FRAMES, PACED> {
    const UNCHECKED: &'static [(Law, &'static str)] =
        &[(Law::PacketsAreOwed, "a transmit is written whole: there is no limit to keep to")];
    const COMMANDS: usize = 30;
    const NETWORK: Network = Network::Reordering;

    fn pair(seed: u64, now: Instant) -> [Self; 2] {
        let [mut a, mut z] = [A, Z].map(|host| Self::peer(host, seed, now));
        let kinds = [MediaKind::Audio, MediaKind::Video];
        let of_a = kinds.map(|kind| a.connection.add_transceiver(kind, Direction::Sendrecv).unwrap());
        let of_z = kinds.map(|kind| z.connection.add_track(kind).unwrap());
        for peer in [&mut a, &mut z] {
            peer.connection.create_data_channel("agreed", DataChannelInit::default().negotiated(0)).unwrap();
        }
        negotiate([&mut a.connection, &mut z.connection]);
        [Self::new(a, of_a), Self::new(z, of_z)]
    }

    fn command(&mut self, n: usize) -> bool {
        if self.peer.channels.is_empty() {
            return false; // what overtakes the end of the handshake finds no keys
        }
        let is_video = n.is_multiple_of(2);
        let (payload_type, len) = if is_video { (96, 1000) } else { (111, 80) };
        if n % 10 == 7 {
            self.peer.connection.request_key_frame(self.transceivers[1]);
        }
        let (id, time) = (self.transceivers[usize::from(is_video)], n as u32 * 960);
        let mut data = vec![n as u8; len];
        let is_taken = if AS_FRAMES {
            // Every picture is a key frame; the sound is of one Opus frame of 20 ms.
            data[0] = if is_video { 0 } else { 0x78 };
            self.peer.connection.write_frame(id, Frame::new(payload_type, time, data.into())).is_ok()
        } else {
            self.peer.connection.write_packet(id, RtpPacket::new(payload_type, time, data.into())).is_ok()
        };
        self.accepted += u64::from(is_taken);
        is_taken
    }

    fn outcome(&self) -> String {
        // One that was overtaken is asked for and comes twice, but SRTP knows it.
        let mut packets: Vec<_> =
            self.peer.packets.iter().map(|found| (found.packet.payload_type, found.packet.timestamp)).collect();
        packets.sort_unstable();
        // Frames are told in order, each track in its own.
        let of = |id| self.peer.frames.iter().filter(move |told| told.transceiver == id);
        let frame = |told: &Told| told.what.clone().map(|(frame, _)| (frame.rtp_time, frame.data.len()));
        let frames = self.transceivers.map(|id| of(id).map(frame).collect::<Vec<_>>());
        format!("{:?} {packets:?} {frames:?}", self.peer.state)
    }

    fn retransmitted(&self) -> u64 {
        self.peer.connection.transport_stats().retransmissions
    }

    fn dropped(&self) -> Option<u64> {
        Some(dropped(&self.peer.connection))
    }

    /// In packets: those that wait to leave, and those that wait to be polled.
    fn load(&self) -> Option<Load> {
        let connection = &self.peer.connection;
        let senders = self.transceivers.iter().filter_map(|id| connection.sender_stats(*id));
        let left: u64 = senders.map(|sent| sent.packets_sent + sent.packets_discarded).sum();
        let receivers = self.transceivers.iter().flat_map(|id| connection.receiver_stats(*id));
        let arrived: u64 = receivers.map(|received| received.packets_received).sum();
        let dropped = self.count("rtp.dropped_events") + self.count("frames.");
        let told = self.peer.packets.len() + self.peer.frames.iter().filter(|told| told.what.is_ok()).count();
        let unpolled = arrived.saturating_sub(told as u64 + dropped);
        let held = self.accepted - left + unpolled;
        let bound = if AS_FRAMES { PACKETS_MAX + BUFFERED_MAX } else { PACKETS_MAX };
        Some(Load { held: usize::try_from(held).unwrap(), bound })
    }

    /// A description has at most 256 sections.
    fn crowd(seed: u64, parts: usize, now: Instant) -> Option<Self> {
        let prepare = |connection: &mut PeerConnection| {
            for n in 0..parts.min(250) {
                let kind = if n.is_multiple_of(2) { MediaKind::Audio } else { MediaKind::Video };
                connection.add_transceiver(kind, Direction::Sendrecv).unwrap();
            }
            connection.create_data_channel("agreed", DataChannelInit::default().negotiated(0)).unwrap();
        };
        let peer = crowd_of(seed, now, prepare, |host| Self::peer(host, seed, now));
        let ids: Vec<_> = peer.connection.transceivers().map(|transceiver| transceiver.id).collect();
        Some(Self::new(peer, [ids[0], ids[ids.len().min(2) - 1]]))
    }

    fn visits(&self) -> Option<u64> {
        Some(self.peer.connection.transport_stats().visits)
    }
}

#[test]
fn a_connection_with_media_keeps_the_laws() {
    contract::check_but::<Media<false>>(EXCEPTED);
}

#[test]
fn a_connection_with_media_as_frames_keeps_the_laws() {
    contract::check_but::<Media<true>>(EXCEPTED);
}

#[test]
fn a_connection_whose_media_leave_at_a_pace_keeps_the_laws() {
    contract::check_but::<Media<false, true>>(EXCEPTED);
}

/// Endpoints with several connections between them, of which one can speak: two addresses are one path.
struct Server {
    endpoint: Endpoint,
    id: ConnectionId,
    channel: wigwag::ChannelId,
    state: ConnectionState,
    is_open: bool,
    messages: Vec<(String, Bytes, bool)>,
}

impl Server {
    fn new(host: Host, seed: u64, now: Instant) -> Self {
        let seed = Seed::for_test(2 * seed + u64::from(host == Z));
        let mut endpoint = Endpoint::new(EndpointConfig::default(), seed);
        endpoint.add_local_address(address(host)).unwrap();
        let id = endpoint.create(config(host, now)).unwrap();
        // Nobody ever talks to these.
        for _ in 0..3 {
            endpoint.create(config(host, now)).unwrap();
        }
        let connection = endpoint.connection_mut(id).unwrap();
        let channel = connection.create_data_channel("agreed", DataChannelInit::default().negotiated(0)).unwrap();
        Self { endpoint, id, channel, state: ConnectionState::New, is_open: false, messages: Vec::new() }
    }
}

impl Node for Server {
    fn handle_input(&mut self, datagram: Datagram<'_>, now: Instant) {
        self.endpoint.handle_input(datagram, now);
    }
    fn handle_timeout(&mut self, now: Instant) {
        self.endpoint.handle_timeout(now);
    }
    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        self.endpoint.poll_transmit(now, out)
    }
    fn poll_event(&mut self) -> bool {
        let Some(event) = self.endpoint.poll_event() else { return false };
        match event {
            EndpointEvent::Connection(_, Event::ConnectionStateChanged(state)) => self.state = state,
            EndpointEvent::Connection(_, Event::ChannelOpened(_)) => self.is_open = true,
            EndpointEvent::Connection(_, Event::Message { data, is_binary, .. }) => {
                self.messages.push(("agreed".into(), data, is_binary));
            }
            _ => {}
        }
        true
    }
    fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        self.endpoint.poll_timeout(now)
    }
}

impl Subject for Server {
    const UNCHECKED: &'static [(Law, &'static str)] =
        &[(Law::PacketsAreOwed, "a transmit is written whole: there is no limit to keep to")];
    const COMMANDS: usize = 20;
    const NETWORK: Network = Network::Lossy;

    fn pair(seed: u64, now: Instant) -> [Self; 2] {
        let [mut a, mut z] = [A, Z].map(|host| Self::new(host, seed, now));
        negotiate([a.endpoint.connection_mut(a.id).unwrap(), z.endpoint.connection_mut(z.id).unwrap()]);
        [a, z]
    }

    fn command(&mut self, n: usize) -> bool {
        if !self.is_open {
            return false;
        }
        let data = Bytes::from(vec![n as u8; n * 97 % 3000]);
        self.endpoint.connection_mut(self.id).unwrap().send(self.channel, data, true).is_ok()
    }

    fn outcome(&self) -> String {
        format!("{:?} {:?}", self.state, by_channel(&self.messages))
    }

    fn dropped(&self) -> Option<u64> {
        let connections = self.endpoint.ids().filter_map(|id| self.endpoint.connection(id)).map(dropped).sum::<u64>();
        Some(self.endpoint.stats().unroutable + connections)
    }

    fn retransmitted(&self) -> u64 {
        self.endpoint.connection(self.id).map_or(0, |connection| connection.transport_stats().retransmissions)
    }

    fn load(&self) -> Option<Load> {
        let stats = self.endpoint.connection(self.id)?.transport_stats();
        let held = stats.send_buffered + stats.receive_buffered;
        Some(Load { held, bound: SEND_BUFFER + 2 * RECEIVE_BUFFER })
    }

    fn crowd(seed: u64, parts: usize, now: Instant) -> Option<Self> {
        let mut server = Self::new(A, seed, now);
        (0..parts).for_each(|_| _ = server.endpoint.create(config(A, now)).unwrap());
        Some(server)
    }

    fn visits(&self) -> Option<u64> {
        Some(self.endpoint.stats().visits)
    }
}

#[test]
fn an_endpoint_keeps_the_laws() {
    contract::check_but::<Server>(EXCEPTED);
}

const _: () = contract::is_send_and_sync::<PeerConnection>();
const _: () = contract::is_send_and_sync::<Endpoint>();

/// The same deeds in a hundred orders come to the same end, where nothing is lost and no timer ends.
#[test]
fn a_hundred_interleavings_deliver_the_same() {
    for seed in 0..4 {
        Law::NoOrder.check::<Data>(seed + 100).unwrap();
    }
    Law::NoOrder.check::<Media<false>>(200).unwrap();
    Law::NoOrder.check::<Media<true>>(200).unwrap();
}
