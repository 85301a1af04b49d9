//! Private keys: ours, or behind a signer of the user's.

use super::{SignatureScheme, Signed, VerifyingKey};
use crate::Version;
use crate::certificate::Signer;
use crate::codec::Numbers;
use crate::crypto::backend::KeyPair;
use crate::crypto::random::Randomness;
use p256::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use rsa::pkcs1::DecodeRsaPrivateKey;
use std::fmt;
use std::sync::Arc;
use wigwag_sansio::Rng;
use zeroize::Zeroizing;

/// The length of the RSA keys that we make, in bits.
const RSA_BITS: usize = 2048;

/// A private key as RustCrypto has it, which makes, reads and writes them for every backend. Wiped when dropped.
#[derive(Clone)]
pub(crate) enum PrivateKey {
    P256(p256::SecretKey),
    P384(p384::SecretKey),
    Ed25519(Box<ed25519_dalek::SigningKey>),
    Rsa(Box<rsa::PrivateKey>),
}

impl PrivateKey {
    /// In PKCS #8, or as keys of its kind were written before: in SEC 1, in PKCS #1.
    fn from_der(der: &[u8]) -> Option<Self> {
        let p256 = || p256::SecretKey::from_der(der).ok().map(Self::P256);
        let p384 = || p384::SecretKey::from_der(der).ok().map(Self::P384);
        let ed25519 = || ed25519_dalek::SigningKey::from_pkcs8_der(der).ok().map(|key| Self::Ed25519(Box::new(key)));
        let rsa = || {
            let pkcs1 = |_| rsa::PrivateKey::from_pkcs1_der(der);
            rsa::PrivateKey::from_pkcs8_der(der).or_else(pkcs1).ok().map(|key| Self::Rsa(Box::new(key)))
        };
        p256().or_else(p384).or_else(ed25519).or_else(rsa)
    }

    pub(in crate::crypto) fn to_pkcs8(&self) -> Option<Zeroizing<Vec<u8>>> {
        let der = match self {
            Self::P256(key) => key.to_pkcs8_der(),
            Self::P384(key) => key.to_pkcs8_der(),
            Self::Ed25519(key) => key.to_pkcs8_der(),
            Self::Rsa(key) => key.to_pkcs8_der(),
        };
        der.ok().map(|der| Zeroizing::new(der.as_bytes().to_vec()))
    }

    /// `None` for an RSA key that is shorter or longer than those that are verified.
    fn verifying_key(&self, pair: &KeyPair) -> Option<VerifyingKey> {
        match self {
            Self::P256(_) => VerifyingKey::p256(&pair.point()?),
            Self::P384(_) => VerifyingKey::p384(&pair.point()?),
            Self::Ed25519(key) => Some(VerifyingKey::Ed25519(Box::new(key.verifying_key()))),
            Self::Rsa(key) => VerifyingKey::rsa(key.to_public_key()),
        }
    }
}

/// What signs. Wiped when dropped.
#[derive(Clone)]
pub(crate) enum SigningKey {
    Own {
        key: PrivateKey,
        pair: KeyPair,
        public: VerifyingKey,
    },
    /// In the hands of the user.
    External {
        signer: Arc<dyn Signer>,
        public: VerifyingKey,
    },
}

impl SigningKey {
    /// `None` for a key whose length is not ours to use.
    pub(in crate::crypto) fn new(key: PrivateKey) -> Option<Self> {
        let pair = KeyPair::new(&key)?;
        let public = key.verifying_key(&pair)?;
        Some(Self::Own { key, pair, public })
    }

    /// Bytes that are zero or not below the order are drawn again. `None` if the key is not usable, which cannot be.
    pub(crate) fn generate_p256(rng: &mut Rng) -> Option<Self> {
        loop {
            let bytes: Zeroizing<[u8; 32]> = Zeroizing::new(rng.bytes());
            if let Ok(key) = p256::SecretKey::from_slice(&*bytes) {
                return Self::new(PrivateKey::P256(key));
            }
        }
    }

    /// `None` if no key could be made, which cannot be for this length.
    pub(crate) fn generate_rsa(rng: &mut Rng) -> Option<Self> {
        let key = rsa::PrivateKey::new(&mut Randomness(rng), RSA_BITS).ok()?;
        Self::new(PrivateKey::Rsa(Box::new(key)))
    }

    pub(crate) fn from_der(der: &[u8]) -> Option<Self> {
        PrivateKey::from_der(der).and_then(Self::new)
    }

    /// `None` if the key is the user's.
    pub(crate) fn to_pkcs8(&self) -> Option<Vec<u8>> {
        match self {
            Self::Own { key, .. } => key.to_pkcs8().map(|mut der| std::mem::take(&mut *der)),
            Self::External { .. } => None,
        }
    }

    pub(crate) const fn verifying_key(&self) -> &VerifyingKey {
        match self {
            Self::Own { public, .. } | Self::External { public, .. } => public,
        }
    }

    /// What to sign with for a peer that verifies these.
    pub(crate) fn choose(&self, version: Version, offered: Numbers<'_>) -> Option<SignatureScheme> {
        let schemes = self.verifying_key().schemes(version);
        let mut schemes = schemes.iter().copied().filter(|scheme| scheme.is_for(version));
        schemes.find(|scheme| offered.contains(scheme.wire()))
    }

    /// Whether it is for the cipher suites of RSA; otherwise it is for those of ECDSA (RFC 8422 §5.1).
    pub(crate) const fn is_rsa(&self) -> bool {
        self.verifying_key().is_rsa()
    }

    /// Signs; `None` if the key is not for this scheme, or the user's signer refuses.
    pub(crate) fn sign(&self, scheme: SignatureScheme, signed: Signed<'_>, rng: &mut Rng) -> Option<Vec<u8>> {
        match self {
            Self::Own { key, pair, .. } => pair.sign(key, scheme, signed, rng),
            Self::External { signer, public } => {
                // What the key is for in 1.3, it is for in 1.2.
                public.can_sign(Version::Dtls12, scheme).then(|| signer.sign(scheme, signed.message)).flatten()
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}
