//! Law 9: what does nothing costs nothing, however many parts there are.

use super::{Law, Subject, Violation};
use crate::origin;

const FEW: usize = 8;
const MANY: usize = 512;
const IDLE_ROUNDS: u64 = 100;
/// So many more parts may be looked at with many parts than with few: a tree of them is deeper.
const DEEPER: u64 = 16;

pub(super) fn check<S: Subject>(seed: u64) -> Result<(), Violation> {
    let (Some(few), Some(many)) = (visits::<S>(seed, FEW), visits::<S>(seed, MANY)) else { return Ok(()) };
    for (what, few, many) in [("idle round", few.idle, many.idle), ("command", few.command, many.command)] {
        if many > few + DEEPER {
            let what = format!("with {FEW} parts an {what} looks at {few} of them, with {MANY} parts at {many}");
            return Err(Law::CostFollowsWork.broken(what));
        }
    }
    Ok(())
}

struct Visits {
    /// By each round of all calls that yields nothing.
    idle: u64,
    /// By a command, and all that is sent because of it.
    command: u64,
}

fn visits<S: Subject>(seed: u64, parts: usize) -> Option<Visits> {
    let now = origin();
    let mut subject = S::crowd(seed, parts, now)?;
    let mut out = Vec::new();
    let mut round = |subject: &mut S| {
        subject.handle_timeout(now);
        while subject.poll_transmit(now, &mut out).is_some() | subject.poll_event() {}
        subject.poll_timeout(now);
    };
    round(&mut subject);
    let settled = subject.visits()?;
    (0..IDLE_ROUNDS).for_each(|_| round(&mut subject));
    let idled = subject.visits()?;
    let _ = subject.command(0);
    round(&mut subject);
    let commanded = subject.visits()?;
    Some(Visits { idle: (idled - settled) / IDLE_ROUNDS, command: commanded - idled })
}
