//! Our client and our server, on networks that lose, repeat and translate.

use crate::bench::{SECOND, at};
use crate::nodes::{self, Machine, PeerNode};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;
use wigwag_sansio::Protocol;
use wigwag_sim::{A, Behavior, Fault, Host, INTERNET, World, seeds};
use wigwag_turn::ClientEvent;

const PROTOCOLS: [Protocol; 2] = [Protocol::Udp, Protocol::Tcp];

fn server_address() -> SocketAddr {
    at("203.0.113.1:3478")
}

struct Net {
    world: World<Machine>,
    server: Host,
    peer: Host,
}

/// A client behind a NAT of the worst kind, the server, and a peer; a second client joins on demand.
fn net(protocol: Protocol, seed: u64) -> Net {
    let mut world = World::new(seed);
    let home = world.add_nat(INTERNET, [198, 51, 100, 1].into());
    world.nat(home).mapping(Behavior::AddressAndPortDependent).filtering(Behavior::AddressAndPortDependent);
    let local = at("192.168.1.2:1000");
    world.add_behind(home, "A", &[local], nodes::client(protocol, seed, local, server_address(), "ann"));
    let ports = 50_000..=50_007u16;
    let relayed = ports.clone().map(|port| SocketAddr::new(server_address().ip(), port));
    let addresses: Vec<_> = std::iter::once(server_address()).chain(relayed).collect();
    let server = world.add("Z", &addresses, nodes::server(seed, server_address(), ports));
    let peer = world.add("P", &[at("192.0.2.9:9")], Machine::Peer(PeerNode::default()));
    Net { world, server, peer }
}

fn relayed(world: &World<Machine>, host: Host) -> Option<SocketAddr> {
    world[host].events().iter().find_map(|event| match event {
        ClientEvent::Allocated { relayed, .. } => Some(*relayed),
        _ => None,
    })
}

#[test]
fn a_client_behind_a_nat_talks_with_a_peer_whatever_is_lost_and_comes_twice() {
    for (seed, protocol) in seeds(20).flat_map(|seed| PROTOCOLS.map(|protocol| (seed, protocol))) {
        let Net { mut world, server, peer } = net(protocol, seed);
        if protocol == Protocol::Udp {
            world.links(A, server, |link| {
                let minute = Duration::ZERO..60 * SECOND;
                link.fault(minute.clone(), Fault::Loss(20.0)).fault(minute, Fault::Duplication(20.0));
            });
        }
        world.run_until(|world| relayed(world, A).is_some(), 60 * SECOND);
        let relayed = relayed(&world, A).expect("an address");
        world[A].client().client.bind(at("192.0.2.9:9"));
        world.run_for(20 * SECOND);
        for n in 0..100u8 {
            world[A].client().to_send.push((at("192.0.2.9:9"), vec![n; 100]));
            world.run_for(SECOND / 10);
        }
        let (heard, back) = (world[peer].peer().received.clone(), world[A].client().received.clone());
        let whole: BTreeSet<_> = heard.iter().map(|(_, data)| data[0]).collect();
        let is_enough = if protocol == Protocol::Udp { whole.len() > 60 } else { whole.len() == 100 };
        assert!(is_enough && heard.iter().all(|(from, data)| *from == relayed && data.len() == 100), "{}", whole.len());
        assert!(back.len() >= 40 && back.iter().all(|(from, _)| *from == at("192.0.2.9:9")), "{}", back.len());
        world[A].client().client.release();
        world.run_for(700 * SECOND);
        let node = world[server].server();
        assert_eq!((node.server.allocations(), node.sockets.len(), node.server.streams()), (0, 0, 0), "{protocol:?}");
        assert_eq!(node.server.held_len(), 0);
    }
}

#[test]
fn an_allocation_is_kept_for_hours_with_nonces_and_permissions_that_grow_old() {
    for protocol in PROTOCOLS {
        let Net { mut world, server, peer } = net(protocol, 1);
        world.run_until(|world| relayed(world, A).is_some(), 5 * SECOND);
        world[A].client().client.bind(at("192.0.2.9:9"));
        for n in 0..100u8 {
            world.run_for(120 * SECOND);
            world[A].client().to_send.push((at("192.0.2.9:9"), vec![n; 10]));
        }
        world.run_for(SECOND);
        assert_eq!(world[peer].peer().received.len(), 100, "{protocol:?}");
        assert_eq!(world[A].client().received.len(), 100);
        let node = world[server].server();
        assert_eq!((node.requested, node.server.allocations()), (1, 1));
        assert!(node.server.stats().challenged >= 3, "{:?}", node.server.stats());
        assert_eq!(node.server.stats().dropped(), 0, "{:?}", node.server.stats());
    }
}

#[test]
fn two_clients_meet_at_one_server() {
    for protocol in PROTOCOLS {
        let Net { mut world, server, .. } = net(protocol, 1);
        let local = at("198.51.100.9:900");
        let bob = world.add("B", &[local], nodes::client(Protocol::Udp, 2, local, server_address(), "bob"));
        world.run_until(|world| relayed(world, A).is_some() && relayed(world, bob).is_some(), 5 * SECOND);
        let [at_ann, at_bob] = [A, bob].map(|host| relayed(&world, host).unwrap());
        world[A].client().client.bind(at_bob);
        world[bob].client().client.allow(at_ann.ip());
        world.run_for(2 * SECOND);
        world[A].client().to_send.push((at_bob, b"hello".to_vec()));
        world.run_for(SECOND);
        world[bob].client().to_send.push((at_ann, b"hello to you".to_vec()));
        world.run_for(SECOND);
        assert_eq!(world[bob].client().received, [(at_ann, b"hello".to_vec())]);
        assert_eq!(world[A].client().received, [(at_bob, b"hello to you".to_vec())]);
        assert_eq!(world[server].server().server.stats().dropped(), 0);
    }
}

#[test]
fn a_client_that_is_gone_leaves_nothing_behind() {
    let Net { mut world, server, .. } = net(Protocol::Udp, 1);
    world.run_until(|world| relayed(world, A).is_some(), 5 * SECOND);
    world.links(A, server, |link| {
        link.fault(Duration::ZERO..Duration::MAX, Fault::Loss(100.0));
    });
    world.run_for(601 * SECOND);
    let node = world[server].server();
    assert_eq!((node.server.allocations(), node.sockets.len(), node.server.held_len()), (0, 0, 0));
}
