//! `a=setup`: who opens the connection (RFC 4145 §4).

use super::Value;
use crate::error::Expected;
use std::fmt;

/// The role of the writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Setup {
    /// Opens it: the client of DTLS.
    Active,
    /// Waits for it: the server of DTLS.
    Passive,
    /// Either; the answer decides.
    Actpass,
    /// Nothing is opened for now.
    Holdconn,
}

impl Value for Setup {
    fn parse(value: &str) -> Result<Self, Expected> {
        match value {
            "active" => Ok(Self::Active),
            "passive" => Ok(Self::Passive),
            "actpass" => Ok(Self::Actpass),
            "holdconn" => Ok(Self::Holdconn),
            _ => Err(Expected("setup:active, passive, actpass or holdconn")),
        }
    }
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Active => "active",
            Self::Passive => "passive",
            Self::Actpass => "actpass",
            Self::Holdconn => "holdconn",
        })
    }
}
