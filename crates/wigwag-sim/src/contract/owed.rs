//! Law 2: a packet waits until it is asked for, and until it fits.

use super::pair::{Driver, Pair, choices, reference};
use super::record::{Detail, difference, name};
use super::{Law, Subject, Violation};
use std::time::Duration;
use wigwag_sansio::Rng;

/// No packet of any protocol is so short.
const TOO_SMALL: [usize; 4] = [0, 1, 3, 7];
/// After so many polls even the driver with small limits offers enough.
const SMALL_POLLS: usize = 300;

pub(super) fn check<S: Subject>(seed: u64) -> Result<(), Violation> {
    let (entries, expected) = reference::<S>(seed)?;
    Pair::<S>::new(seed).settle(&mut Late(choices(seed, "late")), &expected, LAW, "polled late")?;

    let mut pair = Pair::<S>::new(seed);
    if pair.machines[0].wire().is_none() {
        return Ok(());
    }
    let mut tight = Tight { has_fitted: false };
    pair.run(&mut tight, S::PATIENCE, |_| false)?;
    if !tight.has_fitted
        && let Some(difference) = difference(&entries, &pair.entries, Detail::Shape)
    {
        return Err(LAW.broken(format!("after polls with too small a limit: {difference}")));
    }
    let mut varied = Varied { rng: choices(seed, "limits"), polls: 0, full: [None; 2] };
    Pair::<S>::new(seed).settle(&mut varied, &expected, LAW, "with limits that vary")
}

const LAW: Law = Law::PacketsAreOwed;

/// Comes a millisecond after a packet was owed, and handles timeouts first.
struct Late(Rng);

impl<S: Subject> Driver<S> for Late {
    fn after_timeout(&mut self, pair: &mut Pair<S>, who: usize) -> Result<(), Violation> {
        while pair.poll_event(who) {}
        // No event is owed and no timer is due: if it is due, it owes a packet.
        if self.0.one_in(2) && pair.is_due(who) {
            pair.now += Duration::from_millis(1);
            pair.handle_timeout(who, pair.now);
            if !pair.poll_transmit(who, pair.now) && !pair.poll_event(who) {
                return Err(LAW.broken(format!("{} owed a packet, and a millisecond later does not", name(who))));
            }
        }
        Ok(())
    }
}

/// Asks with limits into which nothing fits, before it asks properly.
struct Tight {
    /// Something did fit: the record is another one then, and rightly so.
    has_fitted: bool,
}

impl<S: Subject> Driver<S> for Tight {
    fn before_poll(&mut self, pair: &mut Pair<S>, who: usize) -> Result<(), Violation> {
        let Some(full) = pair.machines[who].wire().map(|wire| wire.limit) else { return Ok(()) };
        for limit in TOO_SMALL {
            set_limit(pair, who, limit);
            self.has_fitted |= pair.poll_transmit(who, pair.now);
        }
        set_limit(pair, who, full);
        Ok(())
    }
}

/// Asks with another limit each time; at last with enough.
struct Varied {
    rng: Rng,
    polls: usize,
    full: [Option<usize>; 2],
}

impl<S: Subject> Driver<S> for Varied {
    fn before_poll(&mut self, pair: &mut Pair<S>, who: usize) -> Result<(), Violation> {
        let Some(limit) = pair.machines[who].wire().map(|wire| wire.limit) else { return Ok(()) };
        let full = *self.full[who].get_or_insert(limit);
        self.polls += 1;
        if self.polls < SMALL_POLLS {
            let limit = self.rng.below(full as u64) as usize;
            set_limit(pair, who, limit);
            pair.poll_transmit(who, pair.now);
        }
        // The good driver asks until nothing is owed: with a limit that is too small it would ask forever.
        set_limit(pair, who, full);
        Ok(())
    }
}

fn set_limit<S: Subject>(pair: &mut Pair<S>, who: usize, limit: usize) {
    if let Some(wire) = pair.machines[who].wire() {
        wire.limit = limit;
    }
}
