//! More messages behind a gap than half of all SSNs.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use crate::common::{Peer, chunks, config, connected_with, plain};
use crate::hostile::{chunk, data, packet, tag_for};
use std::time::Duration;
use wigwag_sctp::{Config, Event};
use wigwag_sim::{A, World, Z, address};

/// Gap ack blocks reach no further, so nothing beyond is taken.
const SPAN_MAX: u32 = 65_535;
const WHOLE: u8 = 3;

fn wide(interleaving: bool) -> Config {
    config(|config| {
        config.initial_tsn = Some(1000);
        config.receive_window = 64 << 20;
        config.interleaving = interleaving;
    })
}

/// Z, to whom the test plays A.
fn alone() -> (World<Peer>, u32) {
    let mut world = connected_with(1, plain(), wide(false));
    world.link(Z, A).loss(100.0);
    let tag = tag_for(&world, Z);
    (world, tag)
}

fn tell_z(world: &mut World<Peer>, tag: u32, chunks: &[Vec<u8>]) {
    let now = world.now();
    for chunks in chunks.chunks(40) {
        world[Z].association.handle_input(&packet(tag, &chunks.concat()), now);
    }
    while let Some(event) = world[Z].association.poll_event() {
        world[Z].events.push(event);
    }
}

/// The numbers that messages of the stream carry, in the order in which they were told.
fn numbers(world: &World<Peer>, of: u16) -> Vec<u32> {
    let number = |event: &Event| match event {
        Event::Message { stream, data, .. } if *stream == of => Some(u32::from_be_bytes(data[..].try_into().unwrap())),
        _ => None,
    };
    world[Z].events.iter().filter_map(number).collect()
}

/// Peers that send as much as their windows allow: usrsctp and dcsctp count no TSNs.
#[test]
fn as_many_messages_as_a_sack_can_tell_of_wait_behind_the_first_one() {
    for count in [32_768, 32_769, SPAN_MAX] {
        let (mut world, tag) = alone();
        // The second round is around the wrap of the SSN.
        for base in [0, count] {
            let message = |number: u32| data(WHOLE, 1000 + number, 7, number as u16, &number.to_be_bytes());
            let later: Vec<_> = (base + 1..base + count).map(message).collect();
            tell_z(&mut world, tag, &later);
            assert_eq!(numbers(&world, 7).len(), base as usize, "nothing overtakes the first");
            tell_z(&mut world, tag, &[message(base)]);
            assert!(numbers(&world, 7).into_iter().eq(0..base + count), "{count}: {}", numbers(&world, 7).len());
        }
        assert_eq!(world[Z].association.stats().discarded.orphan, 0);
    }
}

/// What was given up had arrived, and the peer had not heard of it: of another stream something is missing before.
#[test]
fn a_skip_of_what_was_delivered_long_ago_skips_nothing() {
    for count in [5, 40_000, 49_000] {
        let (mut world, tag) = alone();
        let message = |number: u32| data(WHOLE, 1001 + number, 7, number as u16, &number.to_be_bytes());
        tell_z(&mut world, tag, &(0..count).map(message).collect::<Vec<_>>());
        assert_eq!(numbers(&world, 7).len(), count as usize);
        let forward = [1001u32.to_be_bytes(), [0, 3, 0, 0], [0, 7, 0, 0]].concat();
        tell_z(&mut world, tag, &[chunk(192, 0, &forward)]);
        tell_z(&mut world, tag, &[message(count)]);
        assert!(numbers(&world, 7).into_iter().eq(0..=count), "{count}: {}", numbers(&world, 7).len());
    }
}

/// Messages whose time was over before they were sent have had numbers of dcsctp, and one TSN for all of them.
#[test]
fn a_peer_may_skip_more_messages_than_it_has_sent() {
    for skipped in [1u16, 2, 300, 16_000] {
        let (mut world, tag) = alone();
        let message = |tsn: u32, number: u16| data(WHOLE, tsn, 7, number, &u32::from(number).to_be_bytes());
        tell_z(&mut world, tag, &[message(1001, 0)]);
        let forward = [&1002u32.to_be_bytes()[..], &[0, 7], &skipped.to_be_bytes()].concat();
        tell_z(&mut world, tag, &[chunk(192, 0, &forward)]);
        tell_z(&mut world, tag, &[message(1003, skipped + 1)]);
        assert_eq!(numbers(&world, 7), [0, u32::from(skipped) + 1]);
    }
}

/// The TSN and the number of the message of each chunk of data.
fn sent(packet: &[u8]) -> Vec<u32> {
    let data = chunks(packet).into_iter().filter(|chunk| matches!(chunk[0], 0 | 64));
    data.map(|chunk| u32::from_be_bytes(chunk[4..8].try_into().unwrap())).collect()
}

/// A sends so many messages of a few bytes, of which the 20,000th is lost so often.
fn with_a_late_repair(count: u32, losses: u32, interleaving: bool) -> World<Peer> {
    let mut world = connected_with(1, wide(interleaving), wide(interleaving));
    let mut left = losses;
    world.links(A, Z, |link| {
        link.latency(Duration::from_millis(50));
    });
    world.link(A, Z).drop_if(move |passing| {
        let is_lost = left > 0 && sent(passing.payload).contains(&LOST);
        left -= u32::from(is_lost);
        is_lost
    });
    for number in 0..count {
        world[A].send(7, &number.to_be_bytes());
    }
    world
}

const LOST: u32 = 1000 + 20_000;

#[test]
fn a_sender_leaves_no_more_behind_a_gap_than_the_numbers_of_its_chunks_can_tell_apart() {
    for (interleaving, expected) in [(false, 31_900..=32_000), (true, 50_000..=60_000)] {
        let mut world = with_a_late_repair(100_000, u32::MAX, interleaving);
        world.run_for(Duration::from_secs(20));
        let records = world.trace().records().iter().filter(|record| record.from == address(A));
        let last = records.flat_map(|record| sent(&record.payload)).max().unwrap();
        assert!(expected.contains(&(last - LOST + 1)), "{}", last - LOST + 1);
    }
}

#[test]
fn messages_of_a_few_bytes_outlast_a_loss_that_is_repaired_late() {
    for interleaving in [false, true] {
        let mut world = with_a_late_repair(100_000, 4, interleaving);
        world.run_for(Duration::from_secs(60));
        assert!(numbers(&world, 7).into_iter().eq(0..100_000), "{}", numbers(&world, 7).len());
        assert_eq!(world[Z].association.stats().discarded.orphan, 0);
    }
}
