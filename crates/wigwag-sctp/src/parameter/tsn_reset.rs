//! SSN/TSN Reset Request (RFC 6525 §4.3).

use super::kind;
use crate::wire::{Reader, put_framed, put_u32};

pub(crate) const TSN_RESET_LEN: usize = 8;

/// The sequence number, which is all that there is.
pub(crate) fn read_tsn_reset(value: &[u8]) -> Option<u32> {
    let mut reader = Reader::new(value);
    let sequence = reader.u32()?;
    reader.is_empty().then_some(sequence)
}

/// Returns the length of the padding.
pub(crate) fn write_tsn_reset(sequence: u32, out: &mut Vec<u8>) -> usize {
    put_framed(kind::TSN_RESET.to_be_bytes(), out, |out| put_u32(sequence, out))
}
