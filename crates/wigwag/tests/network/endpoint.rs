//! Many connections on one port.

use crate::common::config;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use wigwag::sansio::{Datagram, Seed, Transmit};
use wigwag::{
    ChannelId, ConnectionId, ConnectionState, Credentials, DataChannelInit, Direction, Endpoint, EndpointConfig,
    EndpointEvent, Event, MediaKind, RtpPacket, SessionDescription,
};
use wigwag_sim::{A, Host, Node, World, Z, address};

pub(crate) struct Server {
    pub(crate) endpoint: Endpoint,
    pub(crate) states: BTreeMap<ConnectionId, ConnectionState>,
    pub(crate) messages: BTreeMap<ConnectionId, Vec<bytes::Bytes>>,
    pub(crate) incoming: Vec<String>,
    pub(crate) closed: Vec<ConnectionId>,
}

impl Server {
    pub(crate) fn new(seed: u64, host: Host, config: EndpointConfig) -> Self {
        let mut endpoint = Endpoint::new(config, Seed::for_test(seed));
        endpoint.add_local_address(address(host)).unwrap();
        Self { endpoint, states: BTreeMap::new(), messages: BTreeMap::new(), incoming: Vec::new(), closed: Vec::new() }
    }
}

impl Node for Server {
    fn handle_input(&mut self, datagram: Datagram<'_>, now: Instant) {
        self.endpoint.handle_input(datagram, now);
    }
    fn handle_timeout(&mut self, now: Instant) {
        self.endpoint.handle_timeout(now);
    }
    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        self.endpoint.poll_transmit(now, out)
    }
    fn poll_event(&mut self) -> bool {
        let Some(event) = self.endpoint.poll_event() else { return false };
        match event {
            EndpointEvent::Incoming { ufrag, .. } => self.incoming.push(ufrag),
            EndpointEvent::Connection(id, Event::ConnectionStateChanged(state)) => _ = self.states.insert(id, state),
            EndpointEvent::Connection(id, Event::Message { channel, data, is_binary }) => {
                self.messages.entry(id).or_default().push(data.clone());
                if !is_binary {
                    let connection = self.endpoint.connection_mut(id).expect("it has just spoken");
                    connection.send(channel, data, true).expect("an echo fits");
                }
            }
            EndpointEvent::Connection(id, Event::Closed(_)) => self.closed.push(id),
            _ => {}
        }
        true
    }
    fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        self.endpoint.poll_timeout(now)
    }
}

pub(crate) fn world(seed: u64) -> World<Server> {
    World::pair(seed, [A, Z].map(|host| Server::new(seed * 2 + u64::from(host == Z), host, EndpointConfig::default())))
}

/// One connection between the two endpoints, negotiated.
pub(crate) fn connect(world: &mut World<Server>) -> [ConnectionId; 2] {
    let ids = [A, Z].map(|host| world[host].endpoint.create(config()).expect("room for one more"));
    for (host, id) in [(A, ids[0]), (Z, ids[1])] {
        let connection = world[host].endpoint.connection_mut(id).unwrap();
        connection.create_data_channel("chat", DataChannelInit::default().negotiated(0)).unwrap();
    }
    negotiate(world, ids);
    ids
}

/// A offers, Z answers.
fn negotiate(world: &mut World<Server>, ids: [ConnectionId; 2]) {
    let a = world[A].endpoint.connection_mut(ids[0]).unwrap();
    let offer = a.create_offer().unwrap();
    a.set_local_description(offer).unwrap();
    let offer = a.local_description().unwrap();
    let z = world[Z].endpoint.connection_mut(ids[1]).unwrap();
    z.set_remote_description(offer).unwrap();
    let answer = z.create_answer().unwrap();
    z.set_local_description(answer).unwrap();
    let answer = z.local_description().unwrap();
    world[A].endpoint.connection_mut(ids[0]).unwrap().set_remote_description(answer).unwrap();
}

/// A connection between two endpoints, which the first offers, and its channel.
pub(crate) fn call(world: &mut World<Server>, [client, server]: [Host; 2]) -> ([ConnectionId; 2], ChannelId) {
    let ids = [client, server].map(|host| world[host].endpoint.create(config()).unwrap());
    let negotiated = || DataChannelInit::default().negotiated(0);
    let s = world[server].endpoint.connection_mut(ids[1]).unwrap();
    s.create_data_channel("chat", negotiated()).unwrap();
    let c = world[client].endpoint.connection_mut(ids[0]).unwrap();
    let channel = c.create_data_channel("chat", negotiated()).unwrap();
    let offer = c.create_offer().unwrap();
    c.set_local_description(offer).unwrap();
    let offer = c.local_description().unwrap();
    let answer = answered(&mut world[server].endpoint, ids[1], offer);
    world[client].endpoint.connection_mut(ids[0]).unwrap().set_remote_description(answer).unwrap();
    (ids, channel)
}

/// What a connection answers.
pub(crate) fn answered(endpoint: &mut Endpoint, id: ConnectionId, offer: SessionDescription) -> SessionDescription {
    let connection = endpoint.connection_mut(id).unwrap();
    connection.set_remote_description(offer).unwrap();
    let answer = connection.create_answer().unwrap();
    connection.set_local_description(answer).unwrap();
    connection.local_description().unwrap()
}

fn all_connected(server: &Server, count: usize) -> bool {
    server.states.values().filter(|state| **state == ConnectionState::Connected).count() >= count
}

/// Two endpoints have one 5-tuple between them, so only one connection can be there; a third host makes another.
#[test]
fn connections_from_many_hosts_share_one_port_and_never_see_each_others_messages() {
    const CLIENTS: usize = 20;
    let mut world = World::new(7);
    let server = world.add("S", &[address(A)], Server::new(1, A, EndpointConfig::default()));
    let mut pairs = Vec::new();
    for number in 0..CLIENTS {
        let local = ([10, 1, 0, number as u8 + 1], 1000).into();
        let mut client = Server::new(100 + number as u64, A, EndpointConfig::default());
        client.endpoint = Endpoint::new(EndpointConfig::default(), Seed::for_test(100 + number as u64));
        client.endpoint.add_local_address(local).unwrap();
        let host = world.add(&format!("C{number}"), &[local], client);
        let (ids, channel) = call(&mut world, [host, server]);
        pairs.push((host, ids, channel));
    }
    world.run_until(|world| all_connected(&world[server], CLIENTS), Duration::from_secs(20));
    world.run_for(Duration::from_secs(1));
    for (number, (host, ids, channel)) in pairs.iter().enumerate() {
        let text = format!("from client {number}");
        world[*host].endpoint.connection_mut(ids[0]).unwrap().send(*channel, text.into(), false).unwrap();
    }
    world.run_for(Duration::from_secs(2));
    for (number, (host, ids, _)) in pairs.iter().enumerate() {
        let expected = vec![bytes::Bytes::from(format!("from client {number}"))];
        assert_eq!(world[server].messages[&ids[1]], expected);
        assert_eq!(world[*host].messages[&ids[0]], expected);
    }
}

#[test]
fn an_id_names_nothing_after_its_connection_has_closed_and_is_never_used_again() {
    let mut world = world(8);
    let ids = connect(&mut world);
    world.run_until(|world| all_connected(&world[A], 1) && all_connected(&world[Z], 1), Duration::from_secs(10));
    world[A].endpoint.connection_mut(ids[0]).unwrap().close();
    world.run_until(|world| !world[A].closed.is_empty() && !world[Z].closed.is_empty(), Duration::from_secs(10));
    assert_eq!((world[A].closed.clone(), world[Z].closed.clone()), (vec![ids[0]], vec![ids[1]]));
    assert!(world[A].endpoint.connection(ids[0]).is_none() && world[A].endpoint.is_empty());
    let next = connect(&mut world);
    assert!(next[0] != ids[0] && next[1] != ids[1]);
    world
        .run_until(|world| world[A].states.get(&next[0]) == Some(&ConnectionState::Connected), Duration::from_secs(10));
}

#[test]
fn a_strangers_ufrag_is_told_once_asked_for_and_their_next_check_finds_the_connection_made_for_it() {
    let mut config_z = EndpointConfig::default();
    config_z.unknown_ufrag = true;
    let mut world = World::pair(9, [Server::new(1, A, EndpointConfig::default()), Server::new(2, Z, config_z)]);
    let id = world[A].endpoint.create(config()).unwrap();
    // A is told of a peer that Z has not made yet.
    let mut twin = Endpoint::new(EndpointConfig::default(), Seed::for_test(77));
    let mut twin_config = config();
    let credentials =
        Credentials { ufrag: "stranger".into(), password: "a-password/of+sufficient0length".replace('-', "A") };
    twin_config.credentials = Some(credentials.clone());
    twin.add_local_address(address(Z)).unwrap();
    let twin_id = twin.create(twin_config).unwrap();
    let a = world[A].endpoint.connection_mut(id).unwrap();
    a.create_data_channel("chat", DataChannelInit::default()).unwrap();
    let offer = a.create_offer().unwrap();
    a.set_local_description(offer).unwrap();
    let offer = a.local_description().unwrap();
    let t = twin.connection_mut(twin_id).unwrap();
    t.set_remote_description(offer).unwrap();
    let answer = t.create_answer().unwrap();
    t.set_local_description(answer).unwrap();
    let answer = t.local_description().unwrap();
    world[A].endpoint.connection_mut(id).unwrap().set_remote_description(answer).unwrap();
    world.run_until(|world| !world[Z].incoming.is_empty(), Duration::from_secs(5));
    assert_eq!(world[Z].incoming[0], "stranger");
    assert_eq!(world[Z].endpoint.len(), 0, "no state was made");
}

/// Law 5: a connection is called only when it has something to do, so its clock may be behind; what it is told to do by then is due at
/// once all the same. A key frame is asked for no more often than every 300 ms.
#[test]
fn a_command_whose_time_has_come_is_obeyed_in_the_same_turn() {
    let mut world = world(12);
    let ids = connect(&mut world);
    let sends = world[A].endpoint.connection_mut(ids[0]).unwrap();
    let track = sends.add_transceiver(MediaKind::Video, Direction::Sendonly).unwrap();
    negotiate(&mut world, ids);
    world.run_until(|world| all_connected(&world[A], 1) && all_connected(&world[Z], 1), Duration::from_secs(10));
    let packet = RtpPacket::new(96, 0, bytes::Bytes::from_static(&[0x10, 0, 0]));
    world[A].endpoint.connection_mut(ids[0]).unwrap().write_packet(track, packet).unwrap();
    world.run_for(Duration::from_millis(50));
    let ask = |endpoint: &mut Endpoint| {
        let connection = endpoint.connection_mut(ids[1]).unwrap();
        let track = connection.transceivers().next().unwrap().id;
        connection.request_key_frame(track);
    };
    ask(&mut world[Z].endpoint);
    world.run_for(Duration::from_millis(310));
    let now = world.now();
    let endpoint = &mut world[Z].endpoint;
    let (mut out, mut left) = (Vec::new(), 0);
    endpoint.handle_timeout(now);
    assert!(endpoint.poll_transmit(now, &mut out).is_none() && endpoint.poll_event().is_none());
    ask(endpoint);
    while endpoint.poll_transmit(now, &mut out).is_some() || endpoint.poll_event().is_some() {
        left += 1;
    }
    assert_eq!(left, 1, "it is asked for");
    assert!(endpoint.poll_timeout(now).is_none_or(|at| at > now));
}

/// A loop may ask for its connection in each turn, and still sleeps; what was commanded is owed all the same.
#[test]
fn a_connection_that_was_lent_keeps_nobody_awake_unless_it_owes_something() {
    let mut world = world(11);
    let ids = connect(&mut world);
    world.run_until(|world| all_connected(&world[A], 1) && all_connected(&world[Z], 1), Duration::from_secs(10));
    world.run_for(Duration::from_secs(2));
    let now = world.now();
    let endpoint = &mut world[A].endpoint;
    let channel = endpoint.connection(ids[0]).unwrap().data_channels().next().unwrap().0;
    let (mut out, mut later) = (Vec::new(), None);
    for _ in 0..10 {
        endpoint.handle_timeout(now);
        assert!(endpoint.poll_transmit(now, &mut out).is_none() && endpoint.poll_event().is_none());
        assert!(endpoint.connection_mut(ids[0]).unwrap().buffered_amount(channel) == 0);
        let at = endpoint.poll_timeout(now);
        assert!(at.is_some_and(|at| at > now) && later.is_none_or(|later| later == at), "{at:?}");
        later = Some(at);
    }
    endpoint.connection_mut(ids[0]).unwrap().send(channel, "owed".into(), true).unwrap();
    assert_eq!(endpoint.poll_timeout(now), Some(now));
    assert!(endpoint.poll_transmit(now, &mut out).is_some());
    endpoint.connection_mut(ids[0]).unwrap().close();
    assert_eq!(endpoint.poll_timeout(now), Some(now));
    assert!(endpoint.poll_event().is_some(), "an event is owed, though the time was not told since");
}

#[test]
fn ten_thousand_idle_connections_cost_nothing() {
    let mut endpoint = Endpoint::new(EndpointConfig::default(), Seed::for_test(10));
    endpoint.add_local_address(address(A)).unwrap();
    // One certificate for all: making ten thousand would only take time.
    let mut shared = config();
    shared.certificate = Some(std::sync::Arc::new(
        wigwag::Certificate::generate(Duration::from_secs(1_767_225_600), Seed::for_test(1)).unwrap(),
    ));
    for _ in 0..10_000 {
        endpoint.create(shared.clone()).unwrap();
    }
    let now = wigwag_sim::origin();
    let mut out = Vec::new();
    while endpoint.poll_transmit(now, &mut out).is_some() || endpoint.poll_event().is_some() {}
    let before = endpoint.stats().visits;
    for millisecond in 0..1000 {
        let now = now + Duration::from_millis(millisecond);
        endpoint.handle_timeout(now);
        assert!(endpoint.poll_transmit(now, &mut out).is_none() && endpoint.poll_event().is_none());
        assert!(endpoint.poll_timeout(now).is_none_or(|at| at > now));
        endpoint.handle_input(Datagram::udp(address(A), address(Z), &mut [0x80; 100]), now);
    }
    assert_eq!(endpoint.stats().visits, before, "nobody was called");
    assert_eq!(endpoint.stats().unroutable, 1000);
}

/// Beside so many connections whose peers never come, each with a time at which it gives up: the calls into connections that it
/// takes to carry a hundred messages there and back, and a thousand turns of a loop that has nothing to do.
fn visits_beside(others: usize) -> (u64, u64) {
    let mut world = world(11);
    let ids = connect(&mut world);
    world.run_until(|world| all_connected(&world[A], 1) && all_connected(&world[Z], 1), Duration::from_secs(10));
    let mut shared = config();
    shared.certificate = Some(std::sync::Arc::new(
        wigwag::Certificate::generate(Duration::from_secs(1_767_225_600), Seed::for_test(1)).unwrap(),
    ));
    let mut absent = wigwag::PeerConnection::new(shared.clone(), Seed::for_test(2));
    absent.create_data_channel("chat", DataChannelInit::default()).unwrap();
    let offer = absent.create_offer().unwrap();
    absent.set_local_description(offer).unwrap();
    let offer = absent.local_description().unwrap();
    for _ in 0..others {
        let id = world[Z].endpoint.create(shared.clone()).unwrap();
        let connection = world[Z].endpoint.connection_mut(id).unwrap();
        connection.set_remote_description(offer.clone()).unwrap();
        let answer = connection.create_answer().unwrap();
        connection.set_local_description(answer).unwrap();
    }
    world.run_for(Duration::from_secs(1));
    let now = world.now();
    let waiting = world[Z].endpoint.ids().filter(|id| *id != ids[1]);
    assert!(waiting.map(|id| world[Z].endpoint.connection(id).unwrap().poll_timeout(now)).all(|at| at.is_some()));

    let before = world[Z].endpoint.stats().visits;
    let channel = world[A].endpoint.connection(ids[0]).unwrap().data_channels().next().unwrap().0;
    for n in 0..100 {
        let connection = world[A].endpoint.connection_mut(ids[0]).unwrap();
        connection.send(channel, format!("{n}").into(), false).unwrap();
        world.run_for(Duration::from_millis(10));
    }
    world.run_for(Duration::from_millis(500));
    assert_eq!((world[A].messages[&ids[0]].len(), world[Z].messages[&ids[1]].len()), (100, 100));
    let busy = world[Z].endpoint.stats().visits - before;

    let (now, endpoint, mut out) = (world.now(), &mut world[Z].endpoint, Vec::new());
    let before = endpoint.stats().visits;
    for _ in 0..1000 {
        endpoint.handle_timeout(now);
        assert!(endpoint.poll_transmit(now, &mut out).is_none() && endpoint.poll_event().is_none());
        assert!(endpoint.poll_timeout(now).is_some_and(|at| at > now));
        endpoint.handle_input(Datagram::udp(address(Z), ([192, 0, 2, 1], 9).into(), &mut [0x80; 100]), now);
    }
    (busy, endpoint.stats().visits - before)
}

#[test]
fn a_connection_costs_beside_ten_thousand_what_it_costs_alone() {
    let (alone, idle) = visits_beside(0);
    assert!(alone > 200 && idle == 0, "{alone} and {idle}");
    assert_eq!(visits_beside(10_000), (alone, 0));
}
