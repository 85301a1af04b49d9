//! What strangers send changes nothing, costs little, and is counted.

use crate::dns::{self, Message};
use crate::{Lone, MS, OTHER, SECOND, UUID, host, ip, socket};
use wigwag_mdns::{Config, Error, Interface, Stats};
use wigwag_sansio::Datagram;

/// Somebody asks for UUID, and has a name of their own.
fn busy() -> (Lone, String) {
    let mut lone = Lone::new(host(Config::default()));
    lone.host.resolve(UUID).unwrap();
    let name = lone.host.register(ip("10.0.0.1")).unwrap().to_string();
    lone.sent();
    (lone, name)
}

/// RFC 6762 §6, §11.
#[test]
fn answers_from_elsewhere_and_from_other_ports_are_not_believed() {
    let good = dns::answer(UUID, ip("10.0.0.2"));
    for (at, from, counter) in [
        ("10.0.0.1:5353", "10.0.0.2:5354", (|stats: &Stats| stats.wrong_port) as fn(&Stats) -> u64),
        ("10.0.0.1:5353", "10.0.0.2:53", |stats| stats.wrong_port),
        ("10.0.0.1:5353", "10.0.1.2:5353", |stats| stats.off_link),
        ("10.0.0.1:5353", "[2001:db8::2]:5353", |stats| stats.off_link),
        ("10.0.0.9:5353", "10.0.0.2:5353", |stats| stats.unknown_interface),
        ("10.0.0.1:5354", "10.0.0.2:5353", |stats| stats.unknown_interface),
    ] {
        let (mut lone, _) = busy();
        lone.hear_at(at, from, &mut good.clone());
        assert!(lone.events().is_empty(), "{at} {from}");
        assert_eq!((counter(lone.host.stats()), lone.host.stats().dropped()), (1, 1), "{at} {from}");
        lone.hear("10.0.0.2:5353", good.clone());
        assert_eq!(lone.events().len(), 1);
    }
    let (mut lone, _) = busy();
    let mut stream = good.clone();
    let datagram = Datagram::tcp(socket("10.0.0.1:5353"), socket("10.0.0.2:5353"), &mut stream);
    lone.host.handle_input(datagram, lone.now);
    assert!(lone.events().is_empty() && lone.host.stats().unknown_interface == 1);
}

#[test]
fn questions_from_elsewhere_are_not_answered() {
    let (mut lone, name) = busy();
    lone.now += 100 * SECOND;
    lone.sent();
    lone.events();
    for from in ["10.0.1.2:5353", "192.0.2.1:40000", "127.0.0.1:5353"] {
        lone.hear(from, dns::question(&name, 1, 1));
    }
    assert!(lone.sent().is_empty());
    assert_eq!(lone.host.stats().off_link, 3);
}

#[test]
fn what_was_not_asked_for_is_not_kept() {
    let (mut lone, _) = busy();
    for message in [
        dns::answer(OTHER, ip("10.0.0.2")),
        dns::answer("printer.local", ip("10.0.0.2")),
        dns::response(vec![]),
        dns::response(vec![(UUID.into(), 16, 1, 120, vec![1, 65])]),
        dns::response(vec![(UUID.into(), 1, 1, 0, vec![10, 0, 0, 2])]),
        dns::answer(UUID, ip("127.0.0.1")),
        dns::answer(UUID, ip("::1")),
        dns::answer(UUID, ip("0.0.0.0")),
        dns::answer(UUID, ip("224.0.0.251")),
        dns::answer(UUID, ip("255.255.255.255")),
        dns::answer(UUID, ip("::ffff:10.0.0.2")),
    ] {
        lone.hear("10.0.0.2:5353", message);
    }
    assert!(lone.events().is_empty());
    assert_eq!((lone.host.stats().unasked, lone.host.stats().dropped()), (11, 11));
    lone.host.resolve(OTHER).unwrap();
    assert!(lone.events().is_empty(), "nothing was kept");
}

#[test]
fn a_message_with_all_that_fits_costs_one_look_and_a_longer_one_none() {
    let (mut lone, name) = busy();
    // As many records as there is room for in 9000 bytes, each of a pointer to one name.
    let mut bytes = dns::answer(UUID, ip("127.0.0.1"));
    let mut count = 1_u16;
    while bytes.len() + 16 <= 9000 {
        bytes.extend([0xc0, 12, 0, 1, 0x80, 1, 0, 0, 0, 120, 0, 4, 10, 0, (count >> 8) as u8, count as u8]);
        count += 1;
    }
    bytes[6..8].copy_from_slice(&count.to_be_bytes());
    assert!(count > 500);
    lone.hear("10.0.0.2:5353", bytes.clone());
    assert_eq!((lone.host.stats().ambiguous, lone.events().len()), (1, 0));
    bytes.resize(9001, 0);
    lone.hear("10.0.0.2:5353", bytes);
    assert_eq!(lone.host.stats().too_long, 1);
    // A thousand questions for one name of ours are one answer.
    lone.now += 100 * SECOND;
    lone.sent();
    let mut bytes = dns::question(&name, 1, 1);
    for _ in 0..1000 {
        bytes.extend([0xc0, 12, 0, 1, 0, 1]);
    }
    bytes[4..6].copy_from_slice(&1001_u16.to_be_bytes());
    lone.hear("10.0.0.2:5353", bytes.clone());
    lone.now += SECOND;
    assert_eq!(lone.sent().len(), 1);
    lone.hear("10.0.0.2:9", bytes);
    let sent = lone.sent();
    assert!(sent.len() == 1 && sent[0].1.questions.len() <= 4);
}

/// Whoever gives another's address as their own has them answered: little, and seldom.
#[test]
fn who_asks_in_the_name_of_others_has_them_sent_little() {
    let (mut lone, name) = busy();
    lone.now += 100 * SECOND;
    lone.sent();
    let (mut asked, mut sent, begin) = (0, 0, lone.now);
    while lone.now < begin + 10 * SECOND {
        for port in 0..20 {
            lone.hear(&format!("10.0.0.77:{}", 40000 + port), dns::question(&name, 255, 1));
            asked += 1;
        }
        let mut out = Vec::new();
        while lone.host.poll_transmit(lone.now, &mut out).is_some() {
            assert!(out.len() <= 4 * dns::question(&name, 255, 1).len());
            sent += 1;
        }
        lone.now += 10 * MS;
    }
    assert!(asked == 20_000 && (300..=321).contains(&sent), "{sent}");
    assert_eq!(lone.host.stats().too_many_queries + sent, asked);
    // One who does not poll holds no more than a second's.
    for _ in 0..1000 {
        lone.now += 100 * MS;
        lone.hear("10.0.0.77:40000", dns::question(&name, 255, 1));
    }
    assert!(lone.sent().len() <= 33);
}

/// However often a message asks for one name, it is told once: else whoever asks for all kinds of things has others sent much more.
#[test]
fn who_asks_for_many_things_of_one_name_is_told_once() {
    let (mut lone, name) = busy();
    lone.now += 100 * SECOND;
    lone.sent();
    for (kinds, is_address) in [([16, 33, 12, 257], false), ([16, 1, 12, 255], true), ([1, 1, 1, 1], true)] {
        let questions = kinds.map(|kind| (name.clone(), kind, 1)).to_vec();
        let mut query = dns::question(&name, kinds[0], 1);
        kinds[1..].iter().for_each(|kind| query.extend([0xc0, 12, (kind >> 8) as u8, *kind as u8, 0, 1]));
        query[4..6].copy_from_slice(&4_u16.to_be_bytes());
        assert_eq!(dns::read(&query).questions, questions);
        lone.hear("10.0.0.77:40000", query.clone());
        let mut out = Vec::new();
        lone.host.poll_transmit(lone.now, &mut out).unwrap();
        let reply = dns::read(&out);
        let [answers, authorities, additionals] = &reply.records;
        assert_eq!((answers.len(), authorities.len(), additionals.len()), (1, 0, 1), "{kinds:?}");
        assert_eq!(answers[0].1 == 1, is_address, "{kinds:?}");
        assert!(out.len() <= 3 * query.len(), "{} for {}", out.len(), query.len());
    }
}

/// Those who ask in the name of others have all that is answered alone: the rest is told to all, as often as anything is.
#[test]
fn who_would_be_answered_alone_too_late_is_answered_with_all() {
    let (mut lone, name) = busy();
    lone.sent_within(5 * SECOND);
    for number in 0..100 {
        lone.hear(&format!("10.0.0.{}:5353", 100 + number), dns::question(&name, 1, 0x8001));
    }
    let sent = lone.sent();
    let to_all = sent.iter().filter(|(transmit, _)| transmit.remote == socket("224.0.0.251:5353"));
    assert_eq!((sent.len(), to_all.count()), (33, 1));
    assert_eq!(lone.host.stats().too_many_queries, 0, "nobody is without an answer");
}

#[test]
fn a_claim_to_a_name_of_ours_is_counted_and_changes_nothing() {
    let (mut lone, name) = busy();
    lone.hear("10.0.0.66:5353", dns::answer(&name, ip("10.0.0.66")));
    lone.hear("10.0.0.66:5353", dns::answer(&name, ip("10.0.0.1")));
    assert_eq!((lone.host.stats().conflicts, lone.host.stats().unasked), (1, 2));
    lone.sent_within(100 * SECOND);
    lone.hear("10.0.0.2:5353", dns::question(&name, 1, 1));
    assert_eq!(lone.sent()[0].1.records[0][0].4, [10, 0, 0, 1]);
}

#[test]
fn cut_and_changed_messages_are_survived() {
    let (mut lone, name) = busy();
    let records =
        [vec![dns::record(UUID, ip("10.0.0.2"))], vec![], vec![dns::denial(UUID, ip("10.0.0.2"), 0x8001, 120)]];
    let whole =
        [dns::write(&Message { flags: 0x8400, records, ..Message::default() }), dns::question(&name, 1, 0x8001)];
    for whole in whole {
        for at in 0..whole.len() {
            lone.hear("10.0.0.2:5353", whole[..at].to_vec());
            for bit in 0..8 {
                let mut bytes = whole.clone();
                bytes[at] ^= 1 << bit;
                lone.hear("10.0.0.2:5353", bytes);
                lone.host.resolve(UUID).unwrap();
                lone.events();
            }
            lone.sent();
            lone.now += MS;
        }
    }
    assert!(lone.host.stats().malformed > 100);
}

#[test]
fn there_are_so_many_interfaces_and_none_that_no_host_has() {
    let mut lone = Lone::new(host(Config::default()));
    for number in 2..=64 {
        lone.host.add_interface(Interface::new(ip(&format!("10.0.{number}.1")), 24)).unwrap();
    }
    assert_eq!(lone.host.add_interface(Interface::new(ip("10.0.99.1"), 24)), Err(Error::TooManyInterfaces(64)));
    lone.host.add_interface(Interface::new(ip("10.0.0.1"), 16)).unwrap();
    assert_eq!(lone.host.interfaces().count(), 64);
    assert_eq!(lone.host.add_interface(Interface::new(ip("0.0.0.0"), 0)), Err(Error::NotAnAddress(ip("0.0.0.0"))));
}
