//! `cargo xtask test`: what a change must pass.

mod browser;
mod examples;
pub(crate) mod libtest;

use crate::{Error, Tally, bogo, process, rfc, tidy};
use std::env;
use std::process::Command;
use std::time::Instant;

/// Run the tests: all of them, or with --quick those that need only Rust.
///
/// Quick: formatting, clippy, tidy, conformance page, unit, vector, property, contract and doc tests with 50 seeds a
/// simulated world, the fuzzing corpora, and the examples. All: the same with 200 seeds a world, DTLS and SRTP with the feature
/// aws-lc-rs, the driver with its feature tls, the documentation, the packages, a call over loopback, and, where they are installed, BoringSSL's suite and a browser.
///
/// What cannot run is printed with the command that would provide it, and counted as skipped.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only what needs nothing but Rust.
    #[arg(long)]
    quick: bool,
    /// Other people's test data are not at hand, and this is known: skipping what needs them is no failure where CI=true.
    #[arg(long)]
    pub(crate) without_testdata: bool,
    /// Only this step (may be repeated).
    #[arg(long, value_parser = ALL.map(|(name, _)| name))]
    only: Vec<String>,
}

/// The name of a step, and what it does.
type Step = (&'static str, fn() -> Result<Tally, Error>);

const QUICK: [Step; 7] = [
    ("format", format),
    ("clippy", clippy),
    ("tidy", || tidy::check(process::root())),
    ("conformance", rfc::check),
    ("tests", || tests("50")),
    ("corpora", corpora),
    ("examples", examples::run),
];

const ALL: [Step; 13] = [
    QUICK[0],
    QUICK[1],
    QUICK[2],
    QUICK[3],
    ("tests", || tests("200")),
    QUICK[5],
    QUICK[6],
    ("backend", backend),
    ("documentation", documentation),
    ("packages", tidy::package),
    ("loopback", loopback),
    ("bogo", bogo::gate),
    ("browser", browser::smoke),
];

impl Args {
    pub(crate) fn run(&self) -> Result<Tally, Error> {
        let steps = if self.quick { QUICK.as_slice() } else { ALL.as_slice() };
        let is_wanted = |name: &str| self.only.is_empty() || self.only.iter().any(|only| only == name);
        let mut lines = Vec::new();
        let mut total = Tally::default();
        for (name, step) in steps.iter().filter(|(name, _)| is_wanted(name)) {
            println!("\n=== {name}");
            let start = Instant::now();
            let tally = step().unwrap_or_else(|error| {
                println!("error: {error}");
                Tally::of(false)
            });
            lines.push(format!("{name:14} {:5.0} s   {tally}", start.elapsed().as_secs_f64()));
            total += tally;
        }
        println!("\n=== summary\n{}\n", lines.join("\n"));
        Ok(total)
    }
}

/// Our manifests: the workspace and those beside it.
fn manifests() -> impl Iterator<Item = &'static str> {
    ["Cargo.toml", "fuzz/Cargo.toml", "interop/Cargo.toml", "bench/Cargo.toml"]
        .into_iter()
        .filter(|path| process::root().join(path).is_file())
}

fn format() -> Result<Tally, Error> {
    let mut tally = Tally::default();
    for manifest in manifests() {
        let all = (manifest == "Cargo.toml").then_some("--all");
        tally += process::step(process::cargo(&["fmt", "--check", "--manifest-path", manifest]).args(all))?;
    }
    Ok(tally)
}

fn clippy() -> Result<Tally, Error> {
    let mut tally = Tally::default();
    for manifest in manifests() {
        let args =
            ["clippy", "--quiet", "--workspace", "--all-targets", "--manifest-path", manifest, "--", "-D", "warnings"];
        tally += process::step(&mut process::cargo_beside(&args))?;
    }
    Ok(tally)
}

fn tests(seeds: &str) -> Result<Tally, Error> {
    let mut command = process::cargo(&["test", "--workspace", "--no-fail-fast", "--", "--show-output"]);
    libtest::run(draw_the_same(&mut command).env("WIGWAG_SEEDS", seeds))
}

/// DTLS and SRTP with their other cryptography: the same tests, but for those that compare bytes of a handshake. And the driver with TLS,
/// over that cryptography, so that all is built once.
fn backend() -> Result<Tally, Error> {
    let features = "wigwag-dtls/aws-lc-rs,wigwag-srtp/aws-lc-rs,wigwag-mio/tls";
    let packages = ["-p", "wigwag-dtls", "-p", "wigwag-srtp", "-p", "wigwag-mio"];
    let mut command = process::cargo(&["test", "--no-fail-fast", "--features", features]);
    libtest::run(draw_the_same(&mut command).env("WIGWAG_SEEDS", "50").args(packages).args(["--", "--show-output"]))
}

/// The corpora through the fuzz targets, on stable.
fn corpora() -> Result<Tally, Error> {
    let mut command = process::cargo_beside(&["test", "--manifest-path", "fuzz/Cargo.toml", "--no-fail-fast"]);
    libtest::run(draw_the_same(&mut command).args(["--", "--show-output"]))
}

/// Properties draw the same each time, so that a change is judged by what it does; `cargo xtask sim` draws anew.
fn draw_the_same(command: &mut Command) -> &mut Command {
    const VARIABLE: &str = "PROPTEST_RNG_SEED";
    match env::var_os(VARIABLE) {
        Some(_) => command,
        None => command.env(VARIABLE, "1"),
    }
}

fn documentation() -> Result<Tally, Error> {
    let mut command = process::cargo(&["doc", "--quiet", "--workspace", "--no-deps"]);
    process::step(command.env("RUSTDOCFLAGS", "-D warnings"))
}

/// Two of our peers over real sockets, as fast as they can with all assertions.
fn loopback() -> Result<Tally, Error> {
    let tally = process::build_programs()?;
    if tally.failed > 0 {
        return Ok(tally);
    }
    process::step(process::built("wigwag").args(["loopback", "--seconds", "3", "--json"]))
}
