//! Ephemeral key exchange (RFC 8422, RFC 7748, FIPS 203, draft-ietf-tls-ecdhe-mlkem).

use crate::Group;
use ml_kem::kem::{Decapsulate, KeyExport};
use ml_kem::{MlKem768, ml_kem_768};
use p256::elliptic_curve::point::AffineCoordinates;
use wigwag_sansio::Rng;
use zeroize::Zeroizing;

/// A secret of both sides.
pub(crate) type SharedSecret = Zeroizing<Vec<u8>>;

const X25519_LEN: usize = 32;
/// FIPS 203, table 3.
const CIPHERTEXT_LEN: usize = 1088;
const ENCAPSULATION_KEY_LEN: usize = 1184;

/// Our half of a key exchange. Wiped when dropped.
pub(crate) enum KeyExchange {
    X25519(x25519_dalek::StaticSecret),
    Secp256r1(p256::SecretKey),
    Secp384r1(p384::SecretKey),
    X25519MlKem768 { x25519: x25519_dalek::StaticSecret, ml_kem: Box<ml_kem_768::DecapsulationKey> },
}

impl KeyExchange {
    pub(crate) fn generate(group: Group, rng: &mut Rng) -> Self {
        match group {
            Group::X25519 => Self::X25519(x25519(rng)),
            Group::Secp256r1 => Self::Secp256r1(p256_secret(rng)),
            Group::Secp384r1 => Self::Secp384r1(p384_secret(rng)),
            Group::X25519MlKem768 => {
                let seed: Zeroizing<[u8; 64]> = Zeroizing::new(rng.bytes());
                let ml_kem = Box::new(ml_kem_768::DecapsulationKey::from_seed((*seed).into()));
                Self::X25519MlKem768 { x25519: x25519(rng), ml_kem }
            }
        }
    }

    /// What the peer is told.
    pub(crate) fn public_key(&self) -> Vec<u8> {
        match self {
            Self::X25519(secret) => x25519_dalek::PublicKey::from(secret).as_bytes().to_vec(),
            Self::Secp256r1(secret) => secret.public_key().to_sec1_bytes().into_vec(),
            Self::Secp384r1(secret) => secret.public_key().to_sec1_bytes().into_vec(),
            Self::X25519MlKem768 { x25519, ml_kem } => {
                let mut share = ml_kem.encapsulation_key().to_bytes().to_vec();
                share.extend_from_slice(x25519_dalek::PublicKey::from(x25519).as_bytes());
                share
            }
        }
    }

    /// The shared secret, or `None` if what the peer told us is not a point of the curve, or gives no secret.
    pub(crate) fn agree(&self, peer: &[u8]) -> Option<SharedSecret> {
        match self {
            Self::X25519(secret) => agree_x25519(secret, peer),
            // RFC 8422 §5.4: only the uncompressed form.
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
            // The secret of ML-KEM comes first (draft-ietf-tls-ecdhe-mlkem §4.3).
            Self::X25519MlKem768 { x25519, ml_kem } => {
                let (ciphertext, point) = peer.split_at_checked(CIPHERTEXT_LEN)?;
                let classic = agree_x25519(x25519, point)?;
                let shared = Zeroizing::new(ml_kem.decapsulate(ciphertext.try_into().ok()?));
                Some(Zeroizing::new([&shared[..], &classic[..]].concat()))
            }
        }
    }

    /// What a server tells of itself to who sent `peer`, and the secret that it shares with them; `None` as above.
    pub(crate) fn respond(group: Group, peer: &[u8], rng: &mut Rng) -> Option<(Vec<u8>, SharedSecret)> {
        match group {
            Group::X25519 | Group::Secp256r1 | Group::Secp384r1 => {
                let ours = Self::generate(group, rng);
                Some((ours.public_key(), ours.agree(peer)?))
            }
            Group::X25519MlKem768 => {
                let (key, point) = peer.split_at_checked(ENCAPSULATION_KEY_LEN)?;
                let key = ml_kem::EncapsulationKey::<MlKem768>::new(key.try_into().ok()?).ok()?;
                let (ours, random) = (x25519(rng), Zeroizing::new(rng.bytes::<32>()));
                let classic = agree_x25519(&ours, point)?;
                let (ciphertext, shared) = key.encapsulate_deterministic((&*random).into());
                let shared = Zeroizing::new(shared);
                let share = [&ciphertext[..], x25519_dalek::PublicKey::from(&ours).as_bytes()].concat();
                Some((share, Zeroizing::new([&shared[..], &classic[..]].concat())))
            }
        }
    }
}

fn x25519(rng: &mut Rng) -> x25519_dalek::StaticSecret {
    x25519_dalek::StaticSecret::from(rng.bytes::<X25519_LEN>())
}

/// RFC 7748 §6.1: "Both MAY check, without leaking extra information about the value of K, whether K is the all-zero value
/// and abort if so"; RFC 8422 §5.11 and RFC 8446 §7.4.2 make it a MUST.
fn agree_x25519(secret: &x25519_dalek::StaticSecret, peer: &[u8]) -> Option<SharedSecret> {
    let shared = secret.diffie_hellman(&<[u8; X25519_LEN]>::try_from(peer).ok()?.into());
    shared.was_contributory().then(|| Zeroizing::new(shared.as_bytes().to_vec()))
}

fn uncompressed(point: &[u8]) -> Option<&[u8]> {
    Some(point).filter(|point| point.first() == Some(&4))
}

/// A secret scalar: bytes that are zero or not below the order are drawn again.
pub(super) fn p256_secret(rng: &mut Rng) -> p256::SecretKey {
    loop {
        let bytes: Zeroizing<[u8; 32]> = Zeroizing::new(rng.bytes());
        if let Ok(secret) = p256::SecretKey::from_slice(&*bytes) {
            return secret;
        }
    }
}

fn p384_secret(rng: &mut Rng) -> p384::SecretKey {
    loop {
        let bytes: Zeroizing<[u8; 48]> = Zeroizing::new(rng.bytes());
        if let Ok(secret) = p384::SecretKey::from_slice(&*bytes) {
            return secret;
        }
    }
}
