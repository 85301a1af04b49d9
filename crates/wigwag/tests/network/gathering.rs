//! STUN servers tell which addresses NATs give, and calls go through these.

use crate::common::{Peer, config};
use crate::endpoint::Server;
use crate::turn_server;
use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};
use wigwag::sansio::{Datagram, Transmit};
use wigwag::{
    Config, ConnectionState, DataChannelInit, Endpoint, EndpointConfig, PeerConnection, Seed, SessionDescription,
};
use wigwag_sim::{Behavior, Host, INTERNET, Node, World};

const STUN: &str = "198.51.100.9:3478";

/// A public server, in two lines.
#[derive(Default)]
pub(crate) struct StunServer {
    owed: VecDeque<(SocketAddr, SocketAddr, Vec<u8>)>,
    is_deaf: bool,
}

pub(crate) enum Party {
    Peer(Box<Peer>),
    Endpoint(Box<Server>),
    Stun(StunServer),
    Turn(Box<turn_server::Server>),
}

impl Node for Party {
    fn handle_input(&mut self, datagram: Datagram<'_>, now: Instant) {
        match self {
            Self::Peer(peer) => peer.handle_input(datagram, now),
            Self::Endpoint(server) => server.handle_input(datagram, now),
            Self::Turn(server) => server.handle_input(datagram, now),
            Self::Stun(server) => {
                let mut answer = Vec::new();
                if !server.is_deaf && wigwag_stun::answer(datagram.payload, datagram.remote, &mut answer) {
                    server.owed.push_back((datagram.local, datagram.remote, answer));
                }
            }
        }
    }
    fn handle_timeout(&mut self, now: Instant) {
        match self {
            Self::Peer(peer) => peer.handle_timeout(now),
            Self::Endpoint(server) => server.handle_timeout(now),
            Self::Stun(_) | Self::Turn(_) => {}
        }
    }
    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        match self {
            Self::Peer(peer) => peer.poll_transmit(now, out),
            Self::Endpoint(server) => server.poll_transmit(now, out),
            Self::Turn(server) => server.poll_transmit(out),
            Self::Stun(server) => {
                let (local, remote, answer) = server.owed.pop_front()?;
                *out = answer;
                Some(Transmit::udp(local, remote, out.len()))
            }
        }
    }
    fn poll_event(&mut self) -> bool {
        match self {
            Self::Peer(peer) => peer.poll_event(),
            Self::Endpoint(server) => server.poll_event(),
            Self::Stun(_) | Self::Turn(_) => false,
        }
    }
    fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        match self {
            Self::Peer(peer) => peer.poll_timeout(now),
            Self::Endpoint(server) => server.poll_timeout(now),
            Self::Turn(server) => server.poll_timeout(now),
            Self::Stun(server) => (!server.owed.is_empty()).then_some(now),
        }
    }
}

fn stun() -> SocketAddr {
    STUN.parse().unwrap()
}

fn with_stun() -> Config {
    let mut config = config();
    config.stun_servers = vec![stun()];
    config
}

/// Two homes, each behind a NAT of its own, with the same private address; and a STUN server on the internet.
fn world(mapping: Behavior, config: &Config, is_deaf: bool) -> (World<Party>, [Host; 2]) {
    let mut world = World::new(5);
    world.add("S", &[stun()], Party::Stun(StunServer { owed: VecDeque::new(), is_deaf }));
    let private: SocketAddr = "192.168.1.2:5000".parse().unwrap();
    let hosts = [(1, "A"), (2, "Z")].map(|(n, name)| {
        let realm = world.add_nat(INTERNET, Ipv4Addr::new(203, 0, 113, n));
        world.nat(realm).mapping(mapping);
        let mut connection = PeerConnection::new(config.clone(), Seed::for_test(u64::from(n)));
        connection.add_local_address(private).unwrap();
        world.add_behind(realm, name, &[private], Party::Peer(Box::new(Peer::new(connection))))
    });
    (world, hosts)
}

pub(crate) fn peer(world: &mut World<Party>, host: Host) -> &mut Peer {
    match &mut world[host] {
        Party::Peer(peer) => peer,
        Party::Endpoint(_) | Party::Stun(_) | Party::Turn(_) => panic!("no peer"),
    }
}

/// What is gathered within a second is in the description by then.
pub(crate) fn gathered(world: &mut World<Party>, host: Host) -> SessionDescription {
    world.run_for(Duration::from_secs(1));
    peer(world, host).connection.local_description().unwrap()
}

/// A calls Z with a channel.
pub(crate) fn call(world: &mut World<Party>, hosts: [Host; 2], label: &str) {
    let connection = &mut peer(world, hosts[0]).connection;
    connection.create_data_channel(label, DataChannelInit::default()).unwrap();
    negotiate(world, hosts);
}

/// A offers when it has gathered, and Z answers when it has.
pub(crate) fn negotiate(world: &mut World<Party>, [a, z]: [Host; 2]) {
    let connection = &mut peer(world, a).connection;
    let offer = connection.create_offer().unwrap();
    connection.set_local_description(offer).unwrap();
    let offer = gathered(world, a);
    let connection = &mut peer(world, z).connection;
    connection.set_remote_description(offer).unwrap();
    let answer = connection.create_answer().unwrap();
    connection.set_local_description(answer).unwrap();
    let answer = gathered(world, z);
    peer(world, a).connection.set_remote_description(answer).unwrap();
}

#[test]
fn two_behind_nats_meet_at_the_addresses_that_a_stun_server_told() {
    let (mut world, hosts) = world(Behavior::EndpointIndependent, &with_stun(), false);
    call(&mut world, hosts, "c");
    let is_connected = |world: &mut World<Party>| hosts.map(|host| peer(world, host).state);
    for _ in 0..100 {
        world.run_for(Duration::from_millis(100));
    }
    assert_eq!(is_connected(&mut world), [ConnectionState::Connected; 2]);
    for (host, of_nat) in hosts.into_iter().zip(["203.0.113.1", "203.0.113.2"]) {
        let peer = peer(&mut world, host);
        let sdp = peer.connection.local_description().unwrap().sdp;
        let candidate = sdp.lines().find(|line| line.contains(" typ srflx ")).expect("a reflexive candidate");
        assert!(candidate.contains(&format!(" {of_nat} ")), "{candidate}");
        assert!(candidate.contains(" raddr 192.168.1.2 rport 5000"), "{candidate}");
        assert!(sdp.contains("a=end-of-candidates\r\n"), "{sdp}");
        let told = peer.events.iter().filter(|event| event.starts_with("IceCandidate(Some(")).count();
        let last = peer.events.iter().rposition(|event| event.starts_with("IceCandidate(Some(")).unwrap();
        let end = peer.events.iter().position(|event| event == "IceCandidate(None)").unwrap();
        assert!(told == 2 && last < end, "{:?}", peer.events);
    }
}

#[test]
fn without_a_stun_server_they_do_not_meet() {
    let (mut world, hosts) = world(Behavior::EndpointIndependent, &config(), false);
    call(&mut world, hosts, "c");
    world.run_for(Duration::from_secs(60));
    assert_eq!(hosts.map(|host| peer(&mut world, host).state), [ConnectionState::Failed; 2]);
}

#[test]
fn a_server_that_does_not_answer_is_told_and_gathering_ends() {
    let (mut world, [a, _]) = world(Behavior::EndpointIndependent, &with_stun(), true);
    let connection = &mut peer(&mut world, a).connection;
    connection.create_data_channel("c", DataChannelInit::default()).unwrap();
    let offer = connection.create_offer().unwrap();
    connection.set_local_description(offer).unwrap();
    world.run_for(Duration::from_secs(60));
    let events = &peer(&mut world, a).events;
    let error = events.iter().position(|event| event.starts_with("IceCandidateError")).expect("an error");
    assert!(events[error].contains("701") && events[error].contains(STUN), "{}", events[error]);
    let complete = events.iter().position(|event| event == "IceGatheringStateChanged(Complete)").expect("an end");
    assert!(error < complete, "{events:?}");
    assert!(events.contains(&"IceCandidate(None)".to_owned()));
}

/// An answer of a STUN server names nobody: an endpoint knows by its transaction whose it is.
#[test]
fn each_connection_of_an_endpoint_asks_for_itself() {
    let mut world = World::new(6);
    world.add("S", &[stun()], Party::Stun(StunServer::default()));
    let local: SocketAddr = "192.0.2.1:5000".parse().unwrap();
    let mut server = Server::new(1, wigwag_sim::A, EndpointConfig::default());
    server.endpoint = Endpoint::new(EndpointConfig::default(), Seed::for_test(9));
    server.endpoint.add_local_address(local).unwrap();
    let host = world.add("E", &[local], Party::Endpoint(Box::new(server)));
    let Party::Endpoint(server) = &mut world[host] else { panic!("an endpoint") };
    let ids = [(); 3].map(|()| server.endpoint.create(with_stun()).unwrap());
    for id in ids {
        let connection = server.endpoint.connection_mut(id).unwrap();
        connection.create_data_channel("c", DataChannelInit::default()).unwrap();
        let offer = connection.create_offer().unwrap();
        connection.set_local_description(offer).unwrap();
    }
    world.run_for(Duration::from_secs(2));
    let Party::Endpoint(server) = &mut world[host] else { panic!("an endpoint") };
    assert_eq!(server.endpoint.stats().unroutable, 0);
    for id in ids {
        let connection = server.endpoint.connection(id).unwrap();
        assert_eq!(connection.ice_gathering_state(), wigwag::IceGatheringState::Complete);
        // Behind no NAT there is nothing new to find.
        assert!(!connection.local_description().unwrap().sdp.contains("srflx"));
    }
}

#[test]
fn candidates_found_later_name_their_section() {
    let (mut world, [a, _]) = world(Behavior::AddressDependent, &with_stun(), false);
    let connection = &mut peer(&mut world, a).connection;
    connection.create_data_channel("c", DataChannelInit::default()).unwrap();
    let offer = connection.create_offer().unwrap();
    connection.set_local_description(offer).unwrap();
    world.run_for(Duration::from_secs(2));
    let found = peer(&mut world, a).events.iter().find(|event| event.contains("srflx")).cloned().expect("a candidate");
    assert!(found.contains("sdp_mid: Some(\"0\")"), "{found}");
}
