//! The common header, its checksum, and the list of chunks behind it (RFC 9260 §3).

#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use crate::wire::{Malformed, Reader, put_u32, put_u64};
use std::ops::Range;

/// Ports, verification tag, checksum.
pub(crate) const HEADER_LEN: usize = 12;
/// Type, flags, length.
pub(crate) const CHUNK_HEADER_LEN: usize = 4;

/// A packet whose header decodes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet<'a> {
    pub(crate) source_port: u16,
    pub(crate) destination_port: u16,
    pub(crate) verification_tag: u32,
    pub(crate) has_valid_checksum: bool,
    pub(crate) chunks: Chunks<'a>,
}

impl<'a> Packet<'a> {
    /// `None` if there is no room for a chunk.
    #[inline]
    pub(crate) fn decode(bytes: &'a [u8], accepts_zero_checksum: bool) -> Option<Self> {
        let (begin, rest) = bytes.split_first_chunk::<BEGIN_LEN>()?;
        let chunks = Chunks(Reader::new(bytes.get(HEADER_LEN..)?));
        let begin = u128::from_be_bytes(*begin);
        let is_zero = begin & CHECKSUM == 0;
        Some(Self {
            source_port: (begin >> 112) as u16,
            destination_port: (begin >> 96) as u16,
            verification_tag: (begin >> 64) as u32,
            has_valid_checksum: accepts_zero_checksum && is_zero || has_valid_checksum(begin, rest),
            chunks,
        })
    }
}

/// Whether a packet gets its checksum, or a zero that says that it has none (RFC 9653).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checksum {
    Crc,
    Zero,
}

/// Appends a packet of whatever chunks `write` appends; the checksum is put where it belongs afterwards.
/// If nothing was written, nothing is changed and this says `false`.
#[inline(always)]
pub(crate) fn write(
    ports: (u16, u16),
    tag: u32,
    checksum: Checksum,
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>),
) -> bool {
    let start = out.len();
    put_u64(u64::from(ports.0) << 48 | u64::from(ports.1) << 32 | u64::from(tag), out);
    put_u32(0, out);
    let header_end = out.len();
    write(out);
    if out.len() == header_end {
        out.truncate(start);
        return false;
    }
    if checksum == Checksum::Crc
        && let Some(packet) = out.get_mut(start..)
    {
        let checksum = crc32c::crc32c(packet).to_le_bytes();
        if let Some(field) = packet.get_mut(CHECKSUM_FIELD) {
            field.copy_from_slice(&checksum);
        }
    }
    true
}

/// Where the checksum is.
const CHECKSUM_FIELD: Range<usize> = 8..HEADER_LEN;
/// The common header and the first chunk's: the rest begins where the checksum is computed fast, eight bytes at once.
const BEGIN_LEN: usize = HEADER_LEN + CHUNK_HEADER_LEN;
/// The bits of the checksum in the beginning.
const CHECKSUM: u128 = (u32::MAX as u128) << 32;

/// CRC-32C of the packet with zeros for the checksum itself (RFC 9260 §6.8, Appendix A): least significant byte first.
#[inline]
fn has_valid_checksum(begin: u128, rest: &[u8]) -> bool {
    let begin_crc = crc32c::crc32c(&(begin & !CHECKSUM).to_be_bytes());
    crc32c::crc32c_append(begin_crc, rest).swap_bytes() == (begin >> 32) as u32
}

/// A chunk of any kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RawChunk<'a> {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) value: &'a [u8],
    /// Header and value, without padding, as they came.
    pub(crate) bytes: &'a [u8],
}

/// The chunks of a packet. Ends after the first that does not decode, which is `Err`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chunks<'a>(Reader<'a>);

impl<'a> Chunks<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(Reader::new(bytes))
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn read(&mut self) -> Option<RawChunk<'a>> {
        let mut header = self.0;
        let [kind, flags, len @ ..] = header.take::<CHUNK_HEADER_LEN>()?;
        let len = usize::from(u16::from_be_bytes(len));
        let bytes = self.0.bytes(len)?;
        let value = bytes.get(CHUNK_HEADER_LEN..)?;
        self.0.skip_padding(len);
        Some(RawChunk { kind, flags, value, bytes })
    }
}

impl<'a> Iterator for Chunks<'a> {
    type Item = Result<RawChunk<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let chunk = self.read().ok_or(Malformed);
        if chunk.is_err() {
            self.0 = Reader::new(&[]);
        }
        Some(chunk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A packet sent by aiortc: DATA "ping".
    const PING: &str = "138813880fc0f8a13f30fe9c000300149a0f13fd000100010000003370696e67";

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
    }

    /// RFC 3720 B.4, in the order of SCTP's field.
    #[test]
    fn the_checksum_is_crc32c_with_its_lowest_byte_first() {
        let wire = |bytes: &[u8]| u32::from_be_bytes(crc32c::crc32c(bytes).to_le_bytes());
        assert_eq!(wire(&[0; 32]), 0xaa36_918a);
        assert_eq!(wire(&[0xff; 32]), 0x43ab_a862);
        assert_eq!(wire(&std::array::from_fn::<u8, 32, _>(|at| at as u8)), 0x4e79_dd46);
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn a_packet_of_another_stack_is_read_and_written_the_same() {
        let bytes = hex(PING);
        let mut packet = Packet::decode(&bytes, false).unwrap();
        assert!(packet.has_valid_checksum);
        assert_eq!((packet.source_port, packet.destination_port, packet.verification_tag), (5000, 5000, 0x0fc0_f8a1));
        let chunk = packet.chunks.next().unwrap().unwrap();
        assert_eq!((chunk.kind, chunk.flags, chunk.value.len()), (0, 3, 16));
        let mut out = vec![9];
        assert!(write((5000, 5000), 0x0fc0_f8a1, Checksum::Crc, &mut out, |out| out.extend_from_slice(chunk.bytes)));
        assert_eq!(out[1..], bytes);
    }

    #[test]
    fn each_flipped_bit_breaks_the_checksum() {
        let bytes = hex(PING);
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(!Packet::decode(&bytes, false).unwrap().has_valid_checksum, "bit {bit}");
        }
    }

    #[test]
    fn without_room_for_a_chunk_it_is_no_packet() {
        let bytes = hex(PING);
        for len in 0..BEGIN_LEN {
            assert!(Packet::decode(&bytes[..len], true).is_none(), "{len} bytes");
        }
        assert!(Packet::decode(&bytes[..BEGIN_LEN], true).is_some());
    }

    #[test]
    fn a_packet_without_chunks_is_not_written() {
        let mut out = vec![1, 2];
        assert!(!write((1, 2), 3, Checksum::Crc, &mut out, |_| ()));
        assert_eq!(out, [1, 2]);
    }

    #[test]
    fn chunk_lengths_below_the_header_and_past_the_end_do_not_decode() {
        for len in [0, 1, 2, 3, 9] {
            let bytes = [0, 0, 0, len, 1, 2, 3, 4];
            let mut chunks = Chunks(Reader::new(&bytes));
            assert_eq!((chunks.next(), chunks.next()), (Some(Err(Malformed)), None), "length {len}");
        }
    }
}
