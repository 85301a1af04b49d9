//! FORWARD TSN (RFC 3758 §3.2).

use super::kind;
use crate::packet::RawChunk;
use crate::wire::{Reader, put_framed, put_u16, put_u32};

/// Chunk header and new cumulative TSN.
pub(crate) const FORWARD_TSN_HEADER_LEN: usize = 8;
/// A stream and its SSN.
pub(crate) const SKIP_LEN: usize = 4;

/// Nothing up to this TSN will come any more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ForwardTsn<'a> {
    pub(crate) cumulative_tsn: u32,
    skips: Reader<'a>,
}

impl<'a> ForwardTsn<'a> {
    pub(crate) fn decode(chunk: RawChunk<'a>) -> Option<Self> {
        let mut reader = Reader::new(chunk.value);
        let cumulative_tsn = reader.u32()?;
        Some(Self { cumulative_tsn, skips: reader }).filter(|chunk| chunk.skips.rest().len().is_multiple_of(SKIP_LEN))
    }

    /// Streams, and the last SSN that is skipped on each.
    pub(crate) fn skips(self) -> impl Iterator<Item = (u16, u16)> + 'a {
        let mut reader = self.skips;
        std::iter::from_fn(move || Some((reader.u16()?, reader.u16()?)))
    }
}

pub(crate) fn write_forward_tsn(cumulative_tsn: u32, skips: impl Iterator<Item = (u16, u16)>, out: &mut Vec<u8>) {
    put_framed([kind::FORWARD_TSN, 0], out, |out| {
        put_u32(cumulative_tsn, out);
        for (stream, ssn) in skips {
            put_u16(stream, out);
            put_u16(ssn, out);
        }
    });
}
