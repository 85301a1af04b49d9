//! Streams that are reset at bad times: again, late, by peers who number otherwise, before a reader who does not read.

use crate::common::{self, ORDERED, Peer, config, connected_with, has_chunk, plain};
use crate::hostile::{chunk, packet, tag_for};
use bytes::Bytes;
use std::time::Duration;
use wigwag_sctp::{CloseReason, Config, Event, SendError};
use wigwag_sim::{A, Host, World, Z};

fn incoming_resets(world: &World<Peer>, host: Host) -> usize {
    let is_reset = |event: &&Event| matches!(event, Event::IncomingStreamReset { .. });
    world[host].events.iter().filter(is_reset).count()
}

/// RE-CONFIG chunk of an Outgoing SSN Reset Request.
fn request(sequence: u32, last_tsn: u32, streams: &[u16]) -> Vec<u8> {
    let mut value = [0, 13].to_vec();
    value.extend_from_slice(&(16 + 2 * streams.len() as u16).to_be_bytes());
    for number in [sequence, 999, last_tsn] {
        value.extend_from_slice(&number.to_be_bytes());
    }
    for stream in streams {
        value.extend_from_slice(&stream.to_be_bytes());
    }
    chunk(130, 0, &value)
}

/// What Z answers to a request of A, who is played by the test.
fn answer(world: &mut World<Peer>, request: &[u8]) -> String {
    let (tag, now) = (tag_for(world, Z), world.now());
    world[Z].association.handle_input(&packet(tag, request), now);
    let mut out = Vec::new();
    while world[Z].association.poll_packet(now, 1200, &mut out) {}
    while let Some(event) = world[Z].association.poll_event() {
        world[Z].events.push(event);
    }
    if out.is_empty() { String::new() } else { common::dissector(1000)(&out) }
}

#[test]
fn a_peer_whose_reader_sleeps_is_asked_again_by_the_clock_and_not_at_once() {
    let small = config(|config| {
        config.receive_window = 100_000;
        config.message_len_max_receive = 10_000;
    });
    let mut world = connected_with(1, Config::default(), small);
    world[Z].is_reading = false;
    for _ in 0..19 {
        world[A].send(0, &[7; 5100]);
    }
    world.run_for(Duration::from_secs(5));
    assert_eq!(world[Z].association.stats().receive_window, 0);
    world[A].association.reset_stream(1).unwrap();
    world.run_for(Duration::from_secs(10));
    let asked = world.trace().records().iter().filter(|record| has_chunk(&record.payload, 130)).count();
    assert!(asked <= 2 * 8, "{asked} requests and answers in ten seconds");
    world[Z].is_reading = true;
    world.run();
    assert_eq!(world[A].notices(), [Event::OutgoingStreamReset { streams: vec![1] }]);
    assert_eq!(incoming_resets(&world, Z), 1);
}

#[test]
fn a_stream_used_for_nothing_and_reset_again_is_told_of_again() {
    let mut world = connected_with(1, plain(), plain());
    for _ in 0..2 {
        world[A].association.reset_stream(3).unwrap();
        world.run();
    }
    assert_eq!(world[A].notices(), vec![Event::OutgoingStreamReset { streams: vec![3] }; 2]);
    assert_eq!(incoming_resets(&world, Z), 2);
}

/// The peer has begun to use the stream again, and we have closed it again, while its answer to the first reset was lost.
#[test]
fn a_stream_reset_again_while_its_reset_is_under_way_is_told_of_twice() {
    let mut world = connected_with(1, plain(), plain());
    world[A].send(3, b"first");
    world.run();
    world.link(Z, A).loss(100.0);
    world[A].association.reset_stream(3).unwrap();
    world.run_for(Duration::from_millis(100));
    assert_eq!(incoming_resets(&world, Z), 1);
    world[A].association.reset_stream(3).unwrap();
    world[A].association.reset_stream(3).unwrap();
    world.link(Z, A).heal();
    world.run_until(|world| incoming_resets(world, Z) == 2, Duration::from_secs(10));
    let early = world[A].association.send(3, 51, Bytes::from_static(b"early"), ORDERED);
    assert!(matches!(early, Err(SendError::StreamResetting(_))), "the answer to the second is on its way");
    world.run();
    assert_eq!(incoming_resets(&world, Z), 2);
    assert_eq!(world[A].notices(), [Event::OutgoingStreamReset { streams: vec![3] }], "once both are done");
    world[A].send(3, b"anew");
    world.run();
    assert_eq!(world[Z].received().last(), Some(&(3, b"anew".to_vec())));
}

/// usrsctp tries again under the same number, dcsctp under the next.
#[test]
fn a_deferred_reset_is_done_once_under_whatever_number_it_is_tried_again() {
    for numbers in [[1000, 1000, 1000], [1000, 1001, 1001], [1000, 1000, 1001]] {
        let mut world = connected_with(1, plain(), plain());
        let [first, second, third] = numbers.map(|sequence| request(sequence, 1000, &[3]));
        assert_eq!(answer(&mut world, &first), "RE-CONFIG result 6");
        // What was missing.
        answer(&mut world, &crate::hostile::data(3, 1000, 3, 0, b"late"));
        assert_eq!(answer(&mut world, &second), "RE-CONFIG result 1");
        assert_eq!(answer(&mut world, &third), "RE-CONFIG result 1");
        assert_eq!(incoming_resets(&world, Z), 1, "{numbers:?}");
    }
}

/// dcsctp's timer: it asks under 1000, and again before it hears that it shall try later, and then, having heard it, under 1001; what was
/// said of the second time is not what it waits for. It has granted our reset in between, and has not sent anything.
#[test]
fn a_deferred_reset_that_is_tried_once_more_after_ours_was_granted_is_the_same_one() {
    let mut world = connected_with(1, plain(), plain());
    let [first, again] = [1000, 1001].map(|sequence| request(sequence, 1000, &[3]));
    assert_eq!(answer(&mut world, &first), "RE-CONFIG result 6");
    answer(&mut world, &crate::hostile::data(3, 1000, 3, 0, b"late"));
    assert_eq!(answer(&mut world, &first), "RE-CONFIG result 1");
    world[Z].association.reset_stream(3).unwrap();
    let granted = [[0, 16, 0, 12], 1000u32.to_be_bytes(), 1u32.to_be_bytes()].concat();
    assert_eq!(answer(&mut world, &chunk(130, 0, &[])), "RE-CONFIG reset [3]");
    answer(&mut world, &chunk(130, 0, &granted));
    assert_eq!(world[Z].events.last(), Some(&Event::OutgoingStreamReset { streams: vec![3] }));
    assert_eq!(answer(&mut world, &again), "RE-CONFIG result 1");
    assert_eq!(incoming_resets(&world, Z), 1);
}

#[test]
fn a_request_out_of_sequence_is_told_so_and_changes_nothing() {
    let mut world = connected_with(1, plain(), plain());
    for sequence in [1007, 990] {
        assert_eq!(answer(&mut world, &request(sequence, 999, &[3])), "RE-CONFIG result 5");
    }
    assert_eq!(incoming_resets(&world, Z), 0);
    assert_eq!(world[Z].association.stats().discarded.reconfig, 2);
    assert_eq!(answer(&mut world, &request(1000, 999, &[3])), "RE-CONFIG result 1");
    assert_eq!(incoming_resets(&world, Z), 1);
}

/// How long A, who has sent something and is to reset its streams so much later, waits for a peer who is gone.
fn patience(resets_after: Option<Duration>) -> Duration {
    let mut world = connected_with(1, Config::default(), Config::default());
    world.link(A, Z).loss(100.0);
    let begin = world.now();
    world[A].send(0, b"data");
    if let Some(after) = resets_after {
        world.run_for(after);
        world[A].association.reset_stream(1).expect("a stream");
    }
    let is_closed = |event: &Event| matches!(event, Event::Closed(CloseReason::Unreachable));
    world.run_until(|world| world[A].events.iter().any(is_closed), Duration::from_secs(120));
    world.now() - begin
}

/// ICE gives the path up after 30 s: an association that ends before would end calls that live (RFC 7675).
#[test]
fn who_resets_streams_waits_as_long_for_an_answer_as_who_only_sends() {
    let sends = patience(None);
    assert!(sends > Duration::from_secs(50), "{sends:?}");
    for after_ms in [0, 1, 100, 700, 1500, 2900] {
        let resets = patience(Some(Duration::from_millis(after_ms)));
        assert!(resets > sends * 9 / 10, "{resets:?} instead of {sends:?}");
    }
}
