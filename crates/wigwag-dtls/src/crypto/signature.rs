//! Signatures (RFC 8422 §5.4, RFC 8446 §4.2.3, RFC 8017, RFC 8032, RFC 6979).

mod private_key;
mod public_key;

pub(super) use private_key::PrivateKey;
pub(crate) use private_key::SigningKey;
pub(crate) use public_key::VerifyingKey;

use crate::{HashAlgorithm, Version};

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

/// What is signed.
#[derive(Clone, Copy)]
pub(crate) struct Signed<'a> {
    pub(crate) message: &'a [u8],
    /// The message's hash, where there is one: it need not be hashed again by who signs with the same.
    pub(crate) hash: Option<(HashAlgorithm, &'a [u8])>,
}

impl<'a> Signed<'a> {
    /// The hash that is there, if it is this one.
    pub(in crate::crypto) fn hash(self, algorithm: HashAlgorithm) -> Option<&'a [u8]> {
        self.hash.filter(|(theirs, _)| *theirs == algorithm).map(|(_, hash)| hash)
    }
}

impl<'a> From<&'a [u8]> for Signed<'a> {
    fn from(message: &'a [u8]) -> Self {
        Self { message, hash: None }
    }
}

impl SignatureScheme {
    /// The hash that a signature of ECDSA is of.
    pub(in crate::crypto) const fn ecdsa_hash(self) -> Option<HashAlgorithm> {
        match self {
            Self::EcdsaSecp256r1Sha256 => Some(HashAlgorithm::Sha256),
            Self::EcdsaSecp384r1Sha384 => Some(HashAlgorithm::Sha384),
            Self::Ed25519
            | Self::RsaPssRsaeSha256
            | Self::RsaPssRsaeSha384
            | Self::RsaPssRsaeSha512
            | Self::RsaPkcs1Sha256
            | Self::RsaPkcs1Sha384
            | Self::RsaPkcs1Sha512 => None,
        }
    }

    /// Whether it is of keys of RSA.
    pub(crate) fn is_rsa(self) -> bool {
        VerifyingKey::RSA_SCHEMES.contains(&self)
    }

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
