//! What was sent, until the peer says whether it arrived, and what it says.
//!
//! Numbers that were never sent, or so long ago that they are forgotten, and arrivals that were told before are counted and change nothing.

use crate::stats::Stats;
use std::collections::VecDeque;
use std::time::Duration;

/// A packet that the peer has reported on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reported {
    /// Its number, as told to [`handle_sent`](crate::Controller::handle_sent).
    pub sequence: u64,
    /// When it arrived, by the peer's clock with its arbitrary origin; nothing if it has not, or not yet. The clock of transport-wide
    /// feedback begins anew every 2^24 * 64 ms (12.4 days): that is taken into account.
    pub arrival: Option<Duration>,
}

/// So many packets are remembered: a second and a half at 50 Mbit/s.
pub(crate) const PACKETS_MAX: usize = 8192;
/// Whoever reports later than that, in microseconds, tells nothing of the path as it is.
const AGE_MAX: i64 = 6_000_000;
/// The period of the clock of transport-wide feedback, in microseconds.
const WRAP: i64 = (1 << 24) * 64_000;

/// A packet of ours that has arrived. Times are in microseconds, by our clock and the peer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrived {
    pub(crate) sent: i64,
    pub(crate) arrival: i64,
    pub(crate) size: u32,
    pub(crate) cluster: u32,
}

/// How many packets a message told of for the first time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct News {
    /// Arrived.
    pub(crate) arrived: u32,
    /// Missing.
    pub(crate) lost: u32,
    /// Of those that arrived: told as missing before.
    pub(crate) recovered: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Unknown,
    Missing,
    Arrived,
}

#[derive(Debug)]
struct Sent {
    sequence: u64,
    at: i64,
    size: u32,
    cluster: u32,
    fate: Fate,
}

/// What was sent, in the order of its numbers.
#[derive(Debug, Default)]
pub(crate) struct History {
    packets: VecDeque<Sent>,
    clock: PeerClock,
}

impl History {
    /// Whether the number follows those before: others are not remembered.
    pub(crate) fn follows(&self, sequence: u64) -> bool {
        self.packets.back().is_none_or(|last| last.sequence < sequence)
    }

    /// A packet leaves.
    pub(crate) fn sent(&mut self, sequence: u64, size: usize, cluster: u32, now: i64) {
        if !self.follows(sequence) {
            return;
        }
        let oldest = now.saturating_sub(AGE_MAX);
        while self.packets.front().is_some_and(|first| first.at < oldest) || self.packets.len() >= PACKETS_MAX {
            self.packets.pop_front();
        }
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        self.packets.push_back(Sent { sequence, at: now, size, cluster, fate: Fate::Unknown });
    }

    /// Puts what has arrived into `arrived`, in the order of arrival.
    pub(crate) fn take(&mut self, reported: &[Reported], arrived: &mut Vec<Arrived>, stats: &mut Stats) -> News {
        arrived.clear();
        let mut news = News::default();
        for report in reported {
            let Some(at) = self.find(report.sequence) else {
                stats.ignored_unknown = stats.ignored_unknown.saturating_add(1);
                continue;
            };
            let Some(packet) = self.packets.get_mut(at) else { continue };
            match (packet.fate, report.arrival) {
                (Fate::Arrived, _) | (Fate::Missing, None) => {
                    stats.ignored_repeated = stats.ignored_repeated.saturating_add(1);
                }
                (Fate::Unknown, None) => {
                    packet.fate = Fate::Missing;
                    news.lost = news.lost.saturating_add(1);
                }
                (before @ (Fate::Unknown | Fate::Missing), Some(arrival)) => {
                    packet.fate = Fate::Arrived;
                    news.arrived = news.arrived.saturating_add(1);
                    news.recovered = news.recovered.saturating_add(u32::from(before == Fate::Missing));
                    let arrival = self.clock.unwrap(arrival);
                    let Sent { at: sent, size, cluster, .. } = *packet;
                    arrived.push(Arrived { sent, arrival, size, cluster });
                }
            }
        }
        arrived.sort_unstable_by_key(|packet| (packet.arrival, packet.sent));
        if let Some(last) = arrived.last() {
            self.clock.latest = Some(last.arrival);
        }
        news
    }

    /// Where the packet of this number is.
    fn find(&self, sequence: u64) -> Option<usize> {
        let first = self.packets.front()?.sequence;
        let guess = usize::try_from(sequence.checked_sub(first)?).ok()?;
        if self.packets.get(guess).is_some_and(|packet| packet.sequence == sequence) {
            return Some(guess);
        }
        self.packets.binary_search_by_key(&sequence, |packet| packet.sequence).ok()
    }
}

/// The peer's clock, which begins anew from time to time.
#[derive(Debug, Default)]
struct PeerClock {
    /// The latest arrival of the last message, unwrapped.
    latest: Option<i64>,
}

impl PeerClock {
    /// The time nearest to the latest that is `arrival` but for whole periods.
    fn unwrap(&self, arrival: Duration) -> i64 {
        let within = i64::try_from(arrival.as_micros().rem_euclid(WRAP.unsigned_abs().into())).unwrap_or(0);
        let Some(latest) = self.latest else { return within };
        let ahead = within.saturating_sub(latest).rem_euclid(WRAP);
        let nearest = if ahead > WRAP / 2 { ahead.saturating_sub(WRAP) } else { ahead };
        latest.saturating_add(nearest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(packets: u64) -> History {
        let mut history = History::default();
        for n in 0..packets {
            history.sent(n, 1000, 0, n as i64 * 1000);
        }
        history
    }

    fn report(sequence: u64, arrival_ms: Option<u64>) -> Reported {
        Reported { sequence, arrival: arrival_ms.map(Duration::from_millis) }
    }

    fn take(history: &mut History, reported: &[Reported]) -> (News, Vec<Arrived>, Stats) {
        let (mut arrived, mut stats) = (Vec::new(), Stats::default());
        let news = history.take(reported, &mut arrived, &mut stats);
        (news, arrived, stats)
    }

    #[test]
    fn what_arrives_is_told_with_what_was_sent() {
        let (news, arrived, _) = take(&mut history(3), &[report(2, Some(50))]);
        assert_eq!(news, News { arrived: 1, ..News::default() });
        assert_eq!(arrived, [Arrived { sent: 2000, arrival: 50_000, size: 1000, cluster: 0 }]);
    }

    #[test]
    fn arrivals_are_told_in_their_order() {
        let (_, arrived, _) = take(&mut history(3), &[report(0, Some(52)), report(1, Some(50)), report(2, Some(51))]);
        assert_eq!(arrived.iter().map(|packet| packet.sent).collect::<Vec<_>>(), [1000, 2000, 0]);
    }

    #[test]
    fn what_is_unknown_or_told_again_changes_nothing() {
        let mut history = history(3);
        take(&mut history, &[report(1, Some(50)), report(2, None)]);
        let again = [report(1, Some(99)), report(1, None), report(2, None), report(3, Some(1)), report(u64::MAX, None)];
        let (news, arrived, stats) = take(&mut history, &again);
        assert_eq!((news, arrived.len()), (News::default(), 0));
        assert_eq!((stats.ignored_repeated, stats.ignored_unknown), (3, 2));
    }

    #[test]
    fn what_was_missing_may_arrive() {
        let mut history = history(3);
        assert_eq!(take(&mut history, &[report(2, None)]).0, News { lost: 1, ..News::default() });
        let news = take(&mut history, &[report(2, Some(5))]).0;
        assert_eq!(news, News { arrived: 1, lost: 0, recovered: 1 });
    }

    #[test]
    fn numbers_may_have_gaps_but_do_not_go_back() {
        let mut history = History::default();
        for sequence in [5, 9, 7, 9, 20] {
            history.sent(sequence, 1, 0, 0);
        }
        let reports = [5, 6, 7, 9, 20].map(|sequence| report(sequence, Some(1)));
        let (news, _, stats) = take(&mut history, &reports);
        assert_eq!((news.arrived, stats.ignored_unknown), (3, 2));
    }

    #[test]
    fn memory_is_bounded_in_number_and_age() {
        let mut history = History::default();
        for n in 0..20_000 {
            history.sent(n, 1000, 0, 0);
            assert!(history.packets.len() <= PACKETS_MAX);
        }
        history.sent(20_000, 1000, 0, AGE_MAX + 1);
        assert_eq!(history.packets.len(), 1);
    }

    #[test]
    fn a_clock_that_begins_anew_goes_on() {
        let period = WRAP as u64 / 1000;
        let mut history = history(4);
        let (_, before, _) = take(&mut history, &[report(0, Some(period - 20))]);
        let (_, after, _) = take(&mut history, &[report(1, Some(10)), report(2, Some(period - 5))]);
        let since = |packet: &Arrived| (packet.arrival - before[0].arrival) / 1000;
        assert_eq!(after.iter().map(since).collect::<Vec<_>>(), [15, 30]);
        // One that never does is taken modulo the period.
        let (_, last, _) = take(&mut history, &[report(3, Some(7 * period + 40))]);
        assert_eq!(since(&last[0]), 60);
    }
}
