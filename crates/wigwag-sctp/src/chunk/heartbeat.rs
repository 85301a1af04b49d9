//! HEARTBEAT and HEARTBEAT ACK (RFC 9260 §3.3.5, §3.3.6), and PAD, which makes a packet as long as is wished (RFC 4820).

use super::kind;
use crate::migration::{self, State};
use crate::packet::{CHUNK_HEADER_LEN, RawChunk};
use crate::parameter;
use crate::wire::{Reader, Tlvs, put_framed, put_framed_list, put_u64};

/// Chunk header, parameter header, nonce.
pub(crate) const HEARTBEAT_LEN: usize = 16;

/// What we put into a HEARTBEAT, to know its answer by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeartbeatInfo {
    pub(crate) nonce: u64,
}

/// Any number is one.
impl State for HeartbeatInfo {
    fn write(&self, out: &mut migration::Writer) {
        out.bytes(&self.nonce.to_be_bytes());
    }

    fn read(from: &mut migration::Reader<'_>) -> Option<Self> {
        let (high, low) = <(u32, u32)>::read(from)?;
        Some(Self { nonce: u64::from(high) << 32 | u64::from(low) })
    }
}

impl HeartbeatInfo {
    pub(crate) fn decode(chunk: RawChunk<'_>) -> Option<Self> {
        let mut reader = Reader::new(Tlvs::new(chunk.value).find_value(parameter::kind::HEARTBEAT_INFO)?);
        let nonce = reader.u64()?;
        reader.is_empty().then_some(Self { nonce })
    }
}

pub(crate) fn write_heartbeat(info: HeartbeatInfo, out: &mut Vec<u8>) {
    put_framed_list([kind::HEARTBEAT, 0], out, |out| {
        put_framed(parameter::kind::HEARTBEAT_INFO.to_be_bytes(), out, |out| put_u64(info.nonce, out))
    });
}

/// Of `len` bytes, at least four, header included.
pub(crate) fn write_pad(len: usize, out: &mut Vec<u8>) {
    put_framed([kind::PAD, 0], out, |out| out.extend(std::iter::repeat_n(0, len.saturating_sub(CHUNK_HEADER_LEN))));
}

/// `info` is what the HEARTBEAT carried, as it came.
pub(crate) fn write_heartbeat_ack(info: &[u8], out: &mut Vec<u8>) {
    put_framed([kind::HEARTBEAT_ACK, 0], out, |out| out.extend_from_slice(info));
}
