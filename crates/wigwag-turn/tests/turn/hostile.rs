//! Bytes of somebody who is not the server, or of one that lies.

use crate::{Machine, SECOND, allocated, client, relayed};
use proptest::prelude::*;
use wigwag_sansio::Datagram;
use wigwag_sim::{A, Z, address};
use wigwag_stun::{AttributeType, Class, ErrorCode, Message, MessageWriter, Method, TransactionId};
use wigwag_turn::{Client, channel_data};

fn feed(client: &mut Client, from: std::net::SocketAddr, bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut inner = Vec::new();
    let mut bytes = bytes.to_vec();
    client.handle_input(Datagram::udp(address(A), from, &mut bytes), wigwag_sim::origin(), |datagram| {
        inner.push(datagram.payload.to_vec());
    });
    inner
}

/// A client with an address and a peer, whose requests were all answered.
fn with_peer() -> Client {
    let (mut world, _, at) = allocated(1);
    world[A].client().client.allow(at.ip());
    world[A].client().client.bind(at);
    world.run_for(SECOND);
    let Machine::Client(node) = &mut world[A] else { unreachable!() };
    std::mem::replace(&mut node.client, client(2, "secret"))
}

fn indication(peer: &str, data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    MessageWriter::new(&mut out, Class::Indication, Method::new(7).unwrap(), TransactionId([3; 12]))
        .xor_address(AttributeType(0x12), peer.parse().unwrap())
        .attribute(AttributeType(0x13), data)
        .fingerprint();
    out
}

#[test]
fn a_datagram_of_a_peer_is_heard_from_the_server_only() {
    let data = indication("192.0.2.7:9999", b"hi");
    let channel = [channel_data::header(0x4000, 2).as_slice(), b"hi"].concat();
    let mut client = with_peer();
    assert_eq!([feed(&mut client, address(Z), &data), feed(&mut client, address(Z), &channel)], [[b"hi"], [b"hi"]]);
    for from in [relayed(5000), "192.0.2.7:700".parse().unwrap()] {
        assert!(feed(&mut client, from, &data).is_empty() && feed(&mut client, from, &channel).is_empty());
    }
    assert_eq!(client.stats().wrong_path, 4);
}

#[test]
fn what_nobody_was_allowed_to_send_is_dropped_and_counted() {
    let mut client = with_peer();
    let channel = |number, len, data: &[u8]| [channel_data::header(number, len).as_slice(), data].concat();
    for (bytes, is_malformed) in [
        (indication("192.0.2.8:700", b"hi"), false),
        (indication("[2001:db8::1]:700", b"hi"), false),
        (channel(0x4001, 2, b"hi"), false),
        (channel(0x4000, 3, b"hi"), true),
        (channel(0x4000, 0xFFFF, b"hi"), true),
        (channel(0x4FFF, 2, b"hi"), false),
        (vec![0x40], true),
        (vec![], true),
    ] {
        let before = *client.stats();
        assert!(feed(&mut client, address(Z), &bytes).is_empty());
        let after = client.stats();
        let counted = [after.unknown_peer - before.unknown_peer, after.malformed - before.malformed];
        assert_eq!(counted, [u64::from(!is_malformed), u64::from(is_malformed)], "{bytes:?}");
    }
}

#[test]
fn a_datagram_without_an_address_or_data_or_with_something_that_is_not_understood_is_dropped() {
    let mut client = with_peer();
    for skipped in 0..4 {
        let mut out = Vec::new();
        let mut writer =
            MessageWriter::new(&mut out, Class::Indication, Method::new(7).unwrap(), TransactionId([3; 12]));
        if skipped != 0 {
            writer = writer.xor_address(AttributeType(0x12), "192.0.2.7:700".parse().unwrap());
        }
        if skipped != 1 {
            writer = writer.attribute(AttributeType(0x13), b"hi");
        }
        if skipped == 2 {
            writer = writer.attribute(AttributeType(0x7777), b"");
        }
        writer.fingerprint();
        assert_eq!(feed(&mut client, address(Z), &out).len(), usize::from(skipped == 3), "{skipped}");
    }
    assert_eq!(client.stats().malformed, 3);
}

/// Whoever sees our requests, but does not know the password, can end nothing and grant nothing.
#[test]
fn an_answer_that_is_not_signed_changes_nothing() {
    let mut client = with_peer();
    client.allow([192, 0, 2, 66].into());
    let (mut request, now) = (Vec::new(), wigwag_sim::origin());
    client.handle_timeout(now);
    assert!(client.poll_transmit(now, &mut request).is_some());
    let message = Message::decode(&request).unwrap();
    for class in [Class::SuccessResponse, Class::ErrorResponse] {
        for code in [300, 400, 403, 437, 500] {
            let mut out = Vec::new();
            let mut writer = MessageWriter::new(&mut out, class, message.method(), message.transaction());
            if class == Class::ErrorResponse {
                writer = writer.error_code(ErrorCode { code, reason: "No" });
            }
            writer.fingerprint();
            feed(&mut client, address(Z), &out);
        }
    }
    assert_eq!((client.stats().forged, client.poll_event()), (10, None));
    assert!(client.relayed().is_some() && client.is_awaiting(message.transaction()));
}

#[test]
fn an_answer_of_another_method_is_none() {
    let mut client = with_peer();
    client.allow([192, 0, 2, 66].into());
    let (mut request, now) = (Vec::new(), wigwag_sim::origin());
    client.handle_timeout(now);
    assert!(client.poll_transmit(now, &mut request).is_some());
    let id = Message::decode(&request).unwrap().transaction();
    let mut out = Vec::new();
    MessageWriter::new(&mut out, Class::ErrorResponse, Method::new(4).unwrap(), id)
        .error_code(ErrorCode::UNAUTHENTICATED)
        .fingerprint();
    feed(&mut client, address(Z), &out);
    assert_eq!(client.stats().unknown_transaction, 1);
}

#[test]
fn a_packet_that_has_no_room_changes_nothing() {
    let mut client = with_peer();
    let (bound, unbound, v6) = ("192.0.2.7:700", "192.0.2.7:701", "[2001:db8::1]:700");
    for (peer, overhead) in [(bound, 4), (unbound, 36), (v6, 48)] {
        let peer = peer.parse().unwrap();
        for room in 0..9usize {
            let mut out = b"before".to_vec();
            let mut told = None;
            let has_written = client.wrap(peer, overhead + room, &mut out, |limit, out| {
                told = Some(limit);
                out.resize(out.len() + limit, 7);
                limit > 0
            });
            let limit = if overhead == 4 { room } else { room & !3 };
            assert_eq!((told, has_written), (Some(limit), limit > 0), "{peer} {room}");
            assert!(out.len() <= 6 + overhead + room);
            assert_eq!(out.len() > 6, has_written);
        }
        for limit in 0..overhead {
            let mut out = b"before".to_vec();
            assert!(!client.wrap(peer, limit, &mut out, |_, _| unreachable!()));
            assert_eq!(out, b"before");
        }
        for len in [65_535 - overhead + 1, 70_000] {
            let mut packet = vec![7; len];
            assert!(!client.enclose(peer, &mut packet) && packet.is_empty(), "{peer} {len}");
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..200), first in 0u8..80) {
        let mut client = with_peer();
        let mut bytes = bytes;
        if let Some(byte) = bytes.first_mut() {
            *byte = first;
        }
        feed(&mut client, address(Z), &bytes);
        prop_assert!(client.stats().dropped() + client.stats().relayed > 0);
    }

    /// A message of the server's with anything in it.
    #[test]
    fn no_attributes_break_it(
        method in 1u16..12,
        class in 0usize..4,
        attributes in proptest::collection::vec((0u16..0x30, proptest::collection::vec(any::<u8>(), 0..24)), 0..6),
    ) {
        let mut client = client(1, "secret");
        let (mut out, now) = (Vec::new(), wigwag_sim::origin());
        for _ in 0..3 {
            if client.poll_transmit(now, &mut out).is_none() {
                break;
            }
            let id = Message::decode(&out).unwrap().transaction();
            let class = [Class::Request, Class::Indication, Class::SuccessResponse, Class::ErrorResponse][class];
            let method = if method == 11 { Message::decode(&out).unwrap().method() } else { Method::new(method).unwrap() };
            let mut answer = Vec::new();
            let mut writer = MessageWriter::new(&mut answer, class, method, id);
            for (kind, value) in &attributes {
                writer = writer.attribute(AttributeType(*kind), value);
            }
            writer.fingerprint();
            feed(&mut client, address(Z), &answer);
        }
    }
}
