//! `cargo xtask setup`: the only command that installs anything.

use crate::{Error, Tally, process};

/// Install what the tests can use beyond Rust: browsers, network namespaces and tshark (apt, as root).
///
/// Everywhere else it prints what to install. No other command installs anything.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only print what would be installed.
    #[arg(long)]
    dry_run: bool,
}

/// Programs any one of which will do, the package of Debian that has them, and what they are for.
const WANTED: [(&[&str], &str, &str); 4] = [
    (&["chromium", "chromium-browser", "google-chrome"], "chromium", "interop with Chromium"),
    (&["firefox-esr", "firefox"], "firefox-esr", "interop with Firefox"),
    (&["ip"], "iproute2", "network namespaces for interop"),
    (&["tshark"], "tshark", "reads the captures that the program writes"),
];

/// What each tier can use that no package of Debian brings.
const BY_HAND: [(&str, &str, &str); 2] = [
    ("cargo-fuzz", "rustup toolchain install nightly && cargo install cargo-fuzz --locked", "cargo xtask fuzz"),
    ("cargo-deny", "cargo install cargo-deny --locked", "cargo xtask long --part deny"),
];

impl Args {
    pub(crate) fn run(&self) -> Result<Tally, Error> {
        let (present, missing): (Vec<_>, Vec<_>) =
            WANTED.into_iter().partition(|(programs, ..)| programs.iter().any(|name| process::find(name).is_some()));
        for (_, package, purpose) in &present {
            println!("present:   {package} ({purpose})");
        }
        for (name, install, purpose) in BY_HAND {
            if process::find(name).is_none() {
                println!("by hand:   {install}   (only for `{purpose}`)");
            }
        }
        let mut tally = Tally { passed: present.len() as u64, ..Tally::default() };
        if !missing.is_empty() {
            tally += self.install(&missing)?;
        }
        Ok(tally)
    }

    fn install(&self, missing: &[(&[&str], &str, &str)]) -> Result<Tally, Error> {
        let packages: Vec<_> = missing.iter().map(|(_, package, _)| *package).collect();
        let count = packages.len() as u64;
        for (_, package, purpose) in missing {
            println!("missing:   {package} ({purpose})");
        }
        if self.dry_run || process::find("apt-get").is_none() || !is_root()? {
            println!("to do:     apt-get update && apt-get install -y --no-install-recommends {}", packages.join(" "));
            return Ok(Tally { skipped: count, ..Tally::default() });
        }
        let mut update = process::program("apt-get", &["update", "-qq"]);
        let mut install = process::program("apt-get", &["install", "-y", "-qq", "--no-install-recommends"]);
        install.args(packages).env("DEBIAN_FRONTEND", "noninteractive");
        // A mirror that fails to update can still have what is missing.
        process::step(&mut update)?;
        let installed = process::step(&mut install)?;
        Ok(Tally { passed: installed.passed * count, failed: installed.failed * count, skipped: 0 })
    }
}

fn is_root() -> Result<bool, Error> {
    Ok(process::output(&mut process::program("id", &["-u"]))?.trim() == "0")
}
