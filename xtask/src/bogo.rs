//! `cargo xtask bogo`: BoringSSL's own suite against wigwag-dtls.

pub(crate) mod build;
mod names;

use crate::{Error, Tally, process};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Run BoringSSL's suite ("BoGo") against wigwag-dtls.
///
/// A required test counts only if it passed: what our shim does not know, and what did not run, has failed.
/// `cargo xtask setup --bogo` builds the runner; `bogo.json` says which tests are excluded, and why.
#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// Only this test, whether excluded or not; `*` stands for anything. May be repeated.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// The names of the required tests, one a line. By default `bogo-names/webrtc_core.txt` in the folder that
    /// WIGWAG_TESTDATA names. Without it all tests of DTLS are run, and what the shim does not know is skipped.
    #[arg(long, value_name = "FILE")]
    names: Option<PathBuf>,
}

/// Tests that are run apart: a peer with other timing than the runner expects ends the whole of it.
const APART: &str = "KeyUpdate-ProcessInOrder-DTLS";
/// All of DTLS: so the runner names its tests.
const ALL: &str = "*DTLS*";
/// What is printed of a failure; the rest is in the file of results.
const LINES_MAX: usize = 6;

/// Tests, as the runner tells them: result, and what the failure said.
type Results = BTreeMap<String, (String, String)>;

impl Args {
    pub(crate) fn run(&self) -> Result<Tally, Error> {
        let runner = build::runner()?;
        if !runner.is_file() {
            return Err(format!("there is no {}: `cargo xtask setup --bogo` builds it", runner.display()).into());
        }
        let excluded = names::excluded(&fs::read_to_string(process::root().join("bogo.json"))?)?;
        let required = self.required()?;
        let run = Run { runner, shim: build_shim()?, folder: process::root().join("target/bogo") };
        fs::create_dir_all(&run.folder)?;
        let patterns = match (&required, &self.only[..]) {
            (Some(names), []) => names.iter().filter(|name| !excluded.contains(*name)).cloned().collect(),
            (None, []) => vec![ALL.to_owned()],
            (_, only) => only.to_vec(),
        };
        let mut results = run.tests(&patterns)?;
        // The runner says nothing of tests that it did not come to.
        let awaited = patterns.iter().filter(|pattern| !pattern.contains('*'));
        for name in awaited {
            results.entry(name.clone()).or_insert(("FAIL".into(), "did not run".into()));
        }
        let may_skip = required.is_none() && self.only.is_empty();
        Ok(report(&results, may_skip))
    }

    /// The names of the required tests, if anybody says which those are.
    fn required(&self) -> Result<Option<Vec<String>>, Error> {
        let data = std::env::var_os("WIGWAG_TESTDATA").map(|data| Path::new(&data).join("bogo-names/webrtc_core.txt"));
        let file = self.names.clone().or(data.filter(|file| file.is_file()));
        file.map(|file| Ok(names::required(&fs::read_to_string(file)?))).transpose()
    }
}

/// The suite as a part of the gate: skipped where what it needs is not at hand.
pub(crate) fn gate() -> Result<Tally, Error> {
    let args = Args::default();
    match missing(build::runner()?.is_file(), args.required()?.is_some()) {
        Some(why) => {
            println!("skipped: BoringSSL's suite; {why}");
            Ok(Tally::skipped())
        }
        None => args.run(),
    }
}

const fn missing(has_runner: bool, has_names: bool) -> Option<&'static str> {
    match (has_runner, has_names) {
        (false, _) => Some("`cargo xtask setup --bogo` builds its runner"),
        (true, false) => Some("WIGWAG_TESTDATA does not say where the names of the required tests are"),
        (true, true) => None,
    }
}

/// Builds the shim, and says where it is.
fn build_shim() -> Result<PathBuf, Error> {
    if process::build_programs()?.failed > 0 {
        return Err("the shim does not build".into());
    }
    Ok(process::built("examples/bogo_shim").get_program().into())
}

struct Run {
    runner: PathBuf,
    shim: PathBuf,
    folder: PathBuf,
}

impl Run {
    /// Runs what matches `patterns`, and what must be apart after the others.
    fn tests(&self, patterns: &[String]) -> Result<Results, Error> {
        let (apart, together): (Vec<_>, Vec<_>) = patterns.iter().map(String::as_str).partition(|name| *name == APART);
        let is_alone = !apart.is_empty() || together.contains(&ALL);
        let mut results = Results::new();
        if !together.is_empty() {
            results.append(&mut self.once("results.json", &together.join(";"), &["-skip", APART])?);
        }
        if is_alone {
            results.append(&mut self.once("results-apart.json", APART, &[])?);
        }
        Ok(results)
    }

    fn once(&self, file: &str, patterns: &str, more: &[&str]) -> Result<Results, Error> {
        let output = self.folder.join(file);
        if output.exists() {
            fs::remove_file(&output)?;
        }
        let mut command = process::program(&self.runner, &["-pipe", "-allow-unimplemented", "-loose-errors"]);
        command.args(more).arg("-shim-path").arg(&self.shim).arg("-json-output").arg(&output);
        println!("\n$ {} … -json-output {}", self.runner.display(), output.display());
        // Why something failed comes later and once; that a test is one of many is no failure of the runner.
        command.args(["-test", patterns]).current_dir(&self.folder).output()?;
        Ok(if output.exists() { names::results(&fs::read_to_string(output)?)? } else { Results::new() })
    }
}

/// Prints what did not pass.
fn report(results: &Results, may_skip: bool) -> Tally {
    let mut tally = Tally::default();
    for (name, (result, error)) in results {
        match (&**result, may_skip) {
            ("PASS", _) => tally.passed += 1,
            ("SKIP", true) => tally.skipped += 1,
            ("SKIP", false) => {
                println!("UNKNOWN {name}: the shim does not do what the test asks of it");
                tally.failed += 1;
            }
            _ => {
                println!("FAILED  {name}");
                error
                    .lines()
                    .filter(|line| !line.is_empty())
                    .take(LINES_MAX)
                    .for_each(|line| println!("        {line}"));
                tally.failed += 1;
            }
        }
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(result: &str, may_skip: bool) -> Tally {
        report(&Results::from([("A-DTLS".to_owned(), (result.to_owned(), String::new()))]), may_skip)
    }

    #[test]
    fn the_gate_skips_the_suite_only_where_it_cannot_run() {
        assert_eq!([(false, false), (false, true), (true, false)].map(|(a, b)| missing(a, b).is_some()), [true; 3]);
        assert_eq!(missing(true, true), None);
    }

    #[test]
    fn a_required_test_counts_only_if_it_passed() {
        assert_eq!(tally("PASS", false), Tally::of(true));
        for other in ["FAIL", "SKIP", "anything"] {
            assert_eq!(tally(other, false), Tally::of(false));
        }
        assert_eq!(tally("SKIP", true), Tally::skipped());
    }
}
