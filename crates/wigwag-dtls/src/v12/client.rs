//! The client's handshake.

use super::Expect;
use super::key_schedule::{self, Hellos};
use crate::alert::AlertDescription;
use crate::crypto::kx::KeyExchange;
use crate::crypto::signature::{SignatureScheme, VerifyingKey};
use crate::crypto::{self, x509};
use crate::handshake::expect::{Next, Secrets};
use crate::handshake::fragment::Message;
use crate::handshake::hello::{Answer, Random};
use crate::handshake::{Failure, Handshake};
use crate::message::certificate_request::{ECDSA_SIGN, RSA_SIGN};
use crate::message::{
    Certificate, CertificateRequest, CertificateVerify, ClientKeyExchange, HandshakeType, ServerHello,
    ServerKeyExchange,
};
use crate::record::epoch::{ReadEpoch, WriteEpoch};
use crate::{Group, Role, Version};

/// The server has chosen 1.2.
pub(crate) fn answer(
    client_random: Random,
    hello: &ServerHello<'_>,
    message: &Message,
    handshake: &mut Handshake,
) -> Result<Expect, Failure> {
    let answer = Answer::new(hello, &handshake.config)?;
    // Nobody acknowledges here; what looked like 1.3 was somebody else's.
    handshake.acks.clear();
    handshake.transcript.add(message.bytes());
    handshake.transcript.become_dtls12(answer.cipher_suite.hash());
    handshake.flight.become_dtls12();
    handshake.negotiated.cipher_suite = Some(answer.cipher_suite);
    handshake.negotiated.srtp_profile = answer.srtp_profile;
    let hellos = Hellos { cipher_suite: answer.cipher_suite, client_random, server_random: answer.random };
    Ok(Expect::ServerCertificate(ExpectCertificate { hellos }))
}

#[derive(Debug)]
pub(crate) struct ExpectCertificate {
    hellos: Hellos,
}

impl ExpectCertificate {
    pub(super) fn handle(self, message: &Message, handshake: &mut Handshake) -> Result<Next, Failure> {
        let certificate = Certificate::decode(message.expect(HandshakeType::CERTIFICATE, 0)?)?;
        let [leaf, intermediates @ ..] = &*certificate.chain else {
            return Err(Failure::refused(AlertDescription::DecodeError, "the server has no certificate"));
        };
        handshake.authenticate(leaf, intermediates)?;
        let server_key = x509::public_key(leaf).map_err(|_| super::server::unsupported_certificate())?;
        if server_key.is_rsa() != self.hellos.cipher_suite.is_rsa() {
            return Err(Failure::refused(
                AlertDescription::IllegalParameter,
                "the server's key is not for the cipher suite that it chose",
            ));
        }
        handshake.transcript.add(message.bytes());
        Ok(Expect::ServerKeyExchange(ExpectServerKeyExchange { hellos: self.hellos, server_key }).into())
    }
}

#[derive(Debug)]
pub(crate) struct ExpectServerKeyExchange {
    hellos: Hellos,
    server_key: VerifyingKey,
}

impl ExpectServerKeyExchange {
    pub(super) fn handle(self, message: &Message, handshake: &mut Handshake) -> Result<Next, Failure> {
        let exchange = ServerKeyExchange::decode(message.expect(HandshakeType::SERVER_KEY_EXCHANGE, 0)?)?;
        let illegal = |why| Failure::refused(AlertDescription::IllegalParameter, why);
        let group = handshake.config.groups(Version::Dtls12).find(|group| group.wire() == exchange.group);
        let group = group.ok_or(illegal("the server chose a group not offered"))?;
        let scheme = handshake.accept(Version::Dtls12, &self.server_key, exchange.scheme)?;
        let Hellos { client_random, server_random, .. } = &self.hellos;
        let signed = ServerKeyExchange::signed(client_random, server_random, exchange.group, exchange.public_key);
        if !self.server_key.verify(Version::Dtls12, scheme, (&*signed).into(), exchange.signature) {
            return Err(Failure::refused(AlertDescription::DecryptError, "the server's signature is wrong"));
        }
        handshake.negotiated.group = Some(group);
        handshake.transcript.add(message.bytes());
        let server_share = exchange.public_key.to_vec();
        let state = ExpectCertificateRequest { hellos: self.hellos, group, server_share };
        Ok(Expect::CertificateRequest(state).into())
    }
}

/// Or for ServerHelloDone, of a server that does not ask who we are.
#[derive(Debug)]
pub(crate) struct ExpectCertificateRequest {
    hellos: Hellos,
    group: Group,
    server_share: Vec<u8>,
}

impl ExpectCertificateRequest {
    pub(super) fn handle(self, message: &Message, handshake: &mut Handshake) -> Result<Next, Failure> {
        let Self { hellos, group, server_share } = self;
        let mut state = ExpectServerHelloDone { hellos, group, server_share, signs_with: None };
        if message.message_type() != HandshakeType::CERTIFICATE_REQUEST {
            return state.handle(message, handshake);
        }
        let request = CertificateRequest::decode(message.expect(HandshakeType::CERTIFICATE_REQUEST, 0)?)?;
        let key = handshake.config.certificate.key();
        let certificate_type = if key.is_rsa() { RSA_SIGN } else { ECDSA_SIGN };
        let scheme = key.choose(Version::Dtls12, request.signature_algorithms);
        state.signs_with = scheme.filter(|_| request.certificate_types.contains(&certificate_type));
        if state.signs_with.is_none() {
            return Err(Failure::refused(
                AlertDescription::HandshakeFailure,
                "the server does not take our certificate",
            ));
        }
        handshake.transcript.add(message.bytes());
        Ok(Expect::ServerHelloDone(state).into())
    }
}

#[derive(Debug)]
pub(crate) struct ExpectServerHelloDone {
    hellos: Hellos,
    group: Group,
    server_share: Vec<u8>,
    /// None if the server does not ask who we are.
    signs_with: Option<SignatureScheme>,
}

impl ExpectServerHelloDone {
    /// Owes the whole flight 5.
    pub(super) fn handle(self, message: &Message, handshake: &mut Handshake) -> Result<Next, Failure> {
        if !message.expect(HandshakeType::SERVER_HELLO_DONE, 0)?.is_empty() {
            return Err(crate::error::DecodeError.into());
        }
        handshake.transcript.add(message.bytes());
        handshake.begin_flight(false);
        if self.signs_with.is_some() {
            handshake.send(HandshakeType::CERTIFICATE, |config, out| {
                Certificate { chain: config.certificate.chain().collect() }.encode(out);
            });
        }
        let share = KeyExchange::generate(self.group, &mut handshake.rng);
        let secret = share.agree(&self.server_share).ok_or_else(super::server::bad_key_share)?;
        let public_key = share.public_key();
        handshake.send(HandshakeType::CLIENT_KEY_EXCHANGE, |_, out| {
            ClientKeyExchange { public_key: &public_key }.encode(out);
        });
        let session_hash = handshake.transcript.hash(self.hellos.cipher_suite.hash());
        let secrets = Box::new(key_schedule::Secrets::new(&secret, &session_hash, self.hellos));
        handshake.log_key(|| secrets.key_log_line());
        if let Some(scheme) = self.signs_with {
            let signature = handshake.sign_messages(scheme)?;
            handshake.send(HandshakeType::CERTIFICATE_VERIFY, |_, out| {
                CertificateVerify { scheme: scheme.wire(), signature: &signature }.encode(out);
            });
        }
        handshake.send_change_cipher_spec();
        let [ours, theirs] = [Role::Client, Role::Server].map(|writer| secrets.aead(writer));
        handshake.write.push(WriteEpoch::protected(1, ours.ok_or_else(super::no_cipher)?));
        handshake.read = Some(ReadEpoch::protected(1, theirs.ok_or_else(super::no_cipher)?));
        let verify_data = secrets.verify_data(Role::Client, &handshake.transcript);
        handshake.send(HandshakeType::FINISHED, |_, out| out.extend_from_slice(&verify_data));
        handshake.received.require(1);
        Ok(Expect::ServerFinished(ExpectFinished { secrets }).into())
    }
}

#[derive(Debug)]
pub(crate) struct ExpectFinished {
    secrets: Box<key_schedule::Secrets>,
}

impl ExpectFinished {
    pub(super) fn handle(self, message: &Message, handshake: &mut Handshake) -> Result<Next, Failure> {
        let verify_data = message.expect(HandshakeType::FINISHED, 1)?;
        let expected = self.secrets.verify_data(Role::Server, &handshake.transcript);
        if !crypto::equal(verify_data, &expected) {
            return Err(super::server::wrong_finished());
        }
        handshake.flight.clear();
        Ok(Next::Complete(Secrets::Dtls12(self.secrets)))
    }
}
