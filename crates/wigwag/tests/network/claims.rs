//! An endpoint among those who want others' packets.

use crate::common::config;
use crate::endpoint::Server;
use std::net::SocketAddr;
use std::time::Duration;
use wigwag::sansio::Datagram;
use wigwag::{
    ChannelId, ConnectionId, ConnectionState, Credentials, DataChannelInit, Endpoint, EndpointConfig, EndpointError,
    Seed,
};
use wigwag_sim::{A, Host, World, address};
use wigwag_stun::{IntegrityKey, MessageWriter, TransactionId};

/// A client, its connection, the server's connection for it, and the channel on either.
#[derive(Clone, Copy)]
pub(crate) struct Call {
    pub(crate) client: Host,
    pub(crate) of_client: ConnectionId,
    pub(crate) of_server: ConnectionId,
    channel: ChannelId,
}

pub(crate) fn server_world() -> (World<Server>, Host) {
    let mut world = World::new(80);
    let server = world.add("S", &[address(A)], Server::new(1, A, EndpointConfig::default()));
    (world, server)
}

pub(crate) fn client_address(number: u8) -> SocketAddr {
    ([10, 1, 0, number], 1000).into()
}

pub(crate) fn call(world: &mut World<Server>, server: Host, number: u8) -> Call {
    let mut client = Server::new(100, A, EndpointConfig::default());
    client.endpoint = Endpoint::new(EndpointConfig::default(), Seed::for_test(100 + u64::from(number)));
    client.endpoint.add_local_address(client_address(number)).unwrap();
    let client = world.add(&format!("C{number}"), &[client_address(number)], client);
    call_between(world, client, server)
}

pub(crate) fn call_between(world: &mut World<Server>, client: Host, server: Host) -> Call {
    let [of_client, of_server] = [client, server].map(|host| world[host].endpoint.create(config()).unwrap());
    let init = || DataChannelInit::default().negotiated(0);
    let c = world[client].endpoint.connection_mut(of_client).unwrap();
    let channel = c.create_data_channel("chat", init()).unwrap();
    let offer = c.create_offer().unwrap();
    c.set_local_description(offer).unwrap();
    let offer = c.local_description().unwrap();
    let s = world[server].endpoint.connection_mut(of_server).unwrap();
    s.create_data_channel("chat", init()).unwrap();
    s.set_remote_description(offer).unwrap();
    let answer = s.create_answer().unwrap();
    s.set_local_description(answer).unwrap();
    let answer = s.local_description().unwrap();
    world[client].endpoint.connection_mut(of_client).unwrap().set_remote_description(answer).unwrap();
    Call { client, of_client, of_server, channel }
}

pub(crate) fn is_up(world: &World<Server>, server: Host, call: Call) -> bool {
    let connected = Some(&ConnectionState::Connected);
    world[server].states.get(&call.of_server) == connected
        && world[call.client].states.get(&call.of_client) == connected
}

pub(crate) fn says(world: &mut World<Server>, server: Host, call: Call, text: &'static str) {
    world.run_for(Duration::from_secs(1));
    let connection = world[call.client].endpoint.connection_mut(call.of_client).unwrap();
    connection.send(call.channel, text.into(), true).unwrap();
    world.run_for(Duration::from_secs(1));
    assert_eq!(world[server].messages[&call.of_server].last().map(|data| &data[..]), Some(text.as_bytes()));
}

/// What the peer of `call` can say to the server, from wherever it likes.
pub(crate) fn authentic_check(world: &World<Server>, server: Host, call: Call, n: u8) -> Vec<u8> {
    let of = |host: Host, id| world[host].endpoint.connection(id).unwrap().local_description().unwrap().sdp;
    let (ours, theirs) = (of(server, call.of_server), of(call.client, call.of_client));
    let line = |sdp: &str, name: &str| sdp.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned();
    let username = format!("{}:{}", line(&ours, "a=ice-ufrag:"), line(&theirs, "a=ice-ufrag:"));
    let mut out = Vec::new();
    MessageWriter::request(&mut out, TransactionId([n; 12]))
        .username(&username)
        .priority(1)
        .ice_controlling(1)
        .integrity(&IntegrityKey::short_term(&line(&ours, "a=ice-pwd:")))
        .fingerprint();
    out
}

pub(crate) fn input(world: &mut World<Server>, server: Host, from: SocketAddr, bytes: &[u8]) {
    let now = world.now();
    let mut bytes = bytes.to_vec();
    world[server].endpoint.handle_input(Datagram::udp(address(A), from, &mut bytes), now);
}

/// A client forges another's address: its checks are authentic, but the path is the other's, who has proven it.
#[test]
fn a_client_cannot_take_the_path_of_another_who_has_proven_it() {
    let (mut world, server) = server_world();
    let [victim, thief] = [1, 2].map(|number| call(&mut world, server, number));
    world.run_until(|world| is_up(world, server, victim) && is_up(world, server, thief), Duration::from_secs(10));
    for n in 0..100 {
        let check = authentic_check(&world, server, thief, n);
        input(&mut world, server, client_address(1), &check);
        world.run_for(Duration::from_millis(20));
    }
    assert!(world[server].endpoint.stats().claims_refused >= 100);
    says(&mut world, server, victim, "still mine");
    says(&mut world, server, thief, "still there");
}

/// A client claims an address before its owner comes: the owner answers checks there, the thief cannot.
#[test]
fn a_claim_without_proof_gives_way_to_one_with_it() {
    let (mut world, server) = server_world();
    let thief = call(&mut world, server, 2);
    world.run_until(|world| is_up(world, server, thief), Duration::from_secs(10));
    let check = authentic_check(&world, server, thief, 1);
    input(&mut world, server, client_address(1), &check);
    world.run_for(Duration::from_millis(100));
    let victim = call(&mut world, server, 1);
    world.run_until(|world| is_up(world, server, victim), Duration::from_secs(10));
    says(&mut world, server, victim, "mine now");
    says(&mut world, server, thief, "still there");
}

#[test]
fn a_ufrag_is_one_connections() {
    let mut endpoint = Endpoint::new(EndpointConfig::default(), Seed::for_test(81));
    let mut config = config();
    config.credentials = Some(Credentials { ufrag: "twice".into(), password: "x".repeat(24) });
    let id = endpoint.create(config.clone()).unwrap();
    assert_eq!(endpoint.create(config.clone()), Err(EndpointError::UfragInUse("twice".into())));
    assert_eq!(endpoint.len(), 1);
    endpoint.remove(id);
    let again = endpoint.create(config).unwrap();
    assert_ne!(again, id);
}

#[test]
fn there_are_no_more_connections_than_the_limit() {
    let mut limited = EndpointConfig::default();
    limited.connections_max = 3;
    let mut endpoint = Endpoint::new(limited, Seed::for_test(82));
    let ids: Vec<_> = (0..3).map(|_| endpoint.create(config()).unwrap()).collect();
    assert_eq!(endpoint.create(config()), Err(EndpointError::TooManyConnections(3)));
    endpoint.remove(ids[1]);
    assert!(endpoint.create(config()).is_ok());
}

/// A hundred thousand strangers, each with a name of its own: no state, few events, and no answer.
#[test]
fn a_flood_of_strangers_makes_a_bounded_sample_and_no_state() {
    for is_told in [false, true] {
        let mut strangers = EndpointConfig::default();
        strangers.unknown_ufrag = is_told;
        let mut endpoint = Endpoint::new(strangers, Seed::for_test(83));
        endpoint.add_local_address(address(A)).unwrap();
        let now = wigwag_sim::origin();
        let mut out = Vec::new();
        for n in 0..100_000u32 {
            out.clear();
            MessageWriter::request(&mut out, TransactionId([1; 12]))
                .username(&format!("s{n}:x"))
                .priority(1)
                .fingerprint();
            let from = SocketAddr::from(([192, 0, (n >> 8) as u8, n as u8], 5));
            endpoint.handle_input(Datagram::udp(address(A), from, &mut out), now);
        }
        assert!(endpoint.poll_transmit(now, &mut out).is_none());
        let told = std::iter::from_fn(|| endpoint.poll_event()).count();
        assert_eq!(told, if is_told { 64 } else { 0 });
        assert_eq!((endpoint.len(), endpoint.stats().unroutable), (0, 100_000));
        assert_eq!(endpoint.poll_timeout(now), None);
    }
}

/// At any moment of a handshake a connection may be forgotten; its peer gets no more answers, and nobody else's.
#[test]
fn a_connection_removed_in_the_middle_leaves_nothing_behind() {
    for steps in 0..60 {
        let (mut world, server) = server_world();
        let gone = call(&mut world, server, 1);
        for _ in 0..steps {
            world.step();
        }
        world[server].endpoint.remove(gone.of_server);
        assert!(world[server].endpoint.connection(gone.of_server).is_none() && world[server].endpoint.is_empty());
        let before = world.trace().records().len();
        let next = call(&mut world, server, 2);
        world.run_until(|world| is_up(world, server, next), Duration::from_secs(10));
        says(&mut world, server, next, "hello");
        world.run_for(Duration::from_secs(60));
        let to_gone = |record: &&wigwag_sim::Record| record.from == address(A) && record.to == client_address(1);
        assert_eq!(world.trace().records()[before..].iter().filter(to_gone).count(), 0, "after {steps} steps");
        assert_eq!(world[server].endpoint.len(), 1);
        assert!(world[server].endpoint.connection(gone.of_server).is_none(), "an id is never used again");
    }
}

/// A browser that begins ICE anew is answered under a new name, and found by it; by the old one, too.
#[test]
fn a_peer_that_begins_anew_is_known_by_both_names() {
    let (mut world, server) = server_world();
    let call = call(&mut world, server, 1);
    world.run_until(|world| is_up(world, server, call), Duration::from_secs(10));
    let before = authentic_check(&world, server, call, 1);
    let of_client = |world: &mut World<Server>| {
        let connection = world[call.client].endpoint.connection_mut(call.of_client).unwrap();
        connection.create_offer().unwrap()
    };
    let mut offer = of_client(&mut world);
    for (line, value) in [("a=ice-ufrag:", "anew"), ("a=ice-pwd:", "abcdefghijklmnopqrstuvwx")] {
        let start = offer.sdp.find(line).unwrap() + line.len();
        let end = start + offer.sdp[start..].find('\r').unwrap();
        offer.sdp.replace_range(start..end, value);
    }
    let connection = world[server].endpoint.connection_mut(call.of_server).unwrap();
    let old = connection.local_ufrag().to_owned();
    connection.set_remote_description(offer).unwrap();
    let answer = connection.create_answer().unwrap();
    assert!(!answer.sdp.contains(&old), "a restart is answered by a restart (RFC 8839 §4.4.1.1.1)");
    connection.set_local_description(answer).unwrap();
    let after = authentic_check(&world, server, call, 2);
    let unroutable = world[server].endpoint.stats().unroutable;
    for check in [&after, &before] {
        input(&mut world, server, client_address(1), check);
        assert_eq!(world[server].endpoint.stats().unroutable, unroutable);
    }
    world[server].endpoint.remove(call.of_server);
    for check in [&after, &before] {
        input(&mut world, server, client_address(1), check);
    }
    assert_eq!(world[server].endpoint.stats().unroutable, unroutable + 2, "its names are forgotten with it");
}

/// The server begins anew: it is found by the name that it offers from the moment it does, and by the old one no longer
/// than the old path may be used.
#[test]
fn a_restart_of_our_own_is_known_by_both_names_and_then_by_one() {
    let (mut world, server) = server_world();
    let call = call(&mut world, server, 1);
    world.run_until(|world| is_up(world, server, call), Duration::from_secs(10));
    let before = authentic_check(&world, server, call, 1);
    let connection = world[server].endpoint.connection_mut(call.of_server).unwrap();
    connection.restart_ice().unwrap();
    let offer = connection.create_offer().unwrap();
    connection.set_local_description(offer).unwrap();
    let offer = connection.local_description().unwrap();
    let after = authentic_check(&world, server, call, 2);
    let missed = |world: &mut World<Server>, check: &[u8]| {
        let before = world[server].endpoint.stats().unroutable;
        input(world, server, client_address(1), check);
        world[server].endpoint.stats().unroutable > before
    };
    assert_eq!([missed(&mut world, &before), missed(&mut world, &after)], [false, false], "offered");
    let client = world[call.client].endpoint.connection_mut(call.of_client).unwrap();
    client.set_remote_description(offer).unwrap();
    let answer = client.create_answer().unwrap();
    client.set_local_description(answer).unwrap();
    let answer = client.local_description().unwrap();
    says(&mut world, server, call, "before the answer");
    let connection = world[server].endpoint.connection_mut(call.of_server).unwrap();
    connection.set_remote_description(answer).unwrap();
    assert_eq!([missed(&mut world, &before), missed(&mut world, &after)], [false, false], "answered");
    says(&mut world, server, call, "after the answer");
    world.run_for(Duration::from_secs(60));
    assert_eq!([missed(&mut world, &before), missed(&mut world, &after)], [true, false], "long after");
    says(&mut world, server, call, "long after");
}

/// The client of a call has another address from now on.
fn moves(world: &mut World<Server>, call: Call, from: SocketAddr, to: SocketAddr) {
    world.add_address(call.client, to);
    world[call.client].endpoint.add_local_address(to).unwrap();
    world.remove_address(from);
    world[call.client].endpoint.remove_local_address(from);
}

/// A NAT gives the same port to somebody else, once it is free.
#[test]
fn a_path_that_its_owner_has_left_is_whose_it_is_now() {
    let (mut world, server) = server_world();
    let moved = call(&mut world, server, 1);
    world.run_until(|world| is_up(world, server, moved), Duration::from_secs(10));
    moves(&mut world, moved, client_address(1), client_address(9));
    world.run_for(Duration::from_secs(60));
    says(&mut world, server, moved, "from elsewhere");
    let mut client = Server::new(100, A, EndpointConfig::default());
    client.endpoint = Endpoint::new(EndpointConfig::default(), Seed::for_test(200));
    client.endpoint.add_local_address(client_address(1)).unwrap();
    let client = world.add("C2", &[client_address(1)], client);
    let other = call_between(&mut world, client, server);
    world.run_until(|world| is_up(world, server, other), Duration::from_secs(10));
    says(&mut world, server, other, "from where the other was");
    says(&mut world, server, moved, "still from elsewhere");
}

#[test]
fn a_peer_may_move_as_often_as_it_likes() {
    let (mut world, server) = server_world();
    let moving = call(&mut world, server, 1);
    world.run_until(|world| is_up(world, server, moving), Duration::from_secs(10));
    let mut at = client_address(1);
    for n in 0..240 {
        let next = ([10, 2, 0, n], 1000).into();
        moves(&mut world, moving, at, next);
        at = next;
        world.run_for(Duration::from_secs(20));
    }
    world.run_for(Duration::from_secs(20));
    says(&mut world, server, moving, "from somewhere else again");
}
