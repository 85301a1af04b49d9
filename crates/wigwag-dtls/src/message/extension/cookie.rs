//! cookie (RFC 8446 §4.2.2): what a server that keeps nothing wants to be told again.

use super::put;
use crate::codec::{Length, Reader, put_vec};
use crate::error::DecodeError;

pub(crate) const NUMBER: u16 = 44;

pub(crate) fn decode(data: &[u8]) -> Result<&[u8], DecodeError> {
    let mut reader = Reader::new(data);
    let cookie = reader.vec16()?;
    reader.end()?;
    // opaque cookie<1..2^16-1>;
    if cookie.is_empty() { Err(DecodeError) } else { Ok(cookie) }
}

pub(crate) fn encode(cookie: &[u8], out: &mut Vec<u8>) {
    put(out, NUMBER, |out| put_vec(out, Length::U16, |out| out.extend_from_slice(cookie)));
}
