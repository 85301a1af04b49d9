//! STUN messages.

use crate::script::Script;
use wigwag_stun::{
    AttributeType, Class, IntegrityKey, IntegrityKeySha256, Message, MessageWriter, Method, TransactionId, answer,
};

/// Any bytes: what decodes can be read to its end.
pub fn stun_message(data: &[u8]) {
    let Ok(message) = Message::decode(data) else { return };
    // RFC 7983 §5 keeps methods from 0x100 on for others on the same port.
    let is_for_us = message.method().number() < 0x100;
    assert_eq!(Message::is_likely(data), is_for_us, "what decodes looked like a message");
    read(&message);
    for source in [crate::ice_address(1), crate::ice_address(7)] {
        let mut out = Vec::new();
        if answer(data, source, &mut out) {
            assert!(Message::decode(&out).is_ok(), "an answer is a message");
            assert!(out.len() * 10 <= data.len() * 22, "an answer is not much longer than its request");
        }
    }
}

/// Any list of attributes, in a message with right lengths, integrity and fingerprint.
pub fn stun_sealed(data: &[u8]) {
    let key = IntegrityKey::short_term("the password of our peer");
    let script = &mut Script::new(data);
    let mut bytes = Vec::new();
    let class = [Class::Request, Class::Indication, Class::SuccessResponse, Class::ErrorResponse]
        [usize::from(script.byte() % 4)];
    let method = Method::new(u16::from(script.byte()) & 0xfff).unwrap_or(Method::BINDING);
    let mut writer = MessageWriter::new(&mut bytes, class, method, TransactionId([7; 12]));
    let mut closes_early = false;
    while !script.is_over() {
        let kind = AttributeType(script.u16());
        closes_early |= matches!(kind.0, 0x0008 | 0x001c | 0x8028);
        writer = writer.attribute(kind, script.bytes());
    }
    let sha256 = IntegrityKeySha256::short_term("the password of our peer");
    writer.integrity(&key).integrity_sha256(&sha256).fingerprint();
    let Ok(message) = Message::decode(&bytes) else { return };
    assert!(closes_early || message.is_authentic(&key), "sealed with this very key");
    assert!(closes_early || message.is_authentic_sha256(&sha256), "sealed with this very key");
    assert!(!message.is_authentic_sha256(&IntegrityKeySha256::short_term("another")));
    assert!(!message.is_authentic(&IntegrityKey::short_term("another")));
    read(&message);
}

fn read(message: &Message<'_>) {
    let _ = (message.class(), message.method(), message.transaction(), message.has_fingerprint());
    let _ = message.is_authentic(&IntegrityKey::short_term("password"));
    assert_eq!(message.has_unknown_required(), message.unknown_required().next().is_some());
    let bytes: usize = message.iter().map(|(_, value)| value.len()).sum();
    assert!(bytes <= usize::from(u16::MAX));
}
