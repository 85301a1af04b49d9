//! A frame of which more is to come.

use super::part::Piece;
use super::vp8::{self, PictureId};
use super::{Format, av1, h264, vp9};
use bytes::Bytes;
use std::ops::RangeInclusive;
use std::time::Instant;

/// What a piece costs beside what it carries, or frames of single bytes would hold the memory of many.
pub(super) const PART_OVERHEAD: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Partial {
    pub(super) parts: Vec<Piece>,
    /// How long the frame will be, so far.
    pub(super) len: usize,
    /// The payloads that its pieces keep: of some there is more than is carried.
    pub(super) payloads_len: usize,
    pub(super) payload_type: u8,
    pub(super) timestamp: u32,
    pub(super) number: Option<PictureId>,
    /// Whether the last piece is not the end of its unit.
    pub(super) is_open: bool,
    /// The numbers of its packets, and when the first of them arrived.
    pub(super) span: Option<(RangeInclusive<u64>, Instant)>,
}

impl Partial {
    pub(super) const fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// What it takes of memory: the frame, or the payloads that it is of, with an overhead for each piece.
    pub(super) const fn charge(&self) -> usize {
        let len = if self.len > self.payloads_len { self.len } else { self.payloads_len };
        len.saturating_add(PART_OVERHEAD * self.parts.len())
    }

    /// A packet of it has this number, and arrived then. Those that came again may have come behind others.
    pub(super) fn reach(&mut self, sequence: u64, arrival: Instant) {
        let (first, arrival) = match &self.span {
            Some((sequences, before)) => (*sequences.start(), arrival.min(*before)),
            None => (sequence, arrival),
        };
        self.span = Some((first..=sequence, arrival));
    }

    pub(super) fn push(&mut self, format: Format, piece: Piece) {
        let before = match format {
            Format::H264 | Format::H264SingleNal if piece.begins => h264::START_CODE.len(),
            Format::Av1 if piece.begins => av1::HEADER_LEN_MAX,
            _ => 0,
        };
        self.len = self.len.saturating_add(before + usize::from(piece.header.is_some()) + piece.data.len());
        self.parts.push(piece);
    }

    /// The frame, as a decoder takes it. `None` if the pieces are none.
    pub(super) fn join(&self, format: Format) -> Option<Bytes> {
        Some(match (format, self.parts.as_slice()) {
            (Format::Av1, _) => return av1::join(self),
            (Format::H264 | Format::H264SingleNal, parts) => {
                let mut data = Vec::with_capacity(self.len);
                for part in parts {
                    if part.begins {
                        data.extend_from_slice(&h264::START_CODE);
                    }
                    data.extend(part.header);
                    data.extend_from_slice(&part.data);
                }
                data.into()
            }
            (_, [only]) => only.data.clone(),
            (_, parts) => {
                let mut data = Vec::with_capacity(self.len);
                parts.iter().for_each(|part| data.extend_from_slice(&part.data));
                data.into()
            }
        })
    }

    /// The types of the NAL units of H.264, a bit each.
    pub(super) fn unit_types(&self) -> u32 {
        let of = |part: &Piece| part.header.or(part.data.first().copied());
        let headers = self.parts.iter().filter(|part| part.begins).filter_map(of);
        headers.fold(0, |types, header| types | 1 << (header & 0x1f))
    }

    pub(super) fn clear(&mut self) {
        self.parts.clear();
        (self.len, self.payloads_len, self.is_open, self.span) = (0, 0, false, None);
    }
}

/// What a decoder knows of a stream, and needs before it can begin.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    /// H.264: the types of parameters that came, a bit each.
    parameters: u32,
}

/// What a frame is to a decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// It needs no other frame.
    Key,
    /// It needs those before.
    Others,
    /// It has no picture, but what those that follow need.
    Nothing,
}

impl Known {
    /// What a whole frame needs.
    pub(super) fn take(&mut self, format: Format, partial: &Partial, data: &[u8]) -> Need {
        let is_key_frame = match format {
            Format::H264 | Format::H264SingleNal => return self.take_h264(partial.unit_types()),
            Format::Vp9 => vp9::is_key_frame(data),
            Format::Av1 => av1::is_key_frame(data),
            _ => vp8::is_key_frame(data),
        };
        if is_key_frame { Need::Key } else { Need::Others }
    }

    fn take_h264(&mut self, types: u32) -> Need {
        const PARAMETERS: u32 = 1 << h264::SPS | 1 << h264::PPS;
        /// H.264, table 7-1: the types 1 to 5 are of the coded picture.
        const PICTURE: u32 = 0x3e;
        self.parameters |= types & PARAMETERS;
        if types & 1 << h264::IDR != 0 && self.parameters == PARAMETERS {
            Need::Key
        } else if types & PICTURE == 0 {
            Need::Nothing
        } else {
            Need::Others
        }
    }
}
