//! supported_versions (RFC 8446 §4.2.1), as a client sends it.

use crate::codec::{Numbers, Reader};
use crate::error::DecodeError;

pub(crate) const NUMBER: u16 = 43;

pub(crate) fn decode(data: &[u8]) -> Result<Numbers<'_>, DecodeError> {
    let mut reader = Reader::new(data);
    let versions = reader.vec8()?;
    reader.end()?;
    Numbers::new(versions)
}
