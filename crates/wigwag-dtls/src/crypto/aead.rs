//! Authenticated encryption of records, in place (RFC 5288 §3).

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes128Gcm, KeyInit};
use zeroize::Zeroizing;

/// The length of the key, in bytes.
pub(crate) const KEY_LEN: usize = 16;
/// The length of the part of a nonce that is derived with the key.
pub(crate) const SALT_LEN: usize = 4;
/// The length of the part of a nonce that is sent.
pub(crate) const EXPLICIT_NONCE_LEN: usize = 8;
/// The length of a tag.
pub(crate) const TAG_LEN: usize = 16;

/// AES-128-GCM with the salt of one direction. Wiped when dropped.
pub(crate) struct Aead {
    cipher: Aes128Gcm,
    salt: Zeroizing<[u8; SALT_LEN]>,
}

impl Aead {
    pub(crate) fn new(key: &[u8; KEY_LEN], salt: [u8; SALT_LEN]) -> Self {
        Self { cipher: Aes128Gcm::new(key.into()), salt: Zeroizing::new(salt) }
    }

    /// Encrypts where it lies and returns the tag; `None` if it is longer than the cipher can take (64 GB).
    pub(crate) fn seal(
        &self,
        explicit: [u8; EXPLICIT_NONCE_LEN],
        additional: &[u8],
        body: &mut [u8],
    ) -> Option<[u8; TAG_LEN]> {
        let tag = self.cipher.encrypt_inout_detached(&self.nonce(explicit).into(), additional, body.into());
        tag.ok().map(Into::into)
    }

    /// Decrypts where it lies if the tag is right.
    #[must_use]
    pub(crate) fn open(
        &self,
        explicit: [u8; EXPLICIT_NONCE_LEN],
        additional: &[u8],
        body: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> bool {
        let nonce = self.nonce(explicit).into();
        self.cipher.decrypt_inout_detached(&nonce, additional, body.into(), tag.into()).is_ok()
    }

    // RFC 5288 §3: "struct { opaque salt[4]; opaque nonce_explicit[8]; } GCMNonce;"
    fn nonce(&self, explicit: [u8; EXPLICIT_NONCE_LEN]) -> [u8; SALT_LEN + EXPLICIT_NONCE_LEN] {
        let mut nonce = [0; SALT_LEN + EXPLICIT_NONCE_LEN];
        for (to, from) in nonce.iter_mut().zip(self.salt.into_iter().chain(explicit)) {
            *to = from;
        }
        nonce
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes<const N: usize>(hex: &str) -> [u8; N] {
        std::array::from_fn(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap())
    }

    /// McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B, test case 4.
    #[test]
    fn is_aes_gcm() {
        let plain: [u8; 60] = bytes(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525\
             b16aedf5aa0de657ba637b39",
        );
        let sealed: [u8; 60] = bytes(
            "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa05\
             1ba30b396a0aac973d58e091",
        );
        let additional: [u8; 20] = bytes("feedfacedeadbeeffeedfacedeadbeefabaddad2");
        let aead = Aead::new(&bytes("feffe9928665731c6d6a8f9467308308"), bytes("cafebabe"));
        let explicit = bytes("facedbaddecaf888");
        let mut body = plain;
        let tag = aead.seal(explicit, &additional, &mut body).unwrap();
        assert_eq!((body, tag), (sealed, bytes("5bc94fbc3221a5db94fae95ae7121a47")));
        assert!(aead.open(explicit, &additional, &mut body, &tag));
        assert_eq!(body, plain);
        assert!(!aead.open(explicit, &additional, &mut body, &[0; 16]));
    }
}
