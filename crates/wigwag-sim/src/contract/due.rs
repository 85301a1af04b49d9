//! Law 5: who owes something says so, and who says so owes something.

use super::order::PASSING;
use super::pair::{Call, Good, Pair, choices, reference};
use super::record::name;
use super::{Law, Subject, Violation};
use std::time::Duration;

const LAW: Law = Law::OwedIsDue;
const CALLS: usize = 5_000;
/// How long a pair that has nothing more to do is watched.
const IDLE: Duration = Duration::from_secs(60);

pub(super) fn check<S: Subject>(seed: u64) -> Result<(), Violation> {
    reference::<S>(seed)?;
    let mut pair = Pair::<S>::new(seed);
    let mut rng = choices(seed, "due");
    for _ in 0..CALLS {
        let (who, call) = pair.anything(&mut rng, S::NETWORK, PASSING);
        match call {
            Call::Timeout => pays(&mut pair, who)?,
            Call::Command => admits(&mut pair, who, call)?,
            Call::Input | Call::PollTransmit | Call::PollEvent | Call::PollTimeout => {
                if rng.one_in(3) {
                    admits(&mut pair, who, call)?;
                }
            }
        }
        if rng.one_in(20) {
            pair.handle_timeout(who, pair.now);
            pair.drain(who, &mut Good)?;
        }
    }
    pair.run(&mut Good, IDLE, |_| false)
}

/// Who is not due owes nothing.
fn admits<S: Subject>(pair: &mut Pair<S>, who: usize, call: Call) -> Result<(), Violation> {
    if pair.is_due(who) {
        return Ok(());
    }
    let owed = match () {
        () if pair.poll_transmit(who, pair.now) => "a packet",
        () if pair.poll_event(who) => "an event",
        () => return Ok(()),
    };
    Err(LAW.broken(format!("{} owes {owed} after {call:?}, but is not due", name(who))))
}

/// Who is due after `handle_timeout` owes something.
fn pays<S: Subject>(pair: &mut Pair<S>, who: usize) -> Result<(), Violation> {
    let is_due = pair.is_due(who);
    let owes = pair.poll_transmit(who, pair.now) || pair.poll_event(who);
    match (is_due, owes) {
        (true, true) | (false, false) => Ok(()),
        (true, false) => Err(LAW.broken(format!("{} is due after handle_timeout, but owes nothing", name(who)))),
        (false, true) => Err(LAW.broken(format!("{} owes something after handle_timeout, but is not due", name(who)))),
    }
}
