//! What the application decides before anything is sent.

use crate::error::Error;
use std::ops::RangeInclusive;
use std::time::Duration;

/// No limit of a bitrate is below this, in bit/s: below it a packet of 1,200 bytes takes more than two seconds.
pub(crate) const BITRATE_MIN: u64 = 5_000;
/// No limit of a bitrate is above this, in bit/s.
pub(crate) const BITRATE_MAX: u64 = 10_000_000_000;

const PACING_FACTOR: RangeInclusive<f64> = 1.0..=10.0;
const QUEUE_TIME: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(60);

/// How a [`Controller`](crate::Controller) behaves.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The bitrate before anything is known of the path, in bit/s; between the next two.
    pub initial_bitrate: u64,
    /// The estimate never falls below, in bit/s; at least 5,000.
    pub min_bitrate: u64,
    /// The estimate never rises above, in bit/s; at most 10,000,000,000. The default, 50 Mbit/s, is more than two cameras of 4K at 60 frames a second take, and
    /// what the memory of sent packets, 8,192 of them, lasts for with a round trip of a second.
    pub max_bitrate: u64,
    /// How much faster than the estimate packets leave that wait, so that a large frame does not; 1.0 to 10.0.
    pub pacing_factor: f64,
    /// How long a packet may wait: a queue that would take longer is sent faster than `pacing_factor` says. 10 ms to a minute.
    pub queue_time_max: Duration,
    /// Whether the path is tried with more than the estimate for some milliseconds at a time, in the beginning and when there may be
    /// room for more. Without, the estimate grows by 8 % a second.
    pub is_probing: bool,
}

impl Config {
    /// 300 kbit/s at first, 30 kbit/s to 50 Mbit/s then; pacing and probing as libwebrtc has them.
    pub const fn new() -> Self {
        Self {
            initial_bitrate: 300_000,
            min_bitrate: 30_000,
            max_bitrate: 50_000_000,
            pacing_factor: 2.5,
            queue_time_max: Duration::from_secs(2),
            is_probing: true,
        }
    }

    /// Whether the fields are possible, and fit each other.
    ///
    /// # Errors
    /// The first field that does not, what is wrong with it, and what to choose.
    pub fn check(&self) -> Result<(), Error> {
        check_limits(self.min_bitrate, self.max_bitrate)?;
        for (is_right, field, problem) in [
            (
                (self.min_bitrate..=self.max_bitrate).contains(&self.initial_bitrate),
                "initial_bitrate",
                "choose min_bitrate to max_bitrate",
            ),
            (PACING_FACTOR.contains(&self.pacing_factor), "pacing_factor", "choose 1.0 to 10.0; 2.5 is usual"),
            (QUEUE_TIME.contains(&self.queue_time_max), "queue_time_max", "choose 10 ms to 60 s; 2 s is usual"),
        ] {
            if !is_right {
                return Err(Error::Config { field, problem });
            }
        }
        Ok(())
    }

    /// The nearest that is possible: each field that is not is brought into its range.
    #[must_use]
    pub fn clamped(mut self) -> Self {
        self.min_bitrate = self.min_bitrate.clamp(BITRATE_MIN, BITRATE_MAX);
        self.max_bitrate = self.max_bitrate.clamp(self.min_bitrate, BITRATE_MAX);
        self.initial_bitrate = self.initial_bitrate.clamp(self.min_bitrate, self.max_bitrate);
        if self.pacing_factor.is_nan() {
            self.pacing_factor = Self::new().pacing_factor;
        }
        self.pacing_factor = self.pacing_factor.clamp(*PACING_FACTOR.start(), *PACING_FACTOR.end());
        self.queue_time_max = self.queue_time_max.clamp(*QUEUE_TIME.start(), *QUEUE_TIME.end());
        self
    }
}

/// Whether the limits of the bitrate are possible.
pub(crate) const fn check_limits(min: u64, max: u64) -> Result<(), Error> {
    if min < BITRATE_MIN {
        return Err(Error::Config { field: "min_bitrate", problem: "choose 5,000 bit/s or more" });
    }
    if max > BITRATE_MAX {
        return Err(Error::Config { field: "max_bitrate", problem: "choose 10,000,000,000 bit/s or less" });
    }
    if min > max {
        return Err(Error::Config { field: "max_bitrate", problem: "choose min_bitrate or more" });
    }
    Ok(())
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_refused_and_told() {
        assert_eq!(Config::new().check(), Ok(()));
        type Change = fn(&mut Config);
        let cases: [(&str, Change); 8] = [
            ("min_bitrate", |config| config.min_bitrate = 4_999),
            ("max_bitrate", |config| config.max_bitrate = 10_000_000_001),
            ("max_bitrate", |config| config.max_bitrate = 20_000),
            ("initial_bitrate", |config| config.initial_bitrate = 29_999),
            ("initial_bitrate", |config| config.initial_bitrate = 50_000_001),
            ("pacing_factor", |config| config.pacing_factor = 0.9),
            ("pacing_factor", |config| config.pacing_factor = f64::NAN),
            ("queue_time_max", |config| config.queue_time_max = Duration::ZERO),
        ];
        for (name, change) in cases {
            let mut config = Config::new();
            change(&mut config);
            let Err(Error::Config { field, .. }) = config.check() else { panic!("{name} is taken") };
            assert_eq!(field, name);
            assert_eq!(config.clamped().check(), Ok(()), "{name}");
        }
    }

    #[test]
    fn what_is_possible_stays_and_what_is_not_moves_alone() {
        let mut config = Config::new();
        (config.min_bitrate, config.max_bitrate, config.is_probing) = (1_000_000, 3_000_000, false);
        config.queue_time_max = Duration::from_millis(100);
        let clamped = config.clamped();
        assert_eq!(
            (clamped.min_bitrate, clamped.initial_bitrate, clamped.max_bitrate),
            (1_000_000, 1_000_000, 3_000_000)
        );
        assert_eq!((clamped.queue_time_max, clamped.is_probing), (Duration::from_millis(100), false));
    }

    #[test]
    fn an_error_says_what_to_do() {
        let error = check_limits(9_000, 8_000).unwrap_err();
        assert_eq!(error.to_string(), "max_bitrate is out of range: choose min_bitrate or more");
    }
}
