//! What was sent, in its order, until the peer says whether it arrived: by a number that all packets of the transport share, or by those
//! that each stream has.

use super::unwrap;
use crate::event::Reported;
use crate::rtcp::congestion_control_feedback::TICK;
use crate::rtcp::transport_feedback::{REFERENCE_MICROS, TICK_MICROS};
use crate::rtcp::{ArrivalTimeOffset, CongestionControlFeedback, Reception, TransportFeedback};
use crate::stats::Stats;
use crate::stream_feedback::clock::{PeerClock, since_origin};
use crate::stream_feedback::index::Index;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use wigwag_sansio::Ecn;

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
    /// Those that are reported by source and sequence number.
    by_stream: Index,
    clock: PeerClock,
}

#[derive(Debug)]
struct SentPacket {
    sent: Instant,
    size: u32,
    fate: Fate,
    /// Whether it was sent again under this number: then it did not arrive when it was sent first.
    is_again: bool,
    /// Its source, if it is reported by that: transport-wide feedback says nothing of it.
    source: Option<u32>,
}

/// What is said of a packet.
#[derive(Clone, Copy, Debug)]
enum Said {
    Missing,
    /// When, if that is known.
    Arrived(Option<Duration>, Ecn),
}

impl SentPacket {
    /// What a report of it means: of one that was sent again, which the peer asked for, that it was lost.
    const fn meaning(&self, said: Said) -> Said {
        if self.is_again { Said::Missing } else { said }
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

    /// The next packet leaves; with its source and number if it is reported by those.
    pub(crate) fn sent(&mut self, size: usize, source: Option<(u32, u16)>, now: Instant) {
        // All at once: it is full a few seconds later, and who sends nothing has none.
        if self.packets.capacity() == 0 {
            self.packets.reserve_exact(LEN_USUAL);
        }
        while self.packets.len() >= LEN_USUAL && self.is_first_needless(now) {
            self.forget_first();
        }
        if let Some((ssrc, sequence)) = source {
            self.by_stream.insert(ssrc, sequence, self.next);
        }
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        let source = source.map(|(ssrc, _)| ssrc);
        self.packets.push_back(SentPacket { sent: now, size, fate: Fate::Unknown, is_again: false, source });
        self.next += 1;
    }

    fn forget_first(&mut self) {
        let number = self.first();
        if let Some(ssrc) = self.packets.pop_front().and_then(|packet| packet.source) {
            self.by_stream.remove(ssrc, number);
        }
    }

    /// The packet of this number leaves once more under it.
    pub(crate) fn sent_again(&mut self, number: u64) {
        if let Some(packet) = self.get_mut(number) {
            packet.is_again = true;
        }
    }

    /// The packet of this number, if it is remembered.
    fn get_mut(&mut self, number: u64) -> Option<&mut SentPacket> {
        let at = usize::try_from(number.checked_sub(self.first())?).ok()?;
        self.packets.get_mut(at)
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
        let origin = i64::from(feedback.reference_time).saturating_mul(REFERENCE_MICROS);
        let mut reported = Vec::with_capacity(feedback.arrivals().count().min(self.packets.len()));
        for arrival in feedback.arrivals() {
            let number = unwrap(self.next, arrival.sequence);
            let Some(packet) = self.get_mut(number).filter(|packet| packet.source.is_none()) else { continue };
            let said = arrival.ticks.map_or(Said::Missing, |ticks| {
                let micros = origin.saturating_add(ticks.saturating_mul(TICK_MICROS));
                let time = Duration::from_micros(micros.rem_euclid(PERIOD_MICROS).unsigned_abs());
                Said::Arrived(Some(time), Ecn::NotEct)
            });
            reported.extend(learn(packet, number, said, stats));
        }
        reported
    }

    /// The same of a report by streams. One whose time is not to be believed is not taken.
    pub(crate) fn take_by_stream(
        &mut self,
        feedback: &CongestionControlFeedback<'_>,
        now: Instant,
        stats: &mut Stats,
    ) -> Vec<Reported> {
        let Some(time) = self.clock.time(feedback.report_timestamp, now) else {
            stats.dropped_feedback_time += 1;
            return Vec::new();
        };
        let count: usize = feedback.streams().map(|stream| stream.metrics().len()).sum();
        let mut reported = Vec::with_capacity(count.min(self.packets.len()));
        for stream in feedback.streams() {
            for metric in stream.metrics() {
                let number = self.by_stream.find(stream.ssrc, metric.sequence);
                let Some((number, packet)) = number.and_then(|number| Some((number, self.get_mut(number)?))) else {
                    stats.dropped_feedback_unknown += 1;
                    continue;
                };
                let said = metric.reception.map_or(Said::Missing, |reception| said(reception, time));
                reported.extend(learn(packet, number, said, stats));
            }
        }
        reported
    }
}

/// What a report of this time says of a packet that arrived.
fn said(reception: Reception, time: i64) -> Said {
    let arrival = match reception.offset {
        ArrivalTimeOffset::Ticks(ticks) => Some(since_origin(time.saturating_sub(i64::from(ticks) * i64::from(TICK)))),
        ArrivalTimeOffset::OverRange | ArrivalTimeOffset::Unavailable => None,
    };
    Said::Arrived(arrival, reception.ecn)
}

/// What is said of a packet, if it was not known. Of one that arrived nobody knows when, it is counted and not told: there is nothing to
/// conclude from it.
fn learn(packet: &mut SentPacket, number: u64, said: Said, stats: &mut Stats) -> Option<Reported> {
    let said = packet.meaning(said);
    match (packet.fate, said) {
        (Fate::Arrived, _) | (Fate::Missing, Said::Missing) => return None,
        (Fate::Unknown, Said::Missing) => {
            packet.fate = Fate::Missing;
            stats.transport_lost += 1;
        }
        (Fate::Unknown | Fate::Missing, Said::Arrived(..)) => {
            stats.transport_lost -= u64::from(packet.fate == Fate::Missing);
            stats.transport_arrived += 1;
            packet.fate = Fate::Arrived;
        }
    }
    let (arrival, ecn) = match said {
        Said::Missing => (None, Ecn::NotEct),
        Said::Arrived(time, ecn) => (Some(time?), ecn),
    };
    Some(Reported { sequence: number, sent: packet.sent, size: packet.size as usize, arrival, ecn })
}
