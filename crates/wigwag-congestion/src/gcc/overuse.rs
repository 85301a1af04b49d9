//! Whether more is sent than the path carries: the trend against a threshold that adapts (draft-ietf-rmcat-gcc-02 §5.4).
//!
//! The threshold grows while the trend is above it and shrinks slowly below, so that neither jitter nor a flow that fills the queue
//! by its losses makes every group an overuse.

use crate::stats::DelayState;

/// In milliseconds (draft-ietf-rmcat-gcc-02 §5.6).
const THRESHOLD: f64 = 12.5;
// draft-ietf-rmcat-gcc-02 §5.4: "It is also RECOMMENDED to clamp del_var_th(i) to the range [6, 600]"
const THRESHOLD_MIN: f64 = 6.0;
const THRESHOLD_MAX: f64 = 600.0;
/// A trend so far above is a peak of a moment, to which the threshold does not adapt.
// draft-ietf-rmcat-gcc-02 §5.4: "Moreover, del_var_th(i) SHOULD NOT be updated if this condition holds: |m(i)| - del_var_th(i) > 15"
const PEAK: f64 = 15.0;
/// How fast the threshold rises and falls, a millisecond: libwebrtc's figures, which fall fast, so that a delay that jitters for a moment is soon
/// forgotten. Those of the draft are of its filter.
const RISE: f64 = 0.0087;
const FALL: f64 = 0.039;
/// It adapts by no more than this time at once, in milliseconds.
const STEP_MAX: f64 = 100.0;
/// A trend above the threshold for so long is overuse, in milliseconds.
// draft-ietf-rmcat-gcc-02 §5.4: "A definitive over-use will be signaled only if over-use has been detected for at least overuse_time_th
// milliseconds."
const PATIENCE: f64 = 10.0;

/// See the module.
#[derive(Debug)]
pub(crate) struct Detector {
    state: DelayState,
    threshold: f64,
    /// When the threshold was adapted last, by the peer's clock.
    adapted: Option<i64>,
    /// For how long the trend has been above, in milliseconds, and for how many groups.
    above: Option<(f64, u32)>,
    trend: f64,
    /// How often overuse was signaled.
    signals: u64,
}

impl Default for Detector {
    fn default() -> Self {
        Self { state: DelayState::Normal, threshold: THRESHOLD, adapted: None, above: None, trend: 0.0, signals: 0 }
    }
}

impl Detector {
    /// What the delay says.
    pub(crate) const fn state(&self) -> DelayState {
        self.state
    }

    /// How often overuse was signaled: again and again while the queue grows, but not while it grows less and less.
    pub(crate) const fn signals(&self) -> u64 {
        self.signals
    }

    /// A group has ended, which was sent `distance` microseconds after the one before, and came at `arrival` by the peer's clock.
    pub(crate) fn add(&mut self, trend: f64, distance: i64, arrival: i64) {
        let before = std::mem::replace(&mut self.trend, trend);
        if trend > self.threshold {
            let sent = distance as f64 / 1000.0;
            let (time, groups) = self.above.map_or((sent / 2.0, 1_u32), |(time, n)| (time + sent, n.saturating_add(1)));
            self.above = Some((time, groups));
            // draft-ietf-rmcat-gcc-02 §5.4: "However, if m(i) < m(i-1), over-use will not be signaled even if all the
            // above conditions are met."
            if time > PATIENCE && groups > 1 && trend >= before {
                self.above = Some((0.0, 0));
                self.state = DelayState::Overusing;
                self.signals = self.signals.saturating_add(1);
            }
        } else {
            self.above = None;
            self.state = if trend < -self.threshold { DelayState::Underusing } else { DelayState::Normal };
        }
        self.adapt(trend.abs(), arrival);
    }

    fn adapt(&mut self, trend: f64, arrival: i64) {
        let passed = arrival.saturating_sub(self.adapted.replace(arrival).unwrap_or(arrival)).max(0) as f64 / 1000.0;
        if trend > self.threshold + PEAK {
            return;
        }
        let speed = if trend < self.threshold { FALL } else { RISE };
        self.threshold += (speed * passed.min(STEP_MAX)).min(1.0) * (trend - self.threshold);
        self.threshold = self.threshold.clamp(THRESHOLD_MIN, THRESHOLD_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(detector: &mut Detector, from: i64, trends: impl IntoIterator<Item = f64>) -> DelayState {
        for (n, trend) in trends.into_iter().enumerate() {
            detector.add(trend, 10_000, from + n as i64 * 10_000);
        }
        detector.state()
    }

    #[test]
    fn one_group_above_is_not_overuse_but_two_that_rise_are() {
        let mut detector = Detector::default();
        assert_eq!(run(&mut detector, 0, [0.0, 20.0]), DelayState::Normal);
        assert_eq!(run(&mut detector, 20_000, [21.0]), DelayState::Overusing);
        assert_eq!(run(&mut detector, 30_000, [0.0]), DelayState::Normal);
    }

    #[test]
    fn a_trend_that_falls_is_not_overuse() {
        let mut detector = Detector::default();
        assert_eq!(run(&mut detector, 0, [29.0, 28.0, 27.0, 26.0]), DelayState::Normal);
    }

    #[test]
    fn a_queue_that_shrinks_is_underuse() {
        assert_eq!(run(&mut Detector::default(), 0, [-20.0]), DelayState::Underusing);
    }

    #[test]
    fn the_threshold_adapts_within_its_limits_and_not_to_peaks() {
        let mut detector = Detector::default();
        run(&mut detector, 0, [0.0; 2000]);
        assert!((detector.threshold - THRESHOLD_MIN).abs() < 1e-9);
        run(&mut detector, 20_000_000, [500.0; 100]);
        assert!((detector.threshold - THRESHOLD_MIN).abs() < 1e-9);
        run(&mut detector, 30_000_000, [20.0; 2000]);
        assert!((detector.threshold - 20.0).abs() < 0.1);
    }
}
