//! `cargo xtask bench`: wigwag beside other stacks.

use crate::{Error, Tally, process};
use serde_json::{Value, json};

/// What can be measured, and in which builds of which program: what encrypts, with each backend, beside peers that are compiled
/// for it.
const PARTS: [(&str, &[Build]); 7] = [
    ("sdp", &[PURE]),
    ("stun", &[PURE]),
    ("dtls", &[RUST_CRYPTO, AWS_LC_RS]),
    ("srtp", &[RUST_CRYPTO, AWS_LC_RS]),
    ("data", &[DATA, DATA_AWS_LC_RS]),
    ("connect", &[PAIRS, PAIRS_AWS_LC_RS]),
    ("memory", &[PAIRS, PAIRS_AWS_LC_RS]),
];

/// A program of the workspace, and its features.
#[derive(Clone, Copy, PartialEq)]
struct Build {
    program: &'static str,
    features: &'static str,
}

const PURE: Build = Build { program: "bench", features: "" };
const RUST_CRYPTO: Build = Build { program: "bench", features: "compiled" };
const AWS_LC_RS: Build = Build { program: "bench", features: "compiled,aws-lc-rs" };
const DATA: Build = Build { program: "data", features: "data" };
const DATA_AWS_LC_RS: Build = Build { program: "data", features: "data,aws-lc-rs" };
const PAIRS: Build = Build { program: "pairs", features: "pairs" };
const PAIRS_AWS_LC_RS: Build = Build { program: "pairs", features: "pairs,aws-lc-rs" };

/// Measure wigwag beside other stacks in one run (the program of the workspace in bench/).
///
/// Parts that encrypt are measured with RustCrypto and with aws-lc-rs. With --json it ends with
/// {"rows":[{"work":…,"unit":…,"better":…,"ours":…,"peer":…,"peer_name":…}]}.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// What to measure; all by default.
    #[arg(value_parser = PARTS.map(|(name, _)| name))]
    parts: Vec<String>,
}

impl Args {
    pub(crate) fn run(&self, json: bool) -> Result<Tally, Error> {
        let mut rows = Vec::new();
        let mut tally = Tally::default();
        for build in [PURE, RUST_CRYPTO, AWS_LC_RS, DATA, DATA_AWS_LC_RS, PAIRS, PAIRS_AWS_LC_RS] {
            let parts = PARTS.iter().filter(|(name, builds)| self.wants(name) && builds.contains(&build));
            let parts: Vec<_> = parts.map(|(name, _)| *name).collect();
            if !parts.is_empty() {
                tally += measure(build, &parts, &mut rows)?;
            }
        }
        if json {
            println!("{}", json!({ "rows": rows }));
        }
        Ok(tally)
    }

    fn wants(&self, part: &str) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|wanted| wanted == part)
    }
}

/// Runs one build of the program, whose rows come last.
fn measure(build: Build, parts: &[&str], rows: &mut Vec<Value>) -> Result<Tally, Error> {
    let Build { program, features } = build;
    let manifest = ["run", "--quiet", "--release", "--manifest-path", "bench/Cargo.toml"];
    let mut command = process::cargo_beside(&manifest);
    command.args(["--bin", program, "--features", features, "--", "--json"]).args(parts);
    let status = process::stream(&mut command, |line| match rows_of(line) {
        Some(found) => rows.extend(found),
        None => println!("{line}"),
    })?;
    Ok(Tally::of(status.success()))
}

/// What a line in JSON says, if it is one.
fn rows_of(line: &str) -> Option<Vec<Value>> {
    let mut value: Value = serde_json::from_str(line).ok()?;
    value.get_mut("rows")?.as_array_mut().map(std::mem::take)
}
