//! Data, to peers and from them (RFC 8656 §11, §12).

use crate::bench::*;
use wigwag_sansio::{Datagram, Ecn, Protocol};
use wigwag_turn::{CloseReason, ServerEvent};

/// Ann with an address, a peer on a channel and one without.
fn with_peers() -> (Bench, Someone, std::net::SocketAddr) {
    let (mut bench, mut ann) = (Bench::new(config()), Someone::new("ann", "198.51.100.7:700"));
    let relayed = bench.allocate(&mut ann);
    assert_eq!(bench.permit(&mut ann, "192.0.2.9:0"), 0);
    assert_eq!(bench.bind(&mut ann, 0x4001, "192.0.2.10:10"), 0);
    (bench, ann, relayed)
}

#[test]
fn data_goes_to_peers_from_the_relayed_address() {
    let (mut bench, ann, relayed) = with_peers();
    for data in [&b"hello"[..], b"", &[7; 1400]] {
        let expected = |to: &str| vec![(relayed, at(to), data.to_vec())];
        assert_eq!(bench.client_sends(&ann, "192.0.2.9:9", data), expected("192.0.2.9:9"));
        assert_eq!(bench.client_sends(&ann, "192.0.2.10:11", data), expected("192.0.2.10:11"));
        assert_eq!(bench.on_channel(&ann, 0x4001, data), expected("192.0.2.10:10"));
    }
    let padded = [channel(0x4001, b"hello"), vec![0xEE; 3]].concat();
    bench.input(Protocol::Udp, listening(), ann.at, &padded);
    assert_eq!(bench.sent[0].0.ecn, Ecn::Ect0, "marks go through");
    assert_eq!(bench.taken(), [(relayed, at("192.0.2.10:10"), b"hello".to_vec())], "without padding");
}

#[test]
fn data_of_peers_comes_in_indications_or_on_their_channels() {
    let (mut bench, ann, relayed) = with_peers();
    for data in [&b"hello"[..], b"", &[7; 1400]] {
        let indication = |from: &str| [Heard::Indication(at(from), data.to_vec())];
        assert_eq!(bench.peer_sends(&ann, relayed, "192.0.2.9:9", data), indication("192.0.2.9:9"));
        assert_eq!(bench.peer_sends(&ann, relayed, "192.0.2.10:11", data), indication("192.0.2.10:11"));
        assert_eq!(bench.peer_sends(&ann, relayed, "192.0.2.10:10", data), [Heard::Channel(0x4001, data.to_vec())]);
    }
    // STUN at a relayed address is a peer's business with the client.
    let binding = ann.request(1, &[]);
    assert_eq!(
        bench.peer_sends(&ann, relayed, "192.0.2.9:9", &binding),
        [Heard::Indication(at("192.0.2.9:9"), binding)]
    );
}

#[test]
fn permissions_end_after_five_minutes_and_channels_after_ten() {
    let (mut bench, mut ann, relayed) = with_peers();
    bench.pass(299 * SECOND);
    assert_eq!(bench.client_sends(&ann, "192.0.2.9:9", b"hi").len(), 1);
    assert_eq!(bench.on_channel(&ann, 0x4001, b"hi").len(), 1);
    bench.pass(SECOND);
    assert!(
        bench.client_sends(&ann, "192.0.2.9:9", b"hi").is_empty() && bench.on_channel(&ann, 0x4001, b"hi").is_empty()
    );
    for from in ["192.0.2.9:9", "192.0.2.10:10"] {
        assert!(bench.peer_sends(&ann, relayed, from, b"hi").is_empty());
    }
    assert_eq!(bench.server.stats().no_permission, 4);
    // The channel is there, and wants a permission.
    assert_eq!((bench.permit(&mut ann, "192.0.2.10:1"), bench.on_channel(&ann, 0x4001, b"hi").len()), (0, 1));
    assert_eq!(bench.ask(&mut ann, REFRESH, &[]).code(), 0);
    bench.pass(299 * SECOND);
    assert_eq!(bench.permit(&mut ann, "192.0.2.10:1"), 0);
    assert_eq!(bench.on_channel(&ann, 0x4001, b"hi").len(), 1);
    bench.pass(SECOND);
    assert!(bench.on_channel(&ann, 0x4001, b"hi").is_empty());
    assert_eq!(bench.server.stats().unallocated, 1);
    let indication = [Heard::Indication(at("192.0.2.10:10"), b"hi".to_vec())];
    assert_eq!(bench.peer_sends(&ann, relayed, "192.0.2.10:10", b"hi"), indication);
    assert_eq!(bench.bind(&mut ann, 0x4001, "192.0.2.9:9"), 0, "the number is free");
}

#[test]
fn relayed_addresses_of_ipv6_reach_peers_of_ipv6() {
    let (mut bench, mut ann) = (Bench::new(config()), Someone::new("ann", "198.51.100.7:700"));
    let answer = bench.ask(&mut ann, ALLOCATE, &[bytes(TRANSPORT, UDP), bytes(FAMILY, &[2, 0, 0, 0])]);
    let relayed = answer.relayed();
    assert!(relayed.is_ipv6());
    assert_eq!([bench.permit(&mut ann, "192.0.2.9:9"), bench.permit(&mut ann, "[2600::9]:9")], [443, 0]);
    assert_eq!(bench.client_sends(&ann, "[2600::9]:9", b"hi"), [(relayed, at("[2600::9]:9"), b"hi".to_vec())]);
    let heard = [Heard::Indication(at("[2600::9]:9"), b"hi".to_vec())];
    assert_eq!(bench.peer_sends(&ann, relayed, "[2600::9]:9", b"hi"), heard);
}

#[test]
fn two_clients_of_one_server_reach_each_other() {
    let (mut bench, mut ann, at_ann) = with_peers();
    let mut bob = Someone::new("bob", "198.51.100.7:701");
    let at_bob = bench.allocate(&mut bob);
    assert_eq!(bench.permit(&mut ann, &at_bob.to_string()), 0);
    assert_eq!(bench.bind(&mut bob, 0x4000, &at_ann.to_string()), 0);
    let sent = bench.client_sends(&ann, &at_bob.to_string(), b"hi");
    assert_eq!(sent, [(at_ann, at_bob, b"hi".to_vec())]);
    assert_eq!(bench.peer_sends(&bob, at_bob, &at_ann.to_string(), b"hi"), [Heard::Channel(0x4000, b"hi".to_vec())]);
}

#[test]
fn what_was_relayed_is_told_at_the_end() {
    let (mut bench, mut ann, relayed) = with_peers();
    bench.client_sends(&ann, "192.0.2.9:9", &[1; 100]);
    bench.on_channel(&ann, 0x4001, &[1; 23]);
    bench.peer_sends(&ann, relayed, "192.0.2.9:9", &[1; 7]);
    bench.ask(&mut ann, REFRESH, &[bytes(LIFETIME, &[0; 4])]);
    let Some(ServerEvent::RelayClosed { relayed: closed, reason, traffic }) = bench.events.last() else { panic!() };
    assert_eq!((*closed, *reason, traffic.to_peers, traffic.to_client), (relayed, CloseReason::Released, 123, 7));
    let stats = bench.server.stats();
    assert_eq!((stats.relayed_to_peers, stats.relayed_to_clients, stats.dropped()), (2, 1, 0));
}

#[test]
fn what_is_longer_than_a_datagram_is_dropped() {
    let (mut bench, ann, relayed) = with_peers();
    assert!(bench.on_channel(&ann, 0x4001, &[7; 65_508]).is_empty());
    assert_eq!(bench.on_channel(&ann, 0x4001, &[7; 65_507]).len(), 1);
    assert!(bench.peer_sends(&ann, relayed, "192.0.2.9:9", &[7; 65_507]).is_empty());
    assert!(bench.peer_sends(&ann, relayed, "192.0.2.10:10", &[7; 65_507]).is_empty());
    assert_eq!(bench.server.stats().overflowed, 3);
}

/// The buffers go round, the caller's among them.
#[test]
fn steady_relaying_allocates_nothing() {
    let (mut bench, ann, relayed) = with_peers();
    let mut up = [channel(0x4001, &[7; 1000]), send_indication("192.0.2.9:9", &[7; 1000])];
    let (mut down, mut out, mut count) = ([7; 1000], Vec::new(), 0);
    let mut relay = |times: u32| {
        for _ in 0..times {
            for payload in &mut up {
                bench.server.handle_input(Datagram::udp(listening(), ann.at, payload), bench.now);
            }
            for from in ["192.0.2.10:10", "192.0.2.9:9"] {
                let from = from.parse().unwrap();
                bench.server.handle_input(Datagram::udp(relayed, from, &mut down), bench.now);
            }
            while bench.server.poll_transmit(bench.now, &mut out).is_some() {
                count += 1;
            }
        }
    };
    relay(10);
    let counted = allocation_counter::measure(|| relay(1000));
    assert_eq!((counted.count_total, count), (0, 4040));
}
