//! When there may be more than the estimate says, so that the path is tried: in the beginning, after a try that showed more, while the
//! application itself is the limit, and after the estimate has dropped.

use super::SECOND;
use super::probe::{Prober, Shown};

/// In the beginning: so many times the first estimate.
const FIRST: [f64; 2] = [3.0, 6.0];
/// Later: so many times the estimate.
const NEXT: f64 = 2.0;
/// Who has shown so much of what was tried may have more.
const SUCCESS: f64 = 0.7;
/// Beyond what the application would send, nobody tries more than so much of it.
const DESIRED: f64 = 1.5;
/// A try of less than this is none.
const MORE: f64 = 1.1;
/// Whoever does not say what it would send needs no more than so many times of what it does.
const UNDESIRED: f64 = 4.0;
/// While the application is the limit, the path is tried so often.
const ALR_INTERVAL: i64 = 5 * SECOND;
/// A drop is one below so much of the estimate before.
const DROP: f64 = 0.66;
/// Decreases that follow each other as soon are one drop.
const DROP_TIME: i64 = 3 * SECOND;
/// After a drop the path is tried when it has been at rest for so long, and then after twice the time, up to so long.
const RECOVERY: (i64, i64) = (SECOND, 5 * SECOND);
/// A decrease that follows a try so soon is because of it.
const BLAME: i64 = 2 * SECOND;

/// What is known when it is asked whether to try.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(crate) target: f64,
    /// Neither the queue grows nor much is lost.
    pub(crate) is_calm: bool,
    /// Since when the application is the limit.
    pub(crate) limited_since: Option<i64>,
    /// What arrives.
    pub(crate) acknowledged: Option<f64>,
    /// What the application would send.
    pub(crate) desired: Option<f64>,
    pub(crate) max: f64,
}

impl Known {
    /// Nobody tries more.
    fn cap(&self) -> f64 {
        self.desired.map_or(self.max, |desired| self.max.min(desired * DESIRED))
    }

    /// Whether more than the estimate would be of use to the application.
    fn is_short(&self) -> bool {
        match (self.desired, self.acknowledged) {
            (Some(_), _) => true,
            (None, Some(acknowledged)) => self.target < acknowledged * UNDESIRED,
            (None, None) => false,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Drop {
    /// The estimate before.
    before: f64,
    /// The last decrease.
    at: i64,
    /// How long to wait until the next try.
    wait: i64,
    tried: i64,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Planner {
    has_begun: bool,
    /// The last try showed almost all that was tried.
    is_promising: bool,
    tried: i64,
    drop: Option<Drop>,
    /// The application would send more than before.
    is_asked: bool,
}

impl Planner {
    /// The application would send more than it said before.
    pub(crate) fn ask(&mut self) {
        self.is_asked = true;
    }

    /// The first packet leaves.
    pub(crate) fn begin(&mut self, known: &Known, prober: &mut Prober, now: i64) {
        if std::mem::replace(&mut self.has_begun, true) {
            return;
        }
        for factor in FIRST {
            self.plan(factor * known.target, known, prober, now);
        }
    }

    /// The estimate was `before`, and is another now.
    pub(crate) fn changed(&mut self, before: f64, target: f64, now: i64) {
        if target >= before {
            self.drop = self.drop.filter(|drop| target < drop.before * 0.85);
            return;
        }
        let new = Drop { before, at: now, wait: RECOVERY.0, tried: now };
        let drop = self.drop.get_or_insert(new);
        if now.saturating_sub(drop.at) > DROP_TIME && target > drop.before * DROP {
            *drop = new;
        }
        if now.saturating_sub(drop.tried) > BLAME {
            drop.wait = RECOVERY.0;
        }
        drop.at = now;
    }

    /// A try has shown something.
    pub(crate) fn shown(&mut self, shown: &Shown, is_success: bool) {
        self.is_promising = is_success && shown.rate >= shown.planned * SUCCESS;
    }

    /// Something was told, or time has passed.
    pub(crate) fn consider(&mut self, known: &Known, prober: &mut Prober, now: i64) {
        if !self.has_begun || !known.is_calm {
            return;
        }
        if !prober.is_idle(now) {
            return;
        }
        if self.is_promising && known.is_short() {
            self.is_promising = false;
            self.plan(NEXT * known.target, known, prober, now);
        } else {
            self.recover(known, prober, now);
            self.explore(known, prober, now);
        }
    }

    /// After a drop, as much as there was before may be there again.
    fn recover(&mut self, known: &Known, prober: &mut Prober, now: i64) {
        let Some(drop) = &mut self.drop else { return };
        let rests = now.saturating_sub(drop.at.max(drop.tried));
        if known.target >= drop.before * DROP || rests < drop.wait {
            return;
        }
        drop.tried = now;
        drop.wait = drop.wait.saturating_mul(2).min(RECOVERY.1);
        let rate = (NEXT * known.target).min(drop.before);
        self.plan(rate, known, prober, now);
    }

    /// While the application is the limit, nothing else says what there would be.
    fn explore(&mut self, known: &Known, prober: &mut Prober, now: i64) {
        let Some(since) = known.limited_since else { return };
        let is_due = self.is_asked || now.saturating_sub(since.max(self.tried)) >= ALR_INTERVAL;
        if is_due && known.is_short() {
            self.is_asked = false;
            self.plan(NEXT * known.target, known, prober, now);
        }
    }

    fn plan(&mut self, rate: f64, known: &Known, prober: &mut Prober, now: i64) {
        let rate = rate.min(known.cap());
        if rate < known.target * MORE {
            return;
        }
        prober.plan(rate, now);
        self.tried = now;
    }
}
