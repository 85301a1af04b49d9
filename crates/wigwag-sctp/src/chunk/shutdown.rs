//! SHUTDOWN, SHUTDOWN ACK and SHUTDOWN COMPLETE (RFC 9260 §3.3.8, §3.3.9, §3.3.13).

use super::kind;
use crate::packet::RawChunk;
use crate::wire::{Reader, put_framed, put_u32};

/// Chunk header and cumulative TSN.
pub(crate) const SHUTDOWN_LEN: usize = 8;

/// The cumulative TSN ack of a SHUTDOWN.
pub(crate) fn read_shutdown(chunk: RawChunk<'_>) -> Option<u32> {
    let mut reader = Reader::new(chunk.value);
    let cumulative_tsn = reader.u32()?;
    reader.is_empty().then_some(cumulative_tsn)
}

pub(crate) fn write_shutdown(cumulative_tsn: u32, out: &mut Vec<u8>) {
    put_framed([kind::SHUTDOWN, 0], out, |out| put_u32(cumulative_tsn, out));
}

pub(crate) fn write_shutdown_ack(out: &mut Vec<u8>) {
    put_framed([kind::SHUTDOWN_ACK, 0], out, |_| ());
}

pub(crate) fn write_shutdown_complete(flags: u8, out: &mut Vec<u8>) {
    put_framed([kind::SHUTDOWN_COMPLETE, flags], out, |_| ());
}
