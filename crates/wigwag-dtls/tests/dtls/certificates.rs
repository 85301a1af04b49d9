//! Certificates of each kind, on either side.

use crate::common::{A, Pair, Z, as_it_is, configs, configs_of};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;
use wigwag_dtls::{
    AlertDescription, Certificate, ClientAuthentication, CloseReason, Config, Error, HashAlgorithm, SignatureScheme,
    Signer, Verifier, Version,
};
use wigwag_sansio::Seed;

const LIMIT: Duration = Duration::from_secs(100);
const NOW: Duration = Duration::from_secs(1_790_000_000);

macro_rules! pem {
    ($($name:literal),*) => { [$(($name, include_str!(concat!("certificates/", $name, ".pem")))),*] };
}

fn from_pem(pem: &str) -> Result<Certificate, Error> {
    Certificate::from_pem(pem, pem)
}

/// `who` has this certificate, and the other knows its fingerprint.
fn with_certificate(who: usize, certificate: Certificate, hash: HashAlgorithm) -> [Config; 2] {
    let mut configs = configs();
    configs[1 - who].remote_fingerprints = vec![certificate.fingerprint(hash)];
    configs[who].certificate = Arc::new(certificate);
    configs
}

fn connected(who: usize, certificate: Certificate, hash: HashAlgorithm) -> Pair {
    let mut pair = Pair::with(with_certificate(who, certificate, hash), 1);
    pair.run(LIMIT, as_it_is);
    pair.assert_alive();
    pair
}

#[test]
fn each_kind_of_certificate_works_on_both_sides_with_each_hash() {
    let hashes = [HashAlgorithm::Sha256, HashAlgorithm::Sha384, HashAlgorithm::Sha512];
    let kinds = pem!["p256", "p384", "ed25519", "rsa2048", "rsa4096"];
    for (i, (name, pem)) in kinds.into_iter().enumerate() {
        for who in [A, Z] {
            let pair = connected(who, from_pem(pem).unwrap(), hashes[i % 3]);
            let suite = pair.peers[A].cipher_suite().unwrap().to_string();
            assert_eq!(suite.contains("ECDHE_RSA"), who == Z && name.starts_with("rsa"), "{name}: {suite}");
        }
    }
}

/// In DTLS 1.2 the number of a signature names a hash, in 1.3 a curve with it.
#[test]
fn a_peer_that_verifies_one_hash_of_ecdsa_gets_it_from_a_key_of_either_curve_in_1_2() {
    let others = [SignatureScheme::EcdsaSecp384r1Sha384, SignatureScheme::EcdsaSecp256r1Sha256];
    for ((name, pem), other) in pem!["p256", "p384"].into_iter().zip(others) {
        for (version, works) in [(Version::Dtls12, true), (Version::Dtls13, false)] {
            for who in [A, Z] {
                let mut configs = with_certificate(who, from_pem(pem).unwrap(), HashAlgorithm::Sha256);
                for config in &mut configs {
                    (config.min_version, config.max_version) = (version, version);
                }
                configs[1 - who].signature_schemes = vec![other];
                let mut pair = Pair::with(configs, 1);
                pair.run(LIMIT, as_it_is);
                assert_eq!(pair.connected, [works; 2], "{name} {version:?} {who}: {:?}", pair.closed);
            }
        }
    }
}

/// As BoringSSL does: a client that has a certificate does not become anybody without being asked.
#[test]
fn a_client_whose_certificate_the_server_does_not_take_gives_up_and_says_so() {
    for version in [Version::Dtls12, Version::Dtls13] {
        for authentication in [ClientAuthentication::Required, ClientAuthentication::Requested] {
            let mut configs = configs_of(version);
            configs[Z].signature_schemes = vec![SignatureScheme::Ed25519, SignatureScheme::RsaPssRsaeSha256];
            configs[Z].client_authentication = authentication;
            let mut pair = Pair::with(configs, 1);
            pair.run(LIMIT, as_it_is);
            let alert = AlertDescription::HandshakeFailure;
            let why = "the server does not take our certificate";
            assert_eq!(pair.closed, [Some(CloseReason::Refused { alert, why }), Some(CloseReason::Alert(alert))]);
        }
    }
}

#[test]
fn keys_that_prove_too_little_or_that_nobody_verifies_are_refused() {
    for (name, pem) in pem!["rsa1024", "p521"] {
        assert_eq!(from_pem(pem).map(|_| ()), Err(Error::InvalidKey), "{name}");
        let [(_, other)] = pem!["p256"];
        assert_eq!(Certificate::from_pem(pem, other).map(|_| ()), Err(Error::InvalidCertificate), "{name}");
    }
    let [(_, a), (_, z)] = pem!["rsa2048", "rsa4096"];
    assert_eq!(Certificate::from_pem(a, z).map(|_| ()), Err(Error::KeyMismatch));
    for text in ["", "-----BEGIN CERTIFICATE-----", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----"] {
        assert_eq!(Certificate::from_pem(text, a).map(|_| ()), Err(Error::InvalidCertificate));
        assert_eq!(Certificate::from_pem(a, text).map(|_| ()), Err(Error::InvalidKey));
    }
}

/// The bytes of the only block of a text in PEM.
fn der(pem: &str) -> Vec<u8> {
    pem_rfc7468::decode_vec(pem.as_bytes()).expect("a block").1
}

#[test]
fn a_key_is_read_in_the_form_that_its_kind_has_and_comes_back_in_pkcs8() {
    let others = pem!["p256-sec1", "p384-sec1", "rsa2048-pkcs1"];
    for ((name, pem), (_, key)) in pem!["p256", "p384", "rsa2048"].into_iter().zip(others) {
        let pkcs8 = from_pem(pem).unwrap().private_key().unwrap();
        let of_pem = Certificate::from_pem(pem, key).unwrap();
        let of_der = Certificate::from_der(of_pem.der(), &der(key)).unwrap();
        for certificate in [of_pem, of_der] {
            assert_eq!(certificate.private_key().unwrap().secret_bytes(), pkcs8.secret_bytes(), "{name}");
        }
    }
    // What `openssl ecparam -genkey` writes has the curve before the key.
    let [(_, pem)] = pem!["p256"];
    let [(_, key), ..] = others;
    let curve = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
    assert!(Certificate::from_pem(pem, &format!("{curve}{key}")).is_ok());
    let [(_, other)] = pem!["p384"];
    assert_eq!(Certificate::from_pem(other, key).map(|_| ()), Err(Error::KeyMismatch));
}

/// Believes nobody but who shows this.
#[derive(Debug)]
struct Shown(Vec<Vec<u8>>);

impl Verifier for Shown {
    fn verify(&self, certificate: &[u8], intermediates: &[&[u8]]) -> Result<(), AlertDescription> {
        let is_shown = std::iter::once(&certificate).chain(intermediates).eq(&self.0);
        if is_shown { Ok(()) } else { Err(AlertDescription::UnknownCa) }
    }
}

#[test]
fn a_verifier_is_shown_the_whole_chain_in_its_order_and_a_fingerprint_is_of_the_first() {
    let texts = pem!["p256", "rsa2048", "p384"].map(|(_, pem)| pem);
    let chain = texts.map(|pem| from_pem(pem).unwrap().der().to_vec());
    for version in [Version::Dtls12, Version::Dtls13] {
        for who in [A, Z] {
            let certificate = from_pem(&texts.concat()).unwrap();
            assert_eq!((certificate.der(), certificate.intermediates()), (&*chain[0], &chain[1..]));
            let mut configs = with_certificate(who, certificate, HashAlgorithm::Sha256);
            for config in &mut configs {
                (config.min_version, config.max_version) = (version, version);
            }
            let mut by_fingerprint = Pair::with(configs.clone(), 1);
            by_fingerprint.run(LIMIT, as_it_is);
            by_fingerprint.assert_alive();
            assert_eq!(by_fingerprint.peers[1 - who].peer_certificate_der(), Some(&*chain[0]));
            for (shown, is_believed) in [(chain.to_vec(), true), (chain[..2].to_vec(), false)] {
                configs[1 - who].verifier = Some(Arc::new(Shown(shown)));
                let mut pair = Pair::with(configs.clone(), 1);
                pair.run(LIMIT, as_it_is);
                assert_eq!(pair.connected[1 - who], is_believed, "{:?}", pair.closed);
            }
        }
    }
}

/// The certificate with another signature, of so many bytes, which proves nothing.
fn signed_with(pem: &str, signature_len: usize) -> Vec<u8> {
    let certificate = from_pem(pem).expect("it is ours");
    // SEQUENCE { SEQUENCE (what is signed), SEQUENCE (how), BIT STRING }, the first two of 256 bytes and more.
    let der = certificate.der();
    let signed_len = 4 + usize::from(u16::from_be_bytes([der[6], der[7]]));
    let how_len = 2 + usize::from(der[4 + signed_len + 1]);
    let header =
        |tag: u8, len: usize| [&[tag, 0x82][..], &u16::try_from(len).expect("it is short").to_be_bytes()].concat();
    let signature = [header(3, 1 + signature_len), vec![0; 1 + signature_len]].concat();
    let content = [&der[4..4 + signed_len + how_len], &signature].concat();
    [header(0x30, content.len()), content].concat()
}

#[test]
fn a_chain_is_made_of_certificates_and_no_longer_than_others_take() {
    let [(_, leaf), (_, other)] = pem!["p256", "rsa2048"];
    let der = from_pem(other).unwrap().der().to_vec();
    let with = |chain: Vec<Vec<u8>>| from_pem(leaf).unwrap().with_intermediates(chain).map(|_| ());
    assert_eq!(with(vec![der.clone(); 3]), Ok(()));
    assert_eq!(with(vec![]), Ok(()));
    for bad in [b"no certificate".to_vec(), [&*der, &[0]].concat(), der[1..].to_vec(), vec![]] {
        assert_eq!(with(vec![der.clone(), bad]), Err(Error::InvalidCertificate));
    }
    let too_long = Err(Error::ChainTooLong);
    assert_eq!(with(vec![der; 32 * 1024 / 500]), too_long);
    let short = signed_with(leaf, 1);
    assert_eq!(with(vec![short.clone(); 99]), Ok(()));
    assert_eq!(with(vec![short; 100]), too_long);
    let long = signed_with(leaf, 40_000);
    let key = from_pem(leaf).unwrap().private_key().unwrap();
    let module = Arc::new(Module { asked: AtomicU16::default(), answer: None });
    assert_eq!(Certificate::from_der(&long, key.secret_bytes()).map(|_| ()), too_long);
    assert_eq!(Certificate::with_signer(&long, module).map(|_| ()), too_long);
    let torn = format!("{leaf}-----BEGIN CERTIFICATE-----\nMII!\n-----END CERTIFICATE-----\n");
    assert_eq!(from_pem(&torn).map(|_| ()), Err(Error::InvalidCertificate));
}

#[test]
fn an_rsa_certificate_is_made_on_request_and_comes_back_from_its_der() {
    let certificate = Certificate::generate_rsa(NOW, Seed::for_test(7)).unwrap();
    let key = certificate.private_key().unwrap();
    let again = Certificate::from_der(certificate.der(), key.secret_bytes()).unwrap();
    assert_eq!(again.der(), certificate.der());
    assert_eq!(Certificate::generate_rsa(NOW, Seed::for_test(7)).unwrap().der(), certificate.der());
    connected(Z, again, HashAlgorithm::Sha256);
}

/// A security module that remembers what it was asked for.
struct Module {
    /// The scheme, by its number.
    asked: AtomicU16,
    answer: Option<Vec<u8>>,
}

impl Signer for Module {
    fn sign(&self, scheme: SignatureScheme, _message: &[u8]) -> Option<Vec<u8>> {
        self.asked.store(scheme.wire(), Ordering::Relaxed);
        self.answer.clone()
    }
}

fn ending(answer: Option<Vec<u8>>) -> ([Option<CloseReason>; 2], u16) {
    let [(_, pem)] = pem!["p384"];
    let module = Arc::new(Module { asked: AtomicU16::default(), answer });
    let certificate = from_pem(pem).expect("it is ours");
    let certificate = Certificate::with_signer(certificate.der(), module.clone()).expect("it is ours");
    assert!(certificate.private_key().is_none());
    let mut pair = Pair::with(with_certificate(A, certificate, HashAlgorithm::Sha256), 1);
    pair.run(LIMIT, as_it_is);
    let asked = module.asked.load(Ordering::Relaxed);
    (pair.closed, asked)
}

#[test]
fn a_signer_that_refuses_or_signs_something_else_ends_the_handshake() {
    let (closed, asked) = ending(None);
    let refused = AlertDescription::InternalError;
    assert!(matches!(closed[A], Some(CloseReason::Refused { alert, .. }) if alert == refused), "{closed:?}");
    assert_eq!(asked, SignatureScheme::EcdsaSecp384r1Sha384.wire());
    let (closed, _) = ending(Some(vec![7; 100]));
    let refused = AlertDescription::DecryptError;
    assert!(matches!(closed[Z], Some(CloseReason::Refused { alert, .. }) if alert == refused), "{closed:?}");
}
