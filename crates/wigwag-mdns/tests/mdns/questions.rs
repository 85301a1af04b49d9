//! Names of others: how often they are asked for, and which answers count.

use crate::dns::{self, Message};
use crate::{Lone, MS, OTHER, SECOND, UUID, host, ip, name, resolved, socket};
use wigwag_mdns::{Config, Error, Event, Interface};

/// RFC 6762 §5.2: a second, and twice as long each time.
#[test]
fn a_name_is_asked_for_after_1_3_and_7_seconds_and_given_up_after_15() {
    let mut lone = Lone::new(host(Config::default()));
    lone.host.resolve(UUID).unwrap();
    let asked = lone.sent_within(14_999 * MS);
    assert_eq!(asked.iter().map(|(at, ..)| *at).collect::<Vec<_>>(), [0, 1000, 3000, 7000]);
    for (_, transmit, message) in asked {
        assert_eq!((transmit.local, transmit.remote), (socket("10.0.0.1:5353"), socket("224.0.0.251:5353")));
        let questions = vec![(UUID.into(), 1, 1), (UUID.into(), 28, 1)];
        assert_eq!(message, Message { questions, ..Message::default() });
    }
    assert!(lone.events().is_empty());
    assert!(lone.sent_within(MS).is_empty());
    assert_eq!(lone.events(), [Event::Unresolved(name(UUID))]);
    assert_eq!((lone.host.stats().queries_sent, lone.host.stats().unresolved, lone.host.is_idle()), (4, 1, true));
    assert_eq!(lone.host.poll_timeout(lone.now), None);
}

/// A driver that is late asks late, and the next question waits for its second all the same.
#[test]
fn the_second_question_is_a_second_after_the_first_has_left() {
    let mut lone = Lone::new(host(Config::default()));
    lone.host.resolve(UUID).unwrap();
    lone.host.handle_timeout(lone.now);
    lone.now += 900 * MS;
    assert_eq!(lone.sent().len(), 1);
    assert_eq!(lone.sent_within(5 * SECOND).iter().map(|(at, ..)| *at).collect::<Vec<_>>(), [1000, 3000]);
}

#[test]
fn an_address_of_either_kind_is_an_answer_and_ends_the_questions() {
    for (text, address) in [(UUID, "10.0.0.2"), (OTHER, "2001:db8::2"), (UUID, "fe80::7"), (UUID, "192.168.9.9")] {
        assert_eq!(resolved(text, address), Event::Resolved { name: name(text), address: ip(address) });
    }
    let mut lone = Lone::new(host(Config::default()));
    lone.host.resolve(UUID).unwrap();
    lone.sent();
    lone.hear("10.0.0.2:5353", dns::answer(&UUID.to_uppercase().replace("LOCAL", "local"), ip("10.0.0.2")));
    assert_eq!(lone.events().len(), 1, "a name is the same in capitals");
    lone.hear("10.0.0.3:5353", dns::answer(UUID, ip("10.0.0.3")));
    assert!(
        lone.events().is_empty() && lone.sent_within(20 * SECOND).is_empty(),
        "the first answer counts, and ends it"
    );
    assert_eq!(lone.host.stats().unasked, 1);
}

#[test]
fn an_answer_may_stand_among_what_is_added() {
    let mut lone = Lone::new(host(Config::default()));
    lone.host.resolve(UUID).unwrap();
    let records = [vec![], vec![], vec![dns::record(UUID, ip("10.0.0.2"))]];
    lone.hear("10.0.0.2:5353", dns::write(&Message { flags: 0x8400, records, ..Message::default() }));
    assert_eq!(lone.events().len(), 1);
}

/// draft-ietf-mmusic-mdns-ice-candidates §3.2.2.
#[test]
fn a_name_with_several_addresses_is_not_resolved() {
    let two = |one: &str, two: &str| dns::response(vec![dns::record(UUID, ip(one)), dns::record(UUID, ip(two))]);
    for (one, other) in [("10.0.0.2", "10.0.0.3"), ("10.0.0.2", "2001:db8::2")] {
        let mut lone = Lone::new(host(Config::default()));
        lone.host.resolve(UUID).unwrap();
        lone.hear("10.0.0.2:5353", two(one, other));
        assert!(lone.events().is_empty());
        assert_eq!((lone.host.stats().ambiguous, lone.host.stats().dropped()), (1, 1));
        lone.sent_within(20 * SECOND);
        assert_eq!(lone.events(), [Event::Unresolved(name(UUID))]);
    }
    // The same one twice is one; what nobody has, and a goodbye, is none.
    for other in
        [dns::record(UUID, ip("10.0.0.2")), dns::record(UUID, ip("0.0.0.0")), (UUID.into(), 1, 1, 0, vec![10, 0, 0, 3])]
    {
        let mut lone = Lone::new(host(Config::default()));
        lone.host.resolve(UUID).unwrap();
        lone.hear("10.0.0.2:5353", dns::response(vec![other, dns::record(UUID, ip("10.0.0.2"))]));
        assert_eq!(lone.events(), [Event::Resolved { name: name(UUID), address: ip("10.0.0.2") }]);
    }
}

#[test]
fn names_that_are_asked_for_at_once_go_together_and_no_more_than_fit() {
    let mut lone = Lone::new(host(Config::default()));
    let names: Vec<_> = (0..60).map(|n| format!("{n:08x}-ea17-4bcf-a596-105139dfd8bf.local")).collect();
    names.iter().for_each(|name| _ = lone.host.resolve(name).unwrap());
    lone.host.resolve(&names[0]).unwrap();
    let mut asked: Vec<_> = lone.sent().into_iter().map(|(_, message)| message.questions).collect();
    assert!(asked.len() <= 4, "{}", asked.len());
    let mut asked: Vec<_> =
        asked.drain(..).flatten().filter(|(_, kind, _)| *kind == 28).map(|(name, ..)| name).collect();
    asked.sort();
    assert_eq!(asked, names);
    let (records, mut messages) = (names.iter().map(|name| dns::record(name, ip("10.0.0.2"))).collect(), 0);
    lone.hear("10.0.0.2:5353", dns::response(records));
    lone.events().iter().for_each(|_| messages += 1);
    assert_eq!(messages, 60);
}

#[test]
fn every_link_is_asked_also_one_that_comes_later_and_none_that_has_gone() {
    let mut lone = Lone::new(host(Config::default()));
    let mut v6 = Interface::new(ip("fe80::1"), 64);
    v6.local = socket("[fe80::1%3]:5353");
    lone.host.add_interface(v6).unwrap();
    lone.host.resolve(UUID).unwrap();
    let to = |sent: Vec<(u128, wigwag_sansio::Transmit, Message)>| -> Vec<(u128, String)> {
        sent.into_iter().map(|(at, transmit, _)| (at, transmit.remote.to_string())).collect()
    };
    let (v4, v6) = (|at| (at, "224.0.0.251:5353".to_owned()), |at| (at, "[ff02::fb%3]:5353".to_owned()));
    assert_eq!(to(lone.sent_within(500 * MS)), [v4(0), v6(0)]);
    lone.host.remove_interface(socket("[fe80::1%3]:5353"));
    lone.host.add_interface(Interface::new(ip("10.0.1.1"), 24)).unwrap();
    assert_eq!(to(lone.sent_within(3 * SECOND)), [v4(0), v4(500), v4(1000), v4(2500), v4(3000)]);
    // An answer is heard on whichever it comes.
    lone.hear_at("10.0.1.1:5353", "10.0.1.9:5353", &mut dns::answer(UUID, ip("10.0.1.9")));
    assert_eq!(lone.events().len(), 1);
}

#[test]
fn without_a_link_a_name_is_given_up_in_time() {
    let mut lone = Lone::new(wigwag_mdns::Host::new(Config::default(), wigwag_sansio::Seed::for_test(1)));
    lone.host.resolve(UUID).unwrap();
    assert!(lone.sent_within(15 * SECOND).is_empty());
    assert_eq!(lone.events(), [Event::Unresolved(name(UUID))]);
}

#[test]
fn names_of_nothing_that_is_hidden_are_never_asked_for() {
    let mut lone = Lone::new(host(Config::default()));
    for text in [
        "printer.local",
        "the-printer-of-the-third-floor-left1.local",
        "example.org",
        "_http._tcp.local",
        "localhost",
        "",
        &format!("x.{UUID}"),
        &format!("{UUID}."),
    ] {
        assert_eq!(lone.host.resolve(text), Err(Error::NotAName(text.to_owned())));
    }
    assert!(lone.sent_within(20 * SECOND).is_empty() && lone.events().is_empty());
}

#[test]
fn there_is_room_for_so_many_until_events_are_polled() {
    let mut lone = Lone::new(host(Config::default()));
    let text = |n: u32| format!("{n:08x}-ea17-4bcf-a596-105139dfd8bf.local");
    (0..64).for_each(|n| _ = lone.host.resolve(&text(n)).unwrap());
    lone.host.resolve(&text(0)).unwrap();
    assert_eq!(lone.host.resolve(&text(64)), Err(Error::TooManyQueries(64)));
    lone.hear("10.0.0.2:5353", dns::answer(&text(3), ip("10.0.0.2")));
    assert_eq!(lone.host.resolve(&text(64)), Err(Error::TooManyQueries(64)), "its event is owed");
    lone.host.poll_event().unwrap();
    lone.host.resolve(&text(64)).unwrap();
    lone.host.cancel(&name(&text(64)));
    lone.host.resolve(&text(65)).unwrap();
    lone.sent_within(20 * SECOND);
    assert_eq!(lone.events().len(), 64, "what was cancelled is not told of");
}

#[test]
fn the_first_question_asks_to_be_answered_alone_if_the_port_is_ours_alone() {
    let mut config = Config::default();
    config.unicast_responses = true;
    let mut lone = Lone::new(host(config));
    lone.host.resolve(UUID).unwrap();
    let classes = |sent: Vec<(u128, wigwag_sansio::Transmit, Message)>| -> Vec<u16> {
        sent.into_iter().flat_map(|(.., message)| message.questions).map(|question| question.2).collect()
    };
    assert_eq!(classes(lone.sent_within(20 * SECOND)), [0x8001, 0x8001, 1, 1, 1, 1, 1, 1]);
}

#[test]
fn a_name_of_our_own_is_known() {
    let mut lone = Lone::new(host(Config::default()));
    let ours = lone.host.register(ip("10.0.0.1")).unwrap();
    lone.host.resolve(&ours.to_string()).unwrap();
    assert_eq!(lone.events(), [Event::Resolved { name: ours, address: ip("10.0.0.1") }]);
}
