//! A stream of ours that carries those of others, one at a time (RFC 7667 §3.6.2, §3.7): its numbers and its time go on when
//! another source takes the place of the one before, or the same one after a pause.

use crate::event::{Received, RtpPacket};
use crate::payload::Format;
use crate::payload::numbers::PictureNumbers;
use crate::stream::pictures::{Numbers, Pictures};
use crate::stream::sequence::LATE_MAX;
use crate::time::ticks;
use std::time::Instant;

/// A source whose numbers leap further begins anew (RFC 3550 A.1, `MAX_DROPOUT`).
const LEAP_MAX: u64 = 3000;

/// What is forwarded now, and how far it has come.
#[derive(Debug, Default)]
pub(crate) struct Forwarding {
    source: Option<Source>,
    /// Of the packet that came furthest, as it leaves.
    last: Option<(u32, Instant)>,
    /// Packets were left out that a decoder needs: the source goes on where a decoder can begin.
    is_cut: bool,
    /// Those of the source that were left out one by one, if any were.
    left_out: Option<Box<LeftOut>>,
    pictures: Pictures,
}

/// Numbers of the source that ours close up.
#[derive(Debug)]
struct LeftOut {
    /// How many of them there are up to the furthest of the source.
    total: u16,
    /// Which of the last they are, by number modulo their count.
    last: [u64; LAST / 64],
}

/// As many as may come late.
const LAST: usize = (LATE_MAX as usize).next_multiple_of(64);

impl LeftOut {
    const NONE: Self = Self { total: 0, last: [0; LAST / 64] };

    fn has(&self, sequence: u64) -> bool {
        let (word, bit) = place_of(sequence);
        self.last.get(word).is_some_and(|word| word & bit != 0)
    }

    fn set(&mut self, sequence: u64, is_left_out: bool) {
        let (word, bit) = place_of(sequence);
        if let Some(word) = self.last.get_mut(word) {
            *word = if is_left_out { *word | bit } else { *word & !bit };
        }
    }

    /// How many were left out before this one, modulo 2¹⁶.
    fn before(&self, sequence: u64, furthest: u64) -> u16 {
        // What is behind it is among the last, or nothing of it is known.
        let behind = (sequence + 1..=furthest).take(LAST).filter(|sequence| self.has(*sequence)).count();
        self.total.wrapping_sub(behind as u16)
    }
}

/// Its word, and its bit in there.
const fn place_of(sequence: u64) -> (usize, u64) {
    ((sequence % LAST as u64 / 64) as usize, 1 << (sequence % 64))
}

#[derive(Clone, Copy, Debug)]
struct Source {
    ssrc: u32,
    /// What it was begun with, and how far it has come.
    first: u64,
    furthest: u64,
    /// From its numbers to ours.
    sequence_offset: u16,
    timestamp_offset: u32,
}

/// How a packet leaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed {
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    /// Whether it comes behind all others.
    pub(crate) is_ahead: bool,
    /// Whether its source begins, or goes on after a cut.
    begins: bool,
    theirs: u64,
    arrival: Instant,
    source: Source,
    numbers: Numbers,
    pictures: Pictures,
}

/// Why a packet is not forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It belongs before what was begun with, or before what was left out.
    Late,
    /// Nothing that came yet could be decoded.
    KeyFrameNeeded,
}

impl Placed {
    /// Gives a copy of the packet the numbers and the time with which it leaves.
    pub(crate) fn renumber(&mut self, packet: &mut RtpPacket) {
        (packet.sequence, packet.timestamp) = (Some(self.sequence), self.timestamp);
        self.pictures.place(self.numbers, packet);
    }
}

impl Forwarding {
    /// How a packet leaves. `format`: what its payload is, if a decoder has to begin at the beginning; `next`: the number behind all of ours.
    pub(crate) fn place(
        &self,
        received: &Received,
        format: Option<Format>,
        next: u16,
        clock_rate_hz: u32,
    ) -> Result<Placed, Refused> {
        let payload = &received.packet.payload;
        let begins = || format.is_none_or(|format| format.begins(payload));
        let sequence = received.extended_sequence;
        // No session tells of what is further behind: that is another one's, though it may have the same source's number.
        let is_same = |source: &Source| {
            source.ssrc == received.ssrc
                && sequence + LATE_MAX > source.furthest
                && sequence <= source.furthest + LEAP_MAX
        };
        let same = self.source.filter(is_same);
        if same.is_some_and(|source| sequence < source.first || (self.is_cut && sequence <= source.furthest)) {
            return Err(Refused::Late);
        }
        let is_ahead = same.is_none_or(|source| sequence > source.furthest);
        if !is_ahead && self.left_out.as_ref().is_some_and(|left_out| left_out.has(sequence)) {
            return Err(Refused::Late);
        }
        let timestamp = received.packet.timestamp;
        let source = match same {
            Some(source) if !self.is_cut => Source { furthest: source.furthest.max(sequence), ..source },
            _ if !begins() => return Err(Refused::KeyFrameNeeded),
            same => Source {
                ssrc: received.ssrc,
                first: sequence,
                furthest: sequence,
                sequence_offset: next.wrapping_sub(sequence as u16),
                timestamp_offset: same.map_or_else(
                    || self.next_timestamp(received, clock_rate_hz).wrapping_sub(timestamp),
                    |source| source.timestamp_offset,
                ),
            },
        };
        let of_payload = format.map_or_else(PictureNumbers::default, |format| PictureNumbers::of(format, payload));
        let (numbers, mut pictures) = (Numbers::of(&received.packet, of_payload), self.pictures);
        if same.is_none() {
            pictures.begin();
        }
        let goes_on = same.is_some() && !self.is_cut;
        let left_out = self.left_out.as_ref().filter(|_| goes_on);
        let closed_up = left_out.map_or(0, |left_out| left_out.before(sequence, source.furthest));
        Ok(Placed {
            sequence: (sequence as u16).wrapping_add(source.sequence_offset).wrapping_sub(closed_up),
            is_ahead: is_ahead || !goes_on,
            begins: !goes_on,
            theirs: sequence,
            timestamp: timestamp.wrapping_add(source.timestamp_offset),
            arrival: received.arrival,
            source,
            numbers,
            pictures,
        })
    }

    /// That of a packet of another source: as much later as it came later.
    fn next_timestamp(&self, received: &Received, clock_rate_hz: u32) -> u32 {
        self.last.map_or(received.packet.timestamp, |(timestamp, arrival)| {
            let passed = received.arrival.saturating_duration_since(arrival);
            timestamp.wrapping_add(ticks(passed, clock_rate_hz).max(1))
        })
    }

    /// It leaves so.
    pub(crate) fn advance(&mut self, placed: Placed) {
        let Placed { timestamp, arrival, source, pictures, .. } = placed;
        self.pictures = pictures;
        if let Some(left_out) = self.left_out.as_mut() {
            match self.source.filter(|_| !placed.begins) {
                Some(before) => {
                    let new = source.furthest.saturating_sub(LAST as u64).max(before.furthest) + 1..=source.furthest;
                    new.for_each(|sequence| left_out.set(sequence, false));
                }
                None => **left_out = LeftOut::NONE,
            }
        }
        let has_advanced = placed.begins || self.source.is_none_or(|before| before.furthest < source.furthest);
        if has_advanced {
            self.last = Some((timestamp, arrival));
        }
        (self.source, self.is_cut) = (Some(source), false);
    }

    /// It does not leave, and those behind it close up.
    pub(crate) fn leave_out(&mut self, placed: Placed) {
        let sequence = placed.theirs;
        self.advance(placed);
        let left_out = self.left_out.get_or_insert_with(|| Box::new(LeftOut::NONE));
        left_out.set(sequence, true);
        left_out.total = left_out.total.wrapping_add(1);
    }

    /// A packet was left out.
    pub(crate) const fn cut(&mut self) {
        self.is_cut = true;
    }
}
