//! What a STUN message tells to somebody who has no key: enough to find the agent it is for.

use wigwag_stun::{Class, Message, TransactionId};

/// Whom a message concerns. None of it is authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peek<'a> {
    /// A request for the agent with this local ufrag.
    Request {
        /// What stands before the colon of USERNAME.
        ufrag: &'a str,
        /// The id of the transaction.
        transaction: TransactionId,
    },
    /// A response for whoever sent the request.
    Response {
        /// The id of the transaction.
        transaction: TransactionId,
    },
    /// An indication: only its path says whom it concerns.
    Indication,
}

/// Reads a datagram as far as routing needs it; `None` if it is no STUN message, or a request for nobody.
pub fn peek(payload: &[u8]) -> Option<Peek<'_>> {
    let message = Message::decode(payload).ok()?;
    let transaction = message.transaction();
    match message.class() {
        Class::Request => {
            let (ufrag, _) = message.attributes.username?.split_once(':')?;
            Some(Peek::Request { ufrag, transaction })
        }
        Class::SuccessResponse | Class::ErrorResponse => Some(Peek::Response { transaction }),
        Class::Indication => Some(Peek::Indication),
    }
}

/// The id of the request that a datagram of our own is, if it is one: its answer names nothing else.
pub fn request_transaction(payload: &[u8]) -> Option<TransactionId> {
    let message = Message::decode(payload).ok()?;
    (message.class() == Class::Request).then(|| message.transaction())
}

#[cfg(test)]
mod tests {
    use super::*;
    use wigwag_stun::{ErrorCode, MessageWriter, Method};

    const ID: TransactionId = TransactionId([7; 12]);

    #[test]
    fn requests_go_by_ufrag_and_responses_by_transaction() {
        let mut out = Vec::new();
        MessageWriter::request(&mut out, ID).username("local:remote").fingerprint();
        assert_eq!(peek(&out), Some(Peek::Request { ufrag: "local", transaction: ID }));
        out.clear();
        MessageWriter::error(&mut out, ID, ErrorCode::ROLE_CONFLICT).fingerprint();
        assert_eq!(peek(&out), Some(Peek::Response { transaction: ID }));
        out.clear();
        MessageWriter::new(&mut out, Class::Indication, Method::BINDING, ID).fingerprint();
        assert_eq!(peek(&out), Some(Peek::Indication));
    }

    #[test]
    fn a_request_for_nobody_is_not_routed() {
        for username in [None, Some("local"), Some("")] {
            let mut out = Vec::new();
            let writer = MessageWriter::request(&mut out, ID);
            match username {
                Some(username) => writer.username(username).fingerprint(),
                None => writer.fingerprint(),
            }
            assert_eq!(peek(&out), None);
        }
        assert_eq!(peek(&[0x16, 0xfe, 0xfd]), None);
    }
}
