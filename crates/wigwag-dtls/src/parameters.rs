//! What is negotiated: version, cipher suite, group.

use crate::HashAlgorithm;
use std::fmt;

/// A version of DTLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Version {
    /// RFC 6347.
    Dtls12,
}

impl Version {
    /// On the wire, versions of DTLS count downwards.
    pub const fn wire(self) -> u16 {
        match self {
            Self::Dtls12 => 0xFEFD,
        }
    }
}

/// How records are protected, and with what their keys are derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CipherSuite {
    /// RFC 5289 §3.2: mandatory for WebRTC (RFC 8827 §6.5).
    EcdheEcdsaAes128GcmSha256,
    /// RFC 5289 §3.2.
    EcdheEcdsaAes256GcmSha384,
    /// RFC 7905 §2.
    EcdheEcdsaChaCha20Poly1305Sha256,
    /// RFC 5289 §3.2: for a server with an RSA certificate.
    EcdheRsaAes128GcmSha256,
    /// RFC 5289 §3.2.
    EcdheRsaAes256GcmSha384,
    /// RFC 7905 §2.
    EcdheRsaChaCha20Poly1305Sha256,
}

impl CipherSuite {
    /// All that are supported, the preferred one first.
    pub const ALL: &'static [Self] = &[
        Self::EcdheEcdsaAes128GcmSha256,
        Self::EcdheEcdsaAes256GcmSha384,
        Self::EcdheEcdsaChaCha20Poly1305Sha256,
        Self::EcdheRsaAes128GcmSha256,
        Self::EcdheRsaAes256GcmSha384,
        Self::EcdheRsaChaCha20Poly1305Sha256,
    ];

    /// The number in IANA's registry.
    pub const fn wire(self) -> u16 {
        match self {
            Self::EcdheEcdsaAes128GcmSha256 => 0xC02B,
            Self::EcdheEcdsaAes256GcmSha384 => 0xC02C,
            Self::EcdheEcdsaChaCha20Poly1305Sha256 => 0xCCA9,
            Self::EcdheRsaAes128GcmSha256 => 0xC02F,
            Self::EcdheRsaAes256GcmSha384 => 0xC030,
            Self::EcdheRsaChaCha20Poly1305Sha256 => 0xCCA8,
        }
    }

    /// The hash function of the handshake and of the pseudorandom function.
    pub(crate) const fn hash(self) -> HashAlgorithm {
        match self {
            Self::EcdheEcdsaAes128GcmSha256
            | Self::EcdheEcdsaChaCha20Poly1305Sha256
            | Self::EcdheRsaAes128GcmSha256
            | Self::EcdheRsaChaCha20Poly1305Sha256 => HashAlgorithm::Sha256,
            Self::EcdheEcdsaAes256GcmSha384 | Self::EcdheRsaAes256GcmSha384 => HashAlgorithm::Sha384,
        }
    }

    /// Whether the server's certificate has an RSA key; otherwise it has one of ECDSA, or Ed25519 (RFC 8422 §2.2, §5.10).
    pub(crate) const fn is_rsa(self) -> bool {
        matches!(
            self,
            Self::EcdheRsaAes128GcmSha256 | Self::EcdheRsaAes256GcmSha384 | Self::EcdheRsaChaCha20Poly1305Sha256
        )
    }
}

impl fmt::Display for CipherSuite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EcdheEcdsaAes128GcmSha256 => "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            Self::EcdheEcdsaAes256GcmSha384 => "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
            Self::EcdheEcdsaChaCha20Poly1305Sha256 => "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
            Self::EcdheRsaAes128GcmSha256 => "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
            Self::EcdheRsaAes256GcmSha384 => "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
            Self::EcdheRsaChaCha20Poly1305Sha256 => "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        })
    }
}

/// The group of the key exchange (RFC 8422 §5.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Group {
    /// Curve25519 (RFC 7748).
    X25519,
    /// NIST P-256.
    Secp256r1,
    /// NIST P-384.
    Secp384r1,
}

impl Group {
    /// All that are supported, the preferred one first.
    pub const ALL: &'static [Self] = &[Self::X25519, Self::Secp256r1, Self::Secp384r1];

    /// The number in IANA's registry.
    pub const fn wire(self) -> u16 {
        match self {
            Self::X25519 => 29,
            Self::Secp256r1 => 23,
            Self::Secp384r1 => 24,
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::X25519 => "x25519",
            Self::Secp256r1 => "secp256r1",
            Self::Secp384r1 => "secp384r1",
        })
    }
}
