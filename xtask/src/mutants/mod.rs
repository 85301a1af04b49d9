//! `cargo xtask long --part mutants`: takes away each line that guards against an attack, and asks for the test that sees it.

mod list;
mod scratch;
#[cfg(test)]
mod tests;
mod trial;

pub(crate) use list::{Mutant, read};

use crate::{Error, Tally};
use std::fmt;
use std::path::Path;
use std::time::Duration;
use trial::Trial;

/// What became of a mutant.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// The named test is red.
    Caught,
    /// It does not end: nobody would call that green.
    Hangs,
    /// It is as green as before.
    NotCaught,
    /// The guarded lines are not there, or there more than once.
    NotApplied(String),
    NotCompiled(String),
    /// There is no such test, or it is red without the mutant.
    NoTest(String),
}

impl Verdict {
    const fn is_good(&self) -> bool {
        matches!(self, Self::Caught | Self::Hangs)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Caught => write!(f, "caught"),
            Self::Hangs => write!(f, "caught: the test never ends"),
            Self::NotCaught => write!(f, "NOT CAUGHT"),
            Self::NotApplied(why) => write!(f, "DOES NOT APPLY: {why}"),
            Self::NotCompiled(why) => write!(f, "DOES NOT COMPILE: {why}"),
            Self::NoTest(why) => write!(f, "HAS NO TEST: {why}"),
        }
    }
}

/// How long a test may take, at least, before it is said to hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// Tries every mutant of the repository in `root` whose name contains one of `only`, or all of them if that is empty.
pub(crate) fn run(root: &Path, only: &[String]) -> Result<Tally, Error> {
    let mut mutants = read(root)?;
    mutants.retain(|mutant| only.is_empty() || only.iter().any(|part| mutant.name.contains(part.as_str())));
    if mutants.is_empty() {
        return Err("no mutant has such a name (xtask/mutants/)".into());
    }
    let mut tally = Tally::default();
    for (mutant, verdict) in judge(root, &mutants, PATIENCE)? {
        println!("{:6} {:40} {verdict}", if verdict.is_good() { "ok" } else { "FAILED" }, mutant.name);
        tally += Tally::of(verdict.is_good());
    }
    Ok(tally)
}

/// One after the other in a copy of the repository, so that nobody's work is touched and what was built is used again.
fn judge<'a>(root: &Path, mutants: &'a [Mutant], patience: Duration) -> Result<Vec<(&'a Mutant, Verdict)>, Error> {
    let tree = scratch::copy(root)?;
    let mut trial = Trial::new(root, &tree, patience);
    println!("{} mutants; first their tests without them", mutants.len());
    trial.prepare(mutants)?;
    let mut verdicts = Vec::new();
    for (index, mutant) in mutants.iter().enumerate() {
        let verdict = trial.of(mutant)?;
        println!("{}/{} {}: {verdict}", index + 1, mutants.len(), mutant.name);
        verdicts.push((mutant, verdict));
    }
    println!();
    Ok(verdicts)
}
