//! Other people's stacks, which `cargo xtask interop` talks to: pinned, from the registries of Python and of Node.js.
//!
//! They lie in target/peers, never in version control. An installation is complete when it says from which list it was
//! made; one that does not, or that was made from another list, is replaced.

use crate::{Error, Tally, process};
use std::fs;
use std::path::{Path, PathBuf};

/// What one registry brings.
struct Part {
    names: &'static str,
    /// In target/peers.
    folder: &'static str,
    /// In interop/peers; the last names every version.
    lists: &'static [&'static str],
    /// Commands in `folder`, where the lists are.
    steps: &'static [&'static str],
}

const PARTS: [Part; 2] = [
    Part {
        names: "aiortc",
        folder: "python",
        lists: &["requirements.txt"],
        // Nothing is compiled: what comes in no wheel is an error.
        steps: &[
            "python3 -m venv .",
            "bin/python -m pip install --quiet --no-input --disable-pip-version-check --no-deps --only-binary :all: -r requirements.txt",
        ],
    },
    Part {
        names: "werift, node-datachannel, @roamhq/wrtc",
        folder: "node",
        lists: &["package.json", "package-lock.json"],
        // No script of theirs is run, so nothing is compiled or fetched from elsewhere: binaries are packages, too.
        steps: &["npm ci --ignore-scripts --no-audit --no-fund --loglevel error"],
    },
];

/// The copy of the last list, written when all is done. interop/src/stack/mod.rs looks at it too.
const STAMP: &str = "installed.txt";

/// Installs what is not there yet in the versions that are asked for.
pub(super) fn install(is_dry: bool) -> Result<Tally, Error> {
    let mut tally = Tally::default();
    for part in &PARTS {
        tally += part.install(process::root(), is_dry)?;
    }
    Ok(tally)
}

impl Part {
    fn install(&self, root: &Path, is_dry: bool) -> Result<Tally, Error> {
        let into = root.join("target/peers").join(self.folder);
        if self.is_installed(root, &into)? {
            println!("present:   {} (target/peers/{})", self.names, self.folder);
            return Ok(Tally::of(true));
        }
        println!("missing:   {} (interop)", self.names);
        if is_dry {
            println!("to do:     in target/peers/{}: {}", self.folder, self.steps.join(" && "));
            return Ok(Tally::skipped());
        }
        if into.exists() {
            fs::remove_dir_all(&into)?;
        }
        fs::create_dir_all(&into)?;
        for list in self.lists {
            fs::copy(self.list(root, list), into.join(list))?;
        }
        for step in self.steps {
            let done = run(step, &into)?;
            if done.failed > 0 {
                return Ok(done);
            }
        }
        if let Some(list) = self.lists.last() {
            fs::copy(self.list(root, list), into.join(STAMP))?;
        }
        Ok(Tally::of(true))
    }

    fn is_installed(&self, root: &Path, into: &Path) -> Result<bool, Error> {
        let list = self.lists.last().ok_or("a part without a list")?;
        let wanted = fs::read(self.list(root, list))?;
        Ok(fs::read(into.join(STAMP)).is_ok_and(|found| found == wanted))
    }

    fn list(&self, root: &Path, name: &str) -> PathBuf {
        root.join("interop/peers").join(name)
    }
}

/// One step; a program that is not there fails like any other.
fn run(step: &str, folder: &Path) -> Result<Tally, Error> {
    let mut words = step.split_whitespace();
    let name = words.next().ok_or("an empty step")?;
    let program = if name.contains('/') { folder.join(name) } else { name.into() };
    let mut command = process::program(program, &words.collect::<Vec<_>>());
    process::step(command.current_dir(folder)).or_else(|error| {
        println!("FAILED: {name}: {error}");
        Ok(Tally::of(false))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A repository of nothing but a list, in a folder that is gone when dropped.
    struct Fixture(PathBuf);

    impl Fixture {
        fn new(name: &str) -> Self {
            let root = std::env::temp_dir().join(format!("wigwag-setup-{}-{name}", std::process::id()));
            fs::create_dir_all(root.join("interop/peers")).unwrap();
            let fixture = Self(root);
            fixture.write_list("first");
            fixture
        }

        fn write_list(&self, text: &str) {
            fs::write(self.0.join("interop/peers/list"), text).unwrap();
        }

        fn has(&self, name: &str) -> bool {
            self.0.join("target/peers/part").join(name).exists()
        }
    }

    impl Drop for Fixture {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    const fn part(steps: &'static [&'static str]) -> Part {
        Part { names: "a part", folder: "part", lists: &["list"], steps }
    }

    #[test]
    fn what_is_installed_is_installed_once_and_again_when_the_list_changes() {
        let fixture = Fixture::new("once");
        let works = part(&["mkdir made"]);
        assert_eq!(works.install(&fixture.0, true).unwrap(), Tally::skipped());
        assert!(!fixture.has(""), "a dry run made a folder");
        // A second `mkdir` of the same name would fail.
        for _ in 0..2 {
            assert_eq!(works.install(&fixture.0, false).unwrap(), Tally::of(true));
        }
        assert!(fixture.has("made"));
        fixture.write_list("second");
        assert_eq!(works.install(&fixture.0, true).unwrap(), Tally::skipped());
        assert_eq!(part(&["mkdir other"]).install(&fixture.0, false).unwrap(), Tally::of(true));
        assert!(fixture.has("other") && !fixture.has("made"), "the old one was kept");
    }

    #[test]
    fn what_failed_half_way_is_begun_anew() {
        let fixture = Fixture::new("half");
        for program in ["false", "no-such-program-at-all", "bin/no-such-program"] {
            let steps: &'static [&'static str] = Box::leak(Box::new(["mkdir half", program]));
            assert_eq!(part(steps).install(&fixture.0, false).unwrap(), Tally::of(false), "{program}");
        }
        assert_eq!(part(&["mkdir half"]).install(&fixture.0, false).unwrap(), Tally::of(true));
    }
}
