//! DATA (RFC 9260 §3.3.1).

use super::kind;
use crate::packet::RawChunk;
use crate::wire::{Reader, pad};

/// Chunk header, TSN, stream, SSN, payload protocol identifier.
pub(crate) const DATA_HEADER_LEN: usize = 16;
/// The E bit: the last fragment of a message.
pub(crate) const ENDING: u8 = 1;
/// The B bit: the first fragment of a message.
pub(crate) const BEGINNING: u8 = 2;
/// The U bit: the message has no place in an order.
pub(crate) const UNORDERED: u8 = 4;
/// The I bit: the SACK shall not be delayed.
pub(crate) const IMMEDIATE: u8 = 8;

/// A message or a fragment of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Data<'a> {
    pub(crate) flags: u8,
    pub(crate) tsn: u32,
    pub(crate) stream: u16,
    pub(crate) ssn: u16,
    pub(crate) ppid: u32,
    pub(crate) payload: &'a [u8],
}

impl<'a> Data<'a> {
    pub(crate) fn decode(chunk: RawChunk<'a>) -> Option<Self> {
        let mut reader = Reader::new(chunk.value);
        let (head, ppid) = (reader.u64()?, reader.u32()?);
        let (tsn, stream, ssn) = ((head >> 32) as u32, (head >> 16) as u16, head as u16);
        Some(Self { flags: chunk.flags, tsn, stream, ssn, ppid, payload: reader.rest() })
    }

    pub(crate) const fn is(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    #[inline(always)]
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let start = out.len();
        let len = u16::try_from(self.payload.len().saturating_add(DATA_HEADER_LEN)).unwrap_or(u16::MAX);
        let first = u64::from(kind::DATA) << 56 | u64::from(self.flags) << 48 | u64::from(len) << 32;
        let second = u64::from(self.stream) << 48 | u64::from(self.ssn) << 32 | u64::from(self.ppid);
        let header = u128::from(first | u64::from(self.tsn)) << 64 | u128::from(second);
        out.extend_from_slice(&header.to_be_bytes());
        out.extend_from_slice(self.payload);
        pad(start, out);
    }
}
