//! How many crates of others each of ours brings, and whether each can be packaged.

use super::policy::CRATES;
use super::workspace::Workspace;
use crate::{Error, Tally, process};
use std::collections::BTreeSet;
use std::path::Path;

/// Prints the table and says which crates bring too many.
pub(super) fn count(workspace: &Workspace) -> Result<Vec<String>, Error> {
    let mut wrong = Vec::new();
    println!("crates of others (cargo tree -e normal):");
    for (name, most) in CRATES.iter().filter(|(name, _)| workspace.packages.iter().any(|package| package.name == *name))
    {
        let mut tree = process::cargo(&["tree", "-p", name, "-e", "normal", "--prefix", "none", "--format", "{p}"]);
        let count = distinct(&process::output(tree.current_dir(&workspace.root))?, workspace);
        println!("  {name:16} {count:3} of at most {most:3}");
        if count > *most {
            wrong.push(format!("{name} brings {count} crates of others, {most} are allowed"));
        }
    }
    Ok(wrong)
}

/// Distinct crates (name and version) that are not ours.
fn distinct(tree: &str, workspace: &Workspace) -> usize {
    let ours = |name: &str| workspace.packages.iter().any(|package| package.name == name);
    let crates = tree.lines().filter_map(|line| line.split_once(' ')).filter(|(name, _)| !ours(name));
    crates.map(|(name, rest)| (name, rest.split(' ').next())).collect::<BTreeSet<_>>().len()
}

/// Whether every crate that is published can be packaged.
pub(crate) fn package() -> Result<Tally, Error> {
    check_packages(process::root())
}

fn check_packages(root: &Path) -> Result<Tally, Error> {
    let workspace = Workspace::load(root)?;
    let mut command = process::cargo(&["package", "--quiet", "--no-verify", "--allow-dirty"]);
    for package in workspace.packages.iter().filter(|package| package.is_published) {
        command.args(["-p", &package.name]);
    }
    process::step(&mut command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_crate_counts_once_and_two_versions_twice() {
        let workspace = Workspace { root: "/".into(), packages: Vec::new() };
        let tree = "aes v0.9.0\ncipher v0.5.0\naes v0.9.0 (*)\ncipher v0.4.0\n\n";
        assert_eq!(distinct(tree, &workspace), 3);
    }
}
