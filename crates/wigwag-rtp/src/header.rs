//! RTP packets as they are on the wire (RFC 3550 §5.1).

use crate::DecodeError;
use crate::extension::{ELEMENT_LEN_MAX, ElementData, Elements};
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

/// The longest header that we write without what users give: all other extensions, identifiers of 16 bytes, two-byte element headers.
pub(crate) const LEN_MAX: usize = FIXED_LEN + 4 + 2 * (2 + 16) + 5 + 3 + 4;

/// The headers that elements of a stream may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// What does not fit is left out.
    OneByte,
    TwoBytes,
    /// One byte, or two in packets that need them (`a=extmap-allow-mixed`, RFC 8285 §6).
    Mixed,
}

impl Form {
    /// How long the headers of these elements are.
    // RFC 8285 §4.2: one byte holds a number of 1 to 14 and a length of 1 to 16; one that needs two makes all have two.
    fn element_header_len(self, mut elements: impl Iterator<Item = (u8, usize)>) -> usize {
        match self {
            Self::OneByte => 1,
            Self::TwoBytes => 2,
            Self::Mixed => 1 + usize::from(!elements.all(|(id, len)| is_short(id, len))),
        }
    }

    /// Whether an element can be written at all.
    fn takes(self, (id, len): (u8, usize)) -> bool {
        if self == Self::OneByte { is_short(id, len) } else { id != 0 && len <= ELEMENT_LEN_MAX }
    }
}

fn is_short(id: u8, len: usize) -> bool {
    (1..=14).contains(&id) && (1..=16).contains(&len)
}

/// How long a header is with elements of these numbers and lengths, and at most with some of them.
pub(crate) fn len_max(form: Form, elements: impl Iterator<Item = (u8, usize)> + Clone) -> usize {
    let elements = elements.filter(|element| form.takes(*element));
    let element_header_len = form.element_header_len(elements.clone());
    match elements.map(|(_, len)| element_header_len + len).sum::<usize>() {
        0 => FIXED_LEN,
        len => FIXED_LEN + 4 + len.next_multiple_of(4),
    }
}

/// What users give with a packet, under its number.
pub(crate) type Given = [Option<(u8, ElementData)>; 2];

/// A header that we wrote, kept for the packet to be sent again with the very same bytes.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    pub(crate) fixed: Fixed,
    /// Up to what users gave.
    bytes: [u8; LEN_MAX],
    bytes_len: usize,
    pub(crate) given: Given,
    element_header_len: usize,
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
    /// A header with these extension elements, and behind them what users gave.
    pub(crate) fn new(fixed: Fixed, form: Form, elements: &[(u8, &[u8])], given: Given) -> Self {
        let given = given.map(|given| given.filter(|(id, data)| form.takes((*id, data.len()))));
        let elements = || elements.iter().filter(|(id, data)| form.takes((*id, data.len())));
        let lengths = elements().map(|(id, data)| (*id, data.len()));
        let lengths = lengths.chain(given.iter().flatten().map(|(id, data)| (*id, data.len())));
        let element_header_len = form.element_header_len(lengths.clone());
        let len = len_max(form, lengths);
        let mut header = Self { fixed, bytes: [0; LEN_MAX], bytes_len: 0, given, element_header_len, len };
        let has_extension = len > FIXED_LEN;
        header.push(&[0x80 | u8::from(has_extension) << 4, u8::from(fixed.marker) << 7 | fixed.payload_type & 0x7f]);
        header.push(&fixed.sequence.to_be_bytes());
        header.push(&fixed.timestamp.to_be_bytes());
        header.push(&fixed.ssrc.to_be_bytes());
        if has_extension {
            header.push(if element_header_len == 1 { &[0xbe, 0xde] } else { &[0x10, 0x00] });
            header.push(&(((len - FIXED_LEN - 4) / 4) as u16).to_be_bytes());
        }
        for (id, data) in elements() {
            let (start, start_len) = header.element_header(*id, data.len());
            header.push(start.get(..start_len).unwrap_or_default());
            header.push(data);
        }
        header
    }

    /// The same of a packet that ends with padding (RFC 3550 §5.1).
    pub(crate) const fn with_padding(mut self) -> Self {
        self.bytes[0] |= 0x20;
        self
    }

    /// In bytes.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Appends it.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let end = out.len() + self.len;
        out.extend_from_slice(self.bytes.get(..self.bytes_len).unwrap_or_default());
        for (id, data) in self.given.iter().flatten() {
            let (start, start_len) = self.element_header(*id, data.len());
            out.extend_from_slice(start.get(..start_len).unwrap_or_default());
            out.extend_from_slice(data);
        }
        out.resize(end, 0);
    }

    const fn element_header(&self, id: u8, len: usize) -> ([u8; 2], usize) {
        match self.element_header_len {
            1 => ([id << 4 | len.wrapping_sub(1) as u8 & 0x0f, 0], 1),
            _ => ([id, len as u8], 2),
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            debug_assert!(self.bytes_len < LEN_MAX, "a header is as long as its longest parts");
            if let Some(slot) = self.bytes.get_mut(self.bytes_len) {
                *slot = *byte;
                self.bytes_len += 1;
            }
        }
    }
}
