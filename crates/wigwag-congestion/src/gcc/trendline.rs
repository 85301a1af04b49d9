//! Whether the delay grows: the slope of a line through the last twenty delays, smoothed, over the time of arrival.
//!
//! It replaces the Kalman filter of draft-ietf-rmcat-gcc-02 §5.3.

use super::arrival::Distance;

/// So many groups are the line drawn through.
const POINTS: usize = 20;
/// How much of the smoothed delay is what it was before.
const SMOOTHING: f64 = 0.9;
/// A slope says the more, the more distances are known, up to so many.
const DISTANCES_MAX: u32 = 60;
/// What makes a slope comparable with the thresholds that were found for the filter.
const GAIN: f64 = 4.0;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Trendline {
    /// Milliseconds since the first arrival, and the smoothed delay then, in milliseconds; a ring.
    points: [(f64, f64); POINTS],
    next: usize,
    distances: u32,
    first_arrival: Option<i64>,
    delay: f64,
    smoothed: f64,
}

impl Trendline {
    /// The next group: by how much the delay grows, comparable with a threshold in milliseconds; 0.0 before there are enough.
    pub(crate) fn add(&mut self, distance: &Distance) -> f64 {
        let first = *self.first_arrival.get_or_insert(distance.arrival);
        self.distances = self.distances.saturating_add(1);
        self.delay += (distance.arrived.saturating_sub(distance.sent)) as f64 / 1000.0;
        self.smoothed = SMOOTHING * self.smoothed + (1.0 - SMOOTHING) * self.delay;
        let at = distance.arrival.saturating_sub(first) as f64 / 1000.0;
        if let Some(point) = self.points.get_mut(self.next) {
            *point = (at, self.smoothed);
        }
        self.next = self.next.saturating_add(1).checked_rem(POINTS).unwrap_or(0);
        if (self.distances as usize) < POINTS {
            return 0.0;
        }
        slope(&self.points) * f64::from(self.distances.min(DISTANCES_MAX)) * GAIN
    }
}

/// The slope of the line with the least squares; 0.0 where all points are at one time.
fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let (sum_x, sum_y) = points.iter().fold((0.0, 0.0), |(xs, ys), (x, y)| (xs + x, ys + y));
    let (mean_x, mean_y) = (sum_x / n, sum_y / n);
    let (above, below) = points.iter().fold((0.0, 0.0), |(above, below), (x, y)| {
        (above + (x - mean_x) * (y - mean_y), below + (x - mean_x) * (x - mean_x))
    });
    if below > 0.0 { above / below } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_is_that_of_a_line() {
        let points: Vec<_> = (0..20).map(|n| (f64::from(n) * 3.0, 7.0 - f64::from(n) * 1.5)).collect();
        assert!((slope(&points) + 0.5).abs() < 1e-9);
        assert!(slope(&[(1.0, 2.0), (1.0, 9.0)]).abs() < 1e-9);
    }

    #[test]
    fn a_delay_that_grows_by_a_tenth_of_the_time_is_a_slope_of_a_tenth() {
        let mut line = Trendline::default();
        let trend = (0..200).map(|n| line.add(&Distance { sent: 10_000, arrived: 11_111, arrival: n * 11_111 }));
        let trends: Vec<_> = trend.collect();
        assert!(trends[..19].iter().all(|trend| trend.abs() < 1e-9));
        assert!((trends[199] - 0.1 * 60.0 * 4.0).abs() < 0.1, "{}", trends[199]);
    }

    #[test]
    fn a_clock_that_runs_fast_by_a_thousandth_is_no_trend() {
        let mut line = Trendline::default();
        let trends = (0..500).map(|n| line.add(&Distance { sent: 20_000, arrived: 20_020, arrival: n * 20_020 }));
        assert!(trends.map(f64::abs).fold(0.0, f64::max) < 0.5);
    }
}
