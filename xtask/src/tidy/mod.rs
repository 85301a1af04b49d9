//! `cargo xtask tidy`: the invariants of docs/architecture.md that no compiler checks.

mod attacks;
mod crates;
mod policy;
mod public;
mod rules;
mod source;
#[cfg(test)]
mod tests;
mod workspace;

pub(crate) use crates::package;

use crate::{Error, Tally, process};
use std::path::Path;
use workspace::{Package, Workspace};

/// Check what no compiler checks: arrows between crates, doors of ciphers, bans, dead files, READMEs, crate counts.
///
/// What it holds the repository to stands in xtask/src/tidy/policy.rs.
#[derive(clap::Args)]
pub(crate) struct Args {}

impl Args {
    #[expect(clippy::unused_self, reason = "as all commands")]
    pub(crate) fn run(&self) -> Result<Tally, Error> {
        check(process::root())
    }
}

/// Every rule on the workspace in `root`.
pub(crate) fn check(root: &Path) -> Result<Tally, Error> {
    let workspace = Workspace::load(root)?;
    let mut tally = report("number of crates", &crates::count(&workspace)?);
    for (name, rule) in rules::RULES {
        tally += report(name, &rule(&workspace));
    }
    Ok(tally)
}

fn report(name: &str, wrong: &[String]) -> Tally {
    println!("{:6} {name}", if wrong.is_empty() { "ok" } else { "FAILED" });
    for line in wrong {
        println!("       {line}");
    }
    Tally::of(wrong.is_empty())
}

/// The files in `crates/*/src`, with their text.
pub(crate) fn sources(root: &Path) -> Result<Vec<(String, String)>, Error> {
    workspace::sources(root)
}

/// The integration tests that draw: worlds from seeds, or properties.
pub(crate) fn drawing_tests(root: &Path) -> Result<Vec<String>, Error> {
    let packages = Workspace::load(root)?.packages;
    let mut names: Vec<_> = packages.iter().flat_map(Package::drawing_tests).map(str::to_owned).collect();
    names.sort();
    names.dedup();
    Ok(names)
}
