//! ec_point_formats (RFC 8422 §5.1.2): only uncompressed points are left.

use super::put;
use crate::codec::{Length, Reader, put_vec};
use crate::error::DecodeError;

pub(crate) const NUMBER: u16 = 11;
const UNCOMPRESSED: u8 = 0;

/// Whether uncompressed points are understood.
///
/// A peer that leaves them out is refused (RFC 8422 §5.1.2).
pub(crate) fn decode(data: &[u8]) -> Result<bool, DecodeError> {
    let mut reader = Reader::new(data);
    let formats = reader.vec8()?;
    reader.end()?;
    if formats.is_empty() { Err(DecodeError) } else { Ok(formats.contains(&UNCOMPRESSED)) }
}

pub(crate) fn encode(out: &mut Vec<u8>) {
    put(out, NUMBER, |out| put_vec(out, Length::U8, |out| out.push(UNCOMPRESSED)));
}
