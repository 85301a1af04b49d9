//! What was sent under which transport-wide number, until the peer says whether it arrived.

use super::unwrap;
use crate::event::Reported;
use crate::rtcp::TransportFeedback;
use crate::rtcp::transport_feedback::{REFERENCE_MICROS, TICK_MICROS};
use crate::stats::Stats;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Two seconds at 10 Mbit/s: who reports later than that tells nothing of the path as it is.
const LEN_MAX: usize = 2048;

/// What was sent under which number.
#[derive(Debug, Default)]
pub(crate) struct History {
    packets: VecDeque<SentPacket>,
    next: u64,
}

#[derive(Debug)]
struct SentPacket {
    sent: Instant,
    size: usize,
    fate: Fate,
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
            self.packets.reserve_exact(LEN_MAX);
        }
        if self.packets.len() >= LEN_MAX {
            self.packets.pop_front();
        }
        self.packets.push_back(SentPacket { sent: now, size, fate: Fate::Unknown });
        self.next += 1;
    }

    /// What the message tells that was not known.
    pub(crate) fn take(&mut self, feedback: &TransportFeedback<'_>, stats: &mut Stats) -> Vec<Reported> {
        let first = self.next.saturating_sub(self.packets.len() as u64);
        let origin = i64::from(feedback.reference_time).saturating_mul(REFERENCE_MICROS);
        let mut reported = Vec::with_capacity(feedback.arrivals().count().min(self.packets.len()));
        for arrival in feedback.arrivals() {
            let sequence = unwrap(self.next, arrival.sequence);
            let Some(at) = sequence.checked_sub(first) else { continue };
            let Some(packet) = self.packets.get_mut(at as usize) else { continue };
            match (packet.fate, arrival.ticks) {
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
            let arrival = arrival.ticks.map(|ticks| {
                let micros = origin.saturating_add(ticks.saturating_mul(TICK_MICROS));
                Duration::from_micros(u64::try_from(micros).unwrap_or(0))
            });
            reported.push(Reported { sequence, sent: packet.sent, size: packet.size, arrival });
        }
        reported
    }
}
