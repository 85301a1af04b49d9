//! `cargo xtask interop`: other people's programs as counterparties.

use crate::test::libtest;
use crate::{Error, Tally, process};
use std::path::Path;
use std::thread;

/// Run wigwag against browsers and other stacks (the program of the workspace in interop/), and print the matrix; and
/// single protocols against other implementations of them (the tests there).
///
/// All arguments are handed on; `cargo xtask interop -- --help` lists them. Without any, everybody is tried; `--dtls` alone
/// is for the tests of DTLS; the usual ones are `--browser chromium`, `--browser firefox`, `--peer aiortc` (or werift,
/// node-datachannel, roamhq, gstreamer) and `--smoke`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// For the program in interop/.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

const MANIFEST: &str = "interop/Cargo.toml";
/// What tests have skipped is told by those that passed.
const SHOW: &str = "--show-output";

/// Whether this repository has counterparties.
pub(crate) fn exists() -> bool {
    process::root().join(MANIFEST).is_file()
}

/// Runs the program of interop/, optimised as tests are: what it drives is a browser and a release build of `wigwag`.
pub(crate) fn run(args: &[&str]) -> Result<Tally, Error> {
    build()?;
    run_built(args)
}

/// Builds the program, and the tests with it: what they need gives dependencies other features, with which all would be built again.
fn build() -> Result<(), Error> {
    let args = ["build", "--quiet", "--manifest-path", MANIFEST, "--bins", "--tests"];
    let tally = process::step(&mut process::cargo_beside(&args))?;
    if tally.failed > 0 { Err("the program in interop/ does not build".into()) } else { Ok(()) }
}

fn run_built(args: &[&str]) -> Result<Tally, Error> {
    process::counted(process::built("interop").args(args).arg("--json"))
}

/// Everybody, Chromium beside all others: each has a network of its own, and both wait more than they work.
fn everybody() -> Result<Tally, Error> {
    build()?;
    let others = thread::spawn(|| run_built(&["--without", "chromium"]).map_err(|error| error.to_string()));
    let mut tally = run_built(&["--browser", "chromium"])?;
    tally += others.join().map_err(|_| "who runs the others panicked")??;
    Ok(tally)
}

/// The tests there, all of them or `which`: single protocols with those who are programs, or written in Rust.
fn tests(which: &[&str]) -> Result<Tally, Error> {
    let mut command = process::cargo_beside(&["test", "--manifest-path", MANIFEST, "--no-fail-fast"]);
    libtest::run(command.args(which).args(["--", SHOW]))
}

/// DTLS and SCTP with those who must be compiled with C; `wolfssl` is where that library is.
pub(crate) fn compiled(wolfssl: &Path) -> Result<Tally, Error> {
    let parts: [(&str, &str, &[&str]); 2] = [("usrsctp", "sctp", &[]), ("compiled", "dtls", &["boring", "wolfssl"])];
    let mut tally = Tally::default();
    for (feature, test, names) in parts {
        let with = ["--quiet", "--manifest-path", MANIFEST, "--features", feature, "--test", test];
        tally += process::step(process::cargo_beside(&["clippy"]).args(with).args(["--", "-D", "warnings"]))?;
        let mut tests = process::cargo_beside(&["test"]);
        tally += libtest::run(tests.args(with).args(["--", SHOW]).args(names).env("WIGWAG_WOLFSSL", wolfssl))?;
    }
    Ok(tally)
}

impl Args {
    pub(crate) fn wants_json(&self) -> bool {
        self.args.iter().any(|arg| arg == "--json")
    }

    pub(crate) fn run(&self) -> Result<Tally, Error> {
        if !exists() {
            return Err("there is no interop/Cargo.toml yet".into());
        }
        let args: Vec<_> = self.args.iter().map(String::as_str).filter(|arg| *arg != "--json").collect();
        match &args[..] {
            ["--dtls"] => tests(&["--test", "dtls"]),
            [] => {
                let mut tally = everybody()?;
                tally += tests(&[])?;
                Ok(tally)
            }
            _ => run(&args),
        }
    }
}
