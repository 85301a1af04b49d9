//! `a=group`: sections that belong together (RFC 5888 §5).

use super::Value;
use crate::error::Expected;
use crate::fields::Fields;
use std::fmt;

/// Sections and what binds them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// `BUNDLE` (RFC 9143), `LS` and others.
    pub semantics: String,
    /// Their names.
    pub mids: Vec<String>,
}

impl Value for Group {
    fn parse(value: &str) -> Result<Self, Expected> {
        let mut fields = Fields::new(value);
        let semantics = fields.word("group with its meaning, as BUNDLE, and mids")?.to_owned();
        Ok(Self { semantics, mids: std::iter::from_fn(|| fields.next()).map(str::to_owned).collect() })
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.semantics)?;
        self.mids.iter().try_for_each(|mid| write!(f, " {mid}"))
    }
}
