//! Makes a world that fails simpler, as long as it fails.

use super::draw::Choice;
use std::collections::BTreeMap;

/// So many simpler worlds are tried.
const WORLDS_MAX: u32 = 600;

/// What was decided, by the names of the choices.
pub(super) type Decided = BTreeMap<String, u64>;

pub(super) struct Shrinker<F> {
    /// Whether a world fails in the same way, and if so, with which choices.
    fails: F,
    /// The simplest world that fails.
    best: Vec<Choice>,
    /// How many worlds were tried.
    pub(super) worlds: u32,
}

impl<F: FnMut(&Decided) -> Option<Vec<Choice>>> Shrinker<F> {
    pub(super) const fn new(choices: Vec<Choice>, fails: F) -> Self {
        Self { fails, best: choices, worlds: 0 }
    }

    /// Simplifies until nothing more can be, and returns what it decided.
    pub(super) fn run(&mut self) -> Decided {
        loop {
            let before = self.best.clone();
            self.clear();
            self.lower();
            if self.best == before || self.worlds >= WORLDS_MAX {
                return decide(&self.best);
            }
        }
    }

    /// Takes the simplest of many at once, then of fewer.
    fn clear(&mut self) {
        let mut size = self.best.len();
        while size > 0 {
            let mut start = 0;
            while start < self.best.len() {
                let names: Vec<_> = self.best.iter().skip(start).take(size).filter(|choice| choice.value > 0).collect();
                let changes: Vec<_> = names.iter().map(|choice| (choice.name.clone(), 0)).collect();
                self.attempt(changes);
                start += size;
            }
            size /= 2;
        }
    }

    /// Looks for the lowest number that fails, each time in the half where it must be.
    fn lower(&mut self) {
        let names: Vec<_> = self.best.iter().map(|choice| choice.name.clone()).collect();
        for name in names {
            let mut passes = 0;
            while let Some(fails) = self.value(&name).filter(|fails| fails - passes.min(*fails) > 1) {
                let middle = passes + (fails - passes) / 2;
                if !self.attempt(vec![(name.clone(), middle)]) {
                    passes = middle;
                }
            }
        }
    }

    fn value(&self, name: &str) -> Option<u64> {
        self.best.iter().find(|choice| choice.name == name).map(|choice| choice.value)
    }

    /// Tries with these changes, and keeps to them if it fails still.
    fn attempt(&mut self, changes: Vec<(String, u64)>) -> bool {
        if changes.is_empty() || self.worlds >= WORLDS_MAX {
            return false;
        }
        self.worlds += 1;
        let mut decided = decide(&self.best);
        decided.extend(changes);
        let choices = (self.fails)(&decided);
        let has_failed = choices.is_some();
        self.best = choices.unwrap_or_else(|| std::mem::take(&mut self.best));
        has_failed
    }
}

fn decide(choices: &[Choice]) -> Decided {
    choices.iter().map(|choice| (choice.name.clone(), choice.value)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::draw::Draw;
    use super::*;

    /// What is left of a world that fails if `is_failing` says so of its list of numbers.
    fn shrunk(seed: u64, is_failing: impl Fn(&[u64]) -> bool) -> (Vec<u64>, u32) {
        let list = |decided: &Decided| {
            let mut draw = Draw::new(seed, decided.clone());
            let list = draw.list("list", 0..=30, |draw| draw.number("number", 10..=10_000));
            (list, draw.into_choices())
        };
        let fails = |decided: &Decided| {
            let (list, choices) = list(decided);
            is_failing(&list).then_some(choices)
        };
        let first = list(&Decided::new());
        assert!(is_failing(&first.0), "{:?}", first.0);
        let mut shrinker = Shrinker::new(first.1, fails);
        let decided = shrinker.run();
        (list(&decided).0, shrinker.worlds)
    }

    #[test]
    fn lists_become_short_and_numbers_small() {
        for seed in (0..20).filter(|seed| seed % 5 != 0) {
            let (list, worlds) = shrunk(seed, |list| list.iter().all(|n| *n < 10_001));
            assert_eq!((list, worlds), (vec![], 1), "everything fails");
        }
        for seed in [1, 3, 8] {
            let (list, worlds) = shrunk(seed, |list| list.iter().any(|number| *number >= 777));
            assert_eq!(list, [777]);
            assert!(worlds < 150, "{worlds}");
        }
    }

    #[test]
    fn of_a_list_those_are_left_that_fail_together() {
        let (list, _) = shrunk(3, |list| list.iter().filter(|number| **number >= 2000).count() >= 3);
        assert_eq!(list, [2000; 3]);
    }
}
