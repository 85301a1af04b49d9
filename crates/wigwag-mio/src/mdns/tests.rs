use super::*;
use crate::{DriverConfig, wall_clock};
use std::time::Duration;
use wigwag::{Config, ConnectionState, DataChannelInit, EndpointConfig, EndpointEvent};

fn interface(name: &str, address: &str, prefixlen: u8, index: u32) -> if_addrs::Interface {
    let addr = match address.parse().unwrap() {
        IpAddr::V4(ip) => {
            let netmask = Ipv4Addr::from_bits(u32::MAX << (32 - prefixlen));
            if_addrs::IfAddr::V4(if_addrs::Ifv4Addr { ip, netmask, prefixlen, broadcast: None })
        }
        IpAddr::V6(ip) => {
            let netmask = Ipv6Addr::from_bits(u128::MAX << (128 - prefixlen));
            if_addrs::IfAddr::V6(if_addrs::Ifv6Addr { ip, netmask, prefixlen, broadcast: None })
        }
    };
    let mut found = if_addrs::get_if_addrs().unwrap().remove(0);
    (found.name, found.addr, found.index) = (name.to_owned(), addr, Some(index));
    found
}

/// Whoever is bound to one network does not speak in another.
#[test]
fn names_are_asked_for_on_the_links_of_our_addresses_alone() {
    let found = [
        interface("lo", "127.0.0.1", 8, 1),
        interface("eth0", "10.0.0.5", 24, 2),
        interface("eth0", "10.1.0.5", 16, 2),
        interface("eth0", "2001:db8::5", 64, 2),
        interface("eth0", "fe80::5", 64, 2),
        interface("wlan0", "192.168.1.5", 24, 3),
    ];
    let links = |addresses: &[&str]| -> Vec<String> {
        let addresses: Vec<_> = addresses.iter().map(|it| it.parse().unwrap()).collect();
        links_of(&addresses, &found).iter().map(|(link, _)| link.local.to_string()).collect()
    };
    assert_eq!(links(&["10.0.0.5"]), ["10.0.0.5:5353", "[fe80::5%2]:5353"]);
    assert_eq!(links(&["192.168.1.5"]), ["192.168.1.5:5353"]);
    assert_eq!(links(&["2001:db8::5", "127.0.0.2"]), ["10.0.0.5:5353", "[fe80::5%2]:5353", "127.0.0.1:5353"]);
    assert!(links(&["203.0.113.7"]).is_empty());
    let all = links_of(&["10.0.0.5".parse().unwrap()], &found);
    assert_eq!(all[0].0.networks.len(), 4);
}

#[test]
fn names_are_asked_for_where_there_are_listeners_alone() {
    let mut config = DriverConfig::new([]);
    config.tcp_listeners = vec!["127.0.0.1:0".parse().unwrap()];
    let mut driver = Driver::bind(&config, EndpointConfig::default()).unwrap();
    driver.names.as_mut().unwrap().is_stale = true;
    driver.resolve_names(Instant::now());
    let links = &driver.names.as_ref().unwrap().links;
    assert!(links.iter().any(|link| link.local.ip().is_loopback()));
}

/// Two drivers on the loopback interface. A hides its address, and knows nothing of Z.
struct Pair {
    drivers: [Driver; 2],
    ids: [ConnectionId; 2],
}

impl Pair {
    fn new(resolves: bool) -> Self {
        let mut drivers = [(); 2].map(|()| {
            let mut config = DriverConfig::new(["127.0.0.1:0".parse().unwrap()]);
            config.resolve_names = resolves;
            Driver::bind(&config, EndpointConfig::default()).unwrap()
        });
        let ids = [0, 1].map(|end: usize| drivers[end].endpoint.create(Config::new(wall_clock())).unwrap());
        Self { drivers, ids }
    }

    /// A's offer says this name in place of its address.
    fn negotiate(&mut self, name: &str) {
        let without = |sdp: &str| -> String {
            sdp.split_inclusive('\n').filter(|line| !line.starts_with("a=candidate")).collect()
        };
        let [a, z] = [0, 1];
        let connection = self.drivers[a].endpoint.connection_mut(self.ids[a]).unwrap();
        connection.create_data_channel("test", DataChannelInit::default()).unwrap();
        let mut offer = connection.create_offer().unwrap();
        connection.set_local_description(offer.clone()).unwrap();
        offer.sdp = offer.sdp.replace(" 127.0.0.1 ", &format!(" {name} "));
        assert!(offer.sdp.contains(name), "{}", offer.sdp);
        let connection = self.drivers[z].endpoint.connection_mut(self.ids[z]).unwrap();
        connection.set_remote_description(offer).unwrap();
        let mut answer = connection.create_answer().unwrap();
        connection.set_local_description(answer.clone()).unwrap();
        answer.sdp = without(&answer.sdp);
        self.drivers[a].endpoint.connection_mut(self.ids[a]).unwrap().set_remote_description(answer).unwrap();
    }

    /// Turns until then, or for so long; returns the events of Z.
    fn run(
        &mut self,
        responder: &mut Option<Responder>,
        patience: Duration,
        is_done: impl Fn(&Self) -> bool,
    ) -> Vec<String> {
        let (began, mut seen) = (Instant::now(), Vec::new());
        while !is_done(self) && began.elapsed() < patience {
            for driver in &mut self.drivers {
                driver.run_once(Some(Duration::from_millis(1))).unwrap();
            }
            if let Some(responder) = responder {
                responder.turn();
            }
            while self.drivers[0].poll_event().is_some() {}
            while let Some(EndpointEvent::Connection(_, event)) = self.drivers[1].poll_event() {
                seen.push(format!("{event:?}"));
            }
        }
        seen
    }

    fn is_connected(&self) -> bool {
        (0..2).all(|end| {
            let connection = self.drivers[end].endpoint.connection(self.ids[end]);
            connection.is_some_and(|it| it.connection_state() == ConnectionState::Connected)
        })
    }
}

/// Somebody else on this machine, who has a name: as a browser does.
struct Responder {
    host: Host,
    link: Link,
    _poll: mio::Poll,
}

impl Responder {
    fn new() -> (Self, String) {
        let poll = mio::Poll::new().unwrap();
        let mut host = Host::new(mdns::Config::default(), crate::seed().unwrap());
        host.add_interface(Interface::new([127, 0, 0, 1].into(), 8)).unwrap();
        let name = host.register([127, 0, 0, 1].into()).unwrap().to_string();
        let link = open("127.0.0.1:5353".parse().unwrap(), 1, poll.registry(), 0).unwrap();
        (Self { host, link, _poll: poll }, name)
    }

    fn turn(&mut self) {
        let (mut buffer, mut out, now) = (vec![0; 9001], Vec::new(), Instant::now());
        while let Ok((len, from)) = self.link.socket.recv_from(&mut buffer) {
            self.host.handle_input(Datagram::udp(self.link.local, from, &mut buffer[..len]), now);
        }
        self.host.handle_timeout(now);
        while let Some(transmit) = self.host.poll_transmit(now, &mut out) {
            self.link.socket.send_to(&out, transmit.remote).unwrap();
        }
    }
}

/// By multicast on the loopback interface, which nothing leaves.
#[test]
fn a_peer_behind_a_name_is_reached() {
    let (responder, name) = Responder::new();
    let (mut responder, mut pair) = (Some(responder), Pair::new(true));
    pair.negotiate(&name);
    let seen = pair.run(&mut responder, Duration::from_secs(20), Pair::is_connected);
    assert!(pair.is_connected(), "{seen:?} {:?}", pair.drivers[1].stats());
    assert!(!seen.iter().any(|event| event.contains("NameResolutionNeeded")), "the driver has seen to it: {seen:?}");
    let stats = pair.drivers[1].stats();
    assert_eq!((stats.names_resolved, stats.names_unresolved), (1, 0));
    pair.run(&mut None, Duration::from_millis(50), |_| false);
    assert!(pair.drivers[1].names.as_ref().unwrap().links.is_empty(), "nobody asks any more");
}

#[test]
fn an_application_may_resolve_names_itself() {
    let name = "1f4712db-ea17-4bcf-a596-105139dfd8bf.local";
    let mut pair = Pair::new(false);
    pair.negotiate(name);
    let seen = pair.run(&mut None, Duration::from_millis(200), |_| false);
    assert!(seen.contains(&format!("NameResolutionNeeded({name:?})")), "{seen:?}");
    let id = pair.ids[1];
    pair.drivers[1].endpoint.connection_mut(id).unwrap().set_address_of_name(name, Some([127, 0, 0, 1].into()));
    pair.run(&mut None, Duration::from_secs(20), Pair::is_connected);
    assert!(pair.is_connected());
}

#[test]
fn a_name_that_nobody_has_spins_no_driver() {
    let mut pair = Pair::new(true);
    pair.negotiate("2579ef4b-50ae-4bfe-95af-70b3376ecb9c.local");
    pair.run(&mut None, Duration::from_millis(100), |_| false);
    assert!(!pair.drivers[1].names.as_ref().unwrap().links.is_empty());
    let (began, mut turns) = (Instant::now(), 0);
    while began.elapsed() < Duration::from_millis(500) {
        pair.drivers[1].run_once(Some(Duration::from_millis(100))).unwrap();
        while pair.drivers[1].poll_event().is_some() {}
        turns += 1;
    }
    assert!(turns < 100, "{turns} turns in 500 ms");
}

fn uuid(number: u32) -> String {
    format!("{number:08x}-17db-4bcf-a596-105139dfd8bf.local")
}

/// A peer names as many new ones as it likes, by beginning ICE anew: those of before are of no use to anybody.
#[test]
fn no_connection_takes_the_room_of_others_for_its_names() {
    let mut endpoint = Endpoint::new(EndpointConfig::default(), crate::seed().unwrap());
    let [a, z] = [(); 2].map(|()| endpoint.create(Config::new(wall_clock())).unwrap());
    let mut names = Names::new(crate::seed().unwrap());
    for number in 0..5000 {
        assert!(names.resolve(&endpoint, a, &uuid(number)), "{number}");
    }
    assert!(names.resolve(&endpoint, z, &uuid(4999)) && names.resolve(&endpoint, z, &uuid(9999)));
    assert_eq!(names.host.queries(), NAMES_PER_CONNECTION + 1);
    assert_eq!(names.waiting.len(), NAMES_PER_CONNECTION + 1);

    // One of before that is told again is one of now.
    for number in [4990, 6000, 6001] {
        assert!(names.resolve(&endpoint, a, &uuid(number)));
    }
    for number in 6002..6015 {
        assert!(names.resolve(&endpoint, a, &uuid(number)));
    }
    assert!(names.waiting.contains_key(&uuid(4990).parse().unwrap()));
    assert!(!names.waiting.contains_key(&uuid(4991).parse().unwrap()));
    assert!(names.resolve(&endpoint, a, &uuid(4999)));

    // Who is gone waits for nothing, and what another waits for is asked for all the same.
    names.forget(a);
    assert_eq!((names.host.queries(), names.waiting.len()), (2, 2));
    names.forget(z);
    assert!(names.host.is_idle() && names.waiting.is_empty() && names.asked.is_empty());
}

#[test]
fn connections_that_were_removed_without_a_word_take_no_room() {
    let mut endpoint = Endpoint::new(EndpointConfig::default(), crate::seed().unwrap());
    let mut names = Names::new(crate::seed().unwrap());
    let mut number = 0;
    for _ in 0..100 {
        let id = endpoint.create(Config::new(wall_clock())).unwrap();
        for _ in 0..NAMES_PER_CONNECTION {
            number += 1;
            assert!(names.resolve(&endpoint, id, &uuid(number)), "{number}");
        }
        endpoint.remove(id);
    }
    // As many as there is room for are asked for by those who are there.
    let ids: Vec<_> = (0..65).map(|_| endpoint.create(Config::new(wall_clock())).unwrap()).collect();
    let mut asked = 0;
    for id in ids {
        for _ in 0..NAMES_PER_CONNECTION {
            number += 1;
            asked += usize::from(names.resolve(&endpoint, id, &uuid(number)));
        }
    }
    assert_eq!((asked, names.host.queries()), (QUERIES_MAX, QUERIES_MAX));
    assert_eq!(names.waiting.len(), QUERIES_MAX);
}

/// RFC 6762 §6: "A Multicast DNS querier MUST only accept unicast responses if they answer a recently sent query (e.g., sent within
/// the last two seconds) that explicitly requested unicast responses", which ours never does.
#[test]
#[cfg(any(target_os = "linux", target_os = "android"))]
fn what_was_sent_to_us_alone_is_not_heard() {
    let poll = mio::Poll::new().unwrap();
    let here: SocketAddr = "127.0.0.1:5353".parse().unwrap();
    let ours = open(here, 1, poll.registry(), 0).unwrap();
    let other = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    socket2::SockRef::from(&other).set_multicast_if_v4(&Ipv4Addr::LOCALHOST).unwrap();
    let heard = |text: &[u8]| {
        let mut buffer = [0; 9001];
        std::iter::from_fn(|| ours.socket.recv_from(&mut buffer).ok().map(|(len, _)| buffer[..len].to_vec()))
            .any(|bytes| bytes == text)
    };
    // Of those that share the port, any one is given it.
    for _ in 0..50 {
        let from = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        from.send_to(b"to us alone", here).unwrap();
    }
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(50) {
        assert!(!heard(b"to us alone"));
    }
    other.send_to(b"to all", (GROUP_V4, mdns::PORT)).unwrap();
    let began = Instant::now();
    while !heard(b"to all") {
        assert!(began.elapsed() < Duration::from_secs(10));
    }
}

/// Two drivers on the loopback interface whose connections hide their addresses, and are told each other's names alone.
fn both_hide(resolves: bool) -> Pair {
    let mut pair = Pair::new(resolves);
    for end in 0..2 {
        let mut config = Config::new(wall_clock());
        config.hide_local_addresses = true;
        pair.drivers[end].endpoint.remove(pair.ids[end]);
        pair.ids[end] = pair.drivers[end].endpoint.create(config).unwrap();
    }
    let [a, z] = pair.ids;
    let connection = pair.drivers[0].endpoint.connection_mut(a).unwrap();
    connection.create_data_channel("test", DataChannelInit::default()).unwrap();
    let offer = connection.create_offer().unwrap();
    connection.set_local_description(offer.clone()).unwrap();
    let connection = pair.drivers[1].endpoint.connection_mut(z).unwrap();
    connection.set_remote_description(offer.clone()).unwrap();
    let answer = connection.create_answer().unwrap();
    connection.set_local_description(answer.clone()).unwrap();
    for sdp in [&offer.sdp, &answer.sdp] {
        assert!(sdp.contains(".local ") && !sdp.contains("127.0.0.1"), "{sdp}");
    }
    pair.drivers[0].endpoint.connection_mut(a).unwrap().set_remote_description(answer).unwrap();
    pair
}

/// How many names of ours each driver answers for.
fn own_names(pair: &Pair) -> [usize; 2] {
    [0, 1].map(|end: usize| pair.drivers[end].names.as_ref().unwrap().host.names().count())
}

#[test]
fn two_who_hide_their_addresses_meet_and_leave_no_name_behind() {
    let mut pair = both_hide(true);
    let seen = pair.run(&mut None, Duration::from_secs(20), Pair::is_connected);
    assert!(pair.is_connected(), "{seen:?} {:?}", pair.drivers[1].stats());
    assert!(!seen.iter().any(|event| event.contains("NameRe")), "the driver has seen to it: {seen:?}");
    assert!(pair.drivers.iter().any(|driver| driver.stats().names_resolved > 0));
    assert_eq!(own_names(&pair), [1, 1]);

    // One says goodbye, and the other is removed without a word.
    let id = pair.ids[0];
    pair.drivers[0].endpoint.connection_mut(id).unwrap().close();
    pair.drivers[1].endpoint.remove(pair.ids[1]);
    let is_over = |pair: &Pair| own_names(pair) == [0, 0];
    pair.run(&mut None, Duration::from_secs(20), is_over);
    assert_eq!(own_names(&pair), [0, 0]);
    // A second after they were told last, all of the link are told that they end, and the sockets are of no use.
    let is_closed = |pair: &Pair| pair.drivers.iter().all(|driver| driver.names.as_ref().unwrap().links.is_empty());
    pair.run(&mut None, Duration::from_secs(20), is_closed);
    assert!(is_closed(&pair));
}

#[test]
fn an_application_may_answer_for_names_itself() {
    let mut pair = both_hide(false);
    let seen = pair.run(&mut None, Duration::from_millis(200), |_| false);
    assert!(seen.iter().any(|event| event.starts_with("NameRegistrationNeeded")), "{seen:?}");
}

#[test]
fn no_more_names_of_ours_are_answered_for_than_there_is_room_for() {
    let mut names = Names::new(crate::seed().unwrap());
    let here = IpAddr::from([127, 0, 0, 1]);
    let registered = (0..2000).filter(|number| names.register(&uuid(*number), here)).count();
    assert_eq!((registered, names.host.names().count()), (OWN_NAMES_MAX, OWN_NAMES_MAX));
    // One that ends makes room.
    names.unregister(&uuid(7));
    names.host.handle_timeout(Instant::now());
    assert!(names.register(&uuid(3000), here) && !names.register(&uuid(3001), here));
}

/// Who hides addresses tells the public one, which everybody can know, or nobody could reach them.
#[test]
fn the_public_address_of_a_nat_is_not_hidden() {
    let mut config = DriverConfig::new(["127.0.0.1:0".parse().unwrap()]);
    config.nat_1to1 = vec![("127.0.0.1".parse().unwrap(), "203.0.113.7".parse().unwrap())];
    let mut driver = Driver::bind(&config, EndpointConfig::default()).unwrap();
    let mut config = Config::new(wall_clock());
    config.hide_local_addresses = true;
    let id = driver.endpoint.create(config).unwrap();
    let connection = driver.endpoint.connection_mut(id).unwrap();
    connection.create_data_channel("test", DataChannelInit::default()).unwrap();
    let sdp = connection.create_offer().unwrap().sdp;
    assert!(sdp.contains(" 203.0.113.7 ") && !sdp.contains("127.0.0.1") && !sdp.contains(".local"), "{sdp}");
}
