//! Peers are let through, called by numbers, and reached.

use crate::{MS, Machine, SECOND, allocated, dissect, peer_node, relayed, world};
use expect_test::expect;
use std::net::SocketAddr;
use wigwag_sim::{A, Host, World, Z};
use wigwag_turn::{ClientEvent, Failure};

/// How many of these the peer gets, and sends back.
fn exchange(world: &mut World<Machine>, peer: Host, at: SocketAddr, data: &[u8]) -> (usize, usize) {
    let before = (world[peer].peer().received.len(), world[A].client().received.len());
    world[A].client().to_send.push((at, data.to_vec()));
    world.note("an exchange");
    world.run_for(SECOND);
    (world[peer].peer().received.len() - before.0, world[A].client().received.len() - before.1)
}

#[test]
fn a_peer_is_reached_and_answers() {
    let (mut world, peer, at) = allocated(1);
    world[A].client().client.allow(at.ip());
    world.run_for(SECOND);
    for len in 0..9usize {
        let data = vec![len as u8; len];
        assert_eq!(exchange(&mut world, peer, at, &data), (1, 1));
        assert_eq!(world[peer].peer().received.last(), Some(&(relayed(5000), data.clone())));
        assert_eq!(world[A].client().received.last(), Some(&(at, data)));
    }
    assert_eq!((world[Z].server().relayed_in_indications, world[Z].server().relayed_in_channels), (18, 0));
}

/// Whoever sends at once need not wait for the answer.
#[test]
fn what_follows_the_request_for_a_permission_arrives() {
    let (mut world, peer, at) = allocated(1);
    world[A].client().client.allow(at.ip());
    assert_eq!(exchange(&mut world, peer, at, b"hi"), (1, 1));
    assert_eq!(world[Z].server().dropped, 0);
}

#[test]
fn what_was_allowed_before_there_is_an_address_is_asked_for_when_there_is() {
    let (mut world, peer, at) = world(1);
    world[A].client().client.allow(at.ip());
    world[A].client().client.bind(at);
    world.run_for(SECOND);
    assert_eq!((world[Z].server().count(8), world[Z].server().count(9)), (1, 1));
    assert_eq!(exchange(&mut world, peer, at, b"hi"), (1, 1));
}

#[test]
fn a_bound_peer_costs_four_bytes() {
    let (mut world, peer, at) = allocated(1);
    world[A].client().client.bind(at);
    world.run_for(SECOND);
    assert_eq!(exchange(&mut world, peer, at, b"hello"), (1, 1));
    assert_eq!((world[Z].server().relayed_in_indications, world[Z].server().relayed_in_channels), (0, 2));
    let lens: Vec<_> = world.trace().records().iter().rev().take(4).map(|record| record.payload.len()).collect();
    assert_eq!(lens, [9, 5, 5, 9]);
    expect![[r#"
           0 ms  A → Z  Allocate Request
          20 ms  A ← Z  Allocate ErrorResponse 401
          40 ms  A → Z  Allocate Request
          60 ms  A ← Z  Allocate SuccessResponse
          80 ms  A → Z  ChannelBind Request
         100 ms  A ← Z  ChannelBind SuccessResponse
        1080 ms  A → Z  0x4000 "hello"
        1100 ms  Z → P  "hello"
        1120 ms  Z ← P  "hello"
        1140 ms  A ← Z  0x4000 "hello"
    "#]]
    .assert_eq(&world.ladder(dissect));
}

#[test]
fn a_stranger_is_not_heard() {
    let (mut world, peer, at) = allocated(1);
    let other: SocketAddr = "192.0.2.8:700".parse().unwrap();
    let stranger = world.add("S", &[other], peer_node(other));
    world[A].client().client.allow(at.ip());
    world.run_for(SECOND);
    for host in [peer, stranger] {
        world[host].peer().to_send.push((relayed(5000), b"hi".to_vec()));
    }
    world.note("both send");
    world.run_for(SECOND);
    assert_eq!(world[A].client().received, [(at, b"hi".to_vec())]);
    assert_eq!(world[Z].server().dropped, 1);
}

#[test]
fn permissions_and_channels_in_use_last_for_hours() {
    for is_bound in [false, true] {
        let (mut world, peer, at) = allocated(1);
        let client = &mut world[A].client().client;
        client.allow(at.ip());
        if is_bound {
            client.bind(at);
        }
        for _ in 0..200 {
            world.run_for(60 * SECOND);
            assert_eq!(exchange(&mut world, peer, at, b"hi"), (1, 1));
        }
        let server = world[Z].server();
        let asked = [server.count(8), server.count(9)];
        assert!(asked[usize::from(is_bound)] >= 40 && asked[0] + asked[1] <= 60, "{asked:?}");
        assert_eq!(server.relayed_in_indications == 0, is_bound);
    }
}

/// RFC 8656 §12: a number that has ended is nobody's for five minutes, and then may be another's.
#[test]
fn a_channel_that_is_not_used_ends_and_comes_back() {
    let (mut world, peer, at) = allocated(1);
    world[A].client().client.allow(at.ip());
    world[A].client().client.bind(at);
    world.run_for(700 * SECOND);
    assert_eq!(world[Z].server().count(9), 1, "nobody has used it");
    assert_eq!(exchange(&mut world, peer, at, b"hi"), (1, 1));
    assert_eq!(world[Z].server().relayed_in_indications, 2);
    world[A].client().client.bind(at);
    world.run_for(SECOND);
    assert_eq!(exchange(&mut world, peer, at, b"hi"), (1, 1));
    assert_eq!((world[Z].server().relayed_in_channels, world[Z].server().count(9)), (2, 2));
    let mut numbers: Vec<_> =
        world.trace().records().iter().filter_map(|r| wigwag_turn::channel_data::decode(&r.payload)).collect();
    numbers.dedup();
    assert_eq!(numbers.len(), 1, "the same number");
}

/// It was not used when it was time to ask for it again, and then it is.
#[test]
fn a_channel_that_is_used_late_is_kept() {
    let (mut world, peer, at) = allocated(1);
    world[A].client().client.allow(at.ip());
    world[A].client().client.bind(at);
    world.run_for(500 * SECOND);
    for _ in 0..30 {
        assert_eq!(exchange(&mut world, peer, at, b"hi"), (1, 1));
        world.run_for(59 * SECOND);
    }
    assert_eq!(world[Z].server().relayed_in_indications, 0);
}

#[test]
fn a_peer_that_the_server_refuses_is_told() {
    let (mut world, peer, at) = allocated(1);
    world[Z].server().refuses = Some((8, 403));
    world[A].client().client.allow(at.ip());
    world.run_for(SECOND);
    let failure = Failure::Refused { code: 403, reason: "No".into() };
    assert_eq!(world[A].events()[1..], [ClientEvent::PeerRefused { peer: at.ip(), failure }]);
    assert_eq!(exchange(&mut world, peer, at, b"hi"), (0, 0));
    world.run_for(3600 * SECOND);
    assert_eq!((world[Z].server().count(8), world[Z].server().allocations()), (1, 1));
}

#[test]
fn a_peer_without_a_number_is_reached_in_the_longer_way() {
    let (mut world, peer, at) = allocated(1);
    world[Z].server().refuses = Some((9, 400));
    world[A].client().client.allow(at.ip());
    world[A].client().client.bind(at);
    world.run_for(SECOND);
    assert_eq!(exchange(&mut world, peer, at, b"hi"), (1, 1));
    assert_eq!(world[A].events().len(), 1);
}

#[test]
fn forgotten_peers_are_not_heard_after_five_minutes() {
    let (mut world, peer, at) = allocated(1);
    world[A].client().client.allow(at.ip());
    world.run_for(SECOND);
    world[A].client().client.retain(|_| false);
    world.run_for(301 * SECOND);
    world[peer].peer().to_send.push((relayed(5000), b"hi".to_vec()));
    world.note("the peer sends");
    world.run_for(SECOND);
    assert!(world[A].client().received.is_empty());
    assert_eq!(world[Z].server().count(8), 1);
}

#[test]
fn there_is_room_for_so_many() {
    let (mut world, ..) = allocated(1);
    let client = &mut world[A].client().client;
    for n in 0..1000u16 {
        let [a, b] = n.to_be_bytes();
        client.allow([10, 9, a, b].into());
        client.bind(([10, 9, a, b], 1).into());
    }
    world.run_for(5 * SECOND);
    assert_eq!((world[Z].server().count(8), world[Z].server().count(9)), (128, 32));
    assert_eq!(world[Z].server().permissions().len(), 128);
}

/// The numbers go round: none is another's before it has rested.
#[test]
fn no_two_peers_have_one_number() {
    let (mut world, ..) = allocated(1);
    world[Z].server().nonce_lifetime = 1_000_000 * SECOND;
    for n in 0..6000u16 {
        let [a, b] = n.to_be_bytes();
        if n % 32 == 0 {
            world.run_for(1000 * SECOND);
        }
        world[A].client().client.bind(([10, 9, a, b], 1).into());
    }
    world.run_for(10 * SECOND);
    assert_eq!(world[Z].server().count(9), 6000);
    let refusals =
        world.trace().records().iter().filter(|record| dissect(&record.payload).contains("ChannelBind Error"));
    assert_eq!(refusals.count(), 0);
}

#[test]
fn everything_survives_loss() {
    for seed in 0..20 {
        let (mut world, peer, at) = world(seed);
        world[A].client().client.allow(at.ip());
        world[A].client().client.bind(at);
        world.links(A, Z, |link| {
            link.loss(20.0).reordering(20.0, 50 * MS).duplication(20.0);
        });
        world.run_for(60 * SECOND);
        world.links(A, Z, |link| {
            link.heal();
        });
        assert_eq!(exchange(&mut world, peer, at, b"hi"), (1, 1), "seed {seed}");
    }
}
