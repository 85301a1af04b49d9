//! Relays of either family, several of them, and what is sent through one that knows the peer by no number.

use crate::common::Peer;
use crate::gathering::{Party, call, negotiate, peer};
use crate::relays::{add_server, connect, exchange, relay_only, server, turn, with_stun};
use crate::turn_server::{PASSWORD, Server, USERNAME};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use wigwag::{Config, ConnectionState, Direction, MediaKind, PeerConnection, RtpPacket, Seed, TurnServer};
use wigwag_sim::{Host, World};

const SECOND: Duration = Duration::from_secs(1);

fn add_peer(world: &mut World<Party>, name: &'static str, locals: &[SocketAddr], config: Config) -> Host {
    let mut connection = PeerConnection::new(config, Seed::for_test(name.len() as u64 + u64::from(locals[0].port())));
    for local in locals {
        connection.add_local_address(*local).unwrap();
    }
    world.add(name, locals, Party::Peer(Box::new(Peer::new(connection))))
}

fn add_server_at(world: &mut World<Party>, name: &'static str, at: SocketAddr, lent: IpAddr) -> Host {
    let ports: Vec<_> = (50_000..50_004).map(|port| SocketAddr::new(lent, port)).collect();
    let addresses: Vec<_> = [at].into_iter().chain(ports.iter().copied()).collect();
    world.add(name, &addresses, Party::Turn(Box::new(Server::new(at, &ports))))
}

fn asks(servers: &[SocketAddr]) -> Config {
    let mut config = relay_only();
    config.turn_servers = servers.iter().map(|at| TurnServer::new(*at, USERNAME, PASSWORD)).collect();
    config
}

/// RFC 8656 §7.2: a server lends an address of IPv4 unless it is asked for another, also to whoever comes by IPv6.
#[test]
fn whoever_comes_by_ipv6_reaches_peers_of_the_family_that_is_lent() {
    let at: SocketAddr = "[2001:db8:9::9]:3478".parse().unwrap();
    for (lent, far) in [("2001:db8:9::9", "[2001:db8::2]:5001"), ("198.51.100.9", "203.0.113.2:5001")] {
        let mut world = World::new(5);
        let host = add_server_at(&mut world, "T", at, lent.parse().unwrap());
        let a = add_peer(&mut world, "A", &["[2001:db8::1]:5000".parse().unwrap()], asks(&[at]));
        let z = add_peer(&mut world, "Z", &[far.parse().unwrap()], crate::common::config());
        connect(&mut world, [a, z]);
        exchange(&mut world, [a, z], 20, 5000);
        let sdp = peer(&mut world, a).connection.local_description().unwrap().sdp;
        assert!(sdp.contains(&format!(" {lent} 50000 typ relay raddr ")) && !sdp.contains("2001:db8::1"), "{sdp}");
        let server = server(&mut world, host);
        assert!(server.relayed_in_channels > 100 && server.relayed_in_indications < 40);
    }
}

/// Each address asks each server, one every Ta; a call goes on by another when the address that it went by vanishes.
#[test]
fn of_several_relays_another_takes_over() {
    let servers = [turn(), "198.51.100.10:3478".parse().unwrap()];
    let locals: [SocketAddr; 2] = ["203.0.113.1:5000", "203.0.113.7:5000"].map(|text| text.parse().unwrap());
    let mut world = World::new(5);
    let hosts = [("T", servers[0]), ("U", servers[1])].map(|(name, at)| add_server_at(&mut world, name, at, at.ip()));
    let a = add_peer(&mut world, "A", &locals, asks(&servers));
    let z = add_peer(&mut world, "Z", &["203.0.113.2:5001".parse().unwrap()], with_stun());
    connect(&mut world, [a, z]);
    let records = world.trace().records();
    let first = |from, to| records.iter().find(|record| (record.from, record.to) == (from, to)).unwrap().at;
    let mut asked: Vec<_> = locals.iter().flat_map(|from| servers.map(|to| first(*from, to))).collect();
    asked.sort();
    assert!(asked.windows(2).all(|pair| pair[1] - pair[0] >= Duration::from_millis(50)), "{asked:?}");
    assert_eq!(hosts.map(|host| server(&mut world, host).allocations()), [2, 2]);
    exchange(&mut world, [a, z], 5, 1000);
    peer(&mut world, a).connection.remove_local_address(locals[0]);
    world.note("an address vanishes");
    world.run_for(20 * SECOND);
    assert_eq!(peer(&mut world, a).state, ConnectionState::Connected);
    exchange(&mut world, [a, z], 5, 1000);
    // A server that is started anew takes its addresses with it.
    let path = peer(&mut world, a).connection.transport_stats().path.unwrap();
    let at = servers.iter().position(|at| at.ip() == path.local.ip()).unwrap();
    server(&mut world, hosts[at]).is_dead = true;
    world.run_for(60 * SECOND);
    exchange(&mut world, [a, z], 5, 1000);
    let now = peer(&mut world, a).connection.transport_stats().path.unwrap();
    assert_ne!(now.local.ip(), path.local.ip());
}

#[test]
fn after_a_failure_a_restart_goes_through_the_relay_that_is_there() {
    let mut world = World::new(5);
    let host = add_server(&mut world);
    let a = add_peer(&mut world, "A", &["203.0.113.1:5000".parse().unwrap()], relay_only());
    let z = add_peer(&mut world, "Z", &["203.0.113.2:5001".parse().unwrap()], with_stun());
    connect(&mut world, [a, z]);
    world.links(host, z, |link| {
        link.loss(100.0);
    });
    world.run_for(120 * SECOND);
    assert_eq!(peer(&mut world, a).state, ConnectionState::Failed);
    world.links(host, z, |link| {
        link.heal();
    });
    peer(&mut world, a).connection.restart_ice().unwrap();
    negotiate(&mut world, [a, z]);
    world.run_for(5 * SECOND);
    exchange(&mut world, [a, z], 5, 1000);
    assert_eq!((server(&mut world, host).count(3), server(&mut world, host).allocations()), (2, 1));
}

#[test]
fn whoever_closes_while_a_server_is_asked_is_done() {
    for millis in [0, 1, 25, 45, 65, 500] {
        let mut world = World::new(5);
        let host = add_server(&mut world);
        let a = add_peer(&mut world, "A", &["203.0.113.1:5000".parse().unwrap()], relay_only());
        let z = add_peer(&mut world, "Z", &["203.0.113.2:5001".parse().unwrap()], with_stun());
        let connection = &mut peer(&mut world, a).connection;
        connection.create_data_channel("c", wigwag::DataChannelInit::default()).unwrap();
        let offer = connection.create_offer().unwrap();
        connection.set_local_description(offer).unwrap();
        world.run_for(Duration::from_millis(millis));
        peer(&mut world, a).connection.close();
        world.note("goodbye");
        world.run_for(SECOND);
        assert!(peer(&mut world, a).closed.is_some() && peer(&mut world, z).closed.is_none());
        let asked = world.trace().records().len();
        world.run_for(60 * SECOND);
        assert_eq!(world.trace().records().len(), asked, "nothing more");
        assert!(millis < 500 || server(&mut world, host).allocations() == 0);
    }
}

/// The longest packet that is taken leaves, also in the longer way.
#[test]
fn the_longest_packet_of_media_passes_a_relay_that_knows_no_numbers() {
    for mtu in [576, 1232, 1401] {
        let mut world = World::new(5);
        let host = add_server(&mut world);
        server(&mut world, host).refuses = Some((9, 403));
        let mut n = 0;
        let hosts = [relay_only(), with_stun()].map(|mut config| {
            config.mtu = mtu;
            n += 1;
            let at = ([203, 0, 113, n], 5000).into();
            add_peer(&mut world, ["A", "Zz"][usize::from(n) - 1], &[at], config)
        });
        let id = peer(&mut world, hosts[0]).connection.add_transceiver(MediaKind::Video, Direction::Sendrecv).unwrap();
        call(&mut world, hosts, "c");
        world.run_for(5 * SECOND);
        let connection = &mut peer(&mut world, hosts[0]).connection;
        let fits = |len: &usize| connection.write_packet(id, RtpPacket::new(96, 0, vec![7; *len].into())).is_ok();
        let longest = (1..mtu).rev().find(fits).unwrap();
        assert!(longest > mtu - 80);
        world.note("a packet");
        world.run_for(SECOND);
        let packets = &peer(&mut world, hosts[1]).packets;
        assert_eq!(packets.iter().map(|packet| packet.packet.payload.len()).collect::<Vec<_>>(), [longest]);
        assert_eq!(server(&mut world, host).relayed_in_channels, 0);
    }
}
