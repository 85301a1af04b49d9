//! Names that are compared without regard to case.

use std::cmp::Ordering;
use std::fmt;

/// A name that is compared without regard to ASCII case and printed as it was written: `opus` equals `OPUS`.
///
/// RFC 8866 §6.6 demands it of encoding names, RFC 8122 §5 of hash functions, and browsers differ in the case of a
/// candidate's transport.
#[derive(Clone, Debug, Default)]
pub struct Token(String);

impl Token {
    /// The name as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn folded(&self) -> impl Iterator<Item = u8> {
        self.0.bytes().map(|byte| byte.to_ascii_lowercase())
    }
}

impl From<&str> for Token {
    fn from(name: &str) -> Self {
        Self(name.to_owned())
    }
}

impl From<String> for Token {
    fn from(name: String) -> Self {
        Self(name)
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Token {}

impl PartialEq<str> for Token {
    fn eq(&self, other: &str) -> bool {
        self.0.eq_ignore_ascii_case(other)
    }
}

impl PartialEq<&str> for Token {
    fn eq(&self, other: &&str) -> bool {
        self.0.eq_ignore_ascii_case(other)
    }
}

impl Ord for Token {
    fn cmp(&self, other: &Self) -> Ordering {
        self.folded().cmp(other.folded())
    }
}

impl PartialOrd for Token {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_without_case_and_prints_with_it() {
        assert_eq!(Token::from("OPUS"), Token::from("opus"));
        assert_eq!(Token::from("UDP"), "udp");
        assert_ne!(Token::from("udp"), "tcp");
        assert_eq!(Token::from("OPUS").cmp(&Token::from("opus")), Ordering::Equal);
        assert_eq!(Token::from("OPUS").to_string(), "OPUS");
    }
}
