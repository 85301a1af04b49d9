//! The keys of MESSAGE-INTEGRITY and MESSAGE-INTEGRITY-SHA256 (RFC 8489 §9, §14.5, §14.6).

use crate::crypto::{self, HmacSha1, HmacSha256};
use std::fmt;

/// The shortest tag that is believed, in bytes.
const TAG_LEN_MIN: usize = 10;

/// A key of MESSAGE-INTEGRITY with its part of the HMAC computed once. Wiped when dropped, never printed.
#[derive(Clone)]
pub struct IntegrityKey(pub(crate) HmacSha1);

impl IntegrityKey {
    /// The key of a short-term credential, as ICE uses: the password itself.
    ///
    /// The password is taken as it is: passwords of ICE are of ASCII letters, digits, `+` and `/`, which the
    /// OpaqueString profile leaves alone.
    pub fn short_term(password: &str) -> Self {
        // RFC 8489 §9.1.1: "key = OpaqueString(password)"
        Self::from_bytes(password.as_bytes())
    }

    /// The key of a long-term credential with the password algorithm MD5, which is the one of servers that name none; where
    /// all three are prepared already (OpaqueString).
    pub fn long_term(username: &str, realm: &str, password: &str) -> Self {
        // RFC 8489 §18.5.1.1: "key = MD5(username ":" OpaqueString(realm) ":" OpaqueString(password))"
        Self::from_bytes(&crypto::md5_of_joined([username, realm, password].map(str::as_bytes)))
    }

    /// A key that was derived elsewhere, of any length.
    pub fn from_bytes(key: &[u8]) -> Self {
        Self(HmacSha1::new(key))
    }

    /// HMAC-SHA1 of any bytes, for what a server gives away to know it again: a nonce, the password of an hour.
    pub fn tag(&self, bytes: &[u8]) -> [u8; crypto::TAG_LEN] {
        self.0.tag([bytes, b""])
    }

    /// Whether `tag` is that of `bytes`, or its first bytes, at least ten; compared in constant time.
    pub fn has_made(&self, tag: &[u8], bytes: &[u8]) -> bool {
        // RFC 2104 §5: "the output length t be not less than half the length of the hash output […] and not less than 80 bits"
        let whole = self.tag(bytes);
        tag.len() >= TAG_LEN_MIN && whole.get(..tag.len()).is_some_and(|whole| crypto::is_equal(whole, tag))
    }
}

impl fmt::Debug for IntegrityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IntegrityKey(…)")
    }
}

/// A key of MESSAGE-INTEGRITY-SHA256 with its part of the HMAC computed once. Wiped when dropped, never printed.
#[derive(Clone)]
pub struct IntegrityKeySha256(pub(crate) HmacSha256);

impl IntegrityKeySha256 {
    /// The key of a short-term credential: the password itself, taken as it is.
    pub fn short_term(password: &str) -> Self {
        Self::from_bytes(password.as_bytes())
    }

    /// The key of a long-term credential with the password algorithm SHA-256, where all three are prepared already
    /// (OpaqueString).
    pub fn long_term(username: &str, realm: &str, password: &str) -> Self {
        // RFC 8489 §18.5.1.2: "key = SHA-256(username ":" OpaqueString(realm) ":" OpaqueString(password))"
        Self::from_bytes(&crypto::sha256_of_joined([username, realm, password].map(str::as_bytes)))
    }

    /// The key of a long-term credential with the password algorithm MD5, of a server that says so in PASSWORD-ALGORITHMS.
    pub fn long_term_md5(username: &str, realm: &str, password: &str) -> Self {
        Self::from_bytes(&crypto::md5_of_joined([username, realm, password].map(str::as_bytes)))
    }

    /// A key that was derived elsewhere, of any length.
    pub fn from_bytes(key: &[u8]) -> Self {
        Self(HmacSha256::new(key))
    }
}

impl fmt::Debug for IntegrityKeySha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IntegrityKeySha256(…)")
    }
}

/// What stands for a username in USERHASH (RFC 8489 §14.4): who sees it learns nothing of the name.
pub fn userhash(username: &str, realm: &str) -> [u8; 32] {
    // RFC 8489 §14.4: "userhash = SHA-256(OpaqueString(username) ":" OpaqueString(realm))"
    crypto::sha256_of_joined([username, realm].map(str::as_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_known_by_its_first_ten_bytes_at_least() {
        let key = IntegrityKey::from_bytes(b"key");
        let tag = key.tag(b"text");
        for len in 0..=20 {
            assert_eq!(key.has_made(&tag[..len], b"text"), len >= 10, "{len}");
            assert!(!key.has_made(&tag[..len], b"Text"));
        }
        assert!(!key.has_made(&[&tag[..], &[0]].concat(), b"text"));
        assert!(!IntegrityKey::from_bytes(b"Key").has_made(&tag, b"text"));
    }

    #[test]
    fn tells_nothing_when_printed() {
        assert_eq!(format!("{:?}", IntegrityKey::short_term("secret")), "IntegrityKey(…)");
        assert_eq!(format!("{:?}", IntegrityKeySha256::short_term("secret")), "IntegrityKeySha256(…)");
    }
}
