//! Signatures (RFC 8422 §5.4, RFC 8446 §4.2.3, RFC 8017, RFC 8032, RFC 6979).

mod private_key;
mod public_key;

pub(super) use private_key::PrivateKey;
pub(crate) use private_key::SigningKey;
pub(crate) use public_key::VerifyingKey;

use crate::Version;

/// A signature algorithm with its hash (RFC 8446 §4.2.3; DTLS 1.2 has the same numbers for them).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SignatureScheme {
    /// `ecdsa_secp256r1_sha256`: the signature in DER.
    EcdsaSecp256r1Sha256,
    /// `ecdsa_secp384r1_sha384`: the signature in DER.
    EcdsaSecp384r1Sha384,
    /// `ed25519`.
    Ed25519,
    /// `rsa_pss_rsae_sha256`: the salt is as long as the hash.
    RsaPssRsaeSha256,
    /// `rsa_pss_rsae_sha384`.
    RsaPssRsaeSha384,
    /// `rsa_pss_rsae_sha512`.
    RsaPssRsaeSha512,
    /// `rsa_pkcs1_sha256`: in DTLS 1.2 only.
    RsaPkcs1Sha256,
    /// `rsa_pkcs1_sha384`: in DTLS 1.2 only.
    RsaPkcs1Sha384,
    /// `rsa_pkcs1_sha512`: in DTLS 1.2 only.
    RsaPkcs1Sha512,
}

impl SignatureScheme {
    /// All that are verified and made, the preferred one first.
    pub const ALL: &'static [Self] = &[
        Self::EcdsaSecp256r1Sha256,
        Self::EcdsaSecp384r1Sha384,
        Self::Ed25519,
        Self::RsaPssRsaeSha256,
        Self::RsaPssRsaeSha384,
        Self::RsaPssRsaeSha512,
        Self::RsaPkcs1Sha256,
        Self::RsaPkcs1Sha384,
        Self::RsaPkcs1Sha512,
    ];

    /// The number in IANA's registry.
    pub const fn wire(self) -> u16 {
        match self {
            Self::RsaPkcs1Sha256 => 0x0401,
            Self::EcdsaSecp256r1Sha256 => 0x0403,
            Self::RsaPkcs1Sha384 => 0x0501,
            Self::EcdsaSecp384r1Sha384 => 0x0503,
            Self::RsaPkcs1Sha512 => 0x0601,
            Self::RsaPssRsaeSha256 => 0x0804,
            Self::RsaPssRsaeSha384 => 0x0805,
            Self::RsaPssRsaeSha512 => 0x0806,
            Self::Ed25519 => 0x0807,
        }
    }

    /// Whether a handshake of this version may be signed with it.
    ///
    /// RFC 8446 §4.4.3: "RSA signatures MUST use an RSASSA-PSS algorithm, regardless of whether RSASSA-PKCS1-v1_5 algorithms
    /// appear in "signature_algorithms"."
    pub(crate) const fn is_for(self, version: Version) -> bool {
        match self {
            Self::RsaPkcs1Sha256 | Self::RsaPkcs1Sha384 | Self::RsaPkcs1Sha512 => matches!(version, Version::Dtls12),
            Self::EcdsaSecp256r1Sha256
            | Self::EcdsaSecp384r1Sha384
            | Self::Ed25519
            | Self::RsaPssRsaeSha256
            | Self::RsaPssRsaeSha384
            | Self::RsaPssRsaeSha512 => true,
        }
    }

    #[cfg(test)]
    pub(crate) fn from_wire(number: u16) -> Option<Self> {
        Self::ALL.iter().copied().find(|scheme| scheme.wire() == number)
    }
}
