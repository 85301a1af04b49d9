//! Outgoing SSN Reset Request (RFC 6525 §4.1).

use super::kind;
use crate::wire::{Reader, put_framed, put_u16, put_u32};

/// Everything but the streams.
pub(crate) const RESET_HEADER_LEN: usize = 16;

/// "I send nothing more on these streams but to begin anew."
#[derive(Clone, Copy, Debug)]
pub(crate) struct OutgoingReset<'a> {
    pub(crate) sequence: u32,
    pub(crate) last_tsn: u32,
    streams: Reader<'a>,
}

impl<'a> OutgoingReset<'a> {
    pub(crate) fn decode(value: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(value);
        let sequence = reader.u32()?;
        let _response_sequence = reader.u32()?;
        let last_tsn = reader.u32()?;
        reader.rest().len().is_multiple_of(2).then_some(Self { sequence, last_tsn, streams: reader })
    }

    /// None: all of them.
    pub(crate) fn streams(self) -> impl Iterator<Item = u16> + 'a {
        let mut reader = self.streams;
        std::iter::from_fn(move || reader.u16())
    }

    /// `response_sequence` is the last request that we have answered.
    /// Returns the length of the padding.
    pub(crate) fn write(
        sequence: u32,
        response_sequence: u32,
        last_tsn: u32,
        streams: &[u16],
        out: &mut Vec<u8>,
    ) -> usize {
        put_framed(kind::OUTGOING_RESET.to_be_bytes(), out, |out| {
            put_u32(sequence, out);
            put_u32(response_sequence, out);
            put_u32(last_tsn, out);
            for stream in streams {
                put_u16(*stream, out);
            }
        })
    }
}
