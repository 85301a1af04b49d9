//! Law 6: whoever calls early and often gets the same.

use super::pair::{Driver, Good, Pair};
use super::record::{Detail, Entry, difference, name};
use super::{Law, Subject, Violation};
use std::time::Instant;

const LAW: Law = Law::EarlyCallsAreHarmless;

pub(super) fn check<S: Subject>(seed: u64) -> Result<(), Violation> {
    let expected = run::<S>(seed, &mut Good)?;
    match difference(&expected, &run::<S>(seed, &mut Fussy)?, Detail::Shape) {
        None => Ok(()),
        Some(difference) => Err(LAW.broken(format!("when called early and often: {difference}"))),
    }
}

fn run<S: Subject>(seed: u64, driver: &mut impl Driver<S>) -> Result<Vec<Entry>, Violation> {
    let mut pair = Pair::<S>::new(seed).losing(seed);
    pair.run(driver, S::PATIENCE, |_| false)?;
    Ok(pair.entries)
}

/// Calls everything several times, also when it is too early.
struct Fussy;

impl<S: Subject> Driver<S> for Fussy {
    fn after_timeout(&mut self, pair: &mut Pair<S>, who: usize) -> Result<(), Violation> {
        for _ in 0..3 {
            pair.poll_timeout(who);
            pair.handle_timeout(who, pair.now);
        }
        Ok(())
    }

    fn before_poll(&mut self, pair: &mut Pair<S>, who: usize) -> Result<(), Violation> {
        self.after_timeout(pair, who)
    }

    fn before_sleep(&mut self, pair: &mut Pair<S>, until: Instant) -> Result<(), Violation> {
        let asleep = pair.now;
        let part = until.duration_since(asleep) / 4;
        for early in [asleep, asleep + part, asleep + part * 2, asleep + part * 3].into_iter().filter(|at| *at < until)
        {
            pair.now = early;
            for who in [0, 1] {
                pair.handle_timeout(who, early);
                if pair.poll_transmit(who, early) || pair.poll_event(who) {
                    return Err(LAW.broken(format!("{} was called early, and did something early", name(who))));
                }
            }
        }
        pair.now = asleep;
        Ok(())
    }
}
