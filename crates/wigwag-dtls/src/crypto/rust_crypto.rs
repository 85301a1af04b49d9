//! The ciphers, curves and signatures of RustCrypto: the backend without features, a function of our seed to the last byte.

use super::aead::{Algorithm, NONCE_LEN, TAG_LEN};
use super::hash;
use super::kx::{Curve, SharedSecret};
use super::random::Randomness;
use super::signature::{PrivateKey, SignatureScheme, Signed, VerifyingKey};
use aes_gcm::{Aes128Gcm, Aes256Gcm};
use chacha20poly1305::ChaCha20Poly1305;
use chacha20poly1305::aead::{AeadInOut, KeyInit};
use ml_kem::kem::{Decapsulate, KeyExport};
use ml_kem::{MlKem768, ml_kem_768};
use p256::ecdsa::signature::hazmat::{PrehashSigner, PrehashVerifier};
use p256::ecdsa::signature::{RandomizedSigner, SignatureEncoding, Signer, Verifier};
use p256::elliptic_curve::point::AffineCoordinates;
use rsa::{pkcs1v15, pss};
use sha2::{Sha256, Sha384, Sha512};
use std::borrow::Cow;
use wigwag_sansio::Rng;
use zeroize::Zeroizing;

/// An AEAD with its key expanded. Wiped when dropped.
pub(crate) enum Cipher {
    Aes128Gcm(Box<Aes128Gcm>),
    Aes256Gcm(Box<Aes256Gcm>),
    ChaCha20Poly1305(ChaCha20Poly1305),
}

impl Cipher {
    /// `None` if the key has not the algorithm's length.
    pub(super) fn new(algorithm: Algorithm, key: &[u8]) -> Option<Self> {
        Some(match algorithm {
            Algorithm::Aes128Gcm => Self::Aes128Gcm(Box::new(Aes128Gcm::new_from_slice(key).ok()?)),
            Algorithm::Aes256Gcm => Self::Aes256Gcm(Box::new(Aes256Gcm::new_from_slice(key).ok()?)),
            Algorithm::ChaCha20Poly1305 => Self::ChaCha20Poly1305(ChaCha20Poly1305::new_from_slice(key).ok()?),
        })
    }

    pub(super) fn seal(&self, nonce: [u8; NONCE_LEN], additional: &[u8], body: &mut [u8]) -> Option<[u8; TAG_LEN]> {
        let nonce = &nonce.into();
        let tag = match self {
            Self::Aes128Gcm(cipher) => cipher.encrypt_inout_detached(nonce, additional, body.into()),
            Self::Aes256Gcm(cipher) => cipher.encrypt_inout_detached(nonce, additional, body.into()),
            Self::ChaCha20Poly1305(cipher) => cipher.encrypt_inout_detached(nonce, additional, body.into()),
        };
        tag.ok().map(Into::into)
    }

    pub(super) fn open(&self, nonce: [u8; NONCE_LEN], additional: &[u8], body: &mut [u8], tag: &[u8; TAG_LEN]) -> bool {
        let (nonce, tag) = (&nonce.into(), tag.into());
        let opened = match self {
            Self::Aes128Gcm(cipher) => cipher.decrypt_inout_detached(nonce, additional, body.into(), tag),
            Self::Aes256Gcm(cipher) => cipher.decrypt_inout_detached(nonce, additional, body.into(), tag),
            Self::ChaCha20Poly1305(cipher) => cipher.decrypt_inout_detached(nonce, additional, body.into(), tag),
        };
        opened.is_ok()
    }
}

/// A secret scalar. Wiped when dropped.
pub(crate) enum EcdhKey {
    X25519(x25519_dalek::StaticSecret),
    Secp256r1(p256::SecretKey),
    Secp384r1(p384::SecretKey),
}

impl EcdhKey {
    /// Bytes that are zero or not below the order are drawn again.
    pub(super) fn generate(curve: Curve, rng: &mut Rng) -> Self {
        let mut bytes = Zeroizing::new([0; 48]);
        let secret = match curve {
            Curve::X25519 | Curve::Secp256r1 => bytes.split_at_mut(32).0,
            Curve::Secp384r1 => &mut *bytes,
        };
        loop {
            rng.fill(secret);
            if let Some(key) = Self::new(curve, secret) {
                return key;
            }
        }
    }

    /// `None` if it is no secret of the curve.
    pub(super) fn new(curve: Curve, secret: &[u8]) -> Option<Self> {
        Some(match curve {
            Curve::X25519 => Self::X25519(<[u8; 32]>::try_from(secret).ok()?.into()),
            Curve::Secp256r1 => Self::Secp256r1(p256::SecretKey::from_slice(secret).ok()?),
            Curve::Secp384r1 => Self::Secp384r1(p384::SecretKey::from_slice(secret).ok()?),
        })
    }

    pub(super) fn public_key(&self) -> Vec<u8> {
        match self {
            Self::X25519(secret) => x25519_dalek::PublicKey::from(secret).as_bytes().to_vec(),
            Self::Secp256r1(secret) => secret.public_key().to_sec1_bytes().into_vec(),
            Self::Secp384r1(secret) => secret.public_key().to_sec1_bytes().into_vec(),
        }
    }

    pub(super) fn agree(&self, peer: &[u8]) -> Option<SharedSecret> {
        match self {
            // RFC 7748 §6.1: "Both MAY check, without leaking extra information about the value of K, whether K is the all-zero
            // value and abort if so"; RFC 8422 §5.11 and RFC 8446 §7.4.2 make it a MUST.
            Self::X25519(secret) => {
                let shared = secret.diffie_hellman(&<[u8; 32]>::try_from(peer).ok()?.into());
                shared.was_contributory().then(|| Zeroizing::new(shared.as_bytes().to_vec()))
            }
            Self::Secp256r1(secret) => {
                let peer = p256::PublicKey::from_sec1_bytes(uncompressed(peer)?).ok()?;
                let shared = Zeroizing::new(peer.to_projective() * *secret.to_nonzero_scalar());
                Some(Zeroizing::new(shared.to_affine().x().to_vec()))
            }
            Self::Secp384r1(secret) => {
                let peer = p384::PublicKey::from_sec1_bytes(uncompressed(peer)?).ok()?;
                let shared = Zeroizing::new(peer.to_projective() * *secret.to_nonzero_scalar());
                Some(Zeroizing::new(shared.to_affine().x().to_vec()))
            }
        }
    }
}

/// RFC 8422 §5.4: only this form.
fn uncompressed(point: &[u8]) -> Option<&[u8]> {
    Some(point).filter(|point| point.first() == Some(&4))
}

/// A decapsulation key of ML-KEM-768. Wiped when dropped.
pub(crate) struct MlKemKey(Box<ml_kem_768::DecapsulationKey>);

impl MlKemKey {
    pub(super) fn generate(rng: &mut Rng) -> Self {
        let seed: Zeroizing<[u8; 64]> = Zeroizing::new(rng.bytes());
        Self(Box::new(ml_kem_768::DecapsulationKey::from_seed((*seed).into())))
    }

    pub(super) fn encapsulation_key(&self) -> Vec<u8> {
        self.0.encapsulation_key().to_bytes().to_vec()
    }

    /// `None` if the ciphertext has not the right length.
    pub(super) fn decapsulate(&self, ciphertext: &[u8]) -> Option<SharedSecret> {
        let shared = Zeroizing::new(self.0.decapsulate(ciphertext.try_into().ok()?));
        Some(Zeroizing::new(shared.to_vec()))
    }
}

/// A ciphertext and the secret in it, for the owner of this encapsulation key of ML-KEM-768; `None` if it is none.
pub(super) fn encapsulate(key: &[u8], rng: &mut Rng) -> Option<(Vec<u8>, SharedSecret)> {
    let key = ml_kem::EncapsulationKey::<MlKem768>::new(key.try_into().ok()?).ok()?;
    let random = Zeroizing::new(rng.bytes::<32>());
    let (ciphertext, shared) = key.encapsulate_deterministic((&*random).into());
    let shared = Zeroizing::new(shared);
    Some((ciphertext.to_vec(), Zeroizing::new(shared.to_vec())))
}

/// What is prepared of a private key for its signatures: those of ECDSA have their public keys at hand. Wiped when dropped.
#[derive(Clone)]
pub(crate) enum KeyPair {
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    /// Nothing.
    Unprepared,
}

impl KeyPair {
    pub(super) fn new(key: &PrivateKey) -> Option<Self> {
        Some(match key {
            PrivateKey::P256(secret) => Self::P256(secret.into()),
            PrivateKey::P384(secret) => Self::P384(secret.into()),
            PrivateKey::Ed25519(_) | PrivateKey::Rsa(_) => Self::Unprepared,
        })
    }

    /// The public key, if it is a point of P-256 or P-384: in the uncompressed form.
    pub(super) fn point(&self) -> Option<Vec<u8>> {
        match self {
            Self::P256(key) => Some(key.verifying_key().to_sec1_point(false).as_bytes().to_vec()),
            Self::P384(key) => Some(key.verifying_key().to_sec1_point(false).as_bytes().to_vec()),
            Self::Unprepared => None,
        }
    }

    /// ECDSA (RFC 6979) and Ed25519 need no randomness. RSA takes the salt of PSS, and in every scheme the factors by which
    /// what is computed is blinded: arithmetic of numbers as long tells by its time something of what it computes with.
    pub(super) fn sign(
        &self,
        key: &PrivateKey,
        scheme: SignatureScheme,
        signed: Signed<'_>,
        rng: &mut Rng,
    ) -> Option<Vec<u8>> {
        match (self, key) {
            (Self::P256(key), _) => {
                let signature: p256::ecdsa::DerSignature = key.sign_prehash(&ecdsa_hash(scheme, signed)?).ok()?;
                Some(signature.as_bytes().to_vec())
            }
            (Self::P384(key), _) => {
                let signature: p384::ecdsa::DerSignature = key.sign_prehash(&ecdsa_hash(scheme, signed)?).ok()?;
                Some(signature.as_bytes().to_vec())
            }
            (Self::Unprepared, PrivateKey::Ed25519(key)) if scheme == SignatureScheme::Ed25519 => {
                Some(key.try_sign(signed.message).ok()?.to_vec())
            }
            (Self::Unprepared, PrivateKey::Rsa(key)) => sign_rsa(key, scheme, signed.message, rng),
            (Self::Unprepared, _) => None,
        }
    }
}

/// Public keys of ECDSA.
pub(crate) type P256Key = p256::ecdsa::VerifyingKey;
pub(crate) type P384Key = p384::ecdsa::VerifyingKey;

pub(super) fn p256_key(point: &[u8]) -> Option<P256Key> {
    P256Key::from_sec1_bytes(point).ok()
}

pub(super) fn p384_key(point: &[u8]) -> Option<P384Key> {
    P384Key::from_sec1_bytes(point).ok()
}

/// What ECDSA signs; `None` for what is not of ECDSA.
fn ecdsa_hash<'a>(scheme: SignatureScheme, signed: Signed<'a>) -> Option<Cow<'a, [u8]>> {
    let algorithm = scheme.ecdsa_hash()?;
    Some(signed.hash(algorithm).map_or_else(|| hash::hash(algorithm, signed.message).into(), Cow::Borrowed))
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

/// Whether the key's owner has signed the message so.
pub(super) fn verify(key: &VerifyingKey, scheme: SignatureScheme, signed: Signed<'_>, signature: &[u8]) -> bool {
    let (hash, message) = (|| ecdsa_hash(scheme, signed), signed.message);
    match key {
        VerifyingKey::P256(key) => p256::ecdsa::DerSignature::from_bytes(signature)
            .is_ok_and(|der| hash().is_some_and(|hash| key.verify_prehash(&hash, &der).is_ok())),
        VerifyingKey::P384(key) => p384::ecdsa::DerSignature::from_bytes(signature)
            .is_ok_and(|der| hash().is_some_and(|hash| key.verify_prehash(&hash, &der).is_ok())),
        VerifyingKey::Ed25519(key) => {
            let signature = ed25519_dalek::Signature::from_slice(signature);
            scheme == SignatureScheme::Ed25519
                && signature.is_ok_and(|signature| key.verify_strict(message, &signature).is_ok())
        }
        VerifyingKey::Rsa(key) => verify_rsa(key, scheme, message, signature),
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
