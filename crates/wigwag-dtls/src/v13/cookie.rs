//! The cookie of a HelloRetryRequest, in which a server keeps what it does not keep itself (RFC 9147 §5.1, RFC 8446 §4.2.2).
//!
//! ```text
//!   the group asked for, or 0     2 bytes
//!   Hash(ClientHello1)            as long as the hash
//!   HMAC of both, of the client's address, and of what both hellos say    32 bytes
//! ```

use super::hello::{Selection, unchanging, write_retry};
use crate::codec::Reader;
use crate::handshake::cookie::CookieExchange;
use crate::handshake::first_flight::{Retried, Retry};
use crate::handshake::fragment;
use crate::handshake::transcript::{self, Transcript};
use crate::message::{ClientHello, HandshakeType};
use crate::{Config, Group, HashAlgorithm, Version};

/// What a server does with a ClientHello of 1.3 of somebody who may be anywhere.
#[derive(Debug)]
pub(crate) enum Admission {
    /// Its cookie is right: as if the HelloRetryRequest had been remembered.
    Admitted(Retried, Hellos),
    /// It has none: this is the body of a HelloRetryRequest.
    Retry(Vec<u8>),
}

/// The first ClientHello and the HelloRetryRequest, as the transcript needs them.
#[derive(Debug)]
pub(crate) struct Hellos {
    algorithm: HashAlgorithm,
    hello_hash: Vec<u8>,
    retry: Vec<u8>,
}

impl Hellos {
    pub(crate) fn restore(&self, transcript: &mut Transcript) {
        transcript.restart(self.algorithm, &self.hello_hash);
        transcript.add(&fragment::whole(HandshakeType::SERVER_HELLO, 0, &self.retry));
    }
}

/// `None` for a hello that would be refused, or a cookie that is not ours, or too old: nobody is told so who has not shown
/// where it is.
pub(crate) fn admit(
    exchange: &CookieExchange,
    hello: &ClientHello<'_>,
    body: &[u8],
    config: &Config,
) -> Option<Admission> {
    let (selection, unchanging) = (Selection::new(hello, config).ok()?, unchanging(hello));
    let (cipher_suite, algorithm) = (selection.cipher_suite, selection.cipher_suite.hash());
    let Some(cookie) = selection.cookie else {
        let group = selection.share.is_none().then_some(selection.group);
        let message = fragment::whole(HandshakeType::CLIENT_HELLO, 0, body);
        let mut cookie = group.map_or(0, Group::wire).to_be_bytes().to_vec();
        cookie.extend(transcript::message_hash(algorithm, &message));
        let mac = exchange.mac(&[&cookie, &unchanging]);
        cookie.extend_from_slice(&mac);
        let mut retry = Vec::new();
        write_retry(&Retry { cipher_suite, group }, Some(&cookie), &mut retry);
        return Some(Admission::Retry(retry));
    };
    let (signed, mac) = cookie.split_last_chunk()?;
    if !exchange.verify_mac(&[signed, &unchanging], mac) {
        return None;
    }
    let mut reader = Reader::new(signed);
    let wire = reader.u16().ok()?;
    let hello_hash = reader.take(algorithm.digest_len()).ok()?.to_vec();
    reader.end().ok()?;
    let group = config.groups(Version::Dtls13).find(|group| group.wire() == wire);
    let (retry, mut body) = (Retry { cipher_suite, group }, Vec::new());
    write_retry(&retry, Some(cookie), &mut body);
    Some(Admission::Admitted(Retried { retry, unchanging }, Hellos { algorithm, hello_hash, retry: body }))
}
