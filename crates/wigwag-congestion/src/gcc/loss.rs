//! The loss-based controller (draft-ietf-rmcat-gcc-02 §6).
//!
//! It says nothing until much is lost; then it limits the estimate, until it has grown above what the delay allows.
//!
//! Losses that go on as before though less is sent than what came through are the path's: then the estimate falls no further than what TCP
//! would send.

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
/// Who sends less than so much of what came through when losses began fills nothing …
const BELOW: f64 = 0.9;
/// … and if so much of them goes on, they do not follow what is sent.
const SAME: f64 = 0.5;
/// A packet of TCP's, in bits.
const PACKET: f64 = 1200.0 * 8.0;
/// TCP would send much on a short path, and fill whatever drops what is too much without a queue.
const ROUND_TRIP_MIN: i64 = SECOND / 10;

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sending {
    pub(crate) target: f64,
    /// What the delay allows.
    pub(crate) delay_based: f64,
    /// What comes through.
    pub(crate) acknowledged: Option<f64>,
}

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
    /// What came through when more than little began to be lost, and how much was.
    onset: Option<(f64, f64)>,
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

    /// A message told of these.
    pub(crate) fn handle(&mut self, news: News, sending: Sending, rtt: i64, now: i64) {
        self.expected =
            self.expected.saturating_add(news.arrived.saturating_sub(news.recovered)).saturating_add(news.lost);
        self.lost = self.lost.saturating_add(news.lost).saturating_sub(news.recovered);
        let passed = now.saturating_sub(*self.begun.get_or_insert(now));
        if self.expected < PACKETS_MIN || passed < PERIOD {
            return;
        }
        self.fraction = f64::from(self.lost.min(self.expected)) / f64::from(self.expected);
        (self.expected, self.lost, self.begun) = (0, 0, Some(now));
        self.judge(sending, rtt, now, seconds(passed.min(SECOND)));
        self.estimate = self.estimate.filter(|estimate| *estimate < sending.delay_based);
        // Not sooner: of twenty packets none may be lost by chance.
        self.onset = self.onset.filter(|_| self.estimate.is_some());
    }

    fn judge(&mut self, sending: Sending, rtt: i64, now: i64, passed: f64) {
        if self.fraction > HIGH {
            let least = if self.is_of_path(sending) { tcp_rate(self.fraction, rtt) } else { 0.0 };
            // What was sent before the last reduction is lost at the rate of before.
            let reaction = PERIOD.saturating_add(rtt.clamp(0, SECOND));
            if sending.target < least {
                self.grow(least, passed);
            } else if self.reduced.is_none_or(|reduced| now.saturating_sub(reduced) >= reaction) {
                // draft-ietf-rmcat-gcc-02 §6: "If more than 10% of the packets have been lost a new estimate is
                // calculated as As_hat(i) = As_hat(i-1)(1-0.5p), where p is the loss ratio."
                let estimate = self.estimate.map_or(sending.target, |estimate| estimate.min(sending.target));
                self.estimate = Some((estimate * (1.0 - 0.5 * self.fraction)).max(least.min(estimate)));
                self.reduced = Some(now);
            }
        } else if self.is_low() {
            self.grow(f64::INFINITY, passed);
        }
    }

    /// Whether losses go on as they began, though less is sent than what came through then.
    fn is_of_path(&mut self, sending: Sending) -> bool {
        let most = sending.target * (1.0 - self.fraction);
        let came_through = sending.acknowledged.map_or(most, |acknowledged| acknowledged.min(most));
        let (came_through, fraction) = *self.onset.get_or_insert((came_through, self.fraction));
        sending.target < came_through * BELOW && self.fraction >= fraction * SAME
    }

    /// The estimate grows for so many seconds, up to `most`.
    fn grow(&mut self, most: f64, passed: f64) {
        let grown = |estimate: f64| (estimate + (estimate * GROWTH).max(GROWTH_MIN) * passed).min(most);
        self.estimate = self.estimate.map(|estimate| estimate.max(grown(estimate)));
    }
}

/// What TCP would send of which this part is lost, by the simple equation with which RFC 8083 §4.3 judges a sender: no circuit breaker ends
/// one that sends less than ten times of it.
fn tcp_rate(fraction: f64, rtt: i64) -> f64 {
    PACKET / (seconds(rtt.clamp(ROUND_TRIP_MIN, SECOND)) * (2.0 * fraction / 3.0).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENDING: Sending = Sending { target: 1e6, delay_based: 1e6, acknowledged: None };

    /// A second of 100 packets in ten messages, of which so many percent are lost.
    fn second(loss: &mut LossBased, percent: u32, second: i64) -> Option<f64> {
        for n in 0..10 {
            let sending = Sending { target: loss.estimate().unwrap_or(1e6), ..SENDING };
            let lost = (percent * (n + 1)) / 10 - percent * n / 10;
            let news = News { arrived: 10 - lost, lost, recovered: 0 };
            loss.handle(news, sending, 50_000, second * SECOND + i64::from(n) * 100_000);
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

    /// Of TCP with a round trip of 100 ms and packets of 1200 bytes: sqrt(3 / (2 * 0.2)) = 2.74 packets in each.
    #[test]
    fn losses_that_do_not_follow_what_is_sent_leave_what_tcp_would_send() {
        let mut loss = LossBased::default();
        let after: Vec<_> = (0..60).filter_map(|at| second(&mut loss, 20, at)).collect();
        assert!((after[59] - 262_907.0).abs() < 1.0, "{after:?}");
        // What losses were for is not known once they limit nothing.
        let over = (60..120).find(|at| second(&mut loss, 0, *at).is_none());
        assert!(over.is_some() && loss.onset.is_none(), "{loss:?}");
    }

    /// A link that carries 200 kbit/s, drops the rest, and has never lost anything else.
    #[test]
    fn losses_that_follow_what_is_sent_leave_what_comes_through() {
        let mut loss = LossBased::default();
        let mut target: f64 = 1e6;
        for at in 0..60 {
            let percent = (100.0 * (1.0 - 200e3 / target)).max(0.0) as u32;
            target = second(&mut loss, percent, at).unwrap_or(1e6);
        }
        assert!(target < 225e3, "{target}");
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
            loss.handle(news, SENDING, 50_000, n * 100_000);
        }
        assert!(loss.fraction() < 1e-9 && loss.estimate().is_none());
    }

    #[test]
    fn a_few_packets_are_not_judged() {
        let mut loss = LossBased::default();
        for n in 0..3 {
            loss.handle(News { arrived: 0, lost: 6, recovered: 0 }, SENDING, 50_000, n * SECOND);
        }
        assert_eq!(loss.estimate(), None);
    }
}
