//! `cargo xtask long`: what takes too long for every change.

use crate::setup::wolfssl;
use crate::{Error, Tally, fuzz, interop, mutants, process, sim};

/// Run what takes long: many seeds, fuzzing, mutants, peers that must be compiled, long calls of browsers, the oldest compiler, the licences.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only this part (may be repeated); all of them without it.
    #[arg(long, value_enum)]
    part: Vec<Part>,
    /// Of the mutants, only those whose name contains this (may be repeated).
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// 10,000 seeds a world.
    Seeds,
    /// 60 seconds a target.
    Fuzz,
    /// Without each line that guards against an attack, the test that docs/security.md names must go red.
    Mutants,
    /// DTLS with BoringSSL and wolfSSL, SCTP with usrsctp, which are compiled with C.
    Peers,
    /// What browsers and wigwag hold when they have rested for some minutes, and pictures on a path that becomes narrow and wide again.
    Browsers,
    /// The workspace compiles with the oldest compiler that it promises (rustup).
    Msrv,
    /// Licences, bans and sources of all dependencies (cargo-deny).
    Deny,
}

impl Args {
    pub(crate) fn run(&self) -> Result<Tally, Error> {
        let mut tally = Tally::default();
        for part in [Part::Msrv, Part::Deny, Part::Mutants, Part::Peers, Part::Browsers, Part::Seeds, Part::Fuzz] {
            if self.part.is_empty() || self.part.contains(&part) {
                tally += part.run(&self.only)?;
            }
        }
        Ok(tally)
    }
}

impl Part {
    fn run(self, only: &[String]) -> Result<Tally, Error> {
        match self {
            Self::Seeds => sim::Args { seeds: 10_000 }.run(),
            Self::Fuzz => fuzz::Args { seconds: 60, target: None }.run(),
            Self::Mutants => mutants::run(process::root(), only),
            Self::Peers if !wolfssl::is_built()? => Err("wolfSSL is missing: cargo xtask setup --compiled".into()),
            Self::Peers => interop::compiled(&wolfssl::folder()?),
            Self::Browsers => interop::run(&["--long", "--browser", "chromium", "--browser", "firefox"]),
            Self::Msrv => msrv(),
            Self::Deny if process::find("cargo-deny").is_none() => {
                Err("cargo-deny is missing: cargo install cargo-deny --locked".into())
            }
            Self::Deny => process::step(&mut process::cargo(&["deny", "check", "bans", "licenses", "sources"])),
        }
    }
}

fn msrv() -> Result<Tally, Error> {
    const OLDEST: &str = env!("CARGO_PKG_RUST_VERSION");
    let toolchains = process::output(&mut process::program("rustup", &["toolchain", "list"]))?;
    if !toolchains.lines().any(|line| line.starts_with(OLDEST)) {
        return Err(format!("the compiler is missing: rustup toolchain install {OLDEST} --profile minimal").into());
    }
    let args = ["run", OLDEST, "cargo", "check", "--workspace", "--all-targets", "--target-dir", "target/msrv"];
    process::step(&mut process::program("rustup", &args))
}
