//! Associations whose INITs travelled in descriptions (SNAP, draft-hancke-tsvwg-snap).

use crate::common::{Peer, chunks, config, ladder, plain, world};
use expect_test::expect;
use proptest::prelude::*;
use std::time::Duration;
use wigwag_sansio::Seed;
use wigwag_sctp::{Association, CloseReason, Config, Event, InitError, PeerInit, State};
use wigwag_sim::{A, Host, World, Z};

/// The INITs of the draft's example (§7): of the offer, and of the answer.
const OFFERED: [u8; 30] = [
    0x01, 0x00, 0x00, 0x1e, 0x89, 0x6c, 0xdd, 0x1d, 0x00, 0x50, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xe0, 0x79, 0x65,
    0x1d, 0xc0, 0x00, 0x00, 0x04, 0x80, 0x08, 0x00, 0x06, 0x82, 0xc0,
];
const INIT: u8 = 1;
const COOKIE_ACK: u8 = 11;

fn init(peer: &Peer) -> PeerInit {
    PeerInit::decode(&peer.association.init_chunk()).expect("an INIT of ours")
}

/// These know the other's INIT before they begin.
fn introduce(world: &mut World<Peer>, hosts: &[Host]) {
    for host in hosts {
        let peer = init(&world[if *host == A { Z } else { A }]);
        world[*host].association.set_peer_init(peer);
    }
}

fn connect_both(world: &mut World<Peer>) {
    world[A].association.connect();
    world[Z].association.connect();
}

/// How many chunks of a handshake were sent.
fn handshake_chunks(world: &World<Peer>) -> usize {
    let kinds = world.trace().records().iter().flat_map(|record| chunks(&record.payload)).map(|chunk| chunk[0]);
    kinds.filter(|kind| matches!(*kind, 1 | 2 | 10 | COOKIE_ACK)).count()
}

#[test]
fn both_send_data_at_once_and_no_handshake() {
    let mut world = world(1, plain(), plain());
    introduce(&mut world, &[A, Z]);
    connect_both(&mut world);
    assert_eq!([A, Z].map(|host| world[host].association.state()), [State::Established; 2]);
    world[A].send(0, b"from A");
    world[Z].send(1, b"from Z");
    world.run();
    expect![[r#"
         0 ms  A → Z  DATA 0 BE 0:0 (6)
         0 ms  A ← Z  DATA 0 BE 1:0 (6)
        20 ms  A ← Z  SACK 0
        20 ms  A → Z  SACK 0
    "#]]
    .assert_eq(&ladder(&world));
    for host in [A, Z] {
        assert_eq!(world[host].notices(), [Event::Connected]);
    }
    assert_eq!(world[A].received(), [(1, b"from Z".to_vec())]);
    assert_eq!(world[Z].received(), [(0, b"from A".to_vec())]);
}

#[test]
fn through_loss_everything_arrives_once_and_there_is_no_handshake() {
    for seed in wigwag_sim::seeds(60) {
        let everything =
            || config(|config| (config.interleaving, config.zero_checksum) = (seed % 2 == 0, seed % 3 == 0));
        let mut world = world(seed, everything(), everything());
        introduce(&mut world, &[A, Z]);
        world.links(A, Z, |link| {
            link.loss(20.0).jitter(Duration::from_millis(30)).duplication(10.0);
        });
        let messages: Vec<_> = (0..30u8).map(|n| (u16::from(n % 3), vec![n; 1 + usize::from(n) * 211])).collect();
        for host in [A, Z] {
            messages.iter().for_each(|(stream, data)| world[host].send(*stream, data));
        }
        world[A].association.connect();
        world.run_for(Duration::from_millis(seed % 90));
        world[Z].association.connect();
        world.run();
        for host in [A, Z] {
            assert_eq!(world[host].notices(), [Event::Connected]);
            for stream in 0..3 {
                let of = |all: &[(u16, Vec<u8>)]| -> Vec<_> {
                    all.iter().filter(|(of, _)| *of == stream).cloned().collect()
                };
                assert_eq!(of(&world[host].received()), of(&messages));
            }
            assert_eq!(world[host].association.is_interleaving(), seed % 2 == 0);
        }
        assert_eq!(handshake_chunks(&world), 0);
    }
}

/// The peer's first packet may overtake the end of our DTLS handshake.
#[test]
fn data_that_comes_before_we_begin_begins() {
    let mut world = world(1, plain(), plain());
    introduce(&mut world, &[A, Z]);
    world[A].association.connect();
    world[A].send(0, b"early");
    world.run();
    assert_eq!(world[Z].association.state(), State::Established);
    assert_eq!(world[Z].received(), [(0, b"early".to_vec())]);
    world[Z].association.connect();
    assert_eq!(handshake_chunks(&world), 0);
}

/// Somebody took the line out of one description.
#[test]
fn if_one_alone_knows_the_other_the_handshake_is_made() {
    for seed in wigwag_sim::seeds(60) {
        let mut world = world(seed, Config::default(), Config::default());
        introduce(&mut world, &[A]);
        world.links(A, Z, |link| {
            link.loss(20.0).jitter(Duration::from_millis(30)).duplication(10.0);
        });
        connect_both(&mut world);
        for host in [A, Z] {
            (0..20).for_each(|n| world[host].send(n % 3, &[n as u8; 700]));
        }
        world.run();
        for host in [A, Z] {
            assert_eq!(world[host].notices(), [Event::Connected], "{seed}");
            assert_eq!(world[host].received().len(), 20, "{seed}");
        }
        assert!(handshake_chunks(&world) >= 4);
    }
}

#[test]
fn if_nobody_knows_the_other_the_handshake_is_made() {
    let mut world = world(1, plain(), plain());
    connect_both(&mut world);
    world.run();
    assert_eq!(handshake_chunks(&world), 8);
    assert_eq!([A, Z].map(|host| world[host].association.state()), [State::Established; 2]);
}

#[test]
fn a_peer_that_begins_anew_after_data_is_noticed() {
    let mut world = world(1, plain(), plain());
    introduce(&mut world, &[A, Z]);
    connect_both(&mut world);
    world[A].send(0, b"before");
    world.run();
    let wire = world[A].wire;
    world[A] = Peer::new(Config::default(), 99, wire);
    world[A].association.connect();
    world[A].send(0, b"after");
    world.run();
    assert_eq!(world[Z].notices(), [Event::Connected, Event::Restarted]);
    assert_eq!(world[Z].received(), [(0, b"before".to_vec()), (0, b"after".to_vec())]);
}

#[test]
fn both_limit_streams_and_a_shutdown_follows_what_is_queued() {
    let mut world = world(1, plain(), config(|config| config.streams_max = 4));
    introduce(&mut world, &[A, Z]);
    world[A].send(3, b"taken");
    world[A].send(4, b"refused");
    connect_both(&mut world);
    world[A].association.shutdown();
    world.run();
    assert!(world[A].notices().contains(&Event::StreamsRefused { streams: vec![4] }));
    assert_eq!(world[Z].received(), [(3, b"taken".to_vec())]);
    assert_eq!([A, Z].map(|host| world[host].association.state()), [State::Closed; 2]);
    assert_eq!(handshake_chunks(&world), 0);
}

/// Some say again what they were told.
#[test]
fn our_own_init_is_nobody_elses() {
    let mut world = world(1, plain(), plain());
    let ours = init(&world[A]);
    world[A].association.set_peer_init(ours);
    connect_both(&mut world);
    world[A].send(0, b"a");
    world[Z].send(0, b"z");
    world.run();
    for host in [A, Z] {
        assert_eq!((world[host].notices(), world[host].received().len()), (vec![Event::Connected], 1));
    }
}

/// Who has nothing to say shuts down before anything has come of a peer that must make the handshake first.
#[test]
fn a_peer_that_knows_nothing_of_an_association_that_is_over_already_comes_to_its_end() {
    let mut world = world(1, plain(), plain());
    introduce(&mut world, &[A]);
    connect_both(&mut world);
    world[A].association.shutdown();
    assert_eq!(world[A].association.state(), State::ShutdownSent);
    world.run_for(Duration::from_secs(10));
    for host in [A, Z] {
        assert_eq!(world[host].notices(), [Event::Connected, Event::Closed(CloseReason::Shutdown)]);
    }
}

#[test]
fn a_heartbeat_asks_an_idle_path_though_nobody_knew_the_time() {
    let mut world = world(1, plain(), plain());
    introduce(&mut world, &[A, Z]);
    connect_both(&mut world);
    world.run_for(Duration::from_secs(31));
    let kinds: Vec<_> = world.trace().records().iter().map(|record| chunks(&record.payload)[0][0]).collect();
    assert!(kinds.contains(&4) && kinds.contains(&5), "{kinds:?}");
}

#[test]
fn the_example_of_the_draft_is_read_with_padding_and_without() {
    for padding in [0, 2] {
        let mut bytes = OFFERED.to_vec();
        bytes.resize(OFFERED.len() + padding, 0);
        let mut association = Association::new(Config::default(), Seed::for_test(1));
        association.set_peer_init(PeerInit::decode(&bytes).unwrap());
        association.connect();
        assert_eq!((association.outbound_streams(), association.is_interleaving()), (65_535, false));
        association.send(0, 51, bytes::Bytes::from_static(b"x"), crate::common::ORDERED).unwrap();
        let mut packet = Vec::new();
        assert!(association.poll_packet(wigwag_sim::origin(), 1200, &mut packet));
        assert_eq!(packet[4..8], [0x89, 0x6c, 0xdd, 0x1d]);
    }
}

#[test]
fn our_init_is_the_one_of_the_handshake_and_stays_the_same() {
    let mut world = world(1, Config::default(), Config::default());
    let chunk = world[A].association.init_chunk();
    assert_eq!(chunk, world[A].association.init_chunk());
    world[A].association.connect();
    world.run();
    let first = &world.trace().records()[0].payload;
    assert_eq!(chunks(first), [chunk.as_slice()]);
}

/// Each field as no peer may say it.
#[test]
fn no_association_comes_of_an_init_that_makes_no_sense() {
    let with = |at: usize, bytes: &[u8]| {
        let mut init = OFFERED.to_vec();
        init[at..at + bytes.len()].copy_from_slice(bytes);
        PeerInit::decode(&init)
    };
    assert_eq!(with(4, &[0; 4]), Err(InitError::Invalid), "no tag");
    assert_eq!(with(8, &1499u32.to_be_bytes()), Err(InitError::Invalid), "a window below 1500");
    assert!(with(8, &1500u32.to_be_bytes()).is_ok());
    assert_eq!(with(12, &[0; 2]), Err(InitError::Invalid), "no streams of its own");
    assert_eq!(with(14, &[0; 2]), Err(InitError::Invalid), "no streams of ours");
    assert!(with(16, &[0; 4]).is_ok(), "a TSN may be 0");
    assert_eq!(with(0, &[2]), Err(InitError::Malformed), "INIT ACK");
    assert_eq!(with(20, &[0, 11]), Err(InitError::HostName));
    assert_eq!(with(2, &[0xff, 0xff]), Err(InitError::Malformed), "longer than it is");
    assert_eq!(with(26, &[0, 7]), Err(InitError::Malformed), "a parameter longer than it is");
    let twice = OFFERED.iter().chain(&[0, 0]).chain(&OFFERED).copied().collect::<Vec<_>>();
    assert_eq!(PeerInit::decode(&twice), Err(InitError::Malformed), "two chunks");
    assert_eq!(PeerInit::decode(&[]), Err(InitError::Malformed));
    assert_eq!(PeerInit::decode(&vec![INIT; 1 << 20]), Err(InitError::Malformed), "huge");
    for len in 0..OFFERED.len() {
        assert_eq!(PeerInit::decode(&OFFERED[..len]), Err(InitError::Malformed), "{len} bytes");
    }
}

proptest! {
    /// Whatever a description says, nothing panics, and an association that begins with it works as any does.
    #[test]
    fn any_bytes_are_refused_or_begin(mut bytes in prop::collection::vec(any::<u8>(), 0..80), is_framed in any::<bool>()) {
        if is_framed && bytes.len() >= 4 {
            let len = bytes.len() as u16;
            bytes[..4].copy_from_slice(&[INIT, 0, len.to_be_bytes()[0], len.to_be_bytes()[1]]);
        }
        let Ok(peer) = PeerInit::decode(&bytes) else { return Ok(()) };
        let mut world = world(1, Config::default(), Config::default());
        world[A].association.set_peer_init(peer);
        world[A].association.connect();
        world[A].send(0, b"hello");
        world.run_for(Duration::from_secs(10));
    }
}
