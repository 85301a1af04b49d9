//! What nobody would miss at once: the last words of a call, addresses that come late, what is free to be used again.

use crate::claims::{authentic_check, call, client_address, input, is_up, server_world};
use crate::common::{
    Peer, VERSIONS, answer, config, connect_with_channel, connected_with_channel, dissect, negotiate, offer,
    pair_speaking, pair_with,
};
use crate::endpoint::{Server, connect, world};
use std::net::SocketAddr;
use std::time::Duration;
use wigwag::sansio::Seed;
use wigwag::{
    CloseReason, ConnectionState, DataChannelInit, Direction, Endpoint, EndpointConfig, EndpointEvent, Event,
    MediaKind, SendError,
};
use wigwag_sim::{A, Host, World, Z, address};

/// RFC 9260 §9.1 and RFC 5246 §7.2.1: the association is aborted, then DTLS says close_notify; either is enough.
#[test]
fn whoever_closes_says_so_twice() {
    for (version, lost) in VERSIONS.into_iter().flat_map(|version| ["", "alert", "data"].map(|lost| (version, lost))) {
        let mut world = pair_speaking(100, version);
        connect_with_channel(&mut world, "chat", DataChannelInit::default());
        world.run_for(Duration::from_secs(1));
        let before = world.trace().records().len();
        world.link(A, Z).drop_if(move |passing| dissect(passing.payload) == lost);
        world[A].connection.close();
        world.run_for(Duration::from_secs(1));
        let said = world.trace().records()[before..].iter().filter(|record| record.from == address(A));
        assert_eq!(said.map(|record| dissect(&record.payload)).collect::<Vec<_>>(), ["data", "alert"]);
        assert_eq!(world[Z].closed, Some(CloseReason::Peer), "without {lost:?}");
        assert_eq!(world[A].closed, Some(CloseReason::Local));
    }
}

fn second(host: Host) -> SocketAddr {
    let mut second = address(host);
    second.set_port(2000);
    second
}

#[test]
fn an_address_that_comes_in_a_call_is_told_and_described() {
    let mut world = connected_with_channel(101, "chat", DataChannelInit::default());
    world.run_for(Duration::from_secs(1));
    let told = world[A].events.len();
    world.add_address(A, second(A));
    world[A].connection.add_local_address(second(A)).unwrap();
    world.run_for(Duration::from_secs(1));
    let is_told = |event: &String| event.starts_with("IceCandidate(Some") && event.contains(" 2000 typ host");
    assert_eq!(world[A].events[told..].iter().filter(|event| is_told(event)).count(), 1);
    assert!(world[A].connection.local_description().unwrap().sdp.contains(" 2000 typ host"));
}

#[test]
fn an_address_that_an_endpoint_is_given_late_is_that_of_every_connection() {
    let mut endpoint = Endpoint::new(EndpointConfig::default(), Seed::for_test(102));
    endpoint.add_local_address(address(A)).unwrap();
    let ids = [(); 2].map(|()| endpoint.create(config()).unwrap());
    for id in ids {
        let connection = endpoint.connection_mut(id).unwrap();
        connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
        let offer = connection.create_offer().unwrap();
        connection.set_local_description(offer).unwrap();
    }
    let (now, mut out) = (wigwag_sim::origin(), Vec::new());
    while endpoint.poll_event().is_some() || endpoint.poll_transmit(now, &mut out).is_some() {}
    endpoint.handle_timeout(now);
    endpoint.add_local_address(second(A)).unwrap();
    assert_eq!(endpoint.poll_timeout(now), Some(now), "it is to be told");
    let mut told = Vec::new();
    while let Some(event) = endpoint.poll_event() {
        if let EndpointEvent::Connection(id, Event::IceCandidate(Some(candidate))) = event {
            assert!(candidate.candidate.contains(" 2000 typ host"), "{candidate:?}");
            told.push(id);
        }
    }
    told.sort_unstable();
    assert_eq!(told, ids);
    for id in ids {
        let sdp = endpoint.connection(id).unwrap().local_description().unwrap().sdp;
        assert!(sdp.contains(" 1000 typ host") && sdp.contains(" 2000 typ host"), "{sdp}");
    }
    let late = endpoint.create(config()).unwrap();
    let connection = endpoint.connection_mut(late).unwrap();
    connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
    let offer = connection.create_offer().unwrap();
    connection.set_local_description(offer).unwrap();
    assert!(connection.local_description().unwrap().sdp.contains(" 2000 typ host"));
}

/// What the kernel takes at once is the driver's to say, before a connection is made and after.
#[test]
fn batches_are_as_long_as_an_endpoint_was_told() {
    for is_told_first in [true, false] {
        let mut world = world(103);
        if is_told_first {
            world[A].endpoint.set_max_segments(4);
        }
        let [of_a, _] = connect(&mut world);
        let is_connected = |id| move |world: &World<Server>| is_up_on(world, id);
        world.run_until(is_connected(of_a), Duration::from_secs(10));
        world.run_for(Duration::from_secs(1));
        if !is_told_first {
            world[A].endpoint.set_max_segments(4);
        }
        let connection = world[A].endpoint.connection_mut(of_a).unwrap();
        let channel = connection.data_channels().next().unwrap().0;
        connection.send(channel, vec![7; 20_000].into(), true).unwrap();
        let (now, mut out) = (world.now(), Vec::new());
        let transmit = world[A].endpoint.poll_transmit(now, &mut out).unwrap();
        assert_eq!(out.len().div_ceil(transmit.segment_size), 4, "{} bytes", out.len());
    }
}

fn is_up_on(world: &World<Server>, id: wigwag::ConnectionId) -> bool {
    world[A].states.get(&id) == Some(&ConnectionState::Connected)
}

/// A 5-tuple is a connection's as long as its consent lasts; a NAT gives the port to somebody else afterwards.
#[test]
fn a_path_is_free_when_the_consent_of_its_owner_has_expired() {
    let (mut world, server) = server_world();
    let [gone, other] = [1, 2].map(|number| call(&mut world, server, number));
    world.run_until(|world| is_up(world, server, gone) && is_up(world, server, other), Duration::from_secs(10));
    let claims = |world: &mut World<Server>, n| {
        let before = world[server].endpoint.stats().claims_refused;
        let check = authentic_check(world, server, other, n);
        input(world, server, client_address(1), &check);
        world[server].endpoint.stats().claims_refused - before
    };
    assert_eq!(claims(&mut world, 1), 1, "it is in use");
    world.links(server, gone.client, |link| {
        link.loss(100.0);
    });
    world.run_for(Duration::from_secs(60));
    assert_eq!(world[server].states[&gone.of_server], ConnectionState::Failed);
    assert!(world[server].endpoint.connection(gone.of_server).is_some(), "which keeps its place");
    assert_eq!(claims(&mut world, 2), 0, "nobody's");
}

/// What the user is told of a channel that is over does not depend on whether anything was ever sent on it.
#[test]
fn a_channel_that_was_closed_takes_nothing_more() {
    let mut world = connected_with_channel(104, "chat", DataChannelInit::default());
    let channel = world[A].channels["chat"];
    world[A].connection.close_data_channel(channel);
    assert!(matches!(world[A].connection.send(channel, "late".into(), false), Err(SendError::NotOpen(_))));
    world.run_for(Duration::from_secs(2));
    assert_eq!(world[A].connection.send(channel, "late".into(), false), Err(SendError::UnknownChannel));
    assert_eq!(world[Z].messages.len(), 0);
}

/// The first section names the transport in an offer of ours; a browser that refuses it forgets what was told for it.
#[test]
fn candidates_are_told_again_for_the_section_that_is_left() {
    let mut world = pair_with(105, |host, config| {
        if host == A {
            config.negotiation.codecs = vec![wigwag::jsep::Codec::new(MediaKind::Video, "H265", 90_000, 1, 100)];
        }
    });
    world[A].connection.add_transceiver(MediaKind::Video, Direction::Sendonly).unwrap();
    world[A].connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
    let told = |world: &World<Peer>, mid: &str| {
        let mid = format!("sdp_mid: Some(\"{mid}\")");
        world[A].events.iter().filter(|event| event.starts_with("IceCandidate(Some") && event.contains(&mid)).count()
    };
    let offer = offer(&mut world, A);
    world.run_for(Duration::from_millis(1));
    assert_eq!((told(&world, "0"), told(&world, "1")), (1, 0));
    let answer = answer(&mut world, Z, offer);
    assert!(answer.sdp.contains("m=video 0 "));
    world[A].connection.set_remote_description(answer).unwrap();
    world.run_until(|world| world[Z].channels.contains_key("chat"), Duration::from_secs(10));
    assert_eq!((told(&world, "0"), told(&world, "1")), (1, 1));
    let ends = world[A].events.iter().filter(|event| *event == "IceCandidate(None)").count();
    assert_eq!(ends, 2, "and that these were all");
    // What is found later is told for it, too.
    world.add_address(A, second(A));
    world[A].connection.add_local_address(second(A)).unwrap();
    world.run_for(Duration::from_secs(1));
    assert_eq!((told(&world, "0"), told(&world, "1")), (1, 2));
    let described = world[A].connection.local_description().unwrap().sdp;
    let (_, of_data) = described.split_once("m=application").unwrap();
    assert!(of_data.contains(" 2000 typ host"), "{described}");
    // Another negotiation tells nothing anew.
    negotiate(&mut world);
    world.run_for(Duration::from_secs(1));
    assert_eq!((told(&world, "0"), told(&world, "1")), (1, 2));
}
