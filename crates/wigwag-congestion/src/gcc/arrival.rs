//! By how much the distance between groups of packets changes on the way (draft-ietf-rmcat-gcc-02 §5.1, §5.2).
//!
//! A group is what was sent within five milliseconds, and what a link that was blocked for a moment lets through at once: their
//! distances tell nothing of the queue.

use super::SECOND;
use crate::feedback::Arrived;

/// What is sent within so much time is a group, in microseconds.
// draft-ietf-rmcat-gcc-02 §5.2: "A sequence of packets which are sent within a burst_time interval constitute a group."
const BURST: i64 = 5_000;
/// What arrives so soon behind another, and closer to it than it was sent, belongs to its group.
// draft-ietf-rmcat-gcc-02 §5.2: "A Packet which has an inter-arrival time less than burst_time and an inter-group delay variation d(i)
// less than 0 is considered being part of the current group of packets."
const CATCH_UP: i64 = 5_000;
/// A group lasts no longer than that.
const GROUP_MAX: i64 = 100_000;
/// The peer's clock has leapt if it went so much further than ours.
const LEAP: i64 = 3 * SECOND;
/// So many groups in a row that arrived before the one before them say that the peer's clock was set back.
const REORDERED_MAX: u32 = 3;

/// The distance between two groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Distance {
    /// When they left, in microseconds.
    pub(crate) sent: i64,
    /// When they arrived, in microseconds.
    pub(crate) arrived: i64,
    /// When the second of them arrived, by the peer's clock.
    pub(crate) arrival: i64,
}

#[derive(Clone, Copy, Debug)]
struct Group {
    first_sent: i64,
    last_sent: i64,
    first_arrival: i64,
    last_arrival: i64,
    /// When we heard of its last packet, by our clock.
    heard: i64,
}

impl Group {
    const fn of(packet: &Arrived, now: i64) -> Self {
        let Arrived { sent, arrival, .. } = *packet;
        Self { first_sent: sent, last_sent: sent, first_arrival: arrival, last_arrival: arrival, heard: now }
    }

    /// Whether the peer's clock was, or had leapt ahead and is where it was: no packet is overtaken by so much.
    const fn was_set_back(&self, packet: &Arrived) -> bool {
        packet.arrival.saturating_sub(self.last_arrival) <= -GROUP_MAX
    }

    fn contains(&self, packet: &Arrived) -> bool {
        if packet.sent.saturating_sub(self.first_sent) <= BURST {
            return true;
        }
        let sent = packet.sent.saturating_sub(self.last_sent);
        let arrived = packet.arrival.saturating_sub(self.last_arrival);
        let lasts = packet.arrival.saturating_sub(self.first_arrival);
        sent <= 0 || (arrived < sent && arrived <= CATCH_UP && lasts < GROUP_MAX)
    }

    fn add(&mut self, packet: &Arrived, now: i64) {
        self.last_sent = self.last_sent.max(packet.sent);
        self.last_arrival = self.last_arrival.max(packet.arrival);
        self.heard = now;
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    previous: Option<Group>,
    current: Option<Group>,
    reordered: u32,
}

impl Groups {
    /// A packet has arrived. Tells the distance of two groups when the second is over.
    pub(crate) fn add(&mut self, packet: &Arrived, now: i64) -> Option<Distance> {
        let Some(current) = &mut self.current else {
            self.current = Some(Group::of(packet, now));
            return None;
        };
        if packet.sent < current.first_sent {
            // Overtaken by a group that was sent after it: it tells nothing of the queue.
            return None;
        }
        if current.was_set_back(packet) {
            *self = Self { current: Some(Group::of(packet, now)), ..Self::default() };
            return None;
        }
        if current.contains(packet) {
            current.add(packet, now);
            return None;
        }
        let over = *current;
        let previous = self.previous;
        let distance = previous.and_then(|previous| self.distance(&previous, &over));
        if self.current.is_some() {
            self.previous = Some(over);
        }
        self.current = Some(Group::of(packet, now));
        distance
    }

    fn distance(&mut self, from: &Group, to: &Group) -> Option<Distance> {
        let sent = to.last_sent.saturating_sub(from.last_sent);
        let arrived = to.last_arrival.saturating_sub(from.last_arrival);
        let heard = to.heard.saturating_sub(from.heard);
        if arrived < 0 {
            self.reordered = self.reordered.saturating_add(1);
            if self.reordered >= REORDERED_MAX {
                *self = Self::default();
            }
            return None;
        }
        self.reordered = 0;
        if arrived.saturating_sub(heard) >= LEAP {
            *self = Self::default();
            return None;
        }
        Some(Distance { sent, arrived, arrival: to.last_arrival })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets that were sent and arrived at these milliseconds, and what was told of each.
    fn distances(packets: &[(i64, i64)]) -> Vec<Option<(i64, i64)>> {
        let mut groups = Groups::default();
        let mut add = |&(sent, arrival): &(i64, i64)| {
            let packet = Arrived { sent: sent * 1000, arrival: arrival * 1000, size: 1000, cluster: 0 };
            let distance = groups.add(&packet, sent * 1000 + 50_000)?;
            Some((distance.sent / 1000, distance.arrived / 1000))
        };
        packets.iter().map(&mut add).collect()
    }

    #[test]
    fn the_distance_of_two_groups_is_told_when_the_second_is_over() {
        let told = distances(&[(0, 100), (20, 123), (40, 143)]);
        assert_eq!(told, [None, None, Some((20, 23))]);
    }

    #[test]
    fn packets_that_leave_within_five_milliseconds_are_one() {
        let told = distances(&[(0, 100), (5, 101), (20, 123), (24, 130), (40, 143)]);
        assert_eq!(told, [None, None, None, None, Some((19, 29))]);
    }

    #[test]
    fn packets_that_a_blocked_link_lets_through_at_once_are_one() {
        let told = distances(&[(0, 100), (20, 180), (40, 181), (60, 182), (80, 183), (100, 203)]);
        assert_eq!(told, [None, None, None, None, None, Some((80, 83))]);
    }

    #[test]
    fn who_was_overtaken_tells_nothing() {
        let told = distances(&[(0, 100), (40, 140), (20, 141), (60, 160)]);
        assert_eq!(told, [None, None, None, Some((40, 40))]);
    }

    #[test]
    fn a_clock_that_leaps_or_is_set_back_begins_anew() {
        let told = distances(&[(0, 100), (20, 120), (40, 9140), (60, 9160), (80, 9180), (100, 9200)]);
        assert_eq!(told, [None, None, Some((20, 20)), None, None, Some((20, 20))]);
        let told = distances(&[(0, 9000), (20, 900), (40, 800), (60, 700), (80, 600), (100, 620), (120, 640)]);
        assert!(told[..6].iter().all(Option::is_none), "{told:?}");
        assert_eq!(told[6], Some((20, 20)), "and it goes on");
    }

    #[test]
    fn a_clock_that_leaps_for_one_packet_is_over_with_the_next() {
        let told = distances(&[(0, 100), (20, 120), (40, 9_140), (60, 160), (80, 180), (100, 200)]);
        assert_eq!(told, [None, None, Some((20, 20)), None, None, Some((20, 20))]);
        let told = distances(&[(0, 100), (20, 120), (23, 9_140), (40, 140), (60, 160), (80, 180)]);
        assert_eq!(told, [None, None, None, None, None, Some((20, 20))]);
    }
}
