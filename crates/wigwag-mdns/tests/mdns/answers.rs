//! Names of ours: announced, answered for, and taken back.

use crate::dns::{self, Message};
use crate::{Lone, MS, OTHER, SECOND, UUID, host, ip, name, socket};
use wigwag_mdns::{Config, Error, Host, Interface};
use wigwag_sansio::Seed;

const NEIGHBOUR: &str = "10.0.0.2:5353";

/// Ours, and announced long ago.
fn settled(address: &str) -> (Lone, String) {
    let mut host = Host::new(Config::default(), Seed::for_test(1));
    let mut interface = Interface::new(ip("10.0.0.1"), 24);
    interface.networks.push((ip("fe80::1"), 64));
    host.add_interface(interface).unwrap();
    let mut lone = Lone::new(host);
    let name = lone.host.register(ip(address)).unwrap().to_string();
    lone.sent_within(100 * SECOND);
    (lone, name)
}

fn told(name: &str, address: &str) -> Message {
    let records = [vec![dns::record(name, ip(address))], vec![], vec![dns::denial(name, ip(address), 0x8001, 120)]];
    Message { flags: 0x8400, records, ..Message::default() }
}

fn denied(name: &str, address: &str) -> Message {
    let records = [vec![dns::denial(name, ip(address), 0x8001, 120)], vec![], vec![dns::record(name, ip(address))]];
    Message { flags: 0x8400, records, ..Message::default() }
}

/// RFC 6762 §8.3: twice, a second apart. §10.1: and a goodbye.
#[test]
fn a_name_is_announced_twice_and_taken_back_with_a_goodbye() {
    let mut lone = Lone::new(host(Config::default()));
    let name = lone.host.register(ip("10.0.0.1")).unwrap();
    let text = name.to_string();
    let announced = lone.sent_within(100 * SECOND);
    assert_eq!(announced.iter().map(|(at, ..)| *at).collect::<Vec<_>>(), [0, 1000]);
    for (_, transmit, message) in announced {
        assert_eq!((transmit.local, transmit.remote), (socket("10.0.0.1:5353"), socket("224.0.0.251:5353")));
        assert_eq!(message, told(&text, "10.0.0.1"));
    }
    lone.host.unregister(&name);
    assert_eq!(lone.host.names().count(), 0);
    let sent = lone.sent();
    let mut goodbye = dns::record(&text, ip("10.0.0.1"));
    goodbye.3 = 0;
    assert_eq!(sent[0].1, Message { flags: 0x8400, records: [vec![goodbye], vec![], vec![]], ..Message::default() });
    lone.hear(NEIGHBOUR, dns::question(&text, 1, 1));
    assert!(lone.sent_within(100 * SECOND).is_empty() && sent.len() == 1 && lone.host.is_idle());
}

#[test]
fn a_goodbye_waits_for_its_second_and_nobody_is_told_of_what_they_never_heard_of() {
    let mut lone = Lone::new(host(Config::default()));
    let name = lone.host.register(ip("10.0.0.1")).unwrap();
    lone.sent();
    lone.host.unregister(&name);
    assert_eq!(lone.sent_within(5 * SECOND).iter().map(|(at, ..)| *at).collect::<Vec<_>>(), [1000]);
    let name = lone.host.register(ip("10.0.0.1")).unwrap();
    lone.host.unregister(&name);
    assert!(lone.host.is_idle() || lone.sent_within(5 * SECOND).is_empty());
    assert!(lone.host.is_idle());
}

#[test]
fn who_asks_for_the_address_or_for_all_is_told_at_once_and_who_asks_for_something_else_that_there_is_nothing() {
    for (address, kind, other) in [("10.0.0.1", 1, 28), ("fe80::1", 28, 1)] {
        let (mut lone, name) = settled(address);
        for (asked, expected) in [
            (kind, told(&name, address)),
            (255, told(&name, address)),
            (other, denied(&name, address)),
            (16, denied(&name, address)),
        ] {
            lone.now += 10 * SECOND;
            lone.hear(NEIGHBOUR, dns::question(&name.to_uppercase(), asked, 1));
            let sent = lone.sent();
            assert_eq!(sent.len(), 1, "{asked}");
            assert_eq!((sent[0].0.remote, &sent[0].1), (socket("224.0.0.251:5353"), &expected));
        }
        // Of another class nobody knows anything.
        lone.now += 10 * SECOND;
        lone.hear(NEIGHBOUR, dns::question(&name, kind, 3));
        assert!(lone.sent().is_empty() && lone.host.stats().not_ours == 1);
    }
}

/// RFC 6762 §6.
#[test]
fn a_record_is_told_to_all_once_a_second_however_often_somebody_asks() {
    let (mut lone, name) = settled("10.0.0.1");
    let mut times = Vec::new();
    for step in 0..400_u64 {
        lone.hear(NEIGHBOUR, dns::question(&name, 1, 1));
        times.extend(lone.sent().iter().map(|_| step * 25));
        lone.now += 25 * MS;
    }
    assert_eq!(times, (0..10).map(|second| second * 1000).collect::<Vec<_>>());
}

/// RFC 6762 §6.3: with several questions somebody else may answer, too.
#[test]
fn an_answer_to_several_questions_waits_a_little_and_longer_if_more_follows() {
    for (flags, range) in [(0, 20..=120), (0x200, 400..=500)] {
        let mut seen = std::collections::BTreeSet::new();
        let (mut lone, name) = settled("10.0.0.1");
        for _ in 0..200 {
            lone.now += 10 * SECOND;
            let questions = vec![(name.clone(), 1, 1), (OTHER.into(), 1, 1)];
            lone.hear(NEIGHBOUR, dns::write(&Message { flags, questions, ..Message::default() }));
            let sent = lone.sent_within(2 * SECOND);
            assert_eq!(sent.len(), 1);
            seen.insert(sent[0].0);
        }
        assert!(seen.iter().all(|at| range.contains(at)) && seen.len() > 50, "{seen:?}");
    }
}

/// RFC 6762 §5.4.
#[test]
fn who_asks_to_be_answered_alone_is_if_the_others_know_it() {
    let (mut lone, name) = settled("10.0.0.1");
    lone.hear(NEIGHBOUR, dns::question(&name, 1, 0x8001));
    assert_eq!(lone.sent()[0].0.remote, socket("224.0.0.251:5353"), "it was told to all long ago");
    for _ in 0..5 {
        lone.hear(NEIGHBOUR, dns::question(&name, 1, 0x8001));
        let sent = lone.sent();
        assert_eq!((sent[0].0.remote, &sent[0].1), (socket(NEIGHBOUR), &told(&name, "10.0.0.1")));
    }
    lone.now += 30 * SECOND;
    lone.hear(NEIGHBOUR, dns::question(&name, 1, 0x8001));
    assert_eq!(lone.sent()[0].0.remote, socket("224.0.0.251:5353"));
}

/// What does not fit into an answer for one is told to all.
#[test]
fn who_asks_to_be_answered_alone_for_many_names_hears_of_all() {
    let (mut lone, name) = settled("10.0.0.1");
    let mut names = vec![name];
    names.extend((0..9).map(|_| lone.host.register(ip("10.0.0.1")).unwrap().to_string()));
    lone.sent_within(5 * SECOND);
    let questions = names.iter().map(|name| (name.clone(), 1, 0x8001)).collect();
    lone.now += SECOND;
    lone.hear(NEIGHBOUR, dns::write(&Message { questions, ..Message::default() }));
    let told = lone.sent_within(2 * SECOND).into_iter().flat_map(|(_, _, message)| message.records[0].clone());
    let told: std::collections::BTreeSet<_> = told.map(|record| record.0).collect();
    assert_eq!(told, names.into_iter().collect());
}

/// RFC 6762 §6.7: its id and its question, ten seconds, and no bit that it does not know.
#[test]
fn a_query_that_is_of_no_multicast_dns_is_answered_as_any_server_does() {
    let (mut lone, name) = settled("10.0.0.1");
    let questions = vec![(name.clone(), 1, 1)];
    let query = Message { id: 0x1234, flags: 0x0100, questions: questions.clone(), ..Message::default() };
    lone.hear("10.0.0.2:40000", dns::write(&query));
    let sent = lone.sent();
    let mut record = dns::record(&name, ip("10.0.0.1"));
    (record.2, record.3) = (1, 10);
    let records = [vec![record], vec![], vec![dns::denial(&name, ip("10.0.0.1"), 1, 10)]];
    assert_eq!(sent[0].0.remote, socket("10.0.0.2:40000"));
    assert_eq!(sent[0].1, Message { id: 0x1234, flags: 0x8400, questions, records });
    assert_eq!((lone.host.stats().replies_sent, lone.host.stats().responses_sent), (1, 2));
}

/// RFC 6762 §7.1.
#[test]
fn who_knows_the_answer_for_long_is_not_told_again() {
    let (mut lone, name) = settled("10.0.0.1");
    let query = |address: &str, ttl: u32, kind: u16| {
        let mut record = dns::record(&name, ip(address));
        (record.2, record.3) = (1, ttl);
        let records = [vec![record], vec![], vec![]];
        dns::write(&Message { questions: vec![(name.clone(), kind, 1)], records, ..Message::default() })
    };
    for (message, is_answered) in [
        (query("10.0.0.1", 60, 1), false),
        (query("10.0.0.1", 59, 1), true),
        (query("10.0.0.9", 120, 1), true),
        (query("10.0.0.1", 120, 28), true),
        (query("10.0.0.1", 120, 255), true),
    ] {
        lone.now += 10 * SECOND;
        lone.hear(NEIGHBOUR, message);
        assert_eq!(lone.sent().len(), usize::from(is_answered));
    }
    assert_eq!(lone.host.stats().known, 1);
}

/// RFC 6762 §6, §5.2: what a link has heard it has heard, whatever we learn of its addresses.
#[test]
fn a_link_that_is_told_of_anew_hears_nothing_sooner() {
    let mut lone = Lone::new(host(Config::default()));
    let name = lone.host.register(ip("10.0.0.1")).unwrap().to_string();
    lone.host.resolve(OTHER).unwrap();
    assert_eq!(lone.sent().len(), 2, "an announcement and a question");
    let mut interface = Interface::new(ip("10.0.0.1"), 16);
    for _ in 0..9 {
        lone.now += 100 * MS;
        lone.host.add_interface(interface.clone()).unwrap();
        lone.hear("10.0.9.9:5353", dns::question(&name, 1, 1));
        assert!(lone.sent().is_empty());
    }
    lone.now += 100 * MS;
    assert_eq!(lone.sent().len(), 2);
    // An address that is not of the link any more is no longer answered for there.
    let other = lone.host.register(ip("10.0.5.1")).unwrap().to_string();
    assert_eq!(lone.sent().len(), 1);
    interface.networks = vec![(ip("10.0.0.1"), 24)];
    lone.host.add_interface(interface).unwrap();
    lone.hear(NEIGHBOUR, dns::question(&other, 1, 1));
    let later = lone.sent_within(5 * SECOND);
    assert!(later.iter().all(|(.., message)| !message.records[0].iter().any(|record| record.0 == other)));
}

/// RFC 6762 §6.2.
#[test]
fn an_address_is_told_on_its_own_link_alone() {
    let mut host = host(Config::default());
    host.add_interface(Interface::new(ip("10.0.1.1"), 24)).unwrap();
    let mut v6 = Interface::new(ip("fe80::1"), 64);
    v6.networks.push((ip("10.0.1.1"), 24));
    host.add_interface(v6).unwrap();
    let mut lone = Lone::new(host);
    let name = lone.host.register(ip("10.0.1.1")).unwrap().to_string();
    let links: Vec<_> = lone.sent_within(10 * SECOND).iter().map(|(_, sent, _)| sent.local.to_string()).collect();
    assert_eq!(links, ["10.0.1.1:5353", "[fe80::1]:5353", "10.0.1.1:5353", "[fe80::1]:5353"]);
    // Those of fe80::/10 look as if they were of any link.
    lone.host.register(ip("fe80::1")).unwrap();
    let links: Vec<_> = lone.sent().iter().map(|(sent, _)| sent.local.to_string()).collect();
    assert_eq!(links, ["[fe80::1]:5353"]);
    lone.hear(NEIGHBOUR, dns::question(&name, 1, 1));
    assert!(lone.sent().is_empty() && lone.host.stats().not_ours == 1);
}

#[test]
fn names_are_those_of_the_seed_and_each_is_another() {
    let names = |seed| {
        let mut host = Host::new(Config::default(), Seed::for_test(seed));
        (0..64).map(|_| host.register(ip("10.0.0.1")).unwrap()).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(names(1), names(1));
    assert!(names(1).is_disjoint(&names(2)) && names(1).len() == 64);
}

#[test]
fn there_is_room_for_so_many_names_those_that_leave_included() {
    let mut lone = Lone::new(host(Config::default()));
    let names: Vec<_> = (0..64).map(|_| lone.host.register(ip("10.0.0.1")).unwrap()).collect();
    assert_eq!(lone.host.register(ip("10.0.0.1")), Err(Error::TooManyNames(64)));
    let announced: usize = lone.sent().iter().map(|(_, message)| message.records[0].len()).sum();
    assert_eq!(announced, 64);
    lone.host.unregister(&names[0]);
    assert_eq!(lone.host.register(ip("10.0.0.1")), Err(Error::TooManyNames(64)), "its goodbye is owed");
    lone.sent_within(2 * SECOND);
    lone.host.register(ip("10.0.0.1")).unwrap();
    for address in ["0.0.0.0", "224.0.0.1", "::ffff:10.0.0.1"] {
        assert_eq!(lone.host.register(ip(address)), Err(Error::NotAnAddress(ip(address))));
    }
}

/// By a connection, which has told it to its peer.
#[test]
fn a_name_that_somebody_else_has_drawn_is_announced_and_stays_for_as_long_as_it_is_wanted() {
    let mut config = Config::default();
    config.names_max = 2;
    let mut lone = Lone::new(host(config));
    let drawn = name(UUID);
    let address = ip("10.0.0.1");
    lone.host.register_name(drawn, address).unwrap();
    assert_eq!(lone.sent_within(5 * SECOND).len(), 2);
    // It is there already, and hides one address.
    lone.host.register_name(drawn, address).unwrap();
    assert_eq!(lone.host.register_name(drawn, ip("10.0.0.7")), Err(Error::NameInUse(drawn)));
    assert_eq!(lone.host.register_name(name(OTHER), ip("224.0.0.1")), Err(Error::NotAnAddress(ip("224.0.0.1"))));
    assert!(lone.sent_within(100 * SECOND).is_empty() && lone.host.names().eq([(drawn, address)]));
    // A goodbye that was not said is not, and those on the link hear of it anew.
    lone.host.unregister(&drawn);
    lone.host.register_name(drawn, address).unwrap();
    let sent = lone.sent_within(5 * SECOND);
    assert_eq!(sent.iter().map(|(at, ..)| *at).collect::<Vec<_>>(), [0, 1000]);
    assert!(sent.into_iter().all(|(_, _, message)| message == told(UUID, "10.0.0.1")));
    lone.host.register_name(name(OTHER), address).unwrap();
    let third = lone.host.register(address);
    assert_eq!(third, Err(Error::TooManyNames(2)));
}

/// Two connections of one machine, of which one was told the other's name.
#[test]
fn a_name_that_was_asked_for_before_it_is_ours_is_found() {
    let mut lone = Lone::new(host(Config::default()));
    let wanted = lone.host.resolve(UUID).unwrap();
    lone.sent();
    lone.host.register_name(wanted, ip("10.0.0.1")).unwrap();
    let address = ip("10.0.0.1");
    assert_eq!(lone.events(), [wigwag_mdns::Event::Resolved { name: wanted, address }]);
    assert_eq!((lone.host.queries(), lone.host.stats().resolved), (0, 1));
}
