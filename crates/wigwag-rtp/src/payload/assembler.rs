//! Packets, in order, into frames.

use super::Format;
use super::part::{self, Begins, Reading};
use super::partial::{Known, Need, PART_OVERHEAD, Partial};
use super::vp8::PictureId;
use crate::event::RtpPacket;
use crate::extension::AudioLevel;
use crate::stats::Load;
use bytes::Bytes;
use std::ops::RangeInclusive;
use std::time::Instant;

/// So long a frame is taken, in bytes: a key frame of 4K at the best quality is not.
const FRAME_LEN_MAX: usize = 8 << 20;

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
    /// When the first of its packets arrived.
    pub first_arrival: Instant,
    /// The numbers of its packets, continued beyond 16 bits, as in [`Received::extended_sequence`](crate::Received::extended_sequence).
    pub sequences: RangeInclusive<u64>,
    /// How loud its sender says that it is, of sound (RFC 6464).
    pub audio_level: Option<AudioLevel>,
    /// As the encoder made it; of H.264 with start codes of four bytes, of AV1 with the sizes of OBUs and without temporal delimiter.
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
    /// Packets are missing right before the next one.
    has_gap: bool,
    /// When the packet before is to be played, and whether it ended a frame. `None` if it is missing.
    before: Option<(u32, bool)>,
    partial: Partial,
    known: Known,
    /// Packets missing since the last whole frame; whether frames are lost with them, the next one tells.
    gap: u64,
    /// Of the last frame that was whole.
    last_picture_id: Option<PictureId>,
    needs_key_frame: bool,
    stats: AssemblerStats,
}

/// A packet, its place, and when it came.
#[derive(Clone, Copy)]
struct Came<'a> {
    sequence: u64,
    packet: &'a RtpPacket,
    arrival: Instant,
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
            has_gap: false,
            before: None,
            partial: Partial::default(),
            known: Known::default(),
            gap: 0,
            last_picture_id: None,
            // The first frame may refer to others.
            needs_key_frame: format.has_key_frames(),
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
        self.partial.is_empty()
    }

    /// How much of a frame waits for more packets, in bytes with an overhead for each packet.
    #[must_use]
    pub const fn load(&self) -> Load {
        Load { held: self.partial.charge(), bound: self.frame_len_max.saturating_add(PART_OVERHEAD) }
    }

    /// No packet will come any more: a frame that is not whole will not be.
    pub fn end(&mut self) -> Option<Assembled> {
        self.abandon()
    }

    /// Takes a packet, with its sequence number continued beyond 16 bits; each after all before, or it is dropped. `arrival`: when it came.
    pub fn push(
        &mut self,
        extended_sequence: u64,
        packet: &RtpPacket,
        arrival: Instant,
    ) -> impl Iterator<Item = Assembled> + use<> {
        self.take(Came { sequence: extended_sequence, packet, arrival }).into_iter().flatten()
    }

    fn take(&mut self, came: Came<'_>) -> Caused {
        let Came { sequence, packet, .. } = came;
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
        self.has_gap |= missing > 0;
        // What carries nothing counts as a packet all the same.
        if part::is_nothing(self.format, &packet.payload) {
            return [None, None, None];
        }
        let has_gap = std::mem::take(&mut self.has_gap);
        if self.format.has_key_frames() { self.take_picture(came, has_gap) } else { self.take_sound(came) }
    }

    fn take_sound(&mut self, came: Came<'_>) -> Caused {
        let Came { sequence, packet, arrival } = came;
        if self.format.ticks(&packet.payload).is_err() {
            self.stats.dropped_malformed += 1;
            self.gap = self.gap.saturating_add(1);
            return [None, None, None];
        }
        let frame = ReceivedFrame {
            payload_type: packet.payload_type,
            rtp_time: packet.timestamp,
            is_key_frame: true,
            is_decodable: true,
            first_arrival: arrival,
            sequences: sequence..=sequence,
            audio_level: packet.audio_level,
            data: packet.payload.clone(),
        };
        [self.lost(), Some(Assembled::Frame(frame)), None]
    }

    fn take_picture(&mut self, came: Came<'_>, has_gap: bool) -> Caused {
        let packet = came.packet;
        let before = self.before.replace((packet.timestamp, packet.marker)).filter(|_| !has_gap);
        let Ok(reading) = part::read(self.format, &packet.payload) else { return [self.malformed(), None, None] };
        let ended = if has_gap { self.abandon() } else { self.end_before(packet, &reading) };
        let begins = match reading.begins {
            Begins::No => false,
            Begins::Perhaps => before.is_some_and(|(timestamp, marker)| marker || timestamp != packet.timestamp),
            Begins::Likely | Begins::Surely => true,
        };
        let lost = self.judge_gap(begins, reading.number);
        if self.partial.is_empty() && !begins {
            return [ended, self.without_start(), None];
        }
        let own =
            if self.partial.is_open == reading.continues { self.append(came, &reading) } else { self.malformed() };
        [ended, lost, own]
    }

    /// A packet of a frame that will not be whole. If none is missing that would tell so, it is told here.
    fn without_start(&mut self) -> Option<Assembled> {
        self.stats.dropped_without_start += 1;
        self.last_picture_id = None;
        let is_news = !std::mem::replace(&mut self.needs_key_frame, true) && self.gap == 0;
        is_news.then_some(Assembled::Lost { packets: 0 })
    }

    /// A packet that is not understood is one that did not come, but for its marker.
    fn malformed(&mut self) -> Option<Assembled> {
        self.stats.dropped_malformed += 1;
        self.gap = self.gap.saturating_add(1);
        self.abandon()
    }

    /// A frame that goes on is over if another begins, even without its marker.
    fn end_before(&mut self, packet: &RtpPacket, reading: &Reading) -> Option<Assembled> {
        if self.partial.is_empty() {
            return None;
        }
        let is_over = match reading.begins {
            Begins::Surely => true,
            Begins::Perhaps | Begins::Likely | Begins::No => self.partial.timestamp != packet.timestamp,
        };
        match reading.begins {
            _ if !is_over => None,
            Begins::No => self.abandon(),
            Begins::Perhaps | Begins::Likely | Begins::Surely => self.finish(),
        }
    }

    /// Whether frames are lost with the packets that are missing: none, if the frames are numbered and go on. Padding may
    /// be lost, and nobody minds.
    fn judge_gap(&mut self, begins: bool, number: Option<PictureId>) -> Option<Assembled> {
        if self.gap == 0 || !self.partial.is_empty() || !begins {
            return None;
        }
        // So many packets may be as many frames, after which the numbers are the same again.
        let follows =
            self.last_picture_id.is_some_and(|last| number == Some(last.next()) && self.gap < u64::from(last.count()));
        if follows && !self.needs_key_frame {
            self.gap = 0;
            return None;
        }
        self.needs_key_frame = true;
        self.lost()
    }

    fn append(&mut self, came: Came<'_>, reading: &Reading) -> Option<Assembled> {
        let Came { sequence, packet, arrival } = came;
        let (partial, format) = (&mut self.partial, self.format);
        if partial.parts.is_empty() {
            partial.payload_type = packet.payload_type;
            partial.timestamp = packet.timestamp;
            partial.number = reading.number;
        }
        partial.is_open = reading.leaves_open;
        partial.reach(sequence, arrival);
        part::pieces(format, &packet.payload, |piece| partial.push(format, piece));
        partial.payloads_len = partial.payloads_len.saturating_add(packet.payload.len());
        if partial.charge() > self.frame_len_max {
            self.stats.dropped_too_long += 1;
            return self.abandon();
        }
        if packet.marker { self.finish() } else { None }
    }

    /// The frame is whole, or its packets contradict each other.
    fn finish(&mut self) -> Option<Assembled> {
        let whole = Some(&self.partial).filter(|partial| !partial.is_open);
        let whole = whole.and_then(|partial| partial.join(self.format).zip(partial.span.clone()));
        let Some((data, (sequences, first_arrival))) = whole else { return self.malformed() };
        let need = self.known.take(self.format, &self.partial, &data);
        let is_key_frame = need == Need::Key;
        self.needs_key_frame &= !is_key_frame;
        self.last_picture_id = self.partial.number;
        let frame = ReceivedFrame {
            payload_type: self.partial.payload_type,
            rtp_time: self.partial.timestamp,
            is_key_frame,
            is_decodable: !self.needs_key_frame || need == Need::Nothing,
            first_arrival,
            sequences,
            audio_level: None,
            data,
        };
        self.partial.clear();
        Some(Assembled::Frame(frame))
    }

    /// The frame will not be whole, if there is one.
    fn abandon(&mut self) -> Option<Assembled> {
        if self.partial.is_empty() {
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
