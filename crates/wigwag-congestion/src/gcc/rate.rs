//! The estimate that the delay allows: additive or multiplicative increase, multiplicative decrease (draft-ietf-rmcat-gcc-02 §5.5).

use super::{SECOND, seconds};
use crate::stats::DelayState;

/// What is left of the throughput after an overuse.
// draft-ietf-rmcat-gcc-02 §5.5: "beta is typically chosen to be in the interval [0.8, 0.95], 0.85 is the RECOMMENDED value."
const BETA: f64 = 0.85;
/// How much of itself the estimate grows by in a second, far from what the path carries.
// draft-ietf-rmcat-gcc-02 §5.5: "During multiplicative increase, the estimate is increased by at most 8% per second."
const ETA: f64 = 0.08;
/// Near what the path carries it grows by no more of itself.
const ETA_NEAR: f64 = 0.04;
/// What the path carried so long ago is not what it carries now: who has grown slowly for so long grows fast again.
const STALE: i64 = 15 * SECOND;
/// A packet, in bits.
const PACKET: f64 = 1200.0 * 8.0;
/// It grows by no less, in bit/s a second or a step.
const GROWTH_MIN: f64 = 1000.0;
/// Near what the path carries it grows by no less, in bit/s a second.
const GROWTH_NEAR_MIN: f64 = 4000.0;
/// More than this is not more of what arrives, but a guess.
// draft-ietf-rmcat-gcc-02 §5.5: "Therefore we introduce a threshold A_hat(i) < 1.5 * R_hat(i)"
const AHEAD_FACTOR: f64 = 1.5;
const AHEAD: f64 = 10_000.0;
/// It takes so long at least, and no longer than that, until a decrease shows.
const REACTION: (i64, i64) = (10_000, SECOND / 5);

/// Where the queue does not grow more and more, a decrease was enough if so much of the estimate arrives …
const ENOUGH: f64 = 0.95;
/// … and it was by far too little if no more than this does.
const FAR: f64 = 0.5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Hold,
    Increase,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Aimd {
    state: State,
    estimate: f64,
    capacity: Capacity,
    /// When the estimate grew last, or began to.
    grown: Option<i64>,
    /// When it was decreased last, or is known otherwise since.
    changed: Option<i64>,
    /// Overuse was signaled since the last decrease.
    is_signaled: bool,
}

impl Aimd {
    pub(crate) fn new(initial: f64) -> Self {
        Self {
            state: State::Hold,
            estimate: initial,
            capacity: Capacity::default(),
            grown: None,
            changed: None,
            is_signaled: false,
        }
    }

    pub(crate) const fn estimate(&self) -> f64 {
        self.estimate
    }

    /// The estimate is known otherwise.
    pub(crate) fn set(&mut self, estimate: f64, now: i64) {
        self.estimate = estimate;
        (self.grown, self.changed) = (Some(now), Some(now));
    }

    /// So much is what the path carries, as was found otherwise.
    pub(crate) fn set_capacity(&mut self, bitrate: f64) {
        self.capacity = Capacity::default();
        self.capacity.add(bitrate);
    }

    pub(crate) fn clamp(&mut self, min: f64, max: f64) {
        self.estimate = self.estimate.clamp(min, max);
    }

    /// Overuse was signaled.
    pub(crate) fn signal(&mut self) {
        self.is_signaled = true;
    }

    /// What the delay says now, where `throughput` arrives, `lately` in the last moment.
    pub(crate) fn update(
        &mut self,
        usage: DelayState,
        throughput: Option<f64>,
        lately: Option<f64>,
        rtt: i64,
        now: i64,
    ) {
        match (usage, self.state) {
            (DelayState::Overusing, _) => {
                if self.may_decrease(lately, rtt, now) {
                    self.decrease(lately.unwrap_or(self.estimate), now);
                }
                self.state = State::Hold;
            }
            (DelayState::Underusing, _) => (self.state, self.is_signaled) = (State::Hold, false),
            (DelayState::Normal, State::Hold) => {
                self.is_signaled = false;
                self.state = State::Increase;
                self.grown = Some(now);
            }
            (DelayState::Normal, State::Increase) => {
                if let Some(throughput) = throughput {
                    self.increase(throughput, rtt, now);
                }
            }
        }
    }

    fn increase(&mut self, throughput: f64, rtt: i64, now: i64) {
        let is_stale = self.changed.is_some_and(|changed| now.saturating_sub(changed) > STALE);
        if is_stale || self.capacity.is_exceeded(throughput) {
            self.capacity = Capacity::default();
        }
        let passed = seconds(now.saturating_sub(self.grown.replace(now).unwrap_or(now)).clamp(0, SECOND));
        let limit = AHEAD_FACTOR * throughput + AHEAD;
        if self.estimate >= limit {
            return;
        }
        let growth = match self.capacity.mean {
            Some(_) => self.growth_near(rtt) * passed,
            None => (self.estimate * ETA).max(GROWTH_MIN) * passed,
        };
        self.estimate = (self.estimate + growth).min(limit);
    }

    /// Half a packet in the time that it takes until it shows, in bit/s a second, the same for all flows, or they would not come to share
    /// alike; but for those that are so slow that it would be much.
    // draft-ietf-rmcat-gcc-02 §5.5: "During the additive increase the estimate is increased with at most half a packet per response_time
    // interval."
    fn growth_near(&self, rtt: i64) -> f64 {
        let response = seconds(rtt.clamp(0, 2 * SECOND)) + 0.1;
        (PACKET / (2.0 * response)).min(self.estimate * ETA_NEAR).max(GROWTH_NEAR_MIN)
    }

    /// Whether the last change has had time to show and was not enough, or was by far too little.
    fn may_decrease(&self, lately: Option<f64>, rtt: i64, now: i64) -> bool {
        let reaction = rtt.clamp(REACTION.0, REACTION.1);
        let has_shown = self.changed.is_none_or(|changed| now.saturating_sub(changed) >= reaction);
        let arrives_less = |part: f64| lately.is_some_and(|lately| lately < self.estimate * part);
        (has_shown && (self.is_signaled || arrives_less(ENOUGH))) || arrives_less(FAR)
    }

    fn decrease(&mut self, throughput: f64, now: i64) {
        let mut estimate = BETA * throughput;
        if estimate >= self.estimate
            && let Some(capacity) = self.capacity.mean
        {
            estimate = BETA * capacity;
        }
        if self.capacity.is_missed(throughput) {
            self.capacity = Capacity::default();
        }
        self.capacity.add(throughput);
        self.estimate = self.estimate.min(estimate);
        self.is_signaled = false;
        self.changed = Some(now);
    }
}

/// What the path seems to carry: the mean and the deviation of the throughput at overuses.
// draft-ietf-rmcat-gcc-02 §5.5: "It is RECOMMENDED to measure this average and standard deviation with an exponential moving average with
// the smoothing factor 0.95"
#[derive(Debug, Default)]
struct Capacity {
    mean: Option<f64>,
    /// The variance, as a part of the mean, in kbit/s.
    variance: f64,
}

impl Capacity {
    const NEW: f64 = 0.05;
    /// In kbit/s.
    const VARIANCE: (f64, f64) = (0.4, 2.5);

    fn add(&mut self, throughput: f64) {
        let kbps = throughput / 1000.0;
        let mean = self.mean.map_or(kbps, |mean| (1.0 - Self::NEW) * (mean / 1000.0) + Self::NEW * kbps);
        let error = mean - kbps;
        let variance = (1.0 - Self::NEW) * self.variance + Self::NEW * error * error / mean.max(1.0);
        self.variance = variance.clamp(Self::VARIANCE.0, Self::VARIANCE.1);
        self.mean = Some(mean * 1000.0);
    }

    /// Three standard deviations, in bit/s.
    fn deviation(&self) -> f64 {
        3.0 * (self.variance * self.mean.unwrap_or(0.0) / 1000.0).sqrt() * 1000.0
    }

    fn is_exceeded(&self, throughput: f64) -> bool {
        self.mean.is_some_and(|mean| throughput > mean + self.deviation())
    }

    fn is_missed(&self, throughput: f64) -> bool {
        self.mean.is_some_and(|mean| throughput < mean - self.deviation())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: i64 = 100_000;

    /// After so many seconds, updated each tenth.
    fn run(aimd: &mut Aimd, usage: DelayState, throughput: impl Fn(f64) -> f64, from: i64, seconds: i64) -> f64 {
        for n in 0..=seconds * 10 {
            let rate = Some(throughput(aimd.estimate));
            aimd.update(usage, rate, rate, RTT, from * SECOND + n * SECOND / 10);
        }
        aimd.estimate
    }

    #[test]
    fn it_grows_by_eight_percent_a_second() {
        let grown = run(&mut Aimd::new(1e6), DelayState::Normal, |estimate| estimate, 0, 10);
        assert!((2.1e6..2.3e6).contains(&grown), "{grown}");
    }

    #[test]
    fn it_does_not_run_away_from_what_arrives() {
        let grown = run(&mut Aimd::new(1e6), DelayState::Normal, |_| 1e6, 0, 100);
        assert!((grown - 1.51e6).abs() < 1.0, "{grown}");
        // But who is ahead stays there.
        let kept = run(&mut Aimd::new(3e6), DelayState::Normal, |_| 1e6, 0, 10);
        assert!((kept - 3e6).abs() < 1.0, "{kept}");
    }

    #[test]
    fn an_overuse_leaves_most_of_what_arrives() {
        let mut aimd = Aimd::new(2e6);
        assert!((run(&mut aimd, DelayState::Overusing, |_| 1e6, 0, 1) - 0.85e6).abs() < 1.0);
        // Then it grows slowly, near what the path carries.
        let grown = run(&mut aimd, DelayState::Normal, |estimate| estimate, 2, 2);
        assert!((0.86e6..0.95e6).contains(&grown), "{grown}");
        // Until more arrives than the path has carried.
        let grown = run(&mut aimd, DelayState::Normal, |_| 2e6, 4, 10);
        assert!(grown > 1.7e6, "{grown}");
    }

    #[test]
    fn a_decrease_has_time_to_show() {
        let mut aimd = Aimd::new(1e6);
        for (now, rate, expected) in [(0, 0.9e6, 0.765e6), (50_000, 0.7e6, 0.765e6), (100_000, 0.7e6, 0.595e6)] {
            aimd.update(DelayState::Overusing, Some(rate), Some(rate), RTT, now);
            assert!((aimd.estimate - expected).abs() < 1.0, "{now}: {}", aimd.estimate);
        }
        // One that was by far too little is repeated at once.
        aimd.update(DelayState::Overusing, Some(0.1e6), Some(0.1e6), RTT, 101_000);
        assert!((aimd.estimate - 0.085e6).abs() < 1.0);
    }

    #[test]
    fn nothing_grows_while_the_queue_shrinks_or_nothing_arrives() {
        let mut aimd = Aimd::new(1e6);
        assert!((run(&mut aimd, DelayState::Underusing, |_| 9e6, 0, 5) - 1e6).abs() < 1.0);
        for n in 0..50 {
            aimd.update(DelayState::Normal, None, None, RTT, 5 * SECOND + n * SECOND / 10);
        }
        assert!((aimd.estimate - 1e6).abs() < 1.0);
    }
}
