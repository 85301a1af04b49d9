//! AES in Galois/counter mode (RFC 7714).

use super::backend::Aead;
use super::{Position, SessionKeys, TAG_LEN_MAX, Tag};
use zeroize::Zeroizing;

pub(super) const SALT_LEN: usize = 12;

/// With a key of either length.
pub(crate) struct Gcm {
    cipher: Aead,
    salt: Zeroizing<[u8; SALT_LEN]>,
}

impl Gcm {
    pub(super) fn new(keys: &SessionKeys) -> Option<Self> {
        Some(Self { cipher: Aead::new(&keys.encryption)?, salt: Zeroizing::new(keys.salt.as_slice().try_into().ok()?) })
    }

    pub(super) fn seal(&self, position: Position, data: &[u8], body: &mut [u8]) -> Option<Tag> {
        self.cipher.seal(self.nonce(position), data, body).map(|tag| Tag::new(tag, TAG_LEN_MAX))
    }

    /// The tag is compared in constant time, and before anything is decrypted for others to see.
    pub(super) fn open(&mut self, position: Position, data: &[u8], body: &mut [u8], tag: &[u8]) -> Option<()> {
        let tag: &[u8; TAG_LEN_MAX] = tag.try_into().ok()?;
        let nonce = self.nonce(position);
        self.cipher.open(nonce, data, body, tag).then_some(())
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
