//! Our own certificate (RFC 8827 §6.5, RFC 8122 §5.1).

use crate::crypto::signature::SigningKey;
use crate::crypto::{pem, x509};
use crate::error::Error;
use crate::{Fingerprint, HashAlgorithm, SignatureScheme};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use wigwag_sansio::{Rng, Seed};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A certificate with its private key, shared by connections in an `Arc`.
///
/// Nobody has to have signed it for us: the peer knows it by its [fingerprint](Self::fingerprint), which comes by
/// signalling.
pub struct Certificate {
    der: Vec<u8>,
    key: SigningKey,
}

/// A private key that somebody else keeps: a security module, a service.
///
/// It is asked while a handshake message is handled, which waits for the answer.
pub trait Signer: Send + Sync {
    /// The signature of `message`, which is not hashed yet, as `scheme` says; or `None`, and the handshake fails with
    /// `internal_error`. Asked for schemes of the certificate's key only.
    fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Option<Vec<u8>>;
}

impl Certificate {
    /// Makes a key of P-256 and a certificate for it, valid from a day before `now`, the time since 1970, for 30 days.
    ///
    /// Peers of WebRTC compare fingerprints and do not look at the dates, as we do not.
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
        Ok(Self { der: x509::self_signed(&key, serial, now, &mut Rng::new(seed.fork("signature")))?, key })
    }

    /// A certificate that was kept, and its private key in PKCS #8: of P-256, P-384, Ed25519, or RSA with 2048 to 4096 bits.
    ///
    /// # Errors
    /// [`Error::InvalidCertificate`], [`Error::InvalidKey`], or [`Error::KeyMismatch`] if they do not belong together.
    pub fn from_der(certificate: &[u8], pkcs8: &[u8]) -> Result<Self, Error> {
        let key = SigningKey::from_pkcs8(pkcs8).ok_or(Error::InvalidKey)?;
        let public = x509::public_key(certificate).map_err(|_| Error::InvalidCertificate)?;
        if public != *key.verifying_key() {
            return Err(Error::KeyMismatch);
        }
        Ok(Self { der: certificate.to_vec(), key })
    }

    /// The same in PEM (RFC 7468): the first `CERTIFICATE` of one text, and the first `PRIVATE KEY` of another, or of the same.
    ///
    /// # Errors
    /// As [`from_der`](Self::from_der).
    pub fn from_pem(certificate: &str, private_key: &str) -> Result<Self, Error> {
        let der = pem::decode(certificate, "CERTIFICATE").ok_or(Error::InvalidCertificate)?;
        let key = pem::decode(private_key, "PRIVATE KEY").ok_or(Error::InvalidKey)?;
        Self::from_der(&der, &key)
    }

    /// A certificate whose private key somebody else keeps.
    ///
    /// # Errors
    /// [`Error::InvalidCertificate`].
    pub fn with_signer(certificate: &[u8], signer: Arc<dyn Signer>) -> Result<Self, Error> {
        let public = x509::public_key(certificate).map_err(|_| Error::InvalidCertificate)?;
        Ok(Self { der: certificate.to_vec(), key: SigningKey::External { signer, public } })
    }

    /// The certificate in DER.
    pub fn der(&self) -> &[u8] {
        &self.der
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
        Self { der: self.der.clone(), key: thief.key.clone() }
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
