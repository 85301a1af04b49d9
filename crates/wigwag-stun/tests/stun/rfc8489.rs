//! The sample message of RFC 8489 appendix B.1, as erratum 6268 corrects it, typed in from its text.

use wigwag_stun::{
    AttributeType, DecodeError, IntegrityKey, IntegrityKeySha256, Message, MessageWriter, TransactionId,
};

#[rustfmt::skip]
const REQUEST: [u8; 164] = [
    0x00, 0x01, 0x00, 0x90, 0x21, 0x12, 0xa4, 0x42, 0x78, 0xad, 0x34, 0x33, 0xc6, 0xad, 0x72, 0xc0, 0x29, 0xda, 0x41, 0x2e,
    0x00, 0x1e, 0x00, 0x20, 0x4a, 0x3c, 0xf3, 0x8f, 0xef, 0x69, 0x92, 0xbd, 0xa9, 0x52, 0xc6, 0x78, 0x04, 0x17, 0xda, 0x0f,
    0x24, 0x81, 0x94, 0x15, 0x56, 0x9e, 0x60, 0xb2, 0x05, 0xc4, 0x6e, 0x41, 0x40, 0x7f, 0x17, 0x04,
    0x00, 0x15, 0x00, 0x29, 0x6f, 0x62, 0x4d, 0x61, 0x74, 0x4a, 0x6f, 0x73, 0x32, 0x41, 0x41, 0x41, 0x43, 0x66, 0x2f, 0x2f,
    0x34, 0x39, 0x39, 0x6b, 0x39, 0x35, 0x34, 0x64, 0x36, 0x4f, 0x4c, 0x33, 0x34, 0x6f, 0x4c, 0x39, 0x46, 0x53, 0x54, 0x76,
    0x79, 0x36, 0x34, 0x73, 0x41, 0x00, 0x00, 0x00,
    0x00, 0x14, 0x00, 0x0b, 0x65, 0x78, 0x61, 0x6d, 0x70, 0x6c, 0x65, 0x2e, 0x6f, 0x72, 0x67, 0x00,
    0x00, 0x1d, 0x00, 0x04, 0x00, 0x02, 0x00, 0x00,
    0x00, 0x1c, 0x00, 0x20, 0xb5, 0xc7, 0xbf, 0x00, 0x5b, 0x6c, 0x52, 0xa2, 0x1c, 0x51, 0xc5, 0xe8, 0x92, 0xf8, 0x19, 0x24,
    0x13, 0x62, 0x96, 0xcb, 0x92, 0x7c, 0x43, 0x14, 0x93, 0x09, 0x27, 0x8c, 0xc6, 0x51, 0x8e, 0x65,
];

fn key() -> IntegrityKeySha256 {
    IntegrityKeySha256::long_term("マトリックス", "example.org", "TheMatrIX")
}

#[test]
fn the_sample_is_authentic_and_written_the_same() {
    let message = Message::decode(&REQUEST).unwrap();
    assert!(message.has_integrity_sha256() && !message.has_integrity());
    assert!(message.is_authentic_sha256(&key()));
    assert!(!message.is_authentic_sha256(&IntegrityKeySha256::short_term("TheMatrIX")));
    assert_eq!(message.attributes.realm, Some("example.org"));
    assert_eq!(message.attributes.nonce, Some(b"obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA".as_slice()));
    let mut out = Vec::new();
    let mut writer = MessageWriter::request(&mut out, message.transaction());
    for (kind, value) in message.iter() {
        writer = writer.attribute(kind, value);
    }
    writer.integrity_sha256(&key());
    assert_eq!(out, REQUEST);
}

#[test]
fn the_sample_hides_its_username() {
    let message = Message::decode(&REQUEST).unwrap();
    let (_, hash) = message.iter().find(|(kind, _)| *kind == AttributeType(0x001e)).unwrap();
    assert_eq!(hash, wigwag_stun::userhash("マトリックス", "example.org"));
}

#[test]
fn a_value_lies_where_the_message_says() {
    let message = Message::decode(&REQUEST).unwrap();
    for (kind, value) in message.iter() {
        let position = message.position(kind).unwrap();
        assert_eq!(&REQUEST[position], value, "{kind}");
    }
    assert_eq!(message.position(AttributeType::MESSAGE_INTEGRITY_SHA256), None, "it is not among what is told");
    assert_eq!(message.position(AttributeType::USERNAME), None);
}

#[test]
fn a_value_is_written_in_place_or_not_at_all() {
    for len in 0..10usize {
        let value: Vec<u8> = (1..).take(len).collect();
        let (mut in_place, mut copied) = (b"before".to_vec(), b"before".to_vec());
        let write = |out: &mut Vec<u8>| {
            out.extend_from_slice(&value);
            true
        };
        let id = TransactionId([1; 12]);
        let writer = MessageWriter::request(&mut in_place, id).priority(7);
        writer.attribute_with(AttributeType(0x13), write).unwrap().fingerprint();
        MessageWriter::request(&mut copied, id).priority(7).attribute(AttributeType(0x13), &value).fingerprint();
        assert_eq!(in_place, copied);
    }
    for (len, has_written) in [(5, false), (65_535, true), (65_536, true), (100_000, true)] {
        let mut out = b"before".to_vec();
        let write = |out: &mut Vec<u8>| {
            out.resize(out.len() + len, 1);
            has_written
        };
        let writer = MessageWriter::request(&mut out, TransactionId([1; 12])).priority(7);
        assert!(writer.attribute_with(AttributeType(0x13), write).is_none(), "{len}");
        let message = Message::decode(&out[6..]).unwrap();
        assert_eq!((message.attributes.priority, message.iter().count()), (Some(7), 1));
    }
}

#[test]
fn no_flipped_bit_is_authentic() {
    for bit in 0..REQUEST.len() * 8 {
        let mut flipped = REQUEST;
        flipped[bit / 8] ^= 1 << (bit % 8);
        let is_authentic = Message::decode(&flipped).is_ok_and(|message| message.is_authentic_sha256(&key()));
        assert!(!is_authentic, "bit {bit}");
    }
}

fn tagged(len: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let tag = &REQUEST[132..][..len];
    MessageWriter::request(&mut out, TransactionId([1; 12]))
        .attribute(AttributeType::MESSAGE_INTEGRITY_SHA256, tag)
        .fingerprint();
    out
}

/// §14.6
#[test]
fn a_truncated_tag_is_read_and_never_authentic() {
    for len in 0..=32 {
        let bytes = tagged(len);
        let decoded = Message::decode(&bytes);
        if len >= 16 && len % 4 == 0 {
            assert!(!decoded.unwrap().is_authentic_sha256(&key()));
        } else {
            assert_eq!(decoded.err(), Some(DecodeError::Malformed(AttributeType::MESSAGE_INTEGRITY_SHA256)), "{len}");
        }
    }
    // Nor is the true beginning of a tag.
    let mut short = REQUEST[..REQUEST.len() - 16].to_vec();
    (short[3], short[131]) = (0x80, 0x10);
    assert!(!Message::decode(&short).unwrap().is_authentic_sha256(&key()));
}

#[test]
fn both_tags_may_stand_in_one_message_and_nothing_behind_them_counts() {
    let sha1 = IntegrityKey::short_term("password");
    let sha256 = IntegrityKeySha256::short_term("password");
    let id = TransactionId([1; 12]);
    let mut out = Vec::new();
    MessageWriter::request(&mut out, id).username("a:b").integrity(&sha1).integrity_sha256(&sha256).fingerprint();
    let message = Message::decode(&out).unwrap();
    assert!(message.is_authentic(&sha1) && message.is_authentic_sha256(&sha256) && message.has_fingerprint());
    assert_eq!(message.iter().count(), 1);

    let mut out = Vec::new();
    MessageWriter::request(&mut out, id).username("a:b").integrity_sha256(&sha256);
    for (kind, value) in [(0x0024u16, [0u8, 0, 0, 1]), (0x7777, [0; 4])] {
        out.extend_from_slice(&kind.to_be_bytes());
        out.extend_from_slice(&[0, 4]);
        out.extend_from_slice(&value);
    }
    let length = u16::try_from(out.len() - 20).unwrap();
    out[2..4].copy_from_slice(&length.to_be_bytes());
    let message = Message::decode(&out).unwrap();
    assert!(message.is_authentic_sha256(&sha256));
    assert_eq!((message.attributes.priority, message.has_unknown_required()), (None, false));
}
