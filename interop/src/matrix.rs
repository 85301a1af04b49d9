//! What worked with whom: printed as it comes, and at the end as a table.

use anyhow::Result;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What stands for the version of whom nothing could be tried with.
const SKIPPED: &str = "skipped";

/// The mark of one scenario with one counterparty in one role.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Passed,
    Failed,
    /// The counterparty has not what it takes.
    LeftOut,
}

impl Mark {
    fn text(self) -> &'static str {
        match self {
            Self::Passed => "✓",
            Self::Failed => "✗",
            Self::LeftOut => "·",
        }
    }
}

/// Everything that was tried.
#[derive(Default)]
pub(crate) struct Matrix {
    /// In the order of the first time.
    scenarios: Vec<String>,
    counterparties: Vec<(&'static str, String)>,
    cells: BTreeMap<(String, &'static str), Vec<Mark>>,
    skipped: usize,
}

impl Matrix {
    /// A counterparty that what follows is about, and its version.
    pub(crate) fn begin(&mut self, counterparty: &'static str, version: String) {
        self.counterparties.push((counterparty, version));
    }

    pub(crate) fn report(
        &mut self,
        scenario: &str,
        counterparty: &'static str,
        role: &str,
        began: Instant,
        result: &Result<String>,
    ) {
        self.report_after(scenario, counterparty, role, began.elapsed(), result);
    }

    /// What has taken so long.
    pub(crate) fn report_after(
        &mut self,
        scenario: &str,
        counterparty: &'static str,
        role: &str,
        took: Duration,
        result: &Result<String>,
    ) {
        let (mark, word, text) = match result {
            Ok(text) => (Mark::Passed, "ok  ", text.clone()),
            Err(error) => (Mark::Failed, "FAIL", format!("{error:#}")),
        };
        let seconds = took.as_secs_f64();
        println!("{word} {counterparty:16} {role:8} {seconds:6.1} s  {scenario:56} {text}");
        self.mark(scenario, counterparty, mark);
    }

    /// A scenario in a role that is not asked for, for the counterparty has not what it takes.
    pub(crate) fn leave_out(&mut self, scenario: &str, counterparty: &'static str) {
        self.mark(scenario, counterparty, Mark::LeftOut);
    }

    fn mark(&mut self, scenario: &str, counterparty: &'static str, mark: Mark) {
        if !self.scenarios.iter().any(|name| name == scenario) {
            self.scenarios.push(scenario.to_owned());
        }
        self.cells.entry((scenario.to_owned(), counterparty)).or_default().push(mark);
    }

    /// A counterparty with whom nothing could be tried.
    pub(crate) fn skip(&mut self, counterparty: &'static str, why: &str) {
        println!("not tried: {counterparty}: {why}");
        self.begin(counterparty, SKIPPED.to_owned());
        self.skipped += 1;
    }

    fn count(&self, mark: Mark) -> usize {
        self.cells.values().flatten().filter(|found| **found == mark).count()
    }

    pub(crate) fn passed(&self) -> usize {
        self.count(Mark::Passed)
    }

    pub(crate) fn failed(&self) -> usize {
        self.count(Mark::Failed)
    }

    pub(crate) fn skipped(&self) -> usize {
        self.skipped
    }

    /// The table, in Markdown: a row a scenario, a column a counterparty, a mark a role.
    pub(crate) fn table(&self) -> String {
        let heads: Vec<_> = self.counterparties.iter().map(|(name, version)| format!("{name} {version}")).collect();
        let mut table = format!("| scenario | {} |\n|---|{}\n", heads.join(" | "), "---|".repeat(heads.len()));
        for scenario in &self.scenarios {
            let cells: Vec<_> = self.counterparties.iter().map(|(name, _)| self.cell(scenario, name)).collect();
            table += &format!("| {scenario} | {} |\n", cells.join(" | "));
        }
        table
    }

    fn cell(&self, scenario: &str, counterparty: &'static str) -> String {
        let is_skipped = self.counterparties.iter().any(|(name, version)| *name == counterparty && version == SKIPPED);
        match self.cells.get(&(scenario.to_owned(), counterparty)) {
            Some(marks) if marks.iter().all(|mark| *mark == Mark::LeftOut) => String::new(),
            Some(marks) => marks.iter().map(|mark| mark.text()).collect::<Vec<_>>().join(" "),
            None if is_skipped => "–".to_owned(),
            None => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_row_a_scenario_and_a_mark_a_role() {
        let (mut matrix, now) = (Matrix::default(), Instant::now());
        matrix.begin("one", "1.0".into());
        matrix.report("a", "one", "offerer", now, &Ok("fine".into()));
        matrix.report("a", "one", "answerer", now, &Err(anyhow::anyhow!("broken")));
        matrix.leave_out("b", "one");
        matrix.report("b", "one", "answerer", now, &Ok("fine".into()));
        matrix.leave_out("c", "one");
        matrix.skip("two", "it is not there");
        let expected =
            "| scenario | one 1.0 | two skipped |\n|---|---|---|\n| a | ✓ ✗ | – |\n| b | · ✓ | – |\n| c |  | – |\n";
        assert_eq!(matrix.table(), expected);
        assert_eq!((matrix.passed(), matrix.failed(), matrix.skipped()), (2, 1, 1));
    }
}
