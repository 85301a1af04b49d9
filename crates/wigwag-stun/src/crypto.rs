//! The crate's door to cryptography: HMAC-SHA1, HMAC-SHA256, SHA-256, MD5, CRC-32, and comparing without telling how far two tags agree.

use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The length of a tag, in bytes.
pub(crate) const TAG_LEN: usize = 20;

/// HMAC-SHA1 (RFC 2104) with its key already hashed in: each tag costs two blocks less. Wiped when dropped.
#[derive(Clone)]
pub(crate) struct HmacSha1(Hmac<Sha1>);

impl HmacSha1 {
    pub(crate) fn new(key: &[u8]) -> Self {
        #[expect(clippy::expect_used, reason = "RFC 2104 takes keys of any length, and so does the crate")]
        Self(Hmac::new_from_slice(key).expect("HMAC takes keys of any length"))
    }

    /// The tag of these parts, one after the other.
    pub(crate) fn tag(&self, parts: [&[u8]; 2]) -> [u8; TAG_LEN] {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

/// The length of a tag of HMAC-SHA256, in bytes.
pub(crate) const SHA256_TAG_LEN: usize = 32;

/// HMAC-SHA256 with its key already hashed in. Wiped when dropped.
#[derive(Clone)]
pub(crate) struct HmacSha256(Hmac<Sha256>);

impl HmacSha256 {
    pub(crate) fn new(key: &[u8]) -> Self {
        #[expect(clippy::expect_used, reason = "RFC 2104 takes keys of any length, and so does the crate")]
        Self(Hmac::new_from_slice(key).expect("HMAC takes keys of any length"))
    }

    /// The tag of these parts, one after the other.
    pub(crate) fn tag(&self, parts: [&[u8]; 2]) -> [u8; SHA256_TAG_LEN] {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

/// SHA-256 of these parts with colons between them.
pub(crate) fn sha256_of_joined<const N: usize>(parts: [&[u8]; N]) -> [u8; 32] {
    joined::<Sha256, N>(parts).into()
}

/// MD5 of these parts with colons between them.
pub(crate) fn md5_of_joined<const N: usize>(parts: [&[u8]; N]) -> [u8; 16] {
    joined::<Md5, N>(parts).into()
}

fn joined<D: Digest, const N: usize>(parts: [&[u8]; N]) -> hmac::digest::Output<D> {
    let mut digest = D::new();
    for (index, part) in parts.into_iter().enumerate() {
        if index > 0 {
            digest.update(b":");
        }
        digest.update(part);
    }
    digest.finalize()
}

/// Whether two tags are equal, in constant time.
pub(crate) fn is_equal(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// CRC-32 as in ITU V.42.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 2202 §3, test cases 1 and 2.
    #[test]
    fn is_hmac_sha1() {
        let tag = HmacSha1::new(&[0x0b; 20]).tag([b"Hi ", b"There"]);
        assert_eq!(tag[..4], [0xb6, 0x17, 0x31, 0x86]);
        let tag = HmacSha1::new(b"Jefe").tag([b"what do ya want for nothing?", b""]);
        assert_eq!(tag[..4], [0xef, 0xfc, 0xdf, 0x6a]);
    }

    /// RFC 4231 §4.2, §4.3.
    #[test]
    fn is_hmac_sha256() {
        let tag = HmacSha256::new(&[0x0b; 20]).tag([b"Hi ", b"There"]);
        assert_eq!(tag[..4], [0xb0, 0x34, 0x4c, 0x61]);
        let tag = HmacSha256::new(b"Jefe").tag([b"what do ya want for nothing?", b""]);
        assert_eq!(tag[..4], [0x5b, 0xdc, 0xc1, 0x46]);
    }

    #[test]
    fn is_the_crc_of_itu_v42() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn tags_are_equal_only_in_full() {
        assert!(is_equal(&[7; 20], &[7; 20]));
        for at in 0..20 {
            let mut other = [7; 20];
            other[at] ^= 1;
            assert!(!is_equal(&[7; 20], &other));
        }
    }
}
