//! A peer that has the keys, and says with them whatever it likes whenever it likes: the laws hold.

use super::*;
use crate::record::plaintext::RecordNumber;
use crate::{Certificate, HashAlgorithm};
use proptest::prelude::*;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// With less room nothing may fit, and what does not fit stays owed.
const ROOM: usize = 200;
/// As many as a flight has where there is so little room, and more.
const DATAGRAMS_MAX: usize = 60;
const WIRE_MAX: usize = 64;

#[derive(Clone, Debug)]
enum Step {
    /// One of the datagrams that are on their way arrives, the first or a later one.
    Deliver {
        to: usize,
        place: usize,
        stays: bool,
    },
    Lose {
        to: usize,
    },
    /// To the next deadline.
    Wake,
    Pass {
        millis: u64,
    },
    /// From now on, so much is taken off the time that is told.
    Back {
        millis: u64,
    },
    Room {
        limit: usize,
    },
    /// The peer of `to` seals this with one of its keys, counted from the newest, or with none.
    Say {
        to: usize,
        key: Option<usize>,
        content_type: ContentType,
        body: Body,
    },
    /// The same of a part of a message that it has sent and may send again.
    SayAgain {
        to: usize,
        key: Option<usize>,
        message: usize,
        from: usize,
        len: usize,
        flip: u8,
    },
    /// A KeyUpdate, whatever was acknowledged.
    Replace {
        to: usize,
        ahead: u16,
        is_requested: bool,
    },
    Protect {
        who: usize,
    },
    Update {
        who: usize,
        is_requested: bool,
    },
    Timeout {
        who: usize,
        millis: u64,
    },
    Close {
        who: usize,
        aborts: bool,
    },
}

#[derive(Clone, Debug)]
enum Body {
    Bytes(Vec<u8>),
    /// Type, how far from the next number, length, offset, bytes.
    Fragments(Vec<(u8, i32, usize, usize, Vec<u8>)>),
    /// Which epoch of ours, and how far before the next number.
    Ack(Vec<(usize, u64)>),
}

fn body() -> impl Strategy<Value = Body> {
    let types = prop::sample::select(vec![0u8, 1, 2, 3, 4, 8, 11, 13, 14, 15, 16, 20, 24, 99]);
    let bytes = || prop::collection::vec(prop_oneof![Just(0u8), Just(1), any::<u8>()], 0..40);
    let fragment = (types, -3i32..10, 0usize..60, 0usize..40, bytes());
    prop_oneof![
        1 => bytes().prop_map(Body::Bytes),
        6 => prop::collection::vec(fragment, 1..4).prop_map(Body::Fragments),
        2 => prop::collection::vec((0usize..4, 0u64..12), 0..8).prop_map(Body::Ack),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let contents = [ContentType::Handshake, ContentType::Ack, ContentType::Alert, ContentType::ApplicationData];
    let content_type =
        prop_oneof![9 => prop::sample::select(contents.to_vec()), 1 => Just(ContentType::ChangeCipherSpec)];
    let who = || 0usize..2;
    let key = || prop::option::weighted(0.9, 0usize..3);
    let part = (0usize..8, 0usize..80, 1usize..2000, prop_oneof![9 => Just(0u8), 1 => any::<u8>()]);
    let again = |(to, key, (message, from, len, flip))| Step::SayAgain { to, key, message, from, len, flip };
    let say = |(to, key, content_type, body)| Step::Say { to, key, content_type, body };
    let ahead = prop_oneof![4 => Just(0u16), 1 => 0u16..3];
    let place = prop_oneof![4 => Just(0usize), 1 => 0usize..5];
    prop_oneof![
        30 => (who(), place, prop::bool::weighted(0.1)).prop_map(|(to, place, stays)| Step::Deliver { to, place, stays }),
        3 => who().prop_map(|to| Step::Lose { to }),
        6 => Just(Step::Wake),
        3 => (0u64..3000).prop_map(|millis| Step::Pass { millis }),
        1 => (0u64..5000).prop_map(|millis| Step::Back { millis }),
        1 => prop::sample::select(vec![1200, 600, ROOM, 100, 40, 13, 0]).prop_map(|limit| Step::Room { limit }),
        8 => (who(), key(), content_type, body()).prop_map(say),
        6 => (who(), key(), part).prop_map(again),
        3 => (who(), ahead, any::<bool>()).prop_map(|(to, ahead, is_requested)| Step::Replace { to, ahead, is_requested }),
        4 => who().prop_map(|who| Step::Protect { who }),
        3 => (who(), any::<bool>()).prop_map(|(who, is_requested)| Step::Update { who, is_requested }),
        1 => (who(), 0u64..3000).prop_map(|(who, millis)| Step::Timeout { who, millis }),
        1 => (who(), any::<bool>()).prop_map(|(who, aborts)| Step::Close { who, aborts }),
    ]
}

struct World {
    peers: [Connection; 2],
    wires: [Vec<Vec<u8>>; 2],
    now: Instant,
    back: Duration,
    limit: usize,
    connected: [u32; 2],
    closed: [u32; 2],
    /// Datagrams after the end.
    last_words: [u32; 2],
}

impl World {
    fn new([min, max]: [Version; 2], retries: bool, has_tickets: bool) -> Self {
        let certificate =
            |n| Arc::new(Certificate::generate(Duration::from_secs(1_790_000_000), Seed::for_test(n)).unwrap());
        let certificates = [certificate(1), certificate(2)];
        let peers = [Role::Client, Role::Server].map(|role| {
            let (own, other) = if role == Role::Client { (0, 1) } else { (1, 0) };
            let mut config = Config::new(role, certificates[own].clone());
            (config.min_version, config.max_version) = (min, max);
            (config.takes_tickets, config.sends_tickets) = (has_tickets, has_tickets);
            config.groups = vec![Group::X25519, Group::Secp256r1];
            if retries && role == Role::Server {
                config.groups.remove(0);
            }
            config.remote_fingerprints = vec![certificates[other].fingerprint(HashAlgorithm::Sha256)];
            Connection::new(config, Seed::for_test(own as u64))
        });
        let (now, wires) = (wigwag_sim::origin(), [vec![], vec![]]);
        let [connected, closed, last_words] = [[0; 2]; 3];
        let mut world = Self { peers, wires, now, back: Duration::ZERO, limit: 1200, connected, closed, last_words };
        world.pass(Duration::ZERO);
        world
    }

    fn pass(&mut self, duration: Duration) {
        self.now += duration;
        self.peers.iter_mut().for_each(|peer| peer.handle_timeout(self.now));
    }

    fn poll_events(&mut self, who: usize) {
        while let Some(event) = self.peers[who].poll_event() {
            assert_eq!(self.closed[who], 0, "Closed is the last event");
            match event {
                Event::Connected { .. } => self.connected[who] += 1,
                Event::Closed(_) => self.closed[who] += 1,
            }
        }
    }

    fn poll(&mut self, who: usize) {
        self.poll_events(who);
        for n in 0.. {
            let (peer, mut out) = (&mut self.peers[who], vec![9; 3]);
            let is_due = peer.poll_timeout(self.now).is_some_and(|at| at <= self.now);
            let was_closed = peer.is_closed();
            if !peer.poll_packet(self.now - self.back, self.limit, &mut out) {
                assert_eq!(out, [9; 3], "nothing is changed");
                break;
            }
            assert!(is_due, "owed is due");
            assert!(out.len() > 3 && out.len() - 3 <= self.limit);
            assert!(n < DATAGRAMS_MAX || self.limit < ROOM, "one input provokes no more than a flight");
            self.last_words[who] += u32::from(was_closed);
            if self.wires[1 - who].len() < WIRE_MAX {
                self.wires[1 - who].push(out.split_off(3));
            }
        }
        self.poll_events(who);
        let peer = &self.peers[who];
        assert!(peer.held_len() <= peer.held_len_max());
        assert!(self.connected[who] <= 1 && u32::from(peer.is_closed()) == self.closed[who]);
        assert!(self.last_words[who] <= 1 + peer.config().retransmission.limit);
        if self.limit >= ROOM {
            let wake = peer.poll_timeout(self.now);
            assert!(wake.is_none_or(|at| at > self.now), "nothing spins");
            assert!(wake.is_none() || !peer.is_closed(), "the end is the end");
        }
    }

    fn give(&mut self, to: usize, mut datagram: Vec<u8>) {
        self.peers[to].handle_input(&mut datagram, self.now - self.back, |data| assert!(!data.is_empty()));
    }

    /// The peer of `to` says this.
    fn say(&mut self, to: usize, key: Option<usize>, content_type: ContentType, body: &[u8]) {
        let (epochs, mut nobodys, mut out) =
            (&mut self.peers[1 - to].handshake.write, WriteEpoch::plaintext(), Vec::new());
        let place = key.and_then(|key| epochs.len().checked_sub(1 + key));
        let epoch = place.and_then(|place| epochs.get_mut(place)).unwrap_or(&mut nobodys);
        let has_written = epoch.append(content_type, 4000, &mut out, |_, out| {
            out.extend_from_slice(body);
            true
        });
        assert!(has_written);
        self.give(to, out);
    }

    fn body(&self, to: usize, body: &Body) -> Vec<u8> {
        let Handshake { write, received, .. } = &self.peers[to].handshake;
        match body {
            Body::Bytes(bytes) => bytes.clone(),
            Body::Ack(numbers) => {
                let number = |(epoch, before): &(usize, u64)| {
                    let next = write.get(*epoch).map(WriteEpoch::next_number);
                    let RecordNumber { epoch, sequence } = next.unwrap_or(RecordNumber { epoch: 9, sequence: 1 });
                    [u64::from(epoch).to_be_bytes(), sequence.saturating_sub(*before).to_be_bytes()].concat()
                };
                let numbers: Vec<u8> = numbers.iter().flat_map(number).collect();
                [&(numbers.len() as u16).to_be_bytes()[..], &numbers].concat()
            }
            Body::Fragments(fragments) => {
                let fragment = |(message_type, ahead, len, offset, bytes): &(u8, i32, usize, usize, Vec<u8>)| {
                    let len = (*len).max(bytes.len());
                    let seq = received.next().saturating_add_signed(*ahead) as u16;
                    fragment_of(*message_type, len, seq, (*offset).min(len - bytes.len()), bytes)
                };
                fragments.iter().flat_map(fragment).collect()
            }
        }
    }

    fn say_again(&mut self, to: usize, key: Option<usize>, message: usize, part: [usize; 2], flip: u8) {
        let messages = self.peers[1 - to].handshake.flight.messages();
        let Some((_, message)) = messages.get(message % messages.len().max(1)) else { return };
        let (header, body) = message.split_at(fragment::HEADER_LEN);
        let [from, len] = part;
        let from = from.min(body.len());
        let mut bytes = body[from..body.len().min(from + len)].to_vec();
        bytes.iter_mut().take(1).for_each(|byte| *byte ^= flip);
        let seq = u16::from_be_bytes([header[4], header[5]]);
        self.say(to, key, ContentType::Handshake, &fragment_of(header[0], body.len(), seq, from, &bytes));
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Deliver { to, place, stays } => {
                let wire = &mut self.wires[to];
                if let Some(place) = wire.len().checked_sub(1).map(|last| place.min(last)) {
                    let datagram = if stays { wire[place].clone() } else { wire.remove(place) };
                    self.give(to, datagram);
                }
            }
            Step::Lose { to } => _ = self.wires[to].pop(),
            Step::Wake => {
                let next = self.peers.iter().filter_map(|peer| peer.poll_timeout(self.now)).min();
                self.pass(next.unwrap_or(self.now).saturating_duration_since(self.now));
            }
            Step::Pass { millis } => self.pass(Duration::from_millis(millis)),
            Step::Back { millis } => self.back = Duration::from_millis(millis),
            Step::Room { limit } => self.limit = limit,
            Step::Say { to, key, content_type, ref body } => {
                let body = self.body(to, body);
                self.say(to, key, content_type, &body);
            }
            Step::SayAgain { to, key, message, from, len, flip } => self.say_again(to, key, message, [from, len], flip),
            Step::Replace { to, ahead, is_requested } => {
                let seq = self.peers[to].handshake.received.next() as u16 + ahead;
                let update = fragment::whole(HandshakeType::KEY_UPDATE, seq, &[u8::from(is_requested)]);
                self.say(to, Some(0), ContentType::Handshake, &update);
            }
            Step::Protect { who } => {
                let mut out = Vec::new();
                let write = |_, out: &mut Vec<u8>| {
                    out.extend_from_slice(b"data");
                    true
                };
                if self.peers[who].protect(self.limit, &mut out, write) && self.wires[1 - who].len() < WIRE_MAX {
                    self.wires[1 - who].push(out);
                }
            }
            Step::Update { who, is_requested } => self.peers[who].update_keys(is_requested),
            Step::Timeout { who, millis } => {
                self.peers[who].set_initial_timeout(Duration::from_millis(millis));
                self.pass(Duration::ZERO);
            }
            Step::Close { who, aborts: false } => self.peers[who].close(),
            Step::Close { who, aborts: true } => self.peers[who].abort(AlertDescription::InternalError),
        }
        self.poll(0);
        self.poll(1);
    }
}

fn fragment_of(message_type: u8, len: usize, seq: u16, offset: usize, bytes: &[u8]) -> Vec<u8> {
    let [len, offset, fragment_len] = [len, offset, bytes.len()].map(|len| (len as u32).to_be_bytes());
    [&[message_type][..], &len[1..], &seq.to_be_bytes(), &offset[1..], &fragment_len[1..], bytes].concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn whatever_a_peer_says_with_its_keys_the_laws_hold(
        versions in prop::sample::select(vec![
            [Version::Dtls12; 2],
            [Version::Dtls13; 2],
            [Version::Dtls12, Version::Dtls13],
        ]),
        retries in any::<bool>(),
        has_tickets in any::<bool>(),
        // How much of a handshake passes without a word of it.
        first in 0usize..12,
        steps in prop::collection::vec(step(), 0..80),
    ) {
        let mut world = World::new(versions, retries, has_tickets);
        world.poll(0);
        (0..first).for_each(|n| world.step(&Step::Deliver { to: 1 - n % 2, place: 0, stays: false }));
        steps.iter().for_each(|step| world.step(step));
        // In the end they have come to one, but for a server to whom nobody has said anything.
        world.limit = 1200;
        (0..200).for_each(|_| world.step(&Step::Wake));
        for peer in &world.peers {
            prop_assert!(peer.awaits_hello() || peer.is_connected() || peer.is_closed(), "{:?}", peer);
        }
    }
}
