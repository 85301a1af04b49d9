//! Our own certificate (RFC 8827 §6.5, RFC 8122 §5.1).

use crate::crypto::signature::SigningKey;
use crate::crypto::{pem, x509};
use crate::error::Error;
use crate::handshake::fragment::MESSAGE_LEN_MAX;
use crate::message::certificate::CHAIN_LEN_MAX;
use crate::{Fingerprint, HashAlgorithm, SignatureScheme};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use wigwag_sansio::{Rng, Seed};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// How private keys are called in PEM (RFC 7468 §10, RFC 5915 §4; that of PKCS #1 is a custom).
const PEM_LABELS: [&str; 3] = ["PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"];
/// The longest chain, in bytes, behind a message's context and its own length.
const CHAIN_BYTES_MAX: usize = MESSAGE_LEN_MAX - 1 - 3;

/// A certificate with its private key, shared by connections in an `Arc`.
///
/// Nobody has to have signed it for us: the peer knows it by its [fingerprint](Self::fingerprint), which comes by
/// signalling.
pub struct Certificate {
    der: Vec<u8>,
    intermediates: Vec<Vec<u8>>,
    key: SigningKey,
}

/// A private key that somebody else keeps: a security module, a service.
///
/// It is asked while a handshake message is handled, which waits for the answer.
pub trait Signer: Send + Sync {
    /// The signature of `message`, which is not hashed yet, as `scheme` says; or `None`, and the handshake fails with
    /// `internal_error`. Asked for schemes of the certificate's key only. In DTLS 1.2 those of ECDSA name a hash, and the curve is
    /// the key's: one of P-384 may be asked for [`SignatureScheme::EcdsaSecp256r1Sha256`], which then is its signature with SHA-256.
    fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Option<Vec<u8>>;
}

impl Certificate {
    /// Makes a key of P-256 and a certificate for it, valid from a day before `now`, the time since 1970, for 30 days.
    ///
    /// Peers of WebRTC compare fingerprints and do not look at the dates, as we do not. The same time and seed make the same
    /// certificate, with every backend.
    ///
    /// # Errors
    /// [`Error::InvalidTime`] if a certificate cannot tell that time.
    #[expect(clippy::needless_pass_by_value, reason = "a seed is used once")]
    pub fn generate(now: Duration, seed: Seed) -> Result<Self, Error> {
        let key = SigningKey::generate_p256(&mut Rng::new(seed.fork("key"))).ok_or(Error::InvalidKey)?;
        Self::self_signed(key, now, &seed)
    }

    /// The same with an RSA key of 2048 bits, for peers that know nothing else. It takes a second to make, and its
    /// signatures a hundred times as long as those of P-256.
    ///
    /// # Errors
    /// As [`generate`](Self::generate).
    #[expect(clippy::needless_pass_by_value, reason = "a seed is used once")]
    pub fn generate_rsa(now: Duration, seed: Seed) -> Result<Self, Error> {
        let key = SigningKey::generate_rsa(&mut Rng::new(seed.fork("key"))).ok_or(Error::InvalidKey)?;
        Self::self_signed(key, now, &seed)
    }

    fn self_signed(key: SigningKey, now: Duration, seed: &Seed) -> Result<Self, Error> {
        let serial = Rng::new(seed.fork("serial number")).bytes();
        let der = x509::self_signed(&key, serial, now, &mut Rng::new(seed.fork("signature")))?;
        Ok(Self { der, intermediates: Vec::new(), key })
    }

    /// A certificate that was kept, and its private key of P-256, P-384, Ed25519, or RSA with 2048 to 4096 bits: in PKCS #8
    /// (RFC 5958), or in the form that keys of its kind had before, SEC 1 (RFC 5915) and PKCS #1 (RFC 8017 §A.1.2).
    ///
    /// # Errors
    /// [`Error::InvalidCertificate`], [`Error::InvalidKey`], [`Error::KeyMismatch`] if they do not belong together, or
    /// [`Error::ChainTooLong`] if it is longer than a message that others take.
    pub fn from_der(certificate: &[u8], private_key: &[u8]) -> Result<Self, Error> {
        let key = SigningKey::from_der(private_key).ok_or(Error::InvalidKey)?;
        let public = x509::public_key(certificate).map_err(|_| Error::InvalidCertificate)?;
        if public != *key.verifying_key() {
            return Err(Error::KeyMismatch);
        }
        Self { der: certificate.to_vec(), intermediates: Vec::new(), key }.fits()
    }

    /// The same in PEM (RFC 7468): the first `CERTIFICATE` of one text, with all that follow as its
    /// [intermediates](Self::with_intermediates), and the first `PRIVATE KEY` of another text, or of the same, or else the
    /// first `EC PRIVATE KEY` or `RSA PRIVATE KEY`. Keys that are encrypted are not read.
    ///
    /// # Errors
    /// As [`from_der`](Self::from_der) and [`with_intermediates`](Self::with_intermediates).
    pub fn from_pem(certificates: &str, private_key: &str) -> Result<Self, Error> {
        let mut chain = pem::decode(certificates, "CERTIFICATE").into_iter().flatten();
        let der = chain.next().ok_or(Error::InvalidCertificate)?;
        let mut keys = PEM_LABELS.iter().filter_map(|label| pem::decode(private_key, label)?.into_iter().next());
        let key = keys.next().ok_or(Error::InvalidKey)?;
        Self::from_der(&der, &key)?.with_intermediates(chain.map(|der| der.to_vec()))
    }

    /// Sends these certificates, in DER, after its own: each the issuer's of the one before (RFC 8446 §4.4.2), for peers that
    /// do not know its fingerprint and have a [`Verifier`](crate::Verifier). They replace those that it had.
    ///
    /// # Errors
    /// [`Error::InvalidCertificate`] if one of them is no certificate; [`Error::ChainTooLong`] if they are more than 99, or all together
    /// are longer than the message of 32,768 bytes that others take by default.
    pub fn with_intermediates(mut self, intermediates: impl IntoIterator<Item = Vec<u8>>) -> Result<Self, Error> {
        self.intermediates.clear();
        for der in intermediates {
            x509::check(&der).map_err(|_| Error::InvalidCertificate)?;
            self.intermediates.push(der);
            self = self.fits()?;
        }
        Ok(self)
    }

    /// In a message that others take, with as many certificates as we take of them.
    fn fits(self) -> Result<Self, Error> {
        let fits = self.chain().count() <= CHAIN_LEN_MAX && self.chain_len() <= CHAIN_BYTES_MAX;
        if fits { Ok(self) } else { Err(Error::ChainTooLong) }
    }

    /// A certificate, in DER, whose private key somebody else keeps. That it is this certificate's, nobody checks before a peer
    /// does, who says [`AlertDescription::DecryptError`](crate::AlertDescription::DecryptError) if it is another.
    ///
    /// # Errors
    /// [`Error::InvalidCertificate`] or [`Error::ChainTooLong`].
    pub fn with_signer(certificate: &[u8], signer: Arc<dyn Signer>) -> Result<Self, Error> {
        let public = x509::public_key(certificate).map_err(|_| Error::InvalidCertificate)?;
        let key = SigningKey::External { signer, public };
        Self { der: certificate.to_vec(), intermediates: Vec::new(), key }.fits()
    }

    /// The certificate in DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Those that are sent after it, in DER.
    pub fn intermediates(&self) -> &[Vec<u8>] {
        &self.intermediates
    }

    /// It, and those that are sent after it.
    pub(crate) fn chain(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::once(&self.der).chain(&self.intermediates).map(Vec::as_slice)
    }

    /// The length of the chain in a message, in bytes: each has its length before it, and in 1.3 that of its extensions behind.
    pub(crate) fn chain_len(&self) -> usize {
        self.chain().map(|der| 3 + der.len() + 2).sum()
    }

    /// What the session description says of it.
    pub fn fingerprint(&self, algorithm: HashAlgorithm) -> Fingerprint {
        Fingerprint::of(algorithm, &self.der)
    }

    /// The private key in PKCS #8, to keep it or to serve TLS with it; none if [somebody else](Self::with_signer) keeps it.
    pub fn private_key(&self) -> Option<PrivateKeyDer> {
        self.key.to_pkcs8().map(PrivateKeyDer)
    }

    /// This certificate in the hands of somebody who has another key.
    #[cfg(test)]
    pub(crate) fn stolen_by(&self, thief: &Self) -> Self {
        Self { der: self.der.clone(), intermediates: Vec::new(), key: thief.key.clone() }
    }

    pub(crate) const fn key(&self) -> &SigningKey {
        &self.key
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Certificate").field(&self.fingerprint(HashAlgorithm::Sha256)).finish()
    }
}

/// A private key in PKCS #8. Wiped when dropped, and printed without its bytes.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct PrivateKeyDer(Vec<u8>);

impl PrivateKeyDer {
    /// Its bytes, which are secret.
    pub fn secret_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for PrivateKeyDer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKeyDer(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Version;
    use x509_cert::der::{Decode, Encode};

    const NOW: Duration = Duration::from_secs(1_790_000_000);

    #[test]
    fn a_certificate_comes_back_from_its_der() {
        let certificate = Certificate::generate(NOW, Seed::for_test(1)).unwrap();
        let key = certificate.private_key().unwrap();
        let again = Certificate::from_der(certificate.der(), key.secret_bytes()).unwrap();
        assert_eq!(again.fingerprint(HashAlgorithm::Sha256), certificate.fingerprint(HashAlgorithm::Sha256));
    }

    #[test]
    fn seeds_make_different_certificates_and_one_seed_the_same() {
        let [one, same, other] = [1, 1, 2].map(|n| Certificate::generate(NOW, Seed::for_test(n)).unwrap());
        assert_eq!(one.der(), same.der());
        assert_ne!(one.der(), other.der());
    }

    #[test]
    fn every_backend_makes_the_same_of_a_seed() {
        let certificate = Certificate::generate(NOW, Seed::for_test(1)).unwrap();
        let fingerprint = certificate.fingerprint(HashAlgorithm::Sha256).to_string();
        expect_test::expect![[r#"
            sha-256 19:D3:ED:FC:4E:5A:19:85:92:80:BA:52:06:89:68:17:C6:BF:99:41:87:E2:97:85:24:92:28:90:36:CB:A9:D3
        "#]]
        .assert_eq(&format!("{fingerprint}\n"));
    }

    /// Nobody else has to have signed it, but some libraries look whether its owner has.
    #[test]
    fn what_is_made_is_signed_with_its_own_key() {
        for made in [Certificate::generate(NOW, Seed::for_test(1)), Certificate::generate_rsa(NOW, Seed::for_test(1))] {
            let certificate = made.unwrap();
            let parsed = x509_cert::Certificate::from_der(certificate.der()).unwrap();
            assert_eq!(parsed.signature_algorithm(), parsed.tbs_certificate().signature());
            let scheme = match certificate.key().is_rsa() {
                true => SignatureScheme::RsaPkcs1Sha256,
                false => SignatureScheme::EcdsaSecp256r1Sha256,
            };
            let (signed, signature) = (parsed.tbs_certificate().to_der().unwrap(), parsed.signature().raw_bytes());
            let public = x509::public_key(certificate.der()).unwrap();
            assert!(public.verify(Version::Dtls12, scheme, signed[..].into(), signature));
        }
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        let [a, z] = [1, 2].map(|n| Certificate::generate(NOW, Seed::for_test(n)).unwrap());
        let (a_key, z_key) = (a.private_key().unwrap(), z.private_key().unwrap());
        let from_der = |der: &[u8], key: &[u8]| Certificate::from_der(der, key).map(|_| ());
        assert_eq!(from_der(a.der(), z_key.secret_bytes()), Err(Error::KeyMismatch));
        assert_eq!(from_der(a.der(), b"no key"), Err(Error::InvalidKey));
        assert_eq!(from_der(b"no certificate", a_key.secret_bytes()), Err(Error::InvalidCertificate));
    }

    #[test]
    fn times_that_a_certificate_cannot_tell_are_refused() {
        let generate = |now| Certificate::generate(now, Seed::for_test(1)).map(|_| ());
        assert_eq!(generate(Duration::MAX), Err(Error::InvalidTime));
        assert_eq!(generate(Duration::ZERO), Ok(()));
    }

    #[test]
    fn tells_no_key_when_printed() {
        let certificate = Certificate::generate(NOW, Seed::for_test(1)).unwrap();
        assert!(format!("{certificate:?}").starts_with("Certificate(Fingerprint(sha-256 "));
        assert_eq!(format!("{:?}", certificate.private_key().unwrap()), "PrivateKeyDer(…)");
    }

    #[test]
    fn is_shared_between_threads() {
        const fn shared<T: Send + Sync>() {}
        shared::<Certificate>();
    }
}
