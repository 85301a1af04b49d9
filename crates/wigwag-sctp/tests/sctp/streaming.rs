//! Messages in parts, of any length, in any weather.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use crate::common::{ORDERED, config, connected_with};
use crate::in_parts::{Come, come, in_parts};
use allocation_counter::measure;
use bytes::Bytes;
use proptest::prelude::*;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};
use wigwag_sansio::{Rng, Seed};
use wigwag_sctp::{Association, Config, Event, Reliability, Scheduler, SendError, SendOptions};
use wigwag_sim::{A, Z};

/// Two ends and a path of 5 ms between them that loses a hundredth.
struct Path {
    ends: [Association; 2],
    now: Instant,
    on_its_way: [VecDeque<(Instant, Vec<u8>)>; 2],
    spare: Vec<Vec<u8>>,
    rng: Rng,
}

impl Path {
    fn new(config: &Config) -> Self {
        let ends = [1, 2].map(|seed| Association::new(config.clone(), Seed::for_test(seed)));
        // The network's own memory.
        let on_its_way = [VecDeque::with_capacity(1000), VecDeque::with_capacity(1000)];
        let spare = (0..1000).map(|_| Vec::with_capacity(1200)).collect();
        let mut path = Self { ends, now: wigwag_sim::origin(), on_its_way, spare, rng: Rng::new(Seed::for_test(3)) };
        path.ends[0].connect();
        path
    }

    /// A millisecond.
    fn step(&mut self) {
        self.now += Duration::from_millis(1);
        let now = self.now;
        for at in [0, 1] {
            self.ends[at].handle_timeout(now);
            while self.on_its_way[at].front().is_some_and(|(due, _)| *due <= now)
                && let Some((_, packet)) = self.on_its_way[at].pop_front()
            {
                self.ends[at].handle_input(&packet, now);
                self.spare.push(packet);
            }
            loop {
                let mut packet = self.spare.pop().unwrap_or_else(|| Vec::with_capacity(1200));
                packet.clear();
                if !self.ends[at].poll_packet(now, 1200, &mut packet) {
                    self.spare.push(packet);
                    break;
                }
                if self.rng.one_in(100) {
                    self.spare.push(packet);
                } else {
                    self.on_its_way[1 - at].push_back((now + Duration::from_millis(5), packet));
                }
            }
        }
    }
}

/// A sum that depends on every byte and its place.
#[derive(Default, PartialEq, Eq, Debug)]
struct Sum(u32, u64);

impl Sum {
    fn add(&mut self, bytes: &[u8]) {
        self.0 = crc32c(self.0, bytes);
        self.1 += bytes.len() as u64;
    }
}

fn crc32c(mut crc: u32, bytes: &[u8]) -> u32 {
    for byte in bytes {
        crc = crc.rotate_left(5).wrapping_mul(0x9e37_79b1) ^ u32::from(*byte);
    }
    crc
}

/// Both ways at once, and with everything that is held by either end, or is on its way.
#[test]
fn sixty_four_megabytes_go_through_buffers_of_a_quarter_of_one_despite_loss() {
    const LEN: usize = 64 << 20;
    const PART: usize = 50_000;
    for interleaving in [false, true] {
        let mut mode = in_parts(32 << 10);
        mode.interleaving = interleaving;
        (mode.message_len_max_send, mode.message_len_max_receive) = (LEN, LEN);
        (mode.receive_window, mode.receive_window_max) = (256 << 10, 0);
        (mode.send_buffer, mode.send_buffer_max) = (256 << 10, 0);
        let mut path = Path::new(&mode);
        let (mut given, mut taken) = (Sum::default(), Sum::default());
        let mut rng = Rng::new(Seed::for_test(4));
        let info = measure(|| {
            path.ends[0].begin_message(0, 53, ORDERED).unwrap();
            let mut is_over = false;
            let mut next = Bytes::new();
            while !is_over {
                path.step();
                while given.1 < LEN as u64 {
                    if next.is_empty() {
                        let len = (LEN as u64 - given.1).min(1 + u64::from(rng.u32()) % PART as u64) as usize;
                        let mut bytes = vec![0; len];
                        rng.fill(&mut bytes);
                        next = bytes.into();
                    }
                    match path.ends[0].append_part(0, next.clone()) {
                        Ok(()) => given.add(&std::mem::take(&mut next)),
                        Err(SendError::Full(_)) => break,
                        Err(error) => panic!("{error}"),
                    }
                    if given.1 == LEN as u64 {
                        path.ends[0].finish_message(0).unwrap();
                    }
                }
                while path.ends[0].poll_event().is_some() {}
                while let Some(event) = path.ends[1].poll_event() {
                    if let Event::MessagePart { data, is_last, .. } = event {
                        taken.add(&data);
                        is_over = is_last;
                    }
                }
                assert!(path.now < wigwag_sim::origin() + Duration::from_secs(600), "{taken:?}");
            }
        });
        assert_eq!(given, taken);
        assert!(path.ends[0].stats().retransmitted > 500);
        // What waits, what is in flight, what has arrived, and room for as much again: of both ends together.
        assert!(info.bytes_max < 6 * (256 << 10), "{} bytes", info.bytes_max);
    }
}

/// Each of them is too short to be handed out, and together they fill the window.
#[test]
fn pieces_of_many_messages_are_handed_out_before_they_close_the_window() {
    let mut mode = in_parts(15_000);
    (mode.interleaving, mode.receive_window, mode.receive_window_max) = (true, 60_000, 0);
    let mut world = connected_with(1, mode.clone(), mode);
    for stream in 0..4 {
        world[A].association.begin_message(stream, 53, ORDERED).unwrap();
        world[A].association.append_part(stream, numbered(1, 0, 14_000)).unwrap();
    }
    world.run();
    assert_eq!(world[A].association.stats().timeouts, 0);
    assert!(world[Z].association.stats().receive_window > 30_000, "{:?}", world[Z].association.stats());
    for stream in 0..4 {
        world[A].association.finish_message(stream).unwrap();
    }
    world.run();
    for (_, messages) in come(&world[Z].events) {
        assert_eq!(messages[0].clone().data().unwrap(), numbered(1, 0, 14_000));
    }
}

/// What is done on a stream of A's, and in what pieces.
#[derive(Clone, Debug)]
enum Deed {
    Whole(u16, usize),
    InParts(u16, Vec<usize>),
    Wait(u64),
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let len = || prop_oneof![4 => 1..200usize, 2 => 1100..1160usize, 1 => 2000..20_000usize];
    let parts = prop::collection::vec(prop_oneof![1 => Just(0), 6 => len()], 1..12);
    let deed = prop_oneof![
        3 => (0..4u16, len()).prop_map(|(stream, len)| Deed::Whole(stream, len)),
        3 => (0..4u16, parts).prop_map(|(stream, parts)| Deed::InParts(stream, parts)),
        1 => (1..100u64).prop_map(Deed::Wait),
    ];
    prop::collection::vec(deed, 1..25)
}

fn numbered(number: usize, at: usize, len: usize) -> Bytes {
    (at..at + len).map(|at| (number * 37 + at + at / 256) as u8).collect()
}

/// Parts that are to be given, of several messages at once; what was given of which.
#[derive(Default)]
struct Giver {
    open: BTreeMap<u16, (usize, usize, VecDeque<usize>)>,
    /// What each stream has to bring.
    sent: BTreeMap<u16, Vec<Vec<u8>>>,
}

impl Giver {
    /// Gives what is taken. A whole message on a stream where one is open waits for it.
    fn give(&mut self, a: &mut Association) {
        for stream in self.open.keys().copied().collect::<Vec<_>>() {
            let Some((number, at, parts)) = self.open.get_mut(&stream) else { continue };
            while let Some(len) = parts.front().copied() {
                match a.append_part(stream, numbered(*number, *at, len)) {
                    Ok(()) => {
                        *at += len;
                        parts.pop_front();
                    }
                    Err(SendError::Full(_)) => break,
                    Err(error) => panic!("{error}"),
                }
            }
            if parts.is_empty() {
                let (number, len, _) = self.open.remove(&stream).unwrap();
                match a.finish_message(stream) {
                    Ok(()) => self.sent.entry(stream).or_default().push(numbered(number, 0, len).to_vec()),
                    Err(SendError::Empty) if len == 0 => {}
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_given_in_whatever_parts_comes_as_it_was(
        seed in 0..1u64 << 32, interleaving: bool, loss in 0..20u8, duplication in 0..10u8, jitter_ms in 0..30u64, buffer in 2000..40_000usize,
        from in prop_oneof![Just(None), (1..9000usize).prop_map(Some)], window in 3000..60_000u32, deeds in deeds(), is_priority: bool,
    ) {
        let mut mode = config(|config| config.initial_tsn = Some(u32::MAX - 20));
        mode.scheduler = if is_priority { Scheduler::Priority } else { Scheduler::RoundRobin };
        (mode.send_buffer, mode.send_buffer_max, mode.interleaving) = (buffer, 0, interleaving);
        (mode.partial_delivery_from, mode.receive_window, mode.receive_window_max) = (from, window, 0);
        let mut world = connected_with(seed, mode.clone(), mode);
        world.links(A, Z, |link| {
            link.loss(loss.into()).duplication(duplication.into()).jitter(Duration::from_millis(jitter_ms));
        });
        let mut giver = Giver::default();
        for (number, deed) in deeds.into_iter().enumerate() {
            let stream = match deed { Deed::Whole(stream, _) | Deed::InParts(stream, _) => Some(stream), Deed::Wait(_) => None };
            let mut patience = 10_000;
            loop {
                giver.give(&mut world[A].association);
                let is_free = stream.is_none_or(|stream| !giver.open.contains_key(&stream));
                let is_done = is_free && match &deed {
                    Deed::Wait(ms) => { world.run_for(Duration::from_millis(*ms)); true }
                    Deed::Whole(stream, len) => {
                        let data = numbered(number, 0, *len);
                        match world[A].association.send(*stream, 53, data.clone(), ORDERED) {
                            Ok(()) => { giver.sent.entry(*stream).or_default().push(data.to_vec()); true }
                            Err(SendError::Full(_)) => false,
                            Err(error) => panic!("{error}"),
                        }
                    }
                    Deed::InParts(stream, parts) => match world[A].association.begin_message(*stream, 53, ORDERED) {
                        Ok(()) => { giver.open.insert(*stream, (number, 0, parts.clone().into())); true }
                        Err(SendError::Full(_)) => false,
                        Err(error) => panic!("{error}"),
                    },
                };
                if is_done { break }
                world.run_for(Duration::from_millis(20));
                patience -= 1;
                prop_assert!(patience > 0, "nobody waits for ever");
            }
        }
        for _ in 0..10_000 {
            giver.give(&mut world[A].association);
            if giver.open.is_empty() { break }
            world.run_for(Duration::from_millis(20));
        }
        prop_assert!(giver.open.is_empty(), "nobody waits for ever");
        world.links(A, Z, |link| { link.heal(); });
        world.run_for(Duration::from_secs(60));
        let received: BTreeMap<u16, Vec<Vec<u8>>> = (come(&world[Z].events).into_iter())
            .map(|(stream, messages)| (stream, messages.into_iter().map(|message| message.data().unwrap()).collect()))
            .collect();
        prop_assert_eq!(received, giver.sent);
    }

    /// Every message is whole, or was told to be incomplete, and no stream mixes two.
    #[test]
    fn what_is_given_up_in_the_middle_is_told_or_not_seen(
        seed in 0..1u64 << 32, interleaving: bool, loss in 0..30u8, jitter_ms in 0..40u64, from in 1..4000usize, unordered: bool, is_timed: bool,
        messages in prop::collection::vec((0..3u16, 1..15_000usize, 0..120u64, any::<bool>()), 1..20), is_reset: bool,
    ) {
        let mut mode = in_parts(from);
        mode.interleaving = interleaving;
        let mut world = connected_with(seed, mode.clone(), mode);
        world.links(A, Z, |link| { link.loss(loss.into()).jitter(Duration::from_millis(jitter_ms)); });
        let reliability = if is_timed { Reliability::MaxLifetime(Duration::from_millis(100)) } else { Reliability::MaxRetransmits(0) };
        let mut sent: BTreeMap<u16, Vec<Vec<u8>>> = BTreeMap::new();
        for (number, (stream, len, pause, is_abandoned)) in messages.into_iter().enumerate() {
            let whole = numbered(number, 0, len);
            let a = &mut world[A].association;
            if !matches!(a.begin_message(stream, 53, SendOptions { unordered, reliability }), Ok(())) {
                continue; // the stream is being reset
            }
            sent.entry(stream).or_default().push(whole.to_vec());
            let middle = len / 2;
            _ = a.append_part(stream, whole.slice(..middle));
            world.run_for(Duration::from_millis(pause));
            let a = &mut world[A].association;
            match a.append_part(stream, whole.slice(middle..)) {
                Ok(()) if is_abandoned => a.abandon_message(stream).unwrap(),
                Ok(()) => assert!(matches!(a.finish_message(stream), Ok(()) | Err(SendError::Abandoned))),
                Err(error) => prop_assert_eq!(error, SendError::Abandoned),
            }
            if is_reset && number % 5 == 4 {
                a.reset_stream(stream).unwrap();
            }
        }
        world.links(A, Z, |link| { link.heal(); });
        world.run_for(Duration::from_secs(20));
        for stream in 0..3 {
            if world[A].association.send(stream, 53, Bytes::from_static(b"at last"), ORDERED).is_ok() {
                sent.entry(stream).or_default().push(b"at last".to_vec());
            }
        }
        world.run_for(Duration::from_secs(20));
        prop_assert_eq!(world[A].association.stats().in_flight, 0);
        for (stream, messages) in come(&world[Z].events) {
            let mut rest = sent[&stream].iter();
            for message in &messages {
                let is_there = match message {
                    Come::Whole(data) | Come::InParts(data, _) if unordered => sent[&stream].contains(data),
                    Come::Incomplete(data) if unordered => sent[&stream].iter().any(|sent| sent.starts_with(data)),
                    Come::Whole(data) | Come::InParts(data, _) => rest.any(|sent| sent == data),
                    Come::Incomplete(data) => rest.any(|sent| sent.starts_with(data)),
                };
                prop_assert!(is_there);
            }
            prop_assert_eq!(messages.last().unwrap().clone().data().unwrap(), b"at last");
        }
    }
}
