//! Law 1: the same at another time, and with a clock that sometimes goes backwards.

use super::pair::{Driver, Pair, choices};
use super::record::{Detail, Entry, difference, name};
use super::{Law, Subject, Violation};
use std::time::{Duration, Instant};
use wigwag_sansio::Rng;

const LAW: Law = Law::TimeIsAnArgument;

/// Tells the time rightly once, and then times that are up to so many milliseconds earlier.
struct Clock {
    rng: Rng,
    earlier_max_ms: u64,
}

impl Clock {
    fn new(seed: u64, earlier_max_ms: u64) -> Self {
        Self { rng: choices(seed, "clock"), earlier_max_ms }
    }

    fn earlier(&mut self, now: Instant) -> Instant {
        now - Duration::from_millis(self.rng.below(self.earlier_max_ms))
    }
}

impl<S: Subject> Driver<S> for Clock {
    fn clock(&mut self, now: Instant) -> Instant {
        self.earlier(now)
    }

    fn after_timeout(&mut self, pair: &mut Pair<S>, who: usize) -> Result<(), Violation> {
        let earlier = self.earlier(pair.now);
        pair.handle_timeout(who, earlier);
        // Whatever is owed is due at either time; a timer ends when it ends.
        let [told, real] = [earlier, pair.now].map(|at| pair.machines[who].poll_timeout(at).map(|at| at.max(pair.now)));
        if told == real {
            return Ok(());
        }
        let since = |at: Option<Instant>| at.map(|at| at.duration_since(pair.begin));
        let (told, real) = (since(told), since(real));
        Err(LAW.broken(format!("{} wakes at {real:?}, but told an earlier time at {told:?}", name(who))))
    }
}

pub(super) fn check<S: Subject>(seed: u64) -> Result<(), Violation> {
    let right = || Clock::new(seed, 0);
    let expected = run::<S>(seed, Duration::ZERO, right())?;
    compare(&expected, &run::<S>(seed, Duration::ZERO, right())?, "at the same time again")?;
    compare(&expected, &run::<S>(seed, Duration::from_secs(3600), right())?, "an hour later")?;
    let how = "told times that run backwards";
    // With a right clock it had no fault, so whatever is at fault now is the clock.
    let backwards = run::<S>(seed, Duration::ZERO, Clock::new(seed, 5_000))
        .map_err(|violation| LAW.broken(format!("{how}: {}", violation.what)))?;
    compare(&expected, &backwards, how)
}

fn compare(expected: &[Entry], actual: &[Entry], how: &str) -> Result<(), Violation> {
    let Some(shape) = difference(expected, actual, Detail::Shape) else { return Ok(()) };
    match difference(expected, actual, Detail::Bytes) {
        // The bytes were different before the times were: it is not the clock.
        Some(bytes) if bytes.index < shape.index => Err(Law::OneSeed.broken(format!("{how}: {bytes}"))),
        Some(_) | None => Err(LAW.broken(format!("{how}: {shape}"))),
    }
}

fn run<S: Subject>(seed: u64, shift: Duration, mut clock: Clock) -> Result<Vec<Entry>, Violation> {
    let mut pair = Pair::<S>::at(seed, shift).losing(seed);
    pair.run(&mut clock, S::PATIENCE, |_| false)?;
    Ok(pair.entries)
}
