//! The order of messages of either version as a table, and what is refused in each state.

use super::expect;
use super::first_flight::{self, ExpectClientHello};
use super::fragment::{Fragment, Message, Reassembly};
use super::{Failure, Handshake};
use crate::message::HandshakeType;
use crate::{Certificate, ClientAuthentication, Config, Group, HashAlgorithm, Role, SignatureScheme, Version};
use expect_test::expect as expected;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;
use wigwag_sansio::{Rng, Seed};

/// A side of a handshake that handles messages as they are given to it, without records.
pub(crate) struct Side {
    handshake: Handshake,
    expect: Option<expect::Expect>,
}

impl Side {
    pub(crate) fn pair(version: Version, adapt: fn(&mut Config)) -> [Self; 2] {
        let certificates = [1, 2]
            .map(|n| Arc::new(Certificate::generate(Duration::from_secs(1_790_000_000), Seed::for_test(n)).unwrap()));
        [Role::Client, Role::Server].map(|role| {
            let (own, other) = if role == Role::Client { (0, 1) } else { (1, 0) };
            let mut config = Config::new(role, certificates[own].clone());
            config.remote_fingerprints = vec![certificates[other].fingerprint(HashAlgorithm::Sha256)];
            (config.min_version, config.max_version) = (version, version);
            if role == Role::Server {
                adapt(&mut config);
            }
            let mut handshake = Handshake::new(config, Rng::new(Seed::for_test(3 + own as u64)));
            let expect = match role {
                Role::Client => first_flight::start(&mut handshake),
                Role::Server => expect::Expect::ClientHello(ExpectClientHello { retried: None }),
            };
            Self { handshake, expect: Some(expect) }
        })
    }

    fn name(&self) -> String {
        let Some(expect) = &self.expect else { return "Connected".to_owned() };
        let text = format!("{expect:?}");
        let name = text.split(['(', ' ']).find(|word| !word.starts_with("Dtls")).unwrap_or_default().to_owned();
        if text.contains("retried: Some") { format!("{name} (retried)") } else { name }
    }

    pub(crate) fn handle(&mut self, message: &Message) -> Result<(), Failure> {
        let expect = self.expect.take().expect("not over");
        match expect.handle(message, &mut self.handshake)? {
            expect::Next::Expect(expect) => self.expect = Some(expect),
            expect::Next::Complete(_) => {}
        }
        Ok(())
    }

    /// The messages of its flight, as the peer would get them.
    pub(crate) fn flight(&mut self) -> Vec<Message> {
        let messages = self.handshake.flight.messages();
        self.handshake.flight.clear();
        messages.into_iter().map(|(epoch, bytes)| received(epoch, &bytes)).collect()
    }
}

/// A message as it comes in an epoch.
pub(crate) fn received(epoch: u16, bytes: &[u8]) -> Message {
    let mut reader = crate::codec::Reader::new(bytes);
    let fragment = Fragment::decode(&mut reader).unwrap();
    let mut reassembly = Reassembly::new(usize::MAX);
    reassembly.resume(fragment.message_seq);
    reassembly.insert(epoch, &fragment).unwrap();
    reassembly.pop().unwrap()
}

/// A row for each message of a handshake: in which state it came, and in which it left.
fn transitions(version: Version, adapt: fn(&mut Config)) -> String {
    let mut table = String::new();
    let mut sides = Side::pair(version, adapt);
    let mut to = 1;
    loop {
        let flight = sides[1 - to].flight();
        if flight.is_empty() {
            return table;
        }
        for message in flight {
            let side = &mut sides[to];
            let (before, who) = (side.name(), ["client", "server"][to]);
            side.handle(&message).unwrap();
            let name = format!("{:?}", message.message_type());
            writeln!(table, "{who}  {before:<24} {name:<20} → {}", side.name()).unwrap();
        }
        to = 1 - to;
    }
}

#[test]
fn the_states_of_a_handshake_of_1_2() {
    expected![[r#"
        server  ClientHello              ClientHello          → ClientCertificate
        client  ServerHello              ServerHello          → ServerCertificate
        client  ServerCertificate        Certificate          → ServerKeyExchange
        client  ServerKeyExchange        ServerKeyExchange    → CertificateRequest
        client  CertificateRequest       CertificateRequest   → ServerHelloDone
        client  ServerHelloDone          ServerHelloDone      → ServerFinished
        server  ClientCertificate        Certificate          → ClientKeyExchange
        server  ClientKeyExchange        ClientKeyExchange    → CertificateVerify
        server  CertificateVerify        CertificateVerify    → ClientFinished
        server  ClientFinished           Finished             → Connected
        client  ServerFinished           Finished             → Connected
    "#]]
    .assert_eq(&transitions(Version::Dtls12, |_| {}));
}

#[test]
fn the_states_of_a_handshake_of_1_2_with_anybody() {
    expected![[r#"
        server  ClientHello              ClientHello          → ClientKeyExchange
        client  ServerHello              ServerHello          → ServerCertificate
        client  ServerCertificate        Certificate          → ServerKeyExchange
        client  ServerKeyExchange        ServerKeyExchange    → CertificateRequest
        client  CertificateRequest       ServerHelloDone      → ServerFinished
        server  ClientKeyExchange        ClientKeyExchange    → ClientFinished
        server  ClientFinished           Finished             → Connected
        client  ServerFinished           Finished             → Connected
    "#]]
    .assert_eq(&transitions(Version::Dtls12, |server| server.client_authentication = ClientAuthentication::None));
}

#[test]
fn the_states_of_a_handshake_of_1_3_with_anybody() {
    expected![[r#"
        server  ClientHello              ClientHello          → ClientFinished
        client  ServerHello              ServerHello          → EncryptedExtensions
        client  EncryptedExtensions      EncryptedExtensions  → CertificateRequest
        client  CertificateRequest       Certificate          → ServerCertificateVerify
        client  ServerCertificateVerify  CertificateVerify    → ServerFinished
        client  ServerFinished           Finished             → Connected
        server  ClientFinished           Finished             → Connected
    "#]]
    .assert_eq(&transitions(Version::Dtls13, |server| server.client_authentication = ClientAuthentication::None));
}

#[test]
fn the_states_of_a_handshake_of_1_3() {
    expected![[r#"
        server  ClientHello              ClientHello          → ClientCertificate
        client  ServerHello              ServerHello          → EncryptedExtensions
        client  EncryptedExtensions      EncryptedExtensions  → CertificateRequest
        client  CertificateRequest       CertificateRequest   → ServerCertificate
        client  ServerCertificate        Certificate          → ServerCertificateVerify
        client  ServerCertificateVerify  CertificateVerify    → ServerFinished
        client  ServerFinished           Finished             → Connected
        server  ClientCertificate        Certificate          → ClientCertificateVerify
        server  ClientCertificateVerify  CertificateVerify    → ClientFinished
        server  ClientFinished           Finished             → Connected
    "#]]
    .assert_eq(&transitions(Version::Dtls13, |_| {}));
}

#[test]
fn the_states_of_a_handshake_of_1_3_with_another_hello() {
    expected![[r#"
        server  ClientHello              ClientHello          → ClientHello (retried)
        client  ServerHello              ServerHello          → ServerHello (retried)
        server  ClientHello (retried)    ClientHello          → ClientCertificate
        client  ServerHello (retried)    ServerHello          → EncryptedExtensions
        client  EncryptedExtensions      EncryptedExtensions  → CertificateRequest
        client  CertificateRequest       CertificateRequest   → ServerCertificate
        client  ServerCertificate        Certificate          → ServerCertificateVerify
        client  ServerCertificateVerify  CertificateVerify    → ServerFinished
        client  ServerFinished           Finished             → Connected
        server  ClientCertificate        Certificate          → ClientCertificateVerify
        server  ClientCertificateVerify  CertificateVerify    → ClientFinished
        server  ClientFinished           Finished             → Connected
    "#]]
    .assert_eq(&transitions(Version::Dtls13, |server| server.groups = vec![Group::Secp256r1]));
}

/// Rows 3 and 11 of docs/security.md: no message may be left out, come twice, or come in another's place; and none in an
/// epoch that is not its own.
#[test]
fn in_every_state_every_other_message_is_refused() {
    for (version, messages) in [(Version::Dtls12, 11), (Version::Dtls13, 10)] {
        let mut refused = 0;
        for n in 0..messages {
            for other in [1, 2, 3, 4, 8, 11, 12, 13, 14, 15, 16, 20, 24].map(HandshakeType) {
                for epoch in 0..4 {
                    refused += u32::from(is_refused(version, n, other, epoch));
                }
            }
        }
        assert!(refused > 500, "{refused}");
    }
}

/// Whether the n-th message of a handshake was replaced by another, and refused; it must be, or be the same.
fn is_refused(version: Version, n: usize, other: HandshakeType, epoch: u16) -> bool {
    let (mut sides, mut to, mut count) = (Side::pair(version, |_| {}), 1, 0);
    loop {
        let flight = sides[1 - to].flight();
        assert!(!flight.is_empty(), "the {n}th message comes");
        for message in flight {
            if count == n {
                let is_right = message.message_type() == other && message.epoch == epoch;
                // In 1.3, without CertificateRequest, there may be a Certificate in its place: one that decodes.
                let is_optional = message.message_type() == HandshakeType::CERTIFICATE_REQUEST;
                if is_right || is_optional && version == Version::Dtls13 && other == HandshakeType::CERTIFICATE {
                    return false;
                }
                let forged = message.with_type(other, epoch);
                assert!(sides[to].handle(&forged).is_err(), "{n}: {other:?} in {epoch}");
                return true;
            }
            sides[to].handle(&message).unwrap();
            count += 1;
        }
        to = 1 - to;
    }
}

/// RFC 8446 §4.4.3, RFC 5246 §7.4.8: a key that could have signed so is not enough.
#[test]
fn what_was_not_offered_is_not_signed_with() {
    let [client, _] = Side::pair(Version::Dtls12, |_| {});
    let mut handshake = client.handshake;
    let key = handshake.config.certificate.key().verifying_key().clone();
    let [sha256, sha384] = [SignatureScheme::EcdsaSecp256r1Sha256, SignatureScheme::EcdsaSecp384r1Sha384];
    for (offered, taken) in [(vec![sha256, sha384], [true; 2]), (vec![sha384], [false, true]), (vec![], [false; 2])] {
        handshake.config.signature_schemes = offered;
        let accepts = [sha256, sha384].map(|scheme| handshake.accept(Version::Dtls12, &key, scheme.wire()).is_ok());
        assert_eq!(accepts, taken);
    }
}
