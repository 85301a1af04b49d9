//! What all programs measure with.

use rustix::time::{ClockId, clock_gettime};

/// What this thread, or all of this program, has had of a processor: others on the machine do not count.
pub fn time_ns(clock: ClockId) -> f64 {
    let time = clock_gettime(clock);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
