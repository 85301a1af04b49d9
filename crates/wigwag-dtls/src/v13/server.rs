//! The server's handshake.

use super::hello::{self, Selection, illegal};
use super::key_schedule::ApplicationSecrets;
use super::key_update::Established;
use super::{APPLICATION_EPOCH, Expect, HANDSHAKE_EPOCH, Hellos, keys, signed_content};
use crate::alert::AlertDescription;
use crate::crypto::kx::KeyExchange;
use crate::crypto::signature::VerifyingKey;
use crate::crypto::{self, x509};
use crate::handshake::expect::{self, Next, Secrets};
use crate::handshake::first_flight::{ExpectClientHello, Retried, Retry};
use crate::handshake::fragment::Message;
use crate::handshake::{Failure, Handshake};
use crate::message::extension::{Extensions, signature_algorithms};
use crate::message::{
    Certificate13, CertificateRequest13, CertificateVerify, ClientHello, HandshakeType, NewSessionTicket,
};
use crate::record::epoch::WriteEpoch;
use crate::record::unified::Reader;
use crate::v12::server::{bad_key_share, unsupported_certificate, wrong_finished};
use crate::{ClientAuthentication, Role, Version};

/// As many as others send: a client that opens two connections at once can take one for each (RFC 8446 §C.4).
const TICKETS: u8 = 2;
const TICKET_LEN: usize = 32;
/// In seconds; nothing is promised for longer.
const TICKET_LIFETIME: u32 = 1;

/// Owes the whole flight of the server, or a HelloRetryRequest.
pub(crate) fn answer(
    retried: Option<&Retried>,
    hello: &ClientHello<'_>,
    message: &Message,
    handshake: &mut Handshake,
) -> Result<expect::Expect, Failure> {
    let selection = Selection::new(hello, &handshake.config)?;
    let hash = selection.cipher_suite.hash();
    if let Some(retried) = retried {
        check_retried(hello, &selection, retried)?;
    }
    // RFC 9147 §5.1: "If a server receives a ClientHello with an invalid cookie, it MUST terminate the handshake with an
    // "illegal_parameter" alert." Where cookies are asked for, it was looked at before.
    if selection.cookie.is_some() && handshake.config.cookie_exchange.is_none() {
        return Err(illegal("a cookie that we did not ask for"));
    }
    handshake.transcript.add(message.bytes());
    let Some(share) = selection.share else {
        let retry = Retry { cipher_suite: selection.cipher_suite, group: Some(selection.group) };
        handshake.transcript.replace_hello(hash);
        handshake.begin_flight(false);
        handshake.send(HandshakeType::SERVER_HELLO, |_, out| hello::write_retry(&retry, None, out));
        let retried = Some(Retried { retry, unchanging: hello::unchanging(hello) });
        return Ok(expect::Expect::ClientHello(ExpectClientHello { retried }));
    };
    handshake.transcript.become_dtls13(hash);
    let (share, shared) = KeyExchange::respond(selection.group, share, &mut handshake.rng).ok_or_else(bad_key_share)?;
    handshake.negotiated.cipher_suite = Some(selection.cipher_suite);
    handshake.negotiated.group = Some(selection.group);
    handshake.negotiated.srtp_profile = selection.srtp_profile;
    handshake.negotiated.takes_tickets = selection.takes_tickets;

    handshake.begin_flight(false);
    let random = handshake.rng.bytes();
    handshake.send(HandshakeType::SERVER_HELLO, |_, out| selection.write_server_hello(random, &share, out));
    let hellos = Hellos::new(selection.cipher_suite, hello.random, &shared, handshake)?;
    let application = send_protected(&selection, &hellos, handshake)?;
    Ok(expect::Expect::Dtls13(match handshake.config.client_authentication {
        ClientAuthentication::None => Expect::ClientFinished(ExpectFinished { hellos, application }),
        ClientAuthentication::Required | ClientAuthentication::Requested => {
            Expect::ClientCertificate(ExpectCertificate { hellos, application })
        }
    }))
}

/// A second ClientHello has what the first lacked, and is else the same.
fn check_retried(hello: &ClientHello<'_>, selection: &Selection<'_>, retried: &Retried) -> Result<(), Failure> {
    let Retried { retry, unchanging } = retried;
    // RFC 8446 §4.1.2: "If a "key_share" extension was supplied in the HelloRetryRequest, replacing the list of shares with a
    // list containing a single KeyShareEntry from the indicated group."
    let has_share = match retry.group {
        Some(group) => group == selection.group && selection.is_only_share,
        None => true,
    };
    let is_same = selection.cipher_suite == retry.cipher_suite
        && selection.share.is_some()
        && has_share
        && *unchanging == hello::unchanging(hello);
    if is_same { Ok(()) } else { Err(illegal("the client's second hello is not what was asked for")) }
}

/// From EncryptedExtensions to Finished.
fn send_protected(
    selection: &Selection<'_>,
    hellos: &Hellos,
    handshake: &mut Handshake,
) -> Result<ApplicationSecrets, Failure> {
    let hash = hellos.hash();
    handshake.send(HandshakeType::ENCRYPTED_EXTENSIONS, |_, out| selection.write_encrypted_extensions(out));
    if handshake.config.client_authentication != ClientAuthentication::None {
        handshake.send(HandshakeType::CERTIFICATE_REQUEST, |config, out| {
            let mut extensions = Vec::new();
            signature_algorithms::encode(&config.signature_schemes, &mut extensions);
            CertificateRequest13 { context: &[], extensions: Extensions::written(&extensions) }.encode(out);
        });
    }
    handshake.send(HandshakeType::CERTIFICATE, |config, out| {
        let chain = config.certificate.chain().collect();
        Certificate13 { context: &[], chain, has_extensions: false }.encode(out);
    });
    let signed = signed_content(Role::Server, &handshake.transcript.hash(hash));
    let scheme = selection.signature_scheme;
    let signature = handshake.sign(scheme, &signed)?;
    handshake.send(HandshakeType::CERTIFICATE_VERIFY, |_, out| {
        CertificateVerify { scheme: scheme.wire(), signature: &signature }.encode(out);
    });
    let verify_data = hellos.secrets.server.verify_data(&handshake.transcript.hash(hash));
    handshake.send(HandshakeType::FINISHED, |_, out| out.extend_from_slice(&verify_data));
    let application = hellos.application(handshake);
    // For what is said of the client's flight: RFC 9147 §7 wants the highest epoch. Data wait until we know who it is.
    handshake.write.push(WriteEpoch::dtls13(APPLICATION_EPOCH, keys(&application.server)?));
    Ok(application)
}

/// Tickets of which nobody keeps what would be resumed; they are sent again until they are acknowledged.
fn send_tickets(handshake: &mut Handshake) {
    handshake.flight.begin(false);
    for nonce in 0..TICKETS {
        let (age_add, ticket): ([u8; 4], [u8; TICKET_LEN]) = (handshake.rng.bytes(), handshake.rng.bytes());
        let age_add = u32::from_be_bytes(age_add);
        let message = NewSessionTicket { lifetime: TICKET_LIFETIME, age_add, nonce: &[nonce], ticket: &ticket };
        handshake.send_post_handshake(HandshakeType::NEW_SESSION_TICKET, |_, out| message.encode(out));
    }
}

#[derive(Debug)]
pub(crate) struct ExpectCertificate {
    hellos: Hellos,
    application: ApplicationSecrets,
}

impl ExpectCertificate {
    pub(super) fn handle(self, message: &Message, handshake: &mut Handshake) -> Result<Next, Failure> {
        let certificate = Certificate13::decode(message.expect(HandshakeType::CERTIFICATE, HANDSHAKE_EPOCH)?)?;
        if !certificate.context.is_empty() {
            return Err(illegal("the client's certificate has another context than it was asked for"));
        }
        let Self { hellos, application } = self;
        let [leaf, intermediates @ ..] = &*certificate.chain else {
            if handshake.config.client_authentication == ClientAuthentication::Requested {
                handshake.transcript.add(message.bytes());
                return Ok(Expect::ClientFinished(ExpectFinished { hellos, application }).into());
            }
            // RFC 8446 §4.4.2.4: "If the client does not send any certificates …, the server MAY … abort the handshake with a
            // "certificate_required" alert."
            return Err(Failure::refused(AlertDescription::CertificateRequired, "the client has no certificate"));
        };
        if certificate.has_extensions {
            let why = "the client says more of its certificate than it was asked for";
            return Err(Failure::refused(AlertDescription::UnsupportedExtension, why));
        }
        handshake.authenticate(leaf, intermediates)?;
        let client_key = x509::public_key(leaf).map_err(|_| unsupported_certificate())?;
        handshake.transcript.add(message.bytes());
        Ok(Expect::ClientCertificateVerify(ExpectCertificateVerify { hellos, application, client_key }).into())
    }
}

#[derive(Debug)]
pub(crate) struct ExpectCertificateVerify {
    hellos: Hellos,
    application: ApplicationSecrets,
    client_key: VerifyingKey,
}

impl ExpectCertificateVerify {
    /// A certificate is public: only this shows that the client is the one whom it names (CVE-2022-29222).
    pub(super) fn handle(self, message: &Message, handshake: &mut Handshake) -> Result<Next, Failure> {
        let verify = CertificateVerify::decode(message.expect(HandshakeType::CERTIFICATE_VERIFY, HANDSHAKE_EPOCH)?)?;
        let scheme = handshake.accept(Version::Dtls13, &self.client_key, verify.scheme)?;
        let signed = signed_content(Role::Client, &handshake.transcript.hash(self.hellos.hash()));
        if !self.client_key.verify(Version::Dtls13, scheme, (&*signed).into(), verify.signature) {
            return Err(Failure::refused(AlertDescription::DecryptError, "the client's signature is wrong"));
        }
        handshake.transcript.add(message.bytes());
        let Self { hellos, application, .. } = self;
        Ok(Expect::ClientFinished(ExpectFinished { hellos, application }).into())
    }
}

#[derive(Debug)]
pub(crate) struct ExpectFinished {
    hellos: Hellos,
    application: ApplicationSecrets,
}

impl ExpectFinished {
    /// Owes an ACK: the client repeats its flight until it is told. And tickets, if they are wanted.
    pub(super) fn handle(self, message: &Message, handshake: &mut Handshake) -> Result<Next, Failure> {
        let Self { hellos, application } = self;
        let verify_data = message.expect(HandshakeType::FINISHED, HANDSHAKE_EPOCH)?;
        let expected = hellos.secrets.client.verify_data(&handshake.transcript.hash(hellos.hash()));
        if !crypto::equal(verify_data, &expected) {
            return Err(wrong_finished());
        }
        if handshake.received.has_any() {
            return Err(Failure::excess());
        }
        handshake.flight.clear();
        handshake.write.retain(|epoch| epoch.epoch() >= APPLICATION_EPOCH);
        handshake.readers.push(Reader::new(APPLICATION_EPOCH, keys(&application.client)?));
        handshake.received.require(APPLICATION_EPOCH);
        if handshake.config.sends_tickets && handshake.negotiated.takes_tickets {
            send_tickets(handshake);
        }
        let established = Established::new(Role::Server, application);
        Ok(Next::Complete(Secrets::Dtls13(Box::new(established))))
    }
}
