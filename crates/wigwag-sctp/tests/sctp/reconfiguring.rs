//! What one side may ask of the other while the association lives (RFC 6525).

use crate::common::{Peer, chunks, config, connected_with, plain};
use crate::hostile::{chunk, data, packet, tag_for};
use std::time::Duration;
use wigwag_sctp::{CloseReason, Config, Event, ResetError, SendOptions};
use wigwag_sim::{A, Host, World, Z};

/// A host that agrees to everything.
fn willing() -> Config {
    config(|config| {
        config.initial_tsn = Some(1000);
        config.streams_max = 10;
        config.takes_stream_reset_requests = true;
        config.takes_association_resets = true;
        config.takes_stream_additions = true;
    })
}

fn pair() -> World<Peer> {
    connected_with(1, willing(), willing())
}

/// Both send on all of some streams, and everything arrives in order.
fn talks(world: &mut World<Peer>, round: u8) {
    for host in [A, Z] {
        world[host].events.clear();
        for stream in 0..3 {
            for at in 0..3 {
                world[host].send(stream, &[round, stream as u8, at]);
            }
        }
    }
    world.run();
    for host in [A, Z] {
        let mut received = world[host].received();
        received.sort();
        let expected: Vec<_> = (0..3).flat_map(|on| (0..3).map(move |at| (on, vec![round, on as u8, at]))).collect();
        assert_eq!(received, expected, "round {round}");
    }
}

fn count(world: &World<Peer>, host: Host, is_it: impl Fn(&Event) -> bool) -> usize {
    world[host].events.iter().filter(|event| is_it(event)).count()
}

#[test]
fn a_peer_is_asked_to_begin_its_streams_anew() {
    let mut world = pair();
    talks(&mut world, 0);
    world[A].association.request_reset(&[1, 2]).unwrap();
    world.run();
    let streams: Vec<u16> = world[A]
        .events
        .iter()
        .flat_map(|event| if let Event::IncomingStreamReset { streams } = event { streams.clone() } else { vec![] })
        .collect();
    assert_eq!(streams, [1, 2]);
    assert_eq!(world[Z].notices(), [Event::OutgoingStreamReset { streams: vec![1, 2] }]);
    talks(&mut world, 1);
    world[A].association.request_reset(&[]).unwrap();
    world.run();
    assert_eq!(world[Z].notices(), [Event::OutgoingStreamReset { streams: vec![0, 1, 2] }], "all that were used");
    talks(&mut world, 2);
}

#[test]
fn everything_begins_anew_and_goes_on() {
    for seed in wigwag_sim::seeds(50) {
        let mut world = connected_with(seed, willing(), willing());
        world.links(A, Z, |link| {
            link.loss(20.0).duplication(20.0).jitter(Duration::from_millis(30));
        });
        for round in 0..3 {
            world.run();
            talks(&mut world, round);
            world[A].association.reset_association().unwrap();
            if seed % 2 == 0 {
                world[Z].association.reset_association().unwrap();
            }
            // What is sent meanwhile waits, and is not lost.
            world[A].send(0, b"meanwhile");
            world[Z].send(0, b"meanwhile");
            world.run();
            for host in [A, Z] {
                assert!(count(&world, host, |event| *event == Event::AssociationReset) >= 1, "{host:?}");
                assert_eq!(world[host].received().last(), Some(&(0, b"meanwhile".to_vec())));
            }
        }
        talks(&mut world, 3);
    }
}

#[test]
fn streams_are_added_on_either_side() {
    let few = || {
        let mut few = willing();
        few.outbound_streams_max = Some(3);
        few
    };
    let mut world = connected_with(1, few(), few());
    let refused = world[A].association.send(4, 51, "early".into(), SendOptions::default());
    assert!(refused.is_err());
    world[A].association.add_streams(2, 4).unwrap();
    world.run();
    assert_eq!(world[A].notices().last(), Some(&Event::StreamsAdded { outbound: 5, inbound: 7 }));
    assert_eq!(world[Z].notices().last(), Some(&Event::StreamsAdded { outbound: 7, inbound: 5 }));
    world[A].send(4, b"one of ours");
    world[Z].send(6, b"one of theirs");
    world.run();
    assert_eq!(world[Z].received(), [(4, b"one of ours".to_vec())]);
    assert_eq!(world[A].received(), [(6, b"one of theirs".to_vec())]);
    assert_eq!(world[A].association.add_streams(0, 4), Err(ResetError::TooMany), "we take no more than ten");
    // The peer takes no more than ten.
    world[A].events.clear();
    world[A].association.add_streams(6, 0).unwrap();
    world.run();
    assert_eq!(world[A].notices(), [Event::StreamAdditionRefused]);
    assert_eq!(world[A].association.outbound_streams(), 5);
}

#[test]
fn a_peer_that_was_not_told_to_agree_refuses() {
    let mut world = connected_with(1, plain(), plain());
    world[A].send(0, b"used");
    world[Z].send(0, b"used");
    world.run();
    world[A].events.clear();
    world[A].association.request_reset(&[0]).unwrap();
    world[A].association.reset_association().unwrap();
    world[A].association.add_streams(0, 0).unwrap();
    world.run();
    let expected = [Event::IncomingStreamResetRefused { streams: vec![0] }, Event::AssociationResetRefused];
    assert_eq!(world[A].notices(), expected);
    world[A].send(0, b"still");
    world.run();
    assert_eq!(world[Z].received().len(), 2);
}

#[test]
fn requests_that_pile_up_are_refused() {
    let mut world = pair();
    world.link(A, Z).loss(100.0);
    let results: Vec<_> = (0..100).map(|_| world[A].association.request_reset(&[0])).collect();
    assert!(results[..50].iter().all(Result::is_ok));
    assert_eq!(results.last(), Some(&Err(ResetError::TooMany)));
    assert_eq!(world[A].association.request_reset(&[10]), Err(ResetError::NoSuchStream { stream: 10, streams: 10 }));
}

/// Whether a packet has a RE-CONFIG chunk that begins with this parameter.
fn has_parameter(packet: &[u8], kind: u8) -> bool {
    chunks(packet).iter().any(|chunk| chunk[0] == 130 && chunk[5] == kind)
}

/// Each jump of the TSNs is a quarter of a turn: what is said of those of before would be of those to come.
#[test]
fn a_stream_is_reset_whatever_became_of_the_tsns_meanwhile() {
    let mut world = pair();
    let mut requests = 0;
    world.link(A, Z).drop_if(move |passing| {
        requests += u32::from(has_parameter(passing.payload, 13));
        has_parameter(passing.payload, 13) && requests <= 2
    });
    world[A].association.reset_stream(3).unwrap();
    for _ in 0..3 {
        world.run_for(Duration::from_millis(60));
        world[Z].association.reset_association().unwrap();
    }
    world.run_for(Duration::from_secs(10));
    for host in [A, Z] {
        assert_eq!(count(&world, host, |event| *event == Event::AssociationReset), 3, "{host:?}");
    }
    let is_reset = |event: &Event| matches!(event, Event::OutgoingStreamReset { .. });
    assert_eq!(count(&world, A, is_reset), 1);
    talks(&mut world, 1);
}

/// The answer that comes at last is of TSNs that were left long ago.
#[test]
fn a_reset_of_all_that_was_done_and_not_heard_of_is_not_done_again_after_those_of_the_peer() {
    let mut world = pair();
    let mut answers = 0;
    world.link(Z, A).drop_if(move |passing| {
        answers += u32::from(has_parameter(passing.payload, 16));
        has_parameter(passing.payload, 16) && answers <= 2
    });
    world[A].association.reset_association().unwrap();
    for _ in 0..3 {
        world.run_for(Duration::from_millis(60));
        world[Z].association.reset_association().unwrap();
    }
    world.run_for(Duration::from_secs(10));
    let resets = [A, Z].map(|host| count(&world, host, |event| *event == Event::AssociationReset));
    assert_eq!(resets[0], resets[1]);
    talks(&mut world, 1);
}

/// What was told to try again may be done under the number of before, when that comes twice, and be asked for under the next.
#[test]
fn a_reset_of_all_that_was_deferred_is_done_once_under_whatever_number_it_is_tried_again() {
    let mut world = connected_with(1, plain(), willing());
    let tag = tag_for(&world, Z);
    let mut say = |chunks: &[u8]| {
        let (now, mut out) = (world.now(), Vec::new());
        world[Z].association.handle_input(&packet(tag, chunks), now);
        while world[Z].association.poll_packet(now, 1200, &mut out) {}
        while world[Z].association.poll_event().is_some() {}
        out
    };
    let request = |sequence: u32| chunk(130, 0, &[&[0, 15, 0, 8][..], &sequence.to_be_bytes()].concat());
    let result = |packet: &[u8]| chunks(packet).iter().find(|chunk| chunk[0] == 130).map(|chunk| chunk[12..].to_vec());
    say(&data(3, 1001, 0, 1, b"early"));
    assert_eq!(result(&say(&request(1000))).unwrap(), [0, 0, 0, 6]);
    say(&data(3, 1000, 0, 0, b"late"));
    let done = result(&say(&request(1000))).unwrap();
    assert_eq!(done[..4], [0, 0, 0, 1]);
    assert_eq!(result(&say(&request(1001))).unwrap(), done);
    // Whoever goes on from there, and asks once more, means it.
    say(&data(3, u32::from_be_bytes(done[8..12].try_into().unwrap()), 0, 0, b"new"));
    assert_ne!(result(&say(&request(1002))).unwrap(), done);
}

/// It has sent all of its own; what we have yet to send waits for the answer, and it waits for that.
#[test]
fn who_asks_a_peer_that_shuts_down_is_answered() {
    let mut world = pair();
    world[A].send(0, b"before");
    world[A].association.reset_association().unwrap();
    world[A].send(0, b"behind");
    world[Z].association.shutdown();
    world.run_for(Duration::from_secs(10));
    assert_eq!(world[Z].received(), [(0, b"before".to_vec()), (0, b"behind".to_vec())]);
    for host in [A, Z] {
        assert_eq!(world[host].events.last(), Some(&Event::Closed(CloseReason::Shutdown)), "{host:?}");
    }
}
