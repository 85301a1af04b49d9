//! `a=fmtp`: parameters of a format (RFC 8866 §6.15).

use super::Value;
use crate::error::Expected;
use crate::fields::Fields;
use crate::media::Format;
use std::fmt;

/// Parameters of a format, as they came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fmtp {
    /// Of which.
    pub format: Format,
    /// As `minptime=10;useinbandfec=1`, `0-15` or `111/111`: each format has its own grammar.
    pub parameters: String,
}

impl Fmtp {
    /// The value of a parameter in the usual grammar, whose name is compared without regard to case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The parameters `name=value` between semicolons; the value of one without `=` is empty.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parameters
            .split(';')
            .map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")))
            .map(|(name, value)| (name.trim(), value.trim()))
            .filter(|(name, _)| !name.is_empty())
    }
}

impl Value for Fmtp {
    fn parse(value: &str) -> Result<Self, Expected> {
        let mut fields = Fields::new(value);
        let format = Format::parse(fields.word("fmtp with a format and its parameters")?);
        Ok(Self { format, parameters: fields.rest().to_owned() })
    }
}

impl fmt::Display for Fmtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.format, self.parameters)
    }
}
