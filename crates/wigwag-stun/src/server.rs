//! Answers Binding requests, without any memory of them (RFC 8489 §6.3.1).

use crate::{Class, ErrorCode, Message, MessageWriter, Method};
use std::net::SocketAddr;

/// Answers a datagram that came from `source`, if it is a Binding request: replaces what is in `out`, which goes back the
/// way it came, and says `true`. All else is left unanswered, and `out` as it is.
///
/// Nothing is remembered, and whoever asks in another's name gains little: an answer is at most 1.6 times as long as its
/// request over IPv4 and 2.2 times over IPv6. A request that is authenticated is answered without authentication: this is
/// for public servers.
///
/// ```
/// let request = [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
/// let mut out = Vec::new();
/// assert!(wigwag_stun::answer(&request, "192.0.2.1:5000".parse()?, &mut out));
/// let answer = wigwag_stun::Message::decode(&out)?;
/// assert_eq!(answer.attributes.xor_mapped_address, Some("192.0.2.1:5000".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn answer(request: &[u8], source: SocketAddr, out: &mut Vec<u8>) -> bool {
    let Ok(request) = Message::decode(request) else { return false };
    if (request.class(), request.method()) != (Class::Request, Method::BINDING) || source.port() == 0 {
        return false;
    }
    out.clear();
    let writer = if request.has_unknown_required() {
        // RFC 8489 §6.3.1: "If the request contains one or more unknown comprehension-required attributes, the server
        // replies with an error response with an error code of 420 (Unknown Attribute) and includes an
        // UNKNOWN-ATTRIBUTES attribute in the response that lists the unknown comprehension-required attributes."
        // The reason is left out, or the answer would be much longer than the request.
        let error = ErrorCode { reason: "", ..ErrorCode::UNKNOWN_ATTRIBUTE };
        MessageWriter::error(out, request.transaction(), error).unknown_attributes(request.unknown_required())
    } else {
        // RFC 8489 §6.3.1.1: "When forming the success response, the server adds an XOR-MAPPED-ADDRESS attribute to the
        // response; this attribute contains the source transport address of the request message."
        MessageWriter::success(out, request.transaction(), source)
    };
    if request.has_fingerprint() {
        writer.fingerprint();
    }
    true
}
