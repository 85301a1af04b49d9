//! `cargo xtask fuzz`: hostile bytes, found by libFuzzer.

use crate::{Error, Tally, process};
use std::fs;

/// Run the fuzz targets of fuzz/ with libFuzzer (needs nightly and cargo-fuzz).
///
/// Without them, `cargo test --manifest-path fuzz/Cargo.toml` replays the corpora and their mutations on stable; the
/// command `test` does so too.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How long each target runs.
    #[arg(long, default_value_t = 60)]
    pub(crate) seconds: u32,
    /// Only this target; all of fuzz/fuzz_targets without it.
    pub(crate) target: Option<String>,
}

impl Args {
    pub(crate) fn run(&self) -> Result<Tally, Error> {
        if process::find("cargo-fuzz").is_none() {
            return Err(
                "cargo-fuzz is missing: rustup toolchain install nightly && cargo install cargo-fuzz --locked".into()
            );
        }
        let targets = match &self.target {
            Some(target) => vec![target.clone()],
            None => targets()?,
        };
        let mut tally = Tally::default();
        for target in targets {
            let mut command =
                process::program("rustup", &["run", "nightly", "cargo", "fuzz", "run", "--fuzz-dir", "fuzz"]);
            command.args([&target, "--", &format!("-max_total_time={}", self.seconds), "-timeout=10"]);
            tally += process::step(&mut command)?;
        }
        Ok(tally)
    }
}

/// The names of all targets, in order.
fn targets() -> Result<Vec<String>, Error> {
    let mut names = Vec::new();
    for entry in fs::read_dir(process::root().join("fuzz/fuzz_targets"))? {
        names.extend(entry?.path().file_stem().map(|name| name.display().to_string()));
    }
    names.sort();
    Ok(names)
}
