//! The key of MESSAGE-INTEGRITY (RFC 8489 §9, §14.5).

use crate::crypto::HmacSha1;
use std::fmt;

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

    /// A key that was derived elsewhere, of any length.
    pub fn from_bytes(key: &[u8]) -> Self {
        Self(HmacSha1::new(key))
    }
}

impl fmt::Debug for IntegrityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IntegrityKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_nothing_when_printed() {
        assert_eq!(format!("{:?}", IntegrityKey::short_term("secret")), "IntegrityKey(…)");
    }
}
