//! Building and running one test, with a mutant and without.

use super::{Mutant, Verdict, list::Place};
use crate::{Error, process};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How a test went.
enum Outcome {
    Green(Duration),
    Red,
    Hangs,
    /// No test has that name.
    Missing,
}

pub(super) struct Trial<'a> {
    /// Where the build goes, and stays for the next time. Not where the repository's own goes: cargo names what it builds by
    /// where a package is within its workspace, so that the two would be taken for each other.
    target: PathBuf,
    tree: &'a Path,
    patience: Duration,
    /// How long each test takes without a mutant, or why it cannot be used.
    before: BTreeMap<Place, Result<Duration, String>>,
}

impl<'a> Trial<'a> {
    pub(super) fn new(root: &Path, tree: &'a Path, patience: Duration) -> Self {
        Self { target: root.join("target/mutants/target"), tree, patience, before: BTreeMap::new() }
    }

    /// Builds and runs every test once as it is: a mutant can only be caught by what is green without it.
    pub(super) fn prepare(&mut self, mutants: &[Mutant]) -> Result<(), Error> {
        let mut programs = BTreeMap::new();
        for test in mutants.iter().map(|mutant| &mutant.test) {
            if self.before.contains_key(test) {
                continue;
            }
            let key = target_of(test);
            if !programs.contains_key(&key) {
                programs.insert(key.clone(), self.build(test)?);
            }
            let before = match &programs[&key] {
                Err(why) => Err(why.clone()),
                Ok(program) => match self.run(program, test, self.patience * 10)? {
                    Outcome::Green(time) => Ok(time),
                    Outcome::Red => Err("it is red without the mutant".to_owned()),
                    Outcome::Hangs => Err("it does not end without the mutant".to_owned()),
                    Outcome::Missing => Err(format!("there is no {} in {}", test.function, test.path)),
                },
            };
            self.before.insert(test.clone(), before);
        }
        Ok(())
    }

    pub(super) fn of(&self, mutant: &Mutant) -> Result<Verdict, Error> {
        let before = match &self.before[&mutant.test] {
            Ok(time) => *time,
            Err(why) => return Ok(Verdict::NoTest(why.clone())),
        };
        let path = self.tree.join("crates").join(&mutant.guards.path);
        let Ok(text) = fs::read_to_string(&path) else {
            return Ok(Verdict::NotApplied(format!("there is no {}", mutant.guards.path)));
        };
        let mutated = match mutant.apply(&text) {
            Ok(mutated) => mutated,
            Err(why) => return Ok(Verdict::NotApplied(why)),
        };
        fs::write(&path, mutated)?;
        let outcome = self.build(&mutant.test).and_then(|program| match program {
            Err(why) => Ok(Err(why)),
            Ok(program) => self.run(&program, &mutant.test, self.patience.max(before * 10)).map(Ok),
        });
        fs::write(&path, text)?;
        Ok(match outcome? {
            Err(why) => Verdict::NotCompiled(why),
            Ok(Outcome::Red) => Verdict::Caught,
            Ok(Outcome::Hangs) => Verdict::Hangs,
            Ok(Outcome::Green(_)) => Verdict::NotCaught,
            Ok(Outcome::Missing) => Verdict::NoTest("it is gone with the mutant".to_owned()),
        })
    }

    /// The program that holds `test`, or what the compiler says.
    fn build(&self, test: &Place) -> Result<Result<PathBuf, String>, Error> {
        let (package, target) = target_of(test);
        let messages = self.target.join("said-by-cargo.txt");
        let mut cargo =
            process::cargo(&["test", "--no-run", "--message-format", "json-render-diagnostics", "--package", &package]);
        match &target {
            Some(name) => cargo.args(["--test", name]),
            None => cargo.arg("--lib"),
        };
        let cargo = cargo.current_dir(self.tree).env("CARGO_TARGET_DIR", &self.target).stderr(File::create(&messages)?);
        let output = cargo.output()?;
        if !output.status.success() {
            let said = fs::read_to_string(&messages)?;
            let said = said.lines().find(|line| line.starts_with("error")).unwrap_or("cargo does not say why");
            return Ok(Err(said.to_owned()));
        }
        let lines = std::str::from_utf8(&output.stdout)?.lines().filter_map(|line| serde_json::from_str(line).ok());
        let mut programs = lines.filter_map(|line: Value| line.get("executable")?.as_str().map(PathBuf::from));
        Ok(programs.next_back().ok_or_else(|| "cargo made no program of tests".to_owned()))
    }

    fn run(&self, program: &Path, test: &Place, patience: Duration) -> Result<Outcome, Error> {
        let printed = self.target.join("said-by-test.txt");
        let mut command = Command::new(program);
        command.arg(&test.function).stdin(Stdio::null()).stdout(File::create(&printed)?).stderr(Stdio::null());
        command.current_dir(self.tree.join("crates").join(test.package().0));
        let start = Instant::now();
        let mut child = command.spawn()?;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if start.elapsed() > patience {
                child.kill()?;
                child.wait()?;
                return Ok(Outcome::Hangs);
            }
            thread::sleep(Duration::from_millis(20));
        };
        let printed = fs::read_to_string(&printed)?;
        let result = printed.lines().find_map(|line| result_of(line, test));
        Ok(match (result, status.success()) {
            (Some("ok"), true) => Outcome::Green(start.elapsed()),
            (None, true) => Outcome::Missing,
            (Some("ok"), false) if printed.contains("test result: FAILED") => Outcome::Green(start.elapsed()), // another one
            (Some(_) | None, _) => Outcome::Red,
        })
    }
}

/// `ok` or `FAILED`, if `line` is that of the test: tests in two files may have one name.
fn result_of<'a>(line: &'a str, test: &Place) -> Option<&'a str> {
    let (path, result) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    let path = path.strip_suffix(" - should panic").unwrap_or(path);
    let module = path.strip_suffix(&test.function)?;
    let is_there = module.is_empty() || module.ends_with("::");
    (is_there && module.starts_with(&module_of(test))).then_some(result)
}

/// The module of a file, with what follows it before a name: `record::epoch::`, and nothing of the first file of a target.
fn module_of(test: &Place) -> String {
    let (_, path) = test.package();
    let in_target = |path: &str| path.split_once('/').map(|(_, rest)| rest.to_owned()).unwrap_or_default();
    let path = path.strip_prefix("tests/").map_or_else(|| path.replacen("src/", "", 1), in_target);
    let path = path.trim_end_matches(".rs");
    let module = path.strip_suffix("/mod").unwrap_or(path);
    let is_first = matches!(module, "" | "lib" | "main" | "mod");
    if is_first { String::new() } else { format!("{}::", module.replace('/', "::")) }
}

/// The package of a test and its target, `None` for the library's own tests.
fn target_of(test: &Place) -> (String, Option<String>) {
    let (package, path) = test.package();
    let name = path.strip_prefix("tests/").map(|path| path.split('/').next().unwrap_or(path));
    (package.to_owned(), name.map(|name| name.trim_end_matches(".rs").to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_tests_of_one_name_that_of_the_file_counts() {
        let result = |path: &str, line| {
            let test = Place { path: path.to_owned(), function: "it_holds".to_owned() };
            result_of(line, &test).map(str::to_owned)
        };
        let ok = Some("ok".to_owned());
        assert_eq!(result("x/tests/all/a/hostile.rs", "test a::hostile::it_holds ... ok"), ok);
        assert_eq!(result("x/tests/all/hostile.rs", "test a::hostile::it_holds ... ok"), None);
        assert_eq!(result("x/tests/all/hostile.rs", "test hostile::it_holds ... ok"), ok);
        assert_eq!(result("x/tests/all/hostile.rs", "test hostile::and_it_holds ... ok"), None);
        for path in ["x/tests/all.rs", "x/tests/all/main.rs", "x/src/lib.rs"] {
            assert_eq!(result(path, "test it_holds ... ok"), ok);
        }
        for path in ["x/src/a/b.rs", "x/src/a/b/mod.rs"] {
            assert_eq!(result(path, "test a::b::tests::it_holds ... ok"), ok);
            assert_eq!(result(path, "test a::c::tests::it_holds ... ok"), None);
        }
        assert_eq!(result("x/src/a/tests.rs", "test a::tests::it_holds - should panic ... ok"), ok);
    }
}
