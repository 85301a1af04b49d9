//! VP8 (RFC 7741): a descriptor before each part of a frame.

use super::payloads::Payloads;
use crate::DecodeError;
use crate::read::Reader;

/// Ticks of the RTP timestamp in a second (RFC 7741 §4.1).
pub const CLOCK_RATE_HZ: u32 = 90_000;

/// What a packet says of its part of a frame (RFC 7741 §4.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Descriptor {
    /// N: no other frame refers to this one.
    pub is_non_reference: bool,
    /// S: a partition begins here.
    pub is_start: bool,
    /// PID: which partition, 0 to 7.
    pub partition: u8,
    /// The number of the frame.
    pub picture_id: Option<PictureId>,
    /// TL0PICIDX: the number of the last frame of the lowest temporal layer.
    pub tl0_picture_index: Option<u8>,
    /// TID and Y: the temporal layer.
    pub temporal_layer: Option<TemporalLayer>,
    /// KEYIDX: the number of the last key frame, 0 to 31.
    pub key_index: Option<u8>,
}

/// The number of a frame, modulo 2⁷ or 2¹⁵.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PictureId {
    /// Of seven bits.
    Short(u8),
    /// Of fifteen.
    Long(u16),
}

impl PictureId {
    /// How many numbers there are of its length.
    #[must_use]
    pub const fn count(self) -> u16 {
        match self {
            Self::Short(_) => 1 << 7,
            Self::Long(_) => 1 << 15,
        }
    }

    /// In one byte or two, as its first bit says (also RFC 9628 §4.2).
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let first = reader.u8()?;
        Ok(match first & 0x80 {
            0 => Self::Short(first),
            _ => Self::Long(u16::from(first & 0x7f) << 8 | u16::from(reader.u8()?)),
        })
    }

    /// That of the frame after.
    #[must_use]
    pub const fn next(self) -> Self {
        match self {
            Self::Short(number) => Self::Short(number.wrapping_add(1) & 0x7f),
            Self::Long(number) => Self::Long(number.wrapping_add(1) & 0x7fff),
        }
    }
}

/// A temporal layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TemporalLayer {
    /// 0, the lowest, to 3.
    pub index: u8,
    /// The frame refers to the lowest layer alone.
    pub is_sync: bool,
}

impl Descriptor {
    /// Reads a payload: the descriptor, and the part of the frame that follows.
    ///
    /// # Errors
    /// If it ends too soon, or nothing follows.
    pub fn parse(payload: &[u8]) -> Result<(Self, &[u8]), DecodeError> {
        let mut reader = Reader(payload);
        let first = reader.u8()?;
        let mut descriptor = Self {
            is_non_reference: first & 0x20 != 0,
            is_start: first & 0x10 != 0,
            partition: first & 0x07,
            ..Self::default()
        };
        if first & 0x80 != 0 {
            descriptor.read_extension(&mut reader)?;
        }
        if reader.0.is_empty() { Err(DecodeError::Truncated) } else { Ok((descriptor, reader.0)) }
    }

    fn read_extension(&mut self, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        let flags = reader.u8()?;
        if flags & 0x80 != 0 {
            self.picture_id = Some(PictureId::read(reader)?);
        }
        if flags & 0x40 != 0 {
            self.tl0_picture_index = Some(reader.u8()?);
        }
        if flags & 0x30 != 0 {
            let byte = reader.u8()?;
            let layer = TemporalLayer { index: byte >> 6, is_sync: byte & 0x20 != 0 };
            self.temporal_layer = Some(layer).filter(|_| flags & 0x20 != 0);
            self.key_index = Some(byte & 0x1f).filter(|_| flags & 0x10 != 0);
        }
        Ok(())
    }

    /// Whether a frame begins here.
    // RFC 7741 §4.2: "The S bit MUST be set to 1 for the first packet of each encoded frame."
    #[must_use]
    pub const fn is_frame_start(&self) -> bool {
        self.is_start && self.partition == 0
    }

    /// Appends the descriptor.
    pub fn write(&self, out: &mut Vec<u8>) {
        let flags = u8::from(self.picture_id.is_some()) << 7
            | u8::from(self.tl0_picture_index.is_some()) << 6
            | u8::from(self.temporal_layer.is_some()) << 5
            | u8::from(self.key_index.is_some()) << 4;
        let first = u8::from(self.is_non_reference) << 5 | u8::from(self.is_start) << 4 | self.partition & 0x07;
        if flags == 0 {
            return out.push(first);
        }
        out.extend_from_slice(&[0x80 | first, flags]);
        match self.picture_id {
            Some(PictureId::Short(number)) => out.push(number & 0x7f),
            Some(PictureId::Long(number)) => out.extend_from_slice(&(0x8000 | number).to_be_bytes()),
            None => {}
        }
        out.extend(self.tl0_picture_index);
        if self.temporal_layer.is_some() || self.key_index.is_some() {
            let layer = self.temporal_layer.map_or(0, |layer| layer.index << 6 | u8::from(layer.is_sync) << 5);
            out.push(layer | self.key_index.unwrap_or(0) & 0x1f);
        }
    }

    /// How long it is.
    fn len(&self) -> usize {
        let layer = usize::from(self.temporal_layer.is_some() || self.key_index.is_some());
        let picture_id = match self.picture_id {
            None => 0,
            Some(PictureId::Short(_)) => 1,
            Some(PictureId::Long(_)) => 2,
        };
        let extension = picture_id + usize::from(self.tl0_picture_index.is_some()) + layer;
        if extension == 0 { 1 } else { 2 + extension }
    }
}

/// Whether a frame needs no other, by the first bit of its header (RFC 6386 §9.1).
#[must_use]
pub fn is_key_frame(frame: &[u8]) -> bool {
    frame.first().is_some_and(|first| first & 1 == 0)
}

/// The width and height of a key frame in pixels (RFC 6386 §9.1).
#[must_use]
pub fn size(frame: &[u8]) -> Option<(u16, u16)> {
    let [tag, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1, ..] = frame else { return None };
    // The two bits above are a scale.
    let of = |low: &u8, high: &u8| u16::from_le_bytes([*low, *high]) & 0x3fff;
    (tag & 1 == 0).then(|| (of(w0, w1), of(h0, h1)))
}

/// Cuts a frame into payloads of at most `limit` bytes, as equal as they can be; `descriptor` says what all have in
/// common. It allocates once. `None` if the frame is empty or the limit leaves no room beside the descriptor.
#[must_use]
pub fn packetize(frame: &[u8], descriptor: Descriptor, limit: usize) -> Option<Payloads> {
    let first = Descriptor { is_start: true, partition: 0, ..descriptor };
    let following = Descriptor { is_start: false, ..first };
    let room = limit.checked_sub(first.len()).filter(|room| *room > 0)?;
    let count = frame.len().div_ceil(room);
    let part_len = frame.len().div_ceil(count.max(1));
    let mut bytes = Vec::with_capacity(frame.len() + count * first.len());
    for (n, part) in frame.chunks(part_len.max(1)).enumerate() {
        if n == 0 { first } else { following }.write(&mut bytes);
        bytes.extend_from_slice(part);
    }
    (count > 0).then(|| Payloads::new(bytes.into(), first.len() + part_len))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7741 §4.2, figure 2, filled in by hand.
    #[test]
    fn a_descriptor_with_everything() {
        let bytes = [0xb2, 0xf0, 0x91, 0x23, 0x45, 0b1010_0111, 0xaa];
        let (descriptor, rest) = Descriptor::parse(&bytes).expect("whole");
        let expected = Descriptor {
            is_non_reference: true,
            is_start: true,
            partition: 2,
            picture_id: Some(PictureId::Long(0x1123)),
            tl0_picture_index: Some(0x45),
            temporal_layer: Some(TemporalLayer { index: 2, is_sync: true }),
            key_index: Some(7),
        };
        assert_eq!((descriptor, rest), (expected, &[0xaa][..]));
        for len in 0..bytes.len() {
            assert_eq!(Descriptor::parse(&bytes[..len]), Err(DecodeError::Truncated), "{len}");
        }
    }

    #[test]
    fn each_part_stands_alone() {
        let parse = |bytes: &[u8]| Descriptor::parse(bytes).map(|(descriptor, rest)| (descriptor, rest.len()));
        let plain = Descriptor::default();
        assert_eq!(parse(&[0x00, 9]), Ok((plain, 1)));
        assert_eq!(parse(&[0x80, 0x00, 9]), Ok((plain, 1)));
        let short = Descriptor { picture_id: Some(PictureId::Short(0x7f)), ..plain };
        assert_eq!(parse(&[0x80, 0x80, 0x7f, 9]), Ok((short, 1)));
        let layer = Descriptor { temporal_layer: Some(TemporalLayer { index: 3, is_sync: false }), ..plain };
        assert_eq!(parse(&[0x80, 0x20, 0xc5, 9]), Ok((layer, 1)));
        let key = Descriptor { key_index: Some(5), ..plain };
        assert_eq!(parse(&[0x80, 0x10, 0xc5, 9]), Ok((key, 1)));
    }

    #[test]
    fn numbers_of_frames_go_around() {
        assert_eq!(PictureId::Short(127).next(), PictureId::Short(0));
        assert_eq!(PictureId::Long(127).next(), PictureId::Long(128));
        assert_eq!(PictureId::Long(0x7fff).next(), PictureId::Long(0));
    }

    #[test]
    fn a_key_frame_says_how_large_it_is() {
        let frame = [0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x80, 0x42, 0xe0, 0x81, 0x39];
        assert_eq!((is_key_frame(&frame), size(&frame)), (true, Some((0x280, 0x1e0))));
        assert_eq!((is_key_frame(&[0x11]), size(&frame[1..]), is_key_frame(&[])), (false, None, false));
    }
}
