//! RTP packets as they are on the wire (RFC 3550 §5.1).

use crate::DecodeError;
use crate::extension::Elements;
use crate::read::{Reader, without_padding};

/// The header without contributing sources and extensions.
pub const FIXED_LEN: usize = 12;

/// A received RTP packet.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// What the payload format says it is.
    pub marker: bool,
    /// 0 to 127.
    pub payload_type: u8,
    /// The sequence number.
    pub sequence: u16,
    /// In ticks of the payload type's clock.
    pub timestamp: u32,
    /// The synchronisation source.
    pub ssrc: u32,
    csrcs: &'a [u8],
    extension: (u16, &'a [u8]),
    /// What the packet carries, without padding.
    pub payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a whole packet.
    ///
    /// # Errors
    /// If it is not version 2, ends too soon, or its padding is impossible.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader(bytes);
        let [first, second] = reader.array()?;
        if first >> 6 != 2 {
            return Err(DecodeError::Version);
        }
        let (sequence, timestamp, ssrc) = (reader.u16()?, reader.u32()?, reader.u32()?);
        let csrcs = reader.take(4 * usize::from(first & 0x0f))?;
        let extension = if first & 0x10 != 0 {
            let (profile, words) = (reader.u16()?, reader.u16()?);
            (profile, reader.take(4 * usize::from(words))?)
        } else {
            (0, &[][..])
        };
        let payload = if first & 0x20 != 0 { without_padding(reader.0)? } else { reader.0 };
        let (marker, payload_type) = (second & 0x80 != 0, second & 0x7f);
        Ok(Self { marker, payload_type, sequence, timestamp, ssrc, csrcs, extension, payload })
    }

    /// The contributing sources.
    pub fn csrcs(&self) -> impl Iterator<Item = u32> + 'a {
        self.csrcs.as_chunks().0.iter().map(|csrc| u32::from_be_bytes(*csrc))
    }

    /// The header extensions, by the numbers under which they were negotiated.
    pub const fn extensions(&self) -> Elements<'a> {
        Elements::new(self.extension.0, self.extension.1)
    }
}

/// The longest header that we write: all extensions, identifiers of 16 bytes, two-byte element headers.
pub(crate) const LEN_MAX: usize = FIXED_LEN + 4 + 2 * (2 + 16) + 5 + 3 + 4 + 3;

/// How long a header is with elements of these numbers and lengths, and at most with some of them.
pub(crate) fn len_max(elements: impl Iterator<Item = (u8, usize)> + Clone) -> usize {
    let element_header_len = element_header_len(elements.clone());
    match elements.map(|(_, len)| element_header_len + len).sum::<usize>() {
        0 => FIXED_LEN,
        len => FIXED_LEN + 4 + len.next_multiple_of(4),
    }
}

/// RFC 8285 §4.2: one byte holds a number of 1 to 14 and a length of 1 to 16; one that needs two makes all have two.
fn element_header_len(mut elements: impl Iterator<Item = (u8, usize)>) -> usize {
    if elements.all(|(id, len)| (1..=14).contains(&id) && (1..=16).contains(&len)) { 1 } else { 2 }
}

/// A header that we wrote, kept for the packet to be sent again with the very same bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    bytes: [u8; LEN_MAX],
    len: usize,
}

/// The fields of the fixed header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fixed {
    pub(crate) marker: bool,
    pub(crate) payload_type: u8,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
}

impl Header {
    /// A header with these extension elements, in one-byte form unless one of them needs two.
    pub(crate) fn new(fixed: Fixed, elements: &[(u8, &[u8])]) -> Self {
        let mut header = Self { bytes: [0; LEN_MAX], len: 0 };
        let has_extension = !elements.is_empty();
        header.push(&[0x80 | u8::from(has_extension) << 4, u8::from(fixed.marker) << 7 | fixed.payload_type & 0x7f]);
        header.push(&fixed.sequence.to_be_bytes());
        header.push(&fixed.timestamp.to_be_bytes());
        header.push(&fixed.ssrc.to_be_bytes());
        if has_extension {
            header.push_extension(elements);
        }
        header
    }

    /// The same of a packet that ends with padding (RFC 3550 §5.1).
    pub(crate) const fn with_padding(mut self) -> Self {
        self.bytes[0] |= 0x20;
        self
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    fn push_extension(&mut self, elements: &[(u8, &[u8])]) {
        let header_len = element_header_len(elements.iter().map(|(id, data)| (*id, data.len())));
        let is_one_byte = header_len == 1;
        let words = elements.iter().map(|(_, data)| header_len + data.len()).sum::<usize>().div_ceil(4);
        self.push(if is_one_byte { &[0xbe, 0xde] } else { &[0x10, 0x00] });
        self.push(&(words as u16).to_be_bytes());
        let end = self.len + 4 * words;
        for (id, data) in elements {
            if is_one_byte {
                self.push(&[id << 4 | (data.len() - 1) as u8]);
            } else {
                self.push(&[*id, data.len() as u8]);
            }
            self.push(data);
        }
        self.len = end.min(LEN_MAX);
    }

    fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            debug_assert!(self.len < LEN_MAX, "a header is as long as its longest parts");
            if let Some(slot) = self.bytes.get_mut(self.len) {
                *slot = *byte;
                self.len += 1;
            }
        }
    }
}
