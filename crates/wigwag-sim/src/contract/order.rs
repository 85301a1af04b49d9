//! Law 4: the outcome does not depend on the order of calls.

use super::pair::{Good, Pair, choices, reference};
use super::{Law, Network, Subject, Violation};
use std::time::Duration;

const LAW: Law = Law::NoOrder;
/// How often each seed is driven in another order; half of them on the subject's network, half on a good one.
pub(super) const INTERLEAVINGS: u64 = 26;
/// How many calls are made in any order, before a good driver finishes what was begun.
const CALLS: usize = 1_500;
/// How much time passes now and then.
pub(super) const PASSING: Duration = Duration::from_millis(20);

pub(super) fn check<S: Subject>(seed: u64) -> Result<(), Violation> {
    let (_, expected) = reference::<S>(seed)?;
    if Pair::<S>::new(seed).outcome() == expected {
        return Err(LAW.broken(format!("nothing came of it all:\n{expected}")));
    }
    (0..INTERLEAVINGS / 2).try_for_each(|n| {
        interleave::<S>(seed, n, &expected, S::NETWORK, PASSING)?;
        interleave::<S>(seed, n, &expected, Network::Ordered, Duration::ZERO)
    })
}

/// Where no time passes and nothing is lost, nothing is sent twice: retransmission hides what was lost by mistake.
fn interleave<S: Subject>(
    seed: u64,
    n: u64,
    expected: &str,
    network: Network,
    passing: Duration,
) -> Result<(), Violation> {
    let mut pair = Pair::<S>::new(seed);
    let mut rng = choices(seed, &format!("order {n}"));
    for machine in &mut pair.machines {
        if let Some(wire) = machine.wire() {
            wire.max_segments = [1, 2, 10][rng.below(3) as usize];
        }
    }
    for _ in 0..CALLS {
        pair.anything(&mut rng, network, passing);
    }
    let how = format!("after {CALLS} calls in order {n} ({network:?}, time passes: {})", !passing.is_zero());
    pair.settle(&mut Good, expected, LAW, &how)?;
    let again = pair.machines.iter().map(S::retransmitted).sum::<u64>();
    if passing.is_zero() && again > 0 {
        return Err(LAW.broken(format!("{how}, {again} packets were sent again, although nothing was lost")));
    }
    Ok(())
}
