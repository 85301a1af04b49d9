//! When there may be more than the estimate says, so that the path is tried: in the beginning, after a try that showed more, while the
//! application itself is the limit, and after the estimate has dropped.

use super::SECOND;
use super::probe::{Prober, Shown};
use super::recovery::Recovery;

/// In the beginning: so many times the first estimate.
const FIRST: [f64; 2] = [3.0, 6.0];
/// Reports may be lost, and what they tell may be nothing: so often a try is repeated of which nothing was shown.
const REPEATS_MAX: u8 = 3;
/// Later: so many times the estimate.
const NEXT: f64 = 2.0;
/// Who has shown so much of what was tried may have more.
const SUCCESS: f64 = 0.7;
/// And so may who has shown so many times the estimate of before.
const PROGRESS: f64 = 1.25;
/// Beyond what the application would send, nobody tries more than so much of it.
const DESIRED: f64 = 1.5;
/// A try of less than this is none.
const MORE: f64 = 1.1;
/// Whoever does not say what it would send needs no more than so many times of what it does.
const UNDESIRED: f64 = 4.0;
/// Whoever sends so much less than the estimate keeps it from growing: it follows what arrives.
const HELD: f64 = 1.2;
/// While the application is the limit, the path is tried so often.
const ALR_INTERVAL: i64 = 5 * SECOND;
/// What is known when it is asked whether to try.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(crate) target: f64,
    /// Neither the queue grows nor much is lost.
    pub(crate) is_calm: bool,
    /// Since when the application is the limit.
    pub(crate) limited_since: Option<i64>,
    /// What arrives of what was sent for its own sake.
    pub(crate) arriving: Option<f64>,
    /// What the application would send.
    pub(crate) desired: Option<f64>,
    pub(crate) max: f64,
}

impl Known {
    /// Whether more would be sent than is, as by a server that has no layer between two sizes.
    fn is_held(&self) -> bool {
        let wants_more = self.desired.is_some_and(|desired| desired > self.target);
        wants_more && self.arriving.is_some_and(|arriving| arriving * HELD < self.target)
    }

    /// Nobody tries more.
    fn cap(&self) -> f64 {
        let needed = match (self.desired, self.arriving) {
            (Some(desired), _) => desired * DESIRED,
            (None, Some(arriving)) => arriving * UNDESIRED,
            (None, None) => self.max,
        };
        needed.min(self.max)
    }
}

fn earlier(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    [one, other].into_iter().flatten().min()
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Planner {
    has_begun: bool,
    /// How often the first tries may be repeated, of which nothing was told.
    repeats: u8,
    /// How often more may be tried because the last try showed almost all that was tried: more than once, for what a try shows may be
    /// lost, or nothing.
    hopes: u8,
    tried: i64,
    recovery: Recovery,
    /// The application would send more than before.
    is_asked: bool,
    /// Since when the estimate is held by what is sent, which is less.
    held_since: Option<i64>,
}

impl Planner {
    /// The application would send more than it said before.
    pub(crate) fn ask(&mut self) {
        self.is_asked = true;
    }

    /// A limit of the application's was all that kept the estimate low.
    pub(crate) fn unlimit(&mut self) {
        self.hopes = REPEATS_MAX;
    }

    /// Whether anything was sent.
    pub(crate) const fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// The first packet leaves.
    pub(crate) fn begin(&mut self, known: &Known, prober: &mut Prober, now: i64) {
        self.has_begun = true;
        self.repeats = REPEATS_MAX;
        self.first(known, prober, now);
    }

    fn first(&mut self, known: &Known, prober: &mut Prober, now: i64) {
        for factor in FIRST {
            self.plan(factor * known.target, known, prober, now);
        }
    }

    /// The estimate was `before`, and is another now.
    pub(crate) fn changed(&mut self, before: f64, target: f64, now: i64) {
        if target < before {
            self.hopes = 0;
        }
        self.recovery.changed(before, target, now);
    }

    /// A try has shown something, where the estimate was `before`.
    pub(crate) fn shown(&mut self, shown: &Shown, before: f64, is_success: bool, now: i64) {
        self.repeats = 0;
        let is_promising = shown.rate >= shown.planned * SUCCESS || shown.rate >= before * PROGRESS;
        self.hopes = match (is_promising, is_success) {
            (true, true) => REPEATS_MAX,
            (true, false) => self.hopes,
            (false, _) => 0,
        };
        if is_success && shown.rate >= before * PROGRESS {
            self.recovery.raised(now);
        }
    }

    /// Something was told, or time has passed.
    pub(crate) fn consider(&mut self, known: &Known, prober: &mut Prober, now: i64) {
        self.held_since = known.is_held().then(|| self.held_since.unwrap_or(now));
        if !self.has_begun || !known.is_calm || !prober.is_idle(now) {
            return;
        }
        if self.repeats > 0 {
            self.repeats = self.repeats.saturating_sub(1);
            self.first(known, prober, now);
        } else if self.hopes > 0 && self.plan(NEXT * known.target, known, prober, now) {
            self.hopes = self.hopes.saturating_sub(1);
        } else if let Some(before) = self.recovery.is_due(known.target, now) {
            self.plan(before.min(NEXT * known.target), known, prober, now);
        } else {
            self.explore(known, prober, now);
        }
    }

    /// While the application is the limit, nothing else says what there would be.
    fn explore(&mut self, known: &Known, prober: &mut Prober, now: i64) {
        let Some(since) = earlier(known.limited_since, self.held_since) else { return };
        let is_due = self.is_asked || now.saturating_sub(since.max(self.tried)) >= ALR_INTERVAL;
        if is_due {
            self.is_asked = false;
            self.plan(NEXT * known.target, known, prober, now);
        }
    }

    /// Plans a try, if that is one.
    fn plan(&mut self, rate: f64, known: &Known, prober: &mut Prober, now: i64) -> bool {
        let rate = rate.min(known.cap());
        let is_more = rate >= known.target * MORE;
        if is_more {
            prober.plan(rate, now);
            self.tried = now;
        }
        is_more
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(target: f64, arriving: f64, desired: Option<f64>) -> Known {
        Known { target, is_calm: true, limited_since: None, arriving: Some(arriving), desired, max: 50e6 }
    }

    /// What is planned, if anything is: begins it, and gives it up.
    fn planned(planner: &mut Planner, known: &Known, now: i64) -> Option<f64> {
        let mut prober = Prober::default();
        planner.consider(known, &mut prober, now);
        prober.sent(1200, now);
        prober.pace(now)
    }

    fn begun() -> Planner {
        let mut planner = Planner::default();
        planner.begin(&known(300e3, 0.0, Some(50e6)), &mut Prober::default(), 0);
        planner.repeats = 0;
        planner
    }

    fn shown(rate: f64, planned: f64) -> Shown {
        Shown { rate, arrived: rate, left: rate, planned, is_full: false }
    }

    #[test]
    fn first_tries_of_which_nothing_was_told_are_repeated_three_times() {
        let mut planner = Planner::default();
        let known = known(300e3, 300e3, Some(50e6));
        planner.begin(&known, &mut Prober::default(), 0);
        let tries = (1..10).filter(|second| planned(&mut planner, &known, second * 5 * SECOND) == Some(900e3));
        assert_eq!(tries.count(), 3);
        planner.begin(&known, &mut Prober::default(), 60 * SECOND);
        planner.shown(&shown(100e3, 900e3), 300e3, false, 61 * SECOND);
        assert_eq!(planned(&mut planner, &known, 65 * SECOND), None);
    }

    #[test]
    fn success_asks_for_twice_as_much_until_it_shows_less() {
        let mut planner = begun();
        assert_eq!(planned(&mut planner, &known(1e6, 1e6, None), SECOND), None);
        planner.shown(&shown(1e6, 1e6), 0.5e6, true, SECOND);
        assert_eq!(planned(&mut planner, &known(1e6, 1e6, None), SECOND), Some(2e6));
        planner.shown(&shown(1.1e6, 2e6), 1e6, true, SECOND);
        assert_eq!(planned(&mut planner, &known(1.1e6, 1e6, None), SECOND), None);
    }

    /// A server that forwards sends a half, and would send four times as much: no less than the half is being limited by itself, and no more
    /// lets the estimate grow.
    #[test]
    fn the_path_is_tried_each_five_seconds_while_less_is_sent_than_would_be() {
        let mut planner = begun();
        let held = known(1e6, 0.7e6, Some(4e6));
        let tried = |planner: &mut Planner, known: &Known, from: i64, until: i64| {
            (from..until).filter(|second| planned(planner, known, second * SECOND).is_some()).collect::<Vec<_>>()
        };
        assert_eq!(tried(&mut planner, &held, 1, 14), [6, 11]);
        assert_eq!(tried(&mut planner, &known(1e6, 0.9e6, Some(4e6)), 20, 40), [], "the estimate grows by itself");
        assert_eq!(tried(&mut planner, &known(1e6, 0.7e6, Some(0.9e6)), 40, 60), [], "no more is wanted");
        assert_eq!(tried(&mut planner, &held, 60, 70), [65]);
    }

    #[test]
    fn nobody_tries_more_than_is_of_use() {
        for (desired, arriving, expected) in
            [(Some(1e6), 0.1e6, Some(1.5e6)), (Some(0.5e6), 9e6, None), (None, 0.4e6, Some(1.6e6)), (None, 0.2e6, None)]
        {
            let mut planner = begun();
            planner.shown(&shown(1e6, 1e6), 0.5e6, true, SECOND);
            assert_eq!(planned(&mut planner, &known(1e6, arriving, desired), SECOND), expected);
        }
    }

    #[test]
    fn the_path_is_tried_each_five_seconds_while_the_application_is_the_limit_and_at_once_when_it_asks() {
        let mut planner = begun();
        let limited = Known { limited_since: Some(SECOND), ..known(1e6, 0.5e6, None) };
        let tried = |planner: &mut Planner, from: i64, until: i64| {
            let each = (from..until).filter(|second| planned(planner, &limited, second * SECOND).is_some());
            each.collect::<Vec<_>>()
        };
        assert_eq!(tried(&mut planner, 1, 20), [6, 11, 16]);
        planner.ask();
        assert_eq!(tried(&mut planner, 20, 27), [20, 25]);
        let calm = Known { is_calm: false, ..limited };
        assert_eq!(planned(&mut planner, &calm, 40 * SECOND), None);
    }
}
