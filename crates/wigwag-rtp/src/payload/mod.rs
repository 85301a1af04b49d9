//! Payload formats: frames into packets, and back. They are functions of bytes; what keeps state counts frames.

pub mod av1;
pub mod h264;
pub mod opus;
pub mod samples;
pub mod telephone_event;
pub mod vp8;
pub mod vp9;

mod assembler;
mod dialer;
mod frames;
pub(crate) mod numbers;
mod packetizer;
mod part;
mod partial;
mod payloads;

pub use assembler::{Assembled, Assembler, AssemblerStats, ReceivedFrame};
pub use dialer::{Dialer, ToneStream};
pub use frames::{FrameEvent, FrameReceiver, FrameStats};
pub use packetizer::{Frame, Packetizer, Unfit};
pub use payloads::Payloads;

use crate::DecodeError;

/// What an encoder makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Format {
    /// Sound (RFC 7587).
    Opus,
    /// Sound: PCMU or PCMA (RFC 3551 §4.5.14). Any number of samples is a frame; 20 ms are 160 bytes.
    G711,
    /// Sound (RFC 3551 §4.5.2). Any number of bytes is a frame; 20 ms are 160.
    G722,
    /// Pictures (RFC 7741).
    Vp8,
    /// Pictures (RFC 6184), of which one packet may hold several NAL units, or a part of one: packetization mode 1.
    H264,
    /// Pictures (RFC 6184), a NAL unit in each packet: packetization mode 0. What is received may be as in mode 1.
    H264SingleNal,
    /// Pictures (RFC 9628), sent as one layer. Of what is received a frame has all layers that came, one after another.
    Vp9,
    /// Pictures (RTP Payload Format For AV1): temporal units.
    Av1,
}

impl Format {
    /// Ticks of the RTP timestamp in a second.
    #[must_use]
    pub const fn clock_rate_hz(self) -> u32 {
        match self {
            Self::Opus => opus::CLOCK_RATE_HZ,
            Self::G711 | Self::G722 => samples::CLOCK_RATE_HZ,
            Self::Vp8 => vp8::CLOCK_RATE_HZ,
            Self::H264 | Self::H264SingleNal => h264::CLOCK_RATE_HZ,
            Self::Vp9 => vp9::CLOCK_RATE_HZ,
            Self::Av1 => av1::CLOCK_RATE_HZ,
        }
    }

    /// Whether a decoder that has seen nothing waits for a key frame.
    #[must_use]
    pub const fn has_key_frames(self) -> bool {
        match self {
            Self::Opus | Self::G711 | Self::G722 => false,
            Self::Vp8 | Self::H264 | Self::H264SingleNal | Self::Vp9 | Self::Av1 => true,
        }
    }

    /// How long the sound in a frame lasts, in ticks; pictures last no time.
    fn ticks(self, frame: &[u8]) -> Result<u32, DecodeError> {
        match self {
            Self::Opus => opus::ticks(frame),
            Self::G711 | Self::G722 => samples::ticks(frame),
            Self::Vp8 | Self::H264 | Self::H264SingleNal | Self::Vp9 | Self::Av1 => Ok(0),
        }
    }

    /// Whether a decoder that has seen nothing can begin with this payload: any of sound, of pictures the first of a key frame.
    #[must_use]
    pub fn begins(self, payload: &[u8]) -> bool {
        match self {
            Self::Opus | Self::G711 | Self::G722 => true,
            Self::Vp8 => vp8::Descriptor::parse(payload)
                .is_ok_and(|(descriptor, frame)| descriptor.is_frame_start() && vp8::is_key_frame(frame)),
            Self::H264 | Self::H264SingleNal => h264::begins(payload),
            Self::Vp9 => vp9::Descriptor::parse(payload).is_ok_and(|(descriptor, frame)| {
                descriptor.is_start && descriptor.is_lowest() && vp9::is_key_frame(frame)
            }),
            Self::Av1 => av1::begins(payload),
        }
    }
}
