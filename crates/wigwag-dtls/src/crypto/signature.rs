//! Signatures (RFC 8422 §5.4, RFC 6979).

use super::kx;
use p256::ecdsa::signature::{Signer, Verifier};
use p256::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use std::fmt;
use wigwag_sansio::Rng;

/// A signature algorithm with its hash (RFC 5246 §7.4.1.4.1, with the names of RFC 8446 §4.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignatureScheme {
    EcdsaSecp256r1Sha256,
}

impl SignatureScheme {
    /// All that are verified and made.
    pub(crate) const ALL: &'static [Self] = &[Self::EcdsaSecp256r1Sha256];

    pub(crate) const fn wire(self) -> u16 {
        match self {
            Self::EcdsaSecp256r1Sha256 => 0x0403,
        }
    }

    pub(crate) fn from_wire(number: u16) -> Option<Self> {
        Self::ALL.iter().copied().find(|scheme| scheme.wire() == number)
    }
}

/// A private key. Wiped when dropped.
pub(crate) struct SigningKey(pub(super) p256::ecdsa::SigningKey);

impl SigningKey {
    pub(crate) fn generate(rng: &mut Rng) -> Self {
        Self(kx::p256_secret(rng).into())
    }

    pub(crate) fn from_pkcs8(der: &[u8]) -> Option<Self> {
        p256::SecretKey::from_pkcs8_der(der).ok().map(|secret| Self(secret.into()))
    }

    /// Empty if the key could not be encoded, which cannot be.
    pub(crate) fn to_pkcs8(&self) -> Vec<u8> {
        self.0.to_pkcs8_der().map(|der| der.as_bytes().to_vec()).unwrap_or_default()
    }

    pub(crate) fn verifying_key(&self) -> VerifyingKey {
        VerifyingKey(*self.0.verifying_key())
    }

    /// Signs in DER, without randomness (RFC 6979).
    pub(crate) fn sign(&self, message: &[u8]) -> (SignatureScheme, Vec<u8>) {
        let signature: p256::ecdsa::DerSignature = self.0.sign(message);
        (SignatureScheme::EcdsaSecp256r1Sha256, signature.as_bytes().to_vec())
    }
}

/// A peer's public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VerifyingKey(p256::ecdsa::VerifyingKey);

impl VerifyingKey {
    /// A point of P-256, uncompressed (RFC 8422 §5.3).
    pub(crate) fn from_point(point: &[u8]) -> Option<Self> {
        p256::ecdsa::VerifyingKey::from_sec1_bytes(point).ok().map(Self)
    }

    #[must_use]
    pub(crate) fn verify(&self, scheme: SignatureScheme, message: &[u8], signature: &[u8]) -> bool {
        match scheme {
            SignatureScheme::EcdsaSecp256r1Sha256 => p256::ecdsa::DerSignature::from_bytes(signature)
                .is_ok_and(|signature| self.0.verify(message, &signature).is_ok()),
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}
