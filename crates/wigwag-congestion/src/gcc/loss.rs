//! The loss-based controller (draft-ietf-rmcat-gcc-02 §6).
//!
//! It says nothing until much is lost; then it limits the estimate, until it has grown above what the delay allows.

use super::{SECOND, seconds};
use crate::feedback::News;

/// So little is lost by chance.
// draft-ietf-rmcat-gcc-02 §6: "If 2-10% of the packets have been lost since the previous report from the receiver, the sender available
// bandwidth estimate As_hat(i) will be kept unchanged."
const LOW: f64 = 0.02;
const HIGH: f64 = 0.10;
/// The estimate is judged by so many packets at least …
const PACKETS_MIN: u32 = 20;
/// … of so much time.
const PERIOD: i64 = 3 * SECOND / 10;
/// How much it grows by in a second while little is lost.
const GROWTH: f64 = 0.08;
const GROWTH_MIN: f64 = 1000.0;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct LossBased {
    estimate: Option<f64>,
    fraction: f64,
    /// Of the period that lasts.
    expected: u32,
    lost: u32,
    begun: Option<i64>,
    reduced: Option<i64>,
}

impl LossBased {
    /// What may be sent; nothing while losses say nothing.
    pub(crate) const fn estimate(&self) -> Option<f64> {
        self.estimate
    }

    /// How much was lost in the last period.
    pub(crate) const fn fraction(&self) -> f64 {
        self.fraction
    }

    /// Whether no more is lost than by chance.
    pub(crate) fn is_low(&self) -> bool {
        self.fraction <= LOW
    }

    /// Nobody sends less, so it is nothing to begin with once losses are over.
    pub(crate) fn clamp(&mut self, min: f64) {
        self.estimate = self.estimate.map(|estimate| estimate.max(min));
    }

    /// A try has shown so much, of which hardly anything was lost, where the delay allows `delay_based`.
    pub(crate) fn raise(&mut self, shown: f64, delay_based: f64) {
        if self.is_low() {
            self.estimate =
                self.estimate.map(|estimate| estimate.max(shown)).filter(|estimate| *estimate < delay_based);
        }
    }

    /// Less is sent since now, for another reason: what was sent before is lost at the rate of before.
    pub(crate) fn defer(&mut self, now: i64) {
        self.reduced = Some(now);
    }

    /// A message told of these, where `target` is sent and the delay allows `delay_based`.
    pub(crate) fn handle(&mut self, news: News, target: f64, delay_based: f64, rtt: i64, now: i64) {
        self.expected =
            self.expected.saturating_add(news.arrived.saturating_sub(news.recovered)).saturating_add(news.lost);
        self.lost = self.lost.saturating_add(news.lost).saturating_sub(news.recovered);
        let passed = now.saturating_sub(*self.begun.get_or_insert(now));
        if self.expected < PACKETS_MIN || passed < PERIOD {
            return;
        }
        self.fraction = f64::from(self.lost.min(self.expected)) / f64::from(self.expected);
        (self.expected, self.lost, self.begun) = (0, 0, Some(now));
        self.judge(target, rtt, now, seconds(passed.min(SECOND)));
        self.estimate = self.estimate.filter(|estimate| *estimate < delay_based);
    }

    fn judge(&mut self, target: f64, rtt: i64, now: i64, passed: f64) {
        if self.fraction > HIGH {
            // What was sent before the last reduction is lost at the rate of before.
            let reaction = PERIOD.saturating_add(rtt.clamp(0, SECOND));
            if self.reduced.is_none_or(|reduced| now.saturating_sub(reduced) >= reaction) {
                // draft-ietf-rmcat-gcc-02 §6: "If more than 10% of the packets have been lost a new estimate is
                // calculated as As_hat(i) = As_hat(i-1)(1-0.5p), where p is the loss ratio."
                let estimate = self.estimate.map_or(target, |estimate| estimate.min(target));
                self.estimate = Some(estimate * (1.0 - 0.5 * self.fraction));
                self.reduced = Some(now);
            }
        } else if self.is_low() {
            self.estimate = self.estimate.map(|estimate| estimate + (estimate * GROWTH).max(GROWTH_MIN) * passed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A second of 100 packets in ten messages, of which so many percent are lost.
    fn second(loss: &mut LossBased, percent: u32, second: i64) -> Option<f64> {
        for n in 0..10 {
            let target = loss.estimate().unwrap_or(1e6);
            let lost = (percent * (n + 1)) / 10 - percent * n / 10;
            let news = News { arrived: 10 - lost, lost, recovered: 0 };
            loss.handle(news, target, 1e6, 50_000, second * SECOND + i64::from(n) * 100_000);
        }
        loss.estimate()
    }

    #[test]
    fn little_loss_says_nothing_and_much_of_it_limits() {
        let mut loss = LossBased::default();
        for at in 0..10 {
            assert_eq!(second(&mut loss, [0, 2, 8][at as usize % 3], at), None);
        }
        let limited = second(&mut loss, 20, 10).unwrap();
        assert!((0.6e6..0.85e6).contains(&limited), "{limited}");
    }

    #[test]
    fn it_grows_again_until_it_limits_nothing() {
        let mut loss = LossBased::default();
        second(&mut loss, 20, 0);
        let after = (1..10).map_while(|at| second(&mut loss, 0, at)).collect::<Vec<_>>();
        assert!((2..8).contains(&after.len()) && after.is_sorted(), "{after:?}");
    }

    #[test]
    fn between_low_and_high_it_is_kept() {
        let mut loss = LossBased::default();
        second(&mut loss, 30, 0);
        let limited = second(&mut loss, 5, 1);
        assert_eq!(second(&mut loss, 5, 2), limited);
    }

    #[test]
    fn what_was_missing_and_arrives_is_no_loss() {
        let mut loss = LossBased::default();
        for n in 0..20 {
            let news = News { arrived: 20, lost: 10, recovered: 10 };
            loss.handle(news, 1e6, 1e6, 50_000, n * 100_000);
        }
        assert!(loss.fraction() < 1e-9 && loss.estimate().is_none());
    }

    #[test]
    fn a_few_packets_are_not_judged() {
        let mut loss = LossBased::default();
        for n in 0..3 {
            loss.handle(News { arrived: 0, lost: 6, recovered: 0 }, 1e6, 1e6, 50_000, n * SECOND);
        }
        assert_eq!(loss.estimate(), None);
    }
}
