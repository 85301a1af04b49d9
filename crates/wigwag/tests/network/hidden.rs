//! Addresses of ours that are told by names, and who answers for these.

use crate::common::{Peer, answer, config, offer, pair_with};
use crate::endpoint::{Server, answered};
use crate::gathering::{Party, negotiate as gather_and_negotiate, peer};
use crate::relays::{turn, with_turn, world as relayed};
use crate::turn_server::PASSWORD;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};
use wigwag::mdns::{self, Host as Resolver, Interface};
use wigwag::sansio::{Datagram, Transmit};
use wigwag::{
    Config, ConnectionId, ConnectionState, DataChannelInit, EndpointConfig, EndpointEvent, Event, IceCandidate,
    PeerConnection, Seed, SessionDescription, TcpType,
};
use wigwag_sim::{A, Host, Node, World, Z, address};

const SECOND: Duration = Duration::from_secs(1);

fn hidden() -> Config {
    let mut config = config();
    config.hide_local_addresses = true;
    config
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// The names in a text.
fn names_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_hexdigit() || "-.local".contains(c)));
    words.filter(|word| word.parse::<mdns::Name>().is_ok()).map(str::to_owned).collect()
}

/// Everything that a connection says, for others to read; the events were collected before.
fn said(connection: &mut PeerConnection, now: Instant) -> String {
    let mut said: Vec<String> = [connection.local_description()].into_iter().flatten().map(|it| it.sdp).collect();
    said.extend(connection.create_offer().ok().map(|offer| offer.sdp));
    said.extend(connection.create_answer().ok().map(|answer| answer.sdp));
    let stats = connection.stats(now);
    said.extend([stats.to_json(), format!("{stats:?}")]);
    said.extend(connection.ice_decisions().map(|it| format!("{it}{}", it.to_json())));
    said.extend(connection.ice_failure().map(|it| format!("{it}{}{it:?}", it.to_json())));
    said.join("\n")
}

/// What is for whoever answers on the link, and names addresses for that reason.
fn is_for_the_link(event: &str) -> bool {
    event.starts_with("NameRegistrationNeeded")
}

fn assert_says_none_of(text: &str, addresses: &[IpAddr]) {
    for address in addresses {
        let found = text.lines().find(|line| line.contains(&address.to_string()));
        assert!(found.is_none(), "{address} is told: {found:?}");
    }
}

/// A connection, and a resolver for its loop: all that somebody needs who brings their own.
struct Member {
    connection: PeerConnection,
    resolver: Resolver,
    link: SocketAddr,
    /// Who else is on the link.
    others: SocketAddr,
    told: Vec<String>,
    state: ConnectionState,
    is_open: bool,
}

impl Member {
    fn new(seed: u64, host: Host) -> Self {
        let mut connection = PeerConnection::new(hidden(), Seed::for_test(seed * 2 + u64::from(host == Z)));
        connection.add_local_address(address(host)).unwrap();
        let mut resolver =
            Resolver::new(mdns::Config::default(), Seed::for_test(100 + seed * 2 + u64::from(host == Z)));
        resolver.add_interface(Interface::new(address(host).ip(), 24)).unwrap();
        let other = if host == A { Z } else { A };
        let [link, others] = [host, other].map(|host| SocketAddr::new(address(host).ip(), mdns::PORT));
        let (told, state, is_open) = (Vec::new(), ConnectionState::New, false);
        Self { connection, resolver, link, others, told, state, is_open }
    }

    fn note(&mut self, event: Event) {
        match event {
            Event::NameRegistrationNeeded { name, address } => {
                self.resolver.register_name(name.parse().unwrap(), address).unwrap();
            }
            Event::NameReleased(name) => self.resolver.unregister(&name.parse().unwrap()),
            Event::NameResolutionNeeded(name) => _ = self.resolver.resolve(&name).unwrap(),
            event => {
                match &event {
                    Event::ConnectionStateChanged(state) => self.state = *state,
                    Event::ChannelOpened(_) => self.is_open = true,
                    _ => {}
                }
                self.told.push(format!("{event:?}"));
            }
        }
    }
}

impl Node for Member {
    fn handle_input(&mut self, datagram: Datagram<'_>, now: Instant) {
        if datagram.local == self.link {
            self.resolver.handle_input(datagram, now);
        } else {
            self.connection.handle_input(datagram, now);
        }
    }
    fn handle_timeout(&mut self, now: Instant) {
        self.connection.handle_timeout(now);
        self.resolver.handle_timeout(now);
    }
    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        if let Some(transmit) = self.resolver.poll_transmit(now, out) {
            assert!(transmit.remote.ip().is_multicast());
            return Some(Transmit { remote: self.others, ..transmit });
        }
        self.connection.poll_transmit(now, out)
    }
    fn poll_event(&mut self) -> bool {
        if let Some(event) = self.resolver.poll_event() {
            let (name, address) = match event {
                mdns::Event::Resolved { name, address } => (name, Some(address)),
                mdns::Event::Unresolved(name) => (name, None),
                _ => return true,
            };
            self.connection.set_address_of_name(&name.to_string(), address);
            return true;
        }
        let event = self.connection.poll_event();
        let has_event = event.is_some();
        event.into_iter().for_each(|event| self.note(event));
        has_event
    }
    fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        [self.connection.poll_timeout(now), self.resolver.poll_timeout(now)].into_iter().flatten().min()
    }
}

fn members(seed: u64) -> World<Member> {
    let mut world = World::new(seed);
    for (host, name) in [(A, "A"), (Z, "Z")] {
        let member = Member::new(seed, host);
        world.add(name, &[address(host), member.link], member);
    }
    world
}

fn offered(connection: &mut PeerConnection) -> SessionDescription {
    let offer = connection.create_offer().unwrap();
    connection.set_local_description(offer).unwrap();
    connection.local_description().unwrap()
}

fn answer_of(connection: &mut PeerConnection, offer: SessionDescription) -> SessionDescription {
    connection.set_remote_description(offer).unwrap();
    let answer = connection.create_answer().unwrap();
    connection.set_local_description(answer).unwrap();
    connection.local_description().unwrap()
}

fn call(world: &mut World<Member>) {
    let offer = offered(&mut world[A].connection);
    let answer = answer_of(&mut world[Z].connection, offer);
    world[A].connection.set_remote_description(answer).unwrap();
}

fn connect(world: &mut World<Member>) {
    world[A].connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
    call(world);
    world.run_until(|world| [A, Z].iter().all(|host| world[*host].is_open), 20 * SECOND);
}

/// By multicast on the link between them, as two browsers do.
#[test]
fn two_who_hide_their_addresses_find_each_other_on_their_link() {
    for seed in 1..6 {
        let mut world = members(seed);
        connect(&mut world);
        world.run_for(2 * SECOND);
        let now = world.now();
        let mut names = BTreeSet::new();
        for host in [A, Z] {
            let member = &mut world[host];
            assert_eq!(member.state, ConnectionState::Connected);
            let ours: Vec<_> = member.connection.local_names().collect();
            assert_eq!((ours.len(), ours[0].1), (1, address(host).ip()));
            assert_eq!(member.resolver.names().map(|(name, ip)| (name.to_string(), ip)).collect::<Vec<_>>(), ours);
            names.insert(ours[0].0.clone());
            let said = format!("{}\n{}", said(&mut member.connection, now), member.told.join("\n"));
            assert_says_none_of(&said, &[address(host).ip()]);
            let sdp = member.connection.local_description().unwrap().sdp;
            let port = address(host).port();
            assert!(sdp.contains(&format!(" {} {port} typ host ufrag ", ours[0].0)), "{sdp}");
            assert!(sdp.contains("c=IN IP4 0.0.0.0\r\n") && sdp.contains("m=application 9 "), "{sdp}");
        }
        assert_eq!(names.len(), 2);
    }
}

#[test]
fn the_link_is_told_that_a_name_ends_with_its_connection() {
    let mut world = members(7);
    connect(&mut world);
    world.run_for(5 * SECOND);
    let name = world[A].connection.local_names().next().unwrap().0;
    let sent = world[A].resolver.stats().responses_sent;
    world[A].connection.close();
    world.run_for(3 * SECOND);
    assert_eq!((world[A].resolver.names().count(), world[A].resolver.is_idle()), (0, true));
    assert_eq!(world[A].resolver.stats().responses_sent, sent + 1, "a goodbye");
    assert!(world[A].told.last().unwrap().starts_with("Closed"));
    // What comes after the end is hidden, and nobody answers for it.
    world[A].connection.add_local_address("10.0.0.3:1000".parse().unwrap()).unwrap_or_default();
    let now = world.now();
    assert_says_none_of(&said(&mut world[A].connection, now), &[address(A).ip(), ip("10.0.0.3")]);
    assert_eq!(world[A].connection.local_names().count(), 0);
    // Nobody answers any more.
    world[Z].resolver.resolve(&name).unwrap();
    let unresolved = world[Z].resolver.stats().unresolved;
    world.run_for(20 * SECOND);
    assert_eq!(world[Z].resolver.stats().unresolved, unresolved + 1);
}

/// Nobody on the link learns of us by a connection that is only prepared.
#[test]
fn names_are_told_with_candidates_and_not_before() {
    let mut world = members(8);
    world[A].connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
    world.run_for(SECOND);
    let offer = world[A].connection.create_offer().unwrap();
    world.run_for(SECOND);
    assert_eq!((world[A].resolver.names().count(), world[A].connection.local_names().count()), (0, 0));
    let promised = names_in(&offer.sdp);
    world[A].connection.set_local_description(offer).unwrap();
    world.run_for(SECOND);
    let names: BTreeSet<_> = world[A].resolver.names().map(|(name, _)| name.to_string()).collect();
    assert_eq!((names.len(), names), (1, promised));
    let candidate = world[A].told.iter().find(|it| it.starts_with("IceCandidate(Some")).expect("a candidate");
    assert_eq!(names_in(candidate).len(), 1);
}

/// Two homes behind NATs, with servers that answer and one that does not, listeners, and addresses of IPv6: whatever is asked of such a
/// connection, and whatever it tells, before, during and after a call and when it fails.
#[test]
fn nothing_that_leaves_says_an_address_of_ours() {
    let mut config = with_turn(PASSWORD);
    config.hide_local_addresses = true;
    config.stun_servers = vec![turn(), "198.51.100.77:3478".parse().unwrap()];
    let (mut world, _, hosts) = relayed([config.clone(), config]);
    let more = [ip("fd00::7"), ip("fe80::7"), ip("2001:db8::7"), ip("127.0.0.1"), ip("100.64.7.7")];
    let addresses = |n: usize| [&more[..], &[ip(["192.168.1.2", "192.168.2.2"][n])]].concat();
    let mut texts = [String::new(), String::new()];
    for (n, host) in hosts.into_iter().enumerate() {
        let connection = &mut peer(&mut world, host).connection;
        for address in &more {
            connection.add_local_address((*address, 5000).into()).unwrap();
        }
        for address in addresses(n) {
            connection.add_local_tcp_address((address, 443).into(), TcpType::Passive).unwrap();
            connection.add_local_tcp_address((address, 9).into(), TcpType::Active).unwrap();
        }
        connection.create_data_channel("c", DataChannelInit::default().negotiated(0)).unwrap();
    }
    let mut collect = |world: &mut World<Party>| {
        let now = world.now();
        for (n, host) in hosts.into_iter().enumerate() {
            let peer = peer(world, host);
            texts[n].push_str(&said(&mut peer.connection, now));
            let told: Vec<_> = peer.events.iter().filter(|event| !is_for_the_link(event)).cloned().collect();
            texts[n].push_str(&told.join("\n"));
        }
    };
    collect(&mut world);
    gather_and_negotiate(&mut world, hosts);
    for _ in 0..10 {
        collect(&mut world);
        world.run_for(3 * SECOND);
    }
    assert!(hosts.iter().all(|host| peer(&mut world, *host).state == ConnectionState::Connected), "by a relay");
    peer(&mut world, hosts[0]).connection.restart_ice().unwrap();
    gather_and_negotiate(&mut world, hosts);
    world.run_for(10 * SECOND);
    collect(&mut world);
    // One is gone, and the other fails.
    peer(&mut world, hosts[1]).connection.remove_local_address("192.168.2.2:5000".parse().unwrap());
    collect(&mut world);
    for _ in 0..50 {
        world.run_for(2 * SECOND);
    }
    collect(&mut world);
    assert!(hosts.iter().any(|host| peer(&mut world, *host).state == ConnectionState::Failed), "without a path");
    peer(&mut world, hosts[0]).connection.close();
    world.run_for(5 * SECOND);
    collect(&mut world);
    for (n, text) in texts.iter().enumerate() {
        assert_says_none_of(text, &addresses(n));
        for kind in ["srflx", "relay"] {
            let line =
                text.lines().find(|line| line.starts_with("a=candidate") && line.contains(&format!(" typ {kind} ")));
            assert!(line.unwrap_or_default().contains(" raddr 0.0.0.0 rport 9"), "{kind}: {line:?}");
        }
        for kind in
            ["IceCandidateError { address: None", "IceFailed", "tcptype passive", "\"relatedAddress\":\"0.0.0.0\""]
        {
            assert!(n == 1 && kind == "IceFailed" || texts.iter().any(|text| text.contains(kind)), "{kind}");
        }
        // One for each of six addresses, of both protocols and all generations.
        assert_eq!(names_in(text).len(), 12, "ours, and the peer's");
    }
}

/// A peer on the same machine: what its checks come from is an address of ours.
#[test]
fn statistics_do_not_tell_what_a_check_has_shown() {
    let [here, there]: [SocketAddr; 2] = ["10.0.0.1:1000", "10.0.0.1:2000"].map(|it| it.parse().unwrap());
    let mut world = World::new(9);
    for (n, local) in [here, there].into_iter().enumerate() {
        let mut connection = PeerConnection::new(hidden(), Seed::for_test(n as u64));
        connection.add_local_address(local).unwrap();
        world.add(["A", "Z"][n], &[local], Peer::new(connection));
    }
    world[A].connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
    let offered = offer(&mut world, A);
    let name = names_in(&offered.sdp).pop_first().unwrap();
    let mut answered = answer(&mut world, Z, offered);
    answered.sdp =
        answered.sdp.lines().filter(|it| !it.starts_with("a=candidate")).map(|it| format!("{it}\r\n")).collect();
    world[A].connection.set_remote_description(answered).unwrap();
    world.run_for(SECOND);
    world[Z].connection.set_address_of_name(&name, Some(here.ip()));
    world.run_until(|world| world[A].channels.contains_key("chat"), 10 * SECOND);
    world.run_for(2 * SECOND);
    let now = world.now();
    for host in [A, Z] {
        let events: Vec<_> = world[host].events.iter().filter(|event| !is_for_the_link(event)).cloned().collect();
        let said = said(&mut world[host].connection, now);
        assert_says_none_of(&format!("{said}\n{}", events.join("\n")), &[here.ip()]);
        assert!(said.contains(r#""nominated":true"#), "{said}");
    }
    let said = world[A].connection.stats(now).to_json();
    assert!(said.contains(r#""candidateType":"prflx""#) && said.contains(r#""address":"0.0.0.0""#), "{said}");
}

/// As if it were the peer's.
#[test]
fn a_name_of_ours_that_the_peer_tells_back_is_not_looked_for() {
    let mut world = pair_with(10, |_, config| config.hide_local_addresses = true);
    world[A].connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
    let offered = offer(&mut world, A);
    let ours = names_in(&offered.sdp).pop_first().unwrap();
    let mut answered = answer(&mut world, Z, offered);
    let theirs = names_in(&answered.sdp).pop_first().unwrap();
    answered.sdp = answered.sdp.replace(&theirs, &ours.to_uppercase().replace("LOCAL", "local"));
    world[A].connection.set_remote_description(answered).unwrap();
    let line = format!("candidate:1 1 udp 7 {ours} 1000 typ host");
    world[A].connection.add_ice_candidate(Some(&IceCandidate::new(line))).unwrap();
    world.run_for(SECOND);
    assert!(!world[A].events.iter().any(|event| event.contains("NameResolutionNeeded")), "{:?}", world[A].events);
    world[A].connection.set_address_of_name(&ours, Some(address(A).ip()));
    world.run_for(60 * SECOND);
    let to_ourselves = |record: &wigwag_sim::Record| record.from == address(A) && record.to == address(A);
    assert!(!world.trace().records().iter().any(to_ourselves));
}

/// The peer says that it sees us at another port of an address that we hide.
#[test]
fn what_the_peer_sees_of_a_hidden_address_is_hidden_too() {
    use wigwag::ice::{Agent, Config, Kind, LocalCandidate, RemoteCandidate};
    let mut agent = Agent::new(Config::default(), Seed::for_test(1));
    let base: SocketAddr = "10.0.0.1:1000".parse().unwrap();
    agent.hide_local_address(base.ip(), "a name");
    let host = agent.add_local_candidate(LocalCandidate::host(base)).unwrap();
    assert_eq!(host.name.as_deref(), Some("a name"));
    assert!(
        matches!(RemoteCandidate::from(&host).address, wigwag::ice::RemoteAddress::Name(name, 1000) if name == "a name")
    );
    // A server within the network, or on this machine, tells nothing new, or what is hidden.
    let same = LocalCandidate::server_reflexive(base, base, ip("10.0.0.9"));
    assert!(agent.is_redundant(&same));
    let other = LocalCandidate::server_reflexive("10.0.0.1:7".parse().unwrap(), base, ip("10.0.0.9"));
    assert_eq!(agent.add_local_candidate(other).unwrap().name.as_deref(), Some("a name"));
    let relayed = LocalCandidate::relayed("10.0.0.1:50000".parse().unwrap(), base, ip("10.0.0.1"));
    let relayed = agent.add_local_candidate(relayed).unwrap();
    assert_eq!((relayed.name.as_deref(), relayed.kind), (Some("a name"), Kind::Relayed));
}

/// draft-ietf-mmusic-mdns-ice-candidates §3.1.2.2: a public address is told as what a server sees, also if no NAT is before it.
#[test]
fn a_public_address_is_told_when_a_server_has_seen_it() {
    let mut world = World::new(11);
    crate::relays::add_server(&mut world);
    let public: SocketAddr = "203.0.113.5:5000".parse().unwrap();
    let mut config = crate::relays::with_stun();
    config.hide_local_addresses = true;
    let mut connection = PeerConnection::new(config, Seed::for_test(1));
    connection.add_local_address(public).unwrap();
    let host = world.add("A", &[public], Party::Peer(Box::new(Peer::new(connection))));
    let connection = &mut peer(&mut world, host).connection;
    connection.create_data_channel("c", DataChannelInit::default()).unwrap();
    offered(connection);
    world.run_for(2 * SECOND);
    let peer = peer(&mut world, host);
    let sdp = peer.connection.local_description().unwrap().sdp;
    let candidates: Vec<_> = sdp.lines().filter(|line| line.starts_with("a=candidate")).collect();
    assert_eq!((candidates.len(), names_in(candidates[0]).len()), (2, 1), "{sdp}");
    assert!(candidates[1].contains(" 203.0.113.5 5000 typ srflx raddr 0.0.0.0 rport 9"), "{sdp}");
    assert!(peer.events.iter().any(|event| event.contains("203.0.113.5 5000 typ srflx")), "{:?}", peer.events);
}

fn released(events: &[String]) -> Vec<String> {
    let names = events.iter().filter_map(|event| event.strip_prefix("NameReleased(\"")?.strip_suffix("\")"));
    names.map(str::to_owned).collect()
}

fn registered(events: &[String]) -> Vec<String> {
    let needed = events.iter().filter(|event| is_for_the_link(event));
    needed.flat_map(|event| names_in(event)).collect()
}

/// draft-ietf-mmusic-mdns-ice-candidates §3.1.1: a name is stored "for future reuse".
#[test]
fn a_restart_keeps_the_names_and_an_address_that_comes_back_has_another() {
    let mut world = pair_with(12, |_, config| config.hide_local_addresses = true);
    let [udp, tcp] = [address(A), SocketAddr::new(address(A).ip(), 443)];
    world[A].connection.add_local_tcp_address(tcp, TcpType::Passive).unwrap();
    world[A].connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
    let first = names_in(&offer(&mut world, A).sdp);
    let answered = world[A].connection.local_description().map(|offer| answer(&mut world, Z, offer)).unwrap();
    world[A].connection.set_remote_description(answered).unwrap();
    world.run_for(SECOND);
    assert_eq!(first.len(), 1, "one for both protocols");
    world[A].connection.restart_ice().unwrap();
    assert_eq!(names_in(&offer(&mut world, A).sdp), first);
    world.run_for(SECOND);
    assert_eq!(registered(&world[A].events).len(), 1);

    // It is there as long as a candidate is of it.
    world[A].connection.remove_local_address(udp);
    world.run_for(SECOND);
    assert!(released(&world[A].events).is_empty());
    assert_eq!(names_in(&world[A].connection.local_description().unwrap().sdp), first);
    world[A].connection.remove_local_tcp_address(tcp, TcpType::Passive);
    world.run_for(SECOND);
    assert_eq!(released(&world[A].events).into_iter().collect::<BTreeSet<_>>(), first);
    assert!(names_in(&world[A].connection.local_description().unwrap().sdp).is_empty());
    world[A].connection.add_local_address(udp).unwrap();
    world.run_for(SECOND);
    let second = names_in(&world[A].connection.local_description().unwrap().sdp);
    assert_eq!((second.len(), registered(&world[A].events).len()), (1, 2));
    assert!(second.is_disjoint(&first));
    world[A].connection.close();
    world.run_for(5 * SECOND);
    assert_eq!(released(&world[A].events).len(), 2);
    assert_eq!(world[A].connection.local_names().count(), 0);
}

#[test]
fn who_wants_relays_alone_has_nothing_to_hide() {
    let mut config = crate::relays::relay_only();
    config.hide_local_addresses = true;
    let (mut world, _, hosts) = relayed([config.clone(), config]);
    crate::relays::connect(&mut world, hosts);
    for host in hosts {
        let peer = peer(&mut world, host);
        assert!(
            !peer.events.iter().any(|event| event.contains(".local") || event.contains("NameRe")),
            "{:?}",
            peer.events
        );
        assert_eq!(peer.connection.local_names().count(), 0);
        assert!(peer.connection.local_description().unwrap().sdp.contains(" typ relay raddr 0.0.0.0 rport 9"));
    }
}

/// Names of all connections that an endpoint was told to answer for.
#[derive(Default)]
struct Answered(BTreeMap<String, (Option<ConnectionId>, IpAddr)>);

impl Answered {
    fn poll(&mut self, endpoint: &mut wigwag::Endpoint) -> VecDeque<EndpointEvent> {
        let mut others = VecDeque::new();
        while let Some(event) = endpoint.poll_event() {
            match event {
                EndpointEvent::Connection(id, Event::NameRegistrationNeeded { name, address }) => {
                    assert!(self.0.insert(name, (Some(id), address)).is_none(), "told once");
                }
                EndpointEvent::Connection(_, Event::NameReleased(name)) | EndpointEvent::NameReleased(name) => {
                    assert!(self.0.remove(&name).is_some(), "it was told before");
                }
                event => others.push_back(event),
            }
        }
        others
    }
}

#[test]
fn no_two_connections_have_a_name_in_common_and_none_is_answered_for_that_is_no_more() {
    const COUNT: usize = 200;
    let mut server = Server::new(1, A, EndpointConfig::default());
    let endpoint = &mut server.endpoint;
    endpoint.add_local_address("[2001:db8::1]:1000".parse().unwrap()).unwrap();
    let mut answered = Answered::default();
    let ids: Vec<_> = (0..COUNT).map(|_| endpoint.create(hidden()).unwrap()).collect();
    for id in &ids {
        let connection = endpoint.connection_mut(*id).unwrap();
        connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
        offered(connection);
    }
    answered.poll(endpoint);
    assert_eq!(answered.0.len(), 2 * COUNT, "one for each address of each connection");
    let now = wigwag_sim::origin();
    endpoint.handle_timeout(now);
    assert!(endpoint.poll_timeout(now).is_none_or(|at| at > now));

    // One is removed without a word, one before anybody was told of it, and one says goodbye.
    endpoint.remove(ids[0]);
    assert_eq!(endpoint.poll_timeout(now), Some(now));
    let untold = endpoint.create(hidden()).unwrap();
    let connection = endpoint.connection_mut(untold).unwrap();
    connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
    offered(connection);
    endpoint.handle_timeout(now);
    endpoint.remove(untold);
    endpoint.connection_mut(ids[1]).unwrap().close();
    let mut out = Vec::new();
    for step in 0..100 {
        let now = now + step * Duration::from_millis(100);
        endpoint.handle_timeout(now);
        while endpoint.poll_transmit(now, &mut out).is_some() {}
        answered.poll(endpoint);
    }
    assert!(endpoint.connection(ids[1]).is_none());
    assert_eq!(answered.0.len(), 2 * (COUNT - 2));
    assert!(answered.0.values().all(|(id, _)| !ids[..2].contains(&id.unwrap())));
    // An address vanishes, of all.
    endpoint.remove_local_address("[2001:db8::1]:1000".parse().unwrap());
    answered.poll(endpoint);
    assert_eq!(answered.0.len(), COUNT - 2);
    assert!(answered.0.values().all(|(_, address)| *address == self::address(A).ip()));
}

#[test]
fn an_address_that_everybody_knows_is_told_by_those_who_hide_theirs() {
    let mut server = Server::new(1, A, EndpointConfig::default());
    let endpoint = &mut server.endpoint;
    let before = endpoint.create(hidden()).unwrap();
    endpoint.expose_address(ip("203.0.113.7"));
    endpoint.add_local_address("203.0.113.7:40000".parse().unwrap()).unwrap();
    let after = endpoint.create(hidden()).unwrap();
    for id in [before, after] {
        let connection = endpoint.connection_mut(id).unwrap();
        connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
        let sdp = offered(connection).sdp;
        assert!(sdp.contains(" 203.0.113.7 40000 typ host") && names_in(&sdp).len() == 1, "{sdp}");
        assert_says_none_of(&sdp, &[address(A).ip()]);
    }
    // And one that is hidden is so until it is said.
    endpoint.expose_address(address(A).ip());
    let mut answered = Answered::default();
    answered.poll(endpoint);
    assert!(answered.0.is_empty());
    let connection = endpoint.connection(after).unwrap();
    let sdp = connection.local_description().unwrap().sdp;
    assert!(names_in(&sdp).is_empty() && sdp.contains(&format!(" {} 1000 typ host", address(A).ip())), "{sdp}");
}

/// Law 7, and what a name is for: nobody can tell of two connections that they are of one machine.
#[test]
fn names_are_the_seeds_and_of_one_connection() {
    let name = |seed: u64| {
        let mut connection = PeerConnection::new(hidden(), Seed::for_test(seed));
        connection.add_local_address(address(A)).unwrap();
        connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
        names_in(&offered(&mut connection).sdp).pop_first().unwrap()
    };
    assert_eq!(name(1), name(1));
    let names: BTreeSet<_> = (0..100).map(name).collect();
    assert_eq!(names.len(), 100);
    assert!(names.iter().all(|name| name.as_bytes()[14] == b'4' && b"89ab".contains(&name.as_bytes()[19])));
}

/// Whoever answers by the endpoint hides as well.
#[test]
fn an_answer_hides_as_an_offer_does() {
    let mut server = Server::new(1, Z, EndpointConfig::default());
    let id = server.endpoint.create(hidden()).unwrap();
    let mut caller = PeerConnection::new(config(), Seed::for_test(3));
    caller.add_local_address(address(A)).unwrap();
    caller.create_data_channel("chat", DataChannelInit::default()).unwrap();
    let answer = answered(&mut server.endpoint, id, offered(&mut caller));
    assert_says_none_of(&answer.sdp, &[address(Z).ip()]);
    assert_eq!(names_in(&answer.sdp).len(), 1);
}
