//! Packets that wait to be sent, and those that the peer asked for again.

use crate::config::Kind;
use crate::event::{RtpPacket, SenderId};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// So many packets may be owed again; what more the peer asks for is unanswered.
const RESENDS_MAX: usize = 1024;
/// So many where they leave at a pace: what could not leave for long is not missed any more, or will be asked for once more.
const PACED_RESENDS_MAX: usize = 128;
/// What was last asked for so long ago, nobody waits for any more.
pub(super) const RESEND_AGE_MAX: Duration = Duration::from_secs(1);
/// So many find room when a first one is asked for.
const RESENDS_EXPECTED: usize = 16;
/// What a packet costs beside its payload, or empty ones would be free.
const PACKET_OVERHEAD: usize = 128;

/// What a packet is charged for.
pub(super) fn charge(packet: &RtpPacket) -> usize {
    charge_of(1, packet.held_len())
}

/// What so many packets with so many bytes of payload are charged for.
pub(super) const fn charge_of(packets: usize, payload_bytes: usize) -> usize {
    packets.saturating_mul(PACKET_OVERHEAD).saturating_add(payload_bytes)
}

/// Packets that wait to be sent.
#[derive(Debug, Default)]
pub(super) struct Queue {
    audio: VecDeque<Waiting>,
    video: VecDeque<Waiting>,
    /// How many at the end of each were handed in since the time was last told.
    new: [usize; 2],
    /// Of the payloads of `video`.
    video_bytes: usize,
    resends: VecDeque<Resend>,
    /// Whether the last packet that left at a pace was one that is sent again.
    was_resend: bool,
}

/// A packet that the peer asked for.
#[derive(Clone, Copy, Debug)]
struct Resend {
    sender: SenderId,
    sequence: u16,
    since: Instant,
}

/// A packet that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) sender: SenderId,
    pub(super) packet: RtpPacket,
    /// The latest time that was known when it was handed in.
    since: Option<Instant>,
    /// When it was heard or seen: when it came, or the first time that was told since it was handed in. Whoever hands it in polls soon, but
    /// how long nothing was told before, nobody knows.
    pub(super) made: Option<Instant>,
}

/// Which packets are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    All,
    /// What leaves at once.
    Audio,
    /// What leaves at a pace.
    Paced,
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Fresh(Kind),
    Resend(SenderId, u16),
}

impl Waiting {
    /// `made`: when it was heard or seen, if that is known.
    pub(super) const fn new(
        sender: SenderId,
        packet: RtpPacket,
        since: Option<Instant>,
        made: Option<Instant>,
    ) -> Self {
        Self { sender, packet, since, made }
    }
}

impl Queue {
    /// Makes room for what the peer will ask for.
    pub(super) fn prepare(&mut self) {
        self.resends.reserve(RESENDS_EXPECTED);
    }

    /// How many wait to be sent for the first time.
    pub(super) fn len(&self) -> usize {
        self.audio.len() + self.video.len()
    }

    /// Whether something is in this lane.
    pub(super) fn has(&self, lane: Lane) -> bool {
        self.turn(lane).is_some()
    }

    pub(super) fn push(&mut self, kind: Kind, waiting: Waiting) {
        if kind == Kind::Video {
            self.video_bytes += waiting.packet.payload.len();
        }
        let [audio, video] = &mut self.new;
        *(if kind == Kind::Audio { audio } else { video }) += 1;
        self.of(kind).push_back(waiting);
    }

    /// The time is told: what was handed in since the last time was made about now.
    pub(super) fn advance(&mut self, now: Instant) {
        for (waiting, new) in [&mut self.audio, &mut self.video].into_iter().zip(&mut self.new) {
            let new = waiting.iter_mut().rev().take(std::mem::take(new));
            new.for_each(|waiting| _ = waiting.made.get_or_insert(now));
        }
    }

    /// What waits in the paced lane: packets to be sent again, others, the bytes of their payloads, and since when the first one of either does.
    pub(super) fn paced(&self) -> (usize, usize, usize, Option<Instant>) {
        let fresh = self.video.front().and_then(|waiting| waiting.since);
        let oldest = fresh.into_iter().chain(self.resends.front().map(|resend| resend.since)).min();
        (self.resends.len(), self.video.len(), self.video_bytes, oldest)
    }

    /// Whether there is room for it.
    pub(super) fn push_resend(&mut self, sender: SenderId, sequence: u16, is_paced: bool, now: Instant) -> bool {
        let has_room = self.resends.len() < if is_paced { PACED_RESENDS_MAX } else { RESENDS_MAX };
        if has_room {
            self.resends.push_back(Resend { sender, sequence, since: now });
        }
        has_room
    }

    /// How many requests for packets wait, and may.
    pub(super) fn resends(&self) -> (usize, usize) {
        (self.resends.len(), RESENDS_MAX)
    }

    /// Whose turn it is: audio is small and cannot wait; what the peer misses it waits for already.
    pub(super) fn turn(&self, lane: Lane) -> Option<Turn> {
        let audio = self.audio.front().filter(|_| lane != Lane::Paced).map(|_| Turn::Fresh(Kind::Audio));
        if audio.is_some() || lane == Lane::Audio {
            return audio;
        }
        // At a pace both take turns: of a path that loses much, what is new gets its half.
        let is_turn_of_fresh = lane == Lane::Paced && self.was_resend && !self.video.is_empty();
        match (self.resends.front().filter(|_| !is_turn_of_fresh), self.video.front()) {
            (Some(resend), _) => Some(Turn::Resend(resend.sender, resend.sequence)),
            (None, Some(_)) => Some(Turn::Fresh(Kind::Video)),
            (None, None) => None,
        }
    }

    pub(super) fn front(&self, kind: Kind) -> Option<&Waiting> {
        match kind {
            Kind::Audio => self.audio.front(),
            Kind::Video => self.video.front(),
        }
    }

    pub(super) fn pop(&mut self, kind: Kind) -> Option<Waiting> {
        let waiting = self.of(kind).pop_front()?;
        if kind == Kind::Video {
            self.video_bytes -= waiting.packet.payload.len();
            self.was_resend = false;
        }
        Some(waiting)
    }

    /// The first to be sent again, if it has waited for too long.
    pub(super) fn stale_resend(&self, now: Instant) -> Option<(SenderId, u16)> {
        let is_stale = |resend: &&Resend| now.saturating_duration_since(resend.since) > RESEND_AGE_MAX;
        self.resends.front().filter(is_stale).map(|resend| (resend.sender, resend.sequence))
    }

    /// It waits no longer.
    pub(super) fn discard_resend(&mut self) {
        self.resends.pop_front();
    }

    pub(super) fn pop_resend(&mut self) {
        self.resends.pop_front();
        self.was_resend = true;
    }

    /// The sender is gone.
    pub(super) fn remove(&mut self, sender: SenderId) {
        self.audio.retain(|waiting| waiting.sender != sender);
        self.video.retain(|waiting| waiting.sender != sender);
        self.video_bytes = self.video.iter().map(|waiting| waiting.packet.payload.len()).sum();
        self.resends.retain(|resend| resend.sender != sender);
    }

    const fn of(&mut self, kind: Kind) -> &mut VecDeque<Waiting> {
        match kind {
            Kind::Audio => &mut self.audio,
            Kind::Video => &mut self.video,
        }
    }
}
