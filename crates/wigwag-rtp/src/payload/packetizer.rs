//! Frames into packets.

use super::payloads::Payloads;
use super::vp8::{self, Descriptor, PictureId};
use super::{Format, av1, h264, vp9};
use crate::event::RtpPacket;
use crate::extension::AudioLevel;
use bytes::Bytes;
use std::fmt;
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
    /// As the encoder made it. Of H.264, an access unit with start codes (Annex B); of AV1, a temporal unit with the sizes of its OBUs.
    pub data: Bytes,
}

impl Frame {
    /// A frame of unknown loudness, captured when it is handed in.
    #[must_use]
    pub const fn new(payload_type: u8, rtp_time: u32, data: Bytes) -> Self {
        Self { payload_type, rtp_time, capture_time: None, audio_level: None, data }
    }
}

/// Why a frame is not cut into packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unfit {
    /// It is empty, or not what the format's encoder makes: H.264 has start codes, AV1 the sizes of OBUs.
    Malformed,
    /// It does not fit, and cannot be cut.
    TooLong,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => {
                "the frame is empty or not of its format: H.264 has start codes (Annex B), AV1 the sizes of its OBUs"
            }
            Self::TooLong => "the frame does not fit into a packet, and its format cannot cut it",
        })
    }
}

impl std::error::Error for Unfit {}

/// Cuts the frames of one stream into packets.
#[derive(Debug)]
pub struct Packetizer {
    format: Format,
    picture_id: PictureId,
    /// Of sound: where the packet after the last begins, if nobody is silent meanwhile.
    next_timestamp: Option<u32>,
}

impl Packetizer {
    /// Numbers the pictures from any number on, which should be random (RFC 7741 §4.2, RFC 9628 §4.2).
    #[must_use]
    pub const fn new(format: Format, first_picture_id: u16) -> Self {
        Self { format, picture_id: PictureId::Long(first_picture_id & 0x7fff), next_timestamp: None }
    }

    /// What the frames are.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// The payloads of a frame, each of at most `limit` bytes; nothing is counted yet.
    ///
    /// # Errors
    /// If there is no way.
    pub fn payloads(&self, data: &Bytes, limit: usize) -> Result<Payloads, Unfit> {
        if data.is_empty() {
            return Err(Unfit::Malformed);
        }
        match self.format {
            // RFC 7587 §4.2: "An RTP payload MUST contain exactly one Opus packet"
            Format::Opus | Format::G711 | Format::G722 if data.len() > limit => Err(Unfit::TooLong),
            Format::Opus | Format::G711 | Format::G722 => Ok(Payloads::new(data.clone(), data.len())),
            Format::Vp8 => {
                let descriptor = Descriptor { picture_id: Some(self.picture_id), ..Descriptor::default() };
                vp8::packetize(data, descriptor, limit).ok_or(Unfit::TooLong)
            }
            Format::Vp9 => vp9::packetize(data, self.picture_id, limit),
            Format::Av1 => av1::packetize(data, limit),
            Format::H264 => h264::packetize(data, limit),
            Format::H264SingleNal => h264::packetize_single(data, limit),
        }
    }

    /// The packets of a frame whose [`payloads`](Self::payloads) these are. The frame is counted.
    pub fn packets(&mut self, frame: &Frame, payloads: Payloads) -> impl Iterator<Item = RtpPacket> + use<> {
        let is_after_silence = self.count(frame);
        let (payload_type, timestamp, audio_level) = (frame.payload_type, frame.rtp_time, frame.audio_level);
        let (format, mut left) = (self.format, payloads.len());
        payloads.map(move |payload| {
            left = left.saturating_sub(1);
            // RFC 7741 §4.1, RFC 6184 §5.1: the last packet of a frame. RFC 3551 §4.1: the first packet after a silence.
            let marker = if format.has_key_frames() { left == 0 } else { is_after_silence };
            RtpPacket { marker, audio_level, ..RtpPacket::new(payload_type, timestamp, payload) }
        })
    }

    /// Whether the frame does not follow the one before at once.
    fn count(&mut self, frame: &Frame) -> bool {
        self.picture_id = self.picture_id.next();
        if self.format.has_key_frames() {
            return false;
        }
        let next = self.format.ticks(&frame.data).ok().map(|ticks| frame.rtp_time.wrapping_add(ticks));
        std::mem::replace(&mut self.next_timestamp, next) != Some(frame.rtp_time)
    }
}
