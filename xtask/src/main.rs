//! The commands of a contributor. `cargo xtask --help` lists them, docs/testing.md explains them.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program whose results are what it prints")]

mod bench;
mod bogo;
mod fetch;
mod fuzz;
mod interop;
mod long;
mod mutants;
mod process;
mod rfc;
mod setup;
mod sim;
mod tally;
mod test;
mod tidy;

use clap::Parser;
use std::process::ExitCode;
use tally::Tally;

/// What a command can end with, when it could not do its work at all.
type Error = Box<dyn std::error::Error>;

/// The commands of a contributor to wigwag.
///
/// Only `setup` installs anything. Checks end with the line "N passed, N failed, N skipped"; their exit code is 0 only
/// if nothing failed, and, where the environment says CI=true, only if nothing was skipped.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// End with one line more: {"passed":n,"failed":n,"skipped":n}.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(clap::Subcommand)]
enum Command {
    Setup(setup::Args),
    Test(test::Args),
    Tidy(tidy::Args),
    Rfc(rfc::Args),
    Sim(sim::Args),
    Fuzz(fuzz::Args),
    Interop(interop::Args),
    Bogo(bogo::Args),
    Bench(bench::Args),
    Long(long::Args),
}

impl Command {
    fn run(&self, json: bool) -> Result<Tally, Error> {
        match self {
            Self::Setup(args) => args.run(),
            Self::Test(args) => args.run(),
            Self::Tidy(args) => args.run(),
            Self::Rfc(args) => args.run(),
            Self::Sim(args) => args.run(),
            Self::Fuzz(args) => args.run(),
            Self::Interop(args) => args.run(),
            Self::Bogo(args) => args.run(),
            Self::Bench(args) => args.run(json),
            Self::Long(args) => args.run(),
        }
    }

    /// Whether skipping is what the caller asked for.
    fn may_skip(&self) -> bool {
        matches!(self, Self::Test(args) if args.without_testdata)
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let json = cli.json || matches!(&cli.command, Command::Interop(args) if args.wants_json());
    let tally = match cli.command.run(json) {
        Ok(tally) => tally,
        Err(error) => {
            eprintln!("error: {error}");
            Tally { failed: 1, ..Tally::default() }
        }
    };
    // A bench has printed its rows, which come last.
    let is_bench = matches!(cli.command, Command::Bench(_));
    if !is_bench || tally.failed > 0 {
        println!("{tally}");
    }
    if json && !is_bench {
        println!("{}", tally.json());
    }
    let is_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    if tally.failed > 0 || (is_ci && tally.skipped > 0 && !cli.command.may_skip()) {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn json_is_understood_before_and_after_the_command() {
        assert!(Cli::parse_from(["xtask", "--json", "tidy"]).json);
        assert!(Cli::parse_from(["xtask", "tidy", "--json"]).json);
    }
}
