//! Time as RTP tells it: NTP, ticks of a stream's clock, seconds since the session began.

use std::time::{Duration, Instant};
use wigwag_sansio::WallClock;

/// From 1900, where NTP begins, to 1970.
const NTP_TO_UNIX: Duration = Duration::from_secs(2_208_988_800);

/// Tells time from the session's first instant on, and wall time if it was told.
#[derive(Debug)]
pub(crate) struct Clock {
    wall: Option<WallClock>,
    origin: Option<Instant>,
}

impl Clock {
    pub(crate) const fn new(wall: Option<WallClock>) -> Self {
        Self { wall, origin: None }
    }

    /// The session is told a time, maybe its first.
    pub(crate) fn start(&mut self, now: Instant) {
        self.origin.get_or_insert(now);
    }

    /// Since the session was first told a time.
    pub(crate) fn elapsed(&self, now: Instant) -> Duration {
        self.origin.map_or(Duration::ZERO, |origin| now.saturating_duration_since(origin))
    }

    /// RFC 3550 §4: 64 bits, seconds since 1900 and their fractions.
    // RFC 3550 §6.4.1: who has no wall clock may count from anywhere.
    pub(crate) fn ntp(&self, now: Instant) -> u64 {
        let time = match self.wall {
            Some(wall) => wall.unix_time(now).saturating_add(NTP_TO_UNIX),
            // A middle part of 0 would say that there was no report.
            None => self.elapsed(now).saturating_add(Duration::from_secs(1)),
        };
        // The era ends in 2036, and NTP's seconds begin again.
        (time.as_secs() << 32) | ((u64::from(time.subsec_nanos()) << 32) / 1_000_000_000)
    }
}

/// Since the era began.
pub(crate) const fn from_ntp(ntp: u64) -> Duration {
    Duration::new(ntp >> 32, (((ntp & 0xffff_ffff) * 1_000_000_000) >> 32) as u32)
}

/// The middle 32 bits of an NTP time: in 1/65,536 s.
pub(crate) const fn middle(ntp: u64) -> u32 {
    (ntp >> 16) as u32
}

/// In 1/65,536 s.
pub(crate) fn short(duration: Duration) -> u32 {
    u32::try_from(shorts(duration)).unwrap_or(u32::MAX)
}

/// The same, however long it is.
pub(crate) fn shorts(duration: Duration) -> u128 {
    (duration.as_nanos() << 16) / 1_000_000_000
}

/// From 1/65,536 s.
pub(crate) const fn from_short(short: u32) -> Duration {
    Duration::from_nanos((short as u64 * 1_000_000_000) >> 16)
}

/// How often a clock ticks meanwhile, modulo 2^32.
pub(crate) const fn ticks(duration: Duration, clock_rate_hz: u32) -> u32 {
    (duration.as_nanos() * clock_rate_hz as u128 / 1_000_000_000) as u32
}

/// How long so many ticks take.
pub(crate) fn from_ticks(ticks: u32, clock_rate_hz: u32) -> Duration {
    Duration::from_nanos((u64::from(ticks) * 1_000_000_000).checked_div(u64::from(clock_rate_hz)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_and_back() {
        assert_eq!(ticks(Duration::from_millis(20), 48_000), 960);
        assert_eq!(from_ticks(960, 48_000), Duration::from_millis(20));
        assert_eq!(from_ticks(960, 0), Duration::ZERO);
        assert_eq!((short(Duration::from_millis(500)), from_short(0x8000)), (0x8000, Duration::from_millis(500)));
    }

    #[test]
    fn wall_time_is_ntp() {
        let now = wigwag_sim::origin();
        let clock = Clock::new(Some(WallClock::new(now, Duration::from_millis(1_500))));
        assert_eq!(clock.ntp(now), (2_208_988_801 << 32) + (1 << 31));
        assert_eq!(from_ntp(clock.ntp(now)), NTP_TO_UNIX + Duration::from_millis(1_500));
        assert_eq!(middle(clock.ntp(now)), (2_208_988_801u64 << 16) as u32 + (1 << 15));
    }
}
