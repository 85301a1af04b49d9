//! The crate's door to cryptography: HMAC-SHA1, CRC-32, and comparing without telling how far two tags agree.

use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use sha1::Sha1;
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

/// Whether two tags are equal, in constant time.
pub(crate) fn is_equal(a: &[u8; TAG_LEN], b: &[u8; TAG_LEN]) -> bool {
    a.as_slice().ct_eq(b.as_slice()).into()
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
