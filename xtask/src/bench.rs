//! `cargo xtask bench`: wigwag beside other stacks.

use crate::{Error, Tally, process};

/// Measure wigwag beside other stacks in one run (the program of the workspace in bench/).
///
/// With --json it ends with {"rows":[{"work":…,"unit":…,"better":…,"ours":…,"peer":…,"peer_name":…}]}.
#[derive(clap::Args)]
pub(crate) struct Args {}

impl Args {
    #[expect(clippy::unused_self, reason = "as every command")]
    pub(crate) fn run(&self, json: bool) -> Result<Tally, Error> {
        let manifest = ["run", "--quiet", "--release", "--manifest-path", "bench/Cargo.toml", "--"];
        let mut command = process::cargo_beside(&manifest);
        process::step(command.args(json.then_some("--json")))
    }
}
