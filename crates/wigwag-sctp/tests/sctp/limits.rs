//! What never ends, never fits or takes too long if a peer wants it to.

use crate::common::{Peer, config, connected_with, dissect, has_chunk, plain};
use crate::hostile::{chunk, data, packet, still_works, tag_for};
use bytes::Bytes;
use std::time::{Duration, Instant};
use wigwag_sansio::Seed;
use wigwag_sctp::{Association, CloseReason, Config, Event, Reliability, SendOptions, State};
use wigwag_sim::{A, World, Z};

/// Everything owed, in packets of at most `limit` bytes.
fn drain(association: &mut Association, now: Instant, limit: usize) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    let mut out = Vec::new();
    while association.poll_packet(now, limit, &mut out) {
        packets.push(std::mem::take(&mut out));
    }
    while association.poll_event().is_some() {}
    assert!(association.poll_timeout(now).is_none_or(|at| at > now), "what is owed fits");
    packets
}

fn init_fields(tag: u32, tsn: u32) -> Vec<u8> {
    [tag.to_be_bytes(), 90_000u32.to_be_bytes(), [0, 9, 0, 9], tsn.to_be_bytes()].concat()
}

fn sack(cumulative: u32, a_rwnd: u32, gaps: &[(u16, u16)]) -> Vec<u8> {
    let mut value = [cumulative.to_be_bytes(), a_rwnd.to_be_bytes()].concat();
    value.extend_from_slice(&(gaps.len() as u16).to_be_bytes());
    value.extend_from_slice(&[0, 0]);
    for (first, last) in gaps {
        value.extend_from_slice(&[first.to_be_bytes(), last.to_be_bytes()].concat());
    }
    chunk(3, 0, &value)
}

/// A and Z, of whom the test plays Z.
fn alone(a: Config) -> (World<Peer>, u32) {
    let mut world = connected_with(1, a, plain());
    world.link(A, Z).loss(100.0);
    let tag = tag_for(&world, A);
    (world, tag)
}

fn tell_a(world: &mut World<Peer>, tag: u32, chunks: &[u8]) {
    let now = world.now();
    world[A].association.handle_input(&packet(tag, chunks), now);
}

// ---- what is owed fits into the smallest packet

#[test]
fn errors_fit_into_the_smallest_packet() {
    let tiny = config(|config| {
        config.mtu = 512;
        config.streams_max = 10;
    });
    let mut world = connected_with(1, plain(), tiny);
    let (tag, now) = (tag_for(&world, Z), world.now());
    for number in 0..20 {
        let reported = [chunk(0xc5, 0, &[1; 60]), data(3, 1000 + number, 10, 0, b"x")].concat();
        world[Z].association.handle_input(&packet(tag, &reported), now);
    }
    let packets = drain(&mut world[Z].association, now, 512);
    assert!(packets.iter().any(|packet| has_chunk(packet, 9)));
}

#[test]
fn an_init_ack_fits_into_the_smallest_packet_whatever_it_has_to_report() {
    let mut z = Association::new(config(|config| config.mtu = 512), Seed::for_test(1));
    let now = wigwag_sim::origin();
    let parameters = (0..200u8).flat_map(|number| [0xc1, number, 0, 4]);
    let value: Vec<u8> = init_fields(7, 1).into_iter().chain(parameters).collect();
    z.handle_input(&packet(0, &chunk(1, 0, &value)), now);
    let packets = drain(&mut z, now, 512);
    assert!(has_chunk(&packets[0], 2));
}

#[test]
fn a_request_to_reset_fits_after_the_mtu_has_shrunk() {
    let (mut world, _) = alone(Config::default());
    for stream in 0..1000 {
        world[A].association.reset_stream(stream).unwrap();
    }
    world.run_for(Duration::from_millis(100));
    world[A].association.set_mtu(512);
    world.run_for(Duration::from_secs(5));
    let now = world.now();
    drain(&mut world[A].association, now, 512);
}

#[test]
fn a_heartbeat_that_no_longer_fits_is_not_answered() {
    let mut world = connected_with(1, plain(), plain());
    let (tag, now) = (tag_for(&world, Z), world.now());
    world[Z].association.handle_input(&packet(tag, &chunk(4, 0, &[1; 1100])), now);
    world[Z].association.set_mtu(512);
    assert!(drain(&mut world[Z].association, now, 512).is_empty());
    assert_eq!(world[Z].association.stats().discarded.heartbeat, 1);
    still_works(&mut world);
}

/// Chunks are padded to four bytes: a packet of another length has room for less than it seems.
#[test]
fn a_heartbeat_as_long_as_a_packet_of_any_length_is_answered_or_counted() {
    for mtu in 512..=516 {
        for len in mtu - 24..=mtu {
            let mut world = connected_with(1, plain(), config(|config| config.mtu = mtu));
            let (tag, now) = (tag_for(&world, Z), world.now());
            world[Z].association.handle_input(&packet(tag, &chunk(4, 0, &vec![1; len])), now);
            let answers = drain(&mut world[Z].association, now, mtu).len() as u64;
            assert_eq!(answers + world[Z].association.stats().discarded.heartbeat, 1, "{len} of {mtu}");
        }
    }
}

// ---- what ends

#[test]
fn a_peer_to_whom_every_cookie_is_stale_is_given_up() {
    let few = config(|config| config.init_retransmits_max = Some(3));
    let mut a = Association::new(few, Seed::for_test(1));
    let now = wigwag_sim::origin();
    a.connect();
    for round in 0..10 {
        let init = drain(&mut a, now, 1200);
        let Some(init) = init.first() else { break };
        assert!(round < 5, "{}", dissect(init));
        let tag = u32::from_be_bytes(init[16..20].try_into().unwrap());
        let cookie = [0, 7, 0, 8, 1, 2, 3, 4];
        a.handle_input(&packet(tag, &chunk(2, 0, &[init_fields(7, 1), cookie.to_vec()].concat())), now);
        assert_eq!(dissect(&drain(&mut a, now, 1200)[0]), "COOKIE ECHO");
        a.handle_input(&packet(tag, &chunk(9, 0, &[0, 3, 0, 8, 0, 0, 0, 1])), now);
    }
    assert_eq!(a.state(), State::Closed);
}

#[test]
fn who_begins_with_an_association_that_has_ended_is_told_so() {
    let mut z = Association::new(Config::default(), Seed::for_test(1));
    let now = wigwag_sim::origin();
    z.abort();
    z.handle_input(&packet(0, &chunk(1, 0, &init_fields(7, 1))), now);
    let packets = drain(&mut z, now, 1200);
    assert_eq!(packets.iter().map(|packet| dissect(packet)).collect::<Vec<_>>(), ["ABORT cause 12"]);
    assert_eq!((&packets[0][4..8], packets[0][13]), (&[0, 0, 0, 7][..], 0), "with the tag that it chose");
}

/// RFC 9260 §8.4: its cookie belongs to no association any more, and it would ask for a minute.
#[test]
fn whose_cookie_comes_after_the_end_is_told_so() {
    let [mut a, mut z] = [1, 2].map(|seed| Association::new(Config::default(), Seed::for_test(seed)));
    let now = wigwag_sim::origin();
    a.connect();
    drain(&mut a, now, 1200).iter().for_each(|init| z.handle_input(init, now));
    drain(&mut z, now, 1200).iter().for_each(|init_ack| a.handle_input(init_ack, now));
    z.abort();
    drain(&mut z, now, 1200);
    drain(&mut a, now, 1200).iter().for_each(|cookie_echo| z.handle_input(cookie_echo, now));
    let answers = drain(&mut z, now, 1200);
    assert_eq!(answers.iter().map(|packet| dissect(packet)).collect::<Vec<_>>(), ["ABORT"]);
    a.handle_input(&answers[0], now);
    assert_eq!(a.poll_event(), Some(Event::Closed(CloseReason::PeerAborted { cause: None, reason: Bytes::new() })));
}

/// RFC 9260 §8.4, 2: "If the OOTB packet contains an ABORT chunk, the receiver MUST silently discard the OOTB packet".
#[test]
fn an_abort_of_nobody_is_not_answered_whatever_is_before_it() {
    let mut z = Association::new(Config::default(), Seed::for_test(1));
    let now = wigwag_sim::origin();
    z.handle_input(&packet(7, &[chunk(9, 0, &[0, 1, 0, 8, 0, 0, 0, 0]), chunk(6, 0, &[])].concat()), now);
    z.handle_input(&packet(7, &[chunk(5, 0, &[0, 1, 0, 8, 0, 0, 0, 0]), chunk(6, 0, &[])].concat()), now);
    assert!(drain(&mut z, now, 1200).is_empty());
    assert_eq!(z.stats().discarded.unexpected, 2);
}

#[test]
fn an_init_ack_with_a_host_name_ends_the_association() {
    let mut a = Association::new(Config::default(), Seed::for_test(1));
    let now = wigwag_sim::origin();
    a.connect();
    let init = drain(&mut a, now, 1200).remove(0);
    let tag = u32::from_be_bytes(init[16..20].try_into().unwrap());
    let parameters = [[0, 7, 0, 8, 1, 2, 3, 4], [0, 11, 0, 8, b'h', b'o', b's', 0]].concat();
    a.handle_input(&packet(tag, &chunk(2, 0, &[init_fields(7, 1), parameters].concat())), now);
    assert_eq!(a.state(), State::Closed);
    assert_eq!(dissect(&drain(&mut a, now, 1200)[0]), "ABORT cause 5");
}

/// RFC 9260 §8.1
#[test]
fn a_peer_that_acknowledges_something_is_not_gone() {
    let few = config(|config| {
        config.retransmits_max = Some(3);
        config.initial_tsn = Some(1000);
    });
    let (mut world, tag) = alone(few);
    world[A].send(0, &[7; 9000]);
    for last in 2..8 {
        world.run_for(Duration::from_secs(3));
        tell_a(&mut world, tag, &sack(999, 90_000, &[(2, last)]));
    }
    assert_eq!(world[A].notices(), []);
}

// ---- what a hostile or unlucky SACK, SHUTDOWN or tag does

#[test]
fn a_shutdown_that_takes_back_what_a_sack_told_is_survived() {
    let (mut world, tag) = alone(plain());
    world[A].send(0, &[7; 4000]);
    world.run_for(Duration::from_millis(10));
    tell_a(&mut world, tag, &sack(999, 90_000, &[(2, 4)]));
    tell_a(&mut world, tag, &chunk(7, 0, &1000u32.to_be_bytes()));
    world.run_for(Duration::from_secs(10));
    tell_a(&mut world, tag, &sack(1003, 90_000, &[]));
    world.run_for(Duration::from_millis(10));
    assert_eq!(world[A].association.state(), State::ShutdownAckSent);
}

/// RFC 9260 §9.2: the SHUTDOWN counts, though what it acknowledges is old.
#[test]
fn a_shutdown_that_was_overtaken_by_a_sack_is_a_shutdown() {
    let (mut world, tag) = alone(plain());
    world[A].send(0, &[7; 2000]);
    world.run_for(Duration::from_millis(10));
    tell_a(&mut world, tag, &sack(1001, 90_000, &[]));
    tell_a(&mut world, tag, &chunk(7, 0, &1000u32.to_be_bytes()));
    assert_eq!(world[A].association.state(), State::ShutdownAckSent);
}

#[test]
fn the_tag_of_the_peer_lets_nothing_in_but_the_chunk_that_may_have_it() {
    let mut world = connected_with(1, plain(), plain());
    let (tag_of_peer, now) = (tag_for(&world, A), world.now());
    let smuggled = [chunk(14, 1, &[]), data(3, 1000, 0, 0, b"smuggled")].concat();
    world[Z].association.handle_input(&packet(tag_of_peer, &smuggled), now);
    world.run();
    assert_eq!(world[Z].received(), []);
    still_works(&mut world);
}

#[test]
fn a_chunk_that_cannot_be_delivered_closes_a_gap_as_any_other() {
    let mut world = connected_with(1, plain(), config(|config| config.streams_max = 10));
    let (tag, now) = (tag_for(&world, Z), world.now());
    let chunks = [data(2, 1001, 0, 0, b"be"), data(3, 1000, 10, 0, b"nowhere"), data(1, 1002, 0, 0, b"longs")];
    for chunk in chunks {
        world[Z].association.handle_input(&packet(tag, &chunk), now);
    }
    world.run();
    assert_eq!(world[Z].received(), [(0, b"belongs".to_vec())]);
}

// ---- time

#[test]
fn no_ack_is_delayed_by_more_than_half_a_second() {
    let mut world = connected_with(1, plain(), config(|config| config.sack_delay = Duration::from_secs(9)));
    let (tag, now) = (tag_for(&world, Z), world.now());
    for tsn in [1000, 1001] {
        world[Z].association.handle_input(&packet(tag, &data(3, tsn, 0, 0, b"x")), now);
        drain(&mut world[Z].association, now, 1200);
    }
    assert!(world[Z].association.poll_timeout(now).unwrap() <= now + Duration::from_millis(500));
}

#[test]
fn times_of_zero_do_not_spin() {
    let zero = || {
        config(|config| {
            config.rto_initial = Duration::ZERO;
            config.rto_min = Duration::ZERO;
            config.rto_max = Duration::ZERO;
            config.sack_delay = Duration::ZERO;
            config.retransmits_max = None;
            config.init_retransmits_max = None;
        })
    };
    let mut a = Association::new(zero(), Seed::for_test(1));
    let now = wigwag_sim::origin();
    a.connect();
    for _ in 0..3 {
        a.handle_timeout(now);
        drain(&mut a, now, 1200);
    }
    let mut world = connected_with(1, zero(), zero());
    world[A].send(0, &[7; 50_000]);
    world.run_for(Duration::from_secs(1));
    assert_eq!(world[Z].received().len(), 1);
    assert!(world.trace().count() < 5000, "{}", world.trace().count());
}

#[test]
fn times_without_end_do_not_spin() {
    let endless = config(|config| {
        config.rto_initial = Duration::MAX;
        config.rto_min = Duration::MAX;
        config.rto_max = Duration::MAX;
        config.heartbeat_interval = Duration::MAX;
    });
    let mut a = Association::new(endless, Seed::for_test(1));
    let now = wigwag_sim::origin();
    a.connect();
    drain(&mut a, now, 1200);
}

/// Law 5: what happens because of a lifetime happens when the clock says so, not when somebody looks.
#[test]
fn the_end_of_a_lifetime_is_due() {
    let (mut world, _) = alone(plain());
    let lifetime = Reliability::MaxLifetime(Duration::from_millis(100));
    let options = SendOptions { unordered: false, reliability: lifetime };
    world[A].association.send(0, 51, Bytes::from(vec![7; 50_000]), options).unwrap();
    let (mut now, end) = (world.now(), world.now() + Duration::from_secs(2));
    let mut due = Some(now);
    while now < end {
        let is_due = due.is_some_and(|at| at <= now);
        let packets = drain(&mut world[A].association, now, 1200);
        assert!(is_due || packets.is_empty(), "{} was not due", dissect(&packets[0]));
        due = world[A].association.poll_timeout(now);
        now += Duration::from_millis(1);
        if due.is_some_and(|at| at <= now) {
            world[A].association.handle_timeout(now);
        }
    }
    assert_eq!(world[A].association.stats().messages_abandoned, 1);
    assert_eq!(world[A].association.buffered_amount(0), 0);
}

/// "No older than this": what is sent at once is not older than nothing.
#[test]
fn a_message_without_a_lifetime_is_sent_once() {
    let mut world = connected_with(1, plain(), plain());
    let options = SendOptions { unordered: false, reliability: Reliability::MaxLifetime(Duration::ZERO) };
    world[A].association.send(0, 51, Bytes::from_static(b"now or never"), options).unwrap();
    world.run();
    assert_eq!(world[Z].received(), [(0, b"now or never".to_vec())]);
    world.link(A, Z).loss(100.0);
    world[A].association.send(0, 51, Bytes::from_static(b"never"), options).unwrap();
    world.run_for(Duration::from_secs(1));
    world.link(A, Z).heal();
    world.run();
    assert_eq!(world[A].association.stats().messages_abandoned, 1);
    assert_eq!(world[Z].received().len(), 1);
}

// ---- work: each of these takes minutes if a chunk costs as much as there are others

#[test]
fn fragments_in_reverse_are_not_looked_at_again_and_again() {
    let mut world = connected_with(1, plain(), plain());
    let (tag, now) = (tag_for(&world, Z), world.now());
    let tsns: Vec<u32> = (1001..31_001).rev().collect();
    for tsns in tsns.chunks(50) {
        let chunks: Vec<u8> = tsns.iter().flat_map(|tsn| data(0, *tsn, 0, 0, b"x")).collect();
        world[Z].association.handle_input(&packet(tag, &chunks), now);
    }
    assert_eq!(world[Z].association.stats().discarded.no_room, 0);
    // The first fragment and the last one make a message of them.
    for chunk in [data(1, 31_001, 0, 0, b"x"), data(2, 1000, 0, 0, b"x")] {
        world[Z].association.handle_input(&packet(tag, &chunk), now);
    }
    world.run();
    assert_eq!(world[Z].received(), [(0, vec![b'x'; 30_002])]);
}

#[test]
fn skipping_messages_does_not_look_at_those_behind() {
    let mut world = connected_with(1, plain(), config(|config| config.receive_window = 16 * 1024 * 1024));
    let (tag, now) = (tag_for(&world, Z), world.now());
    let behind: Vec<u32> = (0..30_000).collect();
    for numbers in behind.chunks(50) {
        let message = |number: &u32| data(3, 1001 + number, 0, 2000 + *number as u16, b"x");
        let chunks: Vec<u8> = numbers.iter().flat_map(message).collect();
        world[Z].association.handle_input(&packet(tag, &chunks), now);
    }
    assert_eq!(world[Z].association.stats().discarded.no_room, 0);
    for round in 0..7u16 {
        let mut value = (31_001 + u32::from(round)).to_be_bytes().to_vec();
        for ssn in 0..280 {
            value.extend_from_slice(&[[0, 0], (round * 280 + ssn).to_be_bytes()].concat());
        }
        world[Z].association.handle_input(&packet(tag, &chunk(192, 0, &value)), now);
    }
    let mut value = 31_100u32.to_be_bytes().to_vec();
    value.extend_from_slice(&[[0, 0], 1999u16.to_be_bytes()].concat());
    world[Z].association.handle_input(&packet(tag, &chunk(192, 0, &value)), now);
    world.run();
    assert_eq!(world[Z].received().len(), 30_000);
}

#[test]
fn what_is_given_up_is_not_counted_again_with_every_sack() {
    let (mut world, tag) = alone(plain());
    let options = SendOptions { unordered: true, reliability: Reliability::MaxRetransmits(0) };
    for _ in 0..2000 {
        world[A].association.send(0, 51, Bytes::from_static(b"x"), options).unwrap();
    }
    world.run_for(Duration::from_secs(20));
    // The peer hears nothing but answers.
    for _ in 0..2000 {
        tell_a(&mut world, tag, &sack(999, 90_000, &[]));
    }
    world.run_for(Duration::from_secs(1));
    assert_eq!(world[A].notices(), []);
}

/// Each is compared with all that is outstanding, and a packet has room for fifty.
#[test]
fn a_packet_has_one_sack() {
    let (mut world, tag) = alone(plain());
    world[A].association.send(0, 51, Bytes::from_static(&[7; 3000]), SendOptions::default()).unwrap();
    let now = world.now();
    while world[A].association.poll_packet(now, 1200, &mut Vec::new()) {}
    let sacks = [sack(999, 90_000, &[(2, 2)]), sack(1000, 90_000, &[]), sack(1002, 90_000, &[])];
    tell_a(&mut world, tag, &sacks.concat());
    let stats = world[A].association.stats();
    assert_eq!((stats.in_flight, stats.discarded.unexpected), (3000 - 1132 + 2 * 16, 2));
    for sack in sacks {
        tell_a(&mut world, tag, &sack);
    }
    assert_eq!(world[A].association.stats().in_flight, 0);
}

// ---- room

/// C7: an early half of one message leaves room for the whole of that before it, which all wait for.
#[test]
fn what_came_early_does_not_take_the_room_of_what_it_waits_for() {
    let small = config(|config| {
        config.receive_window = 0;
        config.message_len_max_receive = 10_000;
    });
    let mut world = connected_with(1, plain(), small);
    let (tag, now) = (tag_for(&world, Z), world.now());
    let flags = |at: u32| if at == 0 { 2 } else { u8::from(at == 9) };
    let fragment = |ssn: u32, at: u32| data(flags(at), 1000 + 10 * ssn + at, 0, ssn as u16, &[7; 1000]);
    let tiny = (0..310).map(|at| data(3, 1020 + at, 0, 2 + at as u16, b"x"));
    // The first two are lost, and the first of them once more.
    let chunks: Vec<Vec<u8>> = tiny.chain((0..10).map(|at| fragment(1, at))).collect();
    for chunk in chunks.iter().chain(&(0..10).map(|at| fragment(0, at)).collect::<Vec<_>>()) {
        world[Z].association.handle_input(&packet(tag, chunk), now);
    }
    world.run();
    assert_eq!(world[Z].received().first(), Some(&(0, vec![7; 10_000])));
    for at in 0..10 {
        world[Z].association.handle_input(&packet(tag, &fragment(1, at)), now);
    }
    world.run();
    assert_eq!(world[Z].received().len(), 312);
}

/// Four of them would be four gigabytes, which nobody has said that there are.
#[test]
fn messages_of_any_length_do_not_make_a_window_of_any_length_unless_they_come_in_parts() {
    for (len, window_max, in_parts, expected) in [
        (usize::MAX, 32 << 20, None, 32 << 20),
        ((1 << 30) + 1, 6 << 20, None, 6 << 20),
        (usize::MAX, 0, None, 5 << 20),
        (1 << 30, 0, None, u32::MAX),
        (10 << 20, 0, None, 40 << 20),
        (usize::MAX, 32 << 20, Some(65_536), 5 << 20),
    ] {
        let mode = config(|config| {
            (config.message_len_max_receive, config.receive_window_max) = (len, window_max);
            config.partial_delivery_from = in_parts;
        });
        let association = Association::new(mode, Seed::for_test(1));
        assert_eq!(association.stats().receive_window_max, expected, "{len}");
    }
    let any = config(|config| (config.message_len_max_receive, config.receive_window_max) = (usize::MAX, 0));
    let mut world = connected_with(1, config(|config| config.message_len_max_send = usize::MAX), any);
    let max = (5 << 20) / 4;
    world[A].send(0, &vec![7; max]);
    world.run();
    assert_eq!(world[Z].received().len(), 1);
    world[A].send(0, &vec![7; max + 1]);
    world.run();
    assert!(matches!(world[Z].notices()[..], [Event::Closed(CloseReason::ProtocolViolation(_))]));
}
