//! TURN servers that lie, people between, and moments at which nobody expects anything.

use crate::common::{Peer, config};
use crate::gathering::{Party, negotiate, peer};
use crate::relays::{add_server, connect, exchange, relay_only, server, turn, with_stun, with_turn, world};
use crate::turn_server::{PASSWORD, Server, USERNAME};
use std::net::SocketAddr;
use std::time::Duration;
use wigwag::sansio::Datagram;
use wigwag::{Config, ConnectionState, DataChannelInit, IceGatheringState, PeerConnection, Seed, TurnServer};
use wigwag_sim::{Host, World};
use wigwag_turn::channel_data;

const SECOND: Duration = Duration::from_secs(1);
const OTHER: &str = "198.51.100.10:3478";

fn other() -> SocketAddr {
    OTHER.parse().unwrap()
}

fn public(n: u8) -> SocketAddr {
    ([203, 0, 113, n], 5000).into()
}

/// Two who reach each other without anybody.
fn add_peers(world: &mut World<Party>, configs: [Config; 2]) -> [Host; 2] {
    let mut n = 0;
    configs.map(|config| {
        n += 1;
        let mut connection = PeerConnection::new(config, Seed::for_test(u64::from(n)));
        connection.add_local_address(public(n)).unwrap();
        let name = ["A", "Z"][usize::from(n) - 1];
        world.add(name, &[public(n)], Party::Peer(Box::new(Peer::new(connection))))
    })
}

/// A server that says that it relays to these.
fn add_liar(world: &mut World<Party>, name: &'static str, at: SocketAddr, lent: &[SocketAddr]) -> Host {
    world.add(name, &[at], Party::Turn(Box::new(Server::new(at, lent))))
}

fn sdp(world: &mut World<Party>, host: Host) -> String {
    peer(world, host).connection.local_description().unwrap().sdp
}

fn told(world: &mut World<Party>, host: Host, what: &str) -> usize {
    peer(world, host).events.iter().filter(|event| event.contains(what)).count()
}

/// Otherwise the server has everything go its way, and ends the call with its allocation.
#[test]
fn a_server_that_lends_us_our_own_address_gets_nothing_by_it() {
    for lent in [public(1), ([127, 0, 0, 1], 5000).into()] {
        let mut world = World::new(5);
        let liar = add_liar(&mut world, "T", turn(), &[lent]);
        let hosts = add_peers(&mut world, [with_turn(PASSWORD), config()]);
        connect(&mut world, hosts);
        exchange(&mut world, hosts, 5, 10_000);
        let sdp = sdp(&mut world, hosts[0]);
        assert!(sdp.contains(" 203.0.113.1 5000 typ host") && !sdp.contains("typ relay"), "{sdp}");
        assert_eq!(told(&mut world, hosts[0], "IceCandidateError"), 1);
        let sent = world.trace().records().iter().filter(|record| record.to == turn()).count();
        assert!(sent < 10, "{sent}");
        server(&mut world, liar).forget();
        world.run_for(700 * SECOND);
        assert_eq!(peer(&mut world, hosts[0]).state, ConnectionState::Connected);
        exchange(&mut world, hosts, 5, 10_000);
    }
}

/// It is as near as can be, and reaches the others from where they reach it.
#[test]
fn a_server_of_this_machine_may_lend_an_address_of_the_network() {
    let at = SocketAddr::from(([127, 0, 0, 1], 3478));
    let lent = SocketAddr::new(turn().ip(), 50_000);
    let mut world = World::new(5);
    world.add("T", &[at, lent], Party::Turn(Box::new(Server::new(at, &[lent]))));
    let mut near = relay_only();
    near.turn_servers = vec![TurnServer::new(at, USERNAME, PASSWORD)];
    let locals = [SocketAddr::from(([127, 0, 0, 1], 5000)), public(2)];
    let mut n = 0;
    let hosts = [near, config()].map(|config| {
        let local = locals[n];
        n += 1;
        let mut connection = PeerConnection::new(config, Seed::for_test(n as u64));
        connection.add_local_address(local).unwrap();
        world.add(["A", "Z"][n - 1], &[local], Party::Peer(Box::new(Peer::new(connection))))
    });
    connect(&mut world, hosts);
    exchange(&mut world, hosts, 5, 1000);
}

#[test]
fn of_two_servers_that_lend_one_address_the_first_is_believed() {
    let lent = SocketAddr::new(turn().ip(), 50_000);
    let mut world = World::new(5);
    let first = world.add("T", &[turn(), lent], Party::Turn(Box::new(Server::new(turn(), &[lent]))));
    let liar = add_liar(&mut world, "U", other(), &[lent]);
    let mut config = relay_only();
    config.turn_servers.push(TurnServer::new(other(), USERNAME, PASSWORD));
    let hosts = add_peers(&mut world, [config, with_stun()]);
    connect(&mut world, hosts);
    assert_eq!(sdp(&mut world, hosts[0]).matches(" typ relay ").count(), 1);
    assert_eq!(told(&mut world, hosts[0], "typ relay"), 1);
    assert_eq!(told(&mut world, hosts[0], "IceCandidateError"), 1);
    world.run_for(700 * SECOND);
    assert_eq!((server(&mut world, first).allocations(), server(&mut world, liar).allocations()), (1, 0));
    exchange(&mut world, hosts, 5, 1000);
}

/// One of two servers sends everybody to the other, which gives one address to one of ours.
#[test]
fn two_clients_that_come_to_one_server_each_get_their_answers() {
    let mut world = World::new(5);
    let first = add_liar(&mut world, "U", other(), &[]);
    server(&mut world, first).alternate = Some(turn());
    let second = add_server(&mut world);
    for servers in [[turn(), other()], [other(), turn()]] {
        let mut config = relay_only();
        config.turn_servers = servers.map(|at| TurnServer::new(at, USERNAME, PASSWORD)).to_vec();
        let mut connection = PeerConnection::new(config, Seed::for_test(1));
        let at = public(if servers[0] == turn() { 1 } else { 2 });
        connection.add_local_address(at).unwrap();
        connection.create_data_channel("c", DataChannelInit::default()).unwrap();
        let offer = connection.create_offer().unwrap();
        connection.set_local_description(offer).unwrap();
        let host = world.add("A", &[at], Party::Peer(Box::new(Peer::new(connection))));
        world.run_for(2 * SECOND);
        assert_eq!(told(&mut world, host, "error_code: 437"), 1, "{:?}", peer(&mut world, host).events);
        assert_eq!(told(&mut world, host, "typ relay"), 1);
        assert_eq!(peer(&mut world, host).connection.ice_gathering_state(), IceGatheringState::Complete);
    }
    assert_eq!(server(&mut world, second).allocations(), 2);
}

/// Who has said goodbye has no relay any more, and ICE nobody to speak through: nothing may go directly.
#[test]
fn after_the_end_nothing_leaves_but_what_ends_it() {
    let (mut world, _, hosts) = world([relay_only(), with_stun()]);
    connect(&mut world, hosts);
    let mut now = world.now();
    let unused = PeerConnection::new(config(), Seed::for_test(9));
    let mut connection = std::mem::replace(&mut peer(&mut world, hosts[0]).connection, unused);
    connection.close();
    let mut out = Vec::new();
    for _ in 0..60 {
        let mut sent = 0;
        while let Some(transmit) = connection.poll_transmit(now, &mut out) {
            assert_eq!(transmit.remote, turn());
            sent += 1;
            assert!(sent < 100, "spins");
        }
        now += SECOND;
        connection.handle_timeout(now);
    }
}

/// A restart asks for what was lost; that there are no more candidates is told when it has come.
#[test]
fn the_end_of_candidates_comes_after_those_that_a_restart_brings() {
    let mut world = World::new(5);
    let turn = add_server(&mut world);
    let hosts = add_peers(&mut world, [relay_only(), with_stun()]);
    connect(&mut world, hosts);
    server(&mut world, turn).forget();
    world.run_for(700 * SECOND);
    assert_eq!(told(&mut world, hosts[0], "error_code: 437"), 1);
    let a = peer(&mut world, hosts[0]);
    a.events.clear();
    a.connection.restart_ice().unwrap();
    let offer = a.connection.create_offer().unwrap();
    a.connection.set_local_description(offer).unwrap();
    assert_eq!(a.connection.ice_gathering_state(), IceGatheringState::Gathering);
    assert!(!a.connection.local_description().unwrap().sdp.contains("end-of-candidates"));
    world.run_for(2 * SECOND);
    let events = &peer(&mut world, hosts[0]).events;
    let place = |what: &str| events.iter().position(|event| event.contains(what));
    let places = ["(Gathering)", "typ relay", "IceCandidate(None)", "(Complete)"].map(place);
    assert!(places.is_sorted() && places[0].is_some(), "{places:?} {events:?}");
    let sdp = sdp(&mut world, hosts[0]);
    assert!(sdp.contains("typ relay") && sdp.contains("end-of-candidates"), "{sdp}");
}

/// RFC 8656 §7.4: whom a server has refused gives up on it; a restart is another matter.
#[test]
fn a_server_that_has_refused_is_asked_again_by_a_restart_alone() {
    let mut world = World::new(5);
    let turn = add_server(&mut world);
    let hosts = add_peers(&mut world, [with_turn("wrong"), config()]);
    connect(&mut world, hosts);
    assert_eq!(server(&mut world, turn).count(3), 2);
    for n in 0..4 {
        negotiate(&mut world, [hosts[n % 2], hosts[1 - n % 2]]);
    }
    assert_eq!((server(&mut world, turn).count(3), told(&mut world, hosts[0], "error_code: 401")), (2, 1));
    peer(&mut world, hosts[0]).connection.restart_ice().unwrap();
    negotiate(&mut world, hosts);
    assert_eq!((server(&mut world, turn).count(3), told(&mut world, hosts[0], "error_code: 401")), (4, 2));
}

#[test]
fn what_comes_from_the_server_and_is_of_no_use_is_counted_by_name() {
    let (mut world, _, hosts) = world([relay_only(), with_stun()]);
    connect(&mut world, hosts);
    let now = world.now();
    let connection = &mut peer(&mut world, hosts[0]).connection;
    let count = |connection: &PeerConnection| -> u64 { connection.drops().iter().map(|(_, count)| count).sum() };
    let before = count(connection);
    let private: SocketAddr = "192.168.1.2:5000".parse().unwrap();
    let stranger = channel_data::header(0x4777, 0).to_vec();
    let cut = channel_data::header(0x4000, 9).to_vec();
    // Nobody has sealed it: it is as good as one from anywhere.
    let inner = [channel_data::header(0x4000, 4).as_slice(), &[0, 1, 0, 0]].concat();
    let nested = [channel_data::header(0x4000, 5).as_slice(), &[0x40, 0, 0, 1, 7]].concat();
    for (n, mut bytes) in [stranger, cut, inner, nested, vec![0xFF; 30], vec![]].into_iter().enumerate() {
        connection.handle_input(Datagram::udp(private, turn(), &mut bytes), now);
        assert_eq!(count(connection) - before, n as u64 + 1, "{bytes:?}");
    }
    assert!(connection.drops().iter().any(|(name, count)| *name == "turn.unknown_peer" && *count == 1));
}

/// Invariant P9: not even in what is told of a server that does not relay.
#[test]
fn whoever_wants_relays_alone_is_told_of_a_failure_without_an_address() {
    let mut config = relay_only();
    config.turn_servers = vec![TurnServer::new(turn(), USERNAME, "wrong")];
    let (mut world, _, [a, _]) = world([config, with_stun()]);
    let connection = &mut peer(&mut world, a).connection;
    connection.create_data_channel("c", DataChannelInit::default()).unwrap();
    let offer = connection.create_offer().unwrap();
    connection.set_local_description(offer).unwrap();
    world.run_for(SECOND);
    assert_eq!(told(&mut world, a, "error_code: 401"), 1);
    assert_eq!(told(&mut world, a, "192.168."), 0, "{:?}", peer(&mut world, a).events);
}

/// What is looked for is no more than was allowed, the relay's four bytes included.
#[test]
fn a_search_for_longer_datagrams_keeps_to_its_limit_through_a_relay() {
    let configs = [relay_only(), with_stun()].map(|mut config| {
        config.data_mtu_max = 1452;
        config.dtls_versions = wigwag::Version::Dtls12..=wigwag::Version::Dtls12; // it seals with more bytes than 1.3
        config
    });
    let (mut world, _, hosts) = world(configs);
    connect(&mut world, hosts);
    world.run_for(SECOND);
    let before = world.trace().records().len();
    exchange(&mut world, hosts, 20, 10_000);
    exchange(&mut world, hosts, 20, 10_000);
    let sent = world.trace().records()[before..].iter().filter(|record| record.to == turn());
    let longest = sent.filter(|record| record.from.ip() != public(2).ip()).map(|record| record.payload.len());
    let longest = longest.max().unwrap();
    assert!(longest <= 1452 && longest > 1400, "{longest}");
}

/// Law 5: an address that vanishes while a server is asked about it ends the search, and that is told in the same turn.
#[test]
fn an_address_that_vanishes_before_the_server_has_answered_leaves_nothing_owed() {
    let (mut now, mut out) = (wigwag_sim::origin(), Vec::new());
    for steps in 0..3 {
        let mut connection = PeerConnection::new(relay_only(), Seed::for_test(1));
        connection.add_local_address(public(1)).unwrap();
        connection.create_data_channel("c", DataChannelInit::default()).unwrap();
        let offer = connection.create_offer().unwrap();
        connection.set_local_description(offer).unwrap();
        for _ in 0..steps {
            now += SECOND / 4;
            connection.handle_timeout(now);
            while connection.poll_event().is_some() {}
            while connection.poll_transmit(now, &mut out).is_some() {}
        }
        connection.remove_local_address(public(1));
        while connection.poll_event().is_some() {}
        while connection.poll_transmit(now, &mut out).is_some() {}
        assert_eq!(connection.poll_event(), None);
        assert!(connection.poll_timeout(now).is_none_or(|at| at > now), "{steps}");
        assert_eq!(connection.ice_gathering_state(), IceGatheringState::Complete);
    }
}

/// Whoever has guessed where it is learns nothing by asking there.
#[test]
fn whoever_wants_relays_alone_answers_no_check_that_comes_directly() {
    let mut world = World::new(5);
    add_server(&mut world);
    let hosts = add_peers(&mut world, [relay_only(), with_stun()]);
    connect(&mut world, hosts);
    let guess = wigwag::IceCandidate {
        candidate: "candidate:7 1 udp 2130706431 203.0.113.1 5000 typ host".into(),
        sdp_mid: Some("0".into()),
        sdp_m_line_index: Some(0),
        username_fragment: None,
    };
    peer(&mut world, hosts[1]).connection.add_ice_candidate(Some(&guess)).unwrap();
    world.run_for(20 * SECOND);
    let asked = world.trace().records().iter().filter(|sent| (sent.from, sent.to) == (public(2), public(1))).count();
    assert!(asked >= 3, "{asked}");
    assert!(world.trace().records().iter().all(|sent| sent.from != public(1) || sent.to == turn()));
    exchange(&mut world, hosts, 5, 1000);
}

/// The server knows the peer by no number, and the peer takes its time to say where it is now.
#[test]
fn a_restart_lets_the_peer_be_heard_on_the_path_in_use() {
    let mut world = World::new(5);
    let turn = add_server(&mut world);
    server(&mut world, turn).refuses = Some((9, 403));
    let hosts = add_peers(&mut world, [relay_only(), with_stun()]);
    connect(&mut world, hosts);
    let a = &mut peer(&mut world, hosts[0]).connection;
    a.restart_ice().unwrap();
    let description = a.create_offer().unwrap();
    a.set_local_description(description).unwrap();
    let description = a.local_description().unwrap();
    let z = &mut peer(&mut world, hosts[1]).connection;
    z.set_remote_description(description).unwrap();
    let description = z.create_answer().unwrap();
    z.set_local_description(description).unwrap();
    let mut description = z.local_description().unwrap();
    let is_told_later = |line: &&str| line.starts_with("a=candidate") || line.starts_with("a=end-of");
    description.sdp = description.sdp.split_inclusive('\n').filter(|line| !is_told_later(line)).collect();
    peer(&mut world, hosts[0]).connection.set_remote_description(description).unwrap();
    let drops = |world: &mut World<Party>| -> u64 {
        peer(world, hosts[0]).connection.drops().iter().map(|(_, count)| count).sum()
    };
    let before = drops(&mut world);
    let z = peer(&mut world, hosts[1]);
    let channel = z.channels["c"];
    z.connection.send(channel, bytes::Bytes::from_static(b"hi"), true).unwrap();
    world.note("a message");
    world.run_for(SECOND / 2);
    assert_eq!(peer(&mut world, hosts[0]).messages.len(), 1);
    assert_eq!(drops(&mut world), before);
}

/// Whoever saw a check of the peer's sends it again from everywhere: what the peer says of itself afterwards takes the place of that, and
/// is let through as well.
#[test]
fn candidates_that_take_the_place_of_others_are_let_through() {
    let mut world = World::new(5);
    let turn = add_server(&mut world);
    let hosts = add_peers(&mut world, [with_turn(PASSWORD), config()]);
    connect(&mut world, hosts);
    let mut checks = world.trace().records().iter().filter(|sent| (sent.from, sent.to) == (public(2), public(1)));
    let check = checks.find(|sent| sent.payload.starts_with(&[0, 1])).unwrap().payload.clone();
    let now = world.now();
    for n in 1..=120 {
        let from = ([198, 51, 101, n], 5000).into();
        let connection = &mut peer(&mut world, hosts[0]).connection;
        connection.handle_input(Datagram::udp(public(1), from, &mut check.clone()), now);
    }
    world.run_for(20 * SECOND);
    for n in 1..=60 {
        let candidate = wigwag::IceCandidate {
            candidate: format!("candidate:{n} 1 udp 2130706431 198.18.0.{n} 5000 typ host"),
            sdp_mid: Some("0".into()),
            sdp_m_line_index: Some(0),
            username_fragment: None,
        };
        peer(&mut world, hosts[0]).connection.add_ice_candidate(Some(&candidate)).unwrap();
    }
    world.run_for(20 * SECOND);
    let known = server(&mut world, turn).permissions();
    let missing: Vec<_> = (1..=60).filter(|n| !known.contains(&[198, 18, 0, *n].into())).collect();
    assert!(missing.is_empty(), "{missing:?}");
    exchange(&mut world, hosts, 5, 1000);
}

/// draft-ietf-mmusic-mdns-ice-candidates §3.3.2: its check comes before anybody has found out whose name it is, or nobody ever does; what
/// it comes from is what the name hides all the same.
#[test]
fn a_server_is_not_told_where_a_hidden_peer_is_by_its_checks() {
    const NAME: &str = "1f4712db-ea17-4bcf-a596-105139dfd8bf.local";
    for (is_late, is_resolved) in [(false, false), (false, true), (true, false)] {
        let mut world = World::new(5);
        let turn = add_server(&mut world);
        let [z, a] = add_peers(&mut world, [with_turn(PASSWORD), config()]);
        if is_late {
            world.links(z, turn, |link| _ = link.latency(SECOND / 2)); // the server answers when the check has come
        }
        let connection = &mut peer(&mut world, a).connection;
        connection.create_data_channel("c", DataChannelInit::default()).unwrap();
        let mut offer = connection.create_offer().unwrap();
        connection.set_local_description(offer.clone()).unwrap();
        offer.sdp = connection.local_description().unwrap().sdp;
        let here = format!(" {} {} typ host", public(2).ip(), public(2).port());
        assert!(offer.sdp.contains(&here), "{}", offer.sdp);
        offer.sdp = offer.sdp.replace(&here, &format!(" {NAME} {} typ host", public(2).port()));
        let connection = &mut peer(&mut world, z).connection;
        connection.set_remote_description(offer).unwrap();
        let answer = connection.create_answer().unwrap();
        connection.set_local_description(answer).unwrap();
        let answer = connection.local_description().unwrap();
        peer(&mut world, a).connection.set_remote_description(answer).unwrap();
        world.run_for(2 * SECOND);
        if is_resolved {
            peer(&mut world, z).connection.set_address_of_name(NAME, Some(public(2).ip()));
        }
        world.run_for(30 * SECOND);
        assert!(peer(&mut world, z).channels.contains_key("c"), "the direct way is open");
        assert_eq!(server(&mut world, turn).allocations(), 1);
        let told = server(&mut world, turn).permissions();
        assert!(!told.contains(&public(2).ip()), "late: {is_late}, resolved: {is_resolved}: {told:?}");
    }
}
