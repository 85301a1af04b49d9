//! Whatever the network does, messages arrive as promised (C1 to C5, C7, C11 to C13).

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use crate::common::{self, Peer, chunks, config, has_chunk, world};
use bytes::Bytes;
use proptest::prelude::*;
use std::time::Duration;
use wigwag_sctp::{Config, CongestionControl, Event, Reliability, Scheduler, SendOptions};
use wigwag_sim::{A, Host, World, Z};

#[derive(Clone, Copy, Debug)]
struct Faults {
    loss: f64,
    duplication: f64,
    corruption: f64,
    jitter_ms: u64,
}

fn faults() -> impl Strategy<Value = Faults> {
    (0..30u8, 0..20u8, 0..10u8, 0..50u64).prop_map(|(loss, duplication, corruption, jitter_ms)| Faults {
        loss: loss.into(),
        duplication: duplication.into(),
        corruption: corruption.into(),
        jitter_ms,
    })
}

/// Lengths that are short, about a packet, and many packets.
fn lengths() -> impl Strategy<Value = Vec<(u16, usize)>> {
    let len = prop_oneof![4 => 4..200usize, 2 => 1100..1160usize, 1 => 2000..40_000usize];
    prop::collection::vec((0..3u16, len), 1..40)
}

/// In DATA or in I-DATA chunks, whose turn it is, and who controls congestion.
fn modes() -> impl Strategy<Value = Config> {
    let schedulers = prop_oneof![
        Just(Scheduler::FirstComeFirstServed),
        Just(Scheduler::RoundRobin),
        Just(Scheduler::WeightedFair),
        Just(Scheduler::Priority),
    ];
    let controls =
        prop_oneof![Just(CongestionControl::Rfc9260), Just(CongestionControl::Cubic), Just(CongestionControl::Bbr)];
    (any::<bool>(), schedulers, controls).prop_map(|(interleaving, scheduler, control)| {
        let mut mode = wrapping();
        (mode.interleaving, mode.scheduler, mode.congestion_control) = (interleaving, scheduler, control);
        mode
    })
}

/// Begins to send just before TSNs wrap (C4).
fn wrapping() -> Config {
    config(|config| config.initial_tsn = Some(u32::MAX - 9))
}

fn disturbed(seed: u64, faults: Faults, mode: &Config) -> World<Peer> {
    let mut world = world(seed, mode.clone(), mode.clone());
    for host in [A, Z] {
        for stream in 0..3 {
            world[host].association.set_stream_priority(stream, 128 << stream);
        }
    }
    world.links(A, Z, |link| {
        link.loss(faults.loss).duplication(faults.duplication).corruption(faults.corruption);
        link.jitter(Duration::from_millis(faults.jitter_ms));
    });
    world[A].association.connect();
    world[Z].association.connect();
    world
}

/// A message that tells its number, and the rest of which follows from it.
fn message(number: u32, len: usize) -> Bytes {
    let mut bytes = number.to_be_bytes().to_vec();
    bytes.extend((4..len).map(|at| (number as usize * 31 + at) as u8));
    Bytes::from(bytes)
}

fn number(message: &[u8]) -> u32 {
    u32::from_be_bytes([message[0], message[1], message[2], message[3]])
}

fn send_all(world: &mut World<Peer>, host: Host, lengths: &[(u16, usize)], options: SendOptions) {
    for (at, (stream, len)) in lengths.iter().enumerate() {
        world[host].association.send(*stream, 53, message(at as u32, *len), options).unwrap();
    }
}

fn sent_on(lengths: &[(u16, usize)], stream: u16) -> Vec<Vec<u8>> {
    let numbered = (0u32..).zip(lengths).filter(|(_, (on, _))| *on == stream);
    numbered.map(|(number, (_, len))| message(number, *len).to_vec()).collect()
}

fn received_on(world: &World<Peer>, host: Host, stream: u16) -> Vec<Vec<u8>> {
    world[host].received().into_iter().filter(|(on, _)| *on == stream).map(|(_, data)| data).collect()
}

/// C12, C13: every packet keeps to its size, every SACK to its form.
fn packets_are_well_formed(world: &World<Peer>) {
    for record in world.trace().records() {
        assert!(record.payload.len() <= 1160, "C12");
        for chunk in chunks(&record.payload).into_iter().filter(|chunk| chunk[0] == 3) {
            let mut end = 0;
            for gap in chunk[16..].chunks(4).take(usize::from(u16::from_be_bytes([chunk[12], chunk[13]]))) {
                let (first, last) = (u16::from_be_bytes([gap[0], gap[1]]), u16::from_be_bytes([gap[2], gap[3]]));
                assert!(first > end + 1 && last >= first, "C13");
                end = last;
            }
        }
    }
}

/// Everything is known to have arrived, and nobody has anything left to do but to probe the path.
fn is_quiet(world: &World<Peer>) -> bool {
    [A, Z].iter().all(|host| {
        let stats = world[*host].association.stats();
        stats.in_flight == 0 && stats.buffered_amount == 0
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, max_shrink_iters: 50, ..ProptestConfig::default() })]

    #[test]
    fn ordered_and_reliable_is_exactly_what_was_sent(seed in 0..1u64 << 32, mode in modes(), faults in faults(), a in lengths(), z in lengths()) {
        let mut world = disturbed(seed, faults, &mode);
        send_all(&mut world, A, &a, SendOptions::default());
        send_all(&mut world, Z, &z, SendOptions::default());
        world.run_for(Duration::from_secs(20));
        world.links(A, Z, |link| { link.heal(); });
        world.run_until(is_quiet, Duration::from_secs(60));
        world.run();
        for stream in 0..3 {
            prop_assert_eq!(received_on(&world, Z, stream), sent_on(&a, stream));
            prop_assert_eq!(received_on(&world, A, stream), sent_on(&z, stream));
        }
        packets_are_well_formed(&world);
    }

    #[test]
    fn unordered_and_reliable_is_each_message_once(seed in 0..1u64 << 32, mode in modes(), faults in faults(), a in lengths()) {
        let mut world = disturbed(seed, faults, &mode);
        send_all(&mut world, A, &a, common::UNORDERED);
        world.run_for(Duration::from_secs(20));
        world.links(A, Z, |link| { link.heal(); });
        world.run_until(is_quiet, Duration::from_secs(60));
        world.run();
        for stream in 0..3 {
            let (mut received, mut sent) = (received_on(&world, Z, stream), sent_on(&a, stream));
            received.sort();
            sent.sort();
            prop_assert_eq!(received, sent);
        }
    }

    #[test]
    fn partial_reliability_loses_whole_messages_only(
        seed in 0..1u64 << 32, mode in modes(), faults in faults(), a in lengths(), unordered: bool, retransmits in 0..3u16, lifetime_ms in 1..400u64, is_timed: bool,
    ) {
        let mut world = disturbed(seed, faults, &mode);
        let reliability = if is_timed {
            Reliability::MaxLifetime(Duration::from_millis(lifetime_ms))
        } else {
            Reliability::MaxRetransmits(retransmits)
        };
        send_all(&mut world, A, &a, SendOptions { unordered, reliability });
        world.run_for(Duration::from_secs(20));
        world.links(A, Z, |link| { link.heal(); });
        // What follows is neither lost nor held up.
        world[A].association.send(0, 53, message(9999, 5000), SendOptions::default()).unwrap();
        world.run_until(is_quiet, Duration::from_secs(60));
        world.run();
        prop_assert_eq!(received_on(&world, Z, 0).pop(), Some(message(9999, 5000).to_vec()));
        for stream in 0..3 {
            let mut received = received_on(&world, Z, stream);
            received.retain(|message| number(message) != 9999);
            if unordered {
                received.sort();
            }
            let sent = sent_on(&a, stream);
            let mut rest = sent.iter();
            prop_assert!(received.iter().all(|message| rest.any(|sent| sent == message)), "a subsequence (C3)");
        }
        let abandoned = world[A].association.stats().messages_abandoned as usize;
        prop_assert!(world[Z].received().len() + abandoned > a.len(), "what has not arrived was given up");
    }

    #[test]
    fn a_slow_reader_and_a_small_window_lose_nothing(seed in 0..1u64 << 32, mode in modes(), faults in faults(), a in lengths(), pauses in prop::collection::vec(1..2000u64, 1..5)) {
        let small = config(|config| {
            config.receive_window = 0;
            config.message_len_max_receive = 40_000;
            config.initial_tsn = Some(u32::MAX - 9);
            config.interleaving = mode.interleaving;
        });
        let mut world = world(seed, mode, small);
        world.links(A, Z, |link| { link.loss(faults.loss).jitter(Duration::from_millis(faults.jitter_ms)); });
        world[A].association.connect();
        send_all(&mut world, A, &a, SendOptions::default());
        for pause in pauses {
            world[Z].is_reading ^= true;
            world.run_for(Duration::from_millis(pause));
        }
        world[Z].is_reading = true;
        world.links(A, Z, |link| { link.heal(); });
        world.run_until(is_quiet, Duration::from_secs(60));
        world.run();
        for stream in 0..3 {
            prop_assert_eq!(received_on(&world, Z, stream), sent_on(&a, stream));
        }
    }
}

#[test]
fn one_stream_does_not_wait_for_another() {
    let mut world = common::connected(5);
    world.link(A, Z).drop_nth(3);
    world[A].send(0, &[1; 1100]);
    world[A].send(1, &[2; 1100]);
    world[A].association.send(0, 51, Bytes::from_static(b"unordered"), common::UNORDERED).unwrap();
    world.run_for(Duration::from_millis(50));
    assert_eq!(world[Z].received(), [(1, vec![2; 1100]), (0, b"unordered".to_vec())]);
    world.run();
    assert_eq!(world[Z].received().len(), 3);
}

#[test]
fn streams_take_turns_message_by_message() {
    let mut world = common::connected(5);
    for _ in 0..3 {
        for stream in 0..3 {
            world[A].send(stream, &[7; 3000]);
        }
    }
    world.run();
    let streams: Vec<_> = world[Z].received().into_iter().map(|(stream, _)| stream).collect();
    assert_eq!(streams, [0, 1, 2, 0, 1, 2, 0, 1, 2]);
}

#[test]
fn a_fragment_is_cut_by_the_mtu_and_not_by_the_room_at_hand() {
    let mut world = common::connected(5);
    world[A].wire.max_segments = 10;
    world[A].send(0, &[7; 100]);
    world[A].send(0, &[7; 5000]);
    world[A].send(0, &[7; 300]);
    world.run();
    let lens: Vec<_> = world
        .trace()
        .records()
        .iter()
        .filter(|record| has_chunk(&record.payload, 0))
        .flat_map(|record| {
            chunks(&record.payload)
                .into_iter()
                .filter(|chunk| chunk[0] == 0)
                .map(|chunk| chunk.len() - 16)
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(lens, [100, 1132, 1132, 1132, 1132, 472, 300]);
    assert_eq!(world[Z].events.iter().filter(|event| matches!(event, Event::Message { .. })).count(), 3);
}
