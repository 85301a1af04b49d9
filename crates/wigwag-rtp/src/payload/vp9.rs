//! VP9 (RFC 9628): a descriptor before each part of a frame, or of each of its spatial layers.

use super::Unfit;
use super::payloads::Payloads;
use super::vp8::PictureId;
use crate::DecodeError;
use crate::read::Reader;

/// Ticks of the RTP timestamp in a second (RFC 9628 §4.1).
pub const CLOCK_RATE_HZ: u32 = 90_000;

const MALFORMED: DecodeError = DecodeError::Malformed("VP9");
/// RFC 9628 §4.2: so many other pictures one may refer to.
const REFERENCES_MAX: usize = 3;

/// What a packet says of its part of a picture (RFC 9628 §4.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Descriptor<'a> {
    /// I: the number of the picture, the same for all its layers.
    pub picture_id: Option<PictureId>,
    /// P: it refers to pictures before.
    pub is_predicted: bool,
    /// F: flexible mode, in which each picture says to which it refers.
    pub is_flexible: bool,
    /// B: a layer's frame begins here.
    pub is_start: bool,
    /// E: a layer's frame ends here.
    pub is_end: bool,
    /// Z: no higher spatial layer refers to this frame.
    pub is_not_inter_layer_reference: bool,
    /// L: which layer.
    pub layer: Option<Layer>,
    /// TL0PICIDX: the number of the last picture of the lowest temporal layer; not in flexible mode, and only beside a layer.
    pub tl0_picture_index: Option<u8>,
    /// P_DIFF: how many pictures before the one is to which this refers, 0 to 127; those that are none are behind all others. Only in
    /// flexible mode.
    pub references: [Option<u8>; REFERENCES_MAX],
    /// V: how the layers are made.
    pub structure: Option<Structure<'a>>,
}

/// A layer of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layer {
    /// TID: 0, the lowest in time, to 7.
    pub temporal: u8,
    /// U: from here on higher temporal layers can be taken.
    pub is_switching_point: bool,
    /// SID: 0, the smallest, to 7.
    pub spatial: u8,
    /// D: it refers to the spatial layer below.
    pub is_inter_layer_predicted: bool,
}

/// How the layers of a stream are made (RFC 9628 §4.2.1), as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Structure<'a>(&'a [u8]);

impl<'a> Structure<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let whole = reader.0;
        let first = reader.u8()?;
        if first & 0x10 != 0 {
            reader.take(4 * (usize::from(first >> 5) + 1))?;
        }
        if first & 0x08 != 0 {
            for _ in 0..reader.u8()? {
                let picture = reader.u8()?;
                reader.take(usize::from(picture >> 2 & 3))?;
            }
        }
        let len = whole.len().saturating_sub(reader.0.len());
        whole.get(..len).map(Self).ok_or(DecodeError::Truncated)
    }

    /// How many spatial layers there are, 1 to 8.
    #[must_use]
    pub fn spatial_layers(&self) -> usize {
        self.0.first().map_or(1, |first| usize::from(first >> 5) + 1)
    }

    /// The width and height of each spatial layer in pixels, if they are told.
    pub fn sizes(&self) -> impl Iterator<Item = (u16, u16)> + use<'a> {
        let count = if self.0.first().is_some_and(|first| first & 0x10 != 0) { self.spatial_layers() } else { 0 };
        let mut reader = Reader(self.0.get(1..).unwrap_or_default());
        (0..count).map_while(move |_| Some((reader.u16().ok()?, reader.u16().ok()?)))
    }
}

impl<'a> Descriptor<'a> {
    /// Reads a payload: the descriptor, and the part of the frame that follows.
    ///
    /// # Errors
    /// If it ends too soon, nothing follows, or it refers to more pictures than it may.
    pub fn parse(payload: &'a [u8]) -> Result<(Self, &'a [u8]), DecodeError> {
        let mut reader = Reader(payload);
        let first = reader.u8()?;
        let has = |bit: u8| first & bit != 0;
        let mut descriptor = Self {
            is_predicted: has(0x40),
            is_flexible: has(0x10),
            is_start: has(0x08),
            is_end: has(0x04),
            is_not_inter_layer_reference: has(0x01),
            ..Self::default()
        };
        if has(0x80) {
            descriptor.picture_id = Some(PictureId::read(&mut reader)?);
        }
        if has(0x20) {
            descriptor.layer = Some(Layer::of(reader.u8()?));
            if !descriptor.is_flexible {
                descriptor.tl0_picture_index = Some(reader.u8()?);
            }
        }
        if descriptor.is_flexible && descriptor.is_predicted {
            descriptor.references = references(&mut reader)?;
        }
        if has(0x02) {
            descriptor.structure = Some(Structure::read(&mut reader)?);
        }
        if reader.0.is_empty() { Err(DecodeError::Truncated) } else { Ok((descriptor, reader.0)) }
    }

    /// Whether it is of the lowest spatial layer, or there are no layers.
    #[must_use]
    pub fn is_lowest(&self) -> bool {
        self.layer.is_none_or(|layer| layer.spatial == 0)
    }

    /// Appends the descriptor.
    pub fn write(&self, out: &mut Vec<u8>) {
        let flags = [
            (self.picture_id.is_some(), 0x80),
            (self.is_predicted, 0x40),
            (self.layer.is_some(), 0x20),
            (self.is_flexible, 0x10),
            (self.is_start, 0x08),
            (self.is_end, 0x04),
            (self.structure.is_some(), 0x02),
            (self.is_not_inter_layer_reference, 0x01),
        ];
        out.push(flags.into_iter().filter(|(is_set, _)| *is_set).fold(0, |byte, (_, bit)| byte | bit));
        match self.picture_id {
            Some(PictureId::Short(number)) => out.push(number & 0x7f),
            Some(PictureId::Long(number)) => out.extend_from_slice(&(0x8000 | number).to_be_bytes()),
            None => {}
        }
        if let Some(layer) = self.layer {
            out.push(layer.byte());
            out.extend((!self.is_flexible).then(|| self.tl0_picture_index.unwrap_or(0)));
        }
        if self.is_flexible && self.is_predicted {
            let mut references = self.references.into_iter().flatten();
            // One at least is told.
            let mut next = Some(references.next().unwrap_or(0));
            while let Some(difference) = next {
                next = references.next();
                out.push(difference << 1 | u8::from(next.is_some()));
            }
        }
        self.structure.into_iter().for_each(|structure| out.extend_from_slice(structure.0));
    }
}

fn references(reader: &mut Reader<'_>) -> Result<[Option<u8>; REFERENCES_MAX], DecodeError> {
    let mut references = [None; REFERENCES_MAX];
    for reference in &mut references {
        let byte = reader.u8()?;
        *reference = Some(byte >> 1);
        if byte & 1 == 0 {
            return Ok(references);
        }
    }
    Err(MALFORMED)
}

impl Layer {
    const fn of(byte: u8) -> Self {
        Self {
            temporal: byte >> 5,
            is_switching_point: byte & 0x10 != 0,
            spatial: byte >> 1 & 7,
            is_inter_layer_predicted: byte & 1 != 0,
        }
    }

    const fn byte(self) -> u8 {
        self.temporal << 5
            | (self.is_switching_point as u8) << 4
            | (self.spatial & 7) << 1
            | self.is_inter_layer_predicted as u8
    }
}

/// Whether a frame needs no other, by the first bits of its header (VP9 bitstream specification, §6.2).
#[must_use]
pub fn is_key_frame(frame: &[u8]) -> bool {
    let Some(first) = frame.first() else { return false };
    // A mark of two bits, the profile of two, of the highest one more bit; whether an earlier frame is shown; the type.
    let rest = if first & 0x30 == 0x30 { first << 5 } else { first << 4 };
    first >> 6 == 2 && rest & 0xc0 == 0
}

/// Cuts a frame into payloads of at most `limit` bytes, as equal as they can be: one layer, in flexible mode, each frame after the
/// one before.
///
/// # Errors
/// If the frame is empty, or the limit leaves no room beside the descriptor.
pub fn packetize(frame: &[u8], picture_id: PictureId, limit: usize) -> Result<Payloads, Unfit> {
    let is_predicted = !is_key_frame(frame);
    let references = [Some(1).filter(|_| is_predicted), None, None];
    let common =
        Descriptor { picture_id: Some(picture_id), is_predicted, is_flexible: true, references, ..Default::default() };
    let mut descriptor = Vec::with_capacity(8);
    common.write(&mut descriptor);
    let room = limit.checked_sub(descriptor.len()).filter(|room| *room > 0).ok_or(Unfit::TooLong)?;
    let count = frame.len().div_ceil(room);
    let part_len = frame.len().div_ceil(count.max(1));
    let mut bytes = Vec::with_capacity(frame.len() + count * descriptor.len());
    let mut parts = frame.chunks(part_len.max(1)).peekable();
    let mut is_start = true;
    while let Some(part) = parts.next() {
        Descriptor { is_start: std::mem::take(&mut is_start), is_end: parts.peek().is_none(), ..common }
            .write(&mut bytes);
        bytes.extend_from_slice(part);
    }
    if count > 0 { Ok(Payloads::new(bytes.into(), descriptor.len() + part_len)) } else { Err(Unfit::Malformed) }
}
