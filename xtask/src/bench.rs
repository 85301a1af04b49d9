//! `cargo xtask bench`: wigwag beside other stacks.

use crate::{Error, Tally, process};
use serde_json::{Value, json};

/// The builds of ours that are measured: with RustCrypto, and with the faster cryptography where a part has any.
const BUILDS: [&[&str]; 2] = [&[], &["--features", "aws-lc-rs"]];

/// Measure wigwag beside other stacks in one run (the program of the workspace in bench/).
///
/// Parts that encrypt are measured with RustCrypto and with aws-lc-rs. With --json it ends with
/// {"rows":[{"work":…,"unit":…,"better":…,"ours":…,"peer":…,"peer_name":…}]}.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// What to measure; all by default.
    #[arg(value_parser = ["sdp", "stun", "dtls"])]
    parts: Vec<String>,
}

impl Args {
    pub(crate) fn run(&self, json: bool) -> Result<Tally, Error> {
        let mut rows = Vec::new();
        let mut tally = Tally::default();
        for features in BUILDS {
            let parts = self.parts_of(features.is_empty());
            if !parts.is_empty() {
                tally += measure(features, &parts, &mut rows)?;
            }
        }
        if json {
            println!("{}", json!({ "rows": rows }));
        }
        Ok(tally)
    }

    /// Those that a build measures.
    fn parts_of(&self, is_first: bool) -> Vec<&str> {
        let encrypts = |part: &str| part == "dtls";
        let all = if self.parts.is_empty() {
            vec!["sdp", "stun", "dtls"]
        } else {
            self.parts.iter().map(String::as_str).collect()
        };
        all.into_iter().filter(|part| is_first || encrypts(part)).collect()
    }
}

/// Runs one build of the program, whose rows come last.
fn measure(features: &[&str], parts: &[&str], rows: &mut Vec<Value>) -> Result<Tally, Error> {
    let manifest = ["run", "--quiet", "--release", "--manifest-path", "bench/Cargo.toml"];
    let mut command = process::cargo_beside(&manifest);
    command.args(features).args(["--", "--json"]).args(parts);
    let status = process::stream(&mut command, |line| {
        match serde_json::from_str::<Value>(line)
            .ok()
            .and_then(|mut value| value["rows"].as_array_mut().map(std::mem::take))
        {
            Some(found) => rows.extend(found),
            None => println!("{line}"),
        }
    })?;
    Ok(Tally::of(status.success()))
}
