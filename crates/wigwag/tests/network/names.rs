//! Candidates that hide an address behind a name, and whoever finds out which it is.

use crate::common::{Peer, answer, config, connection, offer, pair, pair_with};
use std::net::IpAddr;
use std::time::Duration;
use wigwag::{ConnectionState, DataChannelInit, IceCandidate, IceTransportPolicy, TurnServer};
use wigwag_sim::{A, Host, World, Z, address};

const NAME: &str = "1f4712db-ea17-4bcf-a596-105139dfd8bf.local";
const OTHER: &str = "2579ef4b-50ae-4bfe-95af-70b3376ecb9c.local";
const SECOND: Duration = Duration::from_secs(1);

fn needed(world: &World<Peer>, host: Host) -> Vec<String> {
    let told = world[host]
        .events
        .iter()
        .filter_map(|event| event.strip_prefix("NameResolutionNeeded(\"")?.strip_suffix("\")"));
    told.map(str::to_owned).collect()
}

/// What a browser says in place of the address of this host.
fn hidden(sdp: &str, host: Host, name: &str) -> String {
    let (address, port) = (address(host).ip(), address(host).port());
    let sdp = sdp.replace(&format!("c=IN IP4 {address}"), "c=IN IP4 0.0.0.0");
    sdp.replace(&format!(" {address} {port} typ host"), &format!(" {name} {port} typ host"))
}

fn without_candidates(sdp: &str) -> String {
    sdp.split_inclusive('\n').filter(|line| !line.starts_with("a=candidate") && !line.starts_with("a=end-of")).collect()
}

/// A offers and hides its address, and is told nothing of Z's: only Z's check can make a path.
fn negotiated(seed: u64) -> World<Peer> {
    let mut world = pair(seed);
    negotiate_hidden(&mut world);
    world
}

fn negotiate_hidden(world: &mut World<Peer>) {
    world[A].connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
    let mut offer = offer(world, A);
    offer.sdp = hidden(&offer.sdp, A, NAME);
    assert!(offer.sdp.contains(NAME) && !offer.sdp.contains(&address(A).ip().to_string()));
    let mut answer = answer(world, Z, offer);
    answer.sdp = without_candidates(&answer.sdp);
    world[A].connection.set_remote_description(answer).unwrap();
}

fn ip(host: Host) -> IpAddr {
    address(host).ip()
}

/// The peer's candidate of the pair in use, as statistics show it: its type and its address.
fn used(world: &World<Peer>, host: Host) -> (String, String) {
    let report = world[host].connection.stats(world.now()).to_json();
    let pair = |it: &&str| it.contains(r#""type":"candidate-pair""#) && it.contains(r#""nominated":true"#);
    let member = |object: &str, name: &str| {
        let from = object.split_once(&format!(r#""{name}":""#)).map(|(_, rest)| rest).unwrap_or_default();
        from.split('"').next().unwrap_or_default().to_owned()
    };
    let objects: Vec<_> = report.split("},").collect();
    let id = member(objects.iter().find(|it| pair(it)).expect("a pair"), "remoteCandidateId");
    let remote = objects.iter().find(|it| member(it, "id") == id).expect("its candidate");
    (member(remote, "candidateType"), member(remote, "address"))
}

#[test]
fn a_name_is_told_and_its_address_is_used() {
    let mut world = negotiated(1);
    world.run_for(SECOND);
    assert_eq!(needed(&world, Z), [NAME]);
    assert_eq!(world[Z].state, ConnectionState::Connecting);
    assert!(world.trace().records().is_empty(), "nobody knows where the other is");
    world[Z].connection.set_address_of_name(NAME, Some(ip(A)));
    world.run_until(|world| world[Z].channels.contains_key("chat"), 10 * SECOND);
    assert_eq!(used(&world, Z), ("host".into(), NAME.into()), "statistics say what the peer said");
    let report = world[Z].connection.stats(world.now()).to_json();
    assert!(!report.contains(&ip(A).to_string()), "{report}");
    assert_eq!(needed(&world, Z).len(), 1);
}

#[test]
fn a_name_that_trickles_is_asked_for_once_whatever_is_described_again() {
    let mut world = pair(2);
    world[A].connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
    let mut offer = offer(&mut world, A);
    let line = offer.sdp.lines().find(|line| line.starts_with("a=candidate")).unwrap().to_owned();
    offer.sdp = without_candidates(&offer.sdp);
    let mut answer = answer(&mut world, Z, offer);
    answer.sdp = without_candidates(&answer.sdp);
    world[A].connection.set_remote_description(answer).unwrap();
    let candidate = IceCandidate::new(hidden(&line, A, NAME));
    for _ in 0..3 {
        world[Z].connection.add_ice_candidate(Some(&candidate)).unwrap();
        world.run_for(SECOND);
    }
    // Another port of the same address, before and after it is known.
    let elsewhere = IceCandidate::new(hidden(&line, A, NAME).replace(" 1000 ", " 1001 "));
    world[Z].connection.add_ice_candidate(Some(&elsewhere)).unwrap();
    world[Z].connection.set_address_of_name(NAME, Some(ip(A)));
    let third = IceCandidate::new(hidden(&line, A, NAME).replace(" 1000 ", " 1002 "));
    world[Z].connection.add_ice_candidate(Some(&third)).unwrap();
    world.run_until(|world| world[Z].channels.contains_key("chat"), 10 * SECOND);
    assert_eq!(needed(&world, Z), [NAME]);
    let report = world[Z].connection.stats(world.now()).to_json();
    for port in 1000..=1002 {
        assert!(report.contains(&format!(r#""address":"{NAME}","port":{port}"#)), "{port}: {report}");
    }
}

#[test]
fn nothing_is_asked_for_before_an_offer_is_answered() {
    let mut world = pair(3);
    world[A].connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
    let mut offered = offer(&mut world, A);
    let line = offered.sdp.lines().find(|line| line.starts_with("a=candidate")).unwrap().to_owned();
    offered.sdp = hidden(&offered.sdp, A, NAME);
    world[Z].connection.set_remote_description(offered).unwrap();
    world[Z].connection.add_ice_candidate(Some(&IceCandidate::new(hidden(&line, A, OTHER)))).unwrap();
    world.run_for(SECOND);
    assert!(needed(&world, Z).is_empty());
    let answer = world[Z].connection.create_answer().unwrap();
    world[Z].connection.set_local_description(answer).unwrap();
    world.run_for(SECOND);
    assert_eq!(needed(&world, Z), [NAME, OTHER]);
}

/// RFC 8828 and draft-ietf-mmusic-mdns-ice-candidates §3.2.1: who wants relays alone asks nobody on the link.
#[test]
fn who_wants_relays_alone_asks_for_no_name() {
    let mut world = pair_with(4, |host, config| {
        if host == Z {
            config.ice_transport_policy = IceTransportPolicy::Relay;
            config.turn_servers = vec![TurnServer::new(([192, 0, 2, 7], 3478).into(), "a", "b")];
        }
    });
    negotiate_hidden(&mut world);
    world.run_for(10 * SECOND);
    assert!(needed(&world, Z).is_empty());
    world[Z].connection.set_address_of_name(NAME, Some(ip(A)));
    world.run_for(10 * SECOND);
    assert!(world.trace().records().iter().all(|record| record.to != address(A)));
}

/// RFC 8863: patience ends after 39.5 s, but not while somebody is asked.
#[test]
fn ice_does_not_fail_while_a_name_is_asked_for_and_does_after_it() {
    for (is_answered, ends_s) in [(false, 58), (true, 45)] {
        let mut world = pair(5);
        world[A].connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
        let mut offer = offer(&mut world, A);
        let line = offer.sdp.lines().find(|line| line.starts_with("a=candidate")).unwrap().to_owned();
        offer.sdp = without_candidates(&offer.sdp);
        answer(&mut world, Z, offer);
        world.run_for(38 * SECOND);
        world[Z].connection.add_ice_candidate(Some(&IceCandidate::new(hidden(&line, A, NAME)))).unwrap();
        world[Z].connection.add_ice_candidate(None).unwrap();
        world.run_for(7 * SECOND - Duration::from_millis(1));
        assert_eq!(world[Z].state, ConnectionState::Connecting, "it is asked for");
        if is_answered {
            world[Z].connection.set_address_of_name(NAME, None);
        }
        world.run_for(ends_s * SECOND - 45 * SECOND + Duration::from_millis(2));
        assert_eq!(world[Z].state, ConnectionState::Failed);
        let failure = world[Z].connection.ice_failure().unwrap().to_string();
        assert!(failure.starts_with("none of the peer's candidates can be used: are they all names"), "{failure}");
        // What is found out then is of no use.
        world[Z].connection.set_address_of_name(NAME, Some(ip(A)));
        world.run_for(60 * SECOND);
        assert_eq!(world[Z].state, ConnectionState::Failed);
    }
}

#[test]
fn a_late_answer_is_as_good_as_an_early_one() {
    let mut world = negotiated(6);
    world.run_for(30 * SECOND);
    world[Z].connection.set_address_of_name(NAME, None);
    world[Z].connection.set_address_of_name(NAME, Some(ip(A)));
    world[Z].connection.set_address_of_name(NAME, Some([192, 0, 2, 66].into()));
    world.run_until(|world| world[Z].channels.contains_key("chat"), 10 * SECOND);
    let known = [address(A), address(Z)];
    assert!(world.trace().records().iter().all(|record| known.contains(&record.to)), "the first address counts");
}

#[test]
fn a_name_of_before_a_restart_is_nothing_after_it() {
    let mut world = negotiated(7);
    world.run_for(SECOND);
    world[A].connection.restart_ice().unwrap();
    let mut offered = offer(&mut world, A);
    offered.sdp = hidden(&offered.sdp, A, OTHER);
    let mut answered = answer(&mut world, Z, offered);
    answered.sdp = without_candidates(&answered.sdp);
    world[A].connection.set_remote_description(answered).unwrap();
    world[Z].connection.set_address_of_name(NAME, Some([192, 0, 2, 66].into()));
    world.run_for(5 * SECOND);
    assert!(world.trace().records().iter().all(|record| record.to.ip() != IpAddr::from([192, 0, 2, 66])));
    assert_eq!(needed(&world, Z), [NAME, OTHER]);
    world[Z].connection.set_address_of_name(OTHER, Some(ip(A)));
    world.run_until(|world| world[Z].channels.contains_key("chat"), 10 * SECOND);
}

#[test]
fn the_same_name_is_asked_for_again_after_a_restart() {
    let mut world = negotiated(8);
    world.run_for(SECOND);
    world[Z].connection.set_address_of_name(NAME, Some(ip(A)));
    world.run_until(|world| world[Z].channels.contains_key("chat"), 10 * SECOND);
    world[A].connection.restart_ice().unwrap();
    let mut offered = offer(&mut world, A);
    offered.sdp = hidden(&offered.sdp, A, NAME);
    answer(&mut world, Z, offered);
    world.run_for(SECOND);
    assert_eq!(needed(&world, Z), [NAME, NAME]);
}

/// The peer's check was faster than the resolver: its candidate is what the peer said, and not one that nobody told.
#[test]
fn a_candidate_that_a_check_has_brought_becomes_the_one_that_was_told() {
    let mut world = pair(9);
    world[A].connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
    let mut offer = offer(&mut world, A);
    offer.sdp = hidden(&offer.sdp, A, NAME);
    let answer = answer(&mut world, Z, offer);
    world[A].connection.set_remote_description(answer).unwrap();
    world.run_until(|world| world[Z].channels.contains_key("chat"), 10 * SECOND);
    assert_eq!(used(&world, Z).0, "prflx");
    assert_eq!(world[Z].connection.ice_connection_state(), wigwag::IceConnectionState::Connected, "not completed yet");
    world[Z].connection.set_address_of_name(NAME, Some(ip(A)));
    world.run_for(2 * SECOND);
    assert_eq!(used(&world, Z), ("host".into(), NAME.into()));
}

#[test]
fn no_more_names_are_asked_for_than_a_machine_has_and_none_after_the_end() {
    let mut world = pair(10);
    negotiate_hidden(&mut world);
    let candidate = |n: u32, port: u16| {
        IceCandidate::new(format!("candidate:1 1 udp 7 {n:08x}-ea17-4bcf-a596-105139dfd8bf.local {port} typ host"))
    };
    for n in 0..100 {
        world[Z].connection.add_ice_candidate(Some(&candidate(n, 9999))).unwrap();
    }
    world.run_for(SECOND);
    assert_eq!(needed(&world, Z).len(), 16);
    let refused =
        (1..200).filter(|port| world[Z].connection.add_ice_candidate(Some(&candidate(0, *port))).is_err()).count();
    assert_eq!(refused, 199 - 84, "100 wait");
    world[Z].connection.close();
    world.run_for(10 * SECOND);
    world[Z].connection.set_address_of_name(NAME, Some(ip(A)));
    world.run_for(10 * SECOND);
    assert_eq!(needed(&world, Z).len(), 16);
}

/// Whoever is driven alone and asks nothing but what is to be sent is not kept awake.
#[test]
fn a_name_that_nobody_resolves_keeps_nobody_awake() {
    let mut peer = connection(11, Z, config());
    let now = wigwag_sim::origin();
    let mut world = pair(11);
    world[A].connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
    let mut offered = offer(&mut world, A);
    offered.sdp = hidden(&offered.sdp, A, NAME);
    peer.set_remote_description(offered).unwrap();
    let answer = peer.create_answer().unwrap();
    peer.set_local_description(answer).unwrap();
    let mut out = Vec::new();
    while peer.poll_transmit(now, &mut out).is_some() || peer.poll_event().is_some() {}
    assert!(peer.poll_timeout(now).is_none_or(|at| at > now));
}
