//! I-DATA (RFC 8260 §2.1).

use super::data::BEGINNING;
use super::kind;
use crate::packet::RawChunk;
use crate::wire::{Reader, pad, put_u32};

/// Chunk header, TSN, stream, two reserved bytes, MID, payload protocol identifier or FSN.
pub(crate) const I_DATA_HEADER_LEN: usize = 20;

/// A message or a fragment of one, of many that may be under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IData<'a> {
    pub(crate) flags: u8,
    pub(crate) tsn: u32,
    pub(crate) stream: u16,
    /// The message's number among those of its stream that are ordered, or among those that are not.
    pub(crate) mid: u32,
    /// The payload protocol identifier of a first fragment, and else the number of the fragment.
    pub(crate) ppid_or_fsn: u32,
    pub(crate) payload: &'a [u8],
}

impl<'a> IData<'a> {
    pub(crate) fn decode(chunk: RawChunk<'a>) -> Option<Self> {
        let mut reader = Reader::new(chunk.value);
        let (tsn, stream) = (reader.u32()?, reader.u16()?);
        reader.take::<2>()?;
        let (mid, ppid_or_fsn) = (reader.u32()?, reader.u32()?);
        Some(Self { flags: chunk.flags, tsn, stream, mid, ppid_or_fsn, payload: reader.rest() })
    }

    pub(crate) const fn is(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The fragment's number in its message.
    pub(crate) const fn fsn(&self) -> u32 {
        if self.is(BEGINNING) { 0 } else { self.ppid_or_fsn }
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let start = out.len();
        let len = u16::try_from(self.payload.len().saturating_add(I_DATA_HEADER_LEN)).unwrap_or(u16::MAX);
        let first = u64::from(kind::I_DATA) << 56 | u64::from(self.flags) << 48 | u64::from(len) << 32;
        let second = u64::from(self.stream) << 48 | u64::from(self.mid);
        let header = u128::from(first | u64::from(self.tsn)) << 64 | u128::from(second);
        out.extend_from_slice(&header.to_be_bytes());
        put_u32(self.ppid_or_fsn, out);
        out.extend_from_slice(self.payload);
        pad(start, out);
    }
}
