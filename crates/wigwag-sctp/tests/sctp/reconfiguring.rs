//! What one side may ask of the other while the association lives (RFC 6525).

use crate::common::{Peer, config, connected_with, plain};
use std::time::Duration;
use wigwag_sctp::{Config, Event, ResetError, SendOptions};
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
