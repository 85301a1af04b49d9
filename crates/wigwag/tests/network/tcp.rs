//! ICE over TCP (RFC 6544): where UDP does not come through, and where it does.

use crate::common::{Peer, answer, config, negotiate, offer};
use crate::endpoint::{Server, call};
use allocation_counter::measure;
use bytes::Bytes;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use wigwag::sansio::{Datagram, Ecn, Protocol, Rng, Seed, Transmit};
use wigwag::{ConnectionState, DataChannelInit, Endpoint, EndpointConfig, Path, PeerConnection, TcpType};
use wigwag_sim::{A, Host, Node, World, Z, address};

/// A peer whose streams come in pieces of this many bytes.
pub(crate) struct Cut<N> {
    pub(crate) node: N,
    pub(crate) size: usize,
}

impl<N: Node> Node for Cut<N> {
    fn handle_input(&mut self, datagram: Datagram<'_>, now: Instant) {
        let Datagram { protocol, local, remote, ecn, payload } = datagram;
        if protocol == Protocol::Udp || payload.is_empty() {
            return self.node.handle_input(Datagram { protocol, local, remote, ecn, payload }, now);
        }
        for payload in payload.chunks_mut(self.size) {
            self.node.handle_input(Datagram { protocol, local, remote, ecn, payload }, now);
        }
    }
    fn handle_timeout(&mut self, now: Instant) {
        self.node.handle_timeout(now);
    }
    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        self.node.poll_transmit(now, out)
    }
    fn poll_event(&mut self) -> bool {
        self.node.poll_event()
    }
    fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        self.node.poll_timeout(now)
    }
}

/// Where a host listens.
pub(crate) fn listener(host: Host) -> SocketAddr {
    SocketAddr::new(address(host).ip(), 443)
}

pub(crate) fn peer(seed: u64, host: Host, tcp_type: TcpType, has_udp: bool) -> Peer {
    let mut connection = PeerConnection::new(config(), Seed::for_test(seed * 2 + u64::from(host == Z)));
    if has_udp {
        connection.add_local_address(address(host)).unwrap();
    }
    connection.add_local_tcp_address(listener(host), tcp_type).unwrap();
    Peer::new(connection)
}

/// A has the one part, Z the other.
pub(crate) fn pair(seed: u64, of_a: TcpType, has_udp: bool) -> World<Peer> {
    let of_z = if of_a == TcpType::Active { TcpType::Passive } else { TcpType::Active };
    World::pair(seed, [peer(seed, A, of_a, has_udp), peer(seed, Z, of_z, has_udp)])
}

pub(crate) fn connect(world: &mut World<Peer>) {
    world[A].connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
    negotiate(world);
    await_open(world);
}

pub(crate) fn await_open(world: &mut World<Peer>) {
    let is_open = |peer: &Peer| peer.channels.contains_key("chat") && peer.state == ConnectionState::Connected;
    world.run_until(|world| is_open(&world[A]) && is_open(&world[Z]), Duration::from_secs(60));
}

/// Whether a message of this length comes from either side.
pub(crate) fn exchange(world: &mut World<Peer>, len: usize) {
    let before = [A, Z].map(|host| world[host].messages.len());
    let data = Bytes::from(vec![7; len]);
    for host in [A, Z] {
        let channel = world[host].channels["chat"];
        world[host].connection.send(channel, data.clone(), true).unwrap();
    }
    let has_come = |world: &World<Peer>, host: Host| {
        let came = &world[host].messages[before[usize::from(host == Z)]..];
        came.iter().any(|(_, bytes, _)| *bytes == data)
    };
    world.run_until(|world| has_come(world, A) && has_come(world, Z), Duration::from_secs(60));
}

pub(crate) fn path(world: &World<Peer>, host: Host) -> Path {
    world[host].connection.transport_stats().path.expect("it is connected")
}

fn count(world: &World<Peer>, is_wanted: impl Fn(Protocol, &[u8]) -> bool) -> usize {
    world.trace().records().iter().filter(|record| is_wanted(record.protocol, &record.payload)).count()
}

/// How many streams there were, and how many of them are not closed.
fn streams(world: &World<Peer>) -> [usize; 2] {
    let (mut all, mut open) = (BTreeSet::new(), BTreeSet::new());
    for record in world.trace().records().iter().filter(|record| record.protocol == Protocol::Tcp) {
        let name = [record.from.min(record.to), record.from.max(record.to)];
        all.insert(name);
        if record.payload.is_empty() {
            open.remove(&name)
        } else {
            open.insert(name)
        };
    }
    [all.len(), open.len()]
}

#[test]
fn who_has_no_udp_is_reached_by_tcp_whoever_opens_the_stream() {
    for (seed, of_a) in [(1, TcpType::Active), (2, TcpType::Passive)] {
        let mut world = pair(seed, of_a, false);
        connect(&mut world);
        [1, 1200, 200_000].into_iter().for_each(|len| exchange(&mut world, len));
        let paths = [A, Z].map(|host| path(&world, host));
        assert!(paths.iter().all(|path| path.protocol == Protocol::Tcp));
        assert_eq!((paths[0].local, paths[0].remote), (paths[1].remote, paths[1].local));
        let passive = if of_a == TcpType::Passive { A } else { Z };
        assert_eq!(path(&world, passive).local, listener(passive));
        assert_eq!(count(&world, |protocol, _| protocol == Protocol::Udp), 0);
        let text = |host: Host| world[host].connection.local_description().unwrap().sdp;
        let active = if passive == A { Z } else { A };
        assert!(text(passive).contains(" 443 typ host tcptype passive"), "{}", text(passive));
        assert!(text(active).contains(" 9 typ host tcptype active"), "{}", text(active));
    }
}

#[test]
fn a_stream_may_be_cut_anywhere() {
    for size in [1, 3, 1000] {
        let peers = [(A, TcpType::Active), (Z, TcpType::Passive)];
        let nodes = peers.map(|(host, tcp_type)| Cut { node: peer(7, host, tcp_type, false), size });
        let mut world = World::pair(7, nodes);
        let a = &mut world[A].node.connection;
        a.create_data_channel("chat", DataChannelInit::default()).unwrap();
        let offer = a.create_offer().unwrap();
        a.set_local_description(offer).unwrap();
        let offer = a.local_description().unwrap();
        let z = &mut world[Z].node.connection;
        z.set_remote_description(offer).unwrap();
        let answer = z.create_answer().unwrap();
        z.set_local_description(answer).unwrap();
        let answer = z.local_description().unwrap();
        world[A].node.connection.set_remote_description(answer).unwrap();
        let is_open = |world: &World<Cut<Peer>>, host| world[host].node.channels.contains_key("chat");
        world.run_until(|world| is_open(world, A) && is_open(world, Z), Duration::from_secs(60));
    }
}

#[test]
fn udp_is_preferred_and_the_streams_that_were_opened_are_closed() {
    let mut world = pair(3, TcpType::Active, true);
    connect(&mut world);
    world.run_for(Duration::from_secs(90));
    exchange(&mut world, 1200);
    assert!([A, Z].iter().all(|host| path(&world, *host).protocol == Protocol::Udp));
    assert_eq!(streams(&world)[1], 0, "each is closed");
}

/// Packets that ICE does not look at, so that nothing but the way itself is measured.
#[test]
fn what_comes_over_a_stream_costs_no_allocation_on_its_way_up() {
    let mut world = pair(14, TcpType::Active, false);
    connect(&mut world);
    let (Path { protocol, local, remote }, now) = (path(&world, Z), world.now());
    let mut packet = [&[0, 40][..], &[255; 40]].concat();
    let mut hand_in = || {
        let (payload, ecn) = (&mut packet[..], Ecn::NotEct);
        world[Z].connection.handle_input(Datagram { protocol, local, remote, ecn, payload }, now);
    };
    hand_in();
    assert_eq!(measure(|| (0..100).for_each(|_| hand_in())).count_total, 0);
    assert_eq!(
        world[Z].connection.drops().iter().find(|(name, _)| *name == "transport.unknown_protocol"),
        Some(&("transport.unknown_protocol", 101))
    );
}

#[test]
fn a_request_is_sent_once_over_a_stream() {
    let mut world = pair(4, TcpType::Active, false);
    world.links(A, Z, |link| _ = link.latency(Duration::from_secs(2)));
    connect(&mut world);
    let requests = |transaction: &[u8]| {
        count(&world, |_, payload| payload.get(2..4) == Some(&[0, 1]) && payload.get(10..22) == Some(transaction))
    };
    for record in world.trace().records().iter().filter(|record| record.payload.get(2..4) == Some(&[0, 1])) {
        assert_eq!(requests(&record.payload[10..22]), 1);
    }
}

/// What both are told when a stream breaks.
fn break_stream(world: &mut World<Peer>) {
    for host in [A, Z] {
        let (Path { protocol, local, remote }, now) = (path(world, host), world.now());
        let end = Datagram { protocol, local, remote, ecn: Ecn::NotEct, payload: &mut [] };
        world[host].handle_input(end, now);
    }
}

#[test]
fn a_stream_that_breaks_is_opened_again_by_another_name() {
    for of_a in [TcpType::Active, TcpType::Passive] {
        let mut world = pair(5, of_a, false);
        connect(&mut world);
        let mut names = vec![path(&world, A)];
        for _ in 0..3 {
            break_stream(&mut world);
            let is_back = |world: &World<Peer>, host: Host| world[host].connection.transport_stats().path.is_some();
            world.run_until(|world| is_back(world, A) && is_back(world, Z), Duration::from_secs(20));
            exchange(&mut world, 5000);
            let name = path(&world, A);
            assert!(!names.contains(&name), "each name is used once");
            names.push(name);
        }
        let states = |host: Host| world[host].events.iter().filter(|event| event.contains("Failed")).count();
        assert_eq!([states(A), states(Z)], [0, 0]);
    }
}

/// Streams break at any moment, for one end or for both, and ICE begins anew: in the end there is one stream, and it carries messages.
#[test]
fn a_storm_of_broken_streams_passes() {
    for seed in wigwag_sim::seeds(100).chain([841]) {
        let mut rng = Rng::new(Seed::for_test(seed).fork("storm"));
        let mut world = pair(seed, if rng.one_in(2) { TcpType::Active } else { TcpType::Passive }, false);
        let latency = Duration::from_millis(rng.below(300));
        world.links(A, Z, |link| _ = link.latency(latency));
        world[A].connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
        negotiate(&mut world);
        for _ in 0..30 {
            world.run_for(Duration::from_millis(rng.below(2000)));
            match rng.below(8) {
                0 => {
                    world[A].connection.restart_ice().unwrap();
                    negotiate(&mut world);
                }
                1 => world.links(A, Z, |link| _ = link.latency(Duration::from_millis(1))),
                2 => world.links(A, Z, |link| _ = link.latency(latency)),
                lot => break_all(&mut world, lot, &mut rng),
            }
        }
        await_open(&mut world);
        exchange(&mut world, 2000);
        world.run_for(Duration::from_secs(60));
        exchange(&mut world, 2000);
        let lately = world.age() - Duration::from_secs(20);
        let used = world.trace().records().iter().filter(|record| record.at > lately);
        let used: BTreeSet<_> = used.map(|record| [record.from.min(record.to), record.from.max(record.to)]).collect();
        assert_eq!(used.len(), 1, "WIGWAG_SEED={seed}: {used:?}");
    }
}

/// Streams of which something was sent are no more: to one end, to the other, or to both.
fn break_all(world: &mut World<Peer>, lot: u64, rng: &mut Rng) {
    let mut names: Vec<_> =
        world.trace().records().iter().rev().take(20).map(|record| (record.from, record.to)).collect();
    names.dedup();
    for (from, to) in names {
        let now = world.now();
        let is_at_a = |local: SocketAddr| local.ip() == address(A).ip();
        for (local, remote) in [(from, to), (to, from)] {
            if lot < 5 || rng.one_in(2) {
                let host = if is_at_a(local) { A } else { Z };
                let (protocol, ecn) = (Protocol::Tcp, Ecn::NotEct);
                world[host].handle_input(Datagram { protocol, local, remote, ecn, payload: &mut [] }, now);
            }
        }
    }
}

#[test]
fn who_closes_says_goodbye_and_closes_the_stream() {
    let mut world = pair(6, TcpType::Active, false);
    connect(&mut world);
    world[A].connection.close();
    world.run_until(|world| world[A].closed.is_some() && world[Z].closed.is_some(), Duration::from_secs(10));
    world.run_for(Duration::from_secs(1));
    assert_eq!(streams(&world), [1, 0]);
}

#[test]
fn ice_begins_anew_over_a_stream_of_its_own() {
    let mut world = pair(8, TcpType::Active, false);
    connect(&mut world);
    let before = path(&world, A);
    world[A].connection.restart_ice().unwrap();
    let offer = offer(&mut world, A);
    let answer = answer(&mut world, Z, offer);
    world[A].connection.set_remote_description(answer).unwrap();
    world.run_until(|world| path(world, A) != before && path(world, Z).remote != before.local, Duration::from_secs(20));
    exchange(&mut world, 1200);
    world.run_for(Duration::from_secs(60));
    exchange(&mut world, 1200);
    assert_eq!(streams(&world), [2, 1], "the old one is closed");
}

pub(crate) fn server(config: EndpointConfig) -> Server {
    let mut server = Server::new(1, A, config.clone());
    server.endpoint = Endpoint::new(config, Seed::for_test(1));
    server.endpoint.add_local_tcp_address(listener(A), TcpType::Passive).unwrap();
    server
}

pub(crate) fn client(number: u8) -> (SocketAddr, Server) {
    let local = SocketAddr::from(([10, 1, 0, number + 1], 1000));
    let mut client = Server::new(100, A, EndpointConfig::default());
    client.endpoint = Endpoint::new(EndpointConfig::default(), Seed::for_test(100 + u64::from(number)));
    client.endpoint.add_local_tcp_address(local, TcpType::Active).unwrap();
    (local, client)
}

#[test]
fn many_share_one_listener() {
    const CLIENTS: u8 = 20;
    let mut world = World::new(9);
    let server = world.add("S", &[listener(A)], server(EndpointConfig::default()));
    let mut pairs = vec![];
    for number in 0..CLIENTS {
        let (local, client) = client(number);
        let host = world.add(&format!("C{number}"), &[local], client);
        let (ids, channel) = call(&mut world, [host, server]);
        pairs.push((host, ids, channel));
    }
    let is_connected = |server: &Server| server.states.values().filter(|it| **it == ConnectionState::Connected).count();
    world.run_until(|world| is_connected(&world[server]) == usize::from(CLIENTS), Duration::from_secs(30));
    world.run_for(Duration::from_secs(1));
    for (number, (host, ids, channel)) in pairs.iter().enumerate() {
        let text = Bytes::from(format!("hello from {number}"));
        world[*host].endpoint.connection_mut(ids[0]).unwrap().send(*channel, text, false).unwrap();
    }
    world.run_for(Duration::from_secs(2));
    for (number, (host, ids, _)) in pairs.iter().enumerate() {
        let text = Bytes::from(format!("hello from {number}"));
        let [there, back] = [&world[server].messages[&ids[1]], &world[*host].messages[&ids[0]]];
        assert!(*there == [text.clone()] && *back == [text]);
    }
    assert_eq!(world[server].endpoint.stats().unroutable, 0);
}
