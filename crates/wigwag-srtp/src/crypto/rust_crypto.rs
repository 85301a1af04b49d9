//! The ciphers of RustCrypto: the backend without features.

use super::TAG_LEN_MAX;
use super::gcm::SALT_LEN;
use aes::Aes128;
use aes_gcm::{AeadInOut, Aes128Gcm, Aes256Gcm};
use ctr::CtrCore;
use ctr::cipher::{InnerIvInit, KeyInit, StreamCipherCore, array::Array};
use ctr::flavors::Ctr128BE;
use hmac::{Hmac, Mac};
use sha1::Sha1;

/// AES-GCM with its key expanded. Wiped when dropped.
pub(super) enum Aead {
    Aes128Gcm(Box<Aes128Gcm>),
    Aes256Gcm(Box<Aes256Gcm>),
}

impl Aead {
    /// `None` if the key is neither 16 nor 32 bytes long.
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        Some(match key.len() {
            32 => Self::Aes256Gcm(Box::new(Aes256Gcm::new_from_slice(key).ok()?)),
            _ => Self::Aes128Gcm(Box::new(Aes128Gcm::new_from_slice(key).ok()?)),
        })
    }

    pub(super) fn seal(&self, nonce: [u8; SALT_LEN], data: &[u8], body: &mut [u8]) -> Option<[u8; TAG_LEN_MAX]> {
        let nonce = &nonce.into();
        let tag = match self {
            Self::Aes128Gcm(cipher) => cipher.encrypt_inout_detached(nonce, data, body.into()),
            Self::Aes256Gcm(cipher) => cipher.encrypt_inout_detached(nonce, data, body.into()),
        };
        tag.ok().map(Into::into)
    }

    /// What is not authentic is left as it was.
    pub(super) fn open(
        &mut self,
        nonce: [u8; SALT_LEN],
        data: &[u8],
        body: &mut [u8],
        tag: &[u8; TAG_LEN_MAX],
    ) -> bool {
        let (nonce, tag) = (&nonce.into(), tag.into());
        let opened = match self {
            Self::Aes128Gcm(cipher) => cipher.decrypt_inout_detached(nonce, data, body.into(), tag),
            Self::Aes256Gcm(cipher) => cipher.decrypt_inout_detached(nonce, data, body.into(), tag),
        };
        opened.is_ok()
    }
}

/// AES-128 in counter mode. Wiped when dropped.
pub(super) struct Aes128Counter(Aes128);

impl Aes128Counter {
    /// `None` if the key is not 16 bytes long.
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        Aes128::new_from_slice(key).ok().map(Self)
    }

    #[expect(clippy::unnecessary_wraps, reason = "as the other backend")]
    pub(super) fn apply(&self, counter: [u8; 16], body: &mut [u8]) -> Option<()> {
        CtrCore::<_, Ctr128BE>::inner_iv_init(&self.0, &Array(counter)).apply_keystream_partial(body.into());
        Some(())
    }
}

/// HMAC-SHA1. Its key is already mixed in: each packet starts from a copy.
pub(super) struct HmacSha1(Hmac<Sha1>);

impl HmacSha1 {
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        Hmac::new_from_slice(key).ok().map(Self)
    }

    pub(super) fn of(&self, parts: [&[u8]; 5]) -> [u8; 20] {
        let mut hmac = self.0.clone();
        parts.iter().for_each(|part| hmac.update(part));
        hmac.finalize().into_bytes().into()
    }
}
