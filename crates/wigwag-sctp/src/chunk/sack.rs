//! SACK (RFC 9260 §3.3.4).

use super::kind;
use crate::packet::RawChunk;
use crate::wire::{Reader, put_framed, put_u16, put_u32};

/// Everything but gap blocks and duplicates.
pub(crate) const SACK_HEADER_LEN: usize = 16;
/// A gap ack block, or a duplicate TSN.
pub(crate) const GAP_LEN: usize = 4;

/// What has arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sack<'a> {
    pub(crate) cumulative_tsn: u32,
    pub(crate) a_rwnd: u32,
    gaps: Reader<'a>,
    duplicates: usize,
}

impl<'a> Sack<'a> {
    pub(crate) fn decode(chunk: RawChunk<'a>) -> Option<Self> {
        let mut reader = Reader::new(chunk.value);
        let cumulative_tsn = reader.u32()?;
        let a_rwnd = reader.u32()?;
        let gaps = usize::from(reader.u16()?);
        let duplicates = usize::from(reader.u16()?);
        let blocks = reader.bytes(gaps.checked_mul(GAP_LEN)?)?;
        (reader.rest().len() == duplicates.checked_mul(GAP_LEN)?).then_some(Self {
            cumulative_tsn,
            a_rwnd,
            gaps: Reader::new(blocks),
            duplicates,
        })
    }

    /// Whether something has come twice.
    pub(crate) const fn has_duplicates(self) -> bool {
        self.duplicates > 0
    }

    /// First and last of each block, as offsets from the cumulative TSN.
    pub(crate) fn gaps(self) -> impl Iterator<Item = (u16, u16)> + 'a {
        let mut reader = self.gaps;
        std::iter::from_fn(move || Some((reader.u16()?, reader.u16()?)))
    }
}

pub(crate) fn write_sack<G, D>(cumulative_tsn: u32, a_rwnd: u32, gaps: G, duplicates: D, out: &mut Vec<u8>)
where
    G: ExactSizeIterator<Item = (u16, u16)>,
    D: ExactSizeIterator<Item = u32>,
{
    put_framed([kind::SACK, 0], out, |out| {
        put_u32(cumulative_tsn, out);
        put_u32(a_rwnd, out);
        put_u16(u16::try_from(gaps.len()).unwrap_or(u16::MAX), out);
        put_u16(u16::try_from(duplicates.len()).unwrap_or(u16::MAX), out);
        for (first, last) in gaps {
            put_u16(first, out);
            put_u16(last, out);
        }
        for tsn in duplicates {
            put_u32(tsn, out);
        }
    });
}
