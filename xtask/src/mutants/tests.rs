//! A tiny crate with two guards and mutants of every fate.

use super::list::{Mutant, parse};
use super::{Verdict, judge, read, run};
use std::path::PathBuf;
use std::time::Duration;
use std::{env, fs, process};

/// A repository in a temporary folder, gone when dropped.
struct Fixture(PathBuf);

impl Fixture {
    fn new(name: &str, mutants: &str) -> Self {
        let fixture = Self(env::temp_dir().join(format!("wigwag-mutants-{}-{name}", process::id())));
        fixture.write("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"crates/*\"]\n");
        fixture.write("crates/toy/Cargo.toml", "[package]\nname = \"toy\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
        fixture.write("crates/toy/src/lib.rs", LIBRARY);
        fixture.write("crates/toy/tests/attacks/main.rs", "mod hostile;\n");
        fixture.write("crates/toy/tests/attacks/hostile.rs", HOSTILE);
        fixture.write("xtask/mutants/toy.txt", mutants);
        fixture
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const LIBRARY: &str = "
pub fn open(tag: u8) -> bool {
    if tag != 7 {
        return false;
    }
    true
}

pub fn count(mut n: u8) -> u8 {
    while n > 10 {
        n /= 2;
    }
    n
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_counts() {
        assert!(super::count(200) <= 10);
    }

    #[test]
    fn it_is_red() {
        assert!(super::open(8));
    }
}
";

const HOSTILE: &str = "
#[test]
fn a_wrong_tag_is_refused() {
    assert!(toy::open(7) && !toy::open(8));
}

#[test]
fn a_wrong_tag_is_refused_and_something_else() {
    assert!(true);
}
";

const MUTANTS: &str = "
# Caught by a test of its own folder.
tag-unchecked
guards toy/src/lib.rs: open
caught by toy/tests/attacks/hostile.rs: a_wrong_tag_is_refused
- if tag != 7 {
- return false;
- }

unbounded
guards toy/src/lib.rs: count
caught by toy/src/lib.rs: it_counts
- while n > 10 {
+ while false {

endless
guards toy/src/lib.rs: count
caught by toy/src/lib.rs: it_counts
- n /= 2;
+ n = n.max(11);

changes-nothing
guards toy/src/lib.rs: open
caught by toy/tests/attacks/hostile.rs: a_wrong_tag_is_refused
- if tag != 7 {
+ if !(tag == 7) {

not-seen-by-this-test
guards toy/src/lib.rs: open
caught by toy/tests/attacks/hostile.rs: a_wrong_tag_is_refused_and_something_else
- if tag != 7 {
+ if false {

drifted-away
guards toy/src/lib.rs: count
caught by toy/src/lib.rs: it_counts
- if tag != 7 {

no-rust
guards toy/src/lib.rs: open
caught by toy/tests/attacks/hostile.rs: a_wrong_tag_is_refused
- if tag != 7 {
+ if unless {

red-before
guards toy/src/lib.rs: open
caught by toy/src/lib.rs: it_is_red
- if tag != 7 {
+ if false {

no-such-test
guards toy/src/lib.rs: open
caught by toy/src/lib.rs: it_was_renamed
- if tag != 7 {
+ if false {
";

#[test]
fn every_fate_of_a_mutant_is_told() {
    let fixture = Fixture::new("fates", MUTANTS);
    let mutants = read(&fixture.0).unwrap();
    let verdicts = judge(&fixture.0, &mutants, Duration::from_secs(5)).unwrap();
    let verdicts: Vec<_> = verdicts.iter().map(|(mutant, verdict)| format!("{}: {verdict}", mutant.name)).collect();
    expected(&verdicts, "tag-unchecked: caught");
    expected(&verdicts, "unbounded: caught");
    expected(&verdicts, "endless: caught: the test never ends");
    expected(&verdicts, "changes-nothing: NOT CAUGHT");
    expected(&verdicts, "not-seen-by-this-test: NOT CAUGHT");
    expected(&verdicts, "drifted-away: DOES NOT APPLY: \"if tag != 7 {\" is not in toy/src/lib.rs: count");
    expected(&verdicts, "no-rust: DOES NOT COMPILE: error[E0425]");
    expected(&verdicts, "red-before: HAS NO TEST: it is red without the mutant");
    expected(&verdicts, "no-such-test: HAS NO TEST: there is no it_was_renamed in toy/src/lib.rs");
    assert_eq!(verdicts.len(), 9);
    // The copy is whole again, and the sources were never touched.
    for tree in [fixture.0.clone(), fixture.0.join("target/mutants/tree")] {
        assert_eq!(fs::read_to_string(tree.join("crates/toy/src/lib.rs")).unwrap(), LIBRARY);
    }
}

#[track_caller]
fn expected(verdicts: &[String], beginning: &str) {
    assert!(verdicts.iter().any(|verdict| verdict.starts_with(beginning)), "{beginning}\n{verdicts:#?}");
}

#[test]
fn what_is_not_caught_fails_the_run_and_names_choose() {
    let fixture = Fixture::new("run", MUTANTS);
    let tally = run(&fixture.0, &["tag".to_owned(), "drifted".to_owned()]).unwrap();
    assert_eq!((tally.passed, tally.failed, tally.skipped), (1, 1, 0));
    assert!(run(&fixture.0, &["nobody".to_owned()]).is_err());
}

fn one(changes: &str) -> Mutant {
    let text = format!("m\nguards a/src/b.rs: f\ncaught by a/tests/c.rs: t\n{changes}\n");
    parse(&text).unwrap().remove(0)
}

#[test]
fn lines_are_found_in_functions_of_that_name_alone_and_once() {
    let text = "fn f() {\n    a();\n    b();\n}\n\nfn ff() {\n    a();\n}\n\nimpl X {\n    fn f<T>() {\n        c();\n        c();\n    }\n}\n";
    let applied = one("- a();\n- b();\n+ d();").apply(text).unwrap();
    assert!(applied.starts_with("fn f() {\nd();\n}\n\nfn ff() {\n    a();\n}\n"), "{applied}");
    assert!(one("- c();").apply(text).unwrap_err().contains("more than once"));
    assert!(one("- b();\n- a();").apply(text).unwrap_err().contains("is not in"));
    assert!(one("- a();\n- b();").apply(text).unwrap().contains("fn f() {\n}"));
}

#[test]
fn entries_that_are_none_are_told() {
    for wrong in [
        "name\n- a\n",
        "a name\nguards a/b.rs: f\ncaught by a/c.rs: t\n- a\n",
        "name\nguards a/b.rs: f\ncaught by a/c.rs: t\n+ a\n",
        "name\nguards a/b.rs: f\ncaught by a/c.rs: t\n- a\nb\n",
        "name\nguards a/b.rs\ncaught by a/c.rs: t\n- a\n",
    ] {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
    assert!(Verdict::Hangs.is_good() && !Verdict::NotCaught.is_good());
}
