//! Packets as they arrive, into frames when they are to be played: a jitter buffer and an assembler.

use super::{Assembled, Assembler, AssemblerStats, Format, ReceivedFrame};
use crate::stream::jitter_buffer::{JitterBuffer, JitterConfig, JitterStats, OrderedPacket};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// That a key frame is needed is told again if none came within that time.
const KEY_FRAME_INTERVAL: Duration = Duration::from_millis(500);

/// What a stream of frames tells.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameEvent {
    /// It is time to play this frame.
    Frame(ReceivedFrame),
    /// Frames are lost before the next one, with so many packets.
    Lost {
        /// As in [`Assembled::Lost`].
        packets: u64,
    },
    /// Nothing can be decoded until a key frame comes: ask for one
    /// ([`Session::request_key_frame`](crate::Session::request_key_frame)).
    KeyFrameNeeded,
}

/// The frames of one stream that arrives.
#[derive(Debug)]
pub struct FrameReceiver {
    buffer: JitterBuffer,
    assembler: Assembler,
    /// What one packet caused: four events at most.
    events: VecDeque<FrameEvent>,
    key_frame_asked: Option<Instant>,
}

impl FrameReceiver {
    /// Before its first packet.
    #[must_use]
    pub fn new(format: Format, config: JitterConfig) -> Self {
        Self {
            buffer: JitterBuffer::new(config),
            assembler: Assembler::new(format),
            events: VecDeque::new(),
            key_frame_asked: None,
        }
    }

    /// A packet arrived.
    pub fn insert(&mut self, packet: OrderedPacket, now: Instant) {
        self.buffer.insert(packet, now);
    }

    /// What is to be told now, if anything is.
    pub fn poll(&mut self, now: Instant) -> Option<FrameEvent> {
        while self.events.is_empty() {
            let ordered = self.buffer.poll(now)?;
            let before = self.assembler.stats().dropped_without_start;
            let assembled = self.assembler.push(ordered.extended_sequence, &ordered.packet);
            self.events.extend(assembled.map(|assembled| match assembled {
                Assembled::Frame(frame) => FrameEvent::Frame(frame),
                Assembled::Lost { packets } => FrameEvent::Lost { packets },
            }));
            // The first packets of a frame tell nothing yet: it may be a key frame.
            if !self.events.is_empty() || self.assembler.stats().dropped_without_start > before {
                self.ask(now);
            }
        }
        self.events.pop_front()
    }

    /// A key frame is needed, and is not on its way as far as anybody knows.
    fn ask(&mut self, now: Instant) {
        if !self.assembler.needs_key_frame() {
            self.key_frame_asked = None;
        } else if self.key_frame_asked.is_none_or(|asked| now.saturating_duration_since(asked) >= KEY_FRAME_INTERVAL) {
            self.key_frame_asked = Some(now);
            self.events.push_back(FrameEvent::KeyFrameNeeded);
        }
    }

    /// When to poll again.
    #[must_use]
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        if self.events.is_empty() { self.buffer.poll_timeout(now) } else { Some(now) }
    }

    /// How long a packet that comes as fast as the fastest waits now.
    #[must_use]
    pub fn delay(&self) -> Duration {
        self.buffer.delay()
    }

    /// What the jitter buffer did.
    #[must_use]
    pub const fn jitter_stats(&self) -> JitterStats {
        self.buffer.stats()
    }

    /// What was dropped when packets were put together.
    #[must_use]
    pub const fn assembler_stats(&self) -> AssemblerStats {
        self.assembler.stats()
    }
}
