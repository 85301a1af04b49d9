//! The mutants, as they stand in `xtask/mutants/*.txt`:
//!
//! ```text
//! a-name-of-its-own
//! guards wigwag-dtls/src/record/epoch.rs: open
//! caught by wigwag-dtls/tests/dtls/hostile.rs: a_test
//! - a line of that function, without its indentation; or several that follow each other
//! + what takes their place, if anything does
//! ```
//!
//! Entries are parted by empty lines; `#` begins a comment. The lines must be there once in functions of that name: a mutant
//! that drifted away from what it guards is a failure.

use crate::Error;
use std::fmt;
use std::fs;
use std::path::Path;

/// `wigwag-dtls/src/record/epoch.rs: open`: a function, as docs/security.md names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// From `crates/`.
    pub(crate) path: String,
    pub(crate) function: String,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mutant {
    pub(crate) name: String,
    pub(crate) guards: Place,
    pub(crate) test: Place,
    lines: Vec<String>,
    replacement: Vec<String>,
}

/// All mutants of the repository in `root`.
pub(crate) fn read(root: &Path) -> Result<Vec<Mutant>, Error> {
    let mut files = fs::read_dir(root.join("xtask/mutants"))?.collect::<Result<Vec<_>, _>>()?;
    files.sort_by_key(fs::DirEntry::file_name);
    let mut mutants = Vec::new();
    for file in files {
        let path = file.path();
        let found = parse(&fs::read_to_string(&path)?).map_err(|error| format!("{}: {error}", path.display()))?;
        mutants.extend(found);
    }
    let mut names: Vec<_> = mutants.iter().map(|mutant| mutant.name.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(format!("two mutants are named {}", pair[0]).into()),
        None => Ok(mutants),
    }
}

pub(super) fn parse(text: &str) -> Result<Vec<Mutant>, String> {
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let entries = lines.split(|line| line.trim().is_empty()).filter(|entry| !entry.is_empty());
    entries.map(|entry| Mutant::parse(entry).ok_or_else(|| format!("not a mutant: {}", entry[0]))).collect()
}

impl Place {
    fn parse(text: &str) -> Option<Self> {
        let (path, function) = text.split_once(": ")?;
        Some(Self { path: path.to_owned(), function: function.to_owned() })
    }

    /// The package and the rest of the path.
    pub(super) fn package(&self) -> (&str, &str) {
        self.path.split_once('/').unwrap_or((&self.path, ""))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.function)
    }
}

impl Mutant {
    fn parse(entry: &[&str]) -> Option<Self> {
        let (name, rest) = entry.split_first()?;
        let (guards, rest) = rest.split_first()?;
        let (test, changes) = rest.split_first()?;
        let is_change = |line: &&str| line.starts_with("- ") || line.starts_with("+ ");
        let of = |sign| {
            let lines = changes.iter().filter_map(|line| line.strip_prefix(sign));
            lines.map(|line| line.trim().to_owned()).collect::<Vec<_>>()
        };
        let mutant = Self {
            name: (*name).to_owned(),
            guards: Place::parse(guards.strip_prefix("guards ")?)?,
            test: Place::parse(test.strip_prefix("caught by ")?)?,
            lines: of("- "),
            replacement: of("+ "),
        };
        let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        (is_name && changes.iter().all(is_change) && !mutant.lines.is_empty()).then_some(mutant)
    }

    /// The file with the guarded lines replaced.
    ///
    /// # Errors
    /// Why it cannot be: the lines are not in the function, or are there more than once.
    pub(crate) fn apply(&self, text: &str) -> Result<String, String> {
        let lines: Vec<_> = text.lines().collect();
        let is_here = |at: &usize| {
            let found = lines.get(*at..*at + self.lines.len());
            found.is_some_and(|found| found.iter().zip(&self.lines).all(|(line, guarded)| line.trim() == guarded))
        };
        let functions = functions(&lines, &self.guards.function);
        let places: Vec<_> = functions.into_iter().flatten().filter(is_here).collect();
        let [at] = places[..] else {
            let times = if places.is_empty() { "not" } else { "more than once" };
            return Err(format!("{:?} is {times} in {}", self.lines[0], self.guards));
        };
        let replacement = self.replacement.iter().map(String::as_str);
        let kept = lines[..at].iter().copied().chain(replacement).chain(lines[at + self.lines.len()..].iter().copied());
        Ok(kept.flat_map(|line| [line, "\n"]).collect())
    }
}

/// The lines of each function of that name: to the brace that closes it, which stands as far in as its first line.
fn functions(lines: &[&str], name: &str) -> Vec<std::ops::Range<usize>> {
    let heads = [format!("fn {name}("), format!("fn {name}<")];
    let begins = (0..lines.len()).filter(|at| {
        let line = lines[*at].trim_start();
        !line.starts_with("//") && heads.iter().any(|head| line.contains(head.as_str()))
    });
    let end = |at: usize| {
        let indentation = lines[at].len() - lines[at].trim_start().len();
        let closes = |line: &&str| line.trim() == "}" && line.len() == indentation + 1;
        lines[at..].iter().position(closes).map_or(lines.len(), |after| at + after)
    };
    begins.map(|at| at..end(at)).collect()
}
