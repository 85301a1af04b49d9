//! Probes: a few packets that leave at a higher bitrate than the estimate, and what their arrivals say.
//!
//! A probe is planned, begins with the next packet of media, and is over when enough has left at its pace. Where media are not enough,
//! padding may fill it; if nothing does, it begins again later.
//!
//! ```text
//! planned ── a packet of media leaves ──▶ open ── enough has left ──▶ closed ── enough has arrived ──▶ a bitrate
//!    ▲                                     │ too little in 200 ms          └── or not, in 2 s ──▶ nothing
//!    └─────────────────────────────────────┘
//! ```

use super::{SECOND, bitrate};
use crate::feedback::Arrived;
use std::collections::VecDeque;

/// A probe lasts so long at its pace, in microseconds, or so long once one was held up on the way: radio lets through at once what it
/// has gathered for up to 20 ms …
const LENGTH: (i64, i64) = (15_000, 60_000);
/// … and has so many packets …
const PACKETS_MIN: u32 = 5;
/// … and so many times the bytes of its largest: the first to arrive only begins the measure.
const LARGEST_MIN: u64 = 4;
/// It begins with a packet of this size, in bytes: others are too small to measure with.
const SIZE_MIN: usize = 200;
/// Who has not filled a probe by then begins it again.
const OPEN_MAX: i64 = SECOND / 5;
/// A plan is given up after so long.
const PLANNED_MAX: i64 = 5 * SECOND;
/// Its result is not waited for any longer.
const CLOSED_MAX: i64 = 2 * SECOND;
/// So many are planned, and so many tried at a time.
const PLANS_MAX: usize = 2;
const TRIALS_MAX: usize = 4;
/// So much must have arrived.
const ARRIVED_MIN: f64 = 0.8;
/// What takes longer to leave or to arrive is no probe.
const INTERVAL_MAX: i64 = SECOND;
/// Who arrives so much faster than it left was held up on the way, and tells nothing.
const FASTER_MAX: f64 = 2.0;
/// Who arrives so much faster was held up, too, though less.
const JITTER: f64 = 1.3;
/// Who arrives so much slower than it left has filled the path …
const SLOWER: f64 = 0.9;
/// … and somewhat less than that leaves no queue.
const UTILIZATION: f64 = 0.95;

/// What a probe has shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Shown {
    /// So much can be sent, in bit/s.
    pub(crate) rate: f64,
    /// So much arrived, in bit/s.
    pub(crate) arrived: f64,
    /// So much left, in bit/s.
    pub(crate) left: f64,
    /// So much was tried.
    pub(crate) planned: f64,
    /// Whether the path carries no more.
    pub(crate) is_full: bool,
}

#[derive(Clone, Copy, Debug)]
struct Plan {
    rate: f64,
    length: i64,
    until: i64,
}

#[derive(Debug)]
struct Trial {
    id: u32,
    plan: Plan,
    begun: i64,
    is_open: bool,
    /// Something that left after it has arrived.
    is_passed: bool,
    last_sent: i64,
    sent_packets: u32,
    sent_bytes: u64,
    largest: u64,
    arrived_packets: u32,
    arrived_bytes: u64,
    /// Of what has arrived: the first and the last to leave.
    sent: Option<(Arrived, Arrived)>,
    /// Of what has arrived: the first and the last.
    arrived: Option<(Arrived, Arrived)>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Prober {
    plans: VecDeque<Plan>,
    /// The last one may be open.
    trials: VecDeque<Trial>,
    begun: u32,
    /// Whether a probe was held up on the way.
    is_jittery: bool,
}

impl Prober {
    /// Plans a probe.
    pub(crate) fn plan(&mut self, rate: f64, now: i64) {
        if self.plans.len() < PLANS_MAX {
            let length = if self.is_jittery { LENGTH.1 } else { LENGTH.0 };
            self.plans.push_back(Plan { rate, length, until: now.saturating_add(PLANNED_MAX) });
        }
    }

    /// How many probes were begun.
    pub(crate) const fn begun(&self) -> u32 {
        self.begun
    }

    /// Whether nothing is planned, open, or waited for.
    pub(crate) fn is_idle(&self, now: i64) -> bool {
        self.plans.iter().all(|plan| plan.until < now) && self.trials.iter().all(|trial| trial.is_over(now))
    }

    /// At what bitrate packets leave now, if a probe is open.
    pub(crate) fn pace(&self, now: i64) -> Option<f64> {
        self.open(now).map(|trial| trial.plan.rate)
    }

    /// How many bytes the open probe lacks.
    pub(crate) fn lacks(&self, now: i64) -> u64 {
        self.open(now).map_or(0, |trial| trial.bytes_min().saturating_sub(trial.sent_bytes).max(1))
    }

    fn open(&self, now: i64) -> Option<&Trial> {
        self.trials.back().filter(|trial| trial.is_open && !trial.is_over(now))
    }

    /// A packet leaves that waited for its pace. Tells the number of the probe that it is of, from 1, or 0.
    pub(crate) fn sent(&mut self, size: usize, now: i64) -> u32 {
        self.tidy(now);
        if self.trials.back().is_none_or(|trial| !trial.is_open) && !self.begin(size, now) {
            return 0;
        }
        let Some(trial) = self.trials.back_mut() else { return 0 };
        trial.sent_packets = trial.sent_packets.saturating_add(1);
        trial.sent_bytes = trial.sent_bytes.saturating_add(size as u64);
        trial.last_sent = now;
        trial.largest = trial.largest.max(size as u64);
        trial.is_open = trial.sent_packets < PACKETS_MIN || trial.sent_bytes < trial.bytes_min();
        trial.id
    }

    /// Begins again what was not filled, and forgets what is not waited for.
    fn tidy(&mut self, now: i64) {
        let is_unfilled = self.trials.back().is_some_and(|trial| trial.is_open && trial.is_over(now));
        let unfilled = if is_unfilled { self.trials.pop_back() } else { None };
        if let Some(trial) = unfilled
            && self.plans.len() < PLANS_MAX
        {
            self.plans.push_front(trial.plan);
        }
        self.trials.retain(|trial| !trial.is_over(now));
        self.plans.retain(|plan| plan.until >= now);
    }

    fn begin(&mut self, size: usize, now: i64) -> bool {
        if size < SIZE_MIN {
            return false;
        }
        let Some(plan) = self.plans.pop_front() else { return false };
        self.begun = self.begun.wrapping_add(1).max(1);
        if self.trials.len() >= TRIALS_MAX {
            self.trials.pop_front();
        }
        self.trials.push_back(Trial::new(self.begun, plan, now));
        true
    }

    /// A packet has arrived.
    pub(crate) fn arrived(&mut self, packet: &Arrived) {
        for trial in &mut self.trials {
            if trial.id == packet.cluster {
                trial.add(packet);
            } else if !trial.is_open && packet.sent > trial.last_sent {
                trial.is_passed = true;
            }
        }
    }

    /// The most that a probe has shown since it was asked last.
    pub(crate) fn result(&mut self) -> Option<Shown> {
        let complete = || self.trials.iter().filter(|trial| trial.is_complete());
        let is_jittery = |trial: &Trial| trial.result().is_none_or(|shown| shown.arrived > JITTER * shown.left);
        self.is_jittery |= complete().any(is_jittery);
        let shown = complete().filter_map(Trial::result);
        let highest = shown.reduce(|one, other| if other.rate > one.rate { other } else { one });
        self.trials.retain(|trial| !trial.is_complete());
        highest
    }
}

impl Trial {
    const fn new(id: u32, plan: Plan, now: i64) -> Self {
        Self {
            id,
            plan,
            begun: now,
            is_open: true,
            is_passed: false,
            last_sent: now,
            sent_packets: 0,
            sent_bytes: 0,
            largest: 0,
            arrived_packets: 0,
            arrived_bytes: 0,
            sent: None,
            arrived: None,
        }
    }

    fn bytes_min(&self) -> u64 {
        ((self.plan.rate * self.plan.length as f64 / 8e6) as u64).max(self.largest.saturating_mul(LARGEST_MIN))
    }

    fn is_over(&self, now: i64) -> bool {
        let lasts = if self.is_open { OPEN_MAX } else { CLOSED_MAX };
        now.saturating_sub(self.begun) > lasts
    }

    fn add(&mut self, packet: &Arrived) {
        self.arrived_packets = self.arrived_packets.saturating_add(1);
        self.arrived_bytes = self.arrived_bytes.saturating_add(packet.size.into());
        let (first, last) = self.sent.get_or_insert((*packet, *packet));
        if packet.sent < first.sent {
            *first = *packet;
        }
        if packet.sent >= last.sent {
            *last = *packet;
        }
        let (first, last) = self.arrived.get_or_insert((*packet, *packet));
        if packet.arrival < first.arrival {
            *first = *packet;
        }
        if packet.arrival >= last.arrival {
            *last = *packet;
        }
    }

    /// Whether all has arrived, or most of it and no more will.
    fn is_complete(&self) -> bool {
        !self.is_open
            && (self.is_passed || self.arrived_packets >= self.sent_packets)
            && f64::from(self.arrived_packets) >= f64::from(self.sent_packets) * ARRIVED_MIN
            && self.arrived_bytes as f64 >= self.sent_bytes as f64 * ARRIVED_MIN
    }

    fn result(&self) -> Option<Shown> {
        let ((first_sent, last_sent), (first, last)) = (self.sent?, self.arrived?);
        let left_in = last_sent.sent.saturating_sub(first_sent.sent);
        let arrived_in = last.arrival.saturating_sub(first.arrival);
        if !(1..=INTERVAL_MAX).contains(&left_in) || !(1..=INTERVAL_MAX).contains(&arrived_in) {
            return None;
        }
        // What arrives first, or leaves last, is the mark that time is counted from, or to; of padding behind a packet of media one is
        // much smaller than the other.
        let marks = u64::from(first.size).saturating_add(last_sent.size.into()) / 2;
        let bytes = self.arrived_bytes.saturating_sub(marks);
        let (left, arrived) = (bitrate(bytes, left_in), bitrate(bytes, arrived_in));
        let is_full = arrived < SLOWER * left;
        let rate = if is_full { UTILIZATION * arrived } else { left.min(arrived) };
        // What leaves at once counts for more than it is.
        let rate = rate.min(self.plan.rate);
        (arrived <= FASTER_MAX * left).then_some(Shown { rate, arrived, left, planned: self.plan.rate, is_full })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets of 1000 bytes, which leave each so many microseconds and arrive each so many; and what they have shown.
    fn probe(prober: &mut Prober, count: i64, left: i64, arrived: i64) -> Option<f64> {
        for n in 0..count {
            let cluster = prober.sent(1000, n * left);
            prober.arrived(&Arrived { sent: n * left, arrival: 77 + n * arrived, size: 1000, cluster });
        }
        prober.result().map(|shown| (shown.rate / 1000.0).round())
    }

    fn planned(rate: f64) -> Prober {
        let mut prober = Prober::default();
        prober.plan(rate, 0);
        prober
    }

    #[test]
    fn what_arrives_as_fast_as_it_left_shows_its_bitrate() {
        assert_eq!(probe(&mut planned(1e6), 5, 8000, 8000), Some(1000.0));
        assert_eq!(probe(&mut planned(1e6), 5, 8000, 7000), Some(1000.0));
    }

    #[test]
    fn what_arrives_slower_shows_somewhat_less() {
        assert_eq!(probe(&mut planned(1e6), 5, 8000, 16_000), Some(475.0));
    }

    #[test]
    fn what_was_held_up_or_took_too_long_shows_nothing() {
        assert_eq!(probe(&mut planned(1e6), 5, 8000, 3000), None);
        assert_eq!(probe(&mut planned(1e6), 5, 8000, 300_000), None);
        assert_eq!(probe(&mut planned(1e6), 5, 8000, 0), None);
    }

    #[test]
    fn padding_behind_a_packet_of_media_shows_about_the_same() {
        // 1 Mbit/s is a byte each 8 µs.
        for (path, shown) in [(8, 0.8e6..1.0e6), (16, 0.4e6..0.55e6)] {
            let mut prober = planned(1e6);
            let (mut left, mut arrival) = (0, 0);
            for size in [1200].into_iter().chain([250; 15]) {
                let cluster = prober.sent(size, left);
                arrival = i64::max(arrival, left) + size as i64 * path;
                prober.arrived(&Arrived { sent: left, arrival, size: size as u32, cluster });
                left += size as i64 * 8;
            }
            let rate = prober.result().unwrap().rate;
            assert!(shown.contains(&rate), "{rate}");
        }
    }

    #[test]
    fn a_probe_lasts_for_five_packets_and_fifteen_milliseconds() {
        let mut prober = planned(8e6);
        let of: Vec<_> = (0..20).map(|n| prober.sent(1000, n * 1000)).collect();
        assert_eq!(of.iter().filter(|of| **of == 1).count(), 15);
        let mut prober = planned(1e6);
        assert_eq!((0..20).filter(|n| prober.sent(1000, n * 1000) == 1).count(), 5);
    }

    #[test]
    fn a_probe_is_longer_once_one_was_held_up() {
        let mut prober = planned(8e6);
        assert_eq!(probe(&mut prober, 15, 1000, 0), None);
        prober.plan(8e6, 0);
        assert_eq!((0..100).filter(|n| prober.sent(1000, n * 1000) == 2).count(), 60);
    }

    #[test]
    fn it_lacks_what_has_not_left_while_it_is_open() {
        let mut prober = planned(8e6);
        assert_eq!((prober.lacks(0), prober.pace(0)), (0, None));
        prober.sent(1000, 0);
        assert_eq!((prober.lacks(1000), prober.pace(1000)), (14_000, Some(8e6)));
        assert_eq!((prober.lacks(OPEN_MAX + 1), prober.pace(OPEN_MAX + 1)), (0, None));
    }

    #[test]
    fn a_probe_that_nobody_fills_begins_again_for_five_seconds() {
        let mut prober = planned(8e6);
        let of: Vec<_> = (0..30).map(|n| prober.sent(1000, n * 250_000)).collect();
        assert_eq!(of[..21], (1..=21).collect::<Vec<_>>());
        assert_eq!(of[22..], [0; 8]);
        assert!(prober.is_idle(9 * SECOND));
    }

    #[test]
    fn a_small_packet_begins_none() {
        let mut prober = planned(1e6);
        assert_eq!((prober.sent(100, 0), prober.sent(1000, 1), prober.sent(100, 2)), (0, 1, 1));
    }

    #[test]
    fn lost_packets_are_a_fifth_at_most() {
        for (lost, shown) in [(1, true), (2, false)] {
            let mut prober = planned(1e6);
            for n in 0..6 {
                let cluster = prober.sent(1000, n * 8000);
                if n >= lost {
                    prober.arrived(&Arrived { sent: n * 8000, arrival: n * 8000, size: 1000, cluster });
                }
            }
            assert_eq!(prober.result().is_some(), shown);
        }
    }
}
