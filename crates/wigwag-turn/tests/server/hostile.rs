//! Attacks: each is counted by its reason, nothing goes where it wanted, memory stays under its bound, and the call of somebody else goes on.

use crate::bench::*;
use proptest::prelude::*;
use std::net::SocketAddr;
use wigwag_sansio::{Datagram, Protocol, Rng, Seed};
use wigwag_turn::{Server, ServerConfig, ServerStats};

/// Ann, who talks with a peer while others attack.
struct Call {
    ann: Someone,
    relayed: SocketAddr,
}

impl Call {
    fn new(bench: &mut Bench) -> Self {
        let mut ann = Someone::new("ann", "198.51.100.7:700");
        let relayed = bench.allocate(&mut ann);
        assert_eq!(bench.bind(&mut ann, 0x4001, "192.0.2.10:10"), 0);
        Self { ann, relayed }
    }

    /// It still carries data, both ways.
    fn is_well(&self, bench: &mut Bench) {
        assert_eq!(bench.on_channel(&self.ann, 0x4001, b"hi"), [(self.relayed, at("192.0.2.10:10"), b"hi".to_vec())]);
        let heard = bench.peer_sends(&self.ann, self.relayed, "192.0.2.10:10", b"ho");
        assert_eq!(heard, [Heard::Channel(0x4001, b"ho".to_vec())]);
    }
}

fn attacked() -> (Bench, Call) {
    let mut bench = Bench::new(config());
    let call = Call::new(&mut bench);
    (bench, call)
}

/// How much a counter has risen.
fn rise(bench: &Bench, before: ServerStats, counter: fn(&ServerStats) -> u64) -> u64 {
    let others = |stats: &ServerStats| stats.dropped() - counter(stats);
    assert!(others(bench.server.stats()) == others(&before), "by no other reason: {:?}", bench.server.stats());
    counter(bench.server.stats()) - counter(&before)
}

/// coturn's CVE-2020-26262, CVE-2026-27624, CVE-2018-4058.
#[test]
fn what_is_near_the_server_is_reached_by_no_way() {
    let (mut bench, call) = attacked();
    let mut eve = Someone::new("bob", "198.51.100.66:66");
    let mut six = Someone::new("bob", "198.51.100.66:67");
    bench.allocate(&mut eve);
    assert_eq!(bench.ask(&mut six, ALLOCATE, &[bytes(TRANSPORT, UDP), bytes(FAMILY, &[2, 0, 0, 0])]).code(), 0);
    let (held, mut sent) = (bench.server.held_len(), 0);
    for near in [
        "0.0.0.0",
        "127.0.0.1",
        "127.8.8.8",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "224.0.0.1",
        "255.255.255.255",
    ] {
        let [a, b, c, d] = near.parse::<std::net::Ipv4Addr>().unwrap().octets();
        let hidden = [
            format!("[::ffff:{near}]"),
            format!("[::{near}]"),
            format!("[64:ff9b::{near}]"),
            format!("[2002:{a:02x}{b:02x}:{c:02x}{d:02x}::1]"),
        ];
        let to = format!("{near}:53");
        assert_eq!([bench.permit(&mut eve, &to), bench.bind(&mut eve, 0x4000, &to)], [403, 403], "{to}");
        assert!(bench.client_sends(&eve, &to, b"GET /").is_empty(), "{to}");
        sent += 1;
        for host in hidden {
            let to = format!("{host}:53");
            assert_eq!([bench.permit(&mut six, &to), bench.bind(&mut six, 0x4000, &to)], [403, 403], "{to}");
            assert!(bench.client_sends(&six, &to, b"GET /").is_empty(), "{to}");
            sent += 1;
        }
    }
    for near in ["[::]:53", "[::1]:53", "[fe80::1]:53", "[fc00::1]:53", "[ff02::1]:53", "[2001::1]:53"] {
        assert_eq!([bench.permit(&mut six, near), bench.bind(&mut six, 0x4000, near)], [403, 403], "{near}");
        assert!(bench.client_sends(&six, near, b"GET /").is_empty(), "{near}");
        sent += 1;
    }
    assert_eq!(bench.server.stats().no_permission, sent);
    assert_eq!(bench.server.held_len(), held);
    call.is_well(&mut bench);
}

/// A relay that could be had to talk to its own server, or to what else listens on its machine, makes loops, and opens the machine.
#[test]
fn of_the_servers_own_addresses_those_alone_that_it_relays_for_others_are_reached() {
    let mut config = config();
    config.listening.push(at("203.0.113.2:3478"));
    config.peers.allow.push("10.0.0.0/8".parse().unwrap());
    config.listening.push(at("10.0.0.1:3478"));
    let mut bench = Bench::new(config);
    let call = Call::new(&mut bench);
    let mut eve = Someone::new("bob", "198.51.100.66:66");
    bench.allocate(&mut eve);
    // Permissions have no ports.
    assert_eq!(bench.permit(&mut eve, "203.0.113.1:0"), 0);
    assert_eq!(bench.permit(&mut eve, "203.0.113.2:0"), 403, "nothing is relayed there");
    assert_eq!(bench.permit(&mut eve, "10.0.0.1:0"), 0, "the operator allows it");
    let before = *bench.server.stats();
    for own in ["203.0.113.1:3478", "203.0.113.1:22", "203.0.113.1:0", "10.0.0.1:3478"] {
        assert_eq!(bench.bind(&mut eve, 0x4000, own), 403, "{own}");
        assert!(bench.client_sends(&eve, own, b"hi").is_empty(), "{own}");
    }
    assert_eq!(rise(&bench, before, |stats| stats.forbidden), 4);
    assert_eq!(bench.client_sends(&eve, &call.relayed.to_string(), b"hi").len(), 1, "ann's address");
    assert_eq!(bench.client_sends(&eve, "10.0.0.1:3479", b"hi").len(), 1);
    call.is_well(&mut bench);
    // When ann has left, nobody is there.
    let mut ann = call.ann;
    bench.ask(&mut ann, REFRESH, &[bytes(LIFETIME, &[0; 4])]);
    assert!(bench.client_sends(&eve, &call.relayed.to_string(), b"hi").is_empty());
}

/// pion/turn #69: an open relay.
#[test]
fn nothing_is_relayed_to_or_from_whom_nobody_has_permitted() {
    let (mut bench, call) = attacked();
    let eve = Someone::new("bob", "198.51.100.66:66");
    let (before, held) = (*bench.server.stats(), bench.server.held_len());
    // A peer that is not permitted, and a client that did not permit.
    assert!(bench.peer_sends(&call.ann, call.relayed, "192.0.2.66:10", b"spam").is_empty());
    assert!(bench.client_sends(&call.ann, "192.0.2.66:10", b"spam").is_empty());
    assert_eq!(rise(&bench, before, |stats| stats.no_permission), 2);
    // Somebody without an allocation, from the same host as one who has: on her channel, to her peer.
    let (before, near) = (*bench.server.stats(), Someone::new("ann", "198.51.100.7:701"));
    for who in [&eve, &near] {
        assert!(bench.on_channel(who, 0x4001, b"spam").is_empty());
        assert!(bench.client_sends(who, "192.0.2.10:10", b"spam").is_empty());
    }
    assert!(bench.on_channel(&call.ann, 0x4002, b"spam").is_empty(), "a number that is bound to nobody");
    assert_eq!(rise(&bench, before, |stats| stats.unallocated), 5);
    assert_eq!(bench.server.held_len(), held);
    call.is_well(&mut bench);
}

#[test]
fn one_clients_permissions_and_channels_are_not_anothers() {
    let (mut bench, call) = attacked();
    let mut bob = Someone::new("bob", "198.51.100.66:66");
    let relayed = bench.allocate(&mut bob);
    let before = *bench.server.stats();
    assert!(bench.client_sends(&bob, "192.0.2.10:10", b"spam").is_empty());
    assert!(bench.peer_sends(&bob, relayed, "192.0.2.10:10", b"spam").is_empty());
    assert_eq!(rise(&bench, before, |stats| stats.no_permission), 2);
    assert!(bench.on_channel(&bob, 0x4001, b"spam").is_empty());
    call.is_well(&mut bench);
}

/// firezone #4705, and what a peer sends to whoever had the address before.
#[test]
fn what_was_permitted_before_is_not_after() {
    let mut config = config();
    config.relay_ports = 50_000..=50_000;
    let mut bench = Bench::new(config);
    let Call { mut ann, relayed } = Call::new(&mut bench);
    bench.ask(&mut ann, REFRESH, &[bytes(LIFETIME, &[0; 4])]);
    assert!(bench.on_channel(&ann, 0x4001, b"hi").is_empty());
    let mut bob = Someone::new("bob", "198.51.100.66:66");
    assert_eq!(bench.allocate(&mut bob), relayed);
    assert!(bench.peer_sends(&bob, relayed, "192.0.2.10:10", b"for ann").is_empty());
    assert!(bench.on_channel(&ann, 0x4001, b"hi").is_empty() && bench.on_channel(&bob, 0x4001, b"hi").is_empty());
    assert_eq!(bench.server.stats().no_permission, 1);
}

/// coturn PR #1588: what an answer is longer than its request is a gift to whoever forges sources.
#[test]
fn an_answer_to_a_stranger_is_at_most_three_times_as_long_as_its_request() {
    for realm_len in [1, 11, 28] {
        let config = ServerConfig::new("r".repeat(realm_len), [listening()], ["203.0.113.1".parse().unwrap()]).unwrap();
        let (mut bench, mut eve) = (Bench::new(config), Someone::new("eve", "198.51.100.66:66"));
        let bare = |method: u16, attributes: &[Attribute<'_>]| {
            let mut out = Vec::new();
            let method = wigwag_stun::Method::new(method).unwrap();
            let id = wigwag_turn::TransactionId([1; 12]);
            _ = write(wigwag_stun::MessageWriter::new(&mut out, wigwag_stun::Class::Request, method, id), attributes);
            out
        };
        let shortest = bare(ALLOCATE, &[bytes(TRANSPORT, UDP)]);
        assert_eq!(
            bench.send(&eve, &shortest).map(|answer| answer.code()),
            Some(401),
            "the shortest that a client sends"
        );
        let mut requests = vec![shortest, bare(1, &[]), bare(1, &[bytes(0x7777, &[0; 100])])];
        for method in [ALLOCATE, REFRESH, CREATE_PERMISSION, CHANNEL_BIND] {
            requests.extend([bare(method, &[]), eve.request(method, &[]), bare(method, &[bytes(TRANSPORT, UDP)])]);
        }
        eve.nonce = Some(vec![b'n'; 4]);
        requests.push(eve.request(ALLOCATE, &[]));
        for request in requests {
            let answer = bench.send(&eve, &request).map_or(0, |answer| answer.0.len());
            assert!(answer <= 3 * request.len(), "{realm_len}: {answer} for {}", request.len());
        }
        // A header alone is not answered if that is too much, and is counted.
        let before = *bench.server.stats();
        if realm_len == 28 {
            assert!(bench.send(&eve, &bare(ALLOCATE, &[])).is_none());
            assert_eq!(rise(&bench, before, |stats| stats.amplifying), 1);
        }
        assert_eq!(bench.server.held_len(), 0);
    }
}

#[test]
fn a_flood_of_strangers_makes_no_state_and_answers_within_the_queue() {
    let (mut bench, call) = attacked();
    let (held, mut rng) = (bench.server.held_len(), Rng::new(Seed::for_test(1)));
    let eve = Someone::new("eve", "198.51.100.66:66");
    let request = eve.request(ALLOCATE, &[bytes(TRANSPORT, UDP)]);
    let bound = held + (4 << 20);
    for n in 0..100_000 {
        let from = SocketAddr::new(std::net::Ipv4Addr::from(rng.u32() | 1 << 30).into(), 1 + rng.u16() % 60_000);
        let mut request = request.clone();
        bench.server.handle_input(Datagram::udp(listening(), from, &mut request), bench.now);
        assert!(bench.server.held_len() <= bound, "{n}");
    }
    let (mut out, mut answered) = (Vec::new(), 0);
    while bench.server.poll_transmit(bench.now, &mut out).is_some() {
        answered += out.len();
    }
    assert!(answered <= 4 << 20 && bench.server.stats().overflowed > 0);
    assert_eq!((bench.server.held_len(), bench.server.allocations()), (held, 1));
    call.is_well(&mut bench);
}

#[test]
fn a_nonce_that_was_overheard_is_of_no_use_elsewhere() {
    let (mut bench, call) = attacked();
    let request = call.ann.request(ALLOCATE, &[bytes(TRANSPORT, UDP)]);
    let held = bench.server.held_len();
    for elsewhere in ["198.51.100.66:700", "198.51.100.7:701"] {
        let eve = Someone { at: at(elsewhere), ..call.ann.clone() };
        assert_eq!(bench.send(&eve, &request).unwrap().code(), 438);
    }
    assert_eq!((bench.server.held_len(), bench.server.stats().challenged), (held, 3));
    call.is_well(&mut bench);
}

#[test]
fn a_forged_request_ends_nothing() {
    let (mut bench, call) = attacked();
    let forged = Someone { password: "guess".into(), id: 77, ..call.ann.clone() };
    let unsigned = Someone { nonce: None, ..forged.clone() };
    for eve in [forged, unsigned] {
        let answer = bench.send(&eve, &eve.request(REFRESH, &[bytes(LIFETIME, &[0; 4])])).unwrap();
        assert_eq!(answer.code(), 401);
    }
    assert_eq!((bench.server.allocations(), bench.server.stats().challenged), (1, 3));
    call.is_well(&mut bench);
}

/// What stands behind MESSAGE-INTEGRITY was signed by nobody.
#[test]
fn what_was_added_to_a_signed_request_is_not_read() {
    let (mut bench, mut call) = attacked();
    call.ann.id += 1;
    let mut request = call.ann.request(CREATE_PERMISSION, &[peer("192.0.2.11:1")]);
    let mut added = Vec::new();
    let writer = wigwag_stun::MessageWriter::request(&mut added, wigwag_turn::TransactionId([0; 12]));
    _ = write(writer, &[peer("192.0.2.66:1")]);
    request.extend_from_slice(&added[20..]);
    let len = u16::try_from(request.len() - 20).unwrap();
    request[2..4].copy_from_slice(&len.to_be_bytes());
    assert_eq!(bench.send(&call.ann, &request).unwrap().code(), 0);
    assert_eq!(bench.client_sends(&call.ann, "192.0.2.66:1", b"hi"), []);
    call.is_well(&mut bench);
}

#[test]
fn a_user_has_so_many_allocations_and_all_together_so_many() {
    let mut config = config();
    (config.allocations_per_user_max, config.allocations_max) = (2, 3);
    let mut bench = Bench::new(config);
    let call = Call::new(&mut bench);
    let asked = [bytes(TRANSPORT, UDP)];
    let codes: Vec<_> = ["ann", "ann", "bob", "bob"]
        .iter()
        .enumerate()
        .map(|(n, name)| {
            bench.ask(&mut Someone::new(name, &format!("198.51.100.66:{}", n + 1)), ALLOCATE, &asked).code()
        })
        .collect();
    assert_eq!((codes, bench.server.allocations(), bench.sockets.len()), (vec![0, 486, 0, 508], 3, 3));
    assert_eq!(bench.server.stats().refused, 2);
    call.is_well(&mut bench);
    // What has ended leaves room.
    bench.pass(600 * SECOND);
    assert_eq!(bench.ask(&mut Someone::new("ann", "198.51.100.66:9"), ALLOCATE, &asked).code(), 0);
}

#[test]
fn an_allocation_has_so_many_permissions_and_channels() {
    let (mut bench, call) = attacked();
    let mut eve = Someone::new("bob", "198.51.100.66:66");
    bench.allocate(&mut eve);
    let addresses: Vec<_> = (0..300u16).map(|n| format!("192.0.{}.{}:1", n / 200 + 3, n % 200 + 1)).collect();
    let peers: Vec<_> = addresses.iter().map(|address| peer(address)).collect();
    assert_eq!(bench.ask(&mut eve, CREATE_PERMISSION, &peers).code(), 508, "more than there is room for, at once");
    let granted = addresses.iter().filter(|address| bench.permit(&mut eve, address) == 0).count();
    assert_eq!(granted, 128);
    let bound = (0..300u16).filter(|n| bench.bind(&mut eve, 0x4000 + n, &format!("192.0.3.1:{}", n + 1)) == 0).count();
    assert_eq!(bound, 128);
    assert!(bench.server.held_len() <= 128 * (2 * 128 + 10), "{}", bench.server.held_len());
    call.is_well(&mut bench);
}

#[test]
fn who_does_not_take_what_is_sent_loses_it() {
    let (mut bench, call) = attacked();
    for _ in 0..10_000 {
        let mut data = channel(0x4001, &[7; 1000]);
        bench.server.handle_input(Datagram::udp(listening(), call.ann.at, &mut data), bench.now);
        assert!(bench.server.held_len() <= (4 << 20) + 1000);
    }
    bench.settle();
    let taken = bench.taken().len();
    let stats = bench.server.stats();
    assert!(stats.overflowed == 10_000 - taken as u64 && taken > 3000, "{taken} {stats:?}");
    call.is_well(&mut bench);
}

/// A driver that nobody listens to: what is wanted of it is bounded like all else.
#[test]
fn sockets_that_nobody_opens_or_closes_are_bounded() {
    let mut config = config();
    (config.allocations_per_user_max, config.allocations_max) = (4, 4);
    let mut server = Server::new(config, Seed::for_test(1));
    let (mut out, mut now) = (Vec::new(), wigwag_sim::origin());
    for port in 1..200 {
        let mut eve = Someone::new("ann", &format!("198.51.100.66:{port}"));
        for _ in 0..2 {
            let mut request = eve.request(ALLOCATE, &[bytes(TRANSPORT, UDP)]);
            server.handle_input(Datagram::udp(listening(), eve.at, &mut request), now);
            while server.poll_transmit(now, &mut out).is_some() {
                eve.nonce = Answer(out.clone()).message().attributes.nonce.map(<[u8]>::to_vec);
            }
        }
        now += SECOND;
        assert!(server.held_len() <= 12 * 128 + 1000, "{}", server.held_len());
    }
    let mut asked_for = 0;
    while server.poll_event().is_some() {
        asked_for += 1;
    }
    assert!(asked_for <= 8, "{asked_for}");
}

/// coturn #1837, pion/turn #593: 65,532 bytes and more make four when they are counted with 16 bits.
#[test]
fn lengths_of_channel_data_are_never_believed() {
    let (mut bench, call) = attacked();
    let before = *bench.server.stats();
    let lens = [3u16, 100, 0xFFFB, 0xFFFC, 0xFFFD, 0xFFFE, 0xFFFF];
    for len in lens {
        let lie = [&[0x40, 1][..], &len.to_be_bytes(), b"hi"].concat();
        bench.input(Protocol::Udp, listening(), call.ann.at, &lie);
    }
    assert_eq!((rise(&bench, before, |stats| stats.malformed), bench.taken().len()), (7, 0));
    // Over a stream they are waited for, and by whom nothing is known not for long.
    for len in lens {
        let eve = Someone { protocol: Protocol::Tcp, ..Someone::new("eve", "198.51.100.66:66") };
        let lie = [&[0x40, 1][..], &len.to_be_bytes(), &[7; 3000]].concat();
        for piece in lie.chunks(1000) {
            if bench.sent.is_empty() {
                bench.input(Protocol::Tcp, listening(), eve.at, piece);
            }
        }
        let (sent, is_open) = (bench.sent_to(&eve), bench.server.streams() == 1);
        assert_eq!((sent, is_open), (vec![vec![]], false), "{len}");
    }
    assert!(bench.server.held_len() <= 4 * 128, "{}", bench.server.held_len());
    call.is_well(&mut bench);
}

#[test]
fn what_no_client_can_have_sent_is_not_answered() {
    let (mut bench, call) = attacked();
    let (before, request) = (*bench.server.stats(), call.ann.request(1, &[]));
    let nowhere =
        ["0.0.0.0:700", "224.0.0.1:700", "255.255.255.255:700", "198.51.100.7:0", "[ff02::1]:7", "203.0.113.1:3478"];
    for from in nowhere {
        bench.input(Protocol::Udp, listening(), at(from), &request);
    }
    bench.input(Protocol::Udp, at("203.0.113.1:3479"), call.ann.at, &request);
    bench.input(Protocol::Tcp, call.relayed, call.ann.at, &request);
    assert_eq!((rise(&bench, before, |stats| stats.wrong_path), bench.sent.len()), (8, 0));
    call.is_well(&mut bench);
}

/// CVE-2025-69217: ports and nonces that could be guessed.
#[test]
fn ports_and_nonces_are_drawn_by_lot() {
    let mut config = config();
    (config.allocations_per_user_max, config.allocations_max) = (1000, 1000);
    let (mut bench, mut other) = (Bench::new(config.clone()), Bench::seeded(config, 2));
    let (mut ports, mut nonces, mut same) = (std::collections::BTreeSet::new(), std::collections::BTreeSet::new(), 0);
    let mut before = 0i32;
    let mut steps = std::collections::BTreeSet::new();
    for n in 1..300 {
        let mut someone = Someone::new("ann", &format!("198.51.100.66:{n}"));
        let port = bench.allocate(&mut someone).port();
        let elsewhere = other.allocate(&mut Someone::new("ann", &format!("198.51.100.66:{n}"))).port();
        same += usize::from(port == elsewhere);
        assert!(ports.insert(port) && nonces.insert(someone.nonce.unwrap()));
        steps.insert(i32::from(port) - before);
        before = i32::from(port);
    }
    assert!(steps.len() > 280 && same < 5, "{} {same}", steps.len());
    assert!(
        ports.iter().filter(|port| **port < 57_344).count() > 100
            && ports.iter().filter(|port| **port >= 57_344).count() > 100
    );
}

proptest! {
    /// Whatever arrives from whomever, over whatever, it is survived, and strangers hold nothing.
    #[test]
    fn no_bytes_break_it(inputs in proptest::collection::vec((0u8..4, proptest::collection::vec(any::<u8>(), 0..80)), 0..40)) {
        let (mut bench, call) = attacked();
        for (way, input) in inputs {
            let eve = at("198.51.100.66:66");
            match way {
                0 => bench.input(Protocol::Udp, listening(), eve, &input),
                1 => bench.input(Protocol::Tcp, listening(), eve, &input),
                2 => bench.input(Protocol::Udp, call.relayed, eve, &input),
                _ => bench.input(Protocol::Udp, listening(), call.ann.at, &input),
            }
        }
        bench.input(Protocol::Tcp, listening(), at("198.51.100.66:66"), &[]);
        bench.taken();
        prop_assert!(bench.server.held_len() <= 4 * 128 + 80);
        call.is_well(&mut bench);
    }

    /// Whatever stands in a request that is signed, it is answered once, or is none.
    #[test]
    fn no_attributes_break_it(
        requests in proptest::collection::vec(
            (
                prop_oneof![Just(ALLOCATE), Just(REFRESH), Just(CREATE_PERMISSION), Just(CHANNEL_BIND)],
                proptest::collection::vec((prop_oneof![0u16..0x30, 0x8000u16..0x8004], proptest::collection::vec(any::<u8>(), 0..24)), 0..6),
            ),
            1..10,
        ),
    ) {
        let (mut bench, call) = attacked();
        let mut eve = Someone::new("bob", "198.51.100.66:66");
        bench.allocate(&mut eve);
        for (method, attributes) in requests {
            eve.id += 1;
            let own = [6, 8, 9, 0x14, 0x15, 0x1C, 0x20, 0x24, 0x0001]; // what decides whose it is, and what must be as it must be
            let attributes: Vec<_> = attributes.iter().filter(|(kind, _)| !own.contains(kind)).map(|(kind, value)| bytes(*kind, value)).collect();
            prop_assert!(bench.send(&eve, &eve.request(method, &attributes)).is_some());
        }
        prop_assert!(bench.server.allocations() <= 2);
        call.is_well(&mut bench);
    }
}
