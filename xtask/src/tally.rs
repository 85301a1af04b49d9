//! How a check went.

use std::fmt;
use std::ops::AddAssign;

/// How many parts of a check passed, failed, and could not be run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Tally {
    /// One part that passed, or failed.
    pub(crate) fn of(passed: bool) -> Self {
        Self { passed: passed.into(), failed: (!passed).into(), skipped: 0 }
    }

    pub(crate) fn skipped() -> Self {
        Self { skipped: 1, ..Self::default() }
    }

    pub(crate) fn json(self) -> String {
        format!(r#"{{"passed":{},"failed":{},"skipped":{}}}"#, self.passed, self.failed, self.skipped)
    }

    /// Reads what [`Self::json`] writes, if `line` is that and no more.
    pub(crate) fn from_json(line: &str) -> Option<Self> {
        let value: serde_json::Value = serde_json::from_str(line).ok()?;
        let number = |name| value.get(name)?.as_u64();
        Some(Self { passed: number("passed")?, failed: number("failed")?, skipped: number("skipped")? })
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_one_line_and_reads_back() {
        let tally = Tally { passed: 7, failed: 0, skipped: 2 };
        assert_eq!(tally.json(), r#"{"passed":7,"failed":0,"skipped":2}"#);
        assert_eq!(Tally::from_json(&tally.json()), Some(tally));
        assert_eq!(Tally::from_json("7 passed"), None);
        assert_eq!(tally.to_string(), "7 passed, 0 failed, 2 skipped");
    }
}
