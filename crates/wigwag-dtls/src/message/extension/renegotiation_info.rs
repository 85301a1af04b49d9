//! renegotiation_info (RFC 5746 §3.2). There is no renegotiation, so it is always empty.

use super::put;
use crate::codec::{Length, Reader, put_vec};
use crate::error::DecodeError;

pub(crate) const NUMBER: u16 = 0xFF01;
/// RFC 5746 §3.3: TLS_EMPTY_RENEGOTIATION_INFO_SCSV, a cipher suite that says the same.
pub(crate) const SCSV: u16 = 0x00FF;

/// What is in it.
pub(crate) fn decode(data: &[u8]) -> Result<&[u8], DecodeError> {
    let mut reader = Reader::new(data);
    let connection = reader.vec8()?;
    reader.end()?;
    Ok(connection)
}

pub(crate) fn encode(out: &mut Vec<u8>) {
    put(out, NUMBER, |out| put_vec(out, Length::U8, |_| {}));
}
