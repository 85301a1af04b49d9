//! Who comes to a listener, and is nobody's peer, or not yet.

use crate::common::{config, negotiate};
use crate::endpoint::{Server, answered, call};
use crate::tcp::{await_open, client, connect, exchange, listener, pair, path, server};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;
use wigwag::sansio::{Datagram, Ecn, Protocol, Seed};
use wigwag::{
    ChannelId, ConnectionId, Credentials, DataChannelInit, Endpoint, EndpointConfig, PeerConnection, TcpType,
};
use wigwag_sim::{A, Host, Node, World, Z, address};
use wigwag_stun::{IntegrityKey, MessageWriter, TransactionId};

/// A server with one client that is connected, and the ids and the channel of the two.
fn served(config: EndpointConfig) -> (World<Server>, [Host; 2], [ConnectionId; 2], ChannelId) {
    let mut world = World::new(10);
    let server = world.add("S", &[listener(A)], server(config));
    let (local, client) = client(0);
    let client = world.add("C", &[local], client);
    let (ids, channel) = call(&mut world, [client, server]);
    world.run_for(Duration::from_secs(2));
    (world, [client, server], ids, channel)
}

/// A message goes there and comes back.
fn still_works(
    world: &mut World<Server>,
    [client, _]: [Host; 2],
    ids: [ConnectionId; 2],
    channel: ChannelId,
    text: &'static str,
) {
    let data = Bytes::from_static(text.as_bytes());
    world[client].endpoint.connection_mut(ids[0]).unwrap().send(channel, data.clone(), false).unwrap();
    world.run_for(Duration::from_secs(1));
    assert!(world[client].messages[&ids[0]].contains(&data));
}

fn drops(connection: &PeerConnection, cause: &str) -> u64 {
    connection.drops().iter().find(|(name, _)| *name == cause).map_or(0, |(_, count)| *count)
}

fn stranger(number: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, (number >> 8) as u8 + 1], 2000 + (number & 0xFF)))
}

/// The next bytes of a stranger's stream.
fn say(world: &mut World<Server>, server: Host, number: u16, bytes: &[u8]) {
    let (now, mut payload) = (world.now(), bytes.to_vec());
    let (protocol, local, remote, ecn) = (Protocol::Tcp, listener(A), stranger(number), Ecn::NotEct);
    world[server].endpoint.handle_input(Datagram { protocol, local, remote, ecn, payload: &mut payload }, now);
}

/// What the strangers were sent: how many bytes, and how many ends.
fn heard_by_strangers(world: &World<Server>) -> (usize, usize) {
    let to_strangers =
        world.trace().records().iter().filter(|record| record.to.ip().to_string().starts_with("192.0.2."));
    let lens: Vec<_> = to_strangers.map(|record| record.payload.len()).collect();
    (lens.iter().sum(), lens.iter().filter(|len| **len == 0).count())
}

/// A check for this ufrag, by somebody who has not the password.
fn forged(ufrag: &str) -> Vec<u8> {
    let mut message = vec![];
    let writer = MessageWriter::request(&mut message, TransactionId([9; 12])).username(&format!("{ufrag}:else"));
    writer.priority(1).ice_controlling(1).integrity(&IntegrityKey::short_term("a guess")).fingerprint();
    framed(&message)
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u16).to_be_bytes()[..], message].concat()
}

#[test]
fn a_stranger_at_the_listener_is_shown_the_door() {
    let (mut world, hosts, ids, channel) = served(EndpointConfig::default());
    let server = hosts[1];
    let ufrag = world[server].endpoint.connection(ids[1]).unwrap().local_ufrag().to_owned();
    let refused = |world: &World<Server>| {
        let connection = world[server].endpoint.connection(ids[1]).unwrap();
        world[server].endpoint.stats().unroutable + drops(connection, "transport.refused_streams")
    };
    let nonsense: [Vec<u8>; 6] = [
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        framed(&[22, 254, 253, 0, 0]),
        vec![0xFF, 0xFF],
        forged("nobody"),
        forged(&ufrag),
        [forged(&ufrag), vec![0; 60_000]].concat(),
    ];
    for (number, bytes) in nonsense.iter().enumerate() {
        say(&mut world, server, number as u16, bytes);
        world.run_for(Duration::from_millis(10));
        assert_eq!(refused(&world), number as u64 + 1, "{number}");
        assert_eq!(heard_by_strangers(&world), (0, number + 1), "{number}");
    }
    still_works(&mut world, hosts, ids, channel, "after the nonsense");
}

#[test]
fn whoever_says_half_a_check_is_waited_for_and_not_for_ever() {
    let (mut world, hosts, ids, channel) = served(EndpointConfig::default());
    for number in 0..2000 {
        say(&mut world, hosts[1], number, &[0]);
        say(&mut world, hosts[1], number, &[100, 0, 1]);
    }
    world.run_for(Duration::from_millis(100));
    assert_eq!(heard_by_strangers(&world), (0, 2000 - 256), "the oldest make room");
    world.run_for(Duration::from_millis(9_800));
    assert_eq!(heard_by_strangers(&world), (0, 2000 - 256));
    world.run_for(Duration::from_millis(200));
    assert_eq!(heard_by_strangers(&world), (0, 2000));
    say(&mut world, hosts[1], 1, &[0, 100]);
    say(&mut world, hosts[1], 1, &[]);
    world.run_for(Duration::from_secs(20));
    assert_eq!(heard_by_strangers(&world), (0, 2000), "whoever has left is not shown the door");
    still_works(&mut world, hosts, ids, channel, "after the silence");
}

#[test]
fn a_stream_waits_for_the_connection_that_it_asks_for() {
    for delay in [0, 5] {
        let mut config = EndpointConfig::default();
        config.unknown_ufrag = true;
        let mut world = World::new(11);
        let server = world.add("S", &[listener(A)], server(config));
        let (local, client) = client(0);
        let client = world.add("C", &[local], client);
        let ids = [world[client].endpoint.create(crate::common::config()).unwrap()];
        // The server is known beforehand, and its ufrag with it; its connection is not made yet.
        let credentials = Credentials { ufrag: "wellknown".into(), password: "aPasswordThatIsLongEnough".into() };
        let mut adapted = crate::common::config();
        adapted.credentials = Some(credentials.clone());
        let mut other = Endpoint::new(EndpointConfig::default(), Seed::for_test(12));
        other.add_local_tcp_address(listener(A), TcpType::Passive).unwrap();
        let likeness = other.create(adapted.clone()).unwrap();
        let c = world[client].endpoint.connection_mut(ids[0]).unwrap();
        c.create_data_channel("chat", DataChannelInit::default().negotiated(0)).unwrap();
        let offer = c.create_offer().unwrap();
        c.set_local_description(offer).unwrap();
        let offer = c.local_description().unwrap();
        let answer = answered(&mut other, likeness, offer);
        world[client].endpoint.connection_mut(ids[0]).unwrap().set_remote_description(answer).unwrap();
        world.run_for(Duration::from_secs(delay + 1));
        assert_eq!(world[server].incoming, ["wellknown"]);
        let id = world[server].endpoint.create(adapted).unwrap();
        world.run_for(Duration::from_secs(1));
        let connection = world[server].endpoint.connection(id).unwrap();
        assert_eq!(drops(connection, "transport.refused_streams"), 0);
        assert_eq!(drops(connection, "ice.unauthenticated_requests"), 0);
        let answers = world
            .trace()
            .records()
            .iter()
            .filter(|record| record.from == listener(A) && record.payload.get(2..4) == Some(&[1, 1]));
        assert!(answers.count() >= 1, "its check was answered");
    }
}

/// Two streams, as of a client with two networks, ask before the connection is there.
#[test]
fn all_streams_that_ask_for_a_connection_are_its_own_when_it_is_made() {
    let mut config = EndpointConfig::default();
    config.unknown_ufrag = true;
    let mut endpoint = server(config).endpoint;
    let credentials = Credentials { ufrag: "wellknown".into(), password: "aPasswordThatIsLongEnough".into() };
    let mut message = vec![];
    let writer = MessageWriter::request(&mut message, TransactionId([9; 12])).username("wellknown:else");
    writer.priority(1).ice_controlling(1).integrity(&IntegrityKey::short_term(&credentials.password)).fingerprint();
    let now = wigwag_sim::origin();
    for number in 0..2 {
        let (protocol, local, remote, ecn) = (Protocol::Tcp, listener(A), stranger(number), Ecn::NotEct);
        // It asks again, as browsers do until they are answered.
        for _ in 0..100 {
            let payload = &mut framed(&message)[..];
            endpoint.handle_input(Datagram { protocol, local, remote, ecn, payload }, now);
        }
    }
    let mut adapted = crate::common::config();
    adapted.credentials = Some(credentials);
    let id = endpoint.create(adapted).unwrap();
    let (mut out, mut answered) = (vec![], BTreeSet::new());
    while let Some(transmit) = endpoint.poll_transmit(now, &mut out) {
        assert!(!out.is_empty(), "none is closed");
        answered.insert(transmit.remote);
    }
    assert_eq!(answered.len(), 2);
    assert!(
        drops(endpoint.connection(id).unwrap(), "transport.refused_streams") == 0 && endpoint.stats().unroutable == 0
    );
}

/// Whoever drives the endpoint may know that a stranger has left before it is told to close its stream.
#[test]
fn a_stream_that_was_refused_and_has_left_is_not_closed_when_it_comes_again() {
    let (mut world, hosts, ..) = served(EndpointConfig::default());
    let endpoint = &mut world[hosts[1]].endpoint;
    let (mut out, now) = (vec![], wigwag_sim::origin());
    let (protocol, local, remote, ecn) = (Protocol::Tcp, listener(A), stranger(0), Ecn::NotEct);
    for _ in 0..1000 {
        let payload = &mut b"GET / HTTP/1.1"[..].to_vec()[..];
        endpoint.handle_input(Datagram { protocol, local, remote, ecn, payload }, now);
    }
    let ends = |endpoint: &mut Endpoint, out: &mut Vec<u8>| {
        let transmits = std::iter::from_fn(|| endpoint.poll_transmit(now, out));
        transmits.filter(|transmit| transmit.remote == remote).count()
    };
    assert_eq!(ends(endpoint, &mut out), 1, "once is enough");
    for bytes in [&b"GET / HTTP/1.1"[..], &[]] {
        endpoint.handle_input(Datagram { protocol, local, remote, ecn, payload: &mut bytes.to_vec() }, now);
    }
    assert_eq!(ends(endpoint, &mut out), 0);
}

#[test]
fn the_port_of_where_streams_are_opened_from_means_nothing() {
    let mut endpoint = Endpoint::new(EndpointConfig::default(), Seed::for_test(1));
    endpoint.add_local_tcp_address((address(A).ip(), 1000).into(), TcpType::Active).unwrap();
    endpoint.remove_local_tcp_address((address(A).ip(), 9).into(), TcpType::Active);
    let id = endpoint.create(config()).unwrap();
    let connection = endpoint.connection_mut(id).unwrap();
    connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
    let offer = connection.create_offer().unwrap();
    connection.set_local_description(offer).unwrap();
    assert!(!connection.local_description().unwrap().sdp.contains("tcptype"));
}

/// A connection without an endpoint: half a frame is all that they say.
#[test]
fn strangers_who_say_half_a_frame_keep_no_peer_out() {
    let mut world = pair(12, TcpType::Active, false);
    world[A].connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
    negotiate(&mut world);
    for number in 0..100 {
        let (now, local, remote) = (world.now(), listener(Z), stranger(number));
        let (protocol, ecn, payload) = (Protocol::Tcp, Ecn::NotEct, &mut [0, 100, 1][..]);
        world[Z].handle_input(Datagram { protocol, local, remote, ecn, payload }, now);
    }
    await_open(&mut world);
    exchange(&mut world, 1200);
    assert_eq!(drops(&world[Z].connection, "transport.refused_streams"), 100 - 7, "the oldest make room");
}

/// Nonsense, and then a check that somebody authentic has sent, before the stream is closed.
#[test]
fn a_stream_that_is_to_be_closed_says_nothing_more() {
    let mut world = pair(13, TcpType::Active, false);
    connect(&mut world);
    let of_z = path(&world, Z);
    let is_check = |payload: &[u8]| payload.get(2..4) == Some(&[0, 1]);
    let records = world.trace().records();
    let check = records.iter().find(|it| it.from == of_z.remote && is_check(&it.payload)).unwrap().payload.to_vec();
    for bytes in [&[0xFF, 0xFF][..], &check] {
        let (now, local, remote) = (world.now(), listener(Z), stranger(1));
        let (protocol, ecn, payload) = (Protocol::Tcp, Ecn::NotEct, &mut bytes.to_vec()[..]);
        world[Z].handle_input(Datagram { protocol, local, remote, ecn, payload }, now);
    }
    world.run_for(Duration::from_secs(1));
    let records = world.trace().records();
    let heard: Vec<_> = records.iter().filter(|it| it.to == stranger(1)).map(|it| it.payload.len()).collect();
    assert_eq!(heard, [0]);
    exchange(&mut world, 1200);
}

/// A listener, too, may have a port that the system gives, and a connection calls its stream to a TURN server by such a one.
#[test]
fn a_listener_at_a_port_of_streams_keeps_no_server_from_being_asked() {
    let mut endpoint = Endpoint::new(EndpointConfig::default(), Seed::for_test(1));
    endpoint.add_local_address((address(A).ip(), 1000).into()).unwrap();
    endpoint.add_local_tcp_address((address(A).ip(), 49_152).into(), TcpType::Passive).unwrap();
    let mut config = config();
    let server = wigwag::TurnServer::new(([192, 0, 2, 9], 3478).into(), "user", "password").over_tcp();
    config.turn_servers.push(server);
    let id = endpoint.create(config).unwrap();
    let connection = endpoint.connection_mut(id).unwrap();
    connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
    let offer = connection.create_offer().unwrap();
    connection.set_local_description(offer).unwrap();
    let (mut out, now) = (vec![], wigwag_sim::origin());
    let transmits: Vec<_> = std::iter::from_fn(|| endpoint.poll_transmit(now, &mut out)).collect();
    assert!(transmits.iter().any(|transmit| transmit.protocol == Protocol::Tcp), "{transmits:?}");
}

#[test]
fn the_listener_goes_and_its_streams_with_it() {
    let (mut world, [client, server], ids, _) = served(EndpointConfig::default());
    say(&mut world, server, 1, &[0]);
    world[server].endpoint.remove_local_tcp_address(listener(A), TcpType::Passive);
    world.run_for(Duration::from_secs(1));
    assert_eq!(heard_by_strangers(&world), (0, 1));
    let path =
        |world: &World<Server>, host: Host, id| world[host].endpoint.connection(id).unwrap().transport_stats().path;
    assert_eq!([path(&world, client, ids[0]), path(&world, server, ids[1])], [None, None]);
    world[server].endpoint.add_local_tcp_address(listener(A), TcpType::Passive).unwrap();
    world.run_for(Duration::from_secs(30));
    assert!(path(&world, client, ids[0]).is_some(), "it is tried again");
}
