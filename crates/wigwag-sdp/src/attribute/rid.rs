//! `a=rid`: a restricted stream (RFC 8851 §10).

use super::Value;
use crate::error::Expected;
use crate::fields::{Fields, number};
use std::fmt;

/// Which way a restricted stream goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RidDirection {
    /// From the writer.
    Send,
    /// To the writer.
    Recv,
}

impl RidDirection {
    pub(crate) fn parse(word: &str) -> Option<Self> {
        match word {
            "send" => Some(Self::Send),
            "recv" => Some(Self::Recv),
            _ => None,
        }
    }
}

impl fmt::Display for RidDirection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Send => "send",
            Self::Recv => "recv",
        })
    }
}

/// A stream and its restrictions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rid {
    /// Its name.
    pub id: String,
    /// Which way it goes.
    pub direction: RidDirection,
    /// As `pt=97,98;max-width=1280`, as they came; empty if there is none.
    pub restrictions: String,
}

impl Rid {
    /// The restrictions `name=value`; the value of one without `=` is empty.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.restrictions
            .split(';')
            .map(|restriction| restriction.split_once('=').unwrap_or((restriction, "")))
            .filter(|(name, _)| !name.is_empty())
    }

    /// The payload types it is restricted to; none if it is not restricted in that.
    pub fn payload_types(&self) -> impl Iterator<Item = u8> {
        self.iter().filter(|(name, _)| *name == "pt").flat_map(|(_, types)| types.split(',')).filter_map(number)
    }
}

impl Value for Rid {
    fn parse(value: &str) -> Result<Self, Expected> {
        const EXPECTED: &str = "rid with a name, send or recv, and perhaps restrictions";
        let mut fields = Fields::new(value);
        Ok(Self {
            id: fields.word(EXPECTED)?.to_owned(),
            direction: RidDirection::parse(fields.word(EXPECTED)?).ok_or(Expected(EXPECTED))?,
            restrictions: fields.rest().to_owned(),
        })
    }
}

impl fmt::Display for Rid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.id, self.direction)?;
        if self.restrictions.is_empty() { Ok(()) } else { write!(f, " {}", self.restrictions) }
    }
}
