//! Ephemeral key exchange (RFC 8422, RFC 7748).

use crate::Group;
use wigwag_sansio::Rng;
use zeroize::Zeroizing;

/// A secret of both sides.
pub(crate) type SharedSecret = Zeroizing<Vec<u8>>;

/// Our half of a key exchange. Wiped when dropped.
pub(crate) enum KeyExchange {
    X25519(x25519_dalek::StaticSecret),
    Secp256r1(p256::SecretKey),
    Secp384r1(p384::SecretKey),
}

impl KeyExchange {
    pub(crate) fn generate(group: Group, rng: &mut Rng) -> Self {
        match group {
            Group::X25519 => Self::X25519(x25519_dalek::StaticSecret::from(rng.bytes())),
            Group::Secp256r1 => Self::Secp256r1(p256_secret(rng)),
            Group::Secp384r1 => Self::Secp384r1(p384_secret(rng)),
        }
    }

    /// What the peer is told.
    pub(crate) fn public_key(&self) -> Vec<u8> {
        match self {
            Self::X25519(secret) => x25519_dalek::PublicKey::from(secret).as_bytes().to_vec(),
            Self::Secp256r1(secret) => secret.public_key().to_sec1_bytes().into_vec(),
            Self::Secp384r1(secret) => secret.public_key().to_sec1_bytes().into_vec(),
        }
    }

    /// The shared secret, or `None` if the peer's key is not a point of the curve, or one that gives no secret.
    pub(crate) fn agree(&self, peer: &[u8]) -> Option<SharedSecret> {
        match self {
            // RFC 7748 §6.1: "Both MAY check, without leaking extra information about the value of K, whether K is the
            // all-zero value and abort if so"; RFC 8422 §5.11 makes it a MUST.
            Self::X25519(secret) => {
                let shared = secret.diffie_hellman(&<[u8; 32]>::try_from(peer).ok()?.into());
                shared.was_contributory().then(|| Zeroizing::new(shared.as_bytes().to_vec()))
            }
            // RFC 8422 §5.4: only the uncompressed form.
            Self::Secp256r1(secret) => {
                let peer = p256::PublicKey::from_sec1_bytes(uncompressed(peer)?).ok()?;
                Some(Zeroizing::new(secret.diffie_hellman(&peer).raw_secret_bytes().to_vec()))
            }
            Self::Secp384r1(secret) => {
                let peer = p384::PublicKey::from_sec1_bytes(uncompressed(peer)?).ok()?;
                Some(Zeroizing::new(secret.diffie_hellman(&peer).raw_secret_bytes().to_vec()))
            }
        }
    }
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
