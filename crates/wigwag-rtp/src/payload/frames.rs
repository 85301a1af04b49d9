//! Packets as they arrive, into frames when they are to be played: a jitter buffer and an assembler.
//!
//! It has the calls of every machine: [`insert`](FrameReceiver::insert) is its input, and what it wants sent, a request
//! for a key frame, is an event.

use super::{Assembled, Assembler, AssemblerStats, Format, ReceivedFrame};
use crate::stats::Load;
use crate::stream::jitter_buffer::{JitterBuffer, JitterConfig, JitterStats, OrderedPacket};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use wigwag_sansio::Monotonic;

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

/// What a [`FrameReceiver`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FrameStats {
    /// Frames told.
    pub frames: u64,
    /// Of these, key frames; of sound all are.
    pub key_frames: u64,
    /// How often frames were told to be lost.
    pub gaps: u64,
    /// How long frames were in the buffer, from the arrival of their first packet on, all together; of sound, each frame
    /// counts as often as it has samples.
    pub delay_total: Duration,
    /// How many frames, or samples of sound, that was.
    pub delay_units: u64,
    /// How long they were to be in the buffer, all together, by the delay that was aimed at when they left it.
    pub target_delay_total: Duration,
    /// How long a packet that comes as fast as the fastest waits now.
    pub delay: Duration,
    /// How many packets wait now.
    pub packets_waiting: usize,
    /// What the jitter buffer did.
    pub jitter: JitterStats,
    /// What was dropped when packets were put together.
    pub assembler: AssemblerStats,
}

/// The frames of one stream that arrives.
#[derive(Debug)]
pub struct FrameReceiver {
    now: Monotonic,
    buffer: JitterBuffer,
    assembler: Assembler,
    /// What one packet caused: four events at most.
    events: VecDeque<FrameEvent>,
    /// How long the first packet of the frame that is being put together was in the buffer, and when it left it.
    first: Option<(Duration, Instant)>,
    key_frame_asked: Option<Instant>,
    stats: FrameStats,
}

impl FrameReceiver {
    /// Before its first packet.
    #[must_use]
    pub fn new(format: Format, config: JitterConfig) -> Self {
        Self {
            now: Monotonic::default(),
            buffer: JitterBuffer::new(config),
            assembler: Assembler::new(format),
            events: VecDeque::new(),
            first: None,
            key_frame_asked: None,
            stats: FrameStats::default(),
        }
    }

    /// A packet arrived.
    pub fn insert(&mut self, packet: OrderedPacket, now: Instant) {
        let now = self.now.advance(now);
        self.buffer.insert(packet, now);
    }

    /// Time has passed: what became due is told.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.now.advance(now);
        self.buffer.handle_timeout(now);
        self.assemble();
    }

    /// What is to be told now, if anything is.
    pub fn poll_event(&mut self) -> Option<FrameEvent> {
        self.assemble();
        self.events.pop_front()
    }

    /// When to call again: at `now` if anything is to be told.
    #[must_use]
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        if self.events.is_empty() { self.buffer.poll_timeout(now) } else { Some(self.now.latest(now)) }
    }

    /// No packet will come any more: a frame that is not whole will not be.
    pub fn end(&mut self) {
        self.events.extend(self.assembler.end().map(told));
    }

    /// See [`JitterBuffer::set_delay_min`].
    pub fn set_delay_min(&mut self, delay_min: Duration) {
        self.buffer.set_delay_min(delay_min);
    }

    /// See [`JitterBuffer::set_gap_wait`].
    pub const fn set_gap_wait(&mut self, gap_wait: Duration) {
        self.buffer.set_gap_wait(gap_wait);
    }

    /// What was done so far.
    #[must_use]
    pub fn stats(&self) -> FrameStats {
        FrameStats {
            delay: self.buffer.delay(),
            packets_waiting: self.buffer.len(),
            jitter: self.buffer.stats(),
            assembler: self.assembler.stats(),
            ..self.stats
        }
    }

    /// How full it is: the jitter buffer or the frame that is being put together, whichever is nearer to its limit.
    #[must_use]
    pub fn load(&self) -> Load {
        self.buffer.load().fuller(self.assembler.load())
    }

    /// Takes packets that are due, until there is something to tell.
    fn assemble(&mut self) {
        while self.events.is_empty()
            && let Some((ordered, arrival)) = self.buffer.release()
            && let Some(now) = self.now.seen()
        {
            let waited = now.saturating_duration_since(arrival);
            let first = *self.first.get_or_insert((waited, now));
            let before = self.assembler.stats().dropped_without_start;
            for assembled in self.assembler.push(ordered.extended_sequence, &ordered.packet, arrival) {
                self.count(&assembled, first, now);
                self.events.push_back(told(assembled));
            }
            if self.assembler.is_empty() {
                self.first = None;
            } else if !self.events.is_empty() {
                // The packet ended the frame before, and begins its own.
                self.first = Some((waited, now));
            }
            // The first packets of a frame tell nothing yet: it may be a key frame.
            if !self.events.is_empty() || self.assembler.stats().dropped_without_start > before {
                self.ask(now);
            }
        }
    }

    fn count(&mut self, assembled: &Assembled, (waited, released): (Duration, Instant), now: Instant) {
        let Assembled::Frame(frame) = assembled else {
            self.stats.gaps += 1;
            return;
        };
        let format = self.assembler.format();
        let units = if format.has_key_frames() { 1 } else { format.ticks(&frame.data).unwrap_or(0) };
        let delay = waited.saturating_add(now.saturating_duration_since(released));
        self.stats.frames += 1;
        self.stats.key_frames += u64::from(frame.is_key_frame);
        self.stats.delay_total = self.stats.delay_total.saturating_add(delay.saturating_mul(units));
        self.stats.delay_units += u64::from(units);
        let target = self.buffer.delay().saturating_mul(units);
        self.stats.target_delay_total = self.stats.target_delay_total.saturating_add(target);
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
}

fn told(assembled: Assembled) -> FrameEvent {
    match assembled {
        Assembled::Frame(frame) => FrameEvent::Frame(frame),
        Assembled::Lost { packets } => FrameEvent::Lost { packets },
    }
}
