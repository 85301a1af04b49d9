//! What arrives: the acknowledged bitrate, over the packets that arrived last.
//!
//! What lets the estimate grow is never more than what was sent, whatever the peer says of its arrivals.

use super::{SECOND, bitrate};
use crate::feedback::Arrived;
use std::collections::VecDeque;

/// So many packets are kept.
const PACKETS_MAX: usize = 512;
/// Fewer packets than this tell nothing.
const PACKETS_MIN: usize = 8;
/// The mean that growth is measured by is of at least so much time and so many packets …
const LONG: (i64, usize) = (SECOND / 2, 20);
/// … and the one that says what a path that is too full lets through, of so much: it changes with the path.
const SHORT: (i64, usize) = (SECOND / 5, PACKETS_MIN);
/// Packets that arrived so long before the last one tell nothing.
const AGE_MAX: i64 = 5 * SECOND;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Throughput {
    /// In the order of arrival.
    packets: VecDeque<Arrived>,
}

impl Throughput {
    /// A packet has arrived.
    pub(crate) fn add(&mut self, packet: Arrived) {
        let last = self.packets.back().map_or(packet.arrival, |last| last.arrival);
        if packet.arrival < last.saturating_sub(AGE_MAX) {
            // The peer's clock was set back.
            self.packets.clear();
        }
        let oldest = packet.arrival.saturating_sub(AGE_MAX);
        while self.packets.front().is_some_and(|first| first.arrival < oldest) || self.packets.len() >= PACKETS_MAX {
            self.packets.pop_front();
        }
        let later = self.packets.iter().rev().take_while(|other| other.arrival > packet.arrival).count();
        self.packets.insert(self.packets.len().saturating_sub(later), packet);
    }

    /// The mean by which growth is measured: what arrives, but no more than what was sent.
    pub(crate) fn long(&self) -> Option<f64> {
        let (arrived, sent) = self.over(LONG)?;
        Some(arrived.min(sent)).filter(|rate| rate.is_finite())
    }

    /// What arrives of what was sent for its own sake, not as part of a probe.
    pub(crate) fn unprobed(&self) -> Option<f64> {
        let rate = self.long()?;
        let bytes = |is_probe: bool| {
            let of = self.packets.iter().filter(|packet| !is_probe || packet.cluster == 0);
            of.map(|packet| f64::from(packet.size)).sum::<f64>()
        };
        Some(rate * bytes(true) / bytes(false).max(1.0))
    }

    /// What a path that is too full lets through now.
    pub(crate) fn short(&self) -> Option<f64> {
        let (arrived, _) = self.over(SHORT)?;
        Some(arrived).filter(|rate| rate.is_finite())
    }

    /// The bitrates at which the last packets, of at least so much time and so many, arrived, and were sent.
    fn over(&self, (time, count): (i64, usize)) -> Option<(f64, f64)> {
        if self.packets.len() < PACKETS_MIN {
            return None;
        }
        let last = self.packets.back()?;
        let (mut bytes, mut first) = (0_u64, *last);
        let (mut first_sent, mut last_sent) = (*last, *last);
        for (n, packet) in self.packets.iter().rev().enumerate() {
            bytes = bytes.saturating_add(packet.size.into());
            first = *packet;
            if packet.sent < first_sent.sent {
                first_sent = *packet;
            }
            if packet.sent > last_sent.sent {
                last_sent = *packet;
            }
            if n.saturating_add(1) >= count && last.arrival.saturating_sub(packet.arrival) >= time {
                break;
            }
        }
        // What arrived first, or was sent last, is the mark that time is counted from, or to.
        let arrived = bitrate(bytes.saturating_sub(first.size.into()), last.arrival.saturating_sub(first.arrival));
        let sent_in = last_sent.sent.saturating_sub(first_sent.sent);
        let sent = bitrate(bytes.saturating_sub(last_sent.size.into()), sent_in);
        Some((arrived, sent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throughput(packets: impl IntoIterator<Item = (i64, i64)>) -> Throughput {
        let mut throughput = Throughput::default();
        for (sent, arrival) in packets {
            throughput.add(Arrived { sent: sent * 1000, arrival: arrival * 1000, size: 1000, cluster: 0 });
        }
        throughput
    }

    fn kbps(rate: Option<f64>) -> Option<u64> {
        rate.map(|rate| (rate / 1000.0).round() as u64)
    }

    #[test]
    fn it_is_what_arrives() {
        // 1000 bytes each 10 ms are 800 kbit/s, whenever they were sent.
        assert_eq!(kbps(throughput((0..100).map(|n| (n * 5, n * 10))).long()), Some(800));
    }

    #[test]
    fn it_is_no_more_than_what_was_sent() {
        assert_eq!(kbps(throughput((0..100).map(|n| (n * 20, n))).long()), Some(400));
        assert_eq!(kbps(throughput((0..100).map(|n| (n * 20, 7))).long()), Some(400));
    }

    #[test]
    fn a_few_packets_tell_nothing() {
        assert_eq!(throughput((0..7).map(|n| (n * 10, n * 10))).long(), None);
    }

    #[test]
    fn what_the_path_lets_through_now_is_told_sooner() {
        let full = (0..100).map(|n| (n * 10, n * 10)).chain((0..10).map(|n| (1000 + n * 10, 1000 + n * 40)));
        let throughput = throughput(full);
        assert_eq!(kbps(throughput.short()), Some(200));
        assert!(throughput.long() > Some(300_000.0));
    }

    #[test]
    fn a_clock_set_back_begins_anew() {
        let back = (0..100).map(|n| (n * 10, 100_000 + n * 10)).chain((100..150).map(|n| (n * 10, n * 10)));
        assert_eq!(kbps(throughput(back).long()), Some(800));
    }

    #[test]
    fn memory_is_bounded() {
        assert_eq!(throughput((0..5000).map(|n| (n, n % 77))).packets.len(), PACKETS_MAX);
    }
}
