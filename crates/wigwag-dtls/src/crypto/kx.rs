//! Ephemeral key exchange (RFC 8422, RFC 7748, FIPS 203, draft-ietf-tls-ecdhe-mlkem).

use super::backend::{self, EcdhKey, MlKemKey};
use crate::Group;
use wigwag_sansio::Rng;
use zeroize::Zeroizing;

/// A secret of both sides.
pub(crate) type SharedSecret = Zeroizing<Vec<u8>>;

/// FIPS 203, table 3.
pub(super) const CIPHERTEXT_LEN: usize = 1088;
pub(super) const ENCAPSULATION_KEY_LEN: usize = 1184;

/// A curve of ECDH.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Curve {
    X25519,
    Secp256r1,
    Secp384r1,
}

/// Our half of a key exchange. Wiped when dropped.
pub(crate) enum KeyExchange {
    Ecdh(EcdhKey),
    X25519MlKem768 { x25519: EcdhKey, ml_kem: MlKemKey },
}

impl KeyExchange {
    pub(crate) fn generate(group: Group, rng: &mut Rng) -> Self {
        match group.curve() {
            Some(curve) => Self::Ecdh(EcdhKey::generate(curve, rng)),
            None => {
                let ml_kem = MlKemKey::generate(rng);
                Self::X25519MlKem768 { x25519: EcdhKey::generate(Curve::X25519, rng), ml_kem }
            }
        }
    }

    /// What the peer is told.
    pub(crate) fn public_key(&self) -> Vec<u8> {
        match self {
            Self::Ecdh(key) => key.public_key(),
            Self::X25519MlKem768 { x25519, ml_kem } => [ml_kem.encapsulation_key(), x25519.public_key()].concat(),
        }
    }

    /// The shared secret, or `None` if what the peer told us is not a point of the curve, or gives no secret.
    pub(crate) fn agree(&self, peer: &[u8]) -> Option<SharedSecret> {
        match self {
            Self::Ecdh(key) => key.agree(peer),
            // The secret of ML-KEM comes first (draft-ietf-tls-ecdhe-mlkem §4.3).
            Self::X25519MlKem768 { x25519, ml_kem } => {
                let (ciphertext, point) = peer.split_at_checked(CIPHERTEXT_LEN)?;
                let classic = x25519.agree(point)?;
                Some(Zeroizing::new([&ml_kem.decapsulate(ciphertext)?[..], &classic].concat()))
            }
        }
    }

    /// What a server tells of itself to who sent `peer`, and the secret that it shares with them; `None` as above.
    pub(crate) fn respond(group: Group, peer: &[u8], rng: &mut Rng) -> Option<(Vec<u8>, SharedSecret)> {
        let Some(curve) = group.curve() else { return respond_x25519_ml_kem_768(peer, rng) };
        let ours = EcdhKey::generate(curve, rng);
        Some((ours.public_key(), ours.agree(peer)?))
    }
}

fn respond_x25519_ml_kem_768(peer: &[u8], rng: &mut Rng) -> Option<(Vec<u8>, SharedSecret)> {
    let (key, point) = peer.split_at_checked(ENCAPSULATION_KEY_LEN)?;
    let ours = EcdhKey::generate(Curve::X25519, rng);
    let classic = ours.agree(point)?;
    let (ciphertext, shared) = backend::encapsulate(key, rng)?;
    Some(([ciphertext, ours.public_key()].concat(), Zeroizing::new([&shared[..], &classic].concat())))
}

impl Group {
    /// None if it is post-quantum.
    const fn curve(self) -> Option<Curve> {
        match self {
            Self::X25519 => Some(Curve::X25519),
            Self::Secp256r1 => Some(Curve::Secp256r1),
            Self::Secp384r1 => Some(Curve::Secp384r1),
            Self::X25519MlKem768 => None,
        }
    }
}
