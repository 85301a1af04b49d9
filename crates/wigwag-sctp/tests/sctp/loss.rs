//! What happens when packets are lost (RFC 9260 §6.3, §7.2.4, RFC 3758).

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use crate::common::{Peer, config, connected_with, has_chunk, ladder, plain, world};
use bytes::Bytes;
use expect_test::expect;
use std::time::Duration;
use wigwag_sctp::{CloseReason, Config, Event, Reliability, SendOptions};
use wigwag_sim::{A, Host, World, Z};

fn send(world: &mut World<Peer>, host: Host, data: &[u8], reliability: Reliability, unordered: bool) {
    let options = SendOptions { unordered, reliability };
    world[host].association.send(0, 51, Bytes::copy_from_slice(data), options).unwrap();
}

#[test]
fn a_lost_last_packet_is_sent_again_when_t3_expires() {
    let mut world = world(1, plain(), plain());
    world[A].association.connect();
    world.link(A, Z).drop_nth(3);
    world[A].send(0, b"lost");
    world.run();
    expect![[r#"
          0 ms  A → Z  INIT
         20 ms  A ← Z  INIT ACK
         40 ms  A → Z  COOKIE ECHO
         60 ms  A ← Z  COOKIE ACK
         80 ms  A ✗ Z  DATA 0 BE 0:0 (4)  lost
        580 ms  A → Z  DATA 0 BE 0:0 (4)
        600 ms  A ← Z  SACK 0
    "#]]
    .assert_eq(&ladder(&world));
    assert_eq!(world[Z].received(), [(0, b"lost".to_vec())]);
    assert_eq!(world[A].association.stats().timeouts, 1);
}

#[test]
fn a_lost_packet_among_others_is_sent_again_after_three_miss_indications() {
    let mut world = world(1, plain(), plain());
    world[A].association.connect();
    world.link(A, Z).drop_nth(4);
    world[A].send(0, &[7; 9000]);
    world.run();
    expect![[r#"
          0 ms  A → Z  INIT
         20 ms  A ← Z  INIT ACK
         40 ms  A → Z  COOKIE ECHO
         60 ms  A ← Z  COOKIE ACK
         80 ms  A → Z  DATA 0 B 0:0 (1132)
         80 ms  A ✗ Z  DATA 1  0:0 (1132)  lost
         80 ms  A → Z  DATA 2  0:0 (1132)
         80 ms  A → Z  DATA 3  0:0 (1132)
         80 ms  A → Z  DATA 4  0:0 (1132)
         80 ms  A → Z  DATA 5  0:0 (1132)
         80 ms  A → Z  DATA 6  0:0 (1132)
         80 ms  A → Z  DATA 7 E 0:0 (1076)
        100 ms  A ← Z  SACK 0
        100 ms  A ← Z  SACK 0 +2..2
        100 ms  A ← Z  SACK 0 +2..3
        100 ms  A ← Z  SACK 0 +2..4
        100 ms  A ← Z  SACK 0 +2..5
        100 ms  A ← Z  SACK 0 +2..6
        100 ms  A ← Z  SACK 0 +2..7
        120 ms  A → Z  DATA 1  0:0 (1132)
        140 ms  A ← Z  SACK 7
    "#]]
    .assert_eq(&ladder(&world));
    assert_eq!(world[Z].received(), [(0, vec![7; 9000])]);
    let stats = world[A].association.stats();
    assert_eq!((stats.timeouts, stats.fast_retransmits), (0, 1));
}

#[test]
fn a_message_that_may_be_sent_once_is_skipped_and_the_next_ones_arrive() {
    let mut world = world(1, plain(), plain());
    world[A].association.connect();
    world.link(A, Z).drop_nth(3);
    send(&mut world, A, b"lost", Reliability::MaxRetransmits(0), false);
    world.run_for(Duration::from_millis(100));
    send(&mut world, A, b"next", Reliability::MaxRetransmits(0), false);
    world.run();
    expect![[r#"
          0 ms  A → Z  INIT
         20 ms  A ← Z  INIT ACK
         40 ms  A → Z  COOKIE ECHO
         60 ms  A ← Z  COOKIE ACK
         80 ms  A ✗ Z  DATA 0 BE 0:0 (4)  lost
        100 ms  A → Z  DATA 1 BE 0:1 (4)
        120 ms  A ← Z  SACK -1 +2..2
        580 ms  A → Z  FORWARD TSN 0 0:0
        600 ms  A ← Z  SACK 1
    "#]]
    .assert_eq(&ladder(&world));
    assert_eq!(world[Z].received(), [(0, b"next".to_vec())]);
    assert_eq!(world[A].association.stats().messages_abandoned, 1);
}

#[test]
fn a_message_half_sent_is_given_up_whole() {
    let mut world = world(1, plain(), plain());
    world[A].association.connect();
    world.link(A, Z).drop_nth(4).drop_nth(12);
    send(&mut world, A, &[1; 100_000], Reliability::MaxRetransmits(0), false);
    send(&mut world, A, b"next", Reliability::Reliable, false);
    world.run();
    assert_eq!(world[Z].received(), [(0, b"next".to_vec())]);
    assert_eq!(world[A].association.stats().messages_abandoned, 1);
    assert_eq!(world[A].association.stats().in_flight, 0);
}

#[test]
fn a_message_that_has_lived_too_long_is_not_sent() {
    let mut world = connected_with(1, Config::default(), Config::default());
    world.link(A, Z).loss(100.0);
    let lifetime = Reliability::MaxLifetime(Duration::from_millis(100));
    for message in 0..20 {
        send(&mut world, A, &[message; 5000], lifetime, false);
    }
    world.run_for(Duration::from_millis(500));
    world.link(A, Z).heal();
    send(&mut world, A, b"young", lifetime, false);
    world.run();
    assert_eq!(world[Z].received(), [(0, b"young".to_vec())]);
    assert_eq!(world[A].association.stats().messages_abandoned, 20);
}

#[test]
fn a_lifetime_begins_with_the_first_time_that_is_told_after_it() {
    let mut world = connected_with(1, Config::default(), Config::default());
    world.run_for(Duration::from_secs(25));
    send(&mut world, A, b"young", Reliability::MaxLifetime(Duration::from_millis(1)), false);
    world.run();
    assert_eq!(world[Z].received(), [(0, b"young".to_vec())]);
}

#[test]
fn a_lost_forward_tsn_is_sent_again() {
    let mut world = connected_with(1, plain(), plain());
    world.link(A, Z).loss(100.0);
    send(&mut world, A, b"lost", Reliability::MaxRetransmits(0), false);
    world.run_for(Duration::from_secs(1));
    world.link(A, Z).heal();
    world.run();
    send(&mut world, A, b"next", Reliability::Reliable, false);
    world.run();
    assert_eq!(world[Z].received(), [(0, b"next".to_vec())]);
}

/// Though the answer comes sooner than is usual.
#[test]
fn what_was_given_up_behind_another_gap_is_skipped_when_that_was_answered() {
    let mut world = world(1, plain(), plain());
    world.links(A, Z, |link| _ = link.latency(Duration::from_millis(100)));
    world[A].association.connect();
    world[A].send(0, b"slow");
    world.run();
    world.links(A, Z, |link| _ = link.latency(Duration::from_millis(20)));
    world.link(A, Z).drop_nth(4).drop_nth(6).drop_nth(8);
    for message in 0..6 {
        send(&mut world, A, &[message; 1000], Reliability::MaxRetransmits(0), true);
    }
    world.run();
    expect![[r#"
          0 ms  A → Z  INIT
        100 ms  A ← Z  INIT ACK
        200 ms  A → Z  COOKIE ECHO
        300 ms  A ← Z  COOKIE ACK
        400 ms  A → Z  DATA 0 BE 0:0 (4)
        500 ms  A ← Z  SACK 0
        600 ms  A ✗ Z  DATA 1 UBE 0:0 (1000)  lost
        600 ms  A → Z  DATA 2 UBE 0:0 (1000)
        600 ms  A ✗ Z  DATA 3 UBE 0:0 (1000)  lost
        600 ms  A → Z  DATA 4 UBE 0:0 (1000)
        600 ms  A ✗ Z  DATA 5 UBE 0:0 (1000)  lost
        600 ms  A → Z  DATA 6 UBE 0:0 (1000)
        620 ms  A ← Z  SACK 0 +2..2
        620 ms  A ← Z  SACK 0 +2..2 +4..4
        620 ms  A ← Z  SACK 0 +2..2 +4..4 +6..6
        640 ms  A → Z  FORWARD TSN 1
        660 ms  A ← Z  SACK 2 +2..2 +4..4
        680 ms  A → Z  FORWARD TSN 3
        700 ms  A ← Z  SACK 4 +2..2
        720 ms  A → Z  FORWARD TSN 5
        740 ms  A ← Z  SACK 6
    "#]]
    .assert_eq(&ladder(&world));
    let stats = world[A].association.stats();
    assert_eq!((stats.timeouts, stats.messages_abandoned), (0, 3));
}

#[test]
fn a_peer_that_is_gone_is_given_up() {
    let few = || config(|config| config.retransmits_max = Some(5));
    let mut world = connected_with(1, few(), few());
    world.links(A, Z, |link| {
        link.loss(100.0);
    });
    world[A].send(0, b"hello?");
    world.run_for(Duration::from_secs(30));
    assert_eq!(world[A].notices(), [Event::Closed(CloseReason::Unreachable)]);
    assert!(world[A].association.poll_timeout(world.now()).is_none());
}

#[test]
fn an_idle_path_is_probed_and_a_dead_one_given_up() {
    let few = || config(|config| config.retransmits_max = Some(2));
    let mut world = connected_with(1, few(), few());
    world.run_for(Duration::from_secs(70));
    let heartbeats = world.trace().records().iter().filter(|record| has_chunk(&record.payload, 4)).count();
    assert_eq!(heartbeats, 4);
    assert_eq!(world[A].association.stats().discarded.heartbeat, 0);
    world.links(A, Z, |link| {
        link.loss(100.0);
    });
    world.run_for(Duration::from_secs(100));
    assert_eq!(world[A].notices(), [Event::Closed(CloseReason::Unreachable)]);
}

#[test]
fn a_receiver_that_stops_reading_closes_the_window_and_gets_everything_when_it_reads_again() {
    let small = config(|config| {
        config.receive_window = 100_000;
        config.message_len_max_receive = 10_000;
    });
    let mut world = connected_with(1, Config::default(), small);
    world[Z].is_reading = false;
    let messages: Vec<_> = (0..100u8).map(|number| vec![number; 5000]).collect();
    for message in &messages {
        world[A].send(0, message);
    }
    world.run_for(Duration::from_secs(120));
    assert_eq!(world[A].notices(), [], "a full window is no failure");
    assert!(world[Z].association.stats().receive_window < 5000);
    assert!(world[A].association.buffered_amount(0) > 390_000);
    world[Z].is_reading = true;
    world.run_for(Duration::from_millis(100));
    assert!(world[A].association.buffered_amount(0) < 390_000, "the open window is told of, not found by probing");
    world.run();
    let received: Vec<_> = world[Z].received().into_iter().map(|(_, message)| message).collect();
    assert_eq!(received, messages);
}

#[test]
fn a_lost_window_update_is_found_out_by_probing() {
    let small = config(|config| {
        config.receive_window = 100_000;
        config.message_len_max_receive = 10_000;
    });
    let mut world = connected_with(1, Config::default(), small);
    world[Z].is_reading = false;
    for _ in 0..60 {
        world[A].send(0, &[7; 5000]);
    }
    world.run_for(Duration::from_secs(20));
    world.link(Z, A).loss(100.0);
    world[Z].is_reading = true;
    world.run_for(Duration::from_secs(1));
    world.link(Z, A).heal();
    world.run();
    assert_eq!(world[Z].received().len(), 60);
}
