//! Private keys: ours, or behind a signer of the user's.

use super::{SignatureScheme, VerifyingKey};
use crate::Version;
use crate::certificate::Signer;
use crate::codec::Numbers;
use crate::crypto::kx;
use crate::crypto::random::Randomness;
use p256::ecdsa::signature::{RandomizedSigner, SignatureEncoding, Signer as _};
use p256::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use rsa::{pkcs1v15, pss};
use sha2::{Sha256, Sha384, Sha512};
use std::fmt;
use std::sync::Arc;
use wigwag_sansio::Rng;

/// The length of the RSA keys that we make, in bits.
const RSA_BITS: usize = 2048;

/// A private key. Wiped when dropped.
#[derive(Clone)]
pub(crate) enum SigningKey {
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    Ed25519(Box<ed25519_dalek::SigningKey>),
    Rsa(Box<rsa::PrivateKey>),
    /// In the hands of the user.
    External {
        signer: Arc<dyn Signer>,
        public: VerifyingKey,
    },
}

impl SigningKey {
    pub(crate) fn generate_p256(rng: &mut Rng) -> Self {
        Self::P256(kx::p256_secret(rng).into())
    }

    /// `None` if no key could be made, which cannot be for this length.
    pub(crate) fn generate_rsa(rng: &mut Rng) -> Option<Self> {
        rsa::PrivateKey::new(&mut Randomness(rng), RSA_BITS).ok().map(|key| Self::Rsa(Box::new(key)))
    }

    pub(crate) fn from_pkcs8(der: &[u8]) -> Option<Self> {
        let p256 = || p256::SecretKey::from_pkcs8_der(der).ok().map(|secret| Self::P256(secret.into()));
        let p384 = || p384::SecretKey::from_pkcs8_der(der).ok().map(|secret| Self::P384(secret.into()));
        let ed25519 = || ed25519_dalek::SigningKey::from_pkcs8_der(der).ok().map(|key| Self::Ed25519(Box::new(key)));
        let rsa = || rsa::PrivateKey::from_pkcs8_der(der).ok().map(|key| Self::Rsa(Box::new(key)));
        let key = p256().or_else(p384).or_else(ed25519).or_else(rsa)?;
        // Whose length is not ours to use has no public key either.
        key.verifying_key().is_some().then_some(key)
    }

    /// `None` if the key is the user's.
    pub(crate) fn to_pkcs8(&self) -> Option<Vec<u8>> {
        let der = match self {
            Self::P256(key) => key.to_pkcs8_der(),
            Self::P384(key) => key.to_pkcs8_der(),
            Self::Ed25519(key) => key.to_pkcs8_der(),
            Self::Rsa(key) => key.to_pkcs8_der(),
            Self::External { .. } => return None,
        };
        der.ok().map(|der| der.as_bytes().to_vec())
    }

    /// `None` for an RSA key that is shorter or longer than those that are verified.
    pub(crate) fn verifying_key(&self) -> Option<VerifyingKey> {
        Some(match self {
            Self::P256(key) => VerifyingKey::P256(*key.verifying_key()),
            Self::P384(key) => VerifyingKey::P384(Box::new(*key.verifying_key())),
            Self::Ed25519(key) => VerifyingKey::Ed25519(Box::new(key.verifying_key())),
            Self::Rsa(key) => VerifyingKey::rsa(key.to_public_key())?,
            Self::External { public, .. } => public.clone(),
        })
    }

    /// What it can sign with, the preferred one first.
    pub(crate) fn schemes(&self) -> &'static [SignatureScheme] {
        match self {
            Self::P256(_) => &[SignatureScheme::EcdsaSecp256r1Sha256],
            Self::P384(_) => &[SignatureScheme::EcdsaSecp384r1Sha384],
            Self::Ed25519(_) => &[SignatureScheme::Ed25519],
            Self::Rsa(_) => VerifyingKey::RSA_SCHEMES,
            Self::External { public, .. } => public.schemes(),
        }
    }

    /// What to sign with for a peer that verifies these.
    pub(crate) fn choose(&self, version: Version, offered: Numbers<'_>) -> Option<SignatureScheme> {
        let mut schemes = self.schemes().iter().copied().filter(|scheme| scheme.is_for(version));
        schemes.find(|scheme| offered.contains(scheme.wire()))
    }

    /// Whether it is for the cipher suites of RSA; otherwise it is for those of ECDSA (RFC 8422 §5.1).
    pub(crate) fn is_rsa(&self) -> bool {
        self.schemes() == VerifyingKey::RSA_SCHEMES
    }

    /// Signs; `None` if the key is not for this scheme, or the user's signer refuses.
    ///
    /// ECDSA (RFC 6979) and Ed25519 need no randomness. RSA takes the salt of PSS, and in every scheme the factors by which
    /// what is computed is blinded: arithmetic of numbers as long tells by its time something of what it computes with.
    pub(crate) fn sign(&self, scheme: SignatureScheme, message: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
        match (self, scheme) {
            (Self::P256(key), SignatureScheme::EcdsaSecp256r1Sha256) => {
                let signature: p256::ecdsa::DerSignature = key.try_sign(message).ok()?;
                Some(signature.as_bytes().to_vec())
            }
            (Self::P384(key), SignatureScheme::EcdsaSecp384r1Sha384) => {
                let signature: p384::ecdsa::DerSignature = key.try_sign(message).ok()?;
                Some(signature.as_bytes().to_vec())
            }
            (Self::Ed25519(key), SignatureScheme::Ed25519) => Some(key.try_sign(message).ok()?.to_vec()),
            (Self::Rsa(key), _) => sign_rsa(key, scheme, message, rng),
            (Self::External { signer, public }, _) => {
                public.schemes().contains(&scheme).then(|| signer.sign(scheme, message)).flatten()
            }
            (Self::P256(_) | Self::P384(_) | Self::Ed25519(_), _) => None,
        }
    }
}

fn sign_rsa(key: &rsa::PrivateKey, scheme: SignatureScheme, message: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    fn with<S: SignatureEncoding>(key: &impl RandomizedSigner<S>, message: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
        key.try_sign_with_rng(&mut Randomness(rng), message).ok().map(|signature| signature.to_vec())
    }
    let key = key.clone();
    match scheme {
        SignatureScheme::RsaPssRsaeSha256 => with(&pss::SigningKey::<Sha256>::new(key), message, rng),
        SignatureScheme::RsaPssRsaeSha384 => with(&pss::SigningKey::<Sha384>::new(key), message, rng),
        SignatureScheme::RsaPssRsaeSha512 => with(&pss::SigningKey::<Sha512>::new(key), message, rng),
        SignatureScheme::RsaPkcs1Sha256 => with(&pkcs1v15::SigningKey::<Sha256>::new(key), message, rng),
        SignatureScheme::RsaPkcs1Sha384 => with(&pkcs1v15::SigningKey::<Sha384>::new(key), message, rng),
        SignatureScheme::RsaPkcs1Sha512 => with(&pkcs1v15::SigningKey::<Sha512>::new(key), message, rng),
        SignatureScheme::EcdsaSecp256r1Sha256 | SignatureScheme::EcdsaSecp384r1Sha384 | SignatureScheme::Ed25519 => {
            None
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}
