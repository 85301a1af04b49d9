//! The same of AWS-LC, which is faster, and looks by itself at what the processor has.
//!
//! Secrets of X25519 are of our seed. Signatures and ML-KEM take its own randomness, for they have no other way, and so do secrets
//! of P-256 and P-384: those that it is given it multiplies twice.

use super::aead::{Algorithm, NONCE_LEN, TAG_LEN};
use super::hash;
use super::kx::{CIPHERTEXT_LEN, Curve, ENCAPSULATION_KEY_LEN, SharedSecret};
use super::signature::{PrivateKey, SignatureScheme, Signed, VerifyingKey};
use crate::HashAlgorithm;
use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{self, ECDH_P256, ECDH_P384, UnparsedPublicKey, X25519};
use aws_lc_rs::digest::{Digest, SHA256, SHA384, SHA512};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::kem::{Ciphertext, DecapsulationKey, EncapsulationKey, ML_KEM_768};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, EcdsaVerificationAlgorithm, Ed25519KeyPair, KeyPair as _,
    ParsedPublicKey, RsaEncoding, UnparsedPublicKey as VerifyingBytes, VerificationAlgorithm,
};
use rsa::pkcs1::EncodeRsaPublicKey;
use sec1::EcPrivateKey;
use sec1::der::Encode;
use std::sync::Arc;
use wigwag_sansio::Rng;
use zeroize::Zeroizing;

/// Keys are made without fail: where the system has no randomness, AWS-LC ends the process.
const WANT: &str = "AWS-LC makes keys as long as there is memory";

/// An AEAD with its key expanded. Wiped when dropped.
pub(crate) struct Cipher(Box<LessSafeKey>);

impl Cipher {
    /// `None` if the key has not the algorithm's length.
    pub(super) fn new(algorithm: Algorithm, key: &[u8]) -> Option<Self> {
        let algorithm = match algorithm {
            Algorithm::Aes128Gcm => &AES_128_GCM,
            Algorithm::Aes256Gcm => &AES_256_GCM,
            Algorithm::ChaCha20Poly1305 => &CHACHA20_POLY1305,
        };
        UnboundKey::new(algorithm, key).ok().map(|key| Self(Box::new(LessSafeKey::new(key))))
    }

    pub(super) fn seal(&self, nonce: [u8; NONCE_LEN], additional: &[u8], body: &mut [u8]) -> Option<[u8; TAG_LEN]> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self.0.seal_in_place_separate_tag(nonce, Aad::from(additional), body).ok()?;
        tag.as_ref().try_into().ok()
    }

    pub(super) fn open(&self, nonce: [u8; NONCE_LEN], additional: &[u8], body: &mut [u8], tag: &[u8; TAG_LEN]) -> bool {
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.0.open_in_place_separate_tag(nonce, Aad::from(additional), tag, body).is_ok()
    }
}

/// A secret scalar. Wiped when dropped.
pub(crate) struct EcdhKey(agreement::PrivateKey);

impl EcdhKey {
    pub(super) fn generate(curve: Curve, rng: &mut Rng) -> Self {
        let generated = match curve {
            Curve::X25519 => agreement::PrivateKey::from_private_key(&X25519, &*Zeroizing::new(rng.bytes::<32>())).ok(),
            Curve::Secp256r1 => agreement::PrivateKey::generate(&ECDH_P256).ok(),
            Curve::Secp384r1 => agreement::PrivateKey::generate(&ECDH_P384).ok(),
        };
        Self(generated.expect(WANT))
    }

    /// `None` if it is no secret of the curve.
    #[cfg(test)]
    pub(super) fn new(curve: Curve, secret: &[u8]) -> Option<Self> {
        let algorithm = match curve {
            Curve::X25519 => &X25519,
            Curve::Secp256r1 => &ECDH_P256,
            Curve::Secp384r1 => &ECDH_P384,
        };
        agreement::PrivateKey::from_private_key(algorithm, secret).ok().map(Self)
    }

    pub(super) fn public_key(&self) -> Vec<u8> {
        self.0.compute_public_key().map(|key| key.as_ref().to_vec()).unwrap_or_default()
    }

    pub(super) fn agree(&self, peer: &[u8]) -> Option<SharedSecret> {
        let algorithm = self.0.algorithm();
        // It would take a whole SubjectPublicKeyInfo too. RFC 8422 §5.4: only the uncompressed form of a point.
        let is_bare = if *algorithm == X25519 { peer.len() == 32 } else { peer.first() == Some(&4) };
        let peer = is_bare.then_some(UnparsedPublicKey::new(algorithm, peer))?;
        agreement::agree(&self.0, peer, (), |shared| Ok(Zeroizing::new(shared.to_vec()))).ok()
    }
}

/// A decapsulation key of ML-KEM-768. Wiped when dropped.
pub(crate) struct MlKemKey(DecapsulationKey);

impl MlKemKey {
    pub(super) fn generate(_rng: &mut Rng) -> Self {
        Self(DecapsulationKey::generate(&ML_KEM_768).expect(WANT))
    }

    pub(super) fn encapsulation_key(&self) -> Vec<u8> {
        let key = self.0.encapsulation_key().and_then(|key| key.key_bytes());
        key.map(|bytes| bytes.as_ref().to_vec()).unwrap_or_default()
    }

    /// `None` if the ciphertext has not the right length.
    pub(super) fn decapsulate(&self, ciphertext: &[u8]) -> Option<SharedSecret> {
        let ciphertext = Ciphertext::from(<&[u8; CIPHERTEXT_LEN]>::try_from(ciphertext).ok()?.as_slice());
        let shared = self.0.decapsulate(ciphertext).ok()?;
        Some(Zeroizing::new(shared.as_ref().to_vec()))
    }
}

/// A ciphertext and the secret in it, for the owner of this encapsulation key of ML-KEM-768; `None` if it is none.
pub(super) fn encapsulate(key: &[u8], _rng: &mut Rng) -> Option<(Vec<u8>, SharedSecret)> {
    let key = EncapsulationKey::new(&ML_KEM_768, <&[u8; ENCAPSULATION_KEY_LEN]>::try_from(key).ok()?).ok()?;
    let (ciphertext, shared) = key.encapsulate().ok()?;
    Some((ciphertext.as_ref().to_vec(), Zeroizing::new(shared.as_ref().to_vec())))
}

/// A private key as AWS-LC has it. Wiped when dropped.
#[derive(Clone)]
pub(crate) enum KeyPair {
    /// And the hash that is as long as the curve's numbers, with which alone AWS-LC signs.
    Ecdsa(Arc<EcdsaKeyPair>, HashAlgorithm),
    Ed25519(Arc<Ed25519KeyPair>),
    Rsa(Arc<RsaKeyPair>),
}

impl KeyPair {
    pub(super) fn new(key: &PrivateKey) -> Option<Self> {
        Some(match key {
            PrivateKey::P256(key) => {
                let pair = ecdsa(&signature::ECDSA_P256_SHA256_ASN1_SIGNING, &Zeroizing::new(key.to_bytes()))?;
                Self::Ecdsa(pair, HashAlgorithm::Sha256)
            }
            PrivateKey::P384(key) => {
                let pair = ecdsa(&signature::ECDSA_P384_SHA384_ASN1_SIGNING, &Zeroizing::new(key.to_bytes()))?;
                Self::Ecdsa(pair, HashAlgorithm::Sha384)
            }
            PrivateKey::Ed25519(_) => Self::Ed25519(Arc::new(Ed25519KeyPair::from_pkcs8(&key.to_pkcs8()?).ok()?)),
            PrivateKey::Rsa(_) => Self::Rsa(Arc::new(RsaKeyPair::from_pkcs8(&key.to_pkcs8()?).ok()?)),
        })
    }

    /// The public key, if it is a point of P-256 or P-384: in the uncompressed form.
    pub(super) fn point(&self) -> Option<Vec<u8>> {
        match self {
            Self::Ecdsa(pair, _) => Some(pair.public_key().as_ref().to_vec()),
            Self::Ed25519(_) | Self::Rsa(_) => None,
        }
    }

    pub(super) fn sign(
        &self,
        _key: &PrivateKey,
        scheme: SignatureScheme,
        signed: Signed<'_>,
        _rng: &mut Rng,
    ) -> Option<Vec<u8>> {
        let message = signed.message;
        match self {
            Self::Ecdsa(pair, curve) => {
                let signature = pair.sign_digest(&fitted(scheme.ecdsa_hash()?, signed, *curve)?);
                signature.ok().map(|signature| signature.as_ref().to_vec())
            }
            Self::Ed25519(pair) if scheme == SignatureScheme::Ed25519 => {
                pair.try_sign(message).ok().map(|signature| signature.as_ref().to_vec())
            }
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding(scheme)?, &SystemRandom::new(), message, &mut signature).ok()?;
                Some(signature)
            }
            Self::Ed25519(_) => None,
        }
    }
}

/// Without its public key, which AWS-LC finds in a tenth of the time.
fn ecdsa(algorithm: &'static EcdsaSigningAlgorithm, secret: &[u8]) -> Option<Arc<EcdsaKeyPair>> {
    let key = EcPrivateKey { private_key: secret, parameters: None, public_key: None };
    let der = Zeroizing::new(key.to_der().ok()?);
    EcdsaKeyPair::from_private_key_der(algorithm, &der).ok().map(Arc::new)
}

/// How RSA signs; `None` for what is not of RSA.
fn encoding(scheme: SignatureScheme) -> Option<&'static dyn RsaEncoding> {
    Some(match scheme {
        SignatureScheme::RsaPssRsaeSha256 => &signature::RSA_PSS_SHA256,
        SignatureScheme::RsaPssRsaeSha384 => &signature::RSA_PSS_SHA384,
        SignatureScheme::RsaPssRsaeSha512 => &signature::RSA_PSS_SHA512,
        SignatureScheme::RsaPkcs1Sha256 => &signature::RSA_PKCS1_SHA256,
        SignatureScheme::RsaPkcs1Sha384 => &signature::RSA_PKCS1_SHA384,
        SignatureScheme::RsaPkcs1Sha512 => &signature::RSA_PKCS1_SHA512,
        SignatureScheme::EcdsaSecp256r1Sha256 | SignatureScheme::EcdsaSecp384r1Sha384 | SignatureScheme::Ed25519 => {
            return None;
        }
    })
}

/// What ECDSA signs. Hashed by ourselves, for AWS-LC takes a hash with less ado than a message.
fn digest(algorithm: HashAlgorithm, signed: Signed<'_>) -> Option<Digest> {
    match signed.hash(algorithm) {
        Some(hash) => import(algorithm, hash),
        None => import(algorithm, &hash::hash(algorithm, signed.message)),
    }
}

fn import(algorithm: HashAlgorithm, hash: &[u8]) -> Option<Digest> {
    let algorithm = match algorithm {
        HashAlgorithm::Sha256 => &SHA256,
        HashAlgorithm::Sha384 => &SHA384,
        HashAlgorithm::Sha512 => &SHA512,
    };
    Digest::import_less_safe(hash, algorithm).ok()
}

/// The same as if it were of the hash that is as long as the curve's numbers.
///
/// To ECDSA, a hash is a number, of as many of its leftmost bits as those have (FIPS 186-5 §6.4.1): a longer one is cut, and
/// a shorter one has zeros before it.
fn fitted(algorithm: HashAlgorithm, signed: Signed<'_>, curve: HashAlgorithm) -> Option<Digest> {
    let digest = digest(algorithm, signed)?;
    if algorithm == curve {
        return Some(digest);
    }
    let (hash, len) = (digest.as_ref(), curve.digest_len());
    let number = hash.get(..len).unwrap_or(hash);
    import(curve, &[&vec![0; len.saturating_sub(number.len())], number].concat())
}

/// A public key of ECDSA: a point of its curve.
#[derive(Clone, Debug)]
pub(crate) struct EcdsaKey {
    /// For the hash that is as long as the curve's.
    key: ParsedPublicKey,
    /// Its own hash, and the other one, which 1.2 has with it too.
    hashes: [(HashAlgorithm, &'static EcdsaVerificationAlgorithm); 2],
}

pub(crate) type P256Key = EcdsaKey;
pub(crate) type P384Key = EcdsaKey;

pub(super) fn p256_key(point: &[u8]) -> Option<P256Key> {
    let own = (HashAlgorithm::Sha256, &signature::ECDSA_P256_SHA256_ASN1);
    EcdsaKey::new(point, [own, (HashAlgorithm::Sha384, &signature::ECDSA_P256_SHA384_ASN1)])
}

pub(super) fn p384_key(point: &[u8]) -> Option<P384Key> {
    let own = (HashAlgorithm::Sha384, &signature::ECDSA_P384_SHA384_ASN1);
    EcdsaKey::new(point, [own, (HashAlgorithm::Sha256, &signature::ECDSA_P384_SHA256_ASN1)])
}

impl EcdsaKey {
    fn new(point: &[u8], hashes: [(HashAlgorithm, &'static EcdsaVerificationAlgorithm); 2]) -> Option<Self> {
        let [(_, algorithm), _] = hashes;
        // It would take a whole SubjectPublicKeyInfo too, whose first byte is another.
        ParsedPublicKey::new(algorithm, point).ok().map(|key| Self { key, hashes })
    }

    fn verify(&self, algorithm: HashAlgorithm, signed: Signed<'_>, signature: &[u8]) -> bool {
        let [(own, _), (other, with_other)] = self.hashes;
        let Some(digest) = digest(algorithm, signed) else { return false };
        if algorithm == own {
            return self.key.verify_digest_sig(&digest, signature).is_ok();
        }
        algorithm == other && VerifyingBytes::new(with_other, &self.key).verify_digest(&digest, signature).is_ok()
    }
}

impl PartialEq for EcdsaKey {
    fn eq(&self, other: &Self) -> bool {
        // However the points were written.
        match (self.key.as_der(), other.key.as_der()) {
            (Ok(key), Ok(other)) => key.as_ref() == other.as_ref(),
            (Err(_), _) | (_, Err(_)) => false,
        }
    }
}

impl Eq for EcdsaKey {}

/// Whether the key's owner has signed it so.
pub(super) fn verify(key: &VerifyingKey, scheme: SignatureScheme, signed: Signed<'_>, signature: &[u8]) -> bool {
    let is_signed = |algorithm: &'static dyn VerificationAlgorithm, key: &[u8]| {
        VerifyingBytes::new(algorithm, key).verify(signed.message, signature).is_ok()
    };
    match key {
        VerifyingKey::P256(key) | VerifyingKey::P384(key) => {
            scheme.ecdsa_hash().is_some_and(|algorithm| key.verify(algorithm, signed, signature))
        }
        VerifyingKey::Ed25519(key) => {
            scheme == SignatureScheme::Ed25519 && is_signed(&signature::ED25519, key.as_bytes())
        }
        VerifyingKey::Rsa(key) => {
            let algorithm: &'static dyn VerificationAlgorithm = match scheme {
                SignatureScheme::RsaPssRsaeSha256 => &signature::RSA_PSS_2048_8192_SHA256,
                SignatureScheme::RsaPssRsaeSha384 => &signature::RSA_PSS_2048_8192_SHA384,
                SignatureScheme::RsaPssRsaeSha512 => &signature::RSA_PSS_2048_8192_SHA512,
                SignatureScheme::RsaPkcs1Sha256 => &signature::RSA_PKCS1_2048_8192_SHA256,
                SignatureScheme::RsaPkcs1Sha384 => &signature::RSA_PKCS1_2048_8192_SHA384,
                SignatureScheme::RsaPkcs1Sha512 => &signature::RSA_PKCS1_2048_8192_SHA512,
                SignatureScheme::EcdsaSecp256r1Sha256
                | SignatureScheme::EcdsaSecp384r1Sha384
                | SignatureScheme::Ed25519 => return false,
            };
            key.to_pkcs1_der().is_ok_and(|key| is_signed(algorithm, key.as_bytes()))
        }
    }
}
