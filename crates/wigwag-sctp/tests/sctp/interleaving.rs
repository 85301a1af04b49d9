//! Messages in pieces beside one another, and whose turn it is (RFC 8260).

use crate::common::{Peer, chunks, config, connected_with, has_chunk, ladder, plain};
use crate::hostile::{chunk, packet, tag_for};
use bytes::Bytes;
use expect_test::expect;
use std::time::Duration;
use wigwag_sctp::{CloseReason, Config, Event, Reliability, Scheduler, SendOptions};
use wigwag_sim::{A, World, Z};

const I_DATA: u8 = 64;
const ENDING: u8 = 1;
const BEGINNING: u8 = 2;
const UNORDERED: u8 = 4;
const ONCE: SendOptions = SendOptions { unordered: false, reliability: Reliability::MaxRetransmits(0) };

fn interleaving(scheduler: Scheduler) -> Config {
    config(|config| {
        config.initial_tsn = Some(1000);
        config.interleaving = true;
        config.scheduler = scheduler;
    })
}

fn pair(scheduler: Scheduler) -> World<Peer> {
    connected_with(1, interleaving(scheduler), interleaving(scheduler))
}

/// The streams of the chunks of user data that A has sent, one after another.
fn streams_sent(world: &World<Peer>) -> Vec<u16> {
    let chunks = world.trace().records().iter().flat_map(|record| chunks(&record.payload));
    chunks
        .filter(|chunk| matches!(chunk[0], 0 | I_DATA))
        .map(|chunk| u16::from_be_bytes([chunk[8], chunk[9]]))
        .collect()
}

#[test]
fn messages_travel_in_pieces_beside_one_another() {
    let mut world = pair(Scheduler::RoundRobin);
    assert!(world[A].association.is_interleaving() && world[Z].association.is_interleaving());
    world[A].send(0, &[1; 2500]);
    world[A].send(1, &[2; 1500]);
    world[A].association.send(1, 51, Bytes::from(vec![3; 100]), crate::common::UNORDERED).unwrap();
    world.run();
    expect![[r#"
          0 ms  A → Z  INIT
         20 ms  A ← Z  INIT ACK
         40 ms  A → Z  COOKIE ECHO
         60 ms  A ← Z  COOKIE ACK
         80 ms  A → Z  I-DATA 0 B 0:0 (1128)
         80 ms  A → Z  I-DATA 1 B 1:0 (1128)
         80 ms  A → Z  I-DATA 2  0:0 (1128)
         80 ms  A → Z  I-DATA 3 E 1:0 (372), I-DATA 4 E 0:0 (244), I-DATA 5 UBE 1:0 (100)
        100 ms  A ← Z  SACK 0
        100 ms  A ← Z  SACK 2
        120 ms  A ← Z  SACK 5
    "#]]
    .assert_eq(&ladder(&world));
    assert_eq!(world[Z].received(), [(1, vec![2; 1500]), (0, vec![1; 2500]), (1, vec![3; 100])]);
}

#[test]
fn a_peer_without_it_gets_data() {
    for (a, z) in [(interleaving(Scheduler::RoundRobin), plain()), (plain(), interleaving(Scheduler::RoundRobin))] {
        let mut world = connected_with(1, a, z);
        for host in [A, Z] {
            assert!(!world[host].association.is_interleaving());
            world[host].send(0, &[1; 3000]);
            world[host].send(1, b"short");
        }
        world.run();
        assert!(world.trace().records().iter().all(|record| !has_chunk(&record.payload, I_DATA)));
        for host in [A, Z] {
            assert_eq!(world[host].received(), [(0, vec![1; 3000]), (1, b"short".to_vec())]);
        }
    }
}

#[test]
fn a_message_of_a_higher_priority_interrupts_a_long_one() {
    let mut world = pair(Scheduler::Priority);
    world[A].association.set_stream_priority(7, 1024);
    world[A].send(0, &[0; 200_000]);
    world.run_for(Duration::from_millis(30));
    world[A].send(7, &[7; 20_000]);
    world.run();
    assert_eq!(world[Z].received(), [(7, vec![7; 20_000]), (0, vec![0; 200_000])]);
    let streams = streams_sent(&world);
    let first = streams.iter().position(|stream| *stream == 7).unwrap();
    assert!(streams[first..].iter().take(18).all(|stream| *stream == 7), "and is not interrupted itself");
}

#[test]
fn a_priority_may_change_while_messages_wait() {
    let mut world = pair(Scheduler::Priority);
    for stream in 0..3 {
        world[A].send(stream, &[0; 30_000]);
    }
    world[A].association.set_stream_priority(2, 1000);
    world[A].association.set_stream_priority(0, 1);
    world.run();
    let order: Vec<_> = world[Z].received().into_iter().map(|(stream, _)| stream).collect();
    assert_eq!(order, [2, 1, 0]);
}

#[test]
fn a_fair_queue_gives_each_its_weight() {
    for is_interleaved in [true, false] {
        let mut mode = interleaving(Scheduler::WeightedFair);
        mode.interleaving = is_interleaved;
        let mut world = connected_with(1, mode.clone(), mode);
        let weights = [128u16, 256, 512, 1024];
        for (stream, weight) in (0..).zip(weights) {
            world[A].association.set_stream_priority(stream, weight);
            for _ in 0..200 {
                world[A].send(stream, &[0; 1100]);
            }
        }
        world.run();
        // Until the one with the greatest weight has nothing left.
        let streams = streams_sent(&world);
        let last = streams.iter().rposition(|stream| *stream == 3).unwrap();
        let sent: Vec<_> =
            (0..4).map(|on| streams[..last].iter().filter(|stream| **stream == on).count() as f64).collect();
        for (sent, weight) in sent.iter().zip(weights) {
            let share = 200.0 * f64::from(weight) / 1024.0;
            assert!((sent - share).abs() <= 0.02 * share + 1.0, "{sent} of {share}, of {sent:?}");
        }
    }
}

#[test]
fn who_was_silent_has_saved_nothing_up() {
    let mut world = pair(Scheduler::WeightedFair);
    world[A].send(0, &[0; 100_000]);
    world.run();
    for stream in [0, 1] {
        world[A].send(stream, &[0; 11_280]);
    }
    let before = streams_sent(&world).len();
    world.run();
    let streams = &streams_sent(&world)[before..];
    let half = streams[..10].iter().filter(|stream| **stream == 1).count();
    assert!((4..=6).contains(&half), "{streams:?}");
}

#[test]
fn first_come_is_first_served() {
    let mut world = pair(Scheduler::FirstComeFirstServed);
    for stream in [5, 3, 5, 4] {
        world[A].send(stream, &[0; 5000]);
    }
    world.run();
    let order: Vec<_> = world[Z].received().into_iter().map(|(stream, _)| stream).collect();
    assert_eq!(order, [5, 3, 5, 4]);
}

#[test]
fn what_is_given_up_in_the_middle_leaves_the_others_alone() {
    let mut world = pair(Scheduler::RoundRobin);
    // The second fragment of the first message.
    world.link(A, Z).drop_nth(5);
    world[A].association.send(0, 51, Bytes::from(vec![1; 4000]), ONCE).unwrap();
    world[A].send(1, &[2; 4000]);
    world[A].association.send(0, 51, Bytes::from(vec![3; 2000]), ONCE).unwrap();
    world.run();
    assert_eq!(world[Z].received(), [(1, vec![2; 4000]), (0, vec![3; 2000])]);
    assert_eq!(world[A].association.stats().messages_abandoned, 1);
    let skips = ladder(&world);
    assert!(skips.contains("I-FORWARD TSN") && skips.contains(" 0:0"), "{skips}");
}

#[test]
fn unordered_messages_that_are_given_up_are_told_of() {
    let mut world = pair(Scheduler::RoundRobin);
    world.link(A, Z).drop_nth(4);
    let options = SendOptions { unordered: true, ..ONCE };
    for _ in 0..2 {
        world[A].association.send(3, 51, Bytes::from(vec![1; 3000]), options).unwrap();
    }
    world.run();
    assert_eq!(world[Z].received(), [(3, vec![1; 3000])]);
    assert!(ladder(&world).contains(" 3:0U"), "{}", ladder(&world));
    // Nothing of it is left in the peer's window.
    assert_eq!(world[Z].association.stats().receive_buffered, 0);
}

#[test]
fn more_long_messages_than_the_peer_has_room_for_all_arrive() {
    let small = config(|config| {
        config.interleaving = true;
        config.receive_window = 0;
        config.message_len_max_receive = 40_000;
    });
    for scheduler in [Scheduler::RoundRobin, Scheduler::WeightedFair, Scheduler::Priority] {
        let mut world = connected_with(1, interleaving(scheduler), small.clone());
        for stream in 0..50 {
            world[A].send(stream, &[0; 40_000]);
        }
        world.run_for(Duration::from_secs(20));
        assert_eq!(world[Z].received().len(), 50, "{scheduler:?}");
        assert_eq!(world[A].association.stats().timeouts, 0, "{scheduler:?}");
    }
}

#[test]
fn a_stream_that_was_reset_begins_with_message_0() {
    let mut world = pair(Scheduler::RoundRobin);
    for round in 0..3u8 {
        world[A].send(3, &[round; 3000]);
        world[A].association.send(3, 51, Bytes::from(vec![round; 10]), crate::common::UNORDERED).unwrap();
        world[A].association.reset_stream(3).unwrap();
        world.run();
    }
    assert_eq!(world[Z].received().len(), 6);
    let resets = world[Z].events.iter().filter(|event| matches!(event, Event::IncomingStreamReset { .. })).count();
    assert_eq!(resets, 3);
    assert!(!ladder(&world).contains("3:1"), "{}", ladder(&world));
}

#[test]
fn less_important_messages_give_way_when_the_buffer_is_full() {
    let small = config(|config| config.send_buffer = 4 * (1000 + 128));
    let mut world = connected_with(1, small, Config::default());
    let options = |number| SendOptions { unordered: false, reliability: Reliability::Priority(number) };
    // The network takes none of them yet.
    for number in [5, 9, 7, 5] {
        world[A].association.send(0, 51, Bytes::from(vec![number as u8; 1000]), options(number)).unwrap();
    }
    assert!(
        world[A].association.send(0, 51, Bytes::from(vec![9; 1000]), options(9)).is_err(),
        "it is no more important"
    );
    world[A].association.send(1, 51, Bytes::from(vec![1; 1000]), options(1)).unwrap();
    world[A].association.send(1, 51, Bytes::from(vec![6; 1000]), options(6)).unwrap();
    assert!(world[A].association.send(1, 51, Bytes::from(vec![0; 1000]), SendOptions::default()).is_err());
    world.run();
    let mut received: Vec<_> = world[Z].received().into_iter().map(|(_, data)| data[0]).collect();
    received.sort_unstable();
    assert_eq!(received, [1, 5, 5, 6]);
    assert_eq!(world[A].association.stats().messages_abandoned, 2);
}

/// An I-DATA chunk.
pub(crate) fn i_data(flags: u8, tsn: u32, stream: u16, mid: u32, ppid_or_fsn: u32, payload: &[u8]) -> Vec<u8> {
    let mut value = tsn.to_be_bytes().to_vec();
    value.extend_from_slice(&stream.to_be_bytes());
    value.extend_from_slice(&[0, 0]);
    value.extend_from_slice(&mid.to_be_bytes());
    value.extend_from_slice(&ppid_or_fsn.to_be_bytes());
    value.extend_from_slice(payload);
    chunk(I_DATA, flags, &value)
}

/// As a peer does that sends a piece of each in turn, whatever the window.
#[test]
fn more_messages_begun_at_once_than_the_window_holds_become_whole() {
    const COUNT: u16 = 300;
    let small = config(|config| {
        config.interleaving = true;
        config.receive_window = 0;
        config.message_len_max_receive = 10_000;
        config.receive_window_max = 1 << 20;
    });
    let mut world = connected_with(1, interleaving(Scheduler::RoundRobin), small);
    let (tag, now) = (tag_for(&world, Z), world.now());
    let pieces = [2, 1].into_iter().flat_map(|flags| (0..COUNT).map(move |stream| (flags, stream)));
    for (tsn, (flags, stream)) in (1000..).zip(pieces) {
        // What finds no room is sent again.
        for _ in 0..2 {
            let piece = i_data(flags, tsn, stream, 0, if flags == 2 { 51 } else { 1 }, &[7; 1000]);
            world[Z].association.handle_input(&packet(tag, &piece), now);
        }
    }
    world.run();
    assert_eq!(world[Z].received().len(), usize::from(COUNT));
    assert!(world[Z].association.stats().discarded.no_room < 10);
}

#[test]
fn pieces_of_messages_without_end_stay_within_the_window() {
    // First fragments, others, and the last ones of which there should be no more; of one stream and of all.
    for (flags, fsn, spread) in [(2, 51, 65_535), (0, 1, 65_535), (1, 9, 65_535), (4, 1, 1), (6, 51, 1)] {
        let mut fixed = interleaving(Scheduler::RoundRobin);
        fixed.receive_window_max = fixed.receive_window;
        let mut world = connected_with(1, interleaving(Scheduler::RoundRobin), fixed);
        let (tag, now) = (tag_for(&world, Z), world.now());
        let z = &mut world[Z].association;
        let held = allocation_counter::measure(|| {
            for at in 0..100_000u32 {
                let stream = (at % spread) as u16;
                z.handle_input(&packet(tag, &i_data(flags, 1000 + at, stream, at / spread, fsn, &[7; 16])), now);
            }
        });
        assert!(held.bytes_current < 3 * 5 * 1024 * 1024, "{} bytes, flags {flags}", held.bytes_current);
        assert!(z.stats().discarded.no_room > 50_000);
    }
}

/// What was fetched is not held, though more is to come of it.
#[test]
fn messages_that_were_handed_out_in_parts_hold_no_more_than_the_window() {
    let mut mode = interleaving(Scheduler::RoundRobin);
    mode.partial_delivery_from = Some(16_000);
    mode.message_len_max_receive = usize::MAX;
    let mut world = connected_with(1, interleaving(Scheduler::RoundRobin), mode);
    let (tag, now) = (tag_for(&world, Z), world.now());
    let z = &mut world[Z].association;
    let (mut tsns, mut fetched) = (1000.., 0);
    let held = allocation_counter::measure(|| {
        for stream in 0..1500 {
            for (fsn, tsn) in (0..17).zip(&mut tsns) {
                let (flags, ppid_or_fsn) = if fsn == 0 { (2, 51) } else { (0, fsn) };
                z.handle_input(&packet(tag, &i_data(flags, tsn, stream, 0, ppid_or_fsn, &[7; 1000])), now);
                while let Some(event) = z.poll_event() {
                    fetched += usize::from(matches!(event, Event::MessagePart { is_first: true, .. }));
                }
            }
        }
    });
    assert_eq!(fetched, 1500);
    assert!(held.bytes_current < 5 * 1024 * 1024, "{} bytes", held.bytes_current);
}

#[test]
fn fragments_that_make_no_sense_beside_others_are_counted_and_harm_nothing() {
    let mut world = pair(Scheduler::RoundRobin);
    let (tag, now) = (tag_for(&world, Z), world.now());
    let fragments = [
        (0, 1, "b"),
        (0, 1, "again"),
        (1, 2, "c"),
        (1, 4, "another end"),
        (0, 3, "behind the end"),
        (2, 51, "a"),
        (0, 1, "after all of it"),
    ];
    for (tsn, (flags, fsn, payload)) in (1000..).zip(fragments) {
        world[Z].association.handle_input(&packet(tag, &i_data(flags, tsn, 0, 0, fsn, payload.as_bytes())), now);
    }
    world.run_for(Duration::from_millis(1));
    assert_eq!(world[Z].received(), [(0, b"abc".to_vec())]);
    assert_eq!(world[Z].association.stats().discarded.orphan, 4);
}

/// A piece may overtake the word that its message is given up, or be overtaken by it; the sender tells that once.
#[test]
fn late_pieces_of_what_was_given_up_are_not_kept_and_those_of_others_are() {
    for flag in [0, UNORDERED] {
        let mut world = pair(Scheduler::RoundRobin);
        let tag = tag_for(&world, Z);
        let mut tsns = 1000..;
        let mut say = |world: &mut World<Peer>, chunk: &dyn Fn(u32) -> Vec<u8>| {
            let now = world.now();
            world[Z].association.handle_input(&packet(tag, &chunk(tsns.next().unwrap())), now);
            world.run_for(Duration::from_millis(1));
        };
        let skip = |tsn: u32, mid: u32| {
            let value = [&tsn.to_be_bytes()[..], &[0, 0, 0, flag / UNORDERED], &mid.to_be_bytes()].concat();
            chunk(194, 0, &value)
        };
        let piece = |flags: u8, mid: u32, fsn: u32| move |tsn| i_data(flag | flags, tsn, 0, mid, fsn, b"piece");
        say(&mut world, &piece(BEGINNING, 0, 51));
        say(&mut world, &|tsn| skip(tsn, 0));
        say(&mut world, &piece(0, 0, 2));
        say(&mut world, &piece(ENDING, 0, 3));
        assert_eq!(world[Z].association.stats().receive_buffered, 0);
        assert_eq!(world[Z].association.stats().discarded.orphan, 2);
        // All others are as before, however far the numbers go: they come round.
        let far = if flag == UNORDERED { 1 << 29 } else { 1 };
        for mid in (0..12u32).map(|number| 1u32.wrapping_add(number.wrapping_mul(far))) {
            say(&mut world, &piece(BEGINNING, mid, 51));
            say(&mut world, &piece(ENDING, mid, 1));
        }
        assert_eq!(world[Z].received(), vec![(0, b"piecepiece".to_vec()); 12]);
        assert_eq!(world[Z].association.stats().receive_buffered, 0);
    }
}

#[test]
fn a_message_in_pieces_that_is_longer_than_may_be_ends_the_association() {
    let mut small = interleaving(Scheduler::RoundRobin);
    small.message_len_max_receive = 10_000;
    let mut world = connected_with(1, interleaving(Scheduler::RoundRobin), small);
    world[A].send(0, &[7; 10_001]);
    world.run();
    assert!(matches!(world[Z].notices()[..], [Event::Closed(CloseReason::ProtocolViolation(_))]));
}
