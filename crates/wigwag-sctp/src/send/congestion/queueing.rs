//! Whether packets wait in a queue on the way, as round trips tell.

use super::Acknowledgement;
use std::time::{Duration, Instant};

/// The shortest round trip is that of so long a time, and up to twice as long.
const LIFE: Duration = Duration::from_secs(10);
/// Bursts of ours make round trips so much longer by themselves.
const BURST: Duration = Duration::from_millis(1);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Queueing {
    /// The shortest round trip of these 10 s, when they began, and that of the 10 s before.
    current: Option<Duration>,
    began: Option<Instant>,
    before: Option<Duration>,
    latest: Option<Duration>,
    round: u64,
    /// The shortest ones of this round and of the last one.
    of_round: Option<Duration>,
    of_last_round: Option<Duration>,
}

fn shorter(a: Option<Duration>, b: Option<Duration>) -> Option<Duration> {
    a.into_iter().chain(b).min()
}

impl Queueing {
    /// True if 10 s have passed in which the shortest round trip was not seen again.
    pub(super) fn acknowledged(&mut self, news: &Acknowledgement) -> bool {
        if news.round > self.round {
            self.round = news.round;
            self.of_last_round = self.of_round.take();
        }
        if news.round_trip.is_none() {
            return false;
        }
        self.latest = news.round_trip;
        self.of_round = shorter(self.of_round, news.round_trip);
        let began = *self.began.get_or_insert(news.now);
        let is_over = news.now.saturating_duration_since(began) > LIFE;
        let was_shorter = self.before.is_some() && self.before < self.current;
        if is_over {
            (self.began, self.before) = (Some(news.now), self.current.take());
        }
        self.current = shorter(self.current, news.round_trip);
        is_over && was_shorter
    }

    /// The shortest round trip.
    pub(super) fn shortest(&self) -> Option<Duration> {
        shorter(self.current, self.before)
    }

    fn is_longer(&self, round_trip: Option<Duration>) -> bool {
        let (Some(round_trip), Some(shortest)) = (round_trip, self.shortest()) else { return false };
        round_trip > shortest + (shortest / 8).max(BURST)
    }

    /// In no moment of the last round was the path without a queue: it is full.
    pub(super) fn is_standing(&self) -> bool {
        self.is_longer(self.of_last_round)
    }

    /// There is one now.
    pub(super) fn is_there(&self) -> bool {
        self.is_longer(self.latest)
    }
}
