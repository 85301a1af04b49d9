//! Packets that nobody should send (security rows 24 and 25), in every state.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use crate::common::{self, Peer, config, connected, connected_with, has_chunk};
use bytes::Bytes;
use proptest::prelude::*;
use std::time::Duration;
use wigwag_sansio::Seed;
use wigwag_sctp::{Association, CloseReason, Config, Discarded, Event, SendOptions, State};
use wigwag_sim::{A, Host, World, Z, address};

/// A packet of these chunks, with a right checksum.
pub(crate) fn packet(tag: u32, chunks: &[u8]) -> Vec<u8> {
    let mut packet = [5000u16.to_be_bytes(), 5000u16.to_be_bytes()].concat();
    packet.extend_from_slice(&tag.to_be_bytes());
    packet.extend_from_slice(&[0; 4]);
    packet.extend_from_slice(chunks);
    seal(packet)
}

pub(crate) fn seal(mut packet: Vec<u8>) -> Vec<u8> {
    packet[8..12].fill(0);
    let checksum = crc32c::crc32c(&packet).to_le_bytes();
    packet[8..12].copy_from_slice(&checksum);
    packet
}

/// The tag that a host's packets must carry, as its peer was told.
pub(crate) fn tag_for(world: &World<Peer>, to: Host) -> u32 {
    let is_tagged = |packet: &[u8]| packet[4..8] != [0; 4];
    let record =
        world.trace().records().iter().rev().find(|record| record.to == address(to) && is_tagged(&record.payload));
    u32::from_be_bytes(record.unwrap().payload[4..8].try_into().unwrap())
}

pub(crate) fn chunk(kind: u8, flags: u8, value: &[u8]) -> Vec<u8> {
    let mut chunk = vec![kind, flags];
    chunk.extend_from_slice(&(value.len() as u16 + 4).to_be_bytes());
    chunk.extend_from_slice(value);
    chunk.resize(chunk.len().next_multiple_of(4), 0);
    chunk
}

pub(crate) fn data(flags: u8, tsn: u32, stream: u16, ssn: u16, payload: &[u8]) -> Vec<u8> {
    let mut value = tsn.to_be_bytes().to_vec();
    value.extend_from_slice(&stream.to_be_bytes());
    value.extend_from_slice(&ssn.to_be_bytes());
    value.extend_from_slice(&51u32.to_be_bytes());
    value.extend_from_slice(payload);
    chunk(0, flags, &value)
}

/// What packets that nobody should send shall do: each is counted for this reason, no memory is held for them, and nothing is
/// sent. That the association goes on, [`still_works`] asserts.
#[track_caller]
fn withstands(world: &mut World<Peer>, reason: fn(&Discarded) -> u64, packets: &[Vec<u8>]) {
    world.run();
    let (now, z) = (world.now(), &mut world[Z].association);
    let before = reason(&z.stats().discarded);
    let held = allocation_counter::measure(|| packets.iter().for_each(|packet| z.handle_input(packet, now)));
    assert_eq!(reason(&z.stats().discarded) - before, packets.len() as u64);
    assert!(held.bytes_current <= 0, "{} bytes", held.bytes_current);
    let mut out = Vec::new();
    assert!(!z.poll_packet(now, 1200, &mut out), "it is answered: {}", common::dissect(&out));
}

/// Both still talk.
pub(crate) fn still_works(world: &mut World<Peer>) {
    world.run();
    for host in [A, Z] {
        world[host].events.clear();
        world[host].send(9, b"still here");
    }
    world.run();
    for host in [A, Z] {
        assert_eq!(world[host].received(), [(9, b"still here".to_vec())]);
    }
}

#[test]
fn lengths_from_0_to_3_and_past_the_end_are_counted_and_harmless() {
    let mut world = connected(1);
    let (tag, now) = (tag_for(&world, Z), world.now());
    let packets: Vec<_> = [0, 3, 4, 5, 7, 9, 11, 14, 63, 130, 192, 255]
        .into_iter()
        .flat_map(|kind| [0u8, 1, 2, 3, 200].map(|len| packet(tag, &[kind, 0, 0, len, 0, 0, 0, 0])))
        .collect();
    withstands(&mut world, |discarded| discarded.malformed, &packets);
    // Parameters that never end, in chunks that are answered.
    for len in [0u8, 1, 2, 3, 200] {
        world[Z].association.handle_input(&packet(tag, &chunk(130, 0, &[0, 13, 0, len, 0, 0, 0, 0])), now);
        world[Z]
            .association
            .handle_input(&packet(0, &chunk(1, 0, &[[1; 16].as_slice(), &[0x80, 8, 0, len]].concat())), now);
    }
    still_works(&mut world);
}

#[test]
fn a_wrong_tag_changes_nothing_whatever_it_carries() {
    let mut world = connected(1);
    let tag = tag_for(&world, Z);
    let before = world.trace().count();
    let packets: Vec<_> = [0, 2, 3, 4, 5, 6, 7, 8, 9, 11, 14, 130, 192, 77, 200]
        .into_iter()
        .flat_map(|kind| [0, 1].map(|flags| packet(tag ^ 1, &chunk(kind, flags, &[0; 16]))))
        .collect();
    withstands(&mut world, |discarded| discarded.verification_tag, &packets);
    world.run();
    assert_eq!(world.trace().count(), before, "no byte goes out");
    still_works(&mut world);
}

#[test]
fn a_flood_of_inits_costs_one_answer_and_no_memory() {
    let mut z = Association::new(Config::default(), Seed::for_test(1));
    let now = wigwag_sim::origin();
    let mut init = [[0; 4], [0, 5, 0, 0], [0, 9, 0, 9], [0, 0, 0, 1]].concat();
    z.handle_input(&packet(0, &chunk(1, 0, &[&[1; 4], &init[4..]].concat())), now);
    let flood = allocation_counter::measure(|| {
        for tag in 1..100_000u32 {
            init[..4].copy_from_slice(&tag.to_be_bytes());
            z.handle_input(&packet(0, &chunk(1, 0, &init)), now);
        }
    });
    assert!(flood.bytes_current <= 0, "{} bytes", flood.bytes_current);
    let mut out = Vec::new();
    assert!(z.poll_packet(now, 1200, &mut out));
    assert!(has_chunk(&out, 2) && out.len() < 200);
    assert!(!z.poll_packet(now, 1200, &mut out));
    assert_eq!((z.state(), z.stats().discarded.reply), (State::Closed, 99_999));
    // Whoever comes after the flood is served.
    let mut a = Association::new(Config::default(), Seed::for_test(2));
    a.connect();
    for _ in 0..4 {
        for (from, to) in [(0, 1), (1, 0)] {
            let both = [&mut a, &mut z];
            out.clear();
            while both[from].poll_packet(now, 1200, &mut out) {
                both[to].handle_input(&out, now);
                out.clear();
            }
        }
    }
    assert_eq!((a.state(), z.state()), (State::Established, State::Established));
}

#[test]
fn forged_and_stale_and_replayed_cookies_do_not_make_associations() {
    let mut world = connected(1);
    let echo = world.trace().records().iter().find(|record| has_chunk(&record.payload, 10)).unwrap().payload.clone();
    let now = world.now();
    // Replayed: the association that there is.
    world[Z].association.handle_input(&echo, now);
    assert_eq!(world[Z].association.state(), State::Established);
    // Forged: every byte of the cookie, behind which are three of padding.
    let end = echo.len() - 3;
    let forged = (16..end).map(|at| {
        let mut forged = echo.clone();
        forged[at] ^= 1;
        seal(forged)
    });
    let forged: Vec<_> = forged.collect();
    withstands(&mut world, |discarded| discarded.cookie, &forged);
    still_works(&mut world);
    // Stale: at an association that never saw its like, made with the same key, a minute later.
    let mut late = Association::new(Config::default(), Seed::for_test(3));
    late.handle_timeout(wigwag_sim::origin());
    late.handle_input(&echo, wigwag_sim::origin() + Duration::from_secs(61));
    assert_eq!((late.state(), late.stats().discarded.stale_cookie), (State::Closed, 1));
    let mut out = Vec::new();
    assert!(late.poll_packet(wigwag_sim::origin() + Duration::from_secs(61), 1200, &mut out));
    assert!(has_chunk(&out, 9), "an ERROR says so");
}

#[test]
fn a_cookie_of_before_a_restart_is_discarded() {
    let mut world = connected(1);
    let tag = tag_for(&world, A).to_be_bytes();
    let (_, now) = ((), world.now());
    // An INIT with the tag that A has, as if it had been delayed: its cookie makes nothing new (case C and D apart).
    let init = [tag, [0, 5, 0, 0], [0, 9, 0, 9], [0, 0, 0, 1]].concat();
    world[Z].association.handle_input(&packet(0, &chunk(1, 0, &init)), now);
    let mut ack = Vec::new();
    assert!(world[Z].association.poll_packet(now, 1200, &mut ack));
    let new_tag = u32::from_be_bytes(ack[16..20].try_into().unwrap());
    let cookie = &ack[36..36 + usize::from(u16::from_be_bytes([ack[34], ack[35]])) - 4];
    world[Z].association.handle_input(&packet(new_tag, &chunk(10, 0, cookie)), now);
    assert_eq!(world[Z].association.stats().discarded.cookie, 1);
    still_works(&mut world);
}

/// It is the peer who sends them, and its own messages never come: there is no call to go on, nor a stranger to be told.
#[test]
fn first_fragments_on_every_stream_stay_within_the_window() {
    let mut world = connected_with(1, common::plain(), Config::default());
    let (tag, now) = (tag_for(&world, Z), world.now());
    let z = &mut world[Z].association;
    let held = allocation_counter::measure(|| {
        for stream in 0..65_535u16 {
            // Every second TSN, so that nothing is ever in order.
            let tsn = 1000u32.wrapping_add(2 * u32::from(stream) + 1);
            z.handle_input(&packet(tag, &data(2, tsn, stream, 0, &[7; 16])), now);
        }
        for stream in 0..65_535u16 {
            let tsn = 1002u32.wrapping_add(u32::from(stream));
            z.handle_input(&packet(tag, &data(2, tsn, stream, 5, &[7; 16])), now);
        }
    });
    assert!(held.bytes_current < 2 * 5 * 1024 * 1024, "{} bytes", held.bytes_current);
    assert!(z.stats().discarded.no_room > 60_000);
}

/// As above.
#[test]
fn whole_messages_before_their_turn_stay_within_the_window() {
    let mut world = connected_with(1, common::plain(), Config::default());
    let (tag, now) = (tag_for(&world, Z), world.now());
    let z = &mut world[Z].association;
    let held = allocation_counter::measure(|| {
        for at in 0..200_000u32 {
            z.handle_input(&packet(tag, &data(3, 1000 + at, at as u16 % 65_535, 7 + (at / 65_535) as u16, &[7])), now);
        }
    });
    assert!(held.bytes_current < 3 * 5 * 1024 * 1024, "{} bytes", held.bytes_current);
    assert!(z.stats().discarded.no_room > 100_000);
}

#[test]
fn a_message_without_data_ends_the_association() {
    let mut world = connected_with(1, common::plain(), Config::default());
    let (tag, now) = (tag_for(&world, Z), world.now());
    world[Z].association.handle_input(&packet(tag, &data(3, 1000, 0, 0, &[])), now);
    world.run();
    assert!(matches!(world[Z].notices()[..], [Event::Closed(CloseReason::ProtocolViolation(_))]));
    assert!(matches!(world[A].notices()[..], [Event::Closed(CloseReason::PeerAborted { cause: Some(9), .. })]));
}

#[test]
fn a_message_longer_than_may_be_ends_the_association() {
    let small = config(|config| config.message_len_max_receive = 10_000);
    let mut world = connected_with(1, Config::default(), small);
    world[A].send(0, &[7; 10_001]);
    world.run();
    assert!(matches!(world[Z].notices()[..], [Event::Closed(CloseReason::ProtocolViolation(_))]));
    assert_eq!(world[Z].received(), []);
}

#[test]
fn a_stream_that_does_not_exist_is_reported_and_skipped() {
    let small = config(|config| config.streams_max = 10);
    let mut world = connected_with(1, common::plain(), small);
    let (tag, now) = (tag_for(&world, Z), world.now());
    world[Z].association.handle_input(&packet(tag, &data(3, 1000, 10, 0, b"x")), now);
    let mut out = Vec::new();
    world[Z].association.poll_packet(now, 1200, &mut out);
    assert_eq!(common::dissector(1000)(&out), "ERROR cause 1, SACK 0");
}

#[test]
fn sacks_of_what_was_never_sent_are_discarded() {
    let mut world = connected_with(1, common::plain(), Config::default());
    let (tag, now) = (tag_for(&world, A), world.now());
    world[A].association.send(0, 51, Bytes::from_static(&[7; 5000]), SendOptions::default()).unwrap();
    let mut out = Vec::new();
    while world[A].association.poll_packet(now, 1200, &mut out) {}
    let sack = |cumulative: u32, gaps: &[(u16, u16)]| {
        let mut value = [cumulative.to_be_bytes(), 90_000u32.to_be_bytes()].concat();
        value.extend_from_slice(&(gaps.len() as u16).to_be_bytes());
        value.extend_from_slice(&[0, 0]);
        for (first, last) in gaps {
            value.extend_from_slice(&first.to_be_bytes());
            value.extend_from_slice(&last.to_be_bytes());
        }
        packet(tag, &chunk(3, 0, &value))
    };
    let lies = [
        sack(1005, &[]),
        sack(2000, &[]),
        sack(998, &[]),
        sack(999, &[(2, 9)]),
        sack(999, &[(3, 2)]),
        sack(999, &[(3, 3), (2, 2)]),
        sack(999, &[(0, 0)]),
    ];
    let held = allocation_counter::measure(|| {
        for lie in &lies {
            world[A].association.handle_input(lie, now);
        }
    });
    assert!(held.bytes_current < 1000, "{} bytes: a list of gaps that is used again", held.bytes_current);
    assert_eq!(world[A].association.stats().discarded.invalid_sack, lies.len() as u64);
    assert!(!world[A].association.poll_packet(now, 1200, &mut Vec::new()), "nothing is sent");
    assert_eq!(world[A].association.stats().in_flight, 5000 + 5 * 16);
    world[A].association.handle_input(&sack(1004, &[]), now);
    assert_eq!(world[A].association.stats().in_flight, 0);
}

#[test]
fn unknown_chunks_are_treated_by_their_bits_and_reports_are_bounded() {
    let mut world = connected(1);
    let (tag, now) = (tag_for(&world, Z), world.now());
    for _ in 0..50 {
        let unknown = [chunk(0xc5, 0, &[1; 60]), chunk(0x85, 0, &[2; 60]), chunk(0x45, 0, &[3; 60])].concat();
        world[Z].association.handle_input(&packet(tag, &unknown), now);
    }
    assert_eq!(world[Z].association.stats().discarded.unknown_chunk, 150);
    let mut out = Vec::new();
    assert!(world[Z].association.poll_packet(now, 1200, &mut out));
    assert!(has_chunk(&out, 9) && out.len() < 600);
    still_works(&mut world);
}

#[test]
fn nothing_sent_before_it_began_or_after_it_ended_is_taken() {
    let now = wigwag_sim::origin();
    let mut out = Vec::new();
    let mut idle = Association::new(Config::default(), Seed::for_test(1));
    for kind in [0, 3, 4, 5, 6, 7, 9, 11, 14, 130, 192] {
        idle.handle_input(&packet(7, &chunk(kind, 0, &[0; 16])), now);
    }
    assert!(idle.poll_packet(now, 1200, &mut out));
    assert_eq!(common::dissect(&out), "ABORT");
    assert_eq!(out[4..8], [0, 0, 0, 7], "with the tag reflected");
    out.clear();
    idle.handle_input(&packet(7, &chunk(8, 0, &[])), now);
    assert!(idle.poll_packet(now, 1200, &mut out));
    assert_eq!(common::dissect(&out), "SHUTDOWN COMPLETE");
    assert_eq!(idle.state(), State::Closed);
}

fn any_chunk() -> impl Strategy<Value = Vec<u8>> {
    let kind = prop_oneof![0..16u8, Just(130), Just(192), any::<u8>()];
    (kind, any::<u8>(), prop::collection::vec(any::<u8>(), 0..80))
        .prop_map(|(kind, flags, value)| chunk(kind, flags, &value))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    /// The peer itself is hostile: it knows the tag. Nothing panics, nothing spins, no invariant breaks.
    #[test]
    fn any_chunks_from_the_peer_in_any_state_are_survived(
        chunks in prop::collection::vec(prop::collection::vec(any_chunk(), 1..4), 1..30),
        near in any::<bool>(),
        state in 0..6u8,
    ) {
        let mut world = connected_with(1, common::plain(), common::plain());
        let tag = tag_for(&world, Z);
        world[Z].send(0, &[7; 20_000]);
        match state {
            0 => world[Z].association.shutdown(),
            1 => {
                world[Z].association.shutdown();
                world.link(Z, A).loss(100.0);
            }
            2 => world[A].association.shutdown(),
            3 => world[Z].association.reset_stream(0).unwrap(),
            _ => {}
        }
        world.run_for(Duration::from_millis(60));
        for (number, chunks) in (0..).zip(chunks) {
            let mut bytes = chunks.concat();
            // TSNs near ours reach further.
            if near && bytes.len() >= 8 {
                bytes[4..8].copy_from_slice(&(1000u32 + number).to_be_bytes());
            }
            let now = world.now();
            world[Z].association.handle_input(&packet(tag, &bytes), now);
            world.run_for(Duration::from_millis(20));
        }
        world.run_for(Duration::from_secs(5));
    }

    /// Genuine packets with something changed and the checksum set right again.
    #[test]
    fn changed_packets_are_survived(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 1..40)) {
        let mut world = connected(2);
        world[A].send(0, &[7; 9000]);
        world.run();
        world[A].association.reset_stream(0).unwrap();
        world.run();
        let records: Vec<Vec<u8>> = world.trace().records().iter().map(|record| record.payload.clone()).collect();
        for (which, at, flip) in flips {
            let mut bytes = which.get(&records).clone();
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            let now = world.now();
            world[Z].association.handle_input(&seal(bytes.clone()), now);
            world[A].association.handle_input(&seal(bytes), now);
            world.run_for(Duration::from_millis(10));
        }
        world.run_for(Duration::from_secs(5));
    }
}
