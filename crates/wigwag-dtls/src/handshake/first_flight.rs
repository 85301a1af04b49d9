//! The first flight, in which both versions are offered; they part with the answer (RFC 9147 §5, RFC 8446 §4.1).
//!
//! ```text
//!   Client                                     Server
//!   ClientHello             ──────────►
//!                           ◄──────────   HelloVerifyRequest (1.2) or HelloRetryRequest (1.3), or neither
//!   ClientHello             ──────────►
//!                           ◄──────────   ServerHello, and what follows it in its version
//! ```

use super::expect::Expect;
use super::fragment::Message;
use super::hello::{self, Offer, Random};
use super::{Failure, Handshake};
use crate::alert::AlertDescription;
use crate::crypto::kx::KeyExchange;
use crate::message::extension::key_share::Share;
use crate::message::extension::supported_versions;
use crate::message::{ClientHello, HandshakeType, HelloVerifyRequest, ServerHello};
use crate::record::epoch::WriteEpoch;
use crate::{CipherSuite, Config, Group, Version, v12, v13};
use std::fmt;

/// How often a server may ask for another cookie; its secret may have changed in between.
const HELLO_VERIFY_REQUESTS_MAX: u32 = 3;

/// A client owes a ClientHello.
pub(crate) fn start(handshake: &mut Handshake) -> Expect {
    let random = handshake.rng.bytes();
    let groups = first_groups(&handshake.config);
    let shares = groups.into_iter().map(|group| (group, KeyExchange::generate(group, &mut handshake.rng))).collect();
    let state = ExpectServerHello { random, verified: 0, shares, retried: None };
    state.send(handshake, &[], None);
    Expect::ServerHello(state)
}

/// Shares for the groups that the server will most likely choose: a wrong guess costs a round trip, each share its bytes.
fn first_groups(config: &Config) -> Vec<Group> {
    if !config.speaks(Version::Dtls13) {
        return Vec::new();
    }
    let first = config.groups(Version::Dtls13).next();
    let classic = config.groups(Version::Dtls13).find(|group| group.is_for(Version::Dtls12));
    first.into_iter().chain(classic.filter(|_| classic != first)).collect()
}

/// What a HelloRetryRequest has settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retry {
    pub(crate) cipher_suite: CipherSuite,
    /// The group of which a share is wanted, if another one was.
    pub(crate) group: Option<Group>,
}

pub(crate) struct ExpectServerHello {
    pub(crate) random: Random,
    /// How many HelloVerifyRequests came.
    verified: u32,
    /// Of DTLS 1.3.
    pub(crate) shares: Vec<(Group, KeyExchange)>,
    pub(crate) retried: Option<Retry>,
}

impl ExpectServerHello {
    fn send(&self, handshake: &mut Handshake, legacy_cookie: &[u8], cookie: Option<&[u8]>) {
        let keys: Vec<_> = self.shares.iter().map(|(group, key)| (group.wire(), key.public_key())).collect();
        let shares: Vec<_> =
            keys.iter().map(|(group, key)| Share { group: *group, key_exchange: key.as_slice() }).collect();
        let offer = Offer { random: self.random, legacy_cookie, cookie, shares: &shares };
        handshake.begin_flight(false);
        handshake.send(HandshakeType::CLIENT_HELLO, |config, out| hello::write_client_hello(&offer, config, out));
    }

    pub(crate) fn handle(self, message: &Message, handshake: &mut Handshake) -> Result<Expect, Failure> {
        if message.message_type() == HandshakeType::HELLO_VERIFY_REQUEST {
            return self.verify(message, handshake);
        }
        let hello = ServerHello::decode(message.expect(HandshakeType::SERVER_HELLO, 0)?)?;
        handshake.write.iter_mut().for_each(WriteEpoch::settle_version);
        let illegal = |why| Failure::refused(AlertDescription::IllegalParameter, why);
        let speaks_13 = handshake.config.speaks(Version::Dtls13);
        match hello.extensions.get(supported_versions::NUMBER, supported_versions::decode_server)? {
            Some(version) if speaks_13 && version == Version::Dtls13.wire() => {
                // RFC 9147 §5.2: "DTLS 1.3-compliant implementations MUST NOT use the HelloVerifyRequest to execute a
                // return-routability check."
                if self.verified > 0 {
                    return Err(illegal("the server asked as one of 1.2 for a cookie, and chose 1.3"));
                }
                v13::client::answer(self, &hello, message, handshake)
            }
            Some(_) if speaks_13 => Err(illegal("the server chose a version not offered")),
            // RFC 8446 §4.1.3: "Upon receiving a message with type server_hello, implementations MUST first examine the Random
            // value and, if it matches this value, process it as described in Section 4.1.4"
            None if speaks_13 && self.retried.is_none() && hello.random == v13::hello::RETRY_RANDOM => {
                Err(v13::hello::missing("a HelloRetryRequest says no version"))
            }
            // Without 1.3, it is an extension that was not offered, which is refused there.
            Some(_) | None if self.retried.is_some() => Err(illegal("the server chose another version than before")),
            Some(_) | None if !handshake.config.speaks(Version::Dtls12) => {
                Err(Failure::refused(AlertDescription::ProtocolVersion, "the server chose a version not offered"))
            }
            Some(_) | None => {
                hello::check_downgrade(&hello.random, &handshake.config)?;
                v12::client::answer(self.random, &hello, message, handshake).map(Expect::Dtls12)
            }
        }
    }

    // RFC 6347 §4.2.1: "The client MUST retransmit the ClientHello with the cookie added."
    fn verify(mut self, message: &Message, handshake: &mut Handshake) -> Result<Expect, Failure> {
        let request = HelloVerifyRequest::decode(message.expect(HandshakeType::HELLO_VERIFY_REQUEST, 0)?)?;
        if !handshake.config.speaks(Version::Dtls12) {
            return Err(Failure::refused(AlertDescription::ProtocolVersion, "the server speaks no version of ours"));
        }
        let is_legal = self.retried.is_none() && self.verified < HELLO_VERIFY_REQUESTS_MAX;
        if !is_legal {
            return Err(Failure::refused(AlertDescription::UnexpectedMessage, "a HelloVerifyRequest is out of order"));
        }
        handshake.transcript.clear();
        self.send(handshake, request.cookie, None);
        self.verified += 1;
        Ok(Expect::ServerHello(self))
    }

    /// The server wants another share, or its cookie back.
    pub(crate) fn retry(
        mut self,
        retry: Retry,
        cookie: Option<&[u8]>,
        handshake: &mut Handshake,
    ) -> Result<Expect, Failure> {
        if let Some(group) = retry.group {
            self.shares = vec![(group, KeyExchange::generate(group, &mut handshake.rng))];
        }
        self.retried = Some(retry);
        self.send(handshake, &[], cookie);
        Ok(Expect::ServerHello(self))
    }
}

impl fmt::Debug for ExpectServerHello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExpectServerHello").field("retried", &self.retried).finish_non_exhaustive()
    }
}

/// A HelloRetryRequest that was sent.
#[derive(Debug)]
pub(crate) struct Retried {
    pub(crate) retry: Retry,
    /// What of the first ClientHello [stays](v13::hello::unchanging) in the second, hashed.
    pub(crate) unchanging: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct ExpectClientHello {
    pub(crate) retried: Option<Retried>,
}

impl ExpectClientHello {
    /// The client is where it says: ICE has shown it, or a cookie.
    pub(crate) fn handle(self, message: &Message, handshake: &mut Handshake) -> Result<Expect, Failure> {
        let hello = ClientHello::decode(message.expect(HandshakeType::CLIENT_HELLO, 0)?)?;
        match (hello::choose_version(&hello, &handshake.config)?, &self.retried) {
            (Version::Dtls13, retried) => v13::server::answer(retried.as_ref(), &hello, message, handshake),
            (Version::Dtls12, None) => v12::server::answer(&hello, message, handshake).map(Expect::Dtls12),
            (Version::Dtls12, Some(_)) => {
                let why = "the client offers other versions than before";
                Err(Failure::refused(AlertDescription::IllegalParameter, why))
            }
        }
    }
}
