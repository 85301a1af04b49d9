//! I-FORWARD-TSN (RFC 8260 §2.3.1).

use super::kind;
use crate::packet::RawChunk;
use crate::wire::{Reader, put_framed, put_u16, put_u32};

/// A stream, whether it is about unordered messages, and a MID.
pub(crate) const I_SKIP_LEN: usize = 8;
/// The U bit of a skip.
const UNORDERED: u16 = 1;

/// The last message of a stream that is skipped, among those that are ordered or among those that are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Skip {
    pub(crate) stream: u16,
    pub(crate) is_unordered: bool,
    pub(crate) mid: u32,
}

/// Nothing up to this TSN will come any more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IForwardTsn<'a> {
    pub(crate) cumulative_tsn: u32,
    skips: Reader<'a>,
}

impl<'a> IForwardTsn<'a> {
    pub(crate) fn decode(chunk: RawChunk<'a>) -> Option<Self> {
        let mut reader = Reader::new(chunk.value);
        let cumulative_tsn = reader.u32()?;
        Some(Self { cumulative_tsn, skips: reader }).filter(|chunk| chunk.skips.rest().len().is_multiple_of(I_SKIP_LEN))
    }

    pub(crate) fn skips(self) -> impl Iterator<Item = Skip> + 'a {
        let mut reader = self.skips;
        std::iter::from_fn(move || {
            Some(Skip { stream: reader.u16()?, is_unordered: reader.u16()? & UNORDERED != 0, mid: reader.u32()? })
        })
    }
}

pub(crate) fn write_i_forward_tsn(cumulative_tsn: u32, skips: impl Iterator<Item = Skip>, out: &mut Vec<u8>) {
    put_framed([kind::I_FORWARD_TSN, 0], out, |out| {
        put_u32(cumulative_tsn, out);
        for skip in skips {
            put_u16(skip.stream, out);
            put_u16(if skip.is_unordered { UNORDERED } else { 0 }, out);
            put_u32(skip.mid, out);
        }
    });
}
