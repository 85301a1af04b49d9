//! Incoming SSN Reset Request (RFC 6525 §4.2).

use super::kind;
use crate::wire::{Reader, put_framed, put_u16, put_u32};

/// Everything but the streams.
pub(crate) const INCOMING_RESET_HEADER_LEN: usize = 8;

/// "Send nothing more on these streams but to begin anew."
#[derive(Clone, Copy, Debug)]
pub(crate) struct IncomingReset<'a> {
    pub(crate) sequence: u32,
    streams: Reader<'a>,
}

impl<'a> IncomingReset<'a> {
    pub(crate) fn decode(value: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(value);
        let sequence = reader.u32()?;
        reader.rest().len().is_multiple_of(2).then_some(Self { sequence, streams: reader })
    }

    /// None: all of them.
    pub(crate) fn streams(self) -> impl Iterator<Item = u16> + 'a {
        let mut reader = self.streams;
        std::iter::from_fn(move || reader.u16())
    }

    /// Returns the length of the padding.
    pub(crate) fn write(sequence: u32, streams: &[u16], out: &mut Vec<u8>) -> usize {
        put_framed(kind::INCOMING_RESET.to_be_bytes(), out, |out| {
            put_u32(sequence, out);
            for stream in streams {
                put_u16(*stream, out);
            }
        })
    }
}
