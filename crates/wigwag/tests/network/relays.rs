//! Calls through a TURN server.

use crate::common::{Peer, config};
use crate::endpoint::Server as EndpointServer;
use crate::gathering::{Party, call, negotiate, peer};
use crate::turn_server::{PASSWORD, Server, USERNAME};
use bytes::Bytes;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use wigwag::{
    Config, ConnectionState, DataChannelInit, Endpoint, EndpointConfig, IceGatheringState, IceTransportPolicy,
    PeerConnection, Seed, TurnServer,
};
use wigwag_sim::{Behavior, Fate, Host, INTERNET, World};

const TURN: &str = "198.51.100.9:3478";
const SECOND: Duration = Duration::from_secs(1);

pub(crate) fn turn() -> SocketAddr {
    TURN.parse().unwrap()
}

pub(crate) fn with_turn(password: &str) -> Config {
    let mut config = config();
    config.turn_servers = vec![TurnServer::new(turn(), USERNAME, password)];
    config
}

/// The server says where it sees somebody, but relays nothing to them.
pub(crate) fn with_stun() -> Config {
    let mut config = config();
    config.stun_servers = vec![turn()];
    config
}

pub(crate) fn relay_only() -> Config {
    let mut config = with_turn(PASSWORD);
    config.ice_transport_policy = IceTransportPolicy::Relay;
    config
}

pub(crate) fn add_server(world: &mut World<Party>) -> Host {
    let ports: Vec<_> = (50_000..50_008).map(|port| SocketAddr::new(turn().ip(), port)).collect();
    let addresses: Vec<_> = [turn()].into_iter().chain(ports.iter().copied()).collect();
    world.add("T", &addresses, Party::Turn(Box::new(Server::new(turn(), &ports))))
}

pub(crate) fn server(world: &mut World<Party>, host: Host) -> &mut Server {
    match &mut world[host] {
        Party::Turn(server) => server,
        _ => panic!("no server"),
    }
}

/// Two homes, each behind a NAT that has another port for everyone: nothing but a relay connects them.
pub(crate) fn world(configs: [Config; 2]) -> (World<Party>, Host, [Host; 2]) {
    world_of(5, configs)
}

fn world_of(seed: u64, configs: [Config; 2]) -> (World<Party>, Host, [Host; 2]) {
    let mut world = World::new(seed);
    let turn = add_server(&mut world);
    let mut n = 0;
    let hosts = configs.map(|config| {
        n += 1;
        let private = private(n);
        let realm = world.add_nat(INTERNET, Ipv4Addr::new(203, 0, 113, n));
        let behavior = Behavior::AddressAndPortDependent;
        world.nat(realm).mapping(behavior).filtering(behavior);
        let mut connection = PeerConnection::new(config, Seed::for_test(u64::from(n)));
        connection.add_local_address(private).unwrap();
        world.add_behind(
            realm,
            ["A", "Z"][usize::from(n) - 1],
            &[private],
            Party::Peer(Box::new(Peer::new(connection))),
        )
    });
    (world, turn, hosts)
}

fn private(n: u8) -> SocketAddr {
    ([192, 168, n, 2], 5000).into()
}

fn state(world: &mut World<Party>, host: Host) -> ConnectionState {
    peer(world, host).state
}

pub(crate) fn connect(world: &mut World<Party>, hosts: [Host; 2]) {
    call(world, hosts, "c");
    for _ in 0..100 {
        world.run_for(Duration::from_millis(100));
        if hosts.iter().all(|host| peer(world, *host).channels.contains_key("c")) {
            return;
        }
    }
    panic!("{:?}", hosts.map(|host| peer(world, host).events.clone()));
}

/// Each sends so many messages of this length, and gets those of the other.
pub(crate) fn exchange(world: &mut World<Party>, hosts: [Host; 2], count: usize, len: usize) {
    let before = hosts.map(|host| peer(world, host).messages.len());
    for host in hosts {
        let peer = peer(world, host);
        let channel = peer.channels["c"];
        for _ in 0..count {
            peer.connection.send(channel, Bytes::from(vec![7; len]), true).unwrap();
        }
    }
    world.note("messages");
    world.run_for(20 * SECOND);
    for (host, before) in hosts.into_iter().zip(before) {
        let messages = &peer(world, host).messages;
        assert_eq!(messages.len() - before, count);
        assert!(messages.iter().all(|(_, data, _)| data.len() == len || data.is_empty() || before > 0));
    }
}

fn local_types(world: &mut World<Party>, host: Host) -> String {
    peer(world, host).connection.stats(wigwag_sim::origin()).to_json()
}

#[test]
fn two_behind_nats_of_the_worst_kind_meet_at_a_relay() {
    let (mut world, turn, hosts) = world([with_turn(PASSWORD), with_stun()]);
    connect(&mut world, hosts);
    exchange(&mut world, hosts, 20, 10_000);
    let sdp = peer(&mut world, hosts[0]).connection.local_description().unwrap().sdp;
    let candidate = sdp.lines().find(|line| line.contains(" typ relay ")).expect("a relayed candidate");
    assert!(candidate.contains(" 198.51.100.9 5000") && candidate.contains(" raddr 203.0.113.1 "), "{candidate}");
    assert!(sdp.contains(" typ srflx raddr 192.168.1.2 "), "the relay tells that too: {sdp}");
    assert!(sdp.contains("a=end-of-candidates\r\n"));
    let stats = local_types(&mut world, hosts[0]);
    assert!(stats.contains("\"url\":\"turn:198.51.100.9:3478\",\"relayProtocol\":\"udp\""), "{stats}");
    let server = server(&mut world, turn);
    assert!(server.relayed_in_channels > 200 && server.relayed_in_indications < 30, "data goes by number");
    assert_eq!(server.allocations(), 1);
}

#[test]
fn without_a_relay_they_do_not_meet() {
    let (mut world, _, hosts) = world([with_stun(), with_stun()]);
    call(&mut world, hosts, "c");
    world.run_for(60 * SECOND);
    assert_eq!(hosts.map(|host| state(&mut world, host)), [ConnectionState::Failed; 2]);
}

#[test]
fn both_may_have_a_relay() {
    let (mut world, turn, hosts) = world([with_turn(PASSWORD), with_turn(PASSWORD)]);
    connect(&mut world, hosts);
    exchange(&mut world, hosts, 5, 1000);
    assert_eq!(server(&mut world, turn).allocations(), 2);
}

/// RFC 8828: whoever wants nothing but relays shows nothing else: not in descriptions, not in candidates, not on the wire.
#[test]
fn a_connection_that_wants_relays_alone_shows_no_other_address() {
    for policies in [[relay_only(), with_turn(PASSWORD)], [relay_only(), relay_only()], [with_stun(), relay_only()]] {
        let is_hidden = policies.clone().map(|config| config.ice_transport_policy == IceTransportPolicy::Relay);
        let (mut world, _, hosts) = world(policies);
        connect(&mut world, hosts);
        exchange(&mut world, hosts, 5, 1000);
        for (n, (host, is_hidden)) in hosts.into_iter().zip(is_hidden).enumerate() {
            let told = peer(&mut world, host).events.concat();
            let sdp = peer(&mut world, host).connection.local_description().unwrap().sdp;
            for text in [told, sdp] {
                let shows = text.contains("192.168.") || text.contains(&format!("203.0.113.{}", n + 1));
                assert_eq!(shows, !is_hidden, "{text}");
                assert!(!is_hidden || text.contains("typ relay raddr 0.0.0.0 rport 9"), "{text}");
            }
            let own = private(n as u8 + 1);
            let sent: Vec<_> = world.trace().records().iter().filter(|record| record.from == own).collect();
            assert!(!sent.is_empty() && (!is_hidden || sent.iter().all(|record| record.to == turn())), "{sent:?}");
        }
    }
}

#[test]
fn a_server_that_refuses_is_told_and_gathering_ends() {
    let (mut world, _, [a, _]) = world([with_turn("wrong"), with_stun()]);
    let connection = &mut peer(&mut world, a).connection;
    connection.create_data_channel("c", DataChannelInit::default()).unwrap();
    let offer = connection.create_offer().unwrap();
    connection.set_local_description(offer).unwrap();
    world.run_for(SECOND);
    let events = &peer(&mut world, a).events;
    let error = events.iter().position(|event| event.starts_with("IceCandidateError")).expect("an error");
    assert!(
        events[error].contains("error_code: 401") && events[error].contains("turn:198.51.100.9:3478"),
        "{events:?}"
    );
    let complete = events.iter().position(|event| event == "IceGatheringStateChanged(Complete)").expect("an end");
    assert!(error < complete && events.contains(&"IceCandidate(None)".to_owned()), "{events:?}");
}

#[test]
fn a_server_that_does_not_answer_ends_gathering_in_the_end() {
    let (mut world, turn, [a, _]) = world([with_turn(PASSWORD), with_stun()]);
    server(&mut world, turn).is_dead = true;
    let connection = &mut peer(&mut world, a).connection;
    connection.create_data_channel("c", DataChannelInit::default()).unwrap();
    let offer = connection.create_offer().unwrap();
    connection.set_local_description(offer).unwrap();
    world.run_for(39 * SECOND);
    assert_eq!(peer(&mut world, a).connection.ice_gathering_state(), IceGatheringState::Gathering);
    world.run_for(SECOND);
    assert_eq!(peer(&mut world, a).connection.ice_gathering_state(), IceGatheringState::Complete);
    assert!(peer(&mut world, a).events.iter().any(|event| event.contains("error_code: 701")));
}

#[test]
fn whoever_closes_gives_the_address_back() {
    let (mut world, turn, hosts) = world([relay_only(), with_turn(PASSWORD)]);
    connect(&mut world, hosts);
    peer(&mut world, hosts[0]).connection.close();
    world.run_for(2 * SECOND);
    for host in hosts {
        assert!(peer(&mut world, host).closed.is_some(), "{:?}", peer(&mut world, host).events);
    }
    assert_eq!(server(&mut world, turn).allocations(), 0);
}

#[test]
fn a_call_through_a_relay_lasts_for_hours_and_is_kept_by_little() {
    let (mut world, turn, hosts) = world([relay_only(), with_stun()]);
    connect(&mut world, hosts);
    world.run_for(3 * 3600 * SECOND);
    exchange(&mut world, hosts, 5, 1000);
    let server = server(&mut world, turn);
    let asked: u64 = server.requests.values().sum();
    assert!((60..=250).contains(&asked), "{:?}", server.requests);
}

/// The server is started anew, and has forgotten everybody.
#[test]
fn an_address_that_is_lost_is_told_and_another_path_taken() {
    let mut world = World::new(5);
    let turn = add_server(&mut world);
    let mut hosts = [(1u8, "A", relay_only()), (2, "Z", with_stun())].map(|(n, name, config)| {
        let address = SocketAddr::from(([203, 0, 113, n], 5000));
        let mut connection = PeerConnection::new(config, Seed::for_test(u64::from(n)));
        connection.add_local_address(address).unwrap();
        world.add(name, &[address], Party::Peer(Box::new(Peer::new(connection))))
    });
    hosts.sort();
    connect(&mut world, hosts);
    server(&mut world, turn).forget();
    world.run_for(100 * SECOND);
    let events = &peer(&mut world, hosts[0]).events;
    assert!(events.iter().any(|event| event.starts_with("IceFailed")), "{events:?}");
    assert_eq!(state(&mut world, hosts[0]), ConnectionState::Failed);
    // By then the refusal of a refresh may not have come; a restart asks anew in any case.
    world.run_for(600 * SECOND);
    let events = &peer(&mut world, hosts[0]).events;
    assert!(events.iter().any(|event| event.contains("error_code: 437")), "{events:?}");
    peer(&mut world, hosts[0]).connection.restart_ice().unwrap();
    negotiate(&mut world, hosts);
    world.run_for(5 * SECOND);
    assert_eq!(hosts.map(|host| state(&mut world, host)), [ConnectionState::Connected; 2]);
    exchange(&mut world, hosts, 5, 1000);
}

/// However small the packets and however many leave at once: what the relay needs is not the connection's.
#[test]
fn what_is_sent_through_a_relay_is_counted_as_it_is_without_one() {
    let (mut world, _, hosts) = world([relay_only(), with_stun()]);
    connect(&mut world, hosts);
    let sent = |world: &mut World<Party>| {
        let transport = peer(world, hosts[0]).connection.stats(wigwag_sim::origin());
        let pairs = transport.iter().filter_map(|stats| match stats {
            wigwag::stats::Stats::CandidatePair(pair) => Some([pair.packets_sent, pair.bytes_sent]),
            _ => None,
        });
        pairs.fold([0, 0], |sum, pair| [sum[0] + pair[0], sum[1] + pair[1]])
    };
    let (before, first) = (sent(&mut world), world.trace().records().len());
    peer(&mut world, hosts[0]).connection.set_max_segments(64);
    let channel = peer(&mut world, hosts[0]).channels["c"];
    for len in [1200; 40] {
        peer(&mut world, hosts[0]).connection.send(channel, Bytes::from(vec![7; len]), true).unwrap();
    }
    world.note("messages");
    world.run_for(2 * SECOND);
    let records = world.trace().records().iter().skip(first).filter(|record| record.from == private(1));
    let inside = records.filter_map(|record| {
        let (_, range) = wigwag_turn::channel_data::decode(&record.payload)?;
        (record.payload.get(range.start).is_some_and(|first| *first >= 20)).then_some(range.len() as u64)
    });
    let wanted = inside.fold([0, 0], |sum, len| [sum[0] + 1, sum[1] + len]);
    let after = sent(&mut world);
    assert_eq!([after[0] - before[0], after[1] - before[1]], wanted);
    assert!(wanted[0] >= 40);
}

#[test]
fn a_restart_goes_on_through_the_relay() {
    let (mut world, turn, hosts) = world([relay_only(), with_stun()]);
    connect(&mut world, hosts);
    for n in 0..3 {
        peer(&mut world, hosts[n % 2]).connection.restart_ice().unwrap();
        negotiate(&mut world, [hosts[n % 2], hosts[1 - n % 2]]);
        world.run_for(5 * SECOND);
        exchange(&mut world, hosts, 5, 1000);
    }
    assert_eq!(server(&mut world, turn).count(3), 2, "one address, asked for twice");
}

/// Nothing is longer than it was promised, but for the first round trips.
#[test]
fn no_datagram_is_longer_than_the_mtu_once_the_relay_knows_the_peer() {
    for mtu in [1232, 576, 600, 1401] {
        let configs = [relay_only(), with_stun()].map(|mut config| {
            config.mtu = mtu;
            config
        });
        let (mut world, _, hosts) = world(configs);
        connect(&mut world, hosts);
        let before = world.trace().records().len();
        assert!(world.trace().records().iter().all(|record| record.payload.len() <= mtu + 47));
        exchange(&mut world, hosts, 20, 10_000);
        let sent = &world.trace().records()[before..];
        let longest = sent.iter().map(|record| record.payload.len()).max().unwrap();
        assert!(longest <= mtu && longest > mtu - 24, "{longest} of {mtu}");
    }
}

#[test]
fn calls_through_a_relay_survive_loss() {
    for seed in 0..5 {
        let (mut world, turn, hosts) = world_of(seed, [relay_only(), with_turn(PASSWORD)]);
        for host in hosts {
            world.links(host, turn, |link| {
                link.loss(10.0).duplication(5.0).reordering(5.0, Duration::from_millis(30));
            });
        }
        // Who is asked for an address before anybody is called has it by then.
        for host in hosts {
            let connection = &mut peer(&mut world, host).connection;
            connection.create_data_channel("early", DataChannelInit::default()).unwrap();
            let offer = connection.create_offer().unwrap();
            connection.set_local_description(offer).unwrap();
        }
        world.run_for(30 * SECOND);
        let rollback = wigwag::SessionDescription::rollback();
        for host in hosts {
            peer(&mut world, host).connection.set_local_description(rollback.clone()).unwrap();
        }
        connect(&mut world, hosts);
        exchange(&mut world, hosts, 20, 5000);
        assert!(world.count(Fate::Lost) > 0);
    }
}

/// RFC 8656 §7.2: one 5-tuple has one address.
#[test]
fn of_two_connections_on_an_endpoint_the_first_is_given_an_address() {
    let mut world = World::new(6);
    let turn = add_server(&mut world);
    let local: SocketAddr = "192.0.2.1:5000".parse().unwrap();
    let mut endpoint = EndpointServer::new(1, wigwag_sim::A, EndpointConfig::default());
    endpoint.endpoint = Endpoint::new(EndpointConfig::default(), Seed::for_test(9));
    endpoint.endpoint.add_local_address(local).unwrap();
    let host = world.add("E", &[local], Party::Endpoint(Box::new(endpoint)));
    let remote: SocketAddr = "192.0.2.2:5000".parse().unwrap();
    let mut connection = PeerConnection::new(config(), Seed::for_test(3));
    connection.add_local_address(remote).unwrap();
    let z = world.add("Z", &[remote], Party::Peer(Box::new(Peer::new(connection))));

    let Party::Endpoint(endpoint) = &mut world[host] else { panic!("an endpoint") };
    let ids = [(); 2].map(|()| endpoint.endpoint.create(relay_only()).unwrap());
    for id in ids {
        let connection = endpoint.endpoint.connection_mut(id).unwrap();
        connection.create_data_channel("c", DataChannelInit::default().negotiated(0)).unwrap();
        let offer = connection.create_offer().unwrap();
        connection.set_local_description(offer).unwrap();
    }
    world.run_for(2 * SECOND);
    let Party::Endpoint(endpoint) = &mut world[host] else { panic!("an endpoint") };
    assert_eq!(endpoint.endpoint.stats().unroutable, 0);
    let sdps = ids.map(|id| endpoint.endpoint.connection(id).unwrap().local_description().unwrap().sdp);
    assert_eq!(sdps.clone().map(|sdp| sdp.contains("typ relay")), [true, false]);

    let other = &mut peer(&mut world, z).connection;
    other.create_data_channel("c", DataChannelInit::default().negotiated(0)).unwrap();
    other.set_remote_description(wigwag::SessionDescription::offer(sdps[0].clone())).unwrap();
    let answer = other.create_answer().unwrap();
    other.set_local_description(answer).unwrap();
    let answer = other.local_description().unwrap();
    let Party::Endpoint(endpoint) = &mut world[host] else { panic!("an endpoint") };
    endpoint.endpoint.connection_mut(ids[0]).unwrap().set_remote_description(answer).unwrap();
    world.run_for(5 * SECOND);
    let channel = peer(&mut world, z).channels["c"];
    peer(&mut world, z).connection.send(channel, Bytes::from_static(b"hi"), false).unwrap();
    world.note("a message");
    world.run_for(2 * SECOND);
    assert_eq!(peer(&mut world, z).messages.len(), 1, "its echo");
    let Party::Endpoint(endpoint) = &mut world[host] else { panic!("an endpoint") };
    assert_eq!(endpoint.states.get(&ids[0]), Some(&ConnectionState::Connected));
    assert_eq!(endpoint.endpoint.stats().unroutable, 0);
    endpoint.endpoint.connection_mut(ids[0]).unwrap().close();
    world.run_for(2 * SECOND);
    assert_eq!(server(&mut world, turn).allocations(), 0);
    let Party::Endpoint(endpoint) = &mut world[host] else { panic!("an endpoint") };
    assert_eq!(endpoint.closed, [ids[0]]);
}

/// Whichever way packets were cut for, they leave the other.
#[test]
fn messages_under_way_move_from_the_relay_to_a_direct_path_and_back() {
    let mut world = World::new(5);
    let turn_host = add_server(&mut world);
    let mut n = 0;
    let hosts = [with_turn(PASSWORD), with_stun()].map(|mut config| {
        n += 1;
        config.data_mtu_max = 1452;
        let address = SocketAddr::from(([203, 0, 113, n], 5000));
        let mut connection = PeerConnection::new(config, Seed::for_test(u64::from(n)));
        connection.add_local_address(address).unwrap();
        connection.set_max_segments(16);
        world.add(["A", "Z"][usize::from(n) - 1], &[address], Party::Peer(Box::new(Peer::new(connection))))
    });
    world.links(hosts[0], hosts[1], |link| {
        link.loss(100.0);
    });
    connect(&mut world, hosts);
    exchange(&mut world, hosts, 20, 10_000);
    for round in 0..4 {
        let is_direct = round % 2 == 0;
        world.links(hosts[0], hosts[1], |link| {
            if is_direct {
                link.heal();
            } else {
                link.loss(100.0);
            }
        });
        let before = hosts.map(|host| peer(&mut world, host).messages.len());
        for host in hosts {
            let peer = peer(&mut world, host);
            let channel = peer.channels["c"];
            for _ in 0..100 {
                peer.connection.send(channel, Bytes::from(vec![7; 20_000]), true).unwrap();
            }
        }
        peer(&mut world, hosts[0]).connection.restart_ice().unwrap();
        negotiate(&mut world, hosts);
        world.run_for(60 * SECOND);
        let paths = hosts.map(|host| peer(&mut world, host).connection.transport_stats().path.unwrap());
        assert_eq!(paths[0].local.ip() != turn().ip(), is_direct, "{round}");
        assert_eq!(paths[1].remote, paths[0].local);
        for (host, before) in hosts.into_iter().zip(before) {
            assert_eq!(peer(&mut world, host).messages.len() - before, 100, "{round}");
        }
    }
    assert_eq!(server(&mut world, turn_host).allocations(), 1);
}
