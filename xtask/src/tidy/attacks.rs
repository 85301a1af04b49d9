//! docs/security.md and the mutants that prove it: every row names what is there, and nothing that is there goes unnamed.

use super::policy::{CONSTANT_TIME, READS_BYTES};
use super::source::lines_with;
use super::workspace::Workspace;
use crate::mutants::{self, Mutant};
use std::collections::BTreeSet;

const PAGE: &str = "docs/security.md";

/// `wigwag-x/path.rs: name` on the page is a function of that file.
pub(super) fn functions(workspace: &Workspace) -> Vec<String> {
    let page = workspace.read(PAGE);
    let sources = || workspace.crates().flat_map(|package| &package.sources);
    let exists = |path: &str, name: &str| {
        let source = sources().find(|source| source.path == format!("crates/{path}"));
        source.is_some_and(|source| !lines_with(&source.code, &format!("fn {name}")).is_empty())
    };
    let gone = page.lines().flat_map(names).filter_map(|name| name.split_once(": "));
    let gone = gone.filter(|(path, name)| path.ends_with(".rs") && !exists(path, name));
    gone.map(|(path, name)| format!("{PAGE}: there is no {name} in {path}")).collect()
}

/// What stands between backticks.
fn names(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// Each row has mutants, beside the function that they break and in the row of the test that sees it; each mutant has a row,
/// and still finds what it breaks.
pub(super) fn mutants(workspace: &Workspace) -> Vec<String> {
    let (page, mutants) = (workspace.read(PAGE), mutants::read(&workspace.root));
    let mutants = match mutants {
        Ok(mutants) => mutants,
        Err(error) => return vec![error.to_string()],
    };
    let rows: Vec<_> = page.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    let mut wrong: Vec<_> = rows.iter().flat_map(|row| row_is_wrong(row, &mutants)).collect();
    let named: BTreeSet<_> = rows.iter().flat_map(|row| names(row)).collect();
    for mutant in &mutants {
        if !named.contains(mutant.name.as_str()) {
            wrong.push(format!("{PAGE}: no row names {}", mutant.name));
        }
        let text = workspace.read(&format!("crates/{}", mutant.guards.path));
        if let Err(why) = mutant.apply(&text) {
            wrong.push(format!("xtask/mutants: {}: {why}", mutant.name));
        }
    }
    wrong
}

fn row_is_wrong(row: &str, mutants: &[Mutant]) -> Vec<String> {
    let attack = row.trim_matches(['|', ' ']).split(" | ").nth(1).unwrap_or(row);
    let guards = row.trim_matches(['|', ' ']).rsplit(" | ").next().unwrap_or_default();
    if guards.contains("`cargo xtask tidy`") {
        return Vec::new();
    }
    let mut wrong = Vec::new();
    let mut has_mutant = false;
    for guard in guards.split("<br>") {
        let mut inside = names(guard);
        let place = inside.next().unwrap_or_default();
        for name in inside {
            has_mutant = true;
            let Some(mutant) = mutants.iter().find(|mutant| mutant.name == name) else {
                wrong.push(format!("{PAGE}: there is no mutant {name}"));
                continue;
            };
            if mutant.guards.to_string() != place {
                wrong.push(format!("{PAGE}: {name} breaks {}, not {place}", mutant.guards));
            }
            if !row.contains(&format!("`{}`", mutant.test)) {
                wrong.push(format!("{PAGE}: {name} is seen by {}, which its row does not name", mutant.test));
            }
        }
    }
    if !has_mutant {
        wrong.push(format!("{PAGE}: {attack}: no mutant shows what guards against it"));
    }
    wrong
}

/// What is secret is compared in one place a crate, in constant time.
pub(super) fn constant_time(workspace: &Workspace) -> Vec<String> {
    let sources = || workspace.crates().flat_map(|package| &package.sources);
    let missing = CONSTANT_TIME.iter().filter(|(path, word)| {
        sources().find(|source| source.path == *path).is_some_and(|source| lines_with(&source.product, word).is_empty())
    });
    let missing = missing.map(|(path, word)| format!("{path}: compares no longer with {word}"));
    let compared = sources().filter(|source| !source.path.starts_with("crates/wigwag-sctp/")).flat_map(|source| {
        let lines = source.product.lines().enumerate().filter(|(_, line)| compares_secrets(line));
        lines.map(|(index, _)| format!("{}:{}: compared byte by byte", source.path, index + 1))
    });
    missing.chain(compared).collect()
}

/// `tag == x`, `x != *self.mac`: what is beside the sign ends with the name of something secret. SCTP's tags are none.
fn compares_secrets(line: &str) -> bool {
    const SECRETS: [&str; 6] = ["tag", "mac", "digest", "verify_data", "signature", "keying_material"];
    let last = |text: &str| {
        let text = text.trim_end().trim_end_matches([')', ']']);
        SECRETS.contains(&text.rsplit(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or_default())
    };
    let first = |text: &str| {
        let path = text.trim_start().trim_start_matches(['*', '&', '(']);
        let path = path.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.')).next().unwrap_or_default();
        SECRETS.contains(&path.rsplit('.').next().unwrap_or_default())
    };
    ["==", "!="].iter().filter_map(|sign| line.split_once(sign)).any(|(before, after)| last(before) || first(after))
}

/// The lint that no index stands where bytes are read is on.
pub(super) fn indexing(workspace: &Workspace) -> Vec<String> {
    let sources = workspace.crates().flat_map(|package| &package.sources);
    let reads = sources.filter(|source| READS_BYTES.contains(&source.path.as_str()));
    let off = reads.filter(|source| lines_with(&source.code, "clippy::indexing_slicing").is_empty());
    off.map(|source| format!("{}: does not warn of clippy::indexing_slicing", source.path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparisons_of_secrets_are_found() {
        for line in ["if tag == expected {", "*self.mac != mac", "x == other.digest", "verify_data != &expected[..]"] {
            assert!(compares_secrets(line), "{line}");
        }
        for line in ["if tag.len() == 10 {", "let tag = x;", "a == b", "algorithm == other.algorithm", "tag_len == 3"] {
            assert!(!compares_secrets(line), "{line}");
        }
    }
}
