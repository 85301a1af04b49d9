//! The numbers by which payloads of VP8 and VP9 tell pictures apart (RFC 7741 §4.2, RFC 9628 §4.2), where they stand, and others in their place.

use super::Format;
use super::vp8::PictureId;
use crate::DecodeError;
use crate::read::Reader;

/// Up to here both stand in either descriptor.
const HEAD_LEN_MAX: usize = 5;

/// The numbers of a payload, each with its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PictureNumbers {
    /// `PictureID`.
    pub(crate) picture: Option<(usize, PictureId)>,
    /// `TL0PICIDX`.
    pub(crate) lowest: Option<(usize, u8)>,
}

impl PictureNumbers {
    /// None, where the format has none or the payload ends too soon.
    pub(crate) fn of(format: Format, payload: &[u8]) -> Self {
        let numbers = match format {
            Format::Vp8 => Self::of_vp8(payload),
            Format::Vp9 => Self::of_vp9(payload),
            Format::Opus | Format::G711 | Format::G722 | Format::H264 | Format::H264SingleNal | Format::Av1 => {
                return Self::default();
            }
        };
        numbers.unwrap_or_default()
    }

    fn of_vp8(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader(payload);
        let flags = if reader.u8()? & 0x80 == 0 { 0 } else { reader.u8()? };
        let picture = placed(&mut reader, payload, flags & 0x80 != 0, PictureId::read)?;
        let lowest = placed(&mut reader, payload, flags & 0x40 != 0, Reader::u8)?;
        Ok(Self { picture, lowest })
    }

    fn of_vp9(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader(payload);
        let first = reader.u8()?;
        let picture = placed(&mut reader, payload, first & 0x80 != 0, PictureId::read)?;
        let has_layer = first & 0x20 != 0;
        if has_layer {
            reader.u8()?;
        }
        let lowest = placed(&mut reader, payload, has_layer && first & 0x10 == 0, Reader::u8)?;
        Ok(Self { picture, lowest })
    }
}

/// What is read next, if it is there, and where it stands.
fn placed<'a, T>(
    reader: &mut Reader<'a>,
    payload: &[u8],
    is_there: bool,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, DecodeError>,
) -> Result<Option<(usize, T)>, DecodeError> {
    let at = payload.len() - reader.0.len();
    is_there.then(|| read(reader).map(|number| (at, number))).transpose()
}

/// The first bytes of a payload, as they leave in place of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    bytes: [u8; HEAD_LEN_MAX],
    len: u8,
}

impl Head {
    /// None: the payload leaves as it is.
    pub(crate) const NONE: Self = Self { bytes: [0; HEAD_LEN_MAX], len: 0 };

    /// Those of a payload that has `numbers` in these places.
    pub(crate) fn with(payload: &[u8], numbers: PictureNumbers) -> Self {
        let len = payload.len().min(HEAD_LEN_MAX);
        let mut head = Self { bytes: [0; HEAD_LEN_MAX], len: len as u8 };
        head.bytes.iter_mut().zip(payload).for_each(|(to, from)| *to = *from);
        match numbers.picture {
            Some((at, PictureId::Short(number))) => head.put(at, &[number & 0x7f]),
            Some((at, PictureId::Long(number))) => head.put(at, &(0x8000 | number).to_be_bytes()),
            None => {}
        }
        if let Some((at, number)) = numbers.lowest {
            head.put(at, &[number]);
        }
        head
    }

    fn put(&mut self, at: usize, number: &[u8]) {
        self.bytes.iter_mut().skip(at).zip(number).for_each(|(to, from)| *to = *from);
    }

    /// Appends the payload, with these bytes in place of its first.
    pub(crate) fn write(&self, payload: &[u8], out: &mut Vec<u8>) {
        let len = usize::from(self.len);
        out.extend(self.bytes.iter().take(len));
        out.extend_from_slice(payload.get(len..).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7741 §4.2, figure 2, and RFC 9628 §4.2, figures 2 and 3, filled in by hand.
    #[test]
    fn numbers_stand_where_the_figures_have_them() {
        let long = PictureId::Long(0x1123);
        for (format, payload, picture, lowest) in [
            (Format::Vp8, &[0xb2, 0xf0, 0x91, 0x23, 0x45, 0xa7, 0xaa][..], Some((2, long)), Some((4, 0x45))),
            (Format::Vp8, &[0x90, 0xc0, 0x23, 0x45, 0xaa], Some((2, PictureId::Short(0x23))), Some((3, 0x45))),
            (Format::Vp8, &[0x90, 0x40, 0x45, 0xaa], None, Some((2, 0x45))),
            (Format::Vp8, &[0x10, 0xf0, 0x91, 0x23], None, None),
            (Format::Vp8, &[0x90, 0xc0, 0x91], None, None),
            // I, L and no F: the layers are before TL0PICIDX.
            (Format::Vp9, &[0xa8, 0x91, 0x23, 0x00, 0x45, 0xaa], Some((1, long)), Some((4, 0x45))),
            // With F there is none.
            (Format::Vp9, &[0xb8, 0x91, 0x23, 0x00, 0x45, 0xaa], Some((1, long)), None),
            (Format::Vp9, &[0x28, 0x00, 0x45, 0xaa], None, Some((2, 0x45))),
            (Format::Vp9, &[0x88, 0x23, 0xaa], Some((1, PictureId::Short(0x23))), None),
            (Format::H264, &[0xb2, 0xf0, 0x91, 0x23, 0x45], None, None),
        ] {
            assert_eq!(
                PictureNumbers::of(format, payload),
                PictureNumbers { picture, lowest },
                "{format:?} {payload:x?}"
            );
        }
    }

    #[test]
    fn other_numbers_take_their_place_and_nothing_else_changes() {
        let payload = [0xb2, 0xf0, 0x91, 0x23, 0x45, 0xa7, 0xaa, 0xbb];
        let numbers = PictureNumbers { picture: Some((2, PictureId::Long(0x7ffe))), lowest: Some((4, 0xff)) };
        let mut out = vec![1];
        Head::with(&payload, numbers).write(&payload, &mut out);
        assert_eq!(out, [1, 0xb2, 0xf0, 0xff, 0xfe, 0xff, 0xa7, 0xaa, 0xbb]);
        for short in 0..payload.len() {
            let mut out = Vec::new();
            Head::with(&payload[..short], PictureNumbers::default()).write(&payload[..short], &mut out);
            assert_eq!(out, payload[..short]);
            let mut out = Vec::new();
            Head::NONE.write(&payload[..short], &mut out);
            assert_eq!(out, payload[..short]);
        }
    }
}
