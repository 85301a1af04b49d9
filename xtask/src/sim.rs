//! `cargo xtask sim`: the simulated worlds, many seeds long.

use crate::{Error, Tally, process, test, tidy};

/// Run the simulated worlds (tests/network.rs, tests/sim_*.rs) with many seeds, in release.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many seeds each world runs with.
    #[arg(long, default_value_t = 1000)]
    pub(crate) seeds: u32,
}

impl Args {
    pub(crate) fn run(&self) -> Result<Tally, Error> {
        let mut names = tidy::test_targets(process::root())?;
        names.retain(|name| name == "network" || name.starts_with("sim_"));
        if names.is_empty() {
            return Err("no crate has a tests/network.rs or tests/sim_*.rs".into());
        }
        let mut command = process::cargo(&["test", "--release", "--workspace", "--no-fail-fast"]);
        for name in names {
            command.args(["--test", &name]);
        }
        command.args(["--", "--show-output"]).env("WIGWAG_SEEDS", self.seeds.to_string());
        test::libtest::run(&mut command)
    }
}
