//! Public keys: those of peers.

use super::{SignatureScheme, Signed};
use crate::Version;
use crate::crypto::backend::{self, P256Key, P384Key};
use p256::NistP256;
use p256::elliptic_curve::ALGORITHM_OID;
use p256::pkcs8::{AssociatedOid, ObjectIdentifier, SubjectPublicKeyInfoRef};
use p384::NistP384;
use rsa::traits::PublicKeyParts;

/// The lengths of RSA keys that are believed, in bits: shorter ones prove too little, longer ones cost too much.
const RSA_BITS: std::ops::RangeInclusive<u32> = 2048..=4096;

/// RFC 5480 §2.2: "The uncompressed form is indicated by 0x04 and the compressed form is indicated by either 0x02 or 0x03 […]. The
/// public key MUST be rejected if any other value is included in the first octet."
fn known_form(point: &[u8]) -> Option<&[u8]> {
    matches!(point.first(), Some(2..=4)).then_some(point)
}

/// A peer's public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum VerifyingKey {
    P256(Box<P256Key>),
    P384(Box<P384Key>),
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

    /// From a SubjectPublicKeyInfo (RFC 5280 §4.1.2.7), if it is one that we verify with.
    pub(in crate::crypto) fn from_spki(spki: &SubjectPublicKeyInfoRef<'_>) -> Option<Self> {
        let point = |curve: ObjectIdentifier| {
            spki.algorithm.assert_oids(ALGORITHM_OID, curve).ok()?;
            spki.subject_public_key.as_bytes()
        };
        let p256 = || Self::p256(point(NistP256::OID)?);
        let p384 = || Self::p384(point(NistP384::OID)?);
        let ed25519 =
            || ed25519_dalek::VerifyingKey::try_from(spki.clone()).ok().map(|key| Self::Ed25519(Box::new(key)));
        let rsa = || rsa::PublicKey::try_from(spki.clone()).ok().and_then(Self::rsa);
        p256().or_else(p384).or_else(ed25519).or_else(rsa)
    }

    /// A point as SEC 1 writes it (§2.3.3); `None` if it is none of the curve.
    pub(in crate::crypto) fn p256(point: &[u8]) -> Option<Self> {
        backend::p256_key(known_form(point)?).map(|key| Self::P256(Box::new(key)))
    }

    /// Likewise.
    pub(in crate::crypto) fn p384(point: &[u8]) -> Option<Self> {
        backend::p384_key(known_form(point)?).map(|key| Self::P384(Box::new(key)))
    }

    /// `None` if it is too short or too long.
    pub(super) fn rsa(key: rsa::PublicKey) -> Option<Self> {
        RSA_BITS.contains(&key.n().bit_width_vartime()).then(|| Self::Rsa(Box::new(key)))
    }

    /// What it verifies, the preferred one first.
    ///
    /// The numbers of ECDSA name a hash and a curve in DTLS 1.3 (RFC 8446 §4.2.3); in 1.2 a hash alone, and the curve is that
    /// of the key (RFC 5246 §7.4.1.4.1).
    pub(crate) const fn schemes(&self, version: Version) -> &'static [SignatureScheme] {
        const SHA256: SignatureScheme = SignatureScheme::EcdsaSecp256r1Sha256;
        const SHA384: SignatureScheme = SignatureScheme::EcdsaSecp384r1Sha384;
        match (self, version) {
            (Self::P256(_), Version::Dtls12) => &[SHA256, SHA384],
            (Self::P256(_), Version::Dtls13) => &[SHA256],
            (Self::P384(_), Version::Dtls12) => &[SHA384, SHA256],
            (Self::P384(_), Version::Dtls13) => &[SHA384],
            (Self::Ed25519(_), _) => &[SignatureScheme::Ed25519],
            (Self::Rsa(_), _) => Self::RSA_SCHEMES,
        }
    }

    /// Whether it is for the cipher suites of RSA; otherwise it is for those of ECDSA (RFC 8422 §5.1).
    pub(crate) const fn is_rsa(&self) -> bool {
        matches!(self, Self::Rsa(_))
    }

    /// Whether a signature of this scheme can be its own.
    pub(crate) fn can_sign(&self, version: Version, scheme: SignatureScheme) -> bool {
        self.schemes(version).contains(&scheme)
    }

    /// Whether this is its signature.
    #[must_use]
    pub(crate) fn verify(&self, version: Version, scheme: SignatureScheme, of: Signed<'_>, signature: &[u8]) -> bool {
        self.can_sign(version, scheme) && backend::verify(self, scheme, of, signature)
    }
}
