//! Clients over TCP and TLS (RFC 8656 §3.1).

use crate::bench::*;
use wigwag_sansio::Protocol;
use wigwag_turn::{CloseReason, ServerEvent};

fn over(protocol: Protocol) -> (Bench, Someone) {
    (Bench::new(config()), Someone { protocol, ..Someone::new("ann", "198.51.100.7:700") })
}

fn last_reason(bench: &Bench) -> Option<CloseReason> {
    match bench.events.last() {
        Some(ServerEvent::RelayClosed { reason, .. }) => Some(*reason),
        _ => None,
    }
}

#[test]
fn a_stream_is_served_like_datagrams_and_data_is_padded() {
    for protocol in [Protocol::Tcp, Protocol::Tls] {
        let (mut bench, mut ann) = over(protocol);
        let relayed = bench.allocate(&mut ann);
        assert_eq!(bench.bind(&mut ann, 0x4001, "192.0.2.10:10"), 0);
        let padded = [channel(0x4001, b"hello"), vec![0xEE; 3]].concat();
        bench.input(protocol, listening(), ann.at, &padded);
        assert_eq!(bench.taken(), [(relayed, at("192.0.2.10:10"), b"hello".to_vec())], "{protocol:?}");
        bench.input(Protocol::Udp, relayed, at("192.0.2.10:10"), b"hello");
        assert_eq!(bench.sent_to(&ann), [[channel(0x4001, b"hello"), vec![0; 3]].concat()]);
    }
}

#[test]
fn messages_are_found_wherever_the_stream_is_cut() {
    let (mut bench, mut ann) = over(Protocol::Tcp);
    let relayed = bench.allocate(&mut ann);
    assert_eq!(bench.permit(&mut ann, "192.0.2.9:9"), 0);
    let stream =
        [send_indication("192.0.2.9:9", b"one"), ann.request(1, &[]), send_indication("192.0.2.9:9", b"two")].concat();
    for len in [1, 7, 20, stream.len()] {
        for piece in stream.chunks(len) {
            bench.input(Protocol::Tcp, listening(), ann.at, piece);
        }
        let taken = bench.taken();
        assert_eq!(taken.len(), 3, "{len}");
        assert_eq!((taken[0].0, &*taken[0].2, taken[1].1, &*taken[2].2), (relayed, &b"one"[..], ann.at, &b"two"[..]));
    }
}

#[test]
fn what_a_client_has_ends_with_its_stream() {
    let (mut bench, mut ann) = over(Protocol::Tcp);
    bench.allocate(&mut ann);
    bench.input(Protocol::Tcp, listening(), ann.at, &[]);
    assert_eq!((bench.server.allocations(), bench.server.streams()), (0, 0));
    assert_eq!((last_reason(&bench), bench.sent.len()), (Some(CloseReason::Disconnected), 0));
    // The next stream of the same name is another.
    ann.nonce = None;
    bench.allocate(&mut ann);
}

#[test]
fn what_was_for_a_stream_that_has_ended_is_not_for_the_next() {
    let (mut bench, ann) = over(Protocol::Tcp);
    let (request, mut out) = (ann.request(1, &[]), Vec::new());
    let feed = |bench: &mut Bench, bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        bench.server.handle_input(wigwag_sansio::Datagram::tcp(listening(), ann.at, &mut bytes), bench.now);
    };
    feed(&mut bench, &request);
    feed(&mut bench, &[]);
    feed(&mut bench, &request);
    assert!(bench.server.poll_transmit(bench.now, &mut out).is_some());
    assert!(bench.server.poll_transmit(bench.now, &mut out).is_none());
}

#[test]
fn a_stream_that_holds_something_else_is_closed_once() {
    let (mut bench, mut ann) = over(Protocol::Tcp);
    bench.allocate(&mut ann);
    bench.input(Protocol::Tcp, listening(), ann.at, &[ann.request(1, &[]), b"\xFFnonsense".to_vec()].concat());
    let sent = bench.sent_to(&ann);
    assert_eq!((sent.len(), sent[1].len(), bench.server.streams()), (2, 0, 0), "an answer, and the end");
    assert_eq!((bench.server.stats().out_of_sync, last_reason(&bench)), (1, Some(CloseReason::Disconnected)));
}

#[test]
fn what_comes_after_the_end_was_owed_is_for_nobody() {
    let (mut bench, ann) = over(Protocol::Tcp);
    let mut feed = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        bench.server.handle_input(wigwag_sansio::Datagram::tcp(listening(), ann.at, &mut bytes), bench.now);
    };
    feed(b"\xFFnonsense");
    feed(&ann.request(1, &[]));
    assert_eq!((bench.server.stats().after_end, bench.server.streams()), (1, 1));
    bench.settle();
    assert_eq!((bench.sent_to(&ann), bench.server.streams()), (vec![vec![]], 0));
}

/// Whatever it sends: or strangers could have all that there are.
#[test]
fn a_stream_that_nobody_uses_is_closed_after_a_minute() {
    let (mut bench, mut ann) = over(Protocol::Tcp);
    let bob = Someone { protocol: Protocol::Tcp, ..Someone::new("bob", "198.51.100.7:701") };
    bench.allocate(&mut ann);
    for _ in 0..6 {
        assert!(bench.send(&bob, &bob.request(1, &[])).is_some());
        bench.pass(9 * SECOND);
    }
    bench.pass(5 * SECOND);
    assert_eq!(bench.server.streams(), 2);
    bench.pass(SECOND);
    assert_eq!((bench.sent_to(&bob), bench.server.streams()), (vec![vec![]], 1));
    bench.pass(539 * SECOND);
    assert_eq!((bench.server.streams(), bench.server.allocations()), (1, 1), "one that is used stays");
    bench.pass(SECOND);
    assert_eq!((bench.server.streams(), bench.server.allocations()), (1, 0), "and for a while");
    (0..2).for_each(|_| bench.pass(60 * SECOND));
    assert_eq!((bench.sent_to(&ann), bench.server.streams()), (vec![vec![]], 0));
}

#[test]
fn there_are_so_many_streams_and_others_are_closed() {
    let mut config = config();
    config.streams_max = 2;
    let mut bench = Bench::new(config);
    let someone =
        |port: u16| Someone { protocol: Protocol::Tcp, ..Someone::new("ann", &format!("198.51.100.7:{port}")) };
    for port in 1..=2 {
        assert_eq!(bench.send(&someone(port), &someone(port).request(1, &[])).unwrap().code(), 0);
    }
    let third = someone(3);
    bench.input(Protocol::Tcp, listening(), third.at, &third.request(1, &[]));
    assert_eq!((bench.sent_to(&third), bench.server.streams()), (vec![vec![]], 2));
    // A driver that does not ask what to send is served no more than twice as many.
    for port in 10..100 {
        let mut request = third.request(1, &[]);
        let datagram = wigwag_sansio::Datagram::tcp(listening(), someone(port).at, &mut request);
        bench.server.handle_input(datagram, bench.now);
    }
    assert_eq!((bench.server.streams(), bench.server.stats().after_end), (4, 91));
}
