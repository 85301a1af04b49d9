//! A call through our own TURN server: two homes behind NATs of the worst kind, over datagrams and streams.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use bytes::Bytes;
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};
use wigwag::{
    Config, ConnectionState, DataChannelInit, Datagram, Event, IceTransportPolicy, PeerConnection, Seed, Transmit,
    TurnServer, WallClock,
};
use wigwag_sim::{Behavior, Fault, Host, INTERNET, Node, World};
use wigwag_turn::{Credentials, Server, ServerConfig, ServerEvent};

enum Machine {
    Peer(Box<Peer>),
    Server(Box<Server>, BTreeSet<SocketAddr>),
}

struct Peer {
    connection: PeerConnection,
    events: Vec<Event>,
}

impl Node for Machine {
    fn handle_input(&mut self, datagram: Datagram<'_>, now: Instant) {
        match self {
            Self::Peer(peer) => peer.connection.handle_input(datagram, now),
            Self::Server(server, sockets) if datagram.local == listening() || sockets.contains(&datagram.local) => {
                server.handle_input(datagram, now);
            }
            Self::Server(..) => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        match self {
            Self::Peer(peer) => peer.connection.handle_timeout(now),
            Self::Server(server, _) => server.handle_timeout(now),
        }
    }

    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        match self {
            Self::Peer(peer) => peer.connection.poll_transmit(now, out),
            Self::Server(server, _) => server.poll_transmit(now, out),
        }
    }

    fn poll_event(&mut self) -> bool {
        match self {
            Self::Peer(peer) => {
                let event = peer.connection.poll_event();
                let has_event = event.is_some();
                peer.events.extend(event);
                has_event
            }
            Self::Server(server, sockets) => {
                let Some(event) = server.poll_event() else { return false };
                match event {
                    ServerEvent::RelayRequested { relayed, .. } => {
                        assert!(sockets.insert(relayed));
                        server.relay_opened(relayed, true);
                    }
                    ServerEvent::RelayClosed { relayed, .. } => assert!(sockets.remove(&relayed)),
                    event => panic!("{event:?}"),
                }
                true
            }
        }
    }

    fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        match self {
            Self::Peer(peer) => peer.connection.poll_timeout(now),
            Self::Server(server, _) => server.poll_timeout(now),
        }
    }
}

fn listening() -> SocketAddr {
    ([198, 51, 100, 9], 3478).into()
}

fn peer(world: &mut World<Machine>, host: Host) -> &mut Peer {
    match &mut world[host] {
        Machine::Peer(peer) => peer,
        Machine::Server(..) => panic!("no peer"),
    }
}

fn turn(world: &mut World<Machine>, host: Host) -> (&Server, &BTreeSet<SocketAddr>) {
    match &world[host] {
        Machine::Server(server, sockets) => (server, sockets),
        Machine::Peer(_) => panic!("no server"),
    }
}

fn world(seed: u64, is_over_tcp: bool) -> (World<Machine>, Host, [Host; 2]) {
    let mut world = World::new(seed);
    let mut config = ServerConfig::new("example.org", [listening()], [listening().ip()]).unwrap();
    config.add_user(&Credentials::new("alice", "secret"));
    config.relay_ports = 50_000..=50_007;
    let ports = config.relay_ports.clone().map(|port| SocketAddr::new(listening().ip(), port));
    let addresses: Vec<_> = std::iter::once(listening()).chain(ports).collect();
    let server = Machine::Server(Box::new(Server::new(config, Seed::for_test(seed))), BTreeSet::new());
    let server = world.add("T", &addresses, server);
    let hosts = [1, 2].map(|n| {
        let realm = world.add_nat(INTERNET, Ipv4Addr::new(203, 0, 113, n));
        let behavior = Behavior::AddressAndPortDependent;
        world.nat(realm).mapping(behavior).filtering(behavior);
        let mut config = Config::new(WallClock::new(wigwag_sim::origin(), Duration::ZERO));
        let turn = TurnServer::new(listening(), "alice", "secret");
        config.turn_servers = vec![if is_over_tcp { turn.over_tcp() } else { turn }];
        config.ice_transport_policy = IceTransportPolicy::Relay;
        let mut connection = PeerConnection::new(config, Seed::for_test(seed + u64::from(n)));
        let private: SocketAddr = ([192, 168, n, 2], 5000).into();
        connection.add_local_address(private).unwrap();
        let peer = Machine::Peer(Box::new(Peer { connection, events: vec![] }));
        world.add_behind(realm, ["A", "Z"][usize::from(n) - 1], &[private], peer)
    });
    (world, server, hosts)
}

/// Offers, answers, and hands over candidates until the channel is open.
fn connect(world: &mut World<Machine>, [a, z]: [Host; 2]) {
    let caller = &mut peer(world, a).connection;
    caller.create_data_channel("c", DataChannelInit::default()).unwrap();
    let offer = caller.create_offer().unwrap();
    caller.set_local_description(offer.clone()).unwrap();
    let callee = &mut peer(world, z).connection;
    callee.set_remote_description(offer).unwrap();
    let answer = callee.create_answer().unwrap();
    callee.set_local_description(answer.clone()).unwrap();
    peer(world, a).connection.set_remote_description(answer).unwrap();
    let mut told = [0; 2];
    for _ in 0..600 {
        world.run_for(Duration::from_millis(50));
        for (n, [from, to]) in [[a, z], [z, a]].into_iter().enumerate() {
            let events = peer(world, from).events.split_off(told[n]);
            for event in &events {
                if let Event::IceCandidate(candidate) = event {
                    peer(world, to).connection.add_ice_candidate(candidate.as_ref()).unwrap();
                }
            }
            told[n] += events.len();
            peer(world, from).events.extend(events);
        }
        let is_open = |event: &Event| matches!(event, Event::ChannelOpened(_));
        if [a, z].iter().all(|host| peer(world, *host).events.iter().any(is_open)) {
            return;
        }
    }
    panic!("{:?}", [a, z].map(|host| peer(world, host).events.len()));
}

#[test]
fn two_homes_that_only_relays_connect_have_a_call() {
    for (seed, is_over_tcp, loss) in [(1, false, 0.0), (2, false, 5.0), (3, true, 0.0)] {
        let (mut world, server, hosts) = world(seed, is_over_tcp);
        for host in hosts {
            world.links(host, server, |link| {
                link.fault(Duration::ZERO..Duration::from_secs(3600), Fault::Loss(loss));
            });
        }
        connect(&mut world, hosts);
        // Minutes later permissions have been renewed.
        world.run_for(Duration::from_secs(900));
        for host in hosts {
            let peer = peer(&mut world, host);
            let channel = peer.events.iter().find_map(|event| match event {
                Event::ChannelOpened(channel) => Some(*channel),
                _ => None,
            });
            for _ in 0..50 {
                peer.connection.send(channel.unwrap(), Bytes::from(vec![7; 5000]), true).unwrap();
            }
        }
        world.run_for(Duration::from_secs(30));
        for host in hosts {
            let is_message = |event: &&Event| matches!(event, Event::Message { data, .. } if data.len() == 5000);
            let peer = peer(&mut world, host);
            assert_eq!(peer.events.iter().filter(is_message).count(), 50, "{is_over_tcp} {loss}");
            assert_eq!(peer.connection.connection_state(), ConnectionState::Connected);
        }
        let stats = *turn(&mut world, server).0.stats();
        assert!(stats.relayed_to_peers > 100 && stats.forbidden == 0 && stats.malformed == 0, "{stats:?}");
        hosts.iter().for_each(|host| peer(&mut world, *host).connection.close());
        world.run_for(Duration::from_secs(1000));
        let (server, sockets) = turn(&mut world, server);
        assert_eq!((server.allocations(), server.streams(), sockets.len()), (0, 0, 0), "{is_over_tcp} {loss}");
    }
}
