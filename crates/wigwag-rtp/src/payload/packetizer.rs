//! Frames into packets.

use super::vp8::{self, Descriptor, PictureId};
use super::{Format, opus};
use crate::event::RtpPacket;
use crate::extension::AudioLevel;
use bytes::Bytes;
use std::time::Instant;

/// What an encoder made at once.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Frame {
    /// 0 to 127, one that the receiver knows: what we receive may have another number for the same codec.
    pub payload_type: u8,
    /// When it is to be played, in ticks of the payload type's clock.
    pub rtp_time: u32,
    /// When it was heard or seen, if that is known better than when it was handed in: what is heard and what is seen at
    /// once is then played at once, however long each encoder takes (RFC 3550 §6.4.1).
    pub capture_time: Option<Instant>,
    /// How loud it is (RFC 6464).
    pub audio_level: Option<AudioLevel>,
    /// As the encoder made it.
    pub data: Bytes,
}

impl Frame {
    /// A frame of unknown loudness, captured when it is handed in.
    #[must_use]
    pub const fn new(payload_type: u8, rtp_time: u32, data: Bytes) -> Self {
        Self { payload_type, rtp_time, capture_time: None, audio_level: None, data }
    }
}

/// The payloads of a frame, in order: slices of one allocation.
#[derive(Clone, Debug)]
pub struct Payloads {
    rest: Bytes,
    len: usize,
}

impl Payloads {
    /// Each `len` bytes long, but the last.
    pub(super) const fn new(rest: Bytes, len: usize) -> Self {
        Self { rest, len }
    }

    /// How many bytes there are in all of them.
    pub(crate) const fn bytes(&self) -> usize {
        self.rest.len()
    }
}

impl Iterator for Payloads {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let len = self.len.min(self.rest.len());
        (len > 0).then(|| self.rest.split_to(len))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let count = self.rest.len().div_ceil(self.len.max(1));
        (count, Some(count))
    }
}

impl ExactSizeIterator for Payloads {}

/// Cuts the frames of one stream into packets.
#[derive(Debug)]
pub struct Packetizer {
    format: Format,
    picture_id: PictureId,
    /// Of sound: where the packet after the last begins, if nobody is silent meanwhile.
    next_timestamp: Option<u32>,
}

impl Packetizer {
    /// Numbers the pictures from any number on, which should be random (RFC 7741 §4.2).
    #[must_use]
    pub const fn new(format: Format, first_picture_id: u16) -> Self {
        Self { format, picture_id: PictureId::Long(first_picture_id & 0x7fff), next_timestamp: None }
    }

    /// What the frames are.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// The payloads of a frame, each of at most `limit` bytes; nothing is counted yet. `None` if there is no way: the
    /// frame is empty, or does not fit and cannot be cut.
    #[must_use]
    pub fn payloads(&self, data: &Bytes, limit: usize) -> Option<Payloads> {
        match self.format {
            // RFC 7587 §4.2: "An RTP payload MUST contain exactly one Opus packet"
            Format::Opus => (1..=limit).contains(&data.len()).then(|| Payloads::new(data.clone(), data.len())),
            Format::Vp8 => {
                let descriptor = Descriptor { picture_id: Some(self.picture_id), ..Descriptor::default() };
                vp8::packetize(data, descriptor, limit)
            }
        }
    }

    /// The packets of a frame whose [`payloads`](Self::payloads) these are. The frame is counted.
    pub fn packets(&mut self, frame: &Frame, payloads: Payloads) -> impl Iterator<Item = RtpPacket> + use<> {
        let is_after_silence = self.count(frame);
        let (payload_type, timestamp, audio_level) = (frame.payload_type, frame.rtp_time, frame.audio_level);
        let (format, mut left) = (self.format, payloads.len());
        payloads.map(move |payload| {
            left = left.saturating_sub(1);
            // RFC 7741 §4.1: the last packet of a frame. RFC 3551 §4.1: the first packet after a silence.
            let marker = match format {
                Format::Opus => is_after_silence,
                Format::Vp8 => left == 0,
            };
            RtpPacket { marker, audio_level, ..RtpPacket::new(payload_type, timestamp, payload) }
        })
    }

    /// Whether the frame does not follow the one before at once.
    fn count(&mut self, frame: &Frame) -> bool {
        self.picture_id = self.picture_id.next();
        match self.format {
            Format::Opus => {
                let next = opus::ticks(&frame.data).ok().map(|ticks| frame.rtp_time.wrapping_add(ticks));
                std::mem::replace(&mut self.next_timestamp, next) != Some(frame.rtp_time)
            }
            Format::Vp8 => false,
        }
    }
}
