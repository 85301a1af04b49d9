//! After the estimate has dropped, as much as there was before may be there again: when to try.
//!
//! Tries that show nothing come every few seconds, and cost little. One that raised the estimate and was followed by a decrease was wrong:
//! on a path that is shared, a short burst finds room that is not there for long. Then the next one waits for twice the time.

use super::SECOND;

/// A drop is one below so much of the estimate before.
const DROP: f64 = 0.66;
/// It is over when so much of that is there again.
const OVER: f64 = 0.85;
/// Decreases that follow each other as soon are one.
const EPISODE: i64 = 3 * SECOND;
/// A decrease that follows a raise so soon is because of it.
const BLAME: i64 = 5 * SECOND;
/// The path is tried when it has been at rest for so long, then after twice the time, and so on, up to so long …
const WAIT: (i64, i64) = (SECOND, 5 * SECOND);
/// … or, while tries are wrong, up to so long.
const WAIT_WRONG_MAX: i64 = 60 * SECOND;

/// Decreases that belong together.
#[derive(Clone, Copy, Debug)]
struct Episode {
    /// The estimate before the first.
    before: f64,
    /// The last.
    at: i64,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Recovery {
    episode: Option<Episode>,
    /// The estimate before it dropped.
    before: Option<f64>,
    /// How long to wait until the next try.
    wait: i64,
    tried: i64,
    /// When a try raised the estimate.
    raised: Option<i64>,
}

impl Default for Recovery {
    fn default() -> Self {
        Self { episode: None, before: None, wait: WAIT.0, tried: 0, raised: None }
    }
}

impl Recovery {
    /// The estimate was `before`, and is another now.
    pub(crate) fn changed(&mut self, before: f64, target: f64, now: i64) {
        if target < before {
            self.decreased(before, target, now);
        } else if self.before.is_some_and(|was| target >= was * OVER) && !self.is_raised(now) {
            self.before = None;
        }
    }

    /// Whether a try has raised the estimate just now, and may yet be wrong.
    fn is_raised(&self, now: i64) -> bool {
        self.raised.is_some_and(|raised| now.saturating_sub(raised) <= BLAME)
    }

    fn decreased(&mut self, before: f64, target: f64, now: i64) {
        if self.is_raised(now) {
            self.raised = None;
            self.episode = None;
            self.wait = self.wait.saturating_mul(2).min(WAIT_WRONG_MAX);
            self.tried = now;
            return;
        }
        let new = Episode { before, at: now };
        let episode = self.episode.get_or_insert(new);
        if now.saturating_sub(episode.at) > EPISODE {
            *episode = new;
        }
        episode.at = now;
        if target < episode.before * DROP {
            self.before = Some(self.before.map_or(episode.before, |was| was.max(episode.before)));
            self.wait = WAIT.0;
            *episode = Episode { before: target, at: now };
        }
    }

    /// A try has raised the estimate by much.
    pub(crate) fn raised(&mut self, now: i64) {
        if self.before.is_some() {
            self.raised = Some(now);
        }
    }

    /// Up to which estimate the path is to be tried now.
    pub(crate) fn is_due(&mut self, target: f64, now: i64) -> Option<f64> {
        let before = self.before.filter(|before| target < before * DROP)?;
        let decreased = self.episode.map_or(0, |episode| episode.at);
        if now.saturating_sub(decreased.max(self.tried)) < self.wait {
            return None;
        }
        self.tried = now;
        self.wait = self.wait.max(self.wait.saturating_mul(2).min(WAIT.1));
        Some(before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When it is due, in seconds, within so many, asked each tenth.
    fn due(recovery: &mut Recovery, target: f64, from: i64, until: i64) -> Vec<i64> {
        let times = (from * 10..until * 10).filter(|tenth| recovery.is_due(target, tenth * SECOND / 10).is_some());
        times.map(|tenth| tenth / 10).collect()
    }

    #[test]
    fn after_a_drop_the_path_is_tried_and_after_a_small_decrease_it_is_not() {
        let mut recovery = Recovery::default();
        recovery.changed(1e6, 0.8e6, 10 * SECOND);
        assert_eq!(due(&mut recovery, 0.8e6, 10, 60), []);
        recovery.changed(0.8e6, 0.5e6, 60 * SECOND);
        assert_eq!(due(&mut recovery, 0.5e6, 60, 80), [61, 63, 67, 72, 77]);
        // It is over when most of it is there again.
        recovery.changed(0.5e6, 0.7e6, 80 * SECOND);
        assert_eq!(due(&mut recovery, 0.7e6, 80, 100), []);
    }

    #[test]
    fn decreases_that_follow_each_other_are_one() {
        let mut recovery = Recovery::default();
        for (n, rates) in [1.0e6, 0.85e6, 0.72e6, 0.6e6].windows(2).enumerate() {
            recovery.changed(rates[0], rates[1], n as i64 * SECOND);
        }
        assert_eq!(recovery.is_due(0.6e6, 9 * SECOND), Some(1e6));
        let mut slow = Recovery::default();
        for (n, rates) in [1.0e6, 0.85e6, 0.72e6, 0.6e6].windows(2).enumerate() {
            slow.changed(rates[0], rates[1], n as i64 * 10 * SECOND);
        }
        assert_eq!(slow.is_due(0.6e6, 90 * SECOND), None);
    }

    #[test]
    fn a_try_that_was_wrong_makes_the_next_wait() {
        let mut recovery = Recovery::default();
        recovery.changed(1e6, 0.4e6, 0);
        let mut at = 0;
        let mut waits = Vec::new();
        for _ in 0..6 {
            let tried = (at..at + 100).find(|second| recovery.is_due(0.4e6, second * SECOND).is_some()).unwrap();
            waits.push(tried - at);
            recovery.raised(tried * SECOND);
            recovery.changed(0.4e6, 0.8e6, tried * SECOND);
            at = tried + 1;
            recovery.changed(0.8e6, 0.4e6, at * SECOND);
        }
        assert!(waits.is_sorted() && waits[5] == 60, "{waits:?}");
    }
}
