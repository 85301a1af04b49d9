//! Counts what `cargo test` prints.

use crate::{Error, Tally, process};
use std::process::Command;

/// Runs `cargo test … -- --show-output`: prints a line for each program of tests, everything of one that failed, and
/// what tests skipped.
///
/// A test that cannot do its work for want of something prints `skipped: …`, with the command that provides it.
pub(crate) fn run(command: &mut Command) -> Result<Tally, Error> {
    let mut reader = Reader::default();
    let status = process::stream(command, |line| {
        for line in reader.read(line) {
            println!("{line}");
        }
    })?;
    let mut tally = reader.tally;
    if !status.success() && tally.failed == 0 {
        // What does not compile, or ends without a word, has no line with its result.
        reader.held.iter().for_each(|line| println!("{line}"));
        println!("cargo test ended with {status}");
        tally.failed = 1;
    }
    Ok(tally)
}

#[derive(Default)]
struct Reader {
    tally: Tally,
    /// What the program of tests that runs has printed.
    held: Vec<String>,
    skips: Vec<String>,
    shows_successes: bool,
    /// Whether the test whose output is being shown has not said yet that it skips.
    may_skip: bool,
}

impl Reader {
    /// Takes a line, gives those to print.
    fn read(&mut self, line: &str) -> Vec<String> {
        match line {
            "successes:" => self.shows_successes = true,
            "failures:" => self.shows_successes = false,
            _ if line.starts_with("---- ") && line.ends_with(" stdout ----") => self.may_skip = self.shows_successes,
            _ if self.may_skip && line.starts_with("skipped: ") => {
                self.may_skip = false;
                self.skips.push(line.to_owned());
            }
            _ => {}
        }
        self.held.push(line.to_owned());
        line.strip_prefix("test result: ").map(|result| self.finish(result)).unwrap_or_default()
    }

    fn finish(&mut self, result: &str) -> Vec<String> {
        let skips = std::mem::take(&mut self.skips);
        let held = std::mem::take(&mut self.held);
        let count = |word| count(result, word);
        let (passed, failed) = (count("passed"), count("failed"));
        self.tally += Tally {
            passed: passed.saturating_sub(skips.len() as u64),
            failed: failed.max(u64::from(!result.starts_with("ok"))),
            skipped: count("ignored") + skips.len() as u64,
        };
        (self.shows_successes, self.may_skip) = (false, false);
        match (result.starts_with("ok"), passed + count("ignored")) {
            (true, 0) => Vec::new(),
            (true, _) => skips.into_iter().chain([format!("test result: {result}")]).collect(),
            (false, _) => held,
        }
    }
}

/// The number before `word` in `ok. 5 passed; 0 failed; …`.
fn count(result: &str, word: &str) -> u64 {
    let words: Vec<_> = result.split([' ', ';']).filter(|word| !word.is_empty()).collect();
    words.windows(2).find(|pair| pair[1] == word).and_then(|pair| pair[0].parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Tally, Vec<String>) {
        let mut reader = Reader::default();
        let printed = text.lines().flat_map(|line| reader.read(line)).collect();
        (reader.tally, printed)
    }

    #[test]
    fn a_test_that_says_it_skipped_did_not_pass() {
        let (tally, printed) = read(
            "\nrunning 3 tests\ntest a ... ok\ntest b ... ok\ntest c ... ignored\n\nsuccesses:\n\n---- a stdout ----\n\
             skipped: WIGWAG_TESTDATA is not set\nskipped: again\n\n---- b stdout ----\nnothing skipped: here\n\n\
             successes:\n    a\n    b\n\n\
             test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s\n",
        );
        assert_eq!(tally, Tally { passed: 1, failed: 0, skipped: 2 });
        assert_eq!(printed.len(), 2, "{printed:?}");
        assert_eq!(printed[0], "skipped: WIGWAG_TESTDATA is not set");
    }

    #[test]
    fn programs_add_up_and_a_failed_one_is_shown_whole() {
        let (tally, printed) = read(
            "running 1 test\ntest a ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured\n\
             running 2 tests\ntest b ... FAILED\ntest c ... ok\n\nfailures:\n\n---- b stdout ----\nskipped: then failed\n\
             boom\n\ntest result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured\n\
             running 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored; 0 measured\n",
        );
        assert_eq!(tally, Tally { passed: 2, failed: 1, skipped: 0 });
        assert!(printed.contains(&"boom".to_owned()), "{printed:?}");
    }

    #[test]
    fn only_the_one_test_that_skipped_is_counted() {
        let (tally, _) = read(
            "successes:\n---- a stdout ----\nskipped: x\n---- b stdout ----\nskipped: y\n\
             test result: ok. 5 passed; 0 failed; 0 ignored;\n",
        );
        assert_eq!(tally, Tally { passed: 3, failed: 0, skipped: 2 });
    }
}
