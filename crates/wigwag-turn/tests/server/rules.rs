//! What is granted and what is refused (RFC 8656 §5 to §12).

use crate::bench::*;
use std::time::Duration;
use wigwag_sansio::WallClock;
use wigwag_stun::{AttributeType, Message};
use wigwag_turn::{CloseReason, Credentials, ServerEvent};

fn closed(bench: &Bench) -> Vec<CloseReason> {
    let reason = |event: &ServerEvent| match event {
        ServerEvent::RelayClosed { reason, .. } => Some(*reason),
        _ => None,
    };
    bench.events.iter().filter_map(reason).collect()
}

#[test]
fn an_allocation_is_granted_to_whoever_knows_a_password_as_soon_as_there_is_a_socket() {
    let (mut bench, mut ann) = (Bench::new(config()), Someone::new("ann", "198.51.100.7:700"));
    let first = bench.send(&ann, &ann.request(ALLOCATE, &[bytes(TRANSPORT, UDP)])).unwrap();
    assert_eq!((first.code(), first.message().attributes.realm), (401, Some(REALM)));
    let answer = bench.ask(&mut ann, ALLOCATE, &[bytes(TRANSPORT, UDP)]);
    let relayed = answer.relayed();
    assert_eq!((answer.code(), answer.seconds(), relayed.ip()), (0, 600, listening().ip()));
    assert!(relayed.port() >= 49_152 && answer.message().is_authentic(&ann.key()));
    assert_eq!(answer.message().attributes.xor_mapped_address, Some(ann.at));
    let requested = ServerEvent::RelayRequested { relayed, client: ann.at, username: "ann".into() };
    assert_eq!((&*bench.events, bench.sockets.contains(&relayed)), (&[requested][..], true));
    assert_eq!((bench.server.stats().challenged, bench.server.stats().granted), (2, 1));
}

#[test]
fn a_request_that_comes_again_is_answered_alike_and_another_is_refused() {
    let (mut bench, mut ann) = (Bench::new(config()), Someone::new("ann", "198.51.100.7:700"));
    let relayed = bench.allocate(&mut ann);
    let again = bench.send(&ann, &ann.request(ALLOCATE, &[bytes(TRANSPORT, UDP)])).unwrap();
    assert_eq!((again.code(), again.relayed(), bench.server.allocations()), (0, relayed, 1));
    assert_eq!(bench.ask(&mut ann, ALLOCATE, &[bytes(TRANSPORT, UDP)]).code(), 437);
    let mut bob = Someone { name: "bob".into(), ..ann.clone() };
    assert_eq!(bench.send(&bob, &bob.request(ALLOCATE, &[bytes(TRANSPORT, UDP)])).unwrap().code(), 437);
    assert_eq!(bench.ask(&mut bob, ALLOCATE, &[bytes(TRANSPORT, UDP)]).code(), 437);
}

#[test]
fn a_request_that_comes_again_while_the_socket_is_opened_is_answered_once() {
    let (mut bench, mut ann) = (Bench::new(config()), Someone::new("ann", "198.51.100.7:700"));
    bench.driver = Driver::SaysNothing;
    let challenge = bench.send(&ann, &ann.request(ALLOCATE, &[])).unwrap();
    ann.nonce = challenge.message().attributes.nonce.map(<[u8]>::to_vec);
    let request = ann.request(ALLOCATE, &[bytes(TRANSPORT, UDP)]);
    for _ in 0..3 {
        assert!(bench.send(&ann, &request).is_none());
    }
    let [ServerEvent::RelayRequested { relayed, .. }] = &*bench.events else { panic!("{:?}", bench.events) };
    let relayed = *relayed;
    // Before it is open there is nothing to be had.
    assert_eq!(bench.ask(&mut ann, REFRESH, &[]).code(), 437);
    bench.server.relay_opened(relayed, true);
    assert_eq!(bench.server.poll_timeout(bench.now), Some(bench.now), "a command is owed at once");
    bench.settle();
    let sent = bench.sent_to(&ann);
    assert_eq!(sent.iter().map(|bytes| Answer(bytes.clone()).relayed()).collect::<Vec<_>>(), [relayed]);
}

/// RFC 8656 §7.2, and its order.
#[test]
fn what_is_not_to_be_had_is_refused_by_its_code() {
    let token = [7; 8];
    for (attributes, code) in [
        (vec![], 400),
        (vec![bytes(TRANSPORT, &[17, 0])], 400),
        (vec![bytes(TRANSPORT, &[6, 0, 0, 0])], 442),
        (vec![bytes(TRANSPORT, UDP), bytes(DONT_FRAGMENT, &[])], 420),
        (vec![bytes(TRANSPORT, UDP), bytes(0x7777, &[1])], 420),
        (vec![bytes(TRANSPORT, UDP), bytes(0xF777, &[1])], 0),
        (vec![bytes(TRANSPORT, UDP), bytes(FAMILY, &[1, 0, 0, 0])], 0),
        (vec![bytes(TRANSPORT, UDP), bytes(FAMILY, &[2, 0, 0, 0])], 0),
        (vec![bytes(TRANSPORT, UDP), bytes(FAMILY, &[3, 0, 0, 0])], 440),
        (vec![bytes(TRANSPORT, UDP), bytes(FAMILY, &[])], 440),
        (vec![bytes(TRANSPORT, UDP), bytes(EVEN_PORT, &[0])], 0),
        (vec![bytes(TRANSPORT, UDP), bytes(EVEN_PORT, &[0x80])], 508),
        (vec![bytes(TRANSPORT, UDP), bytes(TOKEN, &token)], 508),
        (vec![bytes(TRANSPORT, UDP), bytes(TOKEN, &token), bytes(EVEN_PORT, &[0])], 400),
        (vec![bytes(TRANSPORT, UDP), bytes(TOKEN, &token), bytes(FAMILY, &[1, 0, 0, 0])], 400),
        (vec![bytes(TRANSPORT, UDP), bytes(ADDITIONAL_FAMILY, &[1, 0, 0, 0])], 400),
        (vec![bytes(TRANSPORT, UDP), bytes(ADDITIONAL_FAMILY, &[2, 0, 0, 0]), bytes(FAMILY, &[1, 0, 0, 0])], 400),
        (vec![bytes(TRANSPORT, UDP), bytes(ADDITIONAL_FAMILY, &[2, 0, 0, 0]), bytes(EVEN_PORT, &[0x80])], 400),
        (vec![bytes(TRANSPORT, UDP), bytes(ADDITIONAL_FAMILY, &[2, 0, 0, 0])], 0),
    ] {
        let (mut bench, mut ann) = (Bench::new(config()), Someone::new("ann", "198.51.100.7:700"));
        let answer = bench.ask(&mut ann, ALLOCATE, &attributes);
        assert_eq!((answer.code(), bench.server.allocations()), (code, usize::from(code == 0)), "{attributes:?}");
        assert!(answer.message().is_authentic(&ann.key()), "{attributes:?}");
        let has = |kind| attributes.iter().any(|(found, _)| *found == kind);
        if code == 0 {
            assert_eq!(answer.relayed().is_ipv6(), has(FAMILY) && format!("{attributes:?}").contains("[2, 0, 0, 0]"));
            assert!(!has(EVEN_PORT) || answer.relayed().port() % 2 == 0);
            assert_eq!(answer.value(0x8001), has(ADDITIONAL_FAMILY).then(|| vec![2, 0, 4, 40]));
        }
        if code == 420 {
            assert_eq!(answer.value(0x0A), Some(attributes[1].0.to_be_bytes().to_vec()));
        }
    }
}

#[test]
fn who_is_not_known_is_asked_for_a_password_or_told_what_is_missing() {
    let (mut bench, mut ann) = (Bench::new(config()), Someone::new("ann", "198.51.100.7:700"));
    let nonce = bench.send(&ann, &ann.request(ALLOCATE, &[])).unwrap().message().attributes.nonce.map(<[u8]>::to_vec);
    ann.nonce = nonce.clone();
    for (who, code) in [
        (Someone { password: "Secret".into(), ..ann.clone() }, 401),
        (Someone { name: "cem".into(), ..ann.clone() }, 401),
        (Someone { nonce: Some(b"nonce".to_vec()), ..ann.clone() }, 438),
        (Someone { at: at("198.51.100.7:701"), ..ann.clone() }, 438),
    ] {
        let answer = bench.send(&who, &who.request(ALLOCATE, &[bytes(TRANSPORT, UDP)])).unwrap();
        let message = answer.message();
        assert_eq!((answer.code(), message.attributes.realm), (code, Some(REALM)), "{who:?}");
        assert!(message.attributes.nonce.is_some() && !message.has_integrity());
    }
    // Signed, and without a name, a realm or a nonce.
    for missing in 0..3 {
        let mut out = Vec::new();
        let mut writer = wigwag_stun::MessageWriter::new(
            &mut out,
            wigwag_stun::Class::Request,
            wigwag_stun::Method::new(ALLOCATE).unwrap(),
            wigwag_turn::TransactionId([1; 12]),
        );
        let shown = [
            (AttributeType::USERNAME, b"ann".to_vec()),
            (AttributeType::REALM, REALM.into()),
            (AttributeType::NONCE, nonce.clone().unwrap()),
        ];
        for (_, (kind, value)) in shown.iter().enumerate().filter(|(n, _)| *n != missing) {
            writer = writer.attribute(*kind, value);
        }
        writer.integrity(&ann.key());
        assert_eq!(bench.send(&ann, &out).unwrap().code(), 400, "{missing}");
    }
    assert_eq!(bench.server.allocations(), 0);
}

#[test]
fn a_lifetime_is_between_ten_minutes_and_the_maximum() {
    for (asked, granted) in
        [(None, 600), (Some(0), 600), (Some(60), 600), (Some(777), 777), (Some(3600), 3600), (Some(u32::MAX), 3600)]
    {
        let (mut bench, mut ann) = (Bench::new(config()), Someone::new("ann", "198.51.100.7:700"));
        let value = asked.map(u32::to_be_bytes);
        let lifetime = value.iter().map(|value| bytes(LIFETIME, value));
        let answer = bench.ask(
            &mut ann,
            ALLOCATE,
            &[bytes(TRANSPORT, UDP)].into_iter().chain(lifetime.clone()).collect::<Vec<_>>(),
        );
        assert_eq!(answer.seconds(), granted, "{asked:?}");
        if asked != Some(0) {
            assert_eq!(bench.ask(&mut ann, REFRESH, &lifetime.collect::<Vec<_>>()).seconds(), granted, "{asked:?}");
        }
        bench.pass(Duration::from_secs(u64::from(granted)) - SECOND);
        assert_eq!((bench.server.allocations(), closed(&bench)), (1, vec![]));
        bench.pass(SECOND);
        assert_eq!((bench.server.allocations(), closed(&bench)), (0, vec![CloseReason::Expired]));
        assert!(
            bench.sockets.is_empty() && bench.server.poll_timeout(bench.now).is_none() && bench.server.held_len() == 0
        );
    }
}

#[test]
fn what_is_refreshed_lasts_longer_and_what_is_given_back_is_gone() {
    let (mut bench, mut ann) = (Bench::new(config()), Someone::new("ann", "198.51.100.7:700"));
    bench.allocate(&mut ann);
    bench.pass(599 * SECOND);
    assert_eq!(bench.ask(&mut ann, REFRESH, &[]).seconds(), 600);
    assert_eq!(bench.ask(&mut ann, REFRESH, &[bytes(FAMILY, &[2, 0, 0, 0])]).code(), 443);
    bench.pass(599 * SECOND);
    assert_eq!(bench.server.allocations(), 1);
    let answer = bench.ask(&mut ann, REFRESH, &[bytes(LIFETIME, &[0; 4])]);
    assert_eq!((answer.code(), answer.seconds(), bench.server.allocations()), (0, 0, 0));
    assert_eq!((closed(&bench), bench.sockets.len()), (vec![CloseReason::Released], 0));
    for method in [REFRESH, CREATE_PERMISSION, CHANNEL_BIND] {
        assert_eq!(bench.ask(&mut ann, method, &[peer("192.0.2.9:9")]).code(), 437);
    }
    bench.allocate(&mut ann);
}

#[test]
fn what_is_ones_is_not_anothers() {
    let (mut bench, mut ann) = (Bench::new(config()), Someone::new("ann", "198.51.100.7:700"));
    bench.allocate(&mut ann);
    let mut bob = Someone { name: "bob".into(), id: 100, ..ann.clone() };
    for method in [REFRESH, CREATE_PERMISSION, CHANNEL_BIND] {
        assert_eq!(bench.ask(&mut bob, method, &[peer("192.0.2.9:9"), bytes(LIFETIME, &[0; 4])]).code(), 441);
    }
    assert_eq!(bench.server.allocations(), 1);
}

#[test]
fn a_port_that_is_taken_is_followed_by_another_and_after_eight_there_is_none() {
    for (times, code) in [(0, 0), (3, 0), (7, 0), (8, 508)] {
        let (mut bench, mut ann) = (Bench::new(config()), Someone::new("ann", "198.51.100.7:700"));
        bench.driver = Driver::Refuses(times);
        let answer = bench.ask(&mut ann, ALLOCATE, &[bytes(TRANSPORT, UDP)]);
        assert_eq!((answer.code(), bench.server.allocations()), (code, usize::from(code == 0)), "{times}");
        assert!(answer.message().is_authentic(&ann.key()));
        assert_eq!(bench.sockets.len(), bench.server.allocations());
        assert_eq!(closed(&bench), [], "a socket that was not opened is not to be closed");
    }
}

#[test]
fn a_driver_that_says_nothing_is_no_socket() {
    let (mut bench, mut ann) = (Bench::new(config()), Someone::new("ann", "198.51.100.7:700"));
    ann.nonce = bench.send(&ann, &ann.request(ALLOCATE, &[])).unwrap().message().attributes.nonce.map(<[u8]>::to_vec);
    bench.driver = Driver::SaysNothing;
    assert!(bench.send(&ann, &ann.request(ALLOCATE, &[bytes(TRANSPORT, UDP)])).is_none());
    let [ServerEvent::RelayRequested { relayed, .. }] = &*bench.events else { panic!("{:?}", bench.events) };
    let relayed = *relayed;
    bench.pass(5 * SECOND);
    assert_eq!(Answer(bench.sent_to(&ann).pop().unwrap()).code(), 508);
    assert_eq!((closed(&bench), bench.server.allocations()), (vec![CloseReason::NotOpened], 0));
    // Too late.
    bench.server.relay_opened(relayed, true);
    bench.settle();
    assert_eq!((bench.server.held_len(), bench.events.len()), (0, 2));
}

#[test]
fn where_it_listens_it_does_not_relay() {
    let mut config = config();
    config.relay_ports = 3477..=3479;
    let mut bench = Bench::new(config);
    let someone = |n: u16| Someone::new("ann", &format!("198.51.100.7:{n}"));
    let ports: std::collections::BTreeSet<_> = (1..=2).map(|n| bench.allocate(&mut someone(n)).port()).collect();
    assert_eq!(ports, [3477, 3479].into());
    assert_eq!(bench.ask(&mut someone(3), ALLOCATE, &[bytes(TRANSPORT, UDP)]).code(), 508);
}

#[test]
fn permissions_are_for_all_that_are_named_or_for_none() {
    let (mut bench, mut ann) = (Bench::new(config()), Someone::new("ann", "198.51.100.7:700"));
    bench.allocate(&mut ann);
    for (peers, code) in [
        (vec![], 400),
        (vec![bytes(PEER, &[0, 1, 2])], 400),
        (vec![peer("192.0.2.8:1"), bytes(PEER, &[0, 1, 2])], 400),
        (vec![peer("192.0.2.8:1"), peer("[2600::1]:1")], 443),
        (vec![peer("192.0.2.8:1"), peer("127.0.0.1:1")], 403),
        (vec![peer("192.0.2.9:1"), peer("192.0.2.10:0")], 0),
    ] {
        assert_eq!(bench.ask(&mut ann, CREATE_PERMISSION, &peers).code(), code, "{peers:?}");
    }
    for (to, is_permitted) in [("192.0.2.8:1", false), ("192.0.2.9:7", true), ("192.0.2.10:8", true)] {
        assert_eq!(!bench.client_sends(&ann, to, b"hi").is_empty(), is_permitted, "{to}");
    }
}

#[test]
fn channels_are_bound_once_and_to_whom_may_be_reached() {
    let (mut bench, mut ann) = (Bench::new(config()), Someone::new("ann", "198.51.100.7:700"));
    bench.allocate(&mut ann);
    for (number, to, code) in [
        (0x4000, "192.0.2.9:1", 0),
        (0x4000, "192.0.2.9:1", 0),
        (0x4000, "192.0.2.9:2", 400),
        (0x4001, "192.0.2.9:1", 400),
        (0x3FFF, "192.0.2.9:2", 400),
        (0x5000, "192.0.2.9:2", 400),
        (0x4002, "[2600::1]:1", 443),
        (0x4002, "10.0.0.1:1", 403),
        (0x4002, "192.0.2.9:0", 403),
        (0x4FFF, "192.0.2.9:2", 0),
    ] {
        assert_eq!(bench.bind(&mut ann, number, to), code, "{number:#x} {to}");
    }
    assert_eq!(bench.ask(&mut ann, CHANNEL_BIND, &[peer("192.0.2.9:3")]).code(), 400);
    assert_eq!(bench.ask(&mut ann, CHANNEL_BIND, &[bytes(CHANNEL_NUMBER, &[0x40, 9, 0, 0])]).code(), 400);
}

#[test]
fn a_nonce_that_has_grown_old_is_followed_by_another_and_nothing_is_lost() {
    let (mut bench, mut ann) = (Bench::new(config()), Someone::new("ann", "198.51.100.7:700"));
    let answer = bench.ask(&mut ann, ALLOCATE, &[bytes(TRANSPORT, UDP), bytes(LIFETIME, &3600u32.to_be_bytes())]);
    assert_eq!(answer.seconds(), 3600);
    bench.pass(1800 * SECOND);
    assert_eq!(bench.ask(&mut ann, REFRESH, &[bytes(LIFETIME, &3600u32.to_be_bytes())]).code(), 0);
    bench.pass(1801 * SECOND);
    assert_eq!(bench.send(&ann, &ann.request(REFRESH, &[])).unwrap().code(), 438);
    assert_eq!((bench.ask(&mut ann, REFRESH, &[]).code(), bench.server.allocations()), (0, 1));
}

#[test]
fn a_password_of_an_hour_is_good_for_it_and_what_was_got_by_it_is_kept() {
    let mut config = config();
    let day = Duration::from_secs(1_700_000_000);
    config.share_secret(b"old", WallClock::new(wigwag_sim::origin(), day));
    config.share_secret(b"north", WallClock::new(wigwag_sim::origin(), day));
    config.allocations_per_user_max = 1;
    let mut bench = Bench::new(config);
    // What `Credentials::ephemeral` makes is checked in its module against openssl; here it is the server that makes it once more.
    let login = |secret: &[u8], until: u64, name: &str, address| {
        let credentials = Credentials::ephemeral(secret, day + Duration::from_secs(until), name);
        let (name, password) = (credentials.username().to_owned(), credentials.password().to_owned());
        Someone { name, password, ..Someone::new("", address) }
    };
    for secret in [&b"old"[..], b"north"] {
        let mut cem = login(secret, 60, "cem", "198.51.100.7:700");
        bench.allocate(&mut cem);
        assert_eq!(bench.ask(&mut cem, REFRESH, &[bytes(LIFETIME, &[0; 4])]).code(), 0);
    }
    let mut cem = login(b"north", 60, "cem", "198.51.100.7:700");
    bench.allocate(&mut cem);
    let mut later = login(b"north", 3600, "cem", "198.51.100.7:701");
    let asked = [bytes(TRANSPORT, UDP)];
    assert_eq!(bench.ask(&mut later, ALLOCATE, &asked).code(), 486, "another name of the same user's");
    for mut other in [
        login(b"south", 60, "cem", "198.51.100.7:702"),
        login(b"north", 0, "dee", "198.51.100.7:702"),
        Someone { name: format!("+{}:dee", day.as_secs() + 60), ..login(b"north", 60, "dee", "198.51.100.7:702") },
        Someone { name: "dee".into(), ..login(b"north", 60, "dee", "198.51.100.7:702") },
    ] {
        assert_eq!(bench.ask(&mut other, ALLOCATE, &asked).code(), 401, "{other:?}");
    }
    bench.pass(61 * SECOND);
    assert_eq!(bench.ask(&mut cem, REFRESH, &[]).code(), 0, "a call is not cut off");
    let mut elsewhere = Someone { at: at("198.51.100.7:703"), nonce: None, ..cem.clone() };
    assert_eq!(bench.ask(&mut elsewhere, ALLOCATE, &asked).code(), 401);
}

#[test]
fn users_come_and_go() {
    let (mut bench, mut ann) = (Bench::new(config()), Someone::new("ann", "198.51.100.7:700"));
    let mut bob = Someone::new("bob", "198.51.100.7:701");
    let mut dee = Someone::new("dee", "198.51.100.7:702");
    let asked = [bytes(TRANSPORT, UDP)];
    [&mut ann, &mut bob].into_iter().for_each(|who| _ = bench.allocate(who));
    assert_eq!(bench.ask(&mut dee, ALLOCATE, &asked).code(), 401);
    bench.server.add_user(&Credentials::new("dee", "secret"));
    bench.server.remove_user("ann");
    assert_eq!(bench.server.poll_timeout(bench.now), Some(bench.now), "a command is owed at once");
    bench.settle();
    assert_eq!((closed(&bench), bench.server.allocations()), (vec![CloseReason::Removed], 1));
    assert_eq!(bench.ask(&mut ann, ALLOCATE, &asked).code(), 401);
    bench.allocate(&mut dee);
}

#[test]
fn a_server_of_turn_is_one_of_stun() {
    let (mut bench, ann) = (Bench::new(config()), Someone::new("ann", "198.51.100.7:700"));
    let answer = bench.send(&ann, &ann.request(1, &[])).unwrap();
    assert_eq!(answer.message().attributes.xor_mapped_address, Some(ann.at));
    let mut bound = Vec::new();
    wigwag_stun::MessageWriter::request(&mut bound, wigwag_turn::TransactionId([1; 12]))
        .attribute(AttributeType(3), &[])
        .fingerprint();
    let answer = bench.send(&ann, &bound).unwrap();
    assert!(answer.code() == 420 && Message::decode(&answer.0).is_ok());
}

/// RFC 6062 and what else there may be is dropped in silence.
#[test]
fn methods_that_are_none_of_its_own_are_not_answered() {
    let (mut bench, mut ann) = (Bench::new(config()), Someone::new("ann", "198.51.100.7:700"));
    bench.allocate(&mut ann);
    for method in [2, 6, 7, 10, 11, 12, 0xFFF] {
        assert!(bench.send(&ann, &ann.request(method, &[peer("192.0.2.9:9")])).is_none(), "{method}");
    }
    assert_eq!(bench.server.stats().malformed, 7);
}
