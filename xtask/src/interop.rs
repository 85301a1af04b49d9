//! `cargo xtask interop`: other people's programs as counterparties.

use crate::{Error, Tally, process};

/// Run wigwag against browsers and other stacks (the program of the workspace in interop/), and print the matrix.
///
/// All arguments are handed on; `cargo xtask interop -- --help` lists them. Without any, everybody is tried; the usual
/// ones are `--browser chromium`, `--browser firefox`, `--peer aiortc` (or werift, node-datachannel, roamhq) and `--smoke`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// For the program in interop/.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

const MANIFEST: &str = "interop/Cargo.toml";

/// Whether this repository has counterparties.
pub(crate) fn exists() -> bool {
    process::root().join(MANIFEST).is_file()
}

/// Runs the program of interop/, optimised as tests are: what it drives is a browser and a release build of `wigwag`.
pub(crate) fn run(args: &[&str]) -> Result<Tally, Error> {
    let mut command = process::cargo_beside(&["run", "--quiet", "--manifest-path", MANIFEST, "--"]);
    process::counted(command.args(args).arg("--json"))
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
        run(&args)
    }
}
