//! Public keys: those of peers.

use super::SignatureScheme;
use crate::Version;
use p256::ecdsa::signature::Verifier;
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use p256::pkcs8::DecodePublicKey;
use rsa::traits::PublicKeyParts;
use rsa::{pkcs1v15, pss};
use sha2::{Digest, Sha256, Sha384, Sha512};

/// The lengths of RSA keys that are believed, in bits: shorter ones prove too little, longer ones cost too much.
const RSA_BITS: std::ops::RangeInclusive<u32> = 2048..=4096;

/// A peer's public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum VerifyingKey {
    P256(p256::ecdsa::VerifyingKey),
    P384(Box<p384::ecdsa::VerifyingKey>),
    Ed25519(Box<ed25519_dalek::VerifyingKey>),
    Rsa(Box<rsa::PublicKey>),
}

impl VerifyingKey {
    pub(crate) const RSA_SCHEMES: &'static [SignatureScheme] = &[
        SignatureScheme::RsaPssRsaeSha256,
        SignatureScheme::RsaPssRsaeSha384,
        SignatureScheme::RsaPssRsaeSha512,
        SignatureScheme::RsaPkcs1Sha256,
        SignatureScheme::RsaPkcs1Sha384,
        SignatureScheme::RsaPkcs1Sha512,
    ];

    /// From a SubjectPublicKeyInfo in DER (RFC 5280 §4.1.2.7), if it is one that we verify with.
    pub(crate) fn from_spki(der: &[u8]) -> Option<Self> {
        let p256 = || p256::ecdsa::VerifyingKey::from_public_key_der(der).ok().map(Self::P256);
        let p384 = || p384::ecdsa::VerifyingKey::from_public_key_der(der).ok().map(|key| Self::P384(Box::new(key)));
        let ed25519 =
            || ed25519_dalek::VerifyingKey::from_public_key_der(der).ok().map(|key| Self::Ed25519(Box::new(key)));
        let rsa = || rsa::PublicKey::from_public_key_der(der).ok().and_then(Self::rsa);
        p256().or_else(p384).or_else(ed25519).or_else(rsa)
    }

    /// `None` if it is too short or too long.
    pub(super) fn rsa(key: rsa::PublicKey) -> Option<Self> {
        RSA_BITS.contains(&key.n().bit_width_vartime()).then(|| Self::Rsa(Box::new(key)))
    }

    /// What it verifies, the preferred one first.
    pub(crate) const fn schemes(&self) -> &'static [SignatureScheme] {
        match self {
            Self::P256(_) => &[SignatureScheme::EcdsaSecp256r1Sha256],
            Self::P384(_) => &[SignatureScheme::EcdsaSecp384r1Sha384],
            Self::Ed25519(_) => &[SignatureScheme::Ed25519],
            Self::Rsa(_) => Self::RSA_SCHEMES,
        }
    }

    /// Whether it is for the cipher suites of RSA; otherwise it is for those of ECDSA (RFC 8422 §5.1).
    pub(crate) const fn is_rsa(&self) -> bool {
        matches!(self, Self::Rsa(_))
    }

    /// Whether this is its signature of the message.
    ///
    /// The numbers of ECDSA name a hash and a curve in DTLS 1.3 (RFC 8446 §4.2.3); in 1.2 a hash alone, and the curve is that
    /// of the key (RFC 5246 §7.4.1.4.1).
    #[must_use]
    pub(crate) fn verify(&self, version: Version, scheme: SignatureScheme, message: &[u8], signature: &[u8]) -> bool {
        if version == Version::Dtls13 && !self.schemes().contains(&scheme) {
            return false;
        }
        let hash = || match scheme {
            SignatureScheme::EcdsaSecp256r1Sha256 => Some(Sha256::digest(message).to_vec()),
            SignatureScheme::EcdsaSecp384r1Sha384 => Some(Sha384::digest(message).to_vec()),
            _ => None,
        };
        match self {
            Self::P256(key) => p256::ecdsa::DerSignature::from_bytes(signature)
                .is_ok_and(|der| hash().is_some_and(|hash| key.verify_prehash(&hash, &der).is_ok())),
            Self::P384(key) => p384::ecdsa::DerSignature::from_bytes(signature)
                .is_ok_and(|der| hash().is_some_and(|hash| key.verify_prehash(&hash, &der).is_ok())),
            Self::Ed25519(key) => {
                let signature = ed25519_dalek::Signature::from_slice(signature);
                scheme == SignatureScheme::Ed25519
                    && signature.is_ok_and(|signature| key.verify_strict(message, &signature).is_ok())
            }
            Self::Rsa(key) => verify_rsa(key, scheme, message, signature),
        }
    }
}

fn verify_rsa(key: &rsa::PublicKey, scheme: SignatureScheme, message: &[u8], signature: &[u8]) -> bool {
    fn with<S: for<'a> TryFrom<&'a [u8]>>(key: &impl Verifier<S>, message: &[u8], signature: &[u8]) -> bool {
        S::try_from(signature).is_ok_and(|signature| key.verify(message, &signature).is_ok())
    }
    let key = key.clone();
    match scheme {
        SignatureScheme::RsaPssRsaeSha256 => with(&pss::VerifyingKey::<Sha256>::new(key), message, signature),
        SignatureScheme::RsaPssRsaeSha384 => with(&pss::VerifyingKey::<Sha384>::new(key), message, signature),
        SignatureScheme::RsaPssRsaeSha512 => with(&pss::VerifyingKey::<Sha512>::new(key), message, signature),
        SignatureScheme::RsaPkcs1Sha256 => with(&pkcs1v15::VerifyingKey::<Sha256>::new(key), message, signature),
        SignatureScheme::RsaPkcs1Sha384 => with(&pkcs1v15::VerifyingKey::<Sha384>::new(key), message, signature),
        SignatureScheme::RsaPkcs1Sha512 => with(&pkcs1v15::VerifyingKey::<Sha512>::new(key), message, signature),
        SignatureScheme::EcdsaSecp256r1Sha256 | SignatureScheme::EcdsaSecp384r1Sha384 | SignatureScheme::Ed25519 => {
            false
        }
    }
}
