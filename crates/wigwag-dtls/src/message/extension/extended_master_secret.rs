//! extended_master_secret (RFC 7627 §5.1).

use super::put;
use crate::codec::Reader;
use crate::error::DecodeError;

pub(crate) const NUMBER: u16 = 23;

pub(crate) fn decode(data: &[u8]) -> Result<(), DecodeError> {
    Reader::new(data).end()
}

pub(crate) fn encode(out: &mut Vec<u8>) {
    put(out, NUMBER, |_| {});
}
