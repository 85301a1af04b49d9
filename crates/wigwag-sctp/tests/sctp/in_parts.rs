//! Messages that are given, sent and handed out in parts (RFC 9260 §6.9, RFC 6458's partial delivery).

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use crate::common::{self, ORDERED, Peer, UNORDERED, config, connected_with, ladder, plain};
use crate::hostile;
use bytes::Bytes;
use expect_test::expect;
use std::collections::BTreeMap;
use std::time::Duration;
use wigwag_sansio::Seed;
use wigwag_sctp::{
    AbandonError, Association, CloseReason, Config, Event, Reliability, ResetError, SendError, SendOptions,
};
use wigwag_sim::{A, World, Z};

const TIMED: SendOptions =
    SendOptions { unordered: false, reliability: Reliability::MaxLifetime(Duration::from_millis(100)) };

pub(crate) fn part(len: usize) -> Bytes {
    Bytes::from((0..len).map(|at| (at % 251) as u8).collect::<Vec<_>>())
}

/// Hands long messages out in parts of so many bytes.
pub(crate) fn in_parts(from: usize) -> Config {
    config(|config| config.partial_delivery_from = Some(from))
}

fn interleaved(mut config: Config) -> Config {
    config.interleaving = true;
    config
}

/// What has come of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Come {
    Whole(Vec<u8>),
    /// So many parts.
    InParts(Vec<u8>, usize),
    Incomplete(Vec<u8>),
}

impl Come {
    pub(crate) fn data(self) -> Option<Vec<u8>> {
        match self {
            Self::Whole(data) | Self::InParts(data, _) => Some(data),
            Self::Incomplete(_) => None,
        }
    }
}

/// Puts messages together by stream, and sees to it that parts are told of as promised.
pub(crate) fn come(events: &[Event]) -> BTreeMap<u16, Vec<Come>> {
    let mut all: BTreeMap<u16, Vec<Come>> = BTreeMap::new();
    let mut open: BTreeMap<u16, (Vec<u8>, usize, u32, bool)> = BTreeMap::new();
    for event in events {
        match event {
            Event::Message { stream, data, unordered, .. } => {
                assert!(*unordered || open.get(stream).is_none_or(|open| open.3), "it waits for what is in parts");
                all.entry(*stream).or_default().push(Come::Whole(data.to_vec()));
            }
            Event::MessagePart { stream, ppid, unordered, data, is_first, is_last } => {
                assert!(!data.is_empty());
                assert_eq!(*is_first, !open.contains_key(stream), "the first part is told of");
                let (bytes, count, of_ppid, of_unordered) =
                    open.entry(*stream).or_insert((Vec::new(), 0, *ppid, *unordered));
                assert_eq!((*of_ppid, *of_unordered), (*ppid, *unordered));
                bytes.extend_from_slice(data);
                *count += 1;
                if *is_last {
                    let (bytes, count, ..) = open.remove(stream).unwrap();
                    all.entry(*stream).or_default().push(Come::InParts(bytes, count));
                }
            }
            Event::MessageIncomplete { stream } => {
                let (bytes, ..) = open.remove(stream).expect("told once, of what was begun");
                all.entry(*stream).or_default().push(Come::Incomplete(bytes));
            }
            Event::Closed(_) => assert!(open.is_empty(), "what never ends is told before"),
            _ => {}
        }
    }
    all
}

fn a(world: &mut World<Peer>) -> &mut Association {
    &mut world[A].association
}

#[test]
fn what_is_given_leaves_but_for_its_last_byte_until_the_end_is_known() {
    let mut world = connected_with(1, plain(), plain());
    a(&mut world).begin_message(3, 53, ORDERED).unwrap();
    world.run();
    a(&mut world).append_part(3, part(3000)).unwrap();
    world.run();
    assert_eq!(a(&mut world).buffered_amount(3), 1);
    a(&mut world).append_part(3, part(100)).unwrap();
    a(&mut world).append_part(3, Bytes::new()).unwrap();
    world.run();
    a(&mut world).finish_message(3).unwrap();
    world.run();
    expect![[r#"
          0 ms  A → Z  INIT
         20 ms  A ← Z  INIT ACK
         40 ms  A → Z  COOKIE ECHO
         60 ms  A ← Z  COOKIE ACK
         80 ms  A → Z  DATA 0 B 3:0 (1132)
         80 ms  A → Z  DATA 1  3:0 (1132)
         80 ms  A → Z  DATA 2  3:0 (735)
        100 ms  A ← Z  SACK 0
        100 ms  A ← Z  SACK 2
        120 ms  A → Z  DATA 3  3:0 (100)
        160 ms  A ← Z  SACK 3
        180 ms  A → Z  DATA 4 E 3:0 (1)
        220 ms  A ← Z  SACK 4
    "#]]
    .assert_eq(&ladder(&world));
    let whole = [part(3000), part(100)].concat();
    assert_eq!(world[Z].received(), [(3, whole)]);
    assert_eq!(a(&mut world).stats().messages_sent, 1);
}

#[test]
fn an_open_message_is_the_only_one_of_its_stream_and_errors_say_what_to_do() {
    let limits = config(|config| config.message_len_max_send = 100);
    let mut world = connected_with(1, limits, Config::default());
    let a = &mut world[A].association;
    let byte = Bytes::from_static(b"x");
    assert_eq!(a.append_part(0, byte.clone()), Err(SendError::NoMessageOpen(byte.clone())));
    assert_eq!(a.finish_message(0), Err(SendError::NoMessageOpen(Bytes::new())));
    assert_eq!(a.abandon_message(0), Err(AbandonError::NoMessageOpen));
    let no_stream = SendError::NoSuchStream { stream: 65_535, streams: 65_535 };
    assert_eq!(a.begin_message(65_535, 53, ORDERED), Err(no_stream));

    a.begin_message(0, 53, ORDERED).unwrap();
    assert_eq!(a.begin_message(0, 53, ORDERED), Err(SendError::MessageOpen(Bytes::new())));
    assert_eq!(a.send(0, 53, byte.clone(), ORDERED), Err(SendError::MessageOpen(byte.clone())));
    assert_eq!(a.reset_stream(0), Err(ResetError::MessageOpen));
    assert_eq!(a.send(1, 53, byte.clone(), ORDERED), Ok(()));
    assert_eq!(a.finish_message(0), Err(SendError::Empty), "and there is no message any more");
    assert_eq!(a.send(0, 53, byte.clone(), ORDERED), Ok(()));

    a.begin_message(0, 53, ORDERED).unwrap();
    a.append_part(0, part(60)).unwrap();
    assert_eq!(a.append_part(0, part(41)), Err(SendError::TooLarge { len: 101, max: 100 }));
    a.append_part(0, part(40)).unwrap();
    a.finish_message(0).unwrap();
    assert_eq!(a.append_part(0, byte.clone()), Err(SendError::NoMessageOpen(byte.clone())));
    world.run();
    let whole = [part(60), part(40)].concat();
    assert_eq!(world[Z].received(), [(1, b"x".to_vec()), (0, b"x".to_vec()), (0, whole)]);
}

#[test]
fn parts_are_refused_when_the_buffer_is_full_but_never_for_ever() {
    for interleaving in [false, true] {
        let small = config(|config| {
            (config.send_buffer, config.send_buffer_max, config.interleaving) = (10_000, 0, interleaving);
        });
        let mut world = connected_with(1, small, interleaved(Config::default()));
        a(&mut world).begin_message(0, 53, ORDERED).unwrap();
        a(&mut world).append_part(0, part(5000)).unwrap();
        assert_eq!(a(&mut world).append_part(0, part(5000)), Err(SendError::Full(part(5000))));
        world.run();
        assert!(world[A].events.contains(&Event::Writable));
        // Whatever else fills the buffer, behind the message or not: a part that the message needs is taken.
        while a(&mut world).send(1, 53, part(3000), ORDERED).is_ok() {}
        a(&mut world).append_part(0, part(5000)).unwrap();
        assert_eq!(a(&mut world).append_part(0, part(5000)), Err(SendError::Full(part(5000))));
        world[A].events.clear();
        world.run();
        assert!(world[A].events.contains(&Event::Writable), "what filled the buffer waits for the message itself");
        a(&mut world).append_part(0, part(5000)).unwrap();
        a(&mut world).finish_message(0).unwrap();
        world.run();
        assert_eq!(a(&mut world).buffered_amount(0) + a(&mut world).buffered_amount(1), 0);
        let whole = [part(5000), part(5000), part(5000)].concat();
        assert!(world[Z].received().contains(&(0, whole)));
    }
}

/// Each that is open asks for parts, one after another.
#[test]
fn many_open_messages_share_a_buffer_that_holds_none_of_them() {
    for interleaving in [false, true] {
        let small = config(|config| {
            (config.send_buffer, config.send_buffer_max, config.interleaving) = (1000, 0, interleaving);
        });
        let mut world = connected_with(1, small, interleaved(Config::default()));
        let streams = 0..7u16;
        for stream in streams.clone() {
            a(&mut world).begin_message(stream, 53, ORDERED).unwrap();
        }
        let mut given = [0; 7];
        for _ in 0..2000 {
            for stream in streams.clone() {
                // Some give nothing until others are done.
                let may_give = stream % 2 == 0 || given[usize::from(stream) - 1] > 30;
                let Some(given) = given.get_mut(usize::from(stream)).filter(|_| may_give) else { continue };
                let is_taken = match *given {
                    0..30 => a(&mut world).append_part(stream, part(400)).is_ok(),
                    30 => a(&mut world).finish_message(stream).is_ok(),
                    _ => false,
                };
                *given += i32::from(is_taken);
            }
            assert!(a(&mut world).stats().buffered_amount <= 1000 + 7 * 400);
            world.run_for(Duration::from_millis(10));
        }
        let whole = vec![part(400); 30].concat();
        let mut received = world[Z].received();
        received.sort();
        assert_eq!(received, streams.map(|stream| (stream, whole.clone())).collect::<Vec<_>>());
    }
}

#[test]
fn an_open_message_holds_other_streams_up_unless_chunks_are_interleaved() {
    for interleaving in [false, true] {
        let mode = config(|config| config.interleaving = interleaving);
        let mut world = connected_with(1, mode.clone(), mode);
        a(&mut world).begin_message(0, 53, ORDERED).unwrap();
        world[A].send(1, b"before anything of it was sent");
        world.run();
        assert_eq!(world[Z].received().len(), 1);
        a(&mut world).append_part(0, part(3000)).unwrap();
        world.run();
        world[A].send(1, b"while it is on its way");
        world.run();
        assert_eq!(world[Z].received().len(), if interleaving { 2 } else { 1 });
        a(&mut world).finish_message(0).unwrap();
        world.run();
        assert_eq!(world[Z].received().len(), 3);
    }
}

/// Half of the window is for what is incomplete; but who takes so long a message takes it in parts.
#[test]
fn open_messages_longer_than_the_window_let_others_begin_where_they_are_interleaved() {
    let mut mode = interleaved(in_parts(10_000));
    (mode.message_len_max_receive, mode.receive_window_max) = (usize::MAX, 0);
    let mut world = connected_with(1, mode.clone(), mode);
    a(&mut world).set_remote_max_message_size(0);
    for stream in [0, 1] {
        a(&mut world).begin_message(stream, 53, ORDERED).unwrap();
        for _ in 0..60 {
            a(&mut world).append_part(stream, part(100_000)).unwrap();
        }
    }
    world.run_for(Duration::from_millis(60));
    assert!(a(&mut world).buffered_amount(0) > 0 && a(&mut world).buffered_amount(1) > 0);
    world[A].send(2, &part(5000));
    world.run_for(Duration::from_millis(100));
    assert_eq!(world[Z].received(), [(2, part(5000).to_vec())], "while both are on their way");
    world.run();
    world[A].send(2, &part(5000));
    world.run();
    assert_eq!(world[Z].received().len(), 2, "while both wait for more");
    for stream in [0, 1] {
        a(&mut world).finish_message(stream).unwrap();
    }
    world.run();
    let whole = vec![part(100_000); 60].concat();
    for stream in [0, 1] {
        assert_eq!(come(&world[Z].events)[&stream][0].clone().data().unwrap(), whole);
    }
}

#[test]
fn a_long_message_is_handed_out_in_parts_and_later_ones_wait() {
    for interleaving in [false, true] {
        let mut mode = in_parts(10_000);
        (mode.interleaving, mode.message_len_max_receive) = (interleaving, usize::MAX);
        let mut world = connected_with(1, mode.clone(), mode);
        a(&mut world).set_remote_max_message_size(0);
        world[A].send(0, &part(100_000));
        world[A].send(0, b"later");
        world[A].send(0, &part(9_000));
        world.run();
        let parts: Vec<usize> = (world[Z].events.iter())
            .filter_map(|event| if let Event::MessagePart { data, .. } = event { Some(data.len()) } else { None })
            .collect();
        assert!(parts.iter().rev().skip(1).all(|len| (10_000..12_000).contains(len)), "{parts:?}");
        let expected = [
            Come::InParts(part(100_000).to_vec(), parts.len()),
            Come::Whole(b"later".to_vec()),
            Come::Whole(part(9_000).to_vec()),
        ];
        assert_eq!(come(&world[Z].events)[&0], expected);
        let stats = world[Z].association.stats();
        assert_eq!((stats.messages_received, stats.bytes_received), (3, 109_005));
    }
}

#[test]
fn two_messages_are_handed_out_at_once_if_they_come_interleaved() {
    let mut mode = interleaved(in_parts(5000));
    mode.message_len_max_receive = 1 << 20;
    let mut world = connected_with(1, mode.clone(), mode);
    for stream in [0, 1] {
        for unordered in [false, true] {
            let options = if unordered { UNORDERED } else { ORDERED };
            world[A].association.send(stream, 53, part(200_000 + usize::from(stream)), options).unwrap();
        }
    }
    world.run();
    let of = |stream| {
        world[Z].events.iter().position(|event| matches!(event, Event::MessagePart { stream: of, .. } if *of == stream))
    };
    let last = world[Z].events.iter().position(|event| matches!(event, Event::MessagePart { is_last: true, .. }));
    assert!(of(0) < last && of(1) < last, "both at once");
    for (stream, messages) in come(&world[Z].events) {
        assert_eq!(messages.len(), 2);
        for message in messages {
            assert_eq!(message.data().unwrap(), part(200_000 + usize::from(stream)));
        }
    }
}

/// The window is eight times less than the message, and nobody waits for ever.
#[test]
fn a_message_longer_than_the_window_comes_as_it_is_fetched() {
    for (interleaving, from) in [(false, 1000), (true, 1000), (false, 30_000), (true, 30_000)] {
        let mut mode = in_parts(from);
        (mode.interleaving, mode.message_len_max_receive) = (interleaving, usize::MAX);
        (mode.receive_window, mode.receive_window_max) = (120_000, 0);
        let mut world = connected_with(1, mode.clone(), mode);
        a(&mut world).set_remote_max_message_size(0);
        world.link(A, Z).drop_nth(3);
        world[A].send(7, &part(1_000_000));
        world[A].send(8, &part(50));
        world[Z].is_reading = false;
        world.run_for(Duration::from_secs(10));
        assert!(world[A].association.stats().buffered_amount > 700_000, "the window is closed");
        world[Z].is_reading = true;
        world.run();
        let come = come(&world[Z].events);
        assert_eq!(come[&7][0].clone().data().unwrap(), part(1_000_000));
        assert_eq!(come[&8], [Come::Whole(part(50).to_vec())]);
    }
}

#[test]
fn what_is_too_long_ends_the_association_however_it_is_handed_out() {
    for interleaving in [false, true] {
        let mut mode = in_parts(10_000);
        (mode.interleaving, mode.message_len_max_receive) = (interleaving, 60_000);
        let mut world = connected_with(1, mode.clone(), mode);
        world[A].send(0, &part(60_000));
        world.run();
        assert_eq!(come(&world[Z].events)[&0][0].clone().data().unwrap(), part(60_000));
        world[A].send(0, &part(60_001));
        world.run();
        assert!(matches!(come(&world[Z].events)[&0][1], Come::Incomplete(_)));
        let violation = Event::Closed(CloseReason::ProtocolViolation("a message longer than it may be"));
        assert_eq!(world[Z].events.last(), Some(&violation));
    }
}

/// An open message of which Z has parts; what then happens to it is told once.
fn begun(interleaving: bool, options: SendOptions) -> World<Peer> {
    let mut mode = in_parts(1000);
    mode.interleaving = interleaving;
    let mut world = connected_with(1, mode.clone(), mode);
    a(&mut world).begin_message(5, 53, options).unwrap();
    a(&mut world).append_part(5, part(5000)).unwrap();
    world.run_for(Duration::from_millis(50));
    assert!(world[Z].events.iter().any(|event| matches!(event, Event::MessagePart { stream: 5, .. })));
    world
}

fn is_told_incomplete(world: &World<Peer>, and_then: &[u8]) {
    let come = come(&world[Z].events);
    let [Come::Incomplete(bytes), rest @ ..] = come[&5].as_slice() else { panic!("{come:?}") };
    assert!(part(5000).starts_with(bytes) && bytes.len() >= 1000);
    let expected: Vec<_> = (!and_then.is_empty()).then(|| Come::Whole(and_then.to_vec())).into_iter().collect();
    assert_eq!(rest, expected);
}

#[test]
fn a_message_that_has_lived_too_long_since_it_was_begun_is_given_up_on_both_sides() {
    for interleaving in [false, true] {
        for unordered in [false, true] {
            let mut world = begun(interleaving, SendOptions { unordered, ..TIMED });
            world.run_for(Duration::from_millis(200));
            let refused = a(&mut world).append_part(5, part(10));
            assert_eq!(refused, Err(SendError::Abandoned));
            assert_eq!(a(&mut world).append_part(5, part(10)), Err(SendError::NoMessageOpen(part(10))));
            assert_eq!(a(&mut world).stats().messages_abandoned, 1);
            world[A].send(5, b"next");
            world.run();
            is_told_incomplete(&world, b"next");
        }
    }
}

#[test]
fn a_message_that_was_not_begun_is_given_up_without_a_word_on_the_wire() {
    let mut world = connected_with(1, plain(), plain());
    a(&mut world).begin_message(5, 53, TIMED).unwrap();
    world.run_for(Duration::from_millis(200));
    assert_eq!(a(&mut world).finish_message(5), Err(SendError::Abandoned));
    a(&mut world).begin_message(5, 53, TIMED).unwrap();
    world.run_for(Duration::from_millis(200));
    a(&mut world).begin_message(5, 53, ORDERED).expect("whoever begins another knows");
    a(&mut world).append_part(5, part(1)).unwrap();
    a(&mut world).abandon_message(5).unwrap();
    world[A].send(5, b"next");
    world.run();
    assert_eq!(world[Z].received(), [(5, b"next".to_vec())]);
    assert!(!ladder(&world).contains("FORWARD"));
}

#[test]
fn whoever_gives_a_message_up_may_go_on_with_the_next() {
    for interleaving in [false, true] {
        let mut world = begun(interleaving, ORDERED);
        a(&mut world).abandon_message(5).unwrap();
        world[A].send(5, b"next");
        world.run();
        is_told_incomplete(&world, b"next");
    }
}

#[test]
fn a_lost_fragment_that_is_not_sent_again_gives_the_message_up() {
    for interleaving in [false, true] {
        let once = SendOptions { unordered: false, reliability: Reliability::MaxRetransmits(0) };
        let mut world = begun(interleaving, once);
        let sent = world.trace().records().iter().filter(|record| record.from == wigwag_sim::address(A)).count();
        world.link(A, Z).drop_nth(sent as u64 + 1);
        a(&mut world).append_part(5, part(5000)).unwrap();
        world.run();
        assert_eq!(a(&mut world).append_part(5, part(5000)), Err(SendError::Abandoned));
        world[A].send(5, b"next");
        world.run();
        is_told_incomplete(&world, b"next");
    }
}

#[test]
fn an_end_in_the_middle_is_told_before_the_end() {
    for interleaving in [false, true] {
        for who in 0..4 {
            let mut world = begun(interleaving, ORDERED);
            match who {
                0 => a(&mut world).abort(),
                1 => world[Z].association.abort(),
                2 => a(&mut world).shutdown(),
                _ => world[Z].association.shutdown(),
            }
            world.run();
            is_told_incomplete(&world, b"");
            assert!(matches!(world[Z].events.last(), Some(Event::Closed(_))));
            assert!(matches!(world[A].events.last(), Some(Event::Closed(_))));
            if who >= 2 {
                assert_eq!(world[A].events.last(), Some(&Event::Closed(CloseReason::Shutdown)));
            }
            assert_eq!(a(&mut world).append_part(5, part(1)), Err(SendError::Closed));
            assert_eq!(a(&mut world).finish_message(5), Err(SendError::Closed));
            assert_eq!(a(&mut world).abandon_message(5), Err(AbandonError::Closed));
        }
    }
}

#[test]
fn a_peer_that_begins_anew_is_told_of_on_both_sides() {
    for interleaving in [false, true] {
        let mut world = begun(interleaving, ORDERED);
        let mode = config(|config| config.interleaving = interleaving);
        world[Z].association = Association::new(mode, Seed::for_test(99));
        world[Z].association.connect();
        world.run();
        assert!(world[A].events.contains(&Event::Restarted));
        assert_eq!(a(&mut world).append_part(5, part(1)), Err(SendError::Abandoned));

        let mut world = begun(interleaving, ORDERED);
        world[A].association = Association::new(in_parts(1000), Seed::for_test(99));
        world[A].association.connect();
        world.run();
        is_told_incomplete(&world, b"");
        assert_eq!(world[Z].events.last(), Some(&Event::Restarted));
    }
}

#[test]
fn a_peer_without_that_stream_is_told_of() {
    let few = config(|config| config.streams_max = 3);
    let [wire_a, wire_z] = wigwag_sim::Wire::pair();
    let mut world = World::pair(1, [Peer::new(Config::default(), 1, wire_a), Peer::new(few, 2, wire_z)]);
    a(&mut world).begin_message(5, 53, ORDERED).unwrap();
    a(&mut world).append_part(5, part(100)).unwrap();
    a(&mut world).begin_message(6, 53, TIMED).unwrap();
    a(&mut world).begin_message(2, 53, ORDERED).unwrap();
    a(&mut world).append_part(2, part(100)).unwrap();
    a(&mut world).connect();
    world.run();
    assert!(world[A].events.contains(&Event::StreamsRefused { streams: vec![5, 6] }));
    assert_eq!(a(&mut world).append_part(5, part(1)), Err(SendError::Abandoned));
    assert_eq!(a(&mut world).finish_message(6), Err(SendError::Abandoned));
    a(&mut world).finish_message(2).unwrap();
    world.run();
    assert_eq!(world[Z].received(), [(2, part(100).to_vec())]);
}

/// RFC 3758 is optional: such a peer takes every message for one that ends.
#[test]
fn a_peer_that_understands_no_giving_up_gets_an_end_of_the_association_at_worst() {
    let mut a = Association::new(Config::default(), Seed::for_test(1));
    let (now, mut out) = (wigwag_sim::origin(), Vec::new());
    let mut poll = |a: &mut Association| {
        out.clear();
        a.poll_packet(now, 1200, &mut out).then(|| out.clone())
    };
    a.connect();
    let tag: [u8; 4] = poll(&mut a).unwrap()[16..20].try_into().unwrap();
    let tag = u32::from_be_bytes(tag);
    let init_ack = [
        &7u32.to_be_bytes()[..],
        &100_000u32.to_be_bytes(),
        &[0, 9, 0, 9],
        &1u32.to_be_bytes(),
        &[0, 7, 0, 8, 1, 2, 3, 4],
    ];
    a.handle_input(&hostile::packet(tag, &hostile::chunk(2, 0, &init_ack.concat())), now);
    while poll(&mut a).is_some() {}
    a.handle_input(&hostile::packet(tag, &hostile::chunk(11, 0, &[])), now);
    assert_eq!(a.poll_event(), Some(Event::Connected));
    for stream in [0, 1] {
        a.begin_message(stream, 53, ORDERED).unwrap();
        a.append_part(stream, part(100)).unwrap();
    }
    assert!(poll(&mut a).is_some());
    assert_eq!(a.abandon_message(0), Err(AbandonError::NotSupported));
    assert_eq!(a.abandon_message(1), Ok(()), "nothing of it was sent");
    a.append_part(0, part(100)).unwrap();
    a.shutdown();
    assert_eq!(a.poll_event(), Some(Event::Closed(CloseReason::Aborted)));
    assert!(common::has_chunk(&poll(&mut a).unwrap(), 6));
}

/// A message whose number another one had while it was on its way.
#[test]
fn what_a_peer_numbers_twice_is_told_incomplete() {
    let mut z = in_parts(1000);
    z.initial_tsn = Some(1000);
    let mut world = connected_with(1, plain(), z);
    let tag = hostile::tag_for(&world, Z);
    let forged = [
        hostile::data(2, 1000, 5, 0, &part(1100)),
        hostile::data(3, 1002, 5, 0, b"of the same number"),
        hostile::data(1, 1001, 5, 0, &part(10)),
        hostile::data(3, 1003, 5, 1, b"next"),
    ];
    for chunk in forged {
        let now = world.now();
        world[Z].association.handle_input(&hostile::packet(tag, &chunk), now);
    }
    world.run();
    let expected = [
        Event::Message { stream: 5, ppid: 51, unordered: false, data: Bytes::from_static(b"of the same number") },
        Event::MessageIncomplete { stream: 5 },
        Event::Message { stream: 5, ppid: 51, unordered: false, data: Bytes::from_static(b"next") },
    ];
    assert!(matches!(&world[Z].events[0], Event::MessagePart { data, is_first: true, .. } if data.len() == 1100));
    assert_eq!(world[Z].events[1..], expected);
}

#[test]
fn a_peer_that_asks_for_a_reset_gets_it_when_the_message_is_finished() {
    let mut mode = in_parts(1000);
    mode.takes_stream_reset_requests = true;
    let mut world = connected_with(1, mode.clone(), mode);
    a(&mut world).begin_message(5, 53, ORDERED).unwrap();
    a(&mut world).append_part(5, part(5000)).unwrap();
    world.run();
    world[Z].association.request_reset(&[5]).unwrap();
    world.run();
    assert_eq!(world[A].notices(), []);
    a(&mut world).append_part(5, part(5000)).unwrap();
    a(&mut world).finish_message(5).unwrap();
    world.run();
    assert_eq!(world[A].notices(), [Event::OutgoingStreamReset { streams: vec![5] }]);
    let come = come(&world[Z].events);
    assert_eq!(come[&5][0].clone().data().unwrap(), [part(5000), part(5000)].concat());
}

#[test]
fn less_important_messages_that_are_open_give_way() {
    let small = config(|config| config.send_buffer = 10_000);
    let mut world = connected_with(1, small, Config::default());
    let priority = |number| SendOptions { unordered: false, reliability: Reliability::Priority(number) };
    a(&mut world).begin_message(0, 53, priority(9)).unwrap();
    a(&mut world).append_part(0, part(6000)).unwrap();
    a(&mut world).send(1, 53, part(6000), priority(1)).unwrap();
    assert_eq!(a(&mut world).append_part(0, part(10)), Err(SendError::Abandoned));
    world.run();
    assert_eq!(world[Z].received(), [(1, part(6000).to_vec())]);
}
