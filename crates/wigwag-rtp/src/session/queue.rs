//! Packets that wait to be sent, and those that the peer asked for again.

use crate::config::Kind;
use crate::event::{RtpPacket, SenderId};
use std::collections::VecDeque;

/// So many packets may be owed again; what more the peer asks for is unanswered.
const RESENDS_MAX: usize = 1024;
/// So many find room when a first one is asked for.
const RESENDS_EXPECTED: usize = 16;
/// What a packet costs beside its payload, or empty ones would be free.
const PACKET_OVERHEAD: usize = 128;

/// What a packet is charged for.
pub(super) fn charge(packet: &RtpPacket) -> usize {
    charge_of(1, packet.payload.len())
}

/// What so many packets with so many bytes of payload are charged for.
pub(super) const fn charge_of(packets: usize, payload_bytes: usize) -> usize {
    packets.saturating_mul(PACKET_OVERHEAD).saturating_add(payload_bytes)
}

/// Packets that wait to be sent.
#[derive(Debug, Default)]
pub(super) struct Queue {
    audio: VecDeque<(SenderId, RtpPacket)>,
    video: VecDeque<(SenderId, RtpPacket)>,
    resends: VecDeque<(SenderId, u16)>,
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Fresh(Kind),
    Resend(SenderId, u16),
}

impl Queue {
    /// Makes room for what the peer will ask for.
    pub(super) fn prepare(&mut self) {
        self.resends.reserve(RESENDS_EXPECTED);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.audio.is_empty() && self.video.is_empty() && self.resends.is_empty()
    }

    /// How many wait to be sent for the first time.
    pub(super) fn len(&self) -> usize {
        self.audio.len() + self.video.len()
    }

    pub(super) fn push(&mut self, sender: SenderId, kind: Kind, packet: RtpPacket) {
        self.of(kind).push_back((sender, packet));
    }

    /// Whether there is room for it.
    pub(super) fn push_resend(&mut self, sender: SenderId, sequence: u16) -> bool {
        let has_room = self.resends.len() < RESENDS_MAX;
        if has_room {
            self.resends.push_back((sender, sequence));
        }
        has_room
    }

    /// How many requests for packets wait, and may.
    pub(super) fn resends(&self) -> (usize, usize) {
        (self.resends.len(), RESENDS_MAX)
    }

    /// Whose turn it is: audio is small and cannot wait; what the peer misses it waits for already.
    pub(super) fn turn(&self) -> Option<Turn> {
        match (self.audio.front(), self.resends.front(), self.video.front()) {
            (Some(_), _, _) => Some(Turn::Fresh(Kind::Audio)),
            (None, Some((sender, sequence)), _) => Some(Turn::Resend(*sender, *sequence)),
            (None, None, Some(_)) => Some(Turn::Fresh(Kind::Video)),
            (None, None, None) => None,
        }
    }

    pub(super) fn front(&self, kind: Kind) -> Option<&(SenderId, RtpPacket)> {
        match kind {
            Kind::Audio => self.audio.front(),
            Kind::Video => self.video.front(),
        }
    }

    pub(super) fn pop(&mut self, kind: Kind) -> Option<(SenderId, RtpPacket)> {
        self.of(kind).pop_front()
    }

    pub(super) fn pop_resend(&mut self) {
        self.resends.pop_front();
    }

    /// The sender is gone.
    pub(super) fn remove(&mut self, sender: SenderId) {
        self.audio.retain(|(queued, _)| *queued != sender);
        self.video.retain(|(queued, _)| *queued != sender);
        self.resends.retain(|(queued, _)| *queued != sender);
    }

    const fn of(&mut self, kind: Kind) -> &mut VecDeque<(SenderId, RtpPacket)> {
        match kind {
            Kind::Audio => &mut self.audio,
            Kind::Video => &mut self.video,
        }
    }
}
