//! What was sent under which transport-wide number, until the peer says whether it arrived.

use super::unwrap;
use crate::event::Reported;
use crate::rtcp::TransportFeedback;
use crate::rtcp::transport_feedback::{REFERENCE_MICROS, TICK_MICROS};
use crate::stats::Stats;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// So many are kept however old they are …
const LEN_USUAL: usize = 4096;
/// … and more of those that are not older than this: a queue on the way that has just become long is told of so late.
const AGE_MAX: Duration = Duration::from_secs(4);
/// The peer's clock begins anew after so long: the reference time has 24 bits.
const PERIOD_MICROS: i64 = REFERENCE_MICROS << 24;
/// Two and a half seconds at 60 Mbit/s.
const LEN_MAX: usize = 16_384;

/// What was sent under which number.
#[derive(Debug, Default)]
pub(crate) struct History {
    packets: VecDeque<SentPacket>,
    next: u64,
}

#[derive(Debug)]
struct SentPacket {
    sent: Instant,
    size: u32,
    fate: Fate,
    /// Whether it was sent again under this number: then it did not arrive when it was sent first.
    is_again: bool,
}

impl SentPacket {
    /// What a report of it means: of one that was sent again, which the peer asked for, that it was lost.
    fn meaning(&self, ticks: Option<i64>) -> Option<i64> {
        ticks.filter(|_| !self.is_again)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Unknown,
    Missing,
    Arrived,
}

impl History {
    /// The number of the next packet.
    pub(crate) const fn next(&self) -> u64 {
        self.next
    }

    /// How many packets it holds, and may.
    pub(crate) fn load(&self) -> (usize, usize) {
        (self.packets.len(), LEN_MAX)
    }

    /// The next packet leaves.
    pub(crate) fn sent(&mut self, size: usize, now: Instant) {
        // All at once: it is full a few seconds later, and who sends nothing has none.
        if self.packets.capacity() == 0 {
            self.packets.reserve_exact(LEN_USUAL);
        }
        while self.packets.len() >= LEN_USUAL && self.is_first_needless(now) {
            self.packets.pop_front();
        }
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        self.packets.push_back(SentPacket { sent: now, size, fate: Fate::Unknown, is_again: false });
        self.next += 1;
    }

    /// The packet of this number leaves once more under it.
    pub(crate) fn sent_again(&mut self, number: u64) {
        let first = self.first();
        let at = number.checked_sub(first).and_then(|at| usize::try_from(at).ok());
        if let Some(packet) = at.and_then(|at| self.packets.get_mut(at)) {
            packet.is_again = true;
        }
    }

    /// The number of the oldest that is kept.
    fn first(&self) -> u64 {
        self.next.saturating_sub(self.packets.len() as u64)
    }

    /// Whether the oldest gives way to others.
    fn is_first_needless(&self, now: Instant) -> bool {
        let is_old = |first: &SentPacket| now.saturating_duration_since(first.sent) > AGE_MAX;
        self.packets.len() >= LEN_MAX || self.packets.front().is_some_and(is_old)
    }

    /// What the message tells that was not known.
    pub(crate) fn take(&mut self, feedback: &TransportFeedback<'_>, stats: &mut Stats) -> Vec<Reported> {
        let first = self.first();
        let origin = i64::from(feedback.reference_time).saturating_mul(REFERENCE_MICROS);
        let mut reported = Vec::with_capacity(feedback.arrivals().count().min(self.packets.len()));
        for arrival in feedback.arrivals() {
            let sequence = unwrap(self.next, arrival.sequence);
            let Some(at) = sequence.checked_sub(first) else { continue };
            let Some(packet) = self.packets.get_mut(at as usize) else { continue };
            let ticks = packet.meaning(arrival.ticks);
            match (packet.fate, ticks) {
                (Fate::Arrived, _) | (Fate::Missing, None) => continue,
                (Fate::Unknown, None) => {
                    packet.fate = Fate::Missing;
                    stats.transport_lost += 1;
                }
                (Fate::Unknown | Fate::Missing, Some(_)) => {
                    stats.transport_lost -= u64::from(packet.fate == Fate::Missing);
                    stats.transport_arrived += 1;
                    packet.fate = Fate::Arrived;
                }
            }
            let arrival = ticks.map(|ticks| {
                let micros = origin.saturating_add(ticks.saturating_mul(TICK_MICROS));
                Duration::from_micros(micros.rem_euclid(PERIOD_MICROS).unsigned_abs())
            });
            reported.push(Reported { sequence, sent: packet.sent, size: packet.size as usize, arrival });
        }
        reported
    }
}
