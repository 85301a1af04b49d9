//! Streams begin anew (RFC 6525), associations end (RFC 9260 §9), buffers are told of.

use crate::common::{self, ORDERED, config, connected, connected_with, ladder, plain};
use bytes::Bytes;
use expect_test::expect;
use std::time::Duration;
use wigwag_sctp::{CloseReason, Config, Event, ResetError, SendError, State};
use wigwag_sim::{A, Z};

#[test]
fn a_stream_is_reset_after_what_was_queued_and_begins_with_ssn_0() {
    let mut world = connected_with(1, plain(), plain());
    world[A].send(3, b"one");
    world[A].send(3, b"two");
    world[A].association.reset_stream(3).unwrap();
    let refused = world[A].association.send(3, 51, Bytes::from_static(b"early"), ORDERED);
    assert_eq!(refused, Err(SendError::StreamResetting(Bytes::from_static(b"early"))));
    world.run();
    assert_eq!(world[A].notices(), [Event::OutgoingStreamReset { streams: vec![3] }]);
    assert_eq!(world[Z].events.last(), Some(&Event::IncomingStreamReset { streams: vec![3] }));
    world[A].send(3, b"anew");
    world.run();
    expect![[r#"
          0 ms  A → Z  INIT
         20 ms  A ← Z  INIT ACK
         40 ms  A → Z  COOKIE ECHO
         60 ms  A ← Z  COOKIE ACK
         80 ms  A → Z  DATA 0 BE 3:0 (3), DATA 1 IBE 3:1 (3)
         80 ms  A → Z  RE-CONFIG reset [3]
        100 ms  A ← Z  SACK 1
        100 ms  A ← Z  RE-CONFIG result 1
        120 ms  A → Z  DATA 2 BE 3:0 (4)
        160 ms  A ← Z  SACK 2
    "#]]
    .assert_eq(&ladder(&world));
    assert_eq!(world[Z].received().len(), 3);
}

#[test]
fn a_reset_that_overtakes_data_is_tried_again() {
    let mut world = connected_with(1, plain(), plain());
    world.link(A, Z).drop_nth(3);
    world[A].send(3, &[1; 1000]);
    world[A].send(3, &[2; 1000]);
    world[A].association.reset_stream(3).unwrap();
    world.run();
    assert_eq!(world[A].notices(), [Event::OutgoingStreamReset { streams: vec![3] }]);
    assert_eq!(world[Z].received().len(), 2);
    assert_eq!(world[Z].notices(), [Event::IncomingStreamReset { streams: vec![3] }]);
    expect![[r#"
          0 ms  A → Z  INIT
         20 ms  A ← Z  INIT ACK
         40 ms  A → Z  COOKIE ECHO
         60 ms  A ← Z  COOKIE ACK
         80 ms  A ✗ Z  DATA 0 BE 3:0 (1000)  lost
         80 ms  A → Z  DATA 1 IBE 3:1 (1000)
         80 ms  A → Z  RE-CONFIG reset [3]
        100 ms  A ← Z  SACK -1 +2..2
        100 ms  A ← Z  RE-CONFIG result 6
        580 ms  A → Z  RE-CONFIG reset [3], DATA 0 BE 3:0 (1000)
        600 ms  A ← Z  SACK 1, RE-CONFIG result 6
        620 ms  A → Z  RE-CONFIG reset [3]
        640 ms  A ← Z  RE-CONFIG result 1
    "#]]
    .assert_eq(&ladder(&world));
}

#[test]
fn resets_survive_any_loss_and_each_is_told_once() {
    for seed in wigwag_sim::seeds(100) {
        let mut world = connected(seed);
        world.links(A, Z, |link| {
            link.loss(25.0).duplication(20.0).jitter(Duration::from_millis(30));
        });
        for round in 0..5u8 {
            for stream in 0..4 {
                world[A].send(stream, &[round; 700]);
                world[Z].send(stream, &[round; 300]);
                world[A].association.reset_stream(stream).unwrap();
                world[Z].association.reset_stream(stream).unwrap();
                world[A].association.reset_stream(stream).unwrap();
            }
            for host in [A, Z] {
                let streams_of = |events: Vec<Event>, is_outgoing: bool| {
                    let mut all: Vec<u16> = Vec::new();
                    for event in events {
                        match event {
                            Event::OutgoingStreamReset { streams } if is_outgoing => all.extend(streams),
                            Event::IncomingStreamReset { streams } if !is_outgoing => all.extend(streams),
                            _ => {}
                        }
                    }
                    all.sort_unstable();
                    all
                };
                let is_done = |world: &wigwag_sim::World<common::Peer>| {
                    streams_of(world[host].notices(), true).len() >= 4
                        && streams_of(world[host].notices(), false).len() >= 4
                };
                world.run_until(is_done, Duration::from_secs(120));
                assert_eq!(streams_of(world[host].notices(), true), [0, 1, 2, 3]);
                assert_eq!(streams_of(world[host].notices(), false), [0, 1, 2, 3]);
            }
            for host in [A, Z] {
                let mut received = world[host].received();
                received.sort();
                let len = if host == A { 300 } else { 700 };
                assert_eq!(received, (0..4).map(|stream| (stream, vec![round; len])).collect::<Vec<_>>());
                world[host].events.clear();
            }
        }
    }
}

#[test]
fn a_thousand_streams_take_more_than_one_request() {
    let mut world = connected(1);
    for stream in 0..1000 {
        world[A].send(stream, b"x");
        world[A].association.reset_stream(stream).unwrap();
    }
    world.run();
    let reset = |event: Event| if let Event::OutgoingStreamReset { streams } = event { streams } else { vec![] };
    let all: Vec<u16> = world[A].notices().into_iter().flat_map(reset).collect();
    assert_eq!(all, (0..1000).collect::<Vec<_>>());
    assert_eq!(world[Z].received().len(), 1000);
}

#[test]
fn shutting_down_delivers_everything_first() {
    let mut world = connected_with(1, plain(), plain());
    world[A].send(0, &[7; 3000]);
    world[Z].send(0, b"from Z");
    world[A].association.shutdown();
    assert_eq!(world[A].association.send(0, 51, Bytes::from_static(b"late"), ORDERED), Err(SendError::Closed));
    assert_eq!(world[A].association.reset_stream(0), Err(ResetError::Closed));
    world.run();
    expect![[r#"
          0 ms  A → Z  INIT
         20 ms  A ← Z  INIT ACK
         40 ms  A → Z  COOKIE ECHO
         60 ms  A ← Z  COOKIE ACK
         80 ms  A → Z  DATA 0 B 0:0 (1132)
         80 ms  A → Z  DATA 1  0:0 (1132)
         80 ms  A → Z  DATA 2 IE 0:0 (736)
         80 ms  A ← Z  DATA 0 BE 0:0 (6)
        100 ms  A ← Z  SACK 0
        100 ms  A ← Z  SACK 2
        100 ms  A → Z  SACK 0
        120 ms  A → Z  SHUTDOWN 0
        140 ms  A ← Z  SHUTDOWN ACK
        160 ms  A → Z  SHUTDOWN COMPLETE
    "#]]
    .assert_eq(&ladder(&world));
    for host in [A, Z] {
        assert_eq!(world[host].notices(), [Event::Closed(CloseReason::Shutdown)]);
        assert_eq!(world[host].association.state(), State::Closed);
    }
    assert_eq!(world[Z].received(), [(0, vec![7; 3000])]);
    assert_eq!(world[A].received(), [(0, b"from Z".to_vec())]);
}

/// The SHUTDOWN COMPLETE is lost, and a packet of before comes late: it is answered by who has nothing left.
#[test]
fn whoever_has_all_acknowledged_and_hears_that_the_peer_is_gone_has_shut_down() {
    let mut world = connected_with(1, plain(), plain());
    world[Z].send(0, b"from Z");
    world[A].association.shutdown();
    world.link(A, Z).drop_if(|passing| passing.payload[12] == 14);
    world.run_for(Duration::from_millis(200));
    assert_eq!(world[Z].association.state(), State::ShutdownAckSent);
    let is_late = |record: &&wigwag_sim::Record| record.from == wigwag_sim::address(Z) && record.payload[12] == 0;
    let late = world.trace().records().iter().find(is_late).unwrap().payload.clone();
    let now = world.now();
    world[A].association.handle_input(&late, now);
    world.run_for(Duration::from_millis(100));
    assert!(ladder(&world).lines().last().unwrap().ends_with("A → Z  ABORT"));
    assert_eq!(world[Z].notices(), [Event::Closed(CloseReason::Shutdown)]);
}

#[test]
fn shutting_down_delivers_everything_whatever_is_lost_and_whoever_begins() {
    for seed in wigwag_sim::seeds(100) {
        let mut world = connected(seed);
        world.links(A, Z, |link| {
            link.loss(20.0).duplication(10.0).jitter(Duration::from_millis(25));
        });
        for number in 0..30u8 {
            world[A].send(0, &vec![number; 50 * usize::from(number) + 1]);
            world[Z].send(1, &[number; 30]);
        }
        if seed % 3 != 0 {
            world[A].association.shutdown();
        }
        if seed % 3 != 1 {
            world[Z].association.shutdown();
        }
        let is_closed = |host| {
            move |world: &wigwag_sim::World<common::Peer>| {
                world[host].events.last() == Some(&Event::Closed(CloseReason::Shutdown))
                    || world[host].events.last() == Some(&Event::Closed(CloseReason::Unreachable))
            }
        };
        world.run_until(is_closed(A), Duration::from_secs(300));
        world.run_until(is_closed(Z), Duration::from_secs(300));
        assert_eq!([world[A].received().len(), world[Z].received().len()], [30, 30], "seed {seed}");
    }
}

#[test]
fn an_abort_ends_both_at_once() {
    let mut world = connected(1);
    world[A].send(0, b"never sent");
    world[A].association.abort();
    world.run();
    assert_eq!(world[A].notices(), [Event::Closed(CloseReason::Aborted)]);
    let reason = CloseReason::PeerAborted { cause: Some(12), reason: Bytes::new() };
    assert_eq!(world[Z].notices(), [Event::Closed(reason)]);
    assert_eq!(world[Z].received(), []);
}

#[test]
fn a_shutdown_complete_that_was_lost_is_given_again() {
    let mut world = connected(1);
    // SHUTDOWN and SHUTDOWN COMPLETE are all that A sends from here on.
    world.link(A, Z).drop_nth(4);
    world[A].association.shutdown();
    world.run();
    for host in [A, Z] {
        assert_eq!(world[host].notices(), [Event::Closed(CloseReason::Shutdown)]);
    }
}

#[test]
fn a_full_buffer_gives_the_message_back_and_tells_when_there_is_room() {
    let mut world = connected_with(1, config(|config| config.send_buffer = 10_000), Config::default());
    let message = Bytes::from_static(&[7; 4000]);
    let mut sent = 0;
    let refused = loop {
        match world[A].association.send(0, 51, message.clone(), ORDERED) {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
    };
    assert_eq!((sent, refused), (2, SendError::Full(message.clone())));
    assert_eq!(world[A].association.buffered_amount(0), 8000);
    world.run();
    assert!(world[A].events.contains(&Event::Writable));
    assert_eq!(world[A].association.buffered_amount(0), 0);
    assert_eq!(world[A].association.send(0, 51, message, ORDERED), Ok(()));
}

#[test]
fn a_threshold_is_told_of_once_when_it_is_crossed() {
    let mut world = connected(1);
    world[A].association.set_buffered_amount_low_threshold(0, 5000);
    world[A].send(0, &[7; 20_000]);
    world[A].send(1, b"x");
    world.run();
    let low = |stream| world[A].events.iter().filter(|event| **event == Event::BufferedAmountLow { stream }).count();
    assert_eq!([low(0), low(1)], [1, 1]);
}

#[test]
fn what_cannot_be_sent_is_refused() {
    let mut world = connected_with(1, config(|config| config.message_len_max_send = 100), Config::default());
    let a = &mut world[A].association;
    assert_eq!(a.send(0, 51, Bytes::new(), ORDERED), Err(SendError::Empty));
    assert_eq!(a.send(0, 51, Bytes::from_static(&[0; 101]), ORDERED), Err(SendError::TooLarge { len: 101, max: 100 }));
    let no_stream = SendError::NoSuchStream { stream: 65_535, streams: 65_535 };
    assert_eq!(a.send(65_535, 51, Bytes::from_static(b"x"), ORDERED), Err(no_stream));
    a.set_remote_max_message_size(0);
    assert_eq!(a.send(0, 51, Bytes::from_static(&[0; 101]), ORDERED), Ok(()));
}
