//! Add Outgoing Streams Request and Add Incoming Streams Request (RFC 6525 §4.5, §4.6).

use crate::wire::{Reader, put_framed, put_u16, put_u32};

pub(crate) const ADD_STREAMS_LEN: usize = 12;

/// So many streams more than there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AddStreams {
    pub(crate) sequence: u32,
    pub(crate) count: u16,
}

impl AddStreams {
    pub(crate) fn decode(value: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(value);
        let (sequence, count) = (reader.u32()?, reader.u16()?);
        reader.take::<2>()?;
        reader.is_empty().then_some(Self { sequence, count })
    }

    /// `kind` tells whose streams they are. Returns the length of the padding.
    pub(crate) fn write(self, kind: u16, out: &mut Vec<u8>) -> usize {
        put_framed(kind.to_be_bytes(), out, |out| {
            put_u32(self.sequence, out);
            put_u16(self.count, out);
            put_u16(0, out);
        })
    }
}
