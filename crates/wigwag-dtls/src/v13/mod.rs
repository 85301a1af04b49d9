//! DTLS 1.3: the order of messages and the key schedule (RFC 9147 §5.7, RFC 8446 §4).
//!
//! ```text
//!   Client                                     Server
//!   ClientHello             ──────────►
//!                           ◄──────────   HelloRetryRequest, if a share or a cookie is wanted
//!   ClientHello             ──────────►
//!                                         ServerHello
//!                                         {EncryptedExtensions}
//!                                         {CertificateRequest}
//!                                         {Certificate}
//!                                         {CertificateVerify}
//!                           ◄──────────   {Finished}
//!   {Certificate}
//!   {CertificateVerify}
//!   {Finished}              ──────────►
//!                           ◄──────────   [ACK]
//! ```
//! What stands in braces is protected in epoch 2, what stands in brackets in epoch 3.

pub(crate) mod ack;
pub(crate) mod client;
pub(crate) mod cookie;
pub(crate) mod hello;
pub(crate) mod key_schedule;
pub(crate) mod key_update;
pub(crate) mod server;

use crate::Role;
use crate::alert::AlertDescription;
use crate::handshake::expect::{self, Next};
use crate::handshake::fragment::Message;
use crate::handshake::hello::Random;
use crate::handshake::{Failure, Handshake};
use crate::record::epoch::WriteEpoch;
use crate::record::unified::{Keys, Reader};
use crate::{CipherSuite, HashAlgorithm};
use key_schedule::{ApplicationSecrets, HandshakeSecrets, TrafficSecret};
pub(crate) use key_update::Established;

/// RFC 9147 §6.1: "Epoch value (2) is used for messages protected using keys derived from
/// [sender]_handshake_traffic_secret."
pub(crate) const HANDSHAKE_EPOCH: u16 = 2;
/// RFC 9147 §6.1: "Epoch value (3) is used for payloads protected using keys derived from the initial
/// [sender]_application_traffic_secret_0."
pub(crate) const APPLICATION_EPOCH: u16 = 3;

/// Keys that are not as long as their cipher's: it cannot be, and is not a reason to panic.
fn keys(secret: &TrafficSecret) -> Result<Keys, Failure> {
    secret.keys().ok_or(Failure::refused(AlertDescription::InternalError, "the keys do not fit the cipher"))
}

/// What a handshake waits for after the hellos.
#[derive(Debug)]
pub(crate) enum Expect {
    EncryptedExtensions(client::ExpectEncryptedExtensions),
    CertificateRequest(client::ExpectCertificateRequest),
    ServerCertificate(client::ExpectCertificate),
    ServerCertificateVerify(client::ExpectCertificateVerify),
    ServerFinished(client::ExpectFinished),
    ClientCertificate(server::ExpectCertificate),
    ClientCertificateVerify(server::ExpectCertificateVerify),
    ClientFinished(server::ExpectFinished),
}

impl From<Expect> for Next {
    fn from(expect: Expect) -> Self {
        Self::Expect(expect::Expect::Dtls13(expect))
    }
}

impl Expect {
    pub(crate) fn handle(self, message: &Message, handshake: &mut Handshake) -> Result<Next, Failure> {
        match self {
            Self::EncryptedExtensions(state) => state.handle(message, handshake),
            Self::CertificateRequest(state) => state.handle(message, handshake),
            Self::ServerCertificate(state) => state.handle(message, handshake),
            Self::ServerCertificateVerify(state) => state.handle(message, handshake),
            Self::ServerFinished(state) => state.handle(message, handshake),
            Self::ClientCertificate(state) => state.handle(message, handshake),
            Self::ClientCertificateVerify(state) => state.handle(message, handshake),
            Self::ClientFinished(state) => state.handle(message, handshake),
        }
    }
}

/// What the hellos have settled.
#[derive(Debug)]
pub(crate) struct Hellos {
    cipher_suite: CipherSuite,
    client_random: Random,
    secrets: Box<HandshakeSecrets>,
}

impl Hellos {
    const fn hash(&self) -> HashAlgorithm {
        self.cipher_suite.hash()
    }

    /// After the ServerHello: epoch 2 begins in both directions, and nothing without protection counts any more.
    fn new(
        cipher_suite: CipherSuite,
        client_random: Random,
        shared: &[u8],
        handshake: &mut Handshake,
    ) -> Result<Self, Failure> {
        let secrets = HandshakeSecrets::new(cipher_suite, shared, &handshake.transcript.hash(cipher_suite.hash()));
        handshake.log_key(|| secrets.client.key_log_line("CLIENT_HANDSHAKE_TRAFFIC_SECRET", &client_random));
        handshake.log_key(|| secrets.server.key_log_line("SERVER_HANDSHAKE_TRAFFIC_SECRET", &client_random));
        let role = handshake.config.role;
        handshake.write.push(WriteEpoch::dtls13(HANDSHAKE_EPOCH, keys(secrets.of(role))?));
        handshake.readers.push(Reader::new(HANDSHAKE_EPOCH, keys(secrets.of(role.other()))?));
        handshake.received.require(HANDSHAKE_EPOCH);
        Ok(Self { cipher_suite, client_random, secrets: Box::new(secrets) })
    }

    /// After the server's Finished.
    fn application(&self, handshake: &mut Handshake) -> ApplicationSecrets {
        let secrets = self.secrets.application(&handshake.transcript.hash(self.hash()));
        let random = &self.client_random;
        handshake.log_key(|| secrets.client.key_log_line("CLIENT_TRAFFIC_SECRET_0", random));
        handshake.log_key(|| secrets.server.key_log_line("SERVER_TRAFFIC_SECRET_0", random));
        handshake.log_key(|| secrets.exporter.key_log_line(random));
        secrets
    }
}

/// What CertificateVerify signs.
///
/// RFC 8446 §4.4.3: "A string that consists of octet 32 (0x20) repeated 64 times; The context string; A single 0 byte which
/// serves as the separator; The content to be signed", which is the transcript's hash.
fn signed_content(signer: Role, transcript_hash: &[u8]) -> Vec<u8> {
    let context: &[u8] = match signer {
        Role::Client => b"TLS 1.3, client CertificateVerify",
        Role::Server => b"TLS 1.3, server CertificateVerify",
    };
    [&[0x20; 64], context, &[0], transcript_hash].concat()
}

#[cfg(test)]
mod tests;
