//! The I bit: SACKs that are not delayed (RFC 9260 §6.1, RFC 7053).

use crate::common::{Peer, chunks, config, connected_with, plain};
use std::time::Duration;
use wigwag_sctp::{CloseReason, Config, Event};
use wigwag_sim::{A, World, Z, address};

/// Delays its SACKs as long as it may.
fn lazy() -> Config {
    config(|config| {
        config.sack_delay = Duration::from_millis(200);
        config.initial_tsn = Some(1000);
    })
}

/// A has sent something, of which the SACK was not delayed, as it is of the first packet.
fn connected(z: Config) -> World<Peer> {
    let mut world = connected_with(1, plain(), z);
    world[A].send(0, b"first");
    world.run();
    world
}

/// Flags of A's DATA chunks, from the second on, in order.
fn flags(world: &World<Peer>) -> Vec<u8> {
    let sent = world.trace().records().iter().filter(|record| record.from == address(A));
    let data = sent.flat_map(|record| chunks(&record.payload)).filter(|chunk| chunk[0] == 0);
    data.map(|chunk| chunk[1] & 8).skip(1).collect()
}

#[test]
fn the_last_chunk_before_a_shutdown_asks_for_its_sack() {
    let mut world = connected(lazy());
    world[A].send(0, &[7; 100]);
    world[A].association.shutdown();
    world.run_for(Duration::from_millis(150));
    assert_eq!(world[A].events.last(), Some(&Event::Closed(CloseReason::Shutdown)));
    assert_eq!(flags(&world), [8]);
}

#[test]
fn a_chunk_that_fills_the_window_of_a_peer_asks_for_its_sack() {
    // Room for two packets, and not for three.
    let narrow = config(|config| {
        (config.receive_window, config.receive_window_max) = (2800, 0);
        config.message_len_max_receive = 500;
    });
    let mut world = connected(narrow);
    for _ in 0..3 {
        world[A].send(0, &[7; 1100]);
    }
    world.run_for(Duration::from_millis(10));
    assert_eq!(flags(&world), [0, 8]);
}

#[test]
fn a_chunk_that_fills_a_small_congestion_window_asks_for_its_sack() {
    let mut world = connected(lazy());
    for _ in 0..10 {
        world[A].send(0, &[7; 1132]);
    }
    // All of them are lost, so that one packet at a time goes out.
    let [first, last] = [4, 13];
    let mut number = 3;
    world.link(A, Z).drop_if(move |_| {
        number += 1;
        (first..=last).contains(&number)
    });
    let before = world.age();
    world.run_until(|world| world[Z].received().len() == 11, Duration::from_secs(5));
    // A timeout, and no SACK that is delayed.
    assert!(world.age() - before < Duration::from_millis(500), "{:?}", world.age() - before);
}

#[test]
fn whoever_has_much_on_its_way_or_nothing_more_to_send_asks_for_nothing() {
    let mut world = connected(lazy());
    world[A].send(0, &[7; 100]);
    world.run();
    assert_eq!(flags(&world), [0]);
    for _ in 0..200 {
        world[A].send(0, &[7; 1100]);
    }
    world.run();
    assert!(flags(&world).iter().all(|flags| *flags == 0));
    assert_eq!(world[Z].received().len(), 202);
}

#[test]
fn the_last_chunk_before_a_reset_asks_for_its_sack() {
    let mut world = connected(lazy());
    world[A].send(3, &[7; 100]);
    world[A].association.reset_stream(3).unwrap();
    world.run();
    assert_eq!(flags(&world), [8]);
}
