//! The client's handshake.

use super::hello::{self, Answer, RETRY_RANDOM, illegal, missing};
use super::key_update::Established;
use super::{APPLICATION_EPOCH, Expect, HANDSHAKE_EPOCH, Hellos, keys, signed_content};
use crate::alert::AlertDescription;
use crate::crypto::signature::{SignatureScheme, VerifyingKey};
use crate::crypto::{self, x509};
use crate::handshake::expect::{self, Next, Secrets};
use crate::handshake::first_flight::{ExpectServerHello, Retry};
use crate::handshake::fragment::Message;
use crate::handshake::hello::chosen_profile;
use crate::handshake::{Failure, Handshake};
use crate::message::extension::{
    certificate_authorities, cookie, key_share, signature_algorithms, supported_groups, supported_versions, use_srtp,
};
use crate::message::{
    Certificate13, CertificateRequest13, CertificateVerify, EncryptedExtensions, HandshakeType, ServerHello,
};
use crate::record::epoch::WriteEpoch;
use crate::record::unified::Reader;
use crate::v12::server::{bad_key_share, unsupported_certificate, wrong_finished};
use crate::{Role, Version};

/// The server has chosen 1.3, or wants the ClientHello once more.
pub(crate) fn answer(
    state: ExpectServerHello,
    hello: &ServerHello<'_>,
    message: &Message,
    handshake: &mut Handshake,
) -> Result<expect::Expect, Failure> {
    if hello.random == RETRY_RANDOM {
        return retry(state, hello, message, handshake);
    }
    let expected = [supported_versions::NUMBER, key_share::NUMBER];
    let Answer { cipher_suite } = Answer::new(hello, &expected, &handshake.config)?;
    // RFC 8446 §4.1.4: "Upon receiving the ServerHello, clients MUST check that the cipher suite supplied in the ServerHello is
    // the same as that in the HelloRetryRequest and otherwise abort the handshake with an "illegal_parameter" alert."
    if state.retried.is_some_and(|retry| retry.cipher_suite != cipher_suite) {
        return Err(illegal("the server chose another cipher suite than before"));
    }
    let share = hello.extensions.get(key_share::NUMBER, key_share::decode_server)?;
    let share = share.ok_or(missing("the server has no key share"))?;
    let (group, key) = state
        .shares
        .iter()
        .find(|(group, _)| group.wire() == share.group)
        .ok_or(illegal("the server chose a group of which it got no share"))?;
    let shared = key.agree(share.key_exchange).ok_or_else(bad_key_share)?;
    handshake.negotiated.cipher_suite = Some(cipher_suite);
    handshake.negotiated.group = Some(*group);
    handshake.transcript.become_dtls13(cipher_suite.hash());
    handshake.transcript.add(message.bytes());
    let hellos = Hellos::new(cipher_suite, state.random, &shared, handshake)?;
    Ok(expect::Expect::Dtls13(Expect::EncryptedExtensions(ExpectEncryptedExtensions { hellos })))
}

/// RFC 8446 §4.1.4: "the client MUST check … Clients MUST abort the handshake with an "illegal_parameter" alert if the
/// HelloRetryRequest would not result in any change in the ClientHello. If a client receives a second HelloRetryRequest in
/// the same connection …, it MUST abort the handshake with an "unexpected_message" alert."
fn retry(
    state: ExpectServerHello,
    hello: &ServerHello<'_>,
    message: &Message,
    handshake: &mut Handshake,
) -> Result<expect::Expect, Failure> {
    if state.retried.is_some() {
        return Err(Failure::refused(AlertDescription::UnexpectedMessage, "the server asks twice for another hello"));
    }
    let expected = [supported_versions::NUMBER, key_share::NUMBER, cookie::NUMBER];
    let Answer { cipher_suite } = Answer::new(hello, &expected, &handshake.config)?;
    let cookie = hello.extensions.get(cookie::NUMBER, cookie::decode)?;
    let group = match hello.extensions.get(key_share::NUMBER, key_share::decode_retry)? {
        None => None,
        Some(wire) => {
            let group = handshake.config.groups(Version::Dtls13).find(|group| group.wire() == wire);
            let is_new = |group: &crate::Group| state.shares.iter().all(|(other, _)| other != group);
            Some(
                group
                    .filter(is_new)
                    .ok_or(illegal("the server wants a share that it has, or of a group not offered"))?,
            )
        }
    };
    if group.is_none() && cookie.is_none() {
        return Err(illegal("the server asks for the same hello"));
    }
    handshake.transcript.replace_hello(cipher_suite.hash());
    handshake.transcript.add(message.bytes());
    state.retry(Retry { cipher_suite, group }, cookie, handshake)
}

#[derive(Debug)]
pub(crate) struct ExpectEncryptedExtensions {
    hellos: Hellos,
}

impl ExpectEncryptedExtensions {
    pub(super) fn handle(self, message: &Message, handshake: &mut Handshake) -> Result<Next, Failure> {
        let body = message.expect(HandshakeType::ENCRYPTED_EXTENSIONS, HANDSHAKE_EPOCH)?;
        let EncryptedExtensions { extensions } = EncryptedExtensions::decode(body)?;
        hello::check_extensions(extensions, &[use_srtp::NUMBER, supported_groups::NUMBER], &handshake.config)?;
        let srtp_profiles = &handshake.config.srtp_profiles;
        handshake.negotiated.srtp_profile = match extensions.get(use_srtp::NUMBER, use_srtp::decode)? {
            None => None,
            Some(chosen) => Some(
                chosen_profile(&chosen, srtp_profiles).ok_or(illegal("the server chose no SRTP profile of ours"))?,
            ),
        };
        extensions.get(supported_groups::NUMBER, supported_groups::decode)?;
        handshake.transcript.add(message.bytes());
        Ok(Expect::CertificateRequest(ExpectCertificateRequest { hellos: self.hellos }).into())
    }
}

/// Or for the Certificate of a server that does not ask who we are.
#[derive(Debug)]
pub(crate) struct ExpectCertificateRequest {
    hellos: Hellos,
}

impl ExpectCertificateRequest {
    pub(super) fn handle(self, message: &Message, handshake: &mut Handshake) -> Result<Next, Failure> {
        let mut state = ExpectCertificate { hellos: self.hellos, signs_with: None };
        if message.message_type() != HandshakeType::CERTIFICATE_REQUEST {
            return state.handle(message, handshake);
        }
        let body = message.expect(HandshakeType::CERTIFICATE_REQUEST, HANDSHAKE_EPOCH)?;
        let request = CertificateRequest13::decode(body)?;
        // RFC 8446 §4.3.2: "this field SHALL be zero length unless used for the post-handshake authentication exchanges"
        if !request.context.is_empty() {
            return Err(illegal("a CertificateRequest of a handshake has a context"));
        }
        hello::check_certificate_request(request.extensions)?;
        request.extensions.get(certificate_authorities::NUMBER, certificate_authorities::decode)?;
        // RFC 8446 §4.3.2: "The "signature_algorithms" extension MUST be specified"
        let schemes = request.extensions.get(signature_algorithms::NUMBER, signature_algorithms::decode)?;
        let schemes = schemes.ok_or(missing("the server asks for no signature algorithm"))?;
        state.signs_with = handshake.config.certificate.key().choose(Version::Dtls13, schemes);
        if state.signs_with.is_none() {
            let why = "the server does not take our certificate";
            return Err(Failure::refused(AlertDescription::HandshakeFailure, why));
        }
        handshake.transcript.add(message.bytes());
        Ok(Expect::ServerCertificate(state).into())
    }
}

#[derive(Debug)]
pub(crate) struct ExpectCertificate {
    hellos: Hellos,
    /// None if the server does not ask who we are.
    signs_with: Option<SignatureScheme>,
}

impl ExpectCertificate {
    pub(super) fn handle(self, message: &Message, handshake: &mut Handshake) -> Result<Next, Failure> {
        let certificate = Certificate13::decode(message.expect(HandshakeType::CERTIFICATE, HANDSHAKE_EPOCH)?)?;
        let [leaf, intermediates @ ..] = &*certificate.chain else {
            return Err(Failure::refused(AlertDescription::DecodeError, "the server has no certificate"));
        };
        if !certificate.context.is_empty() {
            return Err(illegal("the server's certificate has a context"));
        }
        // RFC 8446 §4.4.2: "Extensions in the Certificate message from the server MUST correspond to ones from the ClientHello
        // message."
        if certificate.has_extensions {
            let why = "the server says more of its certificate than it was asked for";
            return Err(Failure::refused(AlertDescription::UnsupportedExtension, why));
        }
        handshake.authenticate(leaf, intermediates)?;
        let server_key = x509::public_key(leaf).map_err(|_| unsupported_certificate())?;
        handshake.transcript.add(message.bytes());
        let Self { hellos, signs_with } = self;
        Ok(Expect::ServerCertificateVerify(ExpectCertificateVerify { hellos, signs_with, server_key }).into())
    }
}

#[derive(Debug)]
pub(crate) struct ExpectCertificateVerify {
    hellos: Hellos,
    /// None if the server does not ask who we are.
    signs_with: Option<SignatureScheme>,
    server_key: VerifyingKey,
}

impl ExpectCertificateVerify {
    pub(super) fn handle(self, message: &Message, handshake: &mut Handshake) -> Result<Next, Failure> {
        let verify = CertificateVerify::decode(message.expect(HandshakeType::CERTIFICATE_VERIFY, HANDSHAKE_EPOCH)?)?;
        let scheme = handshake.accept(Version::Dtls13, &self.server_key, verify.scheme)?;
        let signed = signed_content(Role::Server, &handshake.transcript.hash(self.hellos.hash()));
        if !self.server_key.verify(Version::Dtls13, scheme, (&*signed).into(), verify.signature) {
            return Err(Failure::refused(AlertDescription::DecryptError, "the server's signature is wrong"));
        }
        handshake.transcript.add(message.bytes());
        let Self { hellos, signs_with, .. } = self;
        Ok(Expect::ServerFinished(ExpectFinished { hellos, signs_with }).into())
    }
}

#[derive(Debug)]
pub(crate) struct ExpectFinished {
    hellos: Hellos,
    /// None if the server does not ask who we are.
    signs_with: Option<SignatureScheme>,
}

impl ExpectFinished {
    /// Owes the last flight, which the server acknowledges.
    pub(super) fn handle(self, message: &Message, handshake: &mut Handshake) -> Result<Next, Failure> {
        let Self { hellos, signs_with } = self;
        let (hash, secrets) = (hellos.hash(), &hellos.secrets);
        let verify_data = message.expect(HandshakeType::FINISHED, HANDSHAKE_EPOCH)?;
        if !crypto::equal(verify_data, &secrets.server.verify_data(&handshake.transcript.hash(hash))) {
            return Err(wrong_finished());
        }
        if handshake.received.has_any() {
            return Err(Failure::excess());
        }
        handshake.transcript.add(message.bytes());
        let application = hellos.application(handshake);
        handshake.begin_flight(false);
        if let Some(scheme) = signs_with {
            handshake.send(HandshakeType::CERTIFICATE, |config, out| {
                let chain = config.certificate.chain().collect();
                Certificate13 { context: &[], chain, has_extensions: false }.encode(out);
            });
            let signed = signed_content(Role::Client, &handshake.transcript.hash(hash));
            let signature = handshake.sign(scheme, &signed)?;
            handshake.send(HandshakeType::CERTIFICATE_VERIFY, |_, out| {
                CertificateVerify { scheme: scheme.wire(), signature: &signature }.encode(out);
            });
        }
        let verify_data = secrets.client.verify_data(&handshake.transcript.hash(hash));
        handshake.send(HandshakeType::FINISHED, |_, out| out.extend_from_slice(&verify_data));
        handshake.write.push(WriteEpoch::dtls13(APPLICATION_EPOCH, keys(&application.client)?));
        handshake.readers.push(Reader::new(APPLICATION_EPOCH, keys(&application.server)?));
        handshake.received.require(APPLICATION_EPOCH);
        let established = Established::new(Role::Client, application);
        Ok(Next::Complete(Secrets::Dtls13(Box::new(established))))
    }
}
