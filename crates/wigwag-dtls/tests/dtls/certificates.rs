//! Certificates of each kind, on either side.

use crate::common::{A, Pair, Z, as_it_is, configs};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;
use wigwag_dtls::{AlertDescription, Certificate, CloseReason, Config, Error, HashAlgorithm, SignatureScheme, Signer};
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
