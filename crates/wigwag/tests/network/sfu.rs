//! The conference of `examples/sfu`: three members come, one after another, over paths that lose.

#[path = "../../examples/sfu/room.rs"]
mod room;

use crate::common::config;
use bytes::Bytes;
use room::{Room, Told};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use wigwag::sansio::{Datagram, Seed, Transmit};
use wigwag::{
    ConnectionId, Direction, Endpoint, EndpointConfig, Event, Frame, MediaKind, PeerConnection, SessionDescription,
    SignalingState, TransceiverId, congestion,
};
use wigwag_sim::{Host, Node, World, seeds};

const MS: Duration = Duration::from_millis(1);
const S: Duration = Duration::from_secs(1);
/// A seed takes a second here.
const SEEDS_MAX: usize = 40;
/// Of pictures; a frame of sound is the half.
const FRAME: Duration = Duration::from_millis(40);

/// Who sends sound and pictures and looks at those of the others.
struct Member {
    connection: PeerConnection,
    name: &'static str,
    tracks: Vec<(MediaKind, TransceiverId)>,
    /// The next picture that it sends, and whether somebody needs a key frame.
    number: u32,
    wants_key: bool,
    key_frames: u32,
    /// It has something to offer, beside what it came with.
    is_offer_due: bool,
    /// By whom, pictures and sounds: their numbers.
    seen: BTreeMap<String, [Vec<u32>; 2]>,
    /// How long the last picture was, by whom.
    sizes: BTreeMap<String, usize>,
}

/// The layers of who sends several, and how long a picture of each is: 40, 200 and 800 kbit/s.
const LAYERS: [(&str, usize); 3] = [("q", 200), ("h", 1000), ("f", 4000)];
/// A picture of who sends one.
const PICTURE: usize = 3000;

impl Member {
    fn new(seed: u64, name: &'static str, address: std::net::SocketAddr) -> Self {
        let mut connection = PeerConnection::new(config(), Seed::for_test(seed));
        connection.add_local_address(address).unwrap();
        let tracks = [MediaKind::Audio, MediaKind::Video]
            .map(|kind| (kind, connection.add_transceiver(kind, Direction::Sendonly).unwrap()));
        let (tracks, seen) = (tracks.to_vec(), BTreeMap::new());
        Self {
            connection,
            name,
            tracks,
            number: 0,
            wants_key: true,
            key_frames: 0,
            is_offer_due: false,
            seen,
            sizes: BTreeMap::new(),
        }
    }

    fn offer(&mut self) -> SessionDescription {
        let offer = self.connection.create_offer().unwrap();
        self.connection.set_local_description(offer).unwrap();
        self.connection.local_description().unwrap()
    }

    fn answer(&mut self, offer: SessionDescription) -> SessionDescription {
        self.connection.set_remote_description(offer).unwrap();
        let answer = self.connection.create_answer().unwrap();
        self.connection.set_local_description(answer).unwrap();
        self.connection.local_description().unwrap()
    }

    /// Shows what was made in 40 ms: two frames of sound, and a picture of three packets.
    fn show(&mut self) {
        let n = self.number;
        self.number += 1;
        let is_key = std::mem::take(&mut self.wants_key);
        self.key_frames += u32::from(is_key);
        for (kind, id) in self.tracks.clone() {
            let negotiated = self.connection.transceiver(id).and_then(|found| found.negotiated.as_ref());
            let Some(codec) = negotiated.and_then(|negotiated| negotiated.send_codecs.first()) else { continue };
            let payload_type = codec.payload_type;
            let frame = |first: u8, number: u32, len: usize| -> Bytes {
                let mut data = vec![first];
                data.extend_from_slice(&number.to_be_bytes());
                data.resize(len, self.name.as_bytes()[0]);
                data.into()
            };
            let frames = match kind {
                MediaKind::Audio => {
                    vec![(2 * n * 960, frame(0xf8, 2 * n, 80)), ((2 * n + 1) * 960, frame(0xf8, 2 * n + 1, 80))]
                }
                _ if !negotiated.is_some_and(|negotiated| negotiated.send_layers.is_empty()) => {
                    for (rid, len) in LAYERS {
                        let picture = Frame::new(payload_type, n * 3600, frame(u8::from(!is_key), n, len));
                        self.wants_key |= self.connection.write_layer_frame(id, rid, picture).is_err() && is_key;
                    }
                    continue;
                }
                _ => vec![(n * 3600, frame(u8::from(!is_key), n, PICTURE))],
            };
            for (time, data) in frames {
                let is_refused = self.connection.write_frame(id, Frame::new(payload_type, time, data)).is_err();
                self.wants_key |= is_refused && is_key && kind == MediaKind::Video;
            }
        }
    }

    fn note(&mut self, event: Event) {
        match event {
            Event::Track(id) if self.connection.transceiver(id).is_some() => {
                self.connection.receive_frames(id).unwrap();
            }
            Event::KeyFrameRequested { .. } => self.wants_key = true,
            Event::NegotiationNeeded => self.is_offer_due = true,
            Event::Frame { transceiver, frame, .. } => {
                let found = self.connection.transceiver(transceiver).unwrap();
                let name = found.negotiated.as_ref().unwrap().remote_stream_ids[0].clone();
                let is_sound = found.kind == MediaKind::Audio;
                assert_eq!(frame.data[5..], name.as_bytes()[..1].repeat(frame.data.len() - 5), "nobody else's");
                if !is_sound {
                    self.sizes.insert(name.clone(), frame.data.len());
                }
                if is_sound || frame.is_decodable {
                    let number = u32::from_be_bytes(frame.data[1..5].try_into().unwrap());
                    self.seen.entry(name).or_default()[usize::from(is_sound)].push(number);
                }
            }
            _ => {}
        }
    }
}

struct Server {
    endpoint: Endpoint,
    room: Room,
    told: Vec<Told>,
}

enum Party {
    Server(Box<Server>),
    Member(Box<Member>),
}

impl Node for Party {
    fn handle_input(&mut self, datagram: Datagram<'_>, now: Instant) {
        match self {
            Self::Server(server) => server.endpoint.handle_input(datagram, now),
            Self::Member(member) => member.connection.handle_input(datagram, now),
        }
    }
    fn handle_timeout(&mut self, now: Instant) {
        match self {
            Self::Server(server) => server.endpoint.handle_timeout(now),
            Self::Member(member) => member.connection.handle_timeout(now),
        }
    }
    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        match self {
            Self::Server(server) => server.endpoint.poll_transmit(now, out),
            Self::Member(member) => member.connection.poll_transmit(now, out),
        }
    }
    fn poll_event(&mut self) -> bool {
        match self {
            Self::Server(server) => {
                let Server { endpoint, room, told } = server.as_mut();
                let event = endpoint.poll_event();
                let has_event = event.is_some();
                told.extend(event.and_then(|event| room.handle_event(endpoint, event)));
                has_event
            }
            Self::Member(member) => {
                let event = member.connection.poll_event();
                let has_event = event.is_some();
                event.into_iter().for_each(|event| member.note(event));
                has_event
            }
        }
    }
    fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        match self {
            Self::Server(server) => server.endpoint.poll_timeout(now),
            Self::Member(member) => member.connection.poll_timeout(now),
        }
    }
}

/// A room and its members, and the signalling between them.
struct Conference {
    world: World<Party>,
    server: Host,
    members: BTreeMap<ConnectionId, Host>,
    left: Vec<String>,
    joined: u8,
    seed: u64,
    /// Whether the server finds out what each path takes.
    is_controlled: bool,
}

impl Conference {
    fn new(seed: u64) -> Self {
        let address = ([10, 0, 0, 1], 5000).into();
        let mut endpoint = Endpoint::new(EndpointConfig::default(), Seed::for_test(seed));
        endpoint.add_local_address(address).unwrap();
        let mut world = World::new(seed);
        let server = world.add(
            "S",
            &[address],
            Party::Server(Box::new(Server { endpoint, room: Room::default(), told: Vec::new() })),
        );
        Self { world, server, members: BTreeMap::new(), left: Vec::new(), joined: 0, seed, is_controlled: false }
    }

    fn server(&mut self) -> &mut Server {
        let Party::Server(server) = &mut self.world[self.server] else { panic!("no server") };
        server
    }

    fn member(&mut self, host: Host) -> &mut Member {
        let Party::Member(member) = &mut self.world[host] else { panic!("no member") };
        member
    }

    /// Somebody comes, over a path that loses 2 % each way.
    fn join(&mut self, name: &'static str) -> Host {
        self.join_with(name, |_| ())
    }

    /// Likewise, with something more to say before the offer.
    fn join_with(&mut self, name: &'static str, adapt: impl FnOnce(&mut Member)) -> Host {
        self.joined += 1;
        let count = self.joined;
        let address = ([10, 0, 1, count], 1000).into();
        let mut member = Member::new(self.seed * 100 + u64::from(count), name, address);
        adapt(&mut member);
        let host = self.world.add(name, &[address], Party::Member(Box::new(member)));
        self.world.links(self.server, host, |link| {
            link.latency(20 * MS).jitter(5 * MS).loss(2.0);
        });
        let offer = self.member(host).offer();
        let mut config = config();
        config.media_congestion_control = self.is_controlled.then(congestion::Config::new);
        let Server { endpoint, room, .. } = self.server();
        let (id, answer) = room.join(endpoint, name, config, offer).unwrap();
        self.member(host).connection.set_remote_description(answer).unwrap();
        self.members.insert(id, host);
        host
    }

    /// What a member has to offer; whether it was heard.
    fn offer_of(&mut self, id: ConnectionId, host: Host) -> bool {
        let offer = self.member(host).offer();
        let Server { endpoint, room, .. } = self.server();
        let answer = room.describe(endpoint, id, offer).unwrap();
        let is_heard = answer.is_some();
        answer.into_iter().for_each(|answer| {
            self.member(host).connection.set_remote_description(answer).unwrap();
        });
        is_heard
    }

    /// Everybody shows themselves for so long.
    fn run(&mut self, duration: Duration) {
        for _ in 0..duration.as_millis() / FRAME.as_millis() {
            for host in self.members.clone().into_values() {
                self.member(host).show();
            }
            self.world.run_for(FRAME);
            for (id, host) in self.members.clone() {
                let member = self.member(host);
                if std::mem::take(&mut member.is_offer_due)
                    && member.connection.signaling_state() == SignalingState::Stable
                {
                    self.offer_of(id, host);
                }
            }
            for told in std::mem::take(&mut self.server().told) {
                match told {
                    Told::Offer(id, offer) => {
                        let answer = self.member(self.members[&id]).answer(offer);
                        let Server { endpoint, room, .. } = self.server();
                        assert!(room.describe(endpoint, id, answer).unwrap().is_none());
                    }
                    Told::Left(id, name) => {
                        self.members.remove(&id);
                        self.left.push(name);
                    }
                }
            }
        }
    }

    /// Takes what a member has seen of another since it was last asked: nearly all of `seconds`, each once and in order.
    fn assert_seen(&mut self, by: Host, of: &str, seconds: u32) {
        let [pictures, sounds] = self.member(by).seen.remove(of).unwrap_or_default();
        assert!(pictures.is_sorted_by(|a, b| a < b) && sounds.is_sorted_by(|a, b| a < b), "{of}: {pictures:?}");
        // Sound that is lost on either way is not asked for again, and a picture that comes too late ends those behind it.
        let (pictures, sounds) = (pictures.len() as u32, sounds.len() as u32);
        let by = self.member(by).name;
        assert!(pictures >= seconds * 25 * 9 / 10, "{by} saw {pictures} of {of} in {seconds} s");
        assert!(sounds >= seconds * 50 * 9 / 10, "{by} heard {sounds} of {of} in {seconds} s");
    }

    fn forget_seen(&mut self) {
        for host in self.members.clone().into_values() {
            self.member(host).seen.clear();
        }
    }

    fn sections(&mut self, host: Host) -> usize {
        self.member(host).connection.local_description().unwrap().sdp.matches("\r\nm=").count()
    }
}

#[test]
fn three_members_come_in_turn_and_each_has_the_frames_of_the_two_others() {
    for seed in seeds(3).take(SEEDS_MAX) {
        let mut conference = Conference::new(seed);
        let ann = conference.join("ann");
        conference.run(2 * S);
        let bob = conference.join("bob");
        conference.run(4 * S);
        conference.assert_seen(ann, "bob", 3);
        conference.assert_seen(bob, "ann", 3);
        let cem = conference.join("cem");
        conference.run(2 * S);
        conference.forget_seen();
        conference.run(5 * S);
        for (by, others) in [(ann, ["bob", "cem"]), (bob, ["ann", "cem"]), (cem, ["ann", "bob"])] {
            others.into_iter().for_each(|of| conference.assert_seen(by, of, 5));
        }
        // Nobody was asked for a key frame more often than is good for the picture: in 13 s, with 2 % lost on each way.
        for host in [ann, bob, cem] {
            let member = conference.member(host);
            assert!(member.key_frames < 18, "{}: {}", member.name, member.key_frames);
            assert!(member.number > 150);
        }
        // What the listeners missed came from the room's memory, not from the publishers.
        let ids: Vec<_> = conference.members.keys().copied().collect();
        let server = conference.server();
        for id in ids {
            let connection = server.endpoint.connection(id).unwrap();
            let outlets = connection.transceivers().filter_map(|found| connection.sender_stats(found.id));
            assert!(outlets.map(|stats| stats.packets_resent).sum::<u64>() > 5);
        }

        // One hangs up; the others go on, and whoever comes next takes the places that are free.
        conference.member(bob).connection.close();
        for _ in 0..60 {
            conference.run(S); // a goodbye that is lost is missed when the path falls silent
            if !conference.left.is_empty() {
                break;
            }
        }
        conference.run(S);
        assert_eq!(conference.left, ["bob"]);
        conference.forget_seen();
        conference.run(5 * S);
        conference.assert_seen(ann, "cem", 5);
        conference.assert_seen(cem, "ann", 5);
        assert!(!conference.member(ann).seen.contains_key("bob"));
        let before = [conference.sections(ann), conference.sections(cem)];
        let dan = conference.join("dan");
        conference.run(2 * S);
        conference.forget_seen();
        conference.run(5 * S);
        conference.assert_seen(dan, "ann", 5);
        conference.assert_seen(cem, "dan", 5);
        assert_eq!([conference.sections(ann), conference.sections(cem)], before);
    }
}

#[test]
fn a_member_that_vanishes_is_given_up_and_the_others_go_on() {
    let mut conference = Conference::new(1);
    let [ann, bob, cem] = ["ann", "bob", "cem"].map(|name| {
        let host = conference.join(name);
        conference.run(S);
        host
    });
    conference.run(3 * S);
    let server = conference.server;
    conference.world.links(server, bob, |link| {
        link.loss(100.0);
    });
    for _ in 0..12 {
        conference.forget_seen();
        conference.run(5 * S);
        conference.assert_seen(ann, "cem", 5);
        conference.assert_seen(cem, "ann", 5);
    }
    assert_eq!(conference.left, ["bob"]);
    assert_eq!(conference.server().endpoint.len(), 2);
}

/// A page shows its screen while the room tells it of somebody who has just come: it takes its offer back, and makes it again.
#[test]
fn a_member_whose_offer_meets_one_of_the_room_is_heard_after_it() {
    let mut conference = Conference::new(2);
    let [ann, bob] = ["ann", "bob"].map(|name| {
        let host = conference.join(name);
        conference.run(S);
        host
    });
    conference.run(S);
    conference.join("cem");
    conference.world.run_for(MS * 500);
    assert!(conference.server().told.iter().any(|told| matches!(told, Told::Offer(..))), "it is on its way to ann");
    let member = conference.member(ann);
    let screen = member.connection.add_transceiver(MediaKind::Video, Direction::Sendonly).unwrap();
    member.tracks.push((MediaKind::Video, screen));
    let id = conference.members.iter().find(|(_, host)| **host == ann).map(|(id, _)| *id).unwrap();
    assert!(!conference.offer_of(id, ann), "the room leaves it alone");
    conference.run(5 * S);
    let connection = &conference.member(bob).connection;
    let of_ann = connection.transceivers().filter(|found| {
        let streams = found.negotiated.as_ref().map(|negotiated| negotiated.remote_stream_ids.as_slice());
        found.kind == MediaKind::Video && streams == Some(&["ann".to_owned()])
    });
    let frames: Vec<_> = of_ann.map(|found| connection.frame_stats(found.id)[0].1.frames).collect();
    assert!(frames.len() == 2 && frames.iter().all(|frames| *frames > 50), "{frames:?}");
}

/// Nothing that has not been counted yet is told as nothing: it would cap the first tries of a path, which find out what it takes in half a
/// second.
#[test]
fn a_path_is_tried_before_it_is_known_how_much_there_is_for_it() {
    for somebody_was_counted in [false, true] {
        let mut conference = Conference::new(30);
        conference.is_controlled = true;
        if somebody_was_counted {
            conference.join_with("cem", |member| member.tracks.truncate(1));
            conference.run(3 * S);
        }
        let bob = conference.join_with("bob", |member| member.tracks.truncate(1));
        let id = conference.members.iter().find(|(_, host)| **host == bob).map(|(id, _)| *id).unwrap();
        conference.join("ann");
        conference.run(MS * 900);
        let connection = conference.server().endpoint.connection(id).unwrap();
        let (stats, target) = (connection.congestion_stats().unwrap(), connection.target_bitrate().unwrap());
        let initial = congestion::Config::new().initial_bitrate;
        assert!(stats.probes > 1 && target > 2 * initial, "{somebody_was_counted}: {target} of {initial}, {stats:?}");
    }
}

/// The pictures of one who sends three sizes: each listener has those that the path takes, and has others when that changes, all of them
/// decodable.
#[test]
fn each_member_gets_pictures_of_a_size_that_the_path_takes() {
    for seed in 0..2 {
        let mut conference = Conference::new(20 + seed);
        conference.is_controlled = true;
        let ann = conference.join_with("ann", |member| {
            let (_, video) = member.tracks[1];
            member.connection.set_send_layers(video, LAYERS.map(|(rid, _)| rid)).unwrap();
        });
        let [bob, cem] = ["bob", "cem"].map(|name| conference.join_with(name, |member| member.tracks.truncate(1)));
        let server = conference.server;
        let narrow = |conference: &mut Conference, rate: u64| {
            conference.world.link(server, cem).rate(rate, 60_000);
        };
        for host in [ann, bob, cem] {
            conference.world.links(server, host, |link| _ = link.loss(0.0).jitter(Duration::ZERO));
        }
        let mut sizes = Vec::new();
        for rate in [700_000, 50_000_000, 250_000] {
            narrow(&mut conference, rate);
            conference.run(20 * S);
            conference.forget_seen();
            conference.run(5 * S);
            sizes.push([bob, cem].map(|host| conference.member(host).sizes["ann"]));
            for host in [bob, cem] {
                conference.assert_seen(host, "ann", 5);
            }
        }
        assert_eq!(sizes, [[4000, 1000], [4000, 4000], [4000, 200]], "seed {seed}");
    }
}
