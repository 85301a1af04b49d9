//! Packets, in order, into frames.

use super::vp8::{self, Descriptor, PictureId};
use super::{Format, opus};
use crate::event::RtpPacket;
use crate::stats::Load;
use bytes::Bytes;

/// So long a frame is taken, in bytes: a key frame of 4K at the best quality is not.
const FRAME_LEN_MAX: usize = 8 << 20;
/// What a packet costs beside what it carries, or frames of single bytes would hold the memory of many.
const PART_OVERHEAD: usize = 64;

/// A whole frame.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReceivedFrame {
    /// 0 to 127.
    pub payload_type: u8,
    /// When it is to be played, in ticks of the payload type's clock.
    pub rtp_time: u32,
    /// Whether it needs no other frame; sound never does.
    pub is_key_frame: bool,
    /// Whether nothing was lost that it may refer to.
    pub is_decodable: bool,
    /// As the encoder made it.
    pub data: Bytes,
}

/// What a packet completed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Assembled {
    /// A frame is whole.
    Frame(ReceivedFrame),
    /// Frames are lost, or one is, for want of so many packets; of 0, if its packets contradict each other, or it has no end.
    Lost {
        /// Packets that did not come, or were not understood.
        packets: u64,
    },
}

/// What an assembler dropped, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AssemblerStats {
    /// Packets that came after one that follows them.
    pub dropped_late: u64,
    /// Packets that are not of the format.
    pub dropped_malformed: u64,
    /// Packets of frames whose beginning is missing.
    pub dropped_without_start: u64,
    /// Frames longer than is taken.
    pub dropped_too_long: u64,
}

/// Puts the packets of one stream together.
#[derive(Debug)]
pub struct Assembler {
    format: Format,
    frame_len_max: usize,
    next_sequence: Option<u64>,
    partial: Partial,
    /// Packets missing since the last whole frame; whether frames are lost with them, the next one tells.
    gap: u64,
    /// Of the last frame that was whole.
    last_picture_id: Option<PictureId>,
    needs_key_frame: bool,
    stats: AssemblerStats,
}

/// A frame of which more is to come.
#[derive(Debug, Default)]
struct Partial {
    parts: Vec<Bytes>,
    len: usize,
    payload_type: u8,
    timestamp: u32,
    picture_id: Option<PictureId>,
}

/// What one packet can cause, in order: the end of the frame before, or what is lost, and its own frame.
type Caused = [Option<Assembled>; 3];

impl Assembler {
    /// Before its first packet.
    #[must_use]
    pub fn new(format: Format) -> Self {
        Self {
            format,
            frame_len_max: FRAME_LEN_MAX,
            next_sequence: None,
            partial: Partial::default(),
            gap: 0,
            last_picture_id: None,
            // The first frame may refer to others.
            needs_key_frame: format != Format::Opus,
            stats: AssemblerStats::default(),
        }
    }

    /// Changes how long a frame may be, in bytes; 8 MiB otherwise.
    pub const fn set_frame_len_max(&mut self, frame_len_max: usize) {
        self.frame_len_max = frame_len_max;
    }

    /// What was dropped.
    #[must_use]
    pub const fn stats(&self) -> AssemblerStats {
        self.stats
    }

    /// Whether frames cannot be decoded until a key frame comes.
    #[must_use]
    pub const fn needs_key_frame(&self) -> bool {
        self.needs_key_frame
    }

    /// What the frames are.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Whether no frame waits for more packets.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.partial.parts.is_empty()
    }

    /// How much of a frame waits for more packets, in bytes with an overhead for each packet.
    #[must_use]
    pub const fn load(&self) -> Load {
        let held = self.partial.len.saturating_add(PART_OVERHEAD * self.partial.parts.len());
        Load { held, bound: self.frame_len_max.saturating_add(PART_OVERHEAD) }
    }

    /// No packet will come any more: a frame that is not whole will not be.
    pub fn end(&mut self) -> Option<Assembled> {
        self.abandon()
    }

    /// Takes a packet, with its sequence number continued beyond 16 bits; each after all before, or it is dropped.
    pub fn push(&mut self, extended_sequence: u64, packet: &RtpPacket) -> impl Iterator<Item = Assembled> + use<> {
        self.take(extended_sequence, packet).into_iter().flatten()
    }

    fn take(&mut self, sequence: u64, packet: &RtpPacket) -> Caused {
        let missing = match self.next_sequence {
            Some(next) if sequence < next => {
                self.stats.dropped_late += 1;
                return [None, None, None];
            }
            Some(next) => sequence - next,
            None => 0,
        };
        self.next_sequence = Some(sequence.saturating_add(1));
        self.gap = self.gap.saturating_add(missing);
        // Padding that probes the path counts as a packet and carries nothing.
        if packet.payload.is_empty() {
            return [None, None, None];
        }
        match self.format {
            Format::Opus => self.take_opus(packet),
            Format::Vp8 => self.take_vp8(packet, missing > 0),
        }
    }

    fn take_opus(&mut self, packet: &RtpPacket) -> Caused {
        if opus::ticks(&packet.payload).is_err() {
            self.stats.dropped_malformed += 1;
            self.gap = self.gap.saturating_add(1);
            return [None, None, None];
        }
        let frame = ReceivedFrame {
            payload_type: packet.payload_type,
            rtp_time: packet.timestamp,
            is_key_frame: true,
            is_decodable: true,
            data: packet.payload.clone(),
        };
        [self.lost(), Some(Assembled::Frame(frame)), None]
    }

    fn take_vp8(&mut self, packet: &RtpPacket, has_gap: bool) -> Caused {
        let Ok((descriptor, part)) = Descriptor::parse(&packet.payload) else {
            self.stats.dropped_malformed += 1;
            self.gap = self.gap.saturating_add(1);
            return [self.abandon(), None, None];
        };
        let before = if has_gap { self.abandon() } else { self.end_before(packet, &descriptor) };
        let lost = self.judge_gap(&descriptor);
        if self.partial.parts.is_empty() && !descriptor.is_frame_start() {
            self.stats.dropped_without_start += 1;
            return [before, lost, None];
        }
        let part = packet.payload.slice_ref(part);
        let own = self.append(packet, &descriptor, part);
        [before, lost, own]
    }

    /// A frame that goes on is over if another begins, even without its marker.
    fn end_before(&mut self, packet: &RtpPacket, descriptor: &Descriptor) -> Option<Assembled> {
        if self.partial.parts.is_empty() {
            None
        } else if descriptor.is_frame_start() {
            Some(self.finish())
        } else if self.partial.timestamp != packet.timestamp {
            self.abandon()
        } else {
            None
        }
    }

    /// Whether frames are lost with the packets that are missing: none, if the frames are numbered and go on. Padding may
    /// be lost, and nobody minds.
    fn judge_gap(&mut self, descriptor: &Descriptor) -> Option<Assembled> {
        if self.gap == 0 || !self.partial.parts.is_empty() || !descriptor.is_frame_start() {
            return None;
        }
        let follows = self.last_picture_id.is_some_and(|last| descriptor.picture_id == Some(last.next()));
        if follows && !self.needs_key_frame {
            self.gap = 0;
            return None;
        }
        self.needs_key_frame = true;
        self.lost()
    }

    fn append(&mut self, packet: &RtpPacket, descriptor: &Descriptor, part: Bytes) -> Option<Assembled> {
        let partial = &mut self.partial;
        if partial.parts.is_empty() {
            partial.payload_type = packet.payload_type;
            partial.timestamp = packet.timestamp;
            partial.picture_id = descriptor.picture_id;
        }
        partial.len = partial.len.saturating_add(part.len());
        if partial.len.saturating_add(PART_OVERHEAD * partial.parts.len()) > self.frame_len_max {
            self.stats.dropped_too_long += 1;
            return self.abandon();
        }
        partial.parts.push(part);
        packet.marker.then(|| self.finish())
    }

    /// The frame is whole.
    fn finish(&mut self) -> Assembled {
        let partial = &mut self.partial;
        let data = match partial.parts.as_slice() {
            [only] => only.clone(),
            parts => {
                let mut data = Vec::with_capacity(partial.len);
                parts.iter().for_each(|part| data.extend_from_slice(part));
                data.into()
            }
        };
        let is_key_frame = vp8::is_key_frame(&data);
        self.needs_key_frame &= !is_key_frame;
        self.last_picture_id = partial.picture_id;
        let frame = ReceivedFrame {
            payload_type: partial.payload_type,
            rtp_time: partial.timestamp,
            is_key_frame,
            is_decodable: !self.needs_key_frame,
            data,
        };
        partial.clear();
        Assembled::Frame(frame)
    }

    /// The frame will not be whole, if there is one.
    fn abandon(&mut self) -> Option<Assembled> {
        if self.partial.parts.is_empty() {
            return None;
        }
        self.partial.clear();
        self.needs_key_frame = true;
        self.last_picture_id = None;
        Some(Assembled::Lost { packets: std::mem::take(&mut self.gap) })
    }

    /// The packets that are missing are told.
    fn lost(&mut self) -> Option<Assembled> {
        let packets = std::mem::take(&mut self.gap);
        (packets > 0).then_some(Assembled::Lost { packets })
    }
}

impl Partial {
    fn clear(&mut self) {
        self.parts.clear();
        self.len = 0;
    }
}
