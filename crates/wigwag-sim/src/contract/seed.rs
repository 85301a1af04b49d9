//! Law 7: the same seed, commands and inputs make the same bytes.

use super::order::PASSING;
use super::pair::{Good, Pair, choices};
use super::record::{Detail, Entry, difference};
use super::{Law, Subject, Violation};
use std::time::Duration;

const CALLS: usize = 1_500;
const AFTERWARDS: Duration = Duration::from_secs(10);

pub(super) fn check<S: Subject>(seed: u64) -> Result<(), Violation> {
    let expected = run::<S>(seed, Duration::ZERO)?;
    for (how, shift) in [("again", Duration::ZERO), ("a day later", Duration::from_secs(86_400))] {
        if let Some(difference) = difference(&expected, &run::<S>(seed, shift)?, Detail::Bytes) {
            return Err(Law::OneSeed.broken(format!("{how}: {difference}")));
        }
    }
    Ok(())
}

fn run<S: Subject>(seed: u64, shift: Duration) -> Result<Vec<Entry>, Violation> {
    let mut pair = Pair::<S>::at(seed, shift);
    let mut rng = choices(seed, "seed");
    for _ in 0..CALLS {
        pair.anything(&mut rng, S::NETWORK, PASSING);
    }
    pair.run(&mut Good, AFTERWARDS, |_| false)?;
    Ok(pair.entries)
}
