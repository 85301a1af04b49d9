//! Talkers behind NATs.

use crate::talker::{Talker, text};
use expect_test::expect;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use wigwag_sansio::{Protocol, Transmit};
use wigwag_sim::Behavior::{AddressAndPortDependent, AddressDependent, EndpointIndependent};
use wigwag_sim::{A, Behavior, Fate, INTERNET, Nat, PortAssignment, Realm, World, Z};

const HOME: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
/// Three addresses of Z: another port, and another IP address than the first.
const SERVERS: [&str; 3] = ["198.51.100.1:1", "198.51.100.1:2", "198.51.100.2:1"];

fn at(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// A at 192.168.1.2 and ports 1000 and 2000 behind a NAT, Z on the internet.
fn home(configure: impl Fn(&mut Nat)) -> (World<Talker>, Realm) {
    let mut world = World::new(1);
    let home = world.add_nat(INTERNET, HOME);
    configure(world.nat(home));
    world.add_behind(home, "A", &["192.168.1.2:1000", "192.168.1.2:2000"].map(at), Talker::default());
    world.add("Z", &SERVERS.map(at), Talker::default());
    (world, home)
}

/// A says something, and Z says whence it came.
fn said(world: &mut World<Talker>, from: &str, to: &str) -> Option<SocketAddr> {
    let before = world[Z].incoming.len();
    world[A].say(at(from), at(to), "out");
    world.run();
    world[Z].incoming.get(before).map(|(remote, ..)| *remote)
}

/// Z says something, and A says to which of its addresses it came.
fn let_in(world: &mut World<Talker>, from: &str, to: SocketAddr) -> bool {
    let before = world[A].incoming.len();
    world[Z].say(at(from), to, "in");
    world.run();
    world[A].incoming.get(before).is_some_and(|(remote, ..)| *remote == at(from))
}

#[test]
fn a_mapping_depends_on_as_much_of_the_remote_as_it_should() {
    for mapping in Behavior::ALL {
        let (mut world, _) = home(|nat| {
            nat.mapping(mapping);
        });
        let [one, port, ip] = SERVERS.map(|server| said(&mut world, "192.168.1.2:1000", server).expect("it goes out"));
        assert_eq!(one, at("203.0.113.1:1000"), "the first gets the port it has");
        assert_eq!(one == port, mapping != AddressAndPortDependent, "{mapping:?}");
        assert_eq!(one == ip, mapping == EndpointIndependent, "{mapping:?}");
        assert_eq!(said(&mut world, "192.168.1.2:1000", SERVERS[1]), Some(port), "it is used again");
        assert_ne!(said(&mut world, "192.168.1.2:2000", SERVERS[0]), Some(one), "another host's port is another");
    }
}

#[test]
fn a_filter_depends_on_as_much_of_the_remote_as_it_should() {
    for (mapping, filtering) in Behavior::ALL.into_iter().flat_map(|m| Behavior::ALL.map(|f| (m, f))) {
        let (mut world, _) = home(|nat| {
            nat.mapping(mapping).filtering(filtering);
        });
        let external = said(&mut world, "192.168.1.2:1000", SERVERS[0]).expect("it goes out");
        let passed = SERVERS.map(|server| let_in(&mut world, server, external));
        let expected = [true, filtering != AddressAndPortDependent, filtering == EndpointIndependent];
        assert_eq!(passed, expected, "{mapping:?} {filtering:?}");
        let filtered = expected.iter().filter(|passes| !**passes).count() as u64;
        assert_eq!((world.count(Fate::Filtered), world.count(Fate::NoBinding)), (filtered, 0));
    }
}

#[test]
fn what_nobody_asked_for_does_not_come_in() {
    let (mut world, _) = home(|nat| {
        nat.filtering(EndpointIndependent);
    });
    assert!(!let_in(&mut world, SERVERS[0], at("203.0.113.1:1000")));
    world[Z].say(at(SERVERS[0]), at("192.168.1.2:1000"), "an address of elsewhere");
    world.run();
    expect![[r#"
        0 ms  Z ✗ 203.0.113.1:1000  in  no binding
        0 ms  Z ✗ 192.168.1.2:1000  an address of elsewhere  no route
    "#]]
    .assert_eq(&world.ladder(text));
}

#[test]
fn a_hole_is_punched_from_both_sides() {
    let mut world = World::new(1);
    for (n, name) in ["A", "Z"].into_iter().enumerate() {
        let home = world.add_nat(INTERNET, Ipv4Addr::new(203, 0, 113, n as u8 + 1));
        // Both have the same address at home.
        world.add_behind(home, name, &[at("192.168.1.2:1000")], Talker::default());
    }
    let [a, z] = [at("203.0.113.1:1000"), at("203.0.113.2:1000")];
    let own = at("192.168.1.2:1000");
    assert_eq!(world.reflexive(A, own, at("198.51.100.1:1")), Some(a));
    assert_eq!(world.reflexive(Z, own, at("198.51.100.1:1")), Some(z));
    world[A].say(own, z, "one");
    world.run();
    world[Z].say(own, a, "two");
    world.run();
    world[A].say(own, z, "three");
    world.run();
    assert_eq!(world[A].incoming.first().map(|(remote, ..)| *remote), Some(z));
    assert_eq!(world[Z].incoming.first().map(|(remote, ..)| *remote), Some(a));
    expect![[r#"
         0 ms  A ✗ Z  one  filtered
        20 ms  A ← Z  two
        40 ms  A → Z  three
    "#]]
    .assert_eq(&world.ladder(text));
}

#[test]
fn what_arrives_just_after_the_hole_was_punched_comes_in() {
    let (mut world, _) = home(|_| {});
    let external = said(&mut world, "192.168.1.2:1000", SERVERS[0]).expect("it goes out");
    world[Z].say(at(SERVERS[1]), external, "early");
    let so_far = world.age();
    world.at(so_far + Duration::from_millis(19), |world| {
        world[A].say(at("192.168.1.2:1000"), at(SERVERS[1]), "out");
    });
    world.run();
    assert_eq!(world[A].incoming.len(), 1);
}

// RFC 4787 §4.3: "A NAT UDP mapping timer MUST NOT expire in less than two minutes"
#[test]
fn a_binding_lives_two_minutes_and_what_goes_out_refreshes_it() {
    let (mut world, _) = home(|nat| {
        nat.ports(PortAssignment::Random);
    });
    let external = said(&mut world, "192.168.1.2:1000", SERVERS[0]).expect("it goes out");
    // It is sent at a whole number of minutes; what comes in arrives 20 ms later.
    world.run_for(Duration::from_millis(119_940));
    assert!(let_in(&mut world, SERVERS[0], external));
    assert_eq!(said(&mut world, "192.168.1.2:1000", SERVERS[0]), Some(external));
    world.run_for(Duration::from_millis(119_950));
    assert!(let_in(&mut world, SERVERS[0], external));
    world.run_for(Duration::from_millis(20));
    assert!(!let_in(&mut world, SERVERS[0], external), "what comes in refreshes nothing");
    assert_ne!(said(&mut world, "192.168.1.2:1000", SERVERS[0]), Some(external));
}

#[test]
fn what_comes_in_refreshes_a_binding_if_the_nat_does_so() {
    for is_refreshed in [false, true] {
        let (mut world, _) = home(|nat| {
            nat.inbound_refresh(is_refreshed).lifetime(Duration::from_secs(30));
        });
        let external = said(&mut world, "192.168.1.2:1000", SERVERS[0]).expect("it goes out");
        for passes in [true, is_refreshed, is_refreshed] {
            world.run_for(Duration::from_secs(20));
            assert_eq!(let_in(&mut world, SERVERS[0], external), passes);
        }
    }
}

#[test]
fn each_remote_that_may_answer_is_forgotten_in_its_own_time() {
    let (mut world, _) = home(|_| {});
    let external = said(&mut world, "192.168.1.2:1000", SERVERS[0]).expect("it goes out");
    world.run_for(Duration::from_secs(100));
    said(&mut world, "192.168.1.2:1000", SERVERS[1]);
    world.run_for(Duration::from_secs(30));
    assert_eq!([SERVERS[0], SERVERS[1]].map(|server| let_in(&mut world, server, external)), [false, true]);
}

#[test]
fn a_nat_that_was_rebooted_has_forgotten_everything() {
    let (mut world, home) = home(|nat| {
        nat.ports(PortAssignment::Random);
    });
    let external = said(&mut world, "192.168.1.2:1000", SERVERS[0]).expect("it goes out");
    world.nat(home).reboot();
    assert!(!let_in(&mut world, SERVERS[0], external));
    assert_ne!(said(&mut world, "192.168.1.2:1000", SERVERS[0]), Some(external));
}

#[test]
fn a_full_nat_lets_nothing_new_out_until_something_is_forgotten() {
    let (mut world, _) = home(|nat| {
        nat.sessions_max(2);
    });
    let out = SERVERS.map(|server| said(&mut world, "192.168.1.2:1000", server).is_some());
    assert_eq!((out, world.count(Fate::NatFull)), ([true, true, false], 1));
    assert!(said(&mut world, "192.168.1.2:1000", SERVERS[1]).is_some(), "what is known goes on");
    world.run_for(Duration::from_secs(130));
    assert!(said(&mut world, "192.168.1.2:2000", SERVERS[2]).is_some());
}

#[test]
fn ports_are_never_overloaded_and_stay_in_their_range() {
    for assignment in [PortAssignment::Preserving, PortAssignment::Random] {
        let mut world = World::new(1);
        let home = world.add_nat(INTERNET, HOME);
        world.nat(home).ports(assignment);
        let hosts: Vec<_> = (1..=200u8)
            .map(|n| {
                let locals = [1000, 5000].map(|port| SocketAddr::from(([192, 168, 1, n], port)));
                (world.add_behind(home, &n.to_string(), &locals, Talker::default()), locals)
            })
            .collect();
        world.add("Z", &SERVERS.map(at), Talker::default());
        let mut seen = std::collections::BTreeSet::new();
        for (host, locals) in hosts {
            for local in locals {
                let external = world.reflexive(host, local, at(SERVERS[0])).expect("there is place");
                assert!(seen.insert(external), "{external} is somebody else's");
                assert_eq!(external.port() < 1024, local.port() < 1024);
            }
        }
        assert_eq!(seen.contains(&at("203.0.113.1:5000")), assignment == PortAssignment::Preserving);
    }
}

// RFC 4787 §6: "A NAT Hairpinning behavior MUST be "External source IP address and port"."
#[test]
fn who_is_behind_one_nat_meets_at_its_external_address_if_it_hairpins() {
    for is_hairpinning in [true, false] {
        let mut world = World::new(1);
        let home = world.add_nat(INTERNET, HOME);
        world.nat(home).hairpinning(is_hairpinning);
        let locals = ["192.168.1.2:1000", "192.168.1.3:1001"].map(at);
        let externals = ["203.0.113.1:1000", "203.0.113.1:1001"].map(at);
        for (name, local) in ["A", "Z"].into_iter().zip(locals) {
            world.add_behind(home, name, &[local], Talker::default());
        }
        for (from, to) in [(0, 1), (1, 0), (0, 1)] {
            world[[A, Z][from]].say(locals[from], externals[to], "by the way of the NAT");
            world.run();
        }
        let whence: Vec<_> = [A, Z].map(|host| world[host].incoming.first().map(|(remote, ..)| *remote)).into();
        let expected = if is_hairpinning { [Some(externals[1]), Some(externals[0])] } else { [None, None] };
        assert_eq!(whence, expected);
        world[A].say(locals[0], locals[1], "directly");
        world.run();
        assert_eq!(world[Z].incoming.last().map(|(remote, ..)| *remote), Some(locals[0]));
    }
}

#[test]
fn a_nat_behind_a_nat_translates_twice() {
    let mut world = World::new(1);
    let carrier = world.add_nat(INTERNET, HOME);
    world.nat(carrier).filtering(EndpointIndependent).ports(PortAssignment::Random);
    let home = world.add_nat(carrier, Ipv4Addr::new(100, 64, 0, 1));
    world.nat(home).filtering(AddressDependent);
    world.add_behind(home, "A", &[at("192.168.1.2:1000")], Talker::default());
    world.add("Z", &SERVERS.map(at), Talker::default());
    let external = said(&mut world, "192.168.1.2:1000", SERVERS[0]).expect("it goes out");
    assert_eq!(external.ip(), HOME);
    // The inner one filters more than the outer one.
    assert_eq!(SERVERS.map(|server| let_in(&mut world, server, external)), [true, true, false]);

    let neighbour = world.add_nat(carrier, Ipv4Addr::new(100, 64, 0, 2));
    let n = world.add_behind(neighbour, "N", &[at("192.168.1.2:1000")], Talker::default());
    world[n].say(at("192.168.1.2:1000"), external, "over the carrier's hairpin");
    world.run();
    assert_eq!(world.count(Fate::Filtered), 2, "at the inner one, which knows nobody at the carrier's address");
    let neighbours = world.reflexive(n, at("192.168.1.2:1000"), external).expect("it goes out");
    world[A].say(at("192.168.1.2:1000"), neighbours, "answered");
    world.run();
    assert_eq!(world[n].incoming.last().map(|(remote, ..)| *remote), Some(external));
}

#[test]
fn a_stream_goes_out_and_comes_back_and_ends_where_it_may_not_come_in() {
    let (mut world, _) = home(|_| {});
    let stream = |from: &str, to| Transmit { protocol: Protocol::Tcp, ..Transmit::udp(at(from), to, 9) };
    world[A].outgoing.push_back((stream("192.168.1.2:1000", at(SERVERS[0])), b"out".to_vec()));
    world.run();
    let external = world[Z].incoming[0].0;
    world.run_for(Duration::from_secs(7000));
    world[Z].outgoing.push_back((stream(SERVERS[0], external), b"in".to_vec()));
    world[Z].outgoing.push_back((stream(SERVERS[1], external), b"may not".to_vec()));
    world.run();
    assert_eq!(world[A].incoming.iter().map(|(.., bytes)| text(bytes)).collect::<Vec<_>>(), ["in"]);
    let ended = world[Z].incoming.last().map(|(remote, _, bytes)| (*remote, bytes.len()));
    assert_eq!(ended, Some((external, 0)));
}

#[test]
fn six_needs_no_nat() {
    let (mut world, _) = home(|_| {});
    let [a, z] = ["[2001:db8::1]:1", "[2001:db8::2]:1"].map(at);
    world.add_address(A, a);
    world.add_address(Z, z);
    world[Z].say(z, a, "no NAT");
    world[A].say(at("192.168.1.2:1000"), z, "nobody does that");
    world.run();
    assert_eq!((world[A].incoming.len(), world.count(Fate::NoRoute)), (1, 1));
}

#[test]
fn a_host_behind_a_nat_changes_its_address() {
    let (mut world, _) = home(|_| {});
    let external = said(&mut world, "192.168.1.2:1000", SERVERS[0]).expect("it goes out");
    world[Z].say(at(SERVERS[0]), external, "too late");
    world.step();
    world.change_address(A, at("192.168.1.2:1000"), at("192.168.1.9:1000"));
    world.run();
    world[A].say(at("192.168.1.2:1000"), at(SERVERS[0]), "dead");
    let moved = said(&mut world, "192.168.1.9:1000", SERVERS[0]).expect("it goes out");
    assert_ne!(moved, external);
    assert!(let_in(&mut world, SERVERS[0], moved));
    expect![[r#"
         0 ms  A → Z  out
        20 ms  A ✗ Z  too late  no route
        40 ms  A ✗ Z  dead  no route
        40 ms  A → Z  out
        60 ms  A ← Z  in
    "#]]
    .assert_eq(&world.ladder(text));
}
