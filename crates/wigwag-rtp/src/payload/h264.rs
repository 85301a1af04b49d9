//! H.264 (RFC 6184, packetization modes 0 and 1): NAL units as they are, several in a packet, or one in several.
//!
//! A frame is an access unit in the byte stream format (ITU-T H.264, Annex B): each NAL unit after a start code of three or four bytes.

use super::Unfit;
use super::payloads::{PayloadWriter, Payloads};
use crate::DecodeError;
use crate::read::Reader;

/// Ticks of the RTP timestamp in a second (RFC 6184 §8.2.1).
pub const CLOCK_RATE_HZ: u32 = 90_000;
/// What stands before each NAL unit of a frame that was received.
pub const START_CODE: [u8; 4] = [0, 0, 0, 1];

const MALFORMED: DecodeError = DecodeError::Malformed("H.264");
const STAP_A: u8 = 24;
const FU_A: u8 = 28;
/// The bits of an octet that begins a NAL unit: F, NRI and the type (RFC 6184 §1.3).
const FORBIDDEN: u8 = 0x80;
const IMPORTANCE: u8 = 0x60;
const TYPE: u8 = 0x1f;
/// The bits of a fragment's header (RFC 6184 §5.8).
const START: u8 = 0x80;
const END: u8 = 0x40;

/// The types of NAL units that matter here (ITU-T H.264, table 7-1).
pub(super) const IDR: u8 = 5;
pub(super) const SPS: u8 = 7;
pub(super) const PPS: u8 = 8;
pub(super) const DELIMITER: u8 = 9;

/// What a payload holds (RFC 6184 §5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload<'a> {
    /// A NAL unit (§5.6).
    Single(&'a [u8]),
    /// NAL units, each after its length of two bytes: one at least, and all are whole (STAP-A, §5.7.1). Some may be of types that are to
    /// be ignored.
    Aggregate(Aggregate<'a>),
    /// Some of a NAL unit (FU-A, §5.8).
    Fragment(Fragment<'a>),
}

/// NAL units of one payload, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aggregate<'a>(&'a [u8]);

impl<'a> Iterator for Aggregate<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let mut reader = Reader(self.0);
        let len = reader.u16().ok()?;
        let unit = reader.take(len.into()).ok()?;
        self.0 = reader.0;
        Some(unit)
    }
}

impl<'a> Aggregate<'a> {
    /// Those that are not to be ignored.
    pub(super) fn known(self) -> impl Iterator<Item = &'a [u8]> {
        self.filter(|unit| unit.first().is_some_and(|header| is_unit(*header)))
    }
}

/// Some of a NAL unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// The first byte of the NAL unit.
    pub header: u8,
    /// S: it begins here.
    pub is_start: bool,
    /// E: it ends here.
    pub is_end: bool,
    /// What comes next of it, after its first byte.
    pub data: &'a [u8],
}

impl<'a> Payload<'a> {
    /// Reads a payload.
    ///
    /// # Errors
    /// If it is none, or of a kind that packetization modes 0 and 1 do not have (STAP-B, MTAP, FU-B).
    // RFC 6184 §6.3: "Only single NAL unit packets, STAP-As, and FU-As MAY be used in this mode."
    pub fn parse(payload: &'a [u8]) -> Result<Self, DecodeError> {
        let (first, rest) = payload.split_first().ok_or(DecodeError::Truncated)?;
        match first & TYPE {
            1..24 if first & FORBIDDEN == 0 => Ok(Self::Single(payload)),
            STAP_A => {
                let units = Aggregate(rest);
                is_whole(rest)?;
                Ok(Self::Aggregate(units))
            }
            FU_A => fragment(*first, rest).map(Self::Fragment),
            _ => Err(MALFORMED),
        }
    }

    /// The first bytes of the NAL units that begin here.
    fn headers(self) -> impl Iterator<Item = u8> {
        let (single, aggregate, fragment) = match self {
            Self::Single(unit) => (unit.first().copied(), None, None),
            Self::Aggregate(units) => (None, Some(units), None),
            Self::Fragment(fragment) => (None, None, fragment.is_start.then_some(fragment.header)),
        };
        let of_aggregate = aggregate.into_iter().flat_map(Aggregate::known).filter_map(|unit| unit.first().copied());
        single.into_iter().chain(of_aggregate).chain(fragment)
    }

    /// The types of the NAL units that begin here, a bit each.
    pub(super) fn types(self) -> u32 {
        self.headers().fold(0, |types, header| types | 1 << (header & TYPE))
    }

    /// Whether an access unit that is received begins here, and not with one of its later NAL units: it begins with its
    /// delimiter, or, for our purposes, with its parameters.
    pub(super) fn begins_surely(self) -> bool {
        self.headers().next().is_some_and(|header| matches!(header & TYPE, SPS | DELIMITER))
    }
}

fn is_whole(units: &[u8]) -> Result<(), DecodeError> {
    let mut reader = Reader(units);
    loop {
        let len = reader.u16()?;
        match reader.take(len.into())?.first() {
            // RFC 6184 §5.7: none is an aggregate or a fragment itself.
            Some(header) if is_unit(*header) || is_reserved(*header) => {}
            _ => return Err(MALFORMED),
        }
        if reader.0.is_empty() {
            return Ok(());
        }
    }
}

const fn is_unit(header: u8) -> bool {
    header & FORBIDDEN == 0 && matches!(header & TYPE, 1..24)
}

/// Types that are kept for extensions, as the one that tells of layers (PACSI, RFC 6190 §4.9).
const fn is_reserved(header: u8) -> bool {
    matches!(header & TYPE, 0 | 30 | 31)
}

/// Whether all that is in a payload is of reserved types.
// RFC 6184 §5.4: "NAL units of those types SHOULD NOT be sent by a sender (direct as packet payloads, as aggregation units in aggregation
// packets, or as fragmented units in FU packets) and MUST be ignored by a receiver."
pub(super) fn is_ignored(payload: &[u8]) -> bool {
    match payload {
        [first, ..] if is_reserved(*first) => true,
        [first, header, ..] if first & TYPE == FU_A => is_reserved(*header),
        _ => match Payload::parse(payload) {
            Ok(Payload::Aggregate(units)) => units.known().next().is_none(),
            _ => false,
        },
    }
}

fn fragment(indicator: u8, rest: &[u8]) -> Result<Fragment<'_>, DecodeError> {
    let (header, data) = rest.split_first().ok_or(DecodeError::Truncated)?;
    let unit = indicator & (FORBIDDEN | IMPORTANCE) | header & TYPE;
    // RFC 6184 §5.8: "the Start bit and End bit MUST NOT both be set to one in the same FU header."
    if !is_unit(unit) || header & (START | END) == START | END {
        return Err(MALFORMED);
    }
    Ok(Fragment { header: unit, is_start: header & START != 0, is_end: header & END != 0, data })
}

/// The NAL units of a frame in the byte stream format, in order and without the zeros between them.
#[derive(Clone, Debug)]
pub struct Units<'a>(&'a [u8]);

/// The NAL units of a frame. `None` if it does not begin with a start code.
#[must_use]
pub fn units(frame: &[u8]) -> Option<Units<'_>> {
    let zeros = frame.iter().position(|byte| *byte != 0)?;
    let rest = frame.get(zeros..)?.strip_prefix(&[1])?;
    (zeros >= 2).then_some(Units(rest))
}

impl<'a> Iterator for Units<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        while !self.0.is_empty() {
            let end = self.0.windows(3).position(|bytes| bytes == [0, 0, 1]);
            let (unit, rest) = self.0.split_at_checked(end.unwrap_or(self.0.len()))?;
            self.0 = rest.get(3..).unwrap_or_default();
            // H.264 §7.4.1: a NAL unit does not end with a zero.
            let len = unit.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            if len > 0 {
                return unit.get(..len);
            }
        }
        None
    }
}

/// Whether a frame needs no other: it is an instantaneous refresh, and has its parameters or they are known.
#[must_use]
pub fn is_key_frame(frame: &[u8]) -> bool {
    units(frame).is_some_and(|mut units| units.any(|unit| unit.first().is_some_and(|header| header & TYPE == IDR)))
}

/// Whether a decoder can begin with this payload: it has the parameters that stand before an instantaneous refresh.
#[must_use]
pub(super) fn begins(payload: &[u8]) -> bool {
    Payload::parse(payload).is_ok_and(|payload| payload.types() & 1 << SPS != 0)
}

/// Cuts a frame into payloads of at most `limit` bytes: of small NAL units as many as fit are in one, a large one is in
/// several, as equal as they can be (packetization mode 1).
///
/// # Errors
/// If the frame is not of NAL units after start codes, or the limit is below three bytes.
pub fn packetize(frame: &[u8], limit: usize) -> Result<Payloads, Unfit> {
    let mut rest = checked(frame)?;
    let mut writer = PayloadWriter::new(frame.len(), limit);
    while let Some(first) = rest.clone().next() {
        if first.len() > limit {
            write_fragments(&mut writer, first, limit)?;
            rest.next();
            continue;
        }
        let (count, aggregated) = fitting(rest.clone(), limit);
        let together = rest.clone().take(count);
        match count {
            0 | 1 => writer.push(|out| out.extend_from_slice(first)),
            _ => writer.push(|out| write_aggregate(out, together, aggregated)),
        }
        (0..count.max(1)).for_each(|_| _ = rest.next());
    }
    writer.finish().ok_or(Unfit::Malformed)
}

/// Each NAL unit is a payload (packetization mode 0).
///
/// # Errors
/// If the frame is not of NAL units after start codes, or one of them is longer than `limit` bytes: the encoder is to be told
/// of the limit.
pub fn packetize_single(frame: &[u8], limit: usize) -> Result<Payloads, Unfit> {
    let mut writer = PayloadWriter::new(frame.len(), limit);
    for unit in checked(frame)? {
        if unit.len() > limit {
            return Err(Unfit::TooLong);
        }
        writer.push(|out| out.extend_from_slice(unit));
    }
    writer.finish().ok_or(Unfit::Malformed)
}

/// The NAL units, if each is of a type that can be one in a payload.
fn checked(frame: &[u8]) -> Result<Units<'_>, Unfit> {
    let units = units(frame).ok_or(Unfit::Malformed)?;
    let are_all = units.clone().all(|unit| unit.first().is_some_and(|header| is_unit(*header)));
    if are_all { Ok(units) } else { Err(Unfit::Malformed) }
}

/// How many NAL units fit into one payload together, and the first byte of that.
// RFC 6184 §5.7: "The value of NRI MUST be the maximum of all the NAL units carried in the aggregation packet."
fn fitting(units: Units<'_>, limit: usize) -> (usize, u8) {
    let (mut count, mut len, mut importance) = (0, 1, 0);
    for unit in units {
        len += 2 + unit.len();
        if len > limit || unit.len() > u16::MAX.into() {
            break;
        }
        count += 1;
        importance = importance.max(unit.first().map_or(0, |header| header & IMPORTANCE));
    }
    (count, importance | STAP_A)
}

fn write_aggregate<'a>(out: &mut Vec<u8>, units: impl Iterator<Item = &'a [u8]>, header: u8) {
    out.push(header);
    for unit in units {
        out.extend_from_slice(&(unit.len() as u16).to_be_bytes());
        out.extend_from_slice(unit);
    }
}

// RFC 6184 §5.8: "The NAL unit type octet of the fragmented NAL unit is not included as such in the fragmentation unit payload".
fn write_fragments(writer: &mut PayloadWriter, unit: &[u8], limit: usize) -> Result<(), Unfit> {
    let (header, data) = unit.split_first().ok_or(Unfit::Malformed)?;
    let room = limit.checked_sub(2).filter(|room| *room > 0).ok_or(Unfit::TooLong)?;
    // It is longer than a payload, so there are two at least.
    let len = data.len().div_ceil(data.len().div_ceil(room).max(2)).max(1);
    let mut parts = data.chunks(len).peekable();
    let mut is_first = true;
    while let Some(part) = parts.next() {
        let start = if std::mem::take(&mut is_first) { START } else { 0 };
        let end = if parts.peek().is_none() { END } else { 0 };
        writer.push(|out| {
            out.extend_from_slice(&[header & IMPORTANCE | FU_A, start | end | header & TYPE]);
            out.extend_from_slice(part);
        });
    }
    Ok(())
}
