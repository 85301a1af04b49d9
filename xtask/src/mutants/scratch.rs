//! A copy of the repository to break.

use crate::Error;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What is not copied: what others made of the sources, and their history.
const NOT_COPIED: [&str; 3] = ["target", ".git", "out"];

/// Brings the copy in `target/mutants/tree` up to what the repository is now; what did not change is not touched, so that
/// cargo does not build it again.
pub(super) fn copy(root: &Path) -> Result<PathBuf, Error> {
    let tree = root.join("target/mutants/tree");
    fs::create_dir_all(&tree)?;
    fs::create_dir_all(root.join("target/mutants/target"))?;
    bring_up_to_date(root, &tree)?;
    Ok(tree)
}

fn bring_up_to_date(from: &Path, to: &Path) -> io::Result<()> {
    let mut kept = BTreeSet::new();
    for entry in fs::read_dir(from)? {
        let (name, path) = entry.map(|entry| (entry.file_name(), entry.path()))?;
        if NOT_COPIED.iter().any(|not| name == *not) {
            continue;
        }
        let copy = to.join(&name);
        kept.insert(name);
        if path.is_dir() {
            fs::create_dir_all(&copy)?;
            bring_up_to_date(&path, &copy)?;
        } else {
            let text = fs::read(&path)?;
            if fs::read(&copy).ok().as_ref() != Some(&text) {
                fs::write(&copy, text)?;
            }
        }
    }
    for entry in fs::read_dir(to)? {
        let (name, path) = entry.map(|entry| (entry.file_name(), entry.path()))?;
        if !kept.contains(&name) {
            if path.is_dir() { fs::remove_dir_all(&path)? } else { fs::remove_file(&path)? }
        }
    }
    Ok(())
}
