//! The server's handshake.

use super::Expect;
use super::key_schedule::{self, Hellos};
use crate::alert::AlertDescription;
use crate::codec::Numbers;
use crate::crypto::kx::KeyExchange;
use crate::crypto::signature::VerifyingKey;
use crate::crypto::{self, x509};
use crate::handshake::expect::{Next, Secrets};
use crate::handshake::fragment::Message;
use crate::handshake::hello::{self, Random, Selection};
use crate::handshake::{Failure, Handshake};
use crate::message::certificate_request::{ECDSA_SIGN, RSA_SIGN};
use crate::message::{
    Certificate, CertificateRequest, CertificateVerify, ClientHello, ClientKeyExchange, HandshakeType,
    ServerKeyExchange,
};
use crate::record::epoch::{ReadEpoch, WriteEpoch};
use crate::{ClientAuthentication, Role, Version};

pub(crate) fn unsupported_certificate() -> Failure {
    Failure::refused(AlertDescription::UnsupportedCertificate, "the certificate has no key that we verify with")
}

pub(crate) fn bad_key_share() -> Failure {
    Failure::refused(AlertDescription::IllegalParameter, "the key share is not a point of its curve")
}

pub(crate) fn wrong_finished() -> Failure {
    Failure::refused(AlertDescription::DecryptError, "the two sides have not seen the same handshake")
}

/// Owes the whole flight 4. The client is where it says: ICE has shown it, or a cookie.
pub(crate) fn answer(hello: &ClientHello<'_>, message: &Message, handshake: &mut Handshake) -> Result<Expect, Failure> {
    let selection = Selection::new(hello, &handshake.config)?;
    handshake.transcript.add(message.bytes());
    handshake.transcript.become_dtls12(selection.cipher_suite.hash());
    handshake.flight.become_dtls12();
    handshake.negotiated.cipher_suite = Some(selection.cipher_suite);
    handshake.negotiated.group = Some(selection.group);
    handshake.negotiated.srtp_profile = selection.srtp_profile;
    let (client_random, server_random): (Random, Random) = (hello.random, server_random(handshake));
    let hellos = Hellos { cipher_suite: selection.cipher_suite, client_random, server_random };
    let share = KeyExchange::generate(selection.group, &mut handshake.rng);

    handshake.begin_flight(false);
    handshake.send(HandshakeType::SERVER_HELLO, |_, out| selection.write_server_hello(server_random, out));
    handshake.send(HandshakeType::CERTIFICATE, |config, out| {
        Certificate { chain: config.certificate.chain().collect() }.encode(out);
    });
    let (group, public_key) = (selection.group.wire(), share.public_key());
    let signed = ServerKeyExchange::signed(&client_random, &server_random, group, &public_key);
    let scheme = selection.signature_scheme;
    let signature = handshake.sign(scheme, &signed)?;
    handshake.send(HandshakeType::SERVER_KEY_EXCHANGE, |_, out| {
        ServerKeyExchange { group, public_key: &public_key, scheme: scheme.wire(), signature: &signature }.encode(out);
    });
    if handshake.config.client_authentication != ClientAuthentication::None {
        request_certificate(handshake)?;
    }
    handshake.send(HandshakeType::SERVER_HELLO_DONE, |_, _| {});
    Ok(match handshake.config.client_authentication {
        ClientAuthentication::None => {
            Expect::ClientKeyExchange(ExpectClientKeyExchange { hellos, share, client_key: None })
        }
        ClientAuthentication::Required | ClientAuthentication::Requested => {
            Expect::ClientCertificate(ExpectCertificate { hellos, share })
        }
    })
}

/// With a mark in it if we could have spoken 1.3.
fn server_random(handshake: &mut Handshake) -> Random {
    let mut random: Random = handshake.rng.bytes();
    if handshake.config.speaks(Version::Dtls13) {
        random.iter_mut().rev().zip(hello::DOWNGRADE.iter().rev()).for_each(|(to, from)| *to = *from);
    }
    random
}

fn request_certificate(handshake: &mut Handshake) -> Result<(), Failure> {
    let schemes = &handshake.config.signature_schemes;
    let schemes: Vec<u8> = schemes.iter().flat_map(|scheme| scheme.wire().to_be_bytes()).collect();
    let signature_algorithms = Numbers::new(&schemes)?;
    let request = CertificateRequest { certificate_types: &[ECDSA_SIGN, RSA_SIGN], signature_algorithms };
    handshake.send(HandshakeType::CERTIFICATE_REQUEST, |_, out| request.encode(out));
    Ok(())
}

pub(crate) struct ExpectCertificate {
    hellos: Hellos,
    share: KeyExchange,
}

impl ExpectCertificate {
    pub(super) fn handle(self, message: &Message, handshake: &mut Handshake) -> Result<Next, Failure> {
        let certificate = Certificate::decode(message.expect(HandshakeType::CERTIFICATE, 0)?)?;
        let client_key = match (&*certificate.chain, handshake.config.client_authentication) {
            ([leaf, intermediates @ ..], _) => {
                handshake.authenticate(leaf, intermediates)?;
                Some(x509::public_key(leaf).map_err(|_| unsupported_certificate())?)
            }
            ([], ClientAuthentication::Requested) => None,
            ([], ClientAuthentication::Required | ClientAuthentication::None) => {
                return Err(Failure::refused(AlertDescription::HandshakeFailure, "the client has no certificate"));
            }
        };
        handshake.transcript.add(message.bytes());
        let Self { hellos, share } = self;
        Ok(Expect::ClientKeyExchange(ExpectClientKeyExchange { hellos, share, client_key }).into())
    }
}

pub(crate) struct ExpectClientKeyExchange {
    hellos: Hellos,
    share: KeyExchange,
    /// None if the client is anybody.
    client_key: Option<VerifyingKey>,
}

impl ExpectClientKeyExchange {
    pub(super) fn handle(self, message: &Message, handshake: &mut Handshake) -> Result<Next, Failure> {
        let exchange = ClientKeyExchange::decode(message.expect(HandshakeType::CLIENT_KEY_EXCHANGE, 0)?)?;
        let secret = self.share.agree(exchange.public_key).ok_or_else(bad_key_share)?;
        handshake.transcript.add(message.bytes());
        let session_hash = handshake.transcript.hash(self.hellos.cipher_suite.hash());
        let secrets = Box::new(key_schedule::Secrets::new(&secret, &session_hash, self.hellos));
        handshake.log_key(|| secrets.key_log_line());
        let theirs = secrets.aead(Role::Client).ok_or_else(super::no_cipher)?;
        handshake.read = Some(ReadEpoch::protected(1, theirs));
        Ok(match self.client_key {
            Some(client_key) => Expect::CertificateVerify(ExpectCertificateVerify { secrets, client_key }),
            None => {
                handshake.received.require(1);
                Expect::ClientFinished(ExpectFinished { secrets })
            }
        }
        .into())
    }
}

#[derive(Debug)]
pub(crate) struct ExpectCertificateVerify {
    secrets: Box<key_schedule::Secrets>,
    client_key: VerifyingKey,
}

impl ExpectCertificateVerify {
    /// A certificate is public: only this shows that the client is the one whom it names (CVE-2022-29222).
    pub(super) fn handle(self, message: &Message, handshake: &mut Handshake) -> Result<Next, Failure> {
        let verify = CertificateVerify::decode(message.expect(HandshakeType::CERTIFICATE_VERIFY, 0)?)?;
        let scheme = handshake.accept(Version::Dtls12, &self.client_key, verify.scheme)?;
        if !handshake.verify_messages(&self.client_key, scheme, verify.signature) {
            return Err(Failure::refused(AlertDescription::DecryptError, "the client's signature is wrong"));
        }
        handshake.transcript.add(message.bytes());
        handshake.received.require(1);
        Ok(Expect::ClientFinished(ExpectFinished { secrets: self.secrets }).into())
    }
}

#[derive(Debug)]
pub(crate) struct ExpectFinished {
    secrets: Box<key_schedule::Secrets>,
}

impl ExpectFinished {
    /// Owes flight 6, the last.
    pub(super) fn handle(self, message: &Message, handshake: &mut Handshake) -> Result<Next, Failure> {
        let verify_data = message.expect(HandshakeType::FINISHED, 1)?;
        let expected = self.secrets.verify_data(Role::Client, &handshake.transcript);
        if !crypto::equal(verify_data, &expected) {
            return Err(wrong_finished());
        }
        handshake.transcript.add(message.bytes());
        handshake.begin_flight(true);
        handshake.send_change_cipher_spec();
        let ours = self.secrets.aead(Role::Server).ok_or_else(super::no_cipher)?;
        handshake.write.push(WriteEpoch::protected(1, ours));
        let verify_data = self.secrets.verify_data(Role::Server, &handshake.transcript);
        handshake.send(HandshakeType::FINISHED, |_, out| out.extend_from_slice(&verify_data));
        Ok(Next::Complete(Secrets::Dtls12(self.secrets)))
    }
}

macro_rules! debug {
    ($($state:ident),*) => {$(
        impl std::fmt::Debug for $state {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(stringify!($state))
            }
        }
    )*};
}
debug!(ExpectCertificate, ExpectClientKeyExchange);
