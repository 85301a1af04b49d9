//! The key schedule against numbers that others computed, and what is refused in protected messages.

use super::hello::RETRY_RANDOM;
use super::key_schedule::HandshakeSecrets;
use crate::alert::AlertDescription;
use crate::crypto::hash;
use crate::handshake::fragment::whole;
use crate::handshake::hello::Random;
use crate::handshake::tests::{Side, received};
use crate::message::HandshakeType;
use crate::{CipherSuite, Group, HashAlgorithm, Version};

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
}

#[test]
fn the_random_of_a_retry_is_a_hash() {
    assert_eq!(hash::hash(HashAlgorithm::Sha256, b"HelloRetryRequest"), RETRY_RANDOM);
}

/// Computed with Python's hmac and hashlib, from the formulas of RFC 8446 §7.1 with the prefix of RFC 9147 §5.9: shared
/// secret 0x07 × 32, transcripts Hash("hello") and Hash("finished").
#[test]
fn the_key_schedule_is_that_of_the_formulas() {
    let suite = CipherSuite::Aes128GcmSha256;
    let hash = |text: &str| hash::hash(suite.hash(), text.as_bytes());
    let secrets = HandshakeSecrets::new(suite, &[7; 32], &hash("hello"));
    let random: Random = [0; 32];
    let line = |line: zeroize::Zeroizing<String>| line.rsplit(' ').next().unwrap().to_owned();
    assert_eq!(
        line(secrets.client.key_log_line("X", &random)),
        "d98368083b3f82e475556ce673c97095e5b6b3b6d5acdd9819440b26577054a5"
    );
    assert_eq!(
        line(secrets.server.key_log_line("X", &random)),
        "8d491d8f62540e054ebb53aa16fa9d37676400f3a1329fbe1e2146dc04047957"
    );
    assert_eq!(
        secrets.client.verify_data(&hash("hello")),
        bytes("430646a71c90db076f68b89b6a16f02c55b6c62bc1887a032ceb330cb4788429")
    );
    let application = secrets.application(&hash("finished"));
    assert_eq!(
        line(application.client.key_log_line("X", &random)),
        "d84d9e59d084530fb4d0e666f94741cc528b952ec9de8b01db38ef035af4b11d"
    );
    assert_eq!(
        line(application.server.key_log_line("X", &random)),
        "31581a546bbe7c58f78a034c3fd4b104a5ded2ef26a860e3a9a01cf28b6f92b1"
    );
    assert_eq!(
        line(application.server.next().key_log_line("X", &random)),
        "0b0bad216091faffa40d6fe73d57ec2da10bd5a14aeb1b614ed311cebd3ba94a"
    );
    assert_eq!(
        line(application.exporter.key_log_line(&random)),
        "67a0b1ba69b82b049bc0f62a4ff39c569163a9246e3f10f098c67835be22760e"
    );
    let mut out = [0; 20];
    application.exporter.export("EXTRACTOR-dtls_srtp", None, &mut out).unwrap();
    assert_eq!(out[..], bytes("0f1ca40992d72b49261b778ea5f39ff5024b7162"));
    application.exporter.export("EXPORTER-x", Some(b"context"), &mut out).unwrap();
    assert_eq!(out[..], bytes("f8869c414bfbc69aa1dceacefe936b5cb1f7af95"));
}

/// The same for SHA-384.
#[test]
fn the_key_schedule_is_that_of_the_formulas_with_sha_384() {
    let suite = CipherSuite::Aes256GcmSha384;
    let hash = |text: &str| hash::hash(suite.hash(), text.as_bytes());
    let secrets = HandshakeSecrets::new(suite, &[7; 64], &hash("hello"));
    assert_eq!(
        secrets.server.verify_data(&hash("hello")),
        bytes("7c07c09d6cf1ef3cde1455bfc7f1c90cb91bca9300083a6fe7e962e0594a098df1c7a3d2b35ea96236d709cd49cc83b0")
    );
    let application = secrets.application(&hash("finished"));
    let mut out = [0; 20];
    application.exporter.export("EXTRACTOR-dtls_srtp", None, &mut out).unwrap();
    assert_eq!(out[..], bytes("b49c45a7569a497a5c28e7e3310376533f688da3"));
}

/// The alert with which `who` refuses a message of this type whose body was changed into this.
fn refusal_by(who: usize, of: HandshakeType, change: impl Fn(&[u8]) -> Vec<u8>) -> AlertDescription {
    let (mut sides, mut to) = (Side::pair(Version::Dtls13, |server| server.groups = vec![Group::X25519]), 1);
    loop {
        let flight = sides[1 - to].flight();
        assert!(!flight.is_empty(), "it is refused");
        for message in flight {
            if message.message_type() != of || to != who {
                sides[to].handle(&message).unwrap();
                continue;
            }
            let changed = received(message.epoch, &whole(of, 0, &change(message.body())));
            return sides[to].handle(&changed).expect_err("it is refused").alert;
        }
        to = 1 - to;
    }
}

/// The same, by the client.
fn refusal(of: HandshakeType, change: impl Fn(&[u8]) -> Vec<u8>) -> AlertDescription {
    refusal_by(0, of, change)
}

/// Row 3 of docs/security.md, and what else a client says of itself.
#[test]
fn what_a_client_says_of_itself_is_proved() {
    let wrong = |body: &[u8]| [&body[..body.len() - 1], &[body[body.len() - 1] ^ 1]].concat();
    let certificate = HandshakeType::CERTIFICATE;
    assert_eq!(refusal_by(1, certificate, |_| vec![0, 0, 0, 0]), AlertDescription::CertificateRequired);
    assert_eq!(refusal_by(1, certificate, |body| [&[1, 7], &body[1..]].concat()), AlertDescription::IllegalParameter);
    let verify = HandshakeType::CERTIFICATE_VERIFY;
    assert_eq!(refusal_by(1, verify, wrong), AlertDescription::DecryptError);
    assert_eq!(refusal_by(1, verify, |body| [&[8, 7], &body[2..]].concat()), AlertDescription::IllegalParameter);
    for change in [wrong, |body: &[u8]| body[..31].to_vec(), |_: &[u8]| vec![]] {
        assert_eq!(refusal_by(1, HandshakeType::FINISHED, change), AlertDescription::DecryptError);
    }
}

#[test]
fn protected_messages_that_say_what_they_must_not_are_refused() {
    let request = HandshakeType::CERTIFICATE_REQUEST;
    let requested = |extension: &[u8]| {
        refusal(request, |_| [&[0, 0, 8 + extension.len() as u8, 0, 13, 0, 4, 0, 2, 4, 3][..], extension].concat())
    };
    // Of other messages: use_srtp, supported_versions, cookie, key_share, supported_groups.
    for number in [14, 43, 44, 51, 10] {
        assert_eq!(requested(&[0, number, 0, 0]), AlertDescription::IllegalParameter, "{number}");
    }
    assert_eq!(requested(&[0, 13, 0, 4, 0, 2, 4, 3]), AlertDescription::DecodeError, "twice");
    assert_eq!(requested(&[0, 47, 0, 2, 0, 0]), AlertDescription::DecodeError, "no authority");
    assert_eq!(refusal(request, |_| vec![0, 0, 0]), AlertDescription::MissingExtension);
    assert_eq!(refusal(request, |_| vec![0, 0, 8, 0, 13, 0, 4, 0, 2, 8, 7]), AlertDescription::HandshakeFailure);
    let with_context = |body: &[u8]| [&[1, 7], &body[1..]].concat();
    assert_eq!(refusal(request, with_context), AlertDescription::IllegalParameter);

    let certificate = HandshakeType::CERTIFICATE;
    assert_eq!(refusal(certificate, with_context), AlertDescription::IllegalParameter);
    assert_eq!(refusal(certificate, |_| vec![0, 0, 0, 0]), AlertDescription::DecodeError, "a server without one");
    let with_extension = |body: &[u8]| {
        let len = (body.len() as u32).to_be_bytes();
        [&[0][..], &len[1..], &body[4..body.len() - 2], &[0, 4, 0, 5, 0, 0]].concat()
    };
    assert_eq!(refusal(certificate, with_extension), AlertDescription::UnsupportedExtension);

    // Not offered: SHA-1, PKCS #1 in 1.3. Offered, but not for the key: Ed25519, P-384, PSS. Right, and a wrong signature.
    let verify = HandshakeType::CERTIFICATE_VERIFY;
    for scheme in [[2, 3], [4, 1], [8, 7], [5, 3], [8, 4]] {
        let signed = |body: &[u8]| [&scheme, &body[2..]].concat();
        assert_eq!(refusal(verify, signed), AlertDescription::IllegalParameter, "{scheme:?}");
    }
    let wrong = |body: &[u8]| [&body[..body.len() - 1], &[body[body.len() - 1] ^ 1]].concat();
    assert_eq!(refusal(verify, wrong), AlertDescription::DecryptError);
    assert_eq!(refusal(HandshakeType::FINISHED, wrong), AlertDescription::DecryptError);
    assert_eq!(refusal(HandshakeType::FINISHED, |body| body[..31].to_vec()), AlertDescription::DecryptError);

    let extensions = HandshakeType::ENCRYPTED_EXTENSIONS;
    let said = |extension: &[u8]| refusal(extensions, |_| [&[0, extension.len() as u8][..], extension].concat());
    for (name, extension, alert) in [
        ("a profile not offered", &[0, 14, 0, 5, 0, 2, 0, 2, 0][..], AlertDescription::IllegalParameter),
        ("two profiles", &[0, 14, 0, 7, 0, 4, 0, 7, 0, 1, 0], AlertDescription::IllegalParameter),
        ("an MKI", &[0, 14, 0, 6, 0, 2, 0, 7, 1, 9], AlertDescription::IllegalParameter),
        ("ALPN, which nobody offered", &[0, 16, 0, 3, 0, 1, 0], AlertDescription::UnsupportedExtension),
        ("a version", &[0, 43, 0, 2, 0xFE, 0xFC], AlertDescription::IllegalParameter),
        ("a share", &[0, 51, 0, 5, 0, 29, 0, 1, 7], AlertDescription::IllegalParameter),
        ("a cookie", &[0, 44, 0, 3, 0, 1, 7], AlertDescription::UnsupportedExtension),
        ("one twice", &[0, 10, 0, 4, 0, 2, 0, 29, 0, 10, 0, 4, 0, 2, 0, 29], AlertDescription::DecodeError),
    ] {
        assert_eq!(said(extension), alert, "{name}");
    }
}
