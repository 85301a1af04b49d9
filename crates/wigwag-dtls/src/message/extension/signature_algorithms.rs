//! signature_algorithms (RFC 5246 §7.4.1.4.1).

use super::put;
use crate::codec::{Numbers, Reader, put_numbers};
use crate::crypto::signature::SignatureScheme;
use crate::error::DecodeError;

pub(crate) const NUMBER: u16 = 13;

pub(crate) fn decode(data: &[u8]) -> Result<Numbers<'_>, DecodeError> {
    let mut reader = Reader::new(data);
    let schemes = reader.numbers()?;
    reader.end()?;
    Ok(schemes)
}

pub(crate) fn encode(schemes: &[SignatureScheme], out: &mut Vec<u8>) {
    put(out, NUMBER, |out| put_numbers(out, schemes.iter().map(|scheme| scheme.wire())));
}
