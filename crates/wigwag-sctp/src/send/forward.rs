//! Telling the peer not to wait for what was given up (RFC 3758 §3.5).

use super::outstanding::{ChunkState, Format, Outstanding};
use super::retransmit::Transmission;
use crate::chunk::{FORWARD_TSN_HEADER_LEN, I_SKIP_LEN, SKIP_LEN, Skip, write_forward_tsn, write_i_forward_tsn};
use crate::map::Map;
use crate::migration::state;
use crate::serial::Tsn;
use std::time::Instant;

/// The last message that is skipped of each stream, ordered ones apart from others.
pub(crate) type Skips = Map<(u16, bool), u32>;

/// Whether a FORWARD TSN is owed.
#[derive(Debug, Default)]
pub(crate) enum Forward {
    /// Nothing is abandoned at the front, as far as is known.
    #[default]
    Idle,
    Owed,
    Sent {
        at: Instant,
        up_to: Tsn,
    },
}

state!(enum Forward { 0: Idle, 1: Owed, 2: Sent { at, up_to } });

impl Outstanding {
    fn is_abandoned(&self, tsn: Tsn) -> bool {
        self.get(tsn).is_some_and(|chunk| chunk.state == ChunkState::Abandoned)
    }

    /// How far the abandoned chunks at the front reach, but not across `barrier`, and no further than `room` tells of; `skips`
    /// becomes what they were. DATA tells nothing of unordered ones.
    fn abandoned(&self, barrier: Option<Tsn>, room: usize, skips: &mut Skips) -> Tsn {
        let (skip_len, tells_unordered) = match self.format() {
            Format::Data => (SKIP_LEN, false),
            Format::Interleaved => (I_SKIP_LEN, true),
        };
        skips.clear();
        let mut up_to = self.cumulative();
        for (tsn, chunk) in self.iter().take_while(|(_, chunk)| chunk.state == ChunkState::Abandoned) {
            if chunk.is_ordered() || tells_unordered {
                let key = (chunk.stream, !chunk.is_ordered());
                let known = skips.get(&key).copied();
                if known.is_none() && FORWARD_TSN_HEADER_LEN + (skips.len() + 1) * skip_len > room {
                    break;
                }
                // Fragments of several messages may be mixed: the last one counts.
                if known.is_none_or(|mid| chunk.mid.wrapping_sub(mid).cast_signed() > 0) {
                    skips.insert(key, chunk.mid);
                }
            }
            up_to = tsn;
            if barrier == Some(tsn) {
                break;
            }
        }
        up_to
    }
}

impl Transmission {
    /// Nothing is owed that would never be sent.
    pub(super) fn resume_forward(&mut self) {
        if !self.outstanding.is_abandoned(self.outstanding.cumulative().next()) {
            self.forward = Forward::Idle;
        }
    }

    /// The peer is asked to let streams begin anew behind this TSN.
    pub(crate) fn add_reset_barrier(&mut self, tsn: Tsn) {
        self.drop_passed_barriers();
        if self.reset_barriers.back() != Some(&tsn) {
            self.reset_barriers.push_back(tsn);
        }
    }

    fn drop_passed_barriers(&mut self) {
        while self.reset_barriers.front().is_some_and(|tsn| *tsn <= self.outstanding.cumulative()) {
            self.reset_barriers.pop_front();
        }
    }

    /// Something was abandoned, or a SACK has come, or T3 has expired.
    //
    // RFC 3758 §3.5 C3: "If, after step C1 and C2, the 'Advanced.Peer.Ack.Point' is greater than the Cumulative TSN ACK
    // carried in the received SACK, the data sender MUST send the data receiver a FORWARD TSN chunk". It may have been
    // lost, or be on its way: one for each round trip, until the peer has answered it.
    pub(super) fn forward_if_abandoned(&mut self, now: Instant) {
        if !self.outstanding.is_abandoned(self.outstanding.cumulative().next()) {
            self.forward = Forward::Idle;
            return;
        }
        let is_owed = match self.forward {
            Forward::Idle | Forward::Owed => true,
            Forward::Sent { at, up_to } => {
                let is_answerable = now.saturating_duration_since(at) >= self.rto.smoothed().unwrap_or_default();
                let is_answered = up_to <= self.outstanding.cumulative();
                is_answerable || is_answered || self.outstanding.is_abandoned(up_to.next())
            }
        };
        if is_owed {
            self.forward = Forward::Owed;
        }
    }

    /// Appends the FORWARD TSN that is owed, if it fits.
    #[inline]
    pub(super) fn write_forward(&mut self, now: Instant, end: usize, out: &mut Vec<u8>) {
        if self.owes_forward() {
            self.write_owed_forward(now, end, out);
        }
    }

    fn write_owed_forward(&mut self, now: Instant, end: usize, out: &mut Vec<u8>) {
        let room = end.saturating_sub(out.len());
        self.drop_passed_barriers();
        let barrier = self.reset_barriers.front().copied();
        let up_to = self.outstanding.abandoned(barrier, room, &mut self.skips);
        if up_to == self.outstanding.cumulative() || FORWARD_TSN_HEADER_LEN > room {
            return;
        }
        match self.outstanding.format() {
            Format::Data => {
                let skips = self.skips.iter().map(|&((stream, _), mid)| (stream, mid as u16));
                write_forward_tsn(up_to.wire(), skips, out);
            }
            Format::Interleaved => {
                let skips = self.skips.iter().map(|&((stream, is_unordered), mid)| Skip { stream, is_unordered, mid });
                write_i_forward_tsn(up_to.wire(), skips, out);
            }
        }
        self.forward = Forward::Sent { at: now, up_to };
        self.arm(now);
    }

    pub(super) const fn owes_forward(&self) -> bool {
        matches!(self.forward, Forward::Owed)
    }
}
