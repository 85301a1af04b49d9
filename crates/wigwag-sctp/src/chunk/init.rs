//! INIT and INIT ACK (RFC 9260 §3.3.2, §3.3.3).

use crate::migration::state;
use crate::packet::RawChunk;
use crate::wire::{Reader, Tlvs, put_framed_list, put_u16, put_u32};

/// Chunk header and what is always there.
pub(crate) const INIT_HEADER_LEN: usize = 20;
// RFC 9260 §3.3.2: "The Advertised Receiver Window Credit MUST NOT be smaller than 1500."
const A_RWND_MIN: u32 = 1500;

/// What both ends tell each other at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Init {
    pub(crate) initiate_tag: u32,
    /// The advertised receiver window in bytes.
    pub(crate) a_rwnd: u32,
    pub(crate) outbound_streams: u16,
    pub(crate) inbound_streams: u16,
    pub(crate) initial_tsn: u32,
}

state!(struct Init { initiate_tag, a_rwnd, outbound_streams, inbound_streams, initial_tsn });

impl Init {
    pub(crate) fn decode(chunk: RawChunk<'_>) -> Option<(Self, Tlvs<'_>)> {
        let mut reader = Reader::new(chunk.value);
        let init = Self {
            initiate_tag: reader.u32()?,
            a_rwnd: reader.u32()?,
            outbound_streams: reader.u16()?,
            inbound_streams: reader.u16()?,
            initial_tsn: reader.u32()?,
        };
        Some((init, Tlvs::new(reader.rest())))
    }

    /// Whether an association can come of it.
    pub(crate) const fn is_valid(&self) -> bool {
        self.initiate_tag != 0 && self.outbound_streams > 0 && self.inbound_streams > 0 && self.a_rwnd >= A_RWND_MIN
    }

    /// `kind` is INIT or INIT ACK; `parameters` appends what comes after, and returns its last padding. So does this.
    pub(crate) fn write(&self, kind: u8, out: &mut Vec<u8>, parameters: impl FnOnce(&mut Vec<u8>) -> usize) -> usize {
        put_framed_list([kind, 0], out, |out| {
            self.write_fields(out);
            parameters(out)
        })
    }

    pub(crate) fn write_fields(&self, out: &mut Vec<u8>) {
        put_u32(self.initiate_tag, out);
        put_u32(self.a_rwnd, out);
        put_u16(self.outbound_streams, out);
        put_u16(self.inbound_streams, out);
        put_u32(self.initial_tsn, out);
    }
}
