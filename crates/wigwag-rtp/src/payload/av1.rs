//! AV1 (RTP Payload Format For AV1, v1.0.0): pieces of open bitstream units (OBUs), each after its length.
//!
//! A frame is a temporal unit in the low-overhead format of AV1 §5.2: OBUs with their sizes, without temporal delimiter when received.

use super::Unfit;
use super::partial::Partial;
use super::payloads::{PayloadWriter, Payloads};
use crate::DecodeError;
use crate::read::Reader;
use bytes::Bytes;

/// Ticks of the RTP timestamp in a second (§4.1).
pub const CLOCK_RATE_HZ: u32 = 90_000;

const MALFORMED: DecodeError = DecodeError::Malformed("AV1");
/// Types of OBUs (AV1 §6.2.2).
const SEQUENCE_HEADER: u8 = 1;
const TEMPORAL_DELIMITER: u8 = 2;
const FRAME_HEADER: u8 = 3;
const FRAME: u8 = 6;
const TILE_LIST: u8 = 8;
/// Bits of an OBU's header (AV1 §5.3.2).
const FORBIDDEN: u8 = 0x80;
const HAS_EXTENSION: u8 = 0x04;
const HAS_SIZE: u8 = 0x02;
/// The longest that stands before what an OBU carries: its header of two bytes, and its size.
pub(super) const HEADER_LEN_MAX: usize = 2 + SIZE_LEN_MAX;
/// AV1 §4.10.5: a number in groups of seven bits has eight bytes at most.
const SIZE_LEN_MAX: usize = 8;
/// Less of an OBU than that is not put at the end of a packet.
const FRAGMENT_MIN: usize = 16;

/// A payload: the aggregation header (§4.4) and what follows it. All elements are whole and none is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload<'a> {
    /// Z: the first element goes on with the last of the packet before.
    pub continues: bool,
    /// Y: the last element goes on in the next packet.
    pub leaves_open: bool,
    /// N: a coded video sequence begins here.
    pub begins_sequence: bool,
    /// Pieces of OBUs.
    pub elements: Elements<'a>,
}

/// Pieces of OBUs, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elements<'a> {
    rest: &'a [u8],
    /// W: how many are left; each has its length but the last. `None`: each has its length.
    count: Option<u8>,
}

impl<'a> Elements<'a> {
    fn read(&mut self) -> Result<&'a [u8], DecodeError> {
        let mut reader = Reader(self.rest);
        let element = match self.count {
            Some(1) => std::mem::take(&mut reader.0),
            _ => {
                let len = read_number(&mut reader)?;
                reader.take(len)?
            }
        };
        self.rest = reader.0;
        self.count = self.count.map(|count| count.saturating_sub(1));
        if element.is_empty() { Err(MALFORMED) } else { Ok(element) }
    }

    fn is_over(&self) -> bool {
        self.count.map_or(self.rest.is_empty(), |count| count == 0)
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.is_over() { None } else { self.read().ok() }
    }
}

impl<'a> Payload<'a> {
    /// Reads a payload.
    ///
    /// # Errors
    /// If it ends too soon, an element is empty, or a sequence begins in the middle of an OBU.
    pub fn parse(payload: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader(payload);
        let header = reader.u8()?;
        let count = Some(header >> 4 & 3).filter(|count| *count > 0);
        let elements = Elements { rest: reader.0, count };
        let (continues, begins_sequence) = (header & 0x80 != 0, header & 0x08 != 0);
        // §4.4 notes that Z is 0 where N is 1.
        if continues && begins_sequence {
            return Err(MALFORMED);
        }
        let mut all = elements;
        loop {
            all.read()?;
            if all.is_over() {
                break;
            }
        }
        Ok(Self { continues, leaves_open: header & 0x40 != 0, begins_sequence, elements })
    }
}

/// Whether a decoder can begin with this payload.
pub(super) fn begins(payload: &[u8]) -> bool {
    Payload::parse(payload).is_ok_and(|payload| payload.begins_sequence)
}

/// A number in groups of seven bits, the lowest first (AV1 §4.10.5, `leb128`).
fn read_number(reader: &mut Reader<'_>) -> Result<usize, DecodeError> {
    let mut number = 0u64;
    for group in 0..SIZE_LEN_MAX {
        let byte = reader.u8()?;
        number |= u64::from(byte & 0x7f) << (7 * group);
        if byte & 0x80 == 0 {
            return u32::try_from(number).map(|number| number as usize).map_err(|_| MALFORMED);
        }
    }
    Err(MALFORMED)
}

fn write_number(out: &mut Vec<u8>, mut number: usize) {
    while number > 0x7f {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

const fn number_len(number: usize) -> usize {
    let (mut len, mut rest) = (1, number >> 7);
    while rest > 0 {
        (len, rest) = (len + 1, rest >> 7);
    }
    len
}

/// An open bitstream unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Obu<'a> {
    /// Its header's first byte, without the bit that says that its size follows.
    pub header: u8,
    /// The header's second byte: temporal and spatial layer.
    pub extension: Option<u8>,
    /// What it carries.
    pub data: &'a [u8],
}

impl<'a> Obu<'a> {
    /// Its type, 0 to 15 (AV1 §6.2.2).
    #[must_use]
    pub const fn kind(&self) -> u8 {
        kind(self.header)
    }

    const fn header_len(&self) -> usize {
        1 + self.extension.is_some() as usize
    }

    const fn len(&self) -> usize {
        self.header_len() + self.data.len()
    }

    /// Whether it is sent.
    // §5: "The temporal delimiter OBU, if present, SHOULD be removed when transmitting, and MUST be ignored by receivers. Tile list OBUs are
    // not supported. They SHOULD be removed when transmitted, and MUST be ignored by receivers."
    const fn is_carried(&self) -> bool {
        is_carried(self.kind())
    }

    /// Its bytes from `from` on, `len` of them, without a size.
    fn write(&self, out: &mut Vec<u8>, from: usize, len: usize) {
        let header = [self.header, self.extension.unwrap_or(0)];
        let (of_header, skipped) = (header.get(from..self.header_len()), from.saturating_sub(self.header_len()));
        let of_header = of_header.unwrap_or_default();
        let of_header = of_header.get(..len.min(of_header.len())).unwrap_or_default();
        out.extend_from_slice(of_header);
        let end = skipped + (len - of_header.len());
        out.extend_from_slice(self.data.get(skipped..end).unwrap_or_default());
    }
}

const fn kind(header: u8) -> u8 {
    header >> 3 & 0x0f
}

const fn is_carried(kind: u8) -> bool {
    !matches!(kind, TEMPORAL_DELIMITER | TILE_LIST)
}

/// The OBUs of a temporal unit, in order: each with its size, but perhaps the last. An error ends them.
pub fn obus(temporal_unit: &[u8]) -> impl Iterator<Item = Result<Obu<'_>, DecodeError>> + Clone {
    let mut rest = Some(temporal_unit).filter(|unit| !unit.is_empty());
    std::iter::from_fn(move || {
        let mut reader = Reader(rest.take()?);
        let obu = read_obu(&mut reader);
        rest = Some(reader.0).filter(|left| obu.is_ok() && !left.is_empty());
        Some(obu)
    })
}

fn read_obu<'a>(reader: &mut Reader<'a>) -> Result<Obu<'a>, DecodeError> {
    let header = reader.u8()?;
    if header & FORBIDDEN != 0 {
        return Err(MALFORMED);
    }
    let extension = if header & HAS_EXTENSION != 0 { Some(reader.u8()?) } else { None };
    let len = if header & HAS_SIZE != 0 { read_number(reader)? } else { reader.0.len() };
    Ok(Obu { header: header & !HAS_SIZE, extension, data: reader.take(len)? })
}

/// Whether a temporal unit needs no other: it has a sequence header, and its first frame is a key frame (AV1 §7.5).
#[must_use]
pub fn is_key_frame(temporal_unit: &[u8]) -> bool {
    let (mut has_sequence, mut is_still) = (false, false);
    for obu in obus(temporal_unit).map_while(Result::ok) {
        match (obu.kind(), obu.data.first()) {
            (SEQUENCE_HEADER, Some(first)) => {
                has_sequence = true;
                // AV1 §5.5.1: three bits of profile, `still_picture`, `reduced_still_picture_header`.
                is_still = first & 0x08 != 0;
            }
            // AV1 §5.9.2: `show_existing_frame`, then two bits of `frame_type`, 0 of a key frame.
            (FRAME | FRAME_HEADER, Some(first)) => return has_sequence && (is_still || first & 0xe0 == 0),
            _ => {}
        }
    }
    false
}

/// Cuts a temporal unit into payloads of at most `limit` bytes: of small OBUs as many as fit are in one, a large one is in several.
///
/// # Errors
/// If it is not of OBUs with their sizes, there is none that is sent, or the limit is below three bytes.
pub fn packetize(temporal_unit: &[u8], limit: usize) -> Result<Payloads, Unfit> {
    let sent = || obus(temporal_unit).map_while(Result::ok).filter(Obu::is_carried);
    if obus(temporal_unit).any(|obu| obu.is_err()) {
        return Err(Unfit::Malformed);
    }
    if limit < 3 {
        return Err(Unfit::TooLong);
    }
    let mut writer = Packets {
        writer: PayloadWriter::new(temporal_unit.len(), limit),
        open: Vec::with_capacity(limit.min(temporal_unit.len() + 1 + SIZE_LEN_MAX)),
        layer: None,
        first: if is_key_frame(temporal_unit) { 0x08 } else { 0 },
        continues: false,
        limit,
    };
    let mut obus = sent().peekable();
    while let Some(obu) = obus.next() {
        writer.add(&obu, obus.peek().is_none());
    }
    writer.close(false);
    writer.writer.finish().ok_or(Unfit::Malformed)
}

/// Packets that are being filled.
struct Packets {
    writer: PayloadWriter,
    /// Elements with their lengths.
    open: Vec<u8>,
    /// The extension that those of them have that have one.
    layer: Option<u8>,
    /// N, of the first packet.
    first: u8,
    /// Z of the next packet.
    continues: bool,
    limit: usize,
}

impl Packets {
    fn add(&mut self, obu: &Obu<'_>, is_last: bool) {
        // §5: all OBUs with an extension in a packet are of one layer.
        if self.layer.is_some_and(|layer| obu.extension.is_some_and(|extension| extension != layer)) {
            self.close(false);
        }
        let mut from = 0;
        while from < obu.len() {
            let (left, room) = (obu.len() - from, self.limit - 1 - self.open.len());
            let fits = number_len(left) + left <= room;
            if self.open.is_empty() && (!fits || is_last) {
                // Alone in a packet it needs no length.
                let len = left.min(room);
                let header = self.header(len < left, 1);
                self.writer.push(|out| {
                    out.push(header);
                    obu.write(out, from, len);
                });
                from += len;
            } else if fits {
                self.layer = obu.extension.or(self.layer);
                write_number(&mut self.open, left);
                obu.write(&mut self.open, from, left);
                from += left;
            } else {
                let len = room.saturating_sub(number_len(room));
                if len >= FRAGMENT_MIN {
                    write_number(&mut self.open, len);
                    obu.write(&mut self.open, from, len);
                    from += len;
                }
                self.close(len >= FRAGMENT_MIN);
            }
        }
    }

    fn close(&mut self, leaves_open: bool) {
        if self.open.is_empty() {
            return;
        }
        let header = self.header(leaves_open, 0);
        let open = &self.open;
        self.writer.push(|out| {
            out.push(header);
            out.extend_from_slice(open);
        });
        self.open.clear();
        self.layer = None;
    }

    fn header(&mut self, leaves_open: bool, count: u8) -> u8 {
        let continues = std::mem::replace(&mut self.continues, leaves_open);
        u8::from(continues) << 7 | u8::from(leaves_open) << 6 | count << 4 | std::mem::take(&mut self.first)
    }
}

/// The temporal unit of these pieces: OBUs with their sizes. `None` if they are none.
pub(super) fn join(partial: &Partial) -> Option<Bytes> {
    let mut out = Vec::with_capacity(partial.len);
    for parts in partial.parts.chunk_by(|_, next| !next.begins) {
        let len: usize = parts.iter().map(|part| part.data.len()).sum();
        let mut start = [0; HEADER_LEN_MAX];
        let bytes = parts.iter().flat_map(|part| part.data.iter());
        start.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
        let mut reader = Reader(start.get(..len.min(HEADER_LEN_MAX))?);
        let header = reader.u8().ok().filter(|header| header & FORBIDDEN == 0)?;
        let extension = if header & HAS_EXTENSION != 0 { Some(reader.u8().ok()?) } else { None };
        let size = if header & HAS_SIZE != 0 { Some(read_number(&mut reader).ok()?) } else { None };
        let skipped = len.min(HEADER_LEN_MAX) - reader.0.len();
        let data_len = len.checked_sub(skipped).filter(|len| size.is_none_or(|size| size == *len))?;
        if !is_carried(kind(header)) {
            continue;
        }
        out.push(header | HAS_SIZE);
        out.extend(extension);
        write_number(&mut out, data_len);
        let mut skipped = skipped;
        for part in parts {
            out.extend_from_slice(part.data.get(skipped..).unwrap_or_default());
            skipped = skipped.saturating_sub(part.data.len());
        }
    }
    (!out.is_empty()).then(|| out.into())
}
