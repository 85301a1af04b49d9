//! ABORT (RFC 9260 §3.3.7).

use super::kind;
use crate::packet::RawChunk;
use crate::wire::{Tlv, Tlvs, put_framed_list};

/// The T bit: the verification tag is that of the packet which is answered.
pub(crate) const REFLECTED: u8 = 1;

/// The association ends at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Abort<'a> {
    pub(crate) causes: Tlvs<'a>,
}

impl<'a> Abort<'a> {
    pub(crate) const fn decode(chunk: RawChunk<'a>) -> Self {
        Self { causes: Tlvs::new(chunk.value) }
    }

    pub(crate) fn write(flags: u8, cause: Option<Tlv<'_>>, out: &mut Vec<u8>) {
        put_framed_list([kind::ABORT, flags], out, |out| cause.map_or(0, |cause| cause.write(out)));
    }
}
