//! Calls through TURN servers that are asked over TCP or TLS, as where UDP is blocked.

use crate::common::{Peer, config};
use crate::endpoint::Server as EndpointServer;
use crate::gathering::{Party, negotiate, peer};
use crate::relays::{add_server, connect, exchange, relay_only, server, turn, with_stun, with_turn, world};
use crate::turn_server::{PASSWORD, USERNAME};
use std::net::SocketAddr;
use std::time::Duration;
use wigwag::{
    Config, ConnectionId, ConnectionState, DataChannelInit, Endpoint, EndpointConfig, Path, PeerConnection, Protocol,
    Seed, SessionDescription, TurnServer,
};
use wigwag_sim::{Host, World};

const SECOND: Duration = Duration::from_secs(1);

fn at_turn() -> TurnServer {
    TurnServer::new(turn(), USERNAME, PASSWORD)
}

fn with(mut config: Config, servers: &[TurnServer]) -> Config {
    config.turn_servers = servers.to_vec();
    config
}

fn over_streams() -> [(TurnServer, &'static str, &'static str); 2] {
    [
        (at_turn().over_tcp(), "tcp", "turn:198.51.100.9:3478?transport=tcp"),
        (at_turn().over_tls("turn.example.org"), "tls", "turns:turn.example.org:3478?transport=tcp"),
    ]
}

fn events(world: &mut World<Party>, host: Host) -> String {
    peer(world, host).events.join("\n")
}

/// Two who would reach each other without anybody.
fn neighbours(configs: [Config; 2]) -> (World<Party>, Host, [Host; 2]) {
    let mut world = World::new(5);
    let turn = add_server(&mut world);
    let mut n = 0;
    let hosts = configs.map(|config| {
        n += 1;
        let address = SocketAddr::from(([203, 0, 113, n], 5000));
        let mut connection = PeerConnection::new(config, Seed::for_test(u64::from(n)));
        connection.add_local_address(address).unwrap();
        world.add(["A", "Z"][usize::from(n) - 1], &[address], Party::Peer(Box::new(Peer::new(connection))))
    });
    (world, turn, hosts)
}

/// No datagram leaves: what there is goes over the stream, in pieces of any length on the way back.
#[test]
fn a_call_goes_through_a_stream_alone() {
    for (asked, protocol, url) in over_streams() {
        for piece_len in [1, 3, 100, 1 << 20] {
            let (mut world, turn_host, hosts) = world([with(relay_only(), std::slice::from_ref(&asked)), with_stun()]);
            server(&mut world, turn_host).piece_len = piece_len;
            connect(&mut world, hosts);
            let (count, len) = if piece_len < 100 { (5, 2000) } else { (20, 10_000) };
            exchange(&mut world, hosts, count, len);
            let stats = peer(&mut world, hosts[0]).connection.stats(wigwag_sim::origin()).to_json();
            assert!(stats.contains(&format!("\"url\":\"{url}\",\"relayProtocol\":\"{protocol}\"")), "{stats}");
            let records = world
                .trace()
                .records()
                .iter()
                .filter(|record| record.from.ip() == std::net::Ipv4Addr::new(192, 168, 1, 2));
            assert!(records.clone().count() > 20);
            assert!(records.clone().all(|record| record.protocol == asked_over(&asked) && record.to == turn()));
            let server = server(&mut world, turn_host);
            assert_eq!((server.allocations(), server.streams()), (1, 1));
            let is_long = piece_len >= 100;
            assert!(server.relayed_in_channels > if is_long { 200 } else { 20 } && server.relayed_in_indications < 30);
            assert_eq!(drops(&mut world, hosts[0]), 0);
        }
    }
}

fn asked_over(server: &TurnServer) -> Protocol {
    if server.to_string().starts_with("turns:") { Protocol::Tls } else { Protocol::Tcp }
}

fn drops(world: &mut World<Party>, host: Host) -> u64 {
    let drops = peer(world, host).connection.drops();
    drops.iter().filter(|(name, _)| name.starts_with("turn.")).map(|(_, count)| count).sum()
}

#[test]
fn batches_go_through_a_stream_and_messages_keep_their_bounds() {
    let (mut world, _, hosts) = world([with(relay_only(), &[at_turn().over_tcp()]), with_stun()]);
    connect(&mut world, hosts);
    peer(&mut world, hosts[0]).connection.set_max_segments(64);
    for len in [0, 1, 2, 3, 1201, 50_001] {
        exchange(&mut world, hosts, 10, len);
    }
    assert_eq!(drops(&mut world, hosts[0]), 0);
}

/// RFC 8445 §5.1.2: what goes in datagrams is preferred to a stream, and that to one in TLS. Where a stream comes from is told nobody as
/// an address.
#[test]
fn datagrams_are_preferred_to_streams() {
    let ways = [at_turn().over_tls("turn.example.org"), at_turn().over_tcp(), at_turn()];
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let ways = order.map(|n| ways[n].clone());
        let (mut world, turn_host, hosts) = world([with(with_turn(PASSWORD), &ways), with_stun()]);
        connect(&mut world, hosts);
        exchange(&mut world, hosts, 5, 1000);
        let by_way = |wanted: &str| {
            let report = peer(&mut world, hosts[0]).connection.stats(wigwag_sim::origin());
            let mut found = report.iter().filter_map(|stats| match stats {
                wigwag::stats::Stats::LocalCandidate(local) if local.relay_protocol == Some(wanted) => {
                    Some(local.priority)
                }
                _ => None,
            });
            found.next().unwrap()
        };
        let priorities = ["udp", "tcp", "tls"].map(by_way);
        assert!(priorities.is_sorted_by(|a, b| a > b), "{priorities:?}");
        assert!(priorities.iter().all(|priority| priority >> 24 == 0), "RFC 8445 §5.1.2.2: 0 for relayed candidates");
        let sdp = peer(&mut world, hosts[0]).connection.local_description().unwrap().sdp;
        assert_eq!((sdp.matches(" typ relay ").count(), sdp.matches(" typ srflx ").count()), (3, 1), "{sdp}");
        assert_eq!(server(&mut world, turn_host).allocations(), 3);
    }
}

/// RFC 8656 §7.2 does not bind them: each stream is a 5-tuple of its own.
#[test]
fn each_connection_of_an_endpoint_has_a_stream_and_an_address_of_its_own() {
    let mut world = World::new(6);
    let turn_host = add_server(&mut world);
    let local: SocketAddr = "192.0.2.1:5000".parse().unwrap();
    let mut endpoint = EndpointServer::new(1, wigwag_sim::A, EndpointConfig::default());
    endpoint.endpoint = Endpoint::new(EndpointConfig::default(), Seed::for_test(9));
    endpoint.endpoint.add_local_address(local).unwrap();
    let host = world.add("E", &[local], Party::Endpoint(Box::new(endpoint)));
    let peers = [2u8, 3, 4].map(|n| {
        let remote = SocketAddr::from(([192, 0, 2, n], 5000));
        let mut connection = PeerConnection::new(config(), Seed::for_test(u64::from(n)));
        connection.add_local_address(remote).unwrap();
        world.add(["B", "C", "D"][usize::from(n) - 2], &[remote], Party::Peer(Box::new(Peer::new(connection))))
    });
    let config = with(relay_only(), &[at_turn().over_tcp()]);
    let ids = [(); 3].map(|()| endpoint_of(&mut world, host).endpoint.create(config.clone()).unwrap());
    for id in ids {
        let connection = endpoint_of(&mut world, host).endpoint.connection_mut(id).unwrap();
        connection.create_data_channel("c", DataChannelInit::default().negotiated(0)).unwrap();
        let offer = connection.create_offer().unwrap();
        connection.set_local_description(offer).unwrap();
    }
    world.run_for(2 * SECOND);
    for (id, peer) in ids.into_iter().zip(peers) {
        accept(&mut world, [host, peer], id);
    }
    world.run_for(5 * SECOND);
    for _ in 0..3 {
        for at in peers {
            let channel = peer(&mut world, at).channels["c"];
            peer(&mut world, at).connection.send(channel, vec![b'w'; 5000].into(), false).unwrap();
        }
        world.note("messages");
        world.run_for(2 * SECOND);
    }
    let echoes = peers.map(|at| peer(&mut world, at).messages.len());
    assert_eq!(echoes, [3; 3], "{:?}", peer(&mut world, peers[0]).events);
    assert_eq!(server(&mut world, turn_host).allocations(), 3);

    assert_eq!(endpoint_of(&mut world, host).endpoint.stats().unroutable, 0);

    // One says goodbye, one is forgotten without a word: their streams are closed, and the third goes on.
    let endpoint = &mut endpoint_of(&mut world, host).endpoint;
    endpoint.connection_mut(ids[0]).unwrap().close();
    endpoint.remove(ids[1]);
    assert!(endpoint.poll_timeout(wigwag_sim::origin()).is_some());
    world.run_for(2 * SECOND);
    let turn_server = server(&mut world, turn_host);
    assert_eq!((turn_server.allocations(), turn_server.streams()), (1, 1));
    let channel = peer(&mut world, peers[2]).channels["c"];
    peer(&mut world, peers[2]).connection.send(channel, vec![b'w'; 5000].into(), false).unwrap();
    world.run_for(2 * SECOND);
    assert_eq!(peer(&mut world, peers[2]).messages.len(), 4);
}

fn endpoint_of(world: &mut World<Party>, host: Host) -> &mut EndpointServer {
    match &mut world[host] {
        Party::Endpoint(endpoint) => endpoint,
        _ => panic!("no endpoint"),
    }
}

/// What the endpoint's connection has offered is answered.
fn accept(world: &mut World<Party>, [host, at]: [Host; 2], id: ConnectionId) {
    let offer = endpoint_of(world, host).endpoint.connection(id).unwrap().local_description().unwrap().sdp;
    assert_eq!(offer.matches(" typ relay ").count(), 1, "{offer}");
    let other = &mut peer(world, at).connection;
    other.create_data_channel("c", DataChannelInit::default().negotiated(0)).unwrap();
    other.set_remote_description(SessionDescription::offer(offer)).unwrap();
    let answer = other.create_answer().unwrap();
    other.set_local_description(answer).unwrap();
    let answer = other.local_description().unwrap();
    endpoint_of(world, host).endpoint.connection_mut(id).unwrap().set_remote_description(answer).unwrap();
}

/// A server that refuses, says nothing, or says something else: the call goes another way, and somebody is told what helps.
#[test]
fn a_stream_that_comes_to_nothing_is_told_and_the_call_goes_another_way() {
    for (asked, _, url) in over_streams() {
        for fault in 0..3 {
            let (mut world, turn_host, hosts) =
                neighbours([with(with_turn(PASSWORD), std::slice::from_ref(&asked)), config()]);
            match fault {
                0 => server(&mut world, turn_host).refuses_streams = true,
                1 => server(&mut world, turn_host).is_dead = true,
                _ => {}
            }
            if fault == 2 {
                let connection = &mut peer(&mut world, hosts[0]).connection;
                connection.create_data_channel("early", DataChannelInit::default()).unwrap();
                let offer = connection.create_offer().unwrap();
                connection.set_local_description(offer).unwrap();
                world.run_for(Duration::from_millis(25));
                server(&mut world, turn_host).send_on_streams(b"HTTP/1.1 400 Bad Request\r\n\r\n\x80");
                let garbage = [0xFF; 30_000];
                server(&mut world, turn_host).send_on_streams(&garbage);
                world.run_for(SECOND);
                let rollback = SessionDescription::rollback();
                peer(&mut world, hosts[0]).connection.set_local_description(rollback).unwrap();
            }
            connect(&mut world, hosts);
            exchange(&mut world, hosts, 5, 1000);
            world.run_for(60 * SECOND);
            let events = events(&mut world, hosts[0]);
            let words = ["no connection", "does not answer", "does not speak TURN"][fault];
            let is_told = events.contains("error_code: 701") && events.contains(words) && events.contains(url);
            assert!(is_told, "{fault}: {events}");
            assert_eq!(peer(&mut world, hosts[0]).state, ConnectionState::Connected);
            assert_eq!(server(&mut world, turn_host).streams(), 0, "closed");
        }
    }
}

/// The server is started anew. What the driver knows of it is told.
#[test]
fn an_address_is_lost_with_its_stream_and_another_asked_for_by_a_restart() {
    let (mut world, turn_host, hosts) = world([with(relay_only(), &[at_turn().over_tcp()]), with_stun()]);
    connect(&mut world, hosts);
    let first = stream_of(&world);
    let connection = &mut peer(&mut world, hosts[0]).connection;
    connection.explain_stream_end(Path { protocol: Protocol::Tls, ..first }, "of another");
    connection.explain_stream_end(first, "Connection reset by peer");
    server(&mut world, turn_host).send_on_streams(&[]);
    world.run_for(SECOND);
    let told = events(&mut world, hosts[0]);
    assert!(told.contains("the connection to the server has ended: Connection reset by peer"), "{told}");
    world.run_for(60 * SECOND);
    peer(&mut world, hosts[0]).connection.restart_ice().unwrap();
    negotiate(&mut world, hosts);
    world.run_for(5 * SECOND);
    exchange(&mut world, hosts, 5, 1000);
    let server = server(&mut world, turn_host);
    assert_eq!((server.allocations(), server.streams()), (1, 1));
    assert_ne!(stream_of(&world).local, first.local, "what comes late of the first is of no other");
}

/// The last stream that was used.
fn stream_of(world: &World<Party>) -> Path {
    let mut sent = world.trace().records().iter().rev().filter(|record| record.to == turn());
    let record = sent.find(|record| record.protocol != Protocol::Udp).unwrap();
    Path { protocol: record.protocol, local: record.from, remote: record.to }
}

#[test]
fn streams_are_closed_with_their_connection_and_with_their_address() {
    for ends in [0, 1] {
        let (mut world, turn_host, hosts) = world([with(relay_only(), &[at_turn().over_tcp()]), with_stun()]);
        connect(&mut world, hosts);
        let connection = &mut peer(&mut world, hosts[0]).connection;
        if ends == 0 {
            connection.close();
        } else {
            connection.remove_local_address(([192, 168, 1, 2], 5000).into());
        }
        world.run_for(2 * SECOND);
        let server = server(&mut world, turn_host);
        assert_eq!((server.allocations(), server.streams()), (0, 0), "{ends}");
        assert_eq!(peer(&mut world, hosts[0]).closed.is_some(), ends == 0);
    }
}

#[test]
fn whoever_opens_a_stream_in_tls_is_told_the_name_to_check() {
    let local = SocketAddr::from(([192, 0, 2, 1], 5000));
    let mut config = with(relay_only(), &[at_turn().over_tls("turn.example.org")]);
    let other = TurnServer::new(turn(), USERNAME, PASSWORD).over_tls("other.example.org");
    config.turn_servers.push(other);
    let mut endpoint = Endpoint::new(EndpointConfig::default(), Seed::for_test(9));
    endpoint.add_local_address(local).unwrap();
    let id = endpoint.create(config).unwrap();
    let connection = endpoint.connection_mut(id).unwrap();
    connection.create_data_channel("c", DataChannelInit::default()).unwrap();
    let offer = connection.create_offer().unwrap();
    connection.set_local_description(offer).unwrap();
    let (mut names, mut out, mut now) = (vec![], Vec::new(), wigwag_sim::origin());
    for _ in 0..3 {
        endpoint.handle_timeout(now);
        while let Some(transmit) = endpoint.poll_transmit(now, &mut out) {
            let stream = Path { protocol: transmit.protocol, local: transmit.local, remote: transmit.remote };
            assert_eq!((stream.protocol, stream.local.ip(), stream.remote), (Protocol::Tls, local.ip(), turn()));
            names.extend(endpoint.tls_server_name(stream).map(str::to_owned));
            for protocol in [Protocol::Tcp, Protocol::Udp] {
                assert_eq!(endpoint.tls_server_name(Path { protocol, ..stream }), None);
            }
        }
        while endpoint.poll_event().is_some() {}
        now += Duration::from_millis(60);
    }
    assert_eq!(names, ["turn.example.org", "other.example.org"]);
}

#[test]
fn a_name_that_no_certificate_is_for_is_refused_before() {
    for name in ["", "exa mple", "turn:example.org", "a..b", "-"] {
        let config = with(config(), &[at_turn().over_tls(name)]);
        let result = Endpoint::new(EndpointConfig::default(), Seed::for_test(9)).create(config);
        assert_eq!(result.is_err(), name != "-", "{name:?}");
    }
    let config = with(config(), &[at_turn().over_tls("turn.example.org"), at_turn().over_tls("2001:db8::1")]);
    assert!(Endpoint::new(EndpointConfig::default(), Seed::for_test(9)).create(config).is_ok());
}
