//! DTLS 1.2: the order of messages and the key schedule (RFC 6347 §4.2.4, RFC 5246 §7.3).
//!
//! ```text
//!   Client                                     Server
//!   ClientHello             ──────────►                                    flight 1
//!                           ◄──────────   HelloVerifyRequest                      2
//!   ClientHello             ──────────►                                           3
//!                                         ServerHello
//!                                         Certificate
//!                                         ServerKeyExchange
//!                                         CertificateRequest
//!                           ◄──────────   ServerHelloDone                         4
//!   Certificate
//!   ClientKeyExchange
//!   CertificateVerify
//!   [ChangeCipherSpec]
//!   Finished                ──────────►                                           5
//!                                         [ChangeCipherSpec]
//!                           ◄──────────   Finished                                6
//! ```
//! ChangeCipherSpec is written for peers that wait for it, and not waited for: the epoch of a record says what it says,
//! and more reliably.

pub(crate) mod client;
pub(crate) mod key_schedule;
pub(crate) mod server;

use crate::alert::AlertDescription;
use crate::handshake::expect::{self, Next};
use crate::handshake::fragment::Message;
use crate::handshake::{Failure, Handshake};

/// Keys that are not as long as their cipher's: it cannot be, and is not a reason to panic.
fn no_cipher() -> Failure {
    Failure::refused(AlertDescription::InternalError, "the keys do not fit the cipher")
}

/// What a handshake waits for after the hellos.
#[derive(Debug)]
pub(crate) enum Expect {
    ClientCertificate(server::ExpectCertificate),
    ClientKeyExchange(server::ExpectClientKeyExchange),
    CertificateVerify(server::ExpectCertificateVerify),
    ClientFinished(server::ExpectFinished),
    ServerCertificate(client::ExpectCertificate),
    ServerKeyExchange(client::ExpectServerKeyExchange),
    CertificateRequest(client::ExpectCertificateRequest),
    ServerHelloDone(client::ExpectServerHelloDone),
    ServerFinished(client::ExpectFinished),
}

impl From<Expect> for Next {
    fn from(expect: Expect) -> Self {
        Self::Expect(expect::Expect::Dtls12(expect))
    }
}

impl Expect {
    pub(crate) fn handle(self, message: &Message, handshake: &mut Handshake) -> Result<Next, Failure> {
        match self {
            Self::ClientCertificate(state) => state.handle(message, handshake),
            Self::ClientKeyExchange(state) => state.handle(message, handshake),
            Self::CertificateVerify(state) => state.handle(message, handshake),
            Self::ClientFinished(state) => state.handle(message, handshake),
            Self::ServerCertificate(state) => state.handle(message, handshake),
            Self::ServerKeyExchange(state) => state.handle(message, handshake),
            Self::CertificateRequest(state) => state.handle(message, handshake),
            Self::ServerHelloDone(state) => state.handle(message, handshake),
            Self::ServerFinished(state) => state.handle(message, handshake),
        }
    }
}
