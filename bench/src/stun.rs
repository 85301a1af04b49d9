//! Connectivity checks, beside the crate stun-types.

use crate::Row;
use std::hint::black_box;
use stun_types::message::{Message as PeerMessage, MessageIntegrityCredentials, ShortTermCredentials};
use wigwag_stun::{IntegrityKey, Message, MessageWriter, TransactionId};

const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";

/// Reads a request and checks its integrity.
pub(crate) fn check() -> Row<'static> {
    let key = IntegrityKey::short_term(PASSWORD);
    let mut request = Vec::new();
    MessageWriter::request(&mut request, TransactionId([7; 12]))
        .username("evtj:h6vY")
        .priority(0x6e00_01ff)
        .ice_controlled(7)
        .integrity(&key)
        .fingerprint();
    let theirs = request.clone();
    let credentials = MessageIntegrityCredentials::ShortTerm(ShortTermCredentials::new(PASSWORD.to_owned()));
    Row {
        work: "STUN: a request read and authenticated".into(),
        peer_name: "stun-types",
        ours: Box::new(move || {
            let message = Message::decode(black_box(&request)).expect("our own request");
            assert!(black_box(message.is_authentic(&key)));
        }),
        peer: Box::new(move || {
            let message = PeerMessage::from_bytes(black_box(&theirs)).expect("a request");
            black_box(message.validate_integrity(&credentials).expect("it is authentic"));
        }),
    }
}
