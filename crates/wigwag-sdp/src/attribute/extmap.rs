//! `a=extmap`: header extensions (RFC 8285 §5).

use super::{Direction, Value};
use crate::error::Expected;
use crate::fields::{Fields, number};
use std::fmt;

/// The number under which a header extension travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extmap {
    /// 1 to 14 fits the one-byte form, 1 to 255 the two-byte form; 4096 to 4351 asks for any of them.
    pub id: u16,
    /// In which direction, if not as the section's.
    pub direction: Option<Direction>,
    /// What it is.
    pub uri: String,
    /// What follows, as it came.
    pub attributes: Option<String>,
}

impl Extmap {
    /// Without direction and attributes.
    #[must_use]
    pub fn new(id: u16, uri: &str) -> Self {
        Self { id, direction: None, uri: uri.to_owned(), attributes: None }
    }
}

impl Value for Extmap {
    fn parse(value: &str) -> Result<Self, Expected> {
        const EXPECTED: &str = "extmap with a number, perhaps / and a direction, and a URI";
        let mut fields = Fields::new(value);
        let id = fields.word(EXPECTED)?;
        let (id, direction) = match id.split_once('/') {
            Some((id, way)) => (id, Some(Direction::from_name(way).ok_or(Expected(EXPECTED))?)),
            None => (id, None),
        };
        Ok(Self {
            id: number(id).ok_or(Expected(EXPECTED))?,
            direction,
            uri: fields.word(EXPECTED)?.to_owned(),
            attributes: Some(fields.rest()).filter(|rest| !rest.is_empty()).map(str::to_owned),
        })
    }
}

impl fmt::Display for Extmap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.id)?;
        self.direction.iter().try_for_each(|way| write!(f, "/{way}"))?;
        write!(f, " {}", self.uri)?;
        self.attributes.iter().try_for_each(|attributes| write!(f, " {attributes}"))
    }
}
