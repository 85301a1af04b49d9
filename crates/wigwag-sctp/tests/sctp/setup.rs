//! How associations begin (RFC 9260 §5): ladders of who sends what, when something is lost, and when both begin.

use crate::common::{self, config, connected, dissect, ladder, plain, world};
use expect_test::expect;
use std::time::Duration;
use wigwag_sctp::{CloseReason, Config, Event, State};
use wigwag_sim::{A, Z};

#[test]
fn four_packets_set_an_association_up() {
    let mut world = world(1, plain(), plain());
    world[A].association.connect();
    world.run();
    expect![[r#"
         0 ms  A → Z  INIT
        20 ms  A ← Z  INIT ACK
        40 ms  A → Z  COOKIE ECHO
        60 ms  A ← Z  COOKIE ACK
    "#]]
    .assert_eq(&ladder(&world));
    assert_eq!([world[A].association.state(), world[Z].association.state()], [State::Established; 2]);
}

#[test]
fn messages_queued_before_follow_at_once() {
    let mut world = world(1, plain(), plain());
    world[A].association.connect();
    world[A].send(0, b"from A");
    world[Z].send(1, b"from Z");
    world.run();
    expect![[r#"
          0 ms  A → Z  INIT
         20 ms  A ← Z  INIT ACK
         40 ms  A → Z  COOKIE ECHO
         60 ms  A ← Z  COOKIE ACK, DATA 0 BE 1:0 (6)
         80 ms  A → Z  SACK 0, DATA 0 BE 0:0 (6)
        100 ms  A ← Z  SACK 0
    "#]]
    .assert_eq(&ladder(&world));
    assert_eq!(world[A].received(), [(1, b"from Z".to_vec())]);
    assert_eq!(world[Z].received(), [(0, b"from A".to_vec())]);
}

#[test]
fn both_may_begin_at_once() {
    let mut world = world(1, plain(), plain());
    world[A].association.connect();
    world[Z].association.connect();
    world[A].send(0, b"from A");
    world[Z].send(1, b"from Z");
    world.run();
    expect![[r#"
         0 ms  A → Z  INIT
         0 ms  A ← Z  INIT
        20 ms  A ← Z  INIT ACK
        20 ms  A → Z  INIT ACK
        40 ms  A → Z  COOKIE ECHO
        40 ms  A ← Z  COOKIE ECHO
        60 ms  A ← Z  COOKIE ACK, DATA 0 BE 1:0 (6)
        60 ms  A → Z  COOKIE ACK, DATA 0 BE 0:0 (6)
        80 ms  A → Z  SACK 0
        80 ms  A ← Z  SACK 0
    "#]]
    .assert_eq(&ladder(&world));
    assert_eq!(world[A].notices(), [Event::Connected]);
    assert_eq!(world[Z].notices(), [Event::Connected]);
    assert_eq!(world[A].received().len() + world[Z].received().len(), 2);
}

#[test]
fn whichever_begins_later_and_whatever_is_lost_both_are_connected_once() {
    for seed in wigwag_sim::seeds(60) {
        let mut world = world(seed, Config::default(), Config::default());
        world.links(A, Z, |link| {
            link.loss(30.0).jitter(Duration::from_millis(40)).duplication(20.0);
        });
        world[A].association.connect();
        world.run_for(Duration::from_millis(seed * 3));
        world[Z].association.connect();
        world[A].send(0, b"from A");
        world[Z].send(0, b"from Z");
        world.run_until(
            |world| !world[A].received().is_empty() && !world[Z].received().is_empty(),
            Duration::from_secs(60),
        );
        assert_eq!(world[A].notices(), [Event::Connected]);
        assert_eq!(world[Z].notices(), [Event::Connected]);
    }
}

#[test]
fn each_packet_of_the_setup_may_be_lost() {
    let mut world = world(1, plain(), plain());
    world.link(A, Z).drop_nth(1).drop_nth(3);
    world.link(Z, A).drop_nth(1).drop_nth(3);
    world[A].association.connect();
    world.run();
    expect![[r#"
           0 ms  A ✗ Z  INIT  lost
         500 ms  A → Z  INIT
         520 ms  A ✗ Z  INIT ACK  lost
        1500 ms  A ✗ Z  INIT  lost
        3500 ms  A → Z  INIT
        3520 ms  A ← Z  INIT ACK
        3540 ms  A → Z  COOKIE ECHO
        3560 ms  A ✗ Z  COOKIE ACK  lost
        4040 ms  A → Z  COOKIE ECHO
        4060 ms  A ← Z  COOKIE ACK
    "#]]
    .assert_eq(&ladder(&world));
}

#[test]
fn a_resent_init_is_the_same_and_the_first_or_the_second_answer_will_do() {
    let mut world = world(1, plain(), plain());
    world.link(Z, A).latency(Duration::from_millis(700));
    world[A].association.connect();
    world.run();
    let inits: Vec<_> = world.trace().records().iter().filter(|record| dissect(&record.payload) == "INIT").collect();
    assert_eq!(inits.len(), 2);
    assert_eq!(inits[0].payload, inits[1].payload);
    assert_eq!(world[A].events, [Event::Connected]);
    assert_eq!(world[Z].events, [Event::Connected]);
}

#[test]
fn an_association_without_an_answer_ends() {
    let few = || config(|config| config.init_retransmits_max = Some(3));
    let mut world = world(1, few(), few());
    world.link(A, Z).loss(100.0);
    world[A].association.connect();
    world.run();
    assert_eq!(world[A].events, [Event::Closed(CloseReason::Unreachable)]);
    assert_eq!(world.trace().count(), 4);
}

#[test]
fn a_peer_that_began_anew_is_noticed_and_nothing_old_is_left() {
    let mut world = connected(3);
    world[A].send(0, b"before");
    world.run();
    // A forgets everything, and what Z was sending is lost.
    let wire = world[A].wire;
    world.link(Z, A).loss(100.0);
    world[Z].send(0, &[7; 50_000]);
    world.run_for(Duration::from_millis(100));
    world.link(Z, A).heal();
    world[A] = common::Peer::new(Config::default(), 99, wire);
    world[A].association.connect();
    world[A].send(0, b"after");
    world.run();
    assert_eq!(world[A].notices(), [Event::Connected]);
    assert!(world[Z].notices().contains(&Event::Restarted));
    assert_eq!(world[Z].received(), [(0, b"before".to_vec()), (0, b"after".to_vec())]);
    assert_eq!(world[Z].association.buffered_amount(0), 0);
    world[Z].send(0, b"anew");
    world.run();
    assert_eq!(world[A].received(), [(0, b"anew".to_vec())]);
}

#[test]
fn streams_that_the_peer_does_not_take_are_refused() {
    let mut world = world(1, Config::default(), config(|config| config.streams_max = 4));
    world[A].send(3, b"taken");
    world[A].send(4, b"refused");
    world[A].association.connect();
    world.run();
    assert_eq!(world[A].notices(), [Event::Connected, Event::StreamsRefused { streams: vec![4] }]);
    assert_eq!(world[Z].received(), [(3, b"taken".to_vec())]);
    assert_eq!(world[A].association.buffered_amount(4), 0);
}
