//! When slow start has gone far enough, before anything is lost: the round trip grows (HyStart++, RFC 9406).
//!
//! RFC 9406 looks at the shortest round trip since the round began, and so sees a queue in the round after the one in which it
//! has grown, when the window is twice as large. Here the shortest of each eight in a row is looked at, which a burst of ours does
//! not disturb, for packets are paced.

use std::time::Duration;

const THRESHOLD_MIN: Duration = Duration::from_millis(4);
const THRESHOLD_MAX: Duration = Duration::from_millis(16);
const DIVISOR: u32 = 8;
const SAMPLES: u32 = 8;
const CONSERVATIVE_ROUNDS: u8 = 5;

/// How fast the window grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Growth {
    Fast,
    /// A quarter of that: the round trip has grown, and may have done so by chance.
    Conservative,
    /// Slow start is over.
    Over,
}

/// The growth that was seen, and for how many rounds it has lasted.
#[derive(Debug)]
struct Conservative {
    baseline: Duration,
    rounds: u8,
}

/// The shortest of some round trips.
#[derive(Debug, Default)]
struct Shortest {
    samples: u32,
    min: Option<Duration>,
}

impl Shortest {
    fn add(&mut self, round_trip: Duration) {
        self.samples += 1;
        self.min = Some(self.min.map_or(round_trip, |min| min.min(round_trip)));
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct HyStart {
    round: u64,
    /// Of the last round, of this one, and of the last few acknowledgements.
    last: Option<Duration>,
    current: Shortest,
    few: Shortest,
    conservative: Option<Conservative>,
}

impl HyStart {
    pub(super) fn acknowledged(&mut self, round: u64, round_trip: Option<Duration>) -> Growth {
        if round > self.round {
            self.round = round;
            self.last = std::mem::take(&mut self.current).min;
            self.few = Shortest::default();
            if self.is_over() {
                return Growth::Over;
            }
        }
        if let Some(round_trip) = round_trip {
            self.current.add(round_trip);
            self.few.add(round_trip);
        }
        if self.few.samples >= SAMPLES
            && let (Some(few), Some(last)) = (std::mem::take(&mut self.few).min, self.last)
        {
            let base = self.conservative.as_ref().map_or(last, |conservative| conservative.baseline);
            let has_grown = few >= base + (base / DIVISOR).clamp(THRESHOLD_MIN, THRESHOLD_MAX);
            match &self.conservative {
                Some(_) if has_grown => return Growth::Over,
                None if has_grown => self.conservative = Some(Conservative { baseline: few, rounds: 0 }),
                _ => {}
            }
        }
        if self.conservative.is_some() { Growth::Conservative } else { Growth::Fast }
    }

    /// A round has ended.
    fn is_over(&mut self) -> bool {
        let Some(conservative) = &mut self.conservative else { return false };
        conservative.rounds += 1;
        // RFC 9406 §4.2: it was by chance. The round in which it was seen began before, and says nothing.
        if conservative.rounds > 1 && self.last.is_some_and(|last| last < conservative.baseline) {
            self.conservative = None;
            return false;
        }
        conservative.rounds > CONSERVATIVE_ROUNDS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Option<Duration> {
        Some(Duration::from_millis(ms))
    }

    /// A round of eight samples.
    fn round(hystart: &mut HyStart, round: u64, round_trip: Option<Duration>) -> Growth {
        (0..8).map(|_| hystart.acknowledged(round, round_trip)).last().unwrap_or(Growth::Over)
    }

    #[test]
    fn a_longer_round_trip_slows_and_five_rounds_of_it_end_slow_start() {
        let mut hystart = HyStart::default();
        assert_eq!(round(&mut hystart, 1, ms(50)), Growth::Fast);
        assert_eq!(round(&mut hystart, 2, ms(55)), Growth::Fast, "an eighth of 50 ms is 6.25 ms");
        for number in 3..9 {
            assert_eq!(round(&mut hystart, number, ms(70)), Growth::Conservative);
        }
        assert_eq!(hystart.acknowledged(9, ms(70)), Growth::Over);
    }

    #[test]
    fn a_round_trip_that_was_longer_by_chance_is_forgotten() {
        let mut hystart = HyStart::default();
        round(&mut hystart, 1, ms(50));
        assert_eq!(round(&mut hystart, 2, ms(70)), Growth::Conservative);
        assert_eq!(round(&mut hystart, 3, ms(52)), Growth::Conservative);
        assert_eq!(round(&mut hystart, 4, ms(52)), Growth::Fast);
    }

    #[test]
    fn a_round_trip_that_grows_twice_ends_slow_start_at_once() {
        let mut hystart = HyStart::default();
        round(&mut hystart, 1, ms(50));
        assert_eq!(round(&mut hystart, 2, ms(60)), Growth::Conservative);
        assert_eq!(round(&mut hystart, 2, ms(70)), Growth::Over);
    }

    #[test]
    fn a_queue_is_seen_in_the_round_in_which_it_grows() {
        let mut hystart = HyStart::default();
        round(&mut hystart, 1, ms(50));
        assert_eq!(round(&mut hystart, 2, ms(50)), Growth::Fast);
        assert_eq!(round(&mut hystart, 2, ms(60)), Growth::Conservative);
    }

    #[test]
    fn short_paths_may_vary_by_four_milliseconds() {
        let mut hystart = HyStart::default();
        round(&mut hystart, 1, ms(2));
        assert_eq!(round(&mut hystart, 2, ms(5)), Growth::Fast);
        assert_eq!(round(&mut hystart, 3, ms(9)), Growth::Conservative);
    }
}
