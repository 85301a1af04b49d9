//! Bytes that somebody made up (row 17 of docs/security.md). To decode them holds, counts and sends nothing: that an agent counts
//! what does not decode, and goes on, is asserted where there is one, in `wigwag-ice` and in `wigwag`.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use proptest::prelude::*;
use std::net::SocketAddr;
use wigwag_stun::{
    AttributeType, Class, DecodeError, ErrorCode, IntegrityKey, Message, MessageWriter, Method, TransactionId,
};

const ID: TransactionId = TransactionId(*b"transaction.");

fn key() -> IntegrityKey {
    IntegrityKey::short_term("a password of the right length")
}

/// A check as ICE sends it.
fn check() -> Vec<u8> {
    let mut out = Vec::new();
    MessageWriter::request(&mut out, ID)
        .username("abcd:efgh1")
        .priority(77)
        .use_candidate()
        .ice_controlling(0x0123_4567_89ab_cdef)
        .integrity(&key())
        .fingerprint();
    out
}

/// A message with one attribute of these bytes, header and all.
fn raw(attributes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    drop(MessageWriter::request(&mut out, ID));
    out.extend_from_slice(attributes);
    out[2..4].copy_from_slice(&u16::try_from(attributes.len()).unwrap().to_be_bytes());
    out
}

#[test]
fn a_prefix_of_a_message_is_none() {
    let check = check();
    for len in 0..check.len() {
        assert!(Message::decode(&check[..len]).is_err(), "{len} bytes");
    }
}

#[test]
fn more_than_a_message_is_none() {
    let mut check = check();
    check.extend_from_slice(&[0; 4]);
    assert_eq!(Message::decode(&check).unwrap_err(), DecodeError::Length);
}

/// RFC 8489 §5: the length is that of attributes that are padded, also where it is true.
#[test]
fn a_length_that_no_attributes_have_is_that_of_no_message() {
    for more in 1..4 {
        let mut check = check();
        let len = check.len() + more;
        check.resize(len, 0);
        check[2..4].copy_from_slice(&u16::try_from(len - 20).unwrap().to_be_bytes());
        assert_eq!(Message::decode(&check).unwrap_err(), DecodeError::Length, "{more}");
    }
}

#[test]
fn no_bit_can_be_flipped() {
    let check = check();
    // What names the FINGERPRINT may turn it into something to be passed over; all that matters is before it.
    let (covered, checksum) = (check.len() - 8, check.len() - 4);
    for bit in (0..covered * 8).chain(checksum * 8..check.len() * 8) {
        let mut flipped = check.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(Message::decode(&flipped).is_err(), "bit {bit}");
    }
}

/// FINGERPRINT is no secret: whoever forges a message forges it too.
#[test]
fn no_bit_can_be_flipped_with_a_right_fingerprint() {
    let check = check();
    let covered = check.len() - 8;
    for bit in 0..covered * 8 {
        let mut forged = check[..covered].to_vec();
        forged[bit / 8] ^= 1 << (bit % 8);
        let crc = crc32fast::hash(&forged) ^ 0x5354_554e;
        forged.extend_from_slice(&[0x80, 0x28, 0, 4]);
        forged.extend_from_slice(&crc.to_be_bytes());
        let is_believed = Message::decode(&forged).is_ok_and(|message| message.is_authentic(&key()));
        assert!(!is_believed, "bit {bit}");
    }
}

#[test]
fn an_attribute_ends_within_the_message() {
    for length in [1u16, 4, 5, 0x7fff, 0xfffd, 0xffff] {
        let [l0, l1] = length.to_be_bytes();
        let error = Message::decode(&raw(&[0, 6, l0, l1])).unwrap_err();
        assert_eq!(error, DecodeError::Truncated(AttributeType::USERNAME));
    }
    assert!(Message::decode(&raw(&[0, 6, 0, 0])).is_ok());
}

#[test]
fn every_length_of_an_attribute_is_survived() {
    for length in 0..=u16::MAX {
        let [l0, l1] = length.to_be_bytes();
        let _ = Message::decode(&raw(&[0, 6, l0, l1, b'a', b'b', b'c', b'd', 0, 0x25, 0, 0]));
    }
}

#[test]
fn every_type_is_survived() {
    for kind in 0..=u16::MAX {
        let [k0, k1] = kind.to_be_bytes();
        if let Ok(message) = Message::decode(&raw(&[k0, k1, 0, 1, 0xff, 0, 0, 0])) {
            let is_listed = message.unknown_required().eq([AttributeType(kind)]);
            assert_eq!(message.has_unknown_required(), is_listed);
            assert!(!is_listed || kind < 0x8000);
        }
    }
}

/// A network's cost is what Chrome tells in 0xC057.
#[test]
fn attributes_that_may_be_passed_over_are() {
    let message = raw(&[0xC0, 0x57, 0, 4, 0, 1, 0, 10, 0x7f, 0xfe, 0, 0, 0x7f, 0xff, 0, 0]);
    let message = Message::decode(&message).unwrap();
    assert!(message.unknown_required().eq([AttributeType(0x7ffe), AttributeType(0x7fff)]));
    assert_eq!(message.iter().count(), 3);
}

#[test]
fn what_follows_the_integrity_is_ignored() {
    let mut message = Vec::new();
    let _ = MessageWriter::request(&mut message, ID).username("a:b").integrity(&key());
    // USE-CANDIDATE, and something that would have to be understood.
    message.extend_from_slice(&[0, 0x25, 0, 0, 0x7f, 0xff, 0, 0]);
    message[3] += 8;
    let message = Message::decode(&message).unwrap();
    assert!(message.is_authentic(&key()));
    assert!(!message.attributes.use_candidate && !message.has_unknown_required());
    assert_eq!(message.iter().count(), 1);
}

#[test]
fn nothing_follows_the_fingerprint() {
    let mut message = check();
    message.extend_from_slice(&[0, 0x25, 0, 0]);
    message[3] += 4;
    assert!(Message::decode(&message).is_err());

    // Also not if the checksum is right.
    let mut message = Vec::new();
    MessageWriter::request(&mut message, ID).fingerprint();
    message[3] = 12;
    let crc = crc32fast::hash(&message[..20]) ^ 0x5354_554e;
    message[24..28].copy_from_slice(&crc.to_be_bytes());
    message.extend_from_slice(&[0, 0x25, 0, 0]);
    assert_eq!(Message::decode(&message).unwrap_err(), DecodeError::AfterFingerprint);
}

#[test]
fn a_message_without_integrity_is_never_authentic() {
    let mut message = Vec::new();
    MessageWriter::request(&mut message, ID).username("a:b").fingerprint();
    assert!(!Message::decode(&message).unwrap().is_authentic(&key()));
}

#[test]
fn an_integrity_of_another_length_is_malformed() {
    for length in [0u8, 16, 19, 24, 32] {
        let mut attributes = vec![0, 8, 0, length];
        attributes.resize(4 + usize::from(length).next_multiple_of(4), 0);
        let error = Message::decode(&raw(&attributes)).unwrap_err();
        assert_eq!(error, DecodeError::Malformed(AttributeType::MESSAGE_INTEGRITY));
    }
}

#[test]
fn attributes_that_do_not_fit_are_not_written() {
    let mut out = Vec::new();
    drop(
        MessageWriter::request(&mut out, ID)
            .attribute(AttributeType(0x8000), &vec![0; 65_528])
            .attribute(AttributeType(0x8001), &[1; 5])
            .priority(1),
    );
    assert_eq!(Message::decode(&out).unwrap().iter().count(), 1);
}

fn address() -> impl Strategy<Value = SocketAddr> {
    prop_oneof![
        any::<([u8; 4], u16)>().prop_map(|(ip, port)| SocketAddr::from((ip, port))),
        any::<([u8; 16], u16)>().prop_map(|(ip, port)| SocketAddr::from((ip, port))),
    ]
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Message::decode(&bytes);
        let _ = Message::decode(&raw(&bytes[..bytes.len() & !3])).map(|message| message.is_authentic(&key()));
    }

    #[test]
    fn what_is_written_is_read(
        id: [u8; 12], username in "[a-zA-Z0-9+/]{4,20}:[a-zA-Z0-9+/]{4,256}", priority: u32, tie_breaker: u64,
        address in address(), code in 300u16..700, unknown in prop::collection::vec(any::<u16>(), 0..9),
        before in prop::collection::vec(any::<u8>(), 0..9),
    ) {
        let mut out = before.clone();
        MessageWriter::new(&mut out, Class::ErrorResponse, Method::BINDING, TransactionId(id))
            .username(&username)
            .priority(priority)
            .ice_controlled(tie_breaker)
            .xor_mapped_address(address)
            .error_code(ErrorCode { code, reason: "why" })
            .unknown_attributes(unknown.iter().copied().map(AttributeType))
            .integrity(&key())
            .fingerprint();
        prop_assert!(out.starts_with(&before));
        let message = Message::decode(&out[before.len()..]).unwrap();
        prop_assert_eq!(message.class(), Class::ErrorResponse);
        prop_assert_eq!(message.transaction(), TransactionId(id));
        prop_assert_eq!(message.attributes.username, Some(username.as_str()));
        prop_assert_eq!(message.attributes.priority, Some(priority));
        prop_assert_eq!(message.attributes.ice_controlled, Some(tie_breaker));
        prop_assert_eq!(message.attributes.xor_mapped_address, Some(address));
        prop_assert_eq!(message.attributes.error_code, Some(ErrorCode { code, reason: "why" }));
        let listed = message.iter().find(|(kind, _)| *kind == AttributeType::UNKNOWN_ATTRIBUTES).unwrap().1;
        let listed: Vec<u16> = listed.chunks(2).map(|n| u16::from_be_bytes([n[0], n[1]])).collect();
        prop_assert_eq!(listed, unknown);
        prop_assert!(message.is_authentic(&key()) && message.has_fingerprint());
    }
}
