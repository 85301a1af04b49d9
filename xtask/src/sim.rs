//! `cargo xtask sim`: the simulated worlds, many seeds long.

use crate::{Error, Tally, process, test, tidy};

/// Run all tests that draw, simulated worlds with many seeds and properties with new ones, in release.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many seeds each world runs with.
    #[arg(long, default_value_t = 1000)]
    pub(crate) seeds: u32,
}

impl Args {
    pub(crate) fn run(&self) -> Result<Tally, Error> {
        let names = tidy::drawing_tests(process::root())?;
        if names.is_empty() {
            return Err("no crate has a test that draws from wigwag_sim::seeds or with proptest".into());
        }
        let mut command = process::cargo(&["test", "--release", "--workspace", "--no-fail-fast"]);
        for name in names {
            command.args(["--test", &name]);
        }
        command.args(["--", "--show-output"]).env("WIGWAG_SEEDS", self.seeds.to_string());
        test::libtest::run(&mut command)
    }
}
