//! An address is asked for, kept, lost and given back.

use crate::{MS, SECOND, allocated, dissect, relayed, world, world_with};
use expect_test::expect;
use std::time::Duration;
use wigwag_sim::{A, Z, address};
use wigwag_turn::{ClientEvent, Failure};

fn refused(code: u16) -> ClientEvent {
    ClientEvent::Ended(Failure::Refused { code, reason: if code == 401 { "Who are you?" } else { "No" }.into() })
}

#[test]
fn an_address_is_given_to_whoever_knows_the_password() {
    let (mut world, ..) = world(1);
    world.run_until(|world| !world[A].events().is_empty(), SECOND);
    let event = ClientEvent::Allocated { relayed: relayed(5000), mapped: address(A) };
    assert_eq!(world[A].events(), [event]);
    expect![[r#"
         0 ms  A → Z  Allocate Request
        20 ms  A ← Z  Allocate ErrorResponse 401
        40 ms  A → Z  Allocate Request
        60 ms  A ← Z  Allocate SuccessResponse
    "#]]
    .assert_eq(&world.ladder(dissect));
    let client = &world[A].client().client;
    assert_eq!((client.relayed(), client.mapped()), (Some(relayed(5000)), Some(address(A))));
}

#[test]
fn whoever_does_not_is_told_so_once() {
    let (mut world, ..) = world_with(1, "wrong");
    world.run();
    assert_eq!(world[A].events(), [refused(401)]);
    assert_eq!((world[Z].server().count(3), world[Z].server().allocations()), (2, 0));
    assert!(world[A].client().client.is_over());
}

#[test]
fn a_server_that_is_not_there_is_given_up_after_the_time_of_the_rfc() {
    let (mut world, ..) = world(1);
    world.link(A, Z).loss(100.0);
    world.run_until(|world| !world[A].events().is_empty(), 60 * SECOND);
    assert_eq!(world[A].events(), [ClientEvent::Ended(Failure::TimedOut)]);
    assert_eq!(world.age(), 39_500 * MS);
}

#[test]
fn what_the_server_refuses_is_told_with_its_words() {
    for code in [403, 437, 442, 486, 500, 508] {
        let (mut world, ..) = world(1);
        world[Z].server().refuses = Some((3, code));
        world.run();
        assert_eq!(world[A].events(), [refused(code)]);
        assert_eq!(world[Z].server().count(3), 2);
    }
}

/// RFC 8489 §9.2.5: nobody knows who has said it, so the answer is waited for; but people want to know what was said.
#[test]
fn a_refusal_that_nobody_has_signed_is_believed_when_nothing_better_comes() {
    let (mut world, ..) = world(1);
    world[Z].server().refuses = Some((3, 486));
    world[Z].server().signs_errors = false;
    world.run_until(|world| !world[A].events().is_empty(), 60 * SECOND);
    assert_eq!(world[A].events(), [refused(486)]);
    assert_eq!(world[Z].server().count(3), 8, "one without credentials, and seven");
    assert!(world.age() >= 39 * SECOND);
    assert_eq!(world[A].client().client.stats().forged, 7);
}

#[test]
fn an_address_is_kept_as_long_as_it_is_wanted() {
    for lifetime in [20, 100, 121, 600, 3600] {
        let (mut world, ..) = world(1);
        world[Z].server().lifetime = Duration::from_secs(lifetime);
        world.run_for(Duration::from_secs(10 * lifetime));
        assert_eq!(world[A].events().len(), 1, "{lifetime}");
        assert_eq!(world[Z].server().allocations(), 1);
        let refreshed = world[Z].server().count(4);
        assert!((10..=21).contains(&refreshed), "{refreshed} of {lifetime} s");
    }
}

#[test]
fn an_address_survives_loss() {
    for seed in 0..20 {
        let (mut world, ..) = world(seed);
        world.links(A, Z, |link| {
            link.loss(30.0);
        });
        world.run_for(3600 * SECOND);
        assert_eq!((world[A].events().len(), world[Z].server().allocations()), (1, 1), "seed {seed}");
    }
}

#[test]
fn a_nonce_that_grows_old_is_replaced() {
    let (mut world, ..) = world(1);
    world[Z].server().nonce_lifetime = 50 * SECOND;
    world.run_for(3600 * SECOND);
    assert_eq!((world[A].events().len(), world[Z].server().allocations()), (1, 1));
}

/// A nonce that is old before it arrives is of no use to anybody.
#[test]
fn a_server_whose_nonces_are_always_old_is_given_up() {
    let (mut world, ..) = world(1);
    world[Z].server().nonce_lifetime = MS;
    world.run_until(|world| !world[A].events().is_empty(), 60 * SECOND);
    assert_eq!(world[A].events(), [ClientEvent::Ended(Failure::Refused { code: 438, reason: "Who are you?".into() })]);
    assert!(world[Z].server().count(3) < 10);
}

#[test]
fn an_address_that_the_server_has_forgotten_is_lost() {
    let (mut world, ..) = allocated(1);
    world[Z].server().forget();
    world.run_until(|world| world[A].events().len() > 1, 600 * SECOND);
    assert_eq!(world[A].events()[1..], [refused(437)]);
    assert!(world[A].client().client.relayed().is_none());
}

#[test]
fn an_address_at_a_server_that_is_gone_is_lost_before_it_expires() {
    let (mut world, ..) = allocated(1);
    world[Z].server().is_dead = true;
    world.run_until(|world| world[A].events().len() > 1, 600 * SECOND);
    assert_eq!(world[A].events()[1..], [ClientEvent::Ended(Failure::TimedOut)]);
    assert!((540..600).contains(&world.age().as_secs()), "{:?}", world.age());
}

#[test]
fn an_address_is_given_back() {
    let (mut world, ..) = allocated(1);
    let begin = world.age();
    world[A].client().client.release();
    world.run();
    assert_eq!((world[Z].server().allocations(), world[A].events().len()), (0, 1));
    assert!(world[A].client().client.is_over());
    assert!(world.age() - begin < SECOND);
    world[A].client().client.release();
    world.run();
    assert_eq!(world[Z].server().count(4), 1, "once is enough");
}

#[test]
fn whoever_gives_it_back_before_it_has_come_is_done() {
    let (mut world, ..) = world(1);
    world[A].client().client.release();
    world.run();
    assert!(world[A].client().client.is_over() && world[A].events().is_empty());
    assert_eq!(world[Z].server().count(3), 0);
}

#[test]
fn a_server_may_send_us_to_another() {
    let (mut world, ..) = world(1);
    let other: std::net::SocketAddr = "192.0.2.9:3478".parse().unwrap();
    let lent: std::net::SocketAddr = "192.0.2.9:6000".parse().unwrap();
    let second = crate::server::Server::new(other, &[lent]);
    let second = world.add("Y", &[other, lent], crate::Machine::Server(Box::new(second)));
    world[Z].server().alternate = Some(other);
    world.run_until(|world| !world[A].events().is_empty(), SECOND);
    assert_eq!(world[A].events(), [ClientEvent::Allocated { relayed: lent, mapped: address(A) }]);
    assert_eq!(world[second].server().allocations(), 1);
    assert_eq!(world[A].client().client.server(), other);
}

#[test]
fn servers_that_send_us_in_a_circle_are_given_up() {
    let (mut world, ..) = world(1);
    let other: std::net::SocketAddr = "192.0.2.9:3478".parse().unwrap();
    let mut second = crate::server::Server::new(other, &[]);
    second.alternate = Some(address(Z));
    world.add("Y", &[other], crate::Machine::Server(Box::new(second)));
    world[Z].server().alternate = Some(other);
    world.run();
    assert_eq!(world[A].events(), [refused(300)]);
    assert!(world[Z].server().count(3) <= 4);
}

/// RFC 8489 §6.3.4: what is 500 to 599 may be asked for again. The server has it until it ends.
#[test]
fn an_address_survives_a_server_that_cannot_renew_it_for_a_while() {
    for lifetime in [20, 600] {
        let (mut world, ..) = world(1);
        world[Z].server().lifetime = Duration::from_secs(lifetime);
        world.run_for(SECOND);
        world[Z].server().refuses = Some((4, 500));
        world.run_for(Duration::from_secs(lifetime * 19 / 20 - 1));
        assert!((1..10).contains(&world[Z].server().count(4)));
        world[Z].server().refuses = None;
        world.run_for(Duration::from_secs(10 * lifetime));
        assert_eq!((world[A].events().len(), world[Z].server().allocations()), (1, 1), "{lifetime}");
        world[Z].server().refuses = Some((4, 500));
        world.run_for(Duration::from_secs(2 * lifetime));
        assert_eq!(world[A].events()[1..], [refused(500)]);
    }
}
