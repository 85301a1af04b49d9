//! `a=msid`: the stream and track of a section (RFC 8830 §2).

use super::Value;
use crate::error::Expected;
use crate::fields::Fields;
use std::fmt;

/// The names of a stream and of a track within it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Msid {
    /// The stream, `-` for none.
    pub stream: String,
    /// The track; RFC 9429 leaves it out.
    pub track: Option<String>,
}

impl Value for Msid {
    fn parse(value: &str) -> Result<Self, Expected> {
        const EXPECTED: &str = "msid with the name of a stream and perhaps that of a track";
        let mut fields = Fields::new(value);
        let msid = Self { stream: fields.word(EXPECTED)?.to_owned(), track: fields.next().map(str::to_owned) };
        fields.end(EXPECTED)?;
        Ok(msid)
    }
}

impl fmt::Display for Msid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.stream)?;
        self.track.iter().try_for_each(|track| write!(f, " {track}"))
    }
}
