//! DATA (RFC 9260 §3.3.1).

use super::kind;
use crate::packet::RawChunk;
use crate::wire::{Reader, pad, put_u16, put_u32};

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
        Some(Self {
            flags: chunk.flags,
            tsn: reader.u32()?,
            stream: reader.u16()?,
            ssn: reader.u16()?,
            ppid: reader.u32()?,
            payload: reader.rest(),
        })
    }

    pub(crate) const fn is(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let start = out.len();
        let len = self.payload.len().saturating_add(DATA_HEADER_LEN);
        out.extend_from_slice(&[kind::DATA, self.flags]);
        put_u16(u16::try_from(len).unwrap_or(u16::MAX), out);
        put_u32(self.tsn, out);
        put_u16(self.stream, out);
        put_u16(self.ssn, out);
        put_u32(self.ppid, out);
        out.extend_from_slice(self.payload);
        pad(start, out);
    }
}
