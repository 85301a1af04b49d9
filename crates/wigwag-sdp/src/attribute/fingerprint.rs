//! `a=fingerprint`: the hash of a certificate (RFC 8122 §5). What it is the hash of is not known here.

use super::Value;
use crate::error::Expected;
use crate::fields::Fields;
use crate::token::Token;
use std::fmt;

/// A hash function and what it made of the certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// `sha-256` and others.
    pub hash: Token,
    /// The bytes; whether they are as many as the function makes is not checked.
    pub digest: Vec<u8>,
}

impl Value for Fingerprint {
    fn parse(value: &str) -> Result<Self, Expected> {
        const EXPECTED: &str = "fingerprint with the name of a hash and pairs of hexadecimal digits between colons";
        let mut fields = Fields::new(value);
        let hash = fields.word(EXPECTED)?.into();
        let digest = fields.word(EXPECTED)?.split(':').map(byte).collect::<Option<_>>().ok_or(Expected(EXPECTED))?;
        fields.end(EXPECTED)?;
        Ok(Self { hash, digest })
    }
}

fn byte(pair: &str) -> Option<u8> {
    match pair.as_bytes() {
        [high, low] => {
            let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            Some(digit(*high)? << 4 | digit(*low)?)
        }
        _ => None,
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // RFC 8122 §5: "The hash value is represented as a sequence of uppercase hexadecimal bytes, separated by colons."
        self.hash.fmt(f)?;
        self.digest
            .iter()
            .zip(std::iter::once(' ').chain(std::iter::repeat(':')))
            .try_for_each(|(byte, before)| write!(f, "{before}{byte:02X}"))
    }
}
