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
}
