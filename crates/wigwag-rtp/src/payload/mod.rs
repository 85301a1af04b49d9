//! Payload formats: frames into packets, and back. They are functions of bytes; what keeps state counts frames.

pub mod opus;
pub mod vp8;

mod assembler;
mod frames;
mod packetizer;

pub use assembler::{Assembled, Assembler, AssemblerStats, ReceivedFrame};
pub use frames::{FrameEvent, FrameReceiver, FrameStats};
pub use packetizer::{Frame, Packetizer, Payloads};

/// What an encoder makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Format {
    /// Sound (RFC 7587).
    Opus,
    /// Pictures (RFC 7741).
    Vp8,
}

impl Format {
    /// Ticks of the RTP timestamp in a second.
    #[must_use]
    pub const fn clock_rate_hz(self) -> u32 {
        match self {
            Self::Opus => opus::CLOCK_RATE_HZ,
            Self::Vp8 => vp8::CLOCK_RATE_HZ,
        }
    }

    /// Whether a decoder that has seen nothing waits for a key frame.
    #[must_use]
    pub const fn has_key_frames(self) -> bool {
        match self {
            Self::Opus => false,
            Self::Vp8 => true,
        }
    }

    /// Whether a decoder that has seen nothing can begin with this payload: any of sound, of pictures the first of a key frame.
    #[must_use]
    pub fn begins(self, payload: &[u8]) -> bool {
        match self {
            Self::Opus => true,
            Self::Vp8 => vp8::Descriptor::parse(payload)
                .is_ok_and(|(descriptor, frame)| descriptor.is_frame_start() && vp8::is_key_frame(frame)),
        }
    }
}
