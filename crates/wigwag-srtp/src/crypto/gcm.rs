//! AES in Galois/counter mode (RFC 7714).

use super::{Position, SessionKeys, Tag};
use aes_gcm::AeadInOut;
use aes_gcm::aead::{AeadCore, KeyInit, consts};
use zeroize::Zeroizing;

const SALT_LEN: usize = 12;

/// With a cipher of either key length.
pub(crate) struct Gcm<C> {
    cipher: C,
    salt: Zeroizing<[u8; SALT_LEN]>,
}

impl<C: AeadInOut + AeadCore<NonceSize = consts::U12, TagSize = consts::U16> + KeyInit> Gcm<C> {
    pub(super) fn new(keys: &SessionKeys) -> Option<Self> {
        Some(Self {
            cipher: C::new_from_slice(&keys.encryption).ok()?,
            salt: Zeroizing::new(keys.salt.as_slice().try_into().ok()?),
        })
    }

    pub(super) fn seal(&self, position: Position, data: &[u8], body: &mut [u8]) -> Option<Tag> {
        let nonce = self.nonce(position);
        self.cipher.encrypt_inout_detached(&nonce.into(), data, body.into()).ok().map(|tag| Tag::new(&tag))
    }

    /// The tag is compared in constant time, and before anything is decrypted.
    pub(super) fn open(&self, position: Position, data: &[u8], body: &mut [u8], tag: &[u8]) -> Option<()> {
        let (nonce, tag) = (self.nonce(position), tag.try_into().ok()?);
        self.cipher.decrypt_inout_detached(&nonce.into(), data, body.into(), tag).ok()
    }

    // RFC 7714 §8.1: two octets of 0, the SSRC, the ROC and the sequence number are XORed with the salt; §9.1: of RTCP,
    // two octets of 0, the SSRC, two more octets of 0 and the index. Both are the SSRC before 48 bits of index.
    fn nonce(&self, Position { ssrc, index }: Position) -> [u8; SALT_LEN] {
        let mut nonce = *self.salt;
        let position = u128::from(ssrc) << 48 | u128::from(index);
        for (byte, position) in nonce.iter_mut().zip(position.to_be_bytes().iter().skip(16 - SALT_LEN)) {
            *byte ^= position;
        }
        nonce
    }
}
