//! When packets leave: faster than the estimate, so that a large frame waits little, but never all of it at once.
//!
//! Bursts of five milliseconds, so that nobody is woken for each packet. What has left is a debt that falls at the pace; whoever is
//! woken late may make up for it, but for no more than another burst.

use std::time::{Duration, Instant};

/// How much leaves at once, in time.
const BURST: Duration = Duration::from_millis(5);
/// How much of a probe leaves at once: what its arrivals are compared with is its pace.
const PROBE_BURST: Duration = Duration::from_millis(2);
/// Who comes later than that has not come late, but had nothing to send.
const LATE_MAX: Duration = Duration::from_millis(20);
/// So much debt is remembered, in time: sound, which does not wait, may be more than the pace for long.
const DEBT_MAX: Duration = Duration::from_millis(250);
/// Of the time that a queue may take, at least this part is left to it: whoever is late already shall not flood the path.
const HASTE: f64 = 0.125;

/// How fast packets leave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// In bit/s, more than 0.
    pub(crate) bits_per_second: u64,
    /// How long a packet may wait.
    pub(crate) queue_time_max: Duration,
    pub(crate) is_probe: bool,
}

impl Pace {
    const fn burst(self) -> Duration {
        if self.is_probe { PROBE_BURST } else { BURST }
    }

    /// So many bytes leave at once.
    pub(crate) fn burst_bytes(self) -> usize {
        usize::try_from(bits_in(self.burst(), self.bits_per_second) / 8).unwrap_or(usize::MAX)
    }

    /// The pace for a queue of so many bytes, of which the oldest has waited for `age`.
    fn of_queue(self, queued_bytes: usize, age: Duration) -> u64 {
        let left = self.queue_time_max.saturating_sub(age).max(self.queue_time_max.mul_f64(HASTE));
        self.bits_per_second.max(rate(queued_bytes, left))
    }
}

/// So many bytes in so much time, in bit/s.
pub(crate) fn rate(bytes: usize, time: Duration) -> u64 {
    let bits = (bytes as u128).saturating_mul(8);
    let rate = bits.saturating_mul(1_000_000_000).checked_div(time.as_nanos()).unwrap_or(0);
    u64::try_from(rate).unwrap_or(u64::MAX)
}

/// How long so many bits take.
fn time_of(bits: i64, bits_per_second: u64) -> Duration {
    let nanos =
        u128::try_from(bits).unwrap_or(0).saturating_mul(1_000_000_000).div_ceil(u128::from(bits_per_second.max(1)));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// So many bits leave in this time.
fn bits_in(time: Duration, bits_per_second: u64) -> i64 {
    let bits = time.as_nanos().saturating_mul(u128::from(bits_per_second)) / 1_000_000_000;
    i64::try_from(bits).unwrap_or(i64::MAX)
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Pacer {
    /// What has left and is not paid for, in bits; below zero, how much may be made up for.
    debt: i64,
    /// When it was so much.
    at: Option<Instant>,
    /// Whether the burst is over: nothing leaves until all is paid.
    is_closed: bool,
    /// When the last of those left that wait for their pace, and how many bits it had.
    last_paced: Option<(Instant, i64)>,
}

impl Pacer {
    /// A packet leaves.
    pub(crate) fn sent(&mut self, size: usize, is_paced: bool, pace: Pace, now: Instant) {
        let rate = pace.bits_per_second;
        let burst = bits_in(pace.burst(), rate);
        let passed = self.at.map_or(Duration::MAX, |at| now.saturating_duration_since(at));
        let mut debt = self.debt.saturating_sub(bits_in(passed, rate));
        let has_rested = debt.saturating_neg() > bits_in(LATE_MAX, rate);
        debt = if has_rested { 0 } else { debt.max(burst.saturating_neg()) };
        if self.is_closed && is_paced {
            // It was let through: if not at this pace, then because a long queue asked for more.
            debt = debt.min(0);
        }
        self.is_closed &= debt > 0;
        let bits = i64::try_from(size).unwrap_or(i64::MAX).saturating_mul(8);
        self.debt = debt.saturating_add(bits).min(bits_in(DEBT_MAX, rate).saturating_add(bits));
        self.is_closed |= self.debt >= burst;
        self.at = Some(now);
        if is_paced {
            self.last_paced = Some((now, bits));
        }
    }

    /// When the next paced packet may leave, if not before `now`.
    pub(crate) fn opens_at(&self, queued_bytes: usize, age: Duration, pace: Pace, now: Instant) -> Option<Instant> {
        if !self.is_closed {
            return None;
        }
        let wait = time_of(self.debt, pace.of_queue(queued_bytes, age));
        let paid = self.at.and_then(|at| at.checked_add(wait));
        paid.map(|paid| paid.min(self.late_at(queued_bytes, age, pace, now).unwrap_or(paid))).filter(|at| *at > now)
    }

    /// When the oldest has waited for as long as it may: from then on what waits has a pace of its own, whatever sound takes, and whatever
    /// left when the pace was higher.
    fn late_at(&self, queued_bytes: usize, age: Duration, pace: Pace, now: Instant) -> Option<Instant> {
        let late = now.checked_add(pace.queue_time_max.saturating_sub(age))?;
        let rate = pace.of_queue(queued_bytes, pace.queue_time_max);
        let next = self.last_paced.and_then(|(at, bits)| at.checked_add(time_of(bits, rate)));
        Some(late.max(next.unwrap_or(late)))
    }
}
