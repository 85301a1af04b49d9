//! `a=ssrc` and `a=ssrc-group`: facts about streams (RFC 5576 §4).

use super::Value;
use crate::error::Expected;
use crate::fields::{Fields, number};
use std::fmt;

/// A fact about a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ssrc {
    /// The stream.
    pub ssrc: u32,
    /// `cname`, `msid` and others.
    pub attribute: String,
    /// What follows the colon.
    pub value: Option<String>,
}

impl Value for Ssrc {
    fn parse(value: &str) -> Result<Self, Expected> {
        const EXPECTED: Expected = Expected("ssrc with a number and an attribute");
        let (ssrc, attribute) = value.split_once(' ').unwrap_or((value, ""));
        let (attribute, value) = match attribute.split_once(':') {
            Some((attribute, value)) => (attribute, Some(value.to_owned())),
            None => (attribute, None),
        };
        if attribute.is_empty() && value.is_some() {
            return Err(EXPECTED);
        }
        Ok(Self { ssrc: number(ssrc).ok_or(EXPECTED)?, attribute: attribute.to_owned(), value })
    }
}

impl fmt::Display for Ssrc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.ssrc)?;
        if !self.attribute.is_empty() {
            write!(f, " {}", self.attribute)?;
        }
        self.value.iter().try_for_each(|value| write!(f, ":{value}"))
    }
}

/// Streams that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SsrcGroup {
    /// `FID`: a stream and its retransmission (RFC 5576 §4.2, RFC 4588); `FEC-FR`, `SIM` and others.
    pub semantics: String,
    /// The streams.
    pub ssrcs: Vec<u32>,
}

impl Value for SsrcGroup {
    fn parse(value: &str) -> Result<Self, Expected> {
        const EXPECTED: &str = "ssrc-group with its meaning, as FID, and numbers";
        let mut fields = Fields::new(value);
        let semantics = fields.word(EXPECTED)?.to_owned();
        let ssrcs = std::iter::from_fn(|| fields.next()).map(number).collect::<Option<_>>();
        Ok(Self { semantics, ssrcs: ssrcs.ok_or(Expected(EXPECTED))? })
    }
}

impl fmt::Display for SsrcGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.semantics)?;
        self.ssrcs.iter().try_for_each(|ssrc| write!(f, " {ssrc}"))
    }
}
