//! Row 8 of docs/security.md: every message cut at every byte, and each length of it changed.

use super::extension::{
    Extensions, ec_point_formats, extended_master_secret, renegotiation_info, signature_algorithms, supported_groups,
    supported_versions, use_srtp,
};
use super::*;
use crate::Version;
use crate::codec::{Length, Numbers, put_vec};
use crate::config::{Config, Role};
use crate::error::DecodeError;
use crate::handshake::hello::{self, Selection};
use std::sync::Arc;
use std::time::Duration;
use wigwag_sansio::Seed;

fn config() -> Config {
    let certificate = crate::Certificate::generate(Duration::from_secs(1_790_000_000), Seed::for_test(1)).unwrap();
    let mut config = Config::new(Role::Client, Arc::new(certificate));
    config.max_version = Version::Dtls12;
    config
}

const fn offer() -> hello::Offer<'static> {
    hello::Offer { random: [1; 32], legacy_cookie: &[2; 20], cookie: None, shares: &[] }
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

/// A ClientHello as browsers send it: 1.3 before 1.2, a share of a post-quantum group that makes it longer than a
/// datagram, values that nobody knows (RFC 8701), no session.
pub(crate) fn browser_hello() -> Vec<u8> {
    let mut extensions = Vec::new();
    let mut put = |number: u16, data: &[u8]| extension::put(&mut extensions, number, |out| out.extend_from_slice(data));
    put(0x5A5A, &[]);
    put(use_srtp::NUMBER, &[0, 6, 0, 1, 0, 8, 0, 7, 0]);
    put(51, &[0x7A; 1216 + 50]);
    put(ec_point_formats::NUMBER, &[1, 0]);
    put(supported_versions::NUMBER, &[6, 0x4A, 0x4A, 0xFE, 0xFC, 0xFE, 0xFD]);
    put(signature_algorithms::NUMBER, &[0, 8, 4, 3, 8, 4, 4, 1, 5, 3]);
    put(extended_master_secret::NUMBER, &[]);
    put(supported_groups::NUMBER, &[0, 10, 0x3A, 0x3A, 0x11, 0xEC, 0, 29, 0, 23, 0, 24]);
    put(35, &[]);
    put(renegotiation_info::NUMBER, &[0]);
    put(0x1A1A, &[0]);
    let suites = [0x2A, 0x2A, 0x13, 1, 0x13, 3, 0xCC, 0xA9, 0xC0, 0x2B, 0xC0, 0x2F, 0, 0x9C];
    let hello = ClientHello {
        version: 0xFEFD,
        random: [9; 32],
        session_id: &[],
        cookie: &[],
        cipher_suites: Numbers::new(&suites).unwrap(),
        compression_methods: &[0],
        extensions: Extensions::written(&extensions),
    };
    written(|out| hello.encode(out))
}

/// A HelloRetryRequest, which is a ServerHello.
fn v13_hello(out: &mut Vec<u8>) {
    let (cipher_suite, group) = (crate::CipherSuite::Aes128GcmSha256, Some(crate::Group::X25519));
    crate::v13::hello::write_retry(&crate::handshake::first_flight::Retry { cipher_suite, group }, Some(&[7; 40]), out);
}

/// A body of each message, and whether bytes decode as one.
type Decode = fn(&[u8]) -> bool;

fn samples() -> Vec<(&'static str, Vec<u8>, Decode)> {
    let config = config();
    let browser = browser_hello();
    let selection = Selection::new(&ClientHello::decode(&browser).unwrap(), &config).unwrap();
    let certificate = config.certificate.der();
    let key_exchange = ServerKeyExchange { group: 29, public_key: &[7; 32], scheme: 0x0403, signature: &[8; 70] };
    let schemes = Numbers::new(&[4, 3]).unwrap();
    let request = CertificateRequest { certificate_types: &[64], signature_algorithms: schemes };
    let (mut srtp, mut algorithms) = (Vec::new(), Vec::new());
    use_srtp::encode(&config.srtp_profiles, &mut srtp);
    signature_algorithms::encode(crate::crypto::signature::SignatureScheme::ALL, &mut algorithms);
    let client_hello: Decode = |body| ClientHello::decode(body).is_ok();
    vec![
        ("ClientHello", written(|out| hello::write_client_hello(&offer(), &config, out)), client_hello),
        ("ClientHello of a browser", browser, client_hello),
        ("ServerHello", written(|out| selection.write_server_hello([3; 32], out)), |body| {
            ServerHello::decode(body).is_ok()
        }),
        ("HelloVerifyRequest", vec![0xFE, 0xFF, 2, 5, 6], |body| HelloVerifyRequest::decode(body).is_ok()),
        ("Certificate", written(|out| Certificate { chain: vec![certificate; 2] }.encode(out)), |body| {
            Certificate::decode(body).is_ok()
        }),
        ("ServerKeyExchange", written(|out| key_exchange.encode(out)), |body| ServerKeyExchange::decode(body).is_ok()),
        ("CertificateRequest", written(|out| request.encode(out)), |body| CertificateRequest::decode(body).is_ok()),
        ("ClientKeyExchange", written(|out| ClientKeyExchange { public_key: &[7; 32] }.encode(out)), |body| {
            ClientKeyExchange::decode(body).is_ok()
        }),
        ("ServerHello of 1.3", written(v13_hello), |body| ServerHello::decode(body).is_ok()),
        (
            "EncryptedExtensions",
            written(|out| EncryptedExtensions { extensions: Extensions::written(&srtp) }.encode(out)),
            |body| EncryptedExtensions::decode(body).is_ok(),
        ),
        (
            "CertificateRequest of 1.3",
            written(|out| {
                CertificateRequest13 { context: &[], extensions: Extensions::written(&algorithms) }.encode(out);
            }),
            |body| CertificateRequest13::decode(body).is_ok(),
        ),
        (
            "Certificate of 1.3",
            written(|out| {
                Certificate13 { context: &[1, 2], chain: vec![certificate; 2], has_extensions: false }.encode(out);
            }),
            |body| Certificate13::decode(body).is_ok(),
        ),
        (
            "NewSessionTicket",
            written(|out| NewSessionTicket { lifetime: 1, age_add: 2, nonce: &[3], ticket: &[4; 9] }.encode(out)),
            |body| NewSessionTicket::decode(body).is_ok(),
        ),
        ("KeyUpdate", vec![1], |body| KeyUpdate::decode(body).is_ok()),
        (
            "CertificateVerify",
            written(|out| CertificateVerify { scheme: 0x0403, signature: &[8; 70] }.encode(out)),
            |body| CertificateVerify::decode(body).is_ok(),
        ),
    ]
}

#[test]
fn every_message_decodes_whole_and_neither_cut_nor_with_more() {
    for (name, body, decode) in samples() {
        assert!(decode(&body), "{name}");
        let without_extensions = match name {
            "ClientHello" => 2 + 32 + 1 + 21 + (2 + 2 * config().suites(Version::Dtls12).count()) + 2,
            "ClientHello of a browser" => 2 + 32 + 1 + 1 + 16 + 2,
            "ServerHello" | "ServerHello of 1.3" => 2 + 32 + 1 + 2 + 1,
            _ => usize::MAX,
        };
        for len in (0..body.len()).filter(|len| *len != without_extensions) {
            assert!(!decode(&body[..len]), "{name} cut to {len}");
        }
        assert!(!decode(&[&body[..], &[0]].concat()), "{name} with a byte more");
    }
}

/// Not each byte is a length, so each is taken for one.
#[test]
fn no_changed_byte_or_length_makes_a_panic() {
    let config = config();
    for (name, body, decode) in samples() {
        for at in 0..body.len().min(400) {
            for value in [0, body[at].wrapping_sub(1), body[at].wrapping_add(1), 0x7F, 0x80, 0xFF] {
                let mut changed = body.clone();
                changed[at] = value;
                decode(&changed);
                if let (true, Ok(hello)) = (name.starts_with("ClientHello"), ClientHello::decode(&changed)) {
                    let _ = Selection::new(&hello, &config);
                }
                if let ("ServerHello", Ok(hello)) = (name, ServerHello::decode(&changed)) {
                    let _ = hello::Answer::new(&hello, &config);
                }
            }
        }
    }
}

#[test]
fn a_browser_that_prefers_1_3_is_answered_with_1_2_and_without_a_mark() {
    let (config, browser) = (config(), browser_hello());
    assert!(browser.len() > 1200);
    let selection = Selection::new(&ClientHello::decode(&browser).unwrap(), &config).unwrap();
    assert_eq!(selection.srtp_profile, Some(crate::SrtpProfile::AeadAes128Gcm));
    let answer = written(|out| selection.write_server_hello([3; 32], out));
    let answer = ServerHello::decode(&answer).unwrap();
    assert_eq!((answer.version, answer.cipher_suite, answer.session_id), (0xFEFD, 0xC02B, &[][..]));
    let extensions: Vec<u16> = answer.extensions.iter().map(|(number, _)| number).collect();
    assert_eq!(extensions, [23, 0xFF01, 11, 14]);
    assert!(hello::Answer::new(&answer, &config).is_ok());
}

#[test]
fn a_browser_that_wants_1_3_only_is_refused() {
    let mut browser = browser_hello();
    let at = browser.windows(2).position(|pair| pair == [0xFE, 0xFC]).unwrap();
    browser[at + 3] = 0xFC;
    let refused = Selection::new(&ClientHello::decode(&browser).unwrap(), &config()).unwrap_err();
    assert_eq!(refused.alert, crate::AlertDescription::ProtocolVersion);
}

#[test]
fn an_extension_that_comes_twice_does_not_decode() {
    let mut extensions = Vec::new();
    extended_master_secret::encode(&mut extensions);
    extended_master_secret::encode(&mut extensions);
    let bytes = written(|out| put_vec(out, Length::U16, |out| out.extend_from_slice(&extensions)));
    assert_eq!(Extensions::decode_optional(&mut crate::codec::Reader::new(&bytes)), Err(DecodeError));
}

#[test]
fn a_server_that_answers_what_was_not_offered_is_refused() {
    let config = config();
    let answer = |extra: &dyn Fn(&mut Vec<u8>), profiles: &[crate::SrtpProfile]| {
        let mut extensions = Vec::new();
        extended_master_secret::encode(&mut extensions);
        extra(&mut extensions);
        let hello = ServerHello {
            version: 0xFEFD,
            random: [0; 32],
            session_id: &[1; 32],
            cipher_suite: 0xC02B,
            compression_method: 0,
            extensions: Extensions::written(&extensions),
        };
        let config = Config { srtp_profiles: profiles.to_vec(), ..config.clone() };
        hello::Answer::new(&hello, &config).map(|answer| answer.srtp_profile).map_err(|failure| failure.alert)
    };
    use crate::AlertDescription::{HandshakeFailure, IllegalParameter, UnsupportedExtension};
    let all = &config.srtp_profiles;
    let put = |out: &mut Vec<u8>, number, data: &[u8]| extension::put(out, number, |out| out.extend_from_slice(data));
    assert_eq!(answer(&|_| {}, all), Ok(None));
    assert_eq!(answer(&|out| use_srtp::encode(&all[1..2], out), all), Ok(Some(all[1])));
    assert_eq!(answer(&|out| use_srtp::encode(&all[1..2], out), &all[..1]), Err(IllegalParameter));
    assert_eq!(answer(&|out| use_srtp::encode(all, out), all), Err(IllegalParameter), "two");
    assert_eq!(answer(&|out| put(out, 14, &[0, 2, 0, 1, 1, 9]), all), Err(IllegalParameter), "an MKI");
    assert_eq!(answer(&|out| use_srtp::encode(all, out), &[]), Err(UnsupportedExtension));
    assert_eq!(answer(&|out| put(out, 35, &[]), all), Err(UnsupportedExtension), "a session ticket");
    assert_eq!(answer(&|out| put(out, 0xFF01, &[1, 7]), all), Err(HandshakeFailure));
}

#[test]
fn an_mki_that_is_offered_is_not_answered() {
    let mut browser = browser_hello();
    let at = browser.windows(9).position(|data| data == [0, 6, 0, 1, 0, 8, 0, 7, 0]).unwrap();
    // Two profiles, and the third becomes an MKI of one byte.
    browser[at..at + 9].copy_from_slice(&[0, 4, 0, 1, 0, 7, 2, 1, 2]);
    let selection = Selection::new(&ClientHello::decode(&browser).unwrap(), &config()).unwrap();
    let answer = written(|out| selection.write_server_hello([3; 32], out));
    assert_eq!(ServerHello::decode(&answer).unwrap().extensions.find(14), Some(&[0, 2, 0, 7, 0][..]));
}

/// What servers of 1.3 may say in a ServerHello, and whose fault it is if they do not.
#[test]
fn a_server_of_1_3_that_answers_what_was_not_offered_is_refused() {
    use crate::AlertDescription::{IllegalParameter, UnsupportedExtension};
    use crate::v13::hello::Answer;
    let mut config = config();
    (config.min_version, config.max_version) = (Version::Dtls13, Version::Dtls13);
    config.srtp_profiles.clear();
    let answer = |change: &dyn Fn(&mut ServerHello<'_>), extra: &[u16]| {
        let mut extensions = Vec::new();
        supported_versions::encode_server(Version::Dtls13, &mut extensions);
        extra.iter().for_each(|number| extension::put(&mut extensions, *number, |_| {}));
        let mut hello = ServerHello {
            version: 0xFEFD,
            random: [0; 32],
            session_id: &[],
            cipher_suite: 0x1301,
            compression_method: 0,
            extensions: Extensions::written(&extensions),
        };
        change(&mut hello);
        let expected = [supported_versions::NUMBER, extension::key_share::NUMBER];
        Answer::new(&hello, &expected, &config).map(|answer| answer.cipher_suite).map_err(|failure| failure.alert)
    };
    assert_eq!(answer(&|_| {}, &[51]), Ok(crate::CipherSuite::Aes128GcmSha256));
    assert_eq!(answer(&|hello| hello.version = 0xFEFC, &[]), Err(IllegalParameter));
    assert_eq!(answer(&|hello| hello.session_id = &[7; 32], &[]), Err(IllegalParameter));
    assert_eq!(answer(&|hello| hello.compression_method = 1, &[]), Err(IllegalParameter));
    assert_eq!(answer(&|hello| hello.cipher_suite = 0xC02B, &[]), Err(IllegalParameter), "of 1.2");
    assert_eq!(answer(&|_| {}, &[10]), Err(IllegalParameter), "offered, but not for here");
    for number in [0, 14, 16, 23, 35, 41, 44, 0xFF01, 0x5A5A] {
        assert_eq!(answer(&|_| {}, &[number]), Err(UnsupportedExtension), "{number}");
    }
}

/// What a server of 1.3 wants of a ClientHello.
#[test]
fn a_hello_of_1_3_without_what_it_needs_is_refused() {
    use crate::AlertDescription::{DecodeError, HandshakeFailure, IllegalParameter, MissingExtension};
    use crate::v13::hello::Selection;
    let mut config = config();
    (config.min_version, config.max_version) = (Version::Dtls13, Version::Dtls13);
    let share = extension::key_share::Share { group: 29, key_exchange: &[9; 32] };
    let parts: [(u16, Vec<u8>); 4] = [
        (43, vec![2, 0xFE, 0xFC]),
        (10, vec![0, 2, 0, 29]),
        (13, vec![0, 2, 4, 3]),
        (51, written(|out| extension::key_share::encode_client(&[share], out))[4..].to_vec()),
    ];
    let select = |change: &dyn Fn(&mut ClientHello<'_>), replaced: u16, data: Option<&[u8]>| {
        let mut extensions = Vec::new();
        for (number, genuine) in &parts {
            let data = if *number == replaced { data } else { Some(&genuine[..]) };
            if let Some(data) = data {
                extension::put(&mut extensions, *number, |out| out.extend_from_slice(data));
            }
        }
        let mut hello = ClientHello {
            version: 0xFEFD,
            random: [9; 32],
            session_id: &[],
            cookie: &[],
            cipher_suites: Numbers::new(&[0x13, 3, 0x13, 1]).unwrap(),
            compression_methods: &[0],
            extensions: Extensions::written(&extensions),
        };
        change(&mut hello);
        Selection::new(&hello, &config).map(|selection| selection.share.is_some()).map_err(|failure| failure.alert)
    };
    assert_eq!(select(&|_| {}, 0, None), Ok(true));
    assert_eq!(select(&|hello| hello.session_id = &[1; 32], 0, None), Ok(true), "it is not echoed");
    assert_eq!(select(&|_| {}, 51, Some(&[0, 0])), Ok(false), "another hello is asked for");
    for number in [10, 13, 51] {
        assert_eq!(select(&|_| {}, number, None), Err(MissingExtension), "{number}");
        assert_eq!(select(&|_| {}, number, Some(&[0])), Err(DecodeError), "{number}");
    }
    assert_eq!(select(&|_| {}, 10, Some(&[0, 2, 0, 99])), Err(HandshakeFailure));
    assert_eq!(select(&|_| {}, 13, Some(&[0, 2, 8, 4])), Err(HandshakeFailure));
    let double = written(|out| extension::key_share::encode_client(&[share, share], out))[4..].to_vec();
    assert_eq!(select(&|_| {}, 51, Some(&double)), Err(IllegalParameter));
    assert_eq!(select(&|_| {}, 51, Some(&[0, 4, 0, 29, 0, 0])), Err(DecodeError), "an empty share");
    assert_eq!(select(&|hello| hello.cookie = &[1], 0, None), Err(IllegalParameter));
    assert_eq!(select(&|hello| hello.compression_methods = &[1, 0], 0, None), Err(IllegalParameter));
    let suites = Numbers::new(&[0xC0, 0x2B]).unwrap();
    assert_eq!(select(&|hello| hello.cipher_suites = suites, 0, None), Err(HandshakeFailure));
}
