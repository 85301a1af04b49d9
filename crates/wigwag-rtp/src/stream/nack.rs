//! Packets that are missing, and when to ask for them (RFC 4585 §6.2.1).

use crate::rtcp::NackPair;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use wigwag_sansio::earliest;

/// Half a second of video at 8 Mbit/s: when more is missing, asking for it all only makes matters worse.
const MISSING_MAX: usize = 512;
/// So many find room when a first one is missing.
const MISSING_EXPECTED: usize = 16;
/// A packet that others overtook is not missing yet.
const REORDERING: Duration = Duration::from_millis(10);
/// How often a packet is asked for.
const ATTEMPTS_MAX: u8 = 10;
/// No sooner is it asked for again, however short the path.
const RETRY_MIN: Duration = Duration::from_millis(20);

/// The packets of one source that are missing.
#[derive(Debug)]
pub(crate) struct Missing {
    /// In ascending order.
    packets: VecDeque<MissingPacket>,
    owed: usize,
    /// No packet is owed before that time, so that none need be looked at.
    due: Option<Instant>,
}

#[derive(Debug)]
struct MissingPacket {
    sequence: u64,
    asked: u8,
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    /// Will be asked for at that time.
    Waiting(Instant),
    /// The next message asks for it.
    Owed,
}

impl Missing {
    pub(crate) fn new() -> Self {
        Self { packets: VecDeque::with_capacity(MISSING_EXPECTED), owed: 0, due: None }
    }

    /// The `count` packets before `next` did not arrive. Returns how many are given up.
    pub(crate) fn add(&mut self, next: u64, count: u64, now: Instant) -> u64 {
        if count > MISSING_MAX as u64 {
            return self.clear() + count;
        }
        let due = now.checked_add(REORDERING).unwrap_or(now);
        self.packets.extend((next.saturating_sub(count)..next).map(|sequence| MissingPacket {
            sequence,
            asked: 0,
            state: State::Waiting(due),
        }));
        self.due = earliest([self.due, Some(due).filter(|_| count > 0)]);
        let excess = self.packets.len().saturating_sub(MISSING_MAX);
        self.owed -= self.packets.drain(..excess).filter(|packet| packet.state == State::Owed).count();
        excess as u64
    }

    /// A packet came late; whether it was asked for.
    pub(crate) fn arrived(&mut self, sequence: u64) -> bool {
        let Ok(at) = self.packets.binary_search_by_key(&sequence, |packet| packet.sequence) else { return false };
        self.packets.remove(at).is_some_and(|packet| {
            self.owed -= usize::from(packet.state == State::Owed);
            packet.asked > 0
        })
    }

    /// Whether this one is missing.
    pub(crate) fn contains(&self, sequence: u64) -> bool {
        self.packets.binary_search_by_key(&sequence, |packet| packet.sequence).is_ok()
    }

    /// Those whose time has come are owed now. Returns how many were asked for often enough, and are given up, and how many were looked at.
    pub(crate) fn expire(&mut self, now: Instant) -> (u64, u64) {
        if self.due.is_none_or(|due| due > now) {
            return (0, 0);
        }
        let before = self.packets.len();
        self.packets.retain(|packet| match packet.state {
            State::Waiting(due) => due > now || packet.asked < ATTEMPTS_MAX,
            State::Owed => true,
        });
        for packet in &mut self.packets {
            if matches!(packet.state, State::Waiting(due) if due <= now) {
                packet.state = State::Owed;
                self.owed += 1;
            }
        }
        self.due = self.first_due();
        (before.saturating_sub(self.packets.len()) as u64, before as u64)
    }

    /// When the next one will be owed, or sooner: it may have come.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.due.filter(|_| !self.is_empty())
    }

    fn first_due(&self) -> Option<Instant> {
        let due = |packet: &MissingPacket| match packet.state {
            State::Waiting(due) => Some(due),
            State::Owed => None,
        };
        self.packets.iter().filter_map(due).min()
    }

    pub(crate) const fn is_owed(&self) -> bool {
        self.owed > 0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// How many there are, and may be.
    pub(crate) fn load(&self) -> (usize, usize) {
        (self.packets.len(), MISSING_MAX)
    }

    /// Asks for as many of the owed as `count_max` pairs say; each is asked for again after a round trip.
    pub(crate) fn ask(&mut self, count_max: usize, now: Instant, round_trip: Duration, pairs: &mut Vec<NackPair>) {
        let again = now.checked_add(round_trip.max(RETRY_MIN)).unwrap_or(now);
        pairs.clear();
        for packet in self.packets.iter_mut().filter(|packet| packet.state == State::Owed) {
            let sequence = packet.sequence as u16;
            let has_room = pairs.len() < count_max;
            match pairs.last_mut() {
                Some(pair) if (1..=16).contains(&sequence.wrapping_sub(pair.packet)) => {
                    pair.following |= 1 << (sequence.wrapping_sub(pair.packet) - 1);
                }
                _ if has_room => pairs.push(NackPair { packet: sequence, following: 0 }),
                _ => break,
            }
            packet.state = State::Waiting(again);
            packet.asked += 1;
            self.owed -= 1;
            self.due = earliest([self.due, Some(again)]);
        }
    }

    /// Forgets all; how many there were.
    pub(crate) fn clear(&mut self) -> u64 {
        let count = self.packets.len() as u64;
        self.packets.clear();
        (self.owed, self.due) = (0, None);
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUND_TRIP: Duration = Duration::from_millis(50);

    fn ask(missing: &mut Missing, now: Instant) -> Vec<u16> {
        let mut pairs = Vec::new();
        missing.ask(100, now, ROUND_TRIP, &mut pairs);
        pairs.into_iter().flat_map(NackPair::sequences).collect()
    }

    #[test]
    fn a_packet_that_was_only_overtaken_is_not_asked_for() {
        let now = wigwag_sim::origin();
        let mut missing = Missing::new();
        missing.add(102, 2, now);
        assert!(!missing.arrived(100));
        assert_eq!(missing.deadline(), Some(now + REORDERING));
        missing.expire(now + REORDERING);
        assert!(missing.is_owed());
        assert_eq!(ask(&mut missing, now + REORDERING), [101]);
        assert!(missing.arrived(101) && missing.is_empty());
    }

    #[test]
    fn a_packet_is_asked_for_again_after_a_round_trip_and_given_up_at_last() {
        let mut now = wigwag_sim::origin();
        let mut missing = Missing::new();
        missing.add(65_537, 3, now);
        let (mut asked, mut given_up) = (0, 0);
        while let Some(at) = missing.deadline() {
            assert!(asked == 0 || at == now + ROUND_TRIP);
            now = at;
            given_up += missing.expire(now).0;
            if missing.is_owed() {
                assert_eq!(ask(&mut missing, now), [65_534, 65_535, 0]);
                asked += 1;
            }
        }
        assert_eq!((asked, given_up, missing.is_empty()), (10, 3, true));
    }

    #[test]
    fn what_does_not_fit_stays_owed() {
        let now = wigwag_sim::origin();
        let mut missing = Missing::new();
        for sequence in [100, 150, 200] {
            missing.add(sequence + 1, 1, now);
        }
        missing.expire(now + REORDERING);
        let mut pairs = Vec::new();
        missing.ask(2, now, ROUND_TRIP, &mut pairs);
        assert_eq!(pairs.iter().map(|pair| pair.packet).collect::<Vec<_>>(), [100, 150]);
        missing.ask(2, now, ROUND_TRIP, &mut pairs);
        assert_eq!(pairs.iter().map(|pair| pair.packet).collect::<Vec<_>>(), [200]);
        assert!(!missing.is_owed());
    }

    #[test]
    fn no_more_than_its_maximum_is_kept() {
        let now = wigwag_sim::origin();
        let mut missing = Missing::new();
        for n in 0..1000 {
            missing.add(100 * n + 100, 99, now);
            missing.expire(now + REORDERING);
            assert!(missing.packets.len() <= MISSING_MAX);
            assert_eq!(missing.owed, missing.packets.len());
        }
        assert_eq!(missing.add(1_000_000, 60_000, now), 60_000 + MISSING_MAX as u64);
        assert!(missing.is_empty() && !missing.is_owed());
    }
}
