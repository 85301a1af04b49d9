//! The same of AWS-LC, which is faster, and looks by itself at what the processor has.

use super::TAG_LEN_MAX;
use super::gcm::SALT_LEN;
use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{AES_128, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;
use zeroize::Zeroizing;

/// AES-GCM with its key expanded. Wiped when dropped.
pub(super) struct Aead {
    key: Box<LessSafeKey>,
    /// What a packet is opened into: AWS-LC overwrites what is not authentic, and others leave it as it was.
    opened: Zeroizing<Vec<u8>>,
}

impl Aead {
    /// `None` if the key is neither 16 nor 32 bytes long.
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        let algorithm = if key.len() == 32 { &AES_256_GCM } else { &AES_128_GCM };
        let key = UnboundKey::new(algorithm, key).ok()?;
        Some(Self { key: Box::new(LessSafeKey::new(key)), opened: Zeroizing::default() })
    }

    pub(super) fn seal(&self, nonce: [u8; SALT_LEN], data: &[u8], body: &mut [u8]) -> Option<[u8; TAG_LEN_MAX]> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self.key.seal_in_place_separate_tag(nonce, Aad::from(data), body).ok()?;
        tag.as_ref().try_into().ok()
    }

    /// What is not authentic is left as it was.
    pub(super) fn open(
        &mut self,
        nonce: [u8; SALT_LEN],
        data: &[u8],
        body: &mut [u8],
        tag: &[u8; TAG_LEN_MAX],
    ) -> bool {
        let nonce = Nonce::assume_unique_for_key(nonce);
        if self.opened.len() < body.len() {
            self.opened.resize(body.len(), 0);
        }
        let Some(opened) = self.opened.get_mut(..body.len()) else { return false };
        let is_authentic = self.key.open_separate_gather(nonce, Aad::from(data), body, tag, opened).is_ok();
        if is_authentic {
            body.copy_from_slice(opened);
        }
        is_authentic
    }
}

/// AES-128 in counter mode. Wiped when dropped.
pub(super) struct Aes128Counter(Box<EncryptingKey>);

impl Aes128Counter {
    /// `None` if the key is not 16 bytes long.
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        EncryptingKey::ctr(UnboundCipherKey::new(&AES_128, key).ok()?).ok().map(|key| Self(Box::new(key)))
    }

    pub(super) fn apply(&self, counter: [u8; 16], body: &mut [u8]) -> Option<()> {
        let context = EncryptionContext::Iv128(FixedLength::from(counter));
        self.0.less_safe_encrypt(body, context).ok().map(drop)
    }
}

/// HMAC-SHA1. Its key is already mixed in: each packet starts from a copy.
pub(super) struct HmacSha1(Box<hmac::Key>);

impl HmacSha1 {
    #[expect(clippy::unnecessary_wraps, reason = "as the other backend")]
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        Some(Self(Box::new(hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key))))
    }

    pub(super) fn of(&self, parts: [&[u8]; 5]) -> [u8; 20] {
        let mut hmac = hmac::Context::with_key(&self.0);
        parts.iter().for_each(|part| hmac.update(part));
        hmac.sign().as_ref().first_chunk().copied().unwrap_or_default()
    }
}
