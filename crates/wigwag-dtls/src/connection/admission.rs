//! Who may begin a handshake: with a cookie exchange, who has shown where it is (RFC 6347 §4.2.1, RFC 9147 §5.1).

use super::{Connection, State, VerifyRequest};
use crate::Version;
use crate::handshake::expect::Expect;
use crate::handshake::first_flight::ExpectClientHello;
use crate::handshake::fragment::Fragment;
use crate::handshake::hello;
use crate::message::{ClientHello, HandshakeType, HelloVerifyRequest};
use crate::record::plaintext::RecordNumber;
use crate::v13::cookie::{self, Admission};
use std::time::Instant;

/// How many ClientHellos may have come before the one that brings its cookie.
const MESSAGE_SEQ_MAX: u16 = 16;

impl Connection {
    /// Whether a handshake may go on, or begin. A client of whom a cookie is asked is told which, and forgotten.
    pub(super) fn admits(&mut self, number: RecordNumber, fragment: &Fragment<'_>, now: Instant) -> bool {
        if !self.awaits_hello() || self.handshake.config.cookie_exchange.is_none() {
            return true;
        }
        // Numbers after which there would not be enough for a handshake are nobody's who has just begun.
        let begins = fragment.message_type == HandshakeType::CLIENT_HELLO
            && fragment.message_seq <= MESSAGE_SEQ_MAX
            && number.sequence <= RecordNumber::SEQUENCE_MAX / 2;
        if !begins {
            self.stats.malformed_fragments += 1;
            return false;
        }
        if fragment.is_whole() {
            return self.admits_hello(number, fragment);
        }
        self.gather_hello(number, fragment, now);
        false
    }

    /// Of a hello in several fragments, what has come of it is held; no more than of any other. With a share of a post-quantum
    /// group, it is longer than a datagram.
    fn gather_hello(&mut self, number: RecordNumber, fragment: &Fragment<'_>, now: Instant) {
        let received = &mut self.handshake.received;
        if received.next() != u32::from(fragment.message_seq) {
            received.resume(fragment.message_seq);
        }
        if received.insert(number.epoch, fragment).is_err() {
            self.stats.contradicting_fragments += 1;
        }
        if let Some(message) = received.pop() {
            // Whether it comes again, or another after it, it is the first.
            received.resume(fragment.message_seq);
            let hello = message.as_fragment();
            if self.admits_hello(number, &hello) {
                self.handle_fragment(number, &hello, now);
            }
        }
    }

    fn admits_hello(&mut self, number: RecordNumber, fragment: &Fragment<'_>) -> bool {
        let handshake = &mut self.handshake;
        let Some(exchange) = &handshake.config.cookie_exchange else { return true };
        let (message_seq, sequence) = (fragment.message_seq, number.sequence);
        let Ok(hello) = ClientHello::decode(fragment.bytes) else {
            self.stats.malformed_fragments += 1;
            return false;
        };
        let request = |message_type, body| Some(VerifyRequest { message_type, body, message_seq, sequence });
        // What is not spoken is refused when it is known who asks for it.
        self.verify_request = match hello::choose_version(&hello, &handshake.config) {
            Ok(Version::Dtls13) => match cookie::admit(exchange, &hello, fragment.bytes, &handshake.config) {
                Some(Admission::Retry(body)) => request(HandshakeType::SERVER_HELLO, body),
                Some(Admission::Admitted(retried, hellos)) => {
                    hellos.restore(&mut handshake.transcript);
                    let expect = ExpectClientHello { retried: Some(retried) };
                    self.state = State::Handshaking(Expect::ClientHello(expect));
                    None
                }
                None => {
                    self.stats.malformed_fragments += 1;
                    return false;
                }
            },
            Ok(Version::Dtls12) | Err(_) if exchange.verify(&hello) => None,
            Ok(Version::Dtls12) | Err(_) => {
                let mut body = Vec::new();
                HelloVerifyRequest { cookie: &exchange.cookie(&hello) }.encode(&mut body);
                request(HandshakeType::HELLO_VERIFY_REQUEST, body)
            }
        };
        let is_verified = self.verify_request.is_none();
        if is_verified {
            self.handshake.resume(message_seq, sequence);
        }
        is_verified
    }
}
