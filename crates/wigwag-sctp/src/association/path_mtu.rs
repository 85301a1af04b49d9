//! How long the packets may be that the path carries (RFC 8899): HEARTBEATs that are padded to a length (RFC 4820) ask.
//!
//! ```text
//!             ┌─answer: so long─┐
//! Owed ──sent──► Waiting ──three without an answer: not so long──► Owed ─ … ──found──► Found ──10 min──► Owed
//!  ▲                                                                                     │
//!  └────────────────── what is long does not arrive any more: back to the base ──────────┘
//! ```

use crate::chunk::HeartbeatInfo;
use crate::migration::{Reader, state};
use std::time::{Duration, Instant};
use wigwag_sansio::Timer;

/// RFC 8899 §5.1.2, MAX_PROBES: so many without an answer say that the path does not carry so much.
const PROBES_MAX: u32 = 3;
/// RFC 8899 §5.1.1, PROBE_TIMER: no less than a second; beyond that the retransmission timeout tells when an answer is overdue.
const PROBE_TIME_MIN: Duration = Duration::from_secs(1);
/// RFC 8899 §5.1.1, PMTU_RAISE_TIMER: when it is tried again whether the path carries more.
const RAISE_TIME: Duration = Duration::from_secs(600);
/// The search ends when there are no more bytes to gain.
const GRAIN: usize = 16;

#[derive(Debug)]
enum Phase {
    Owed { failures: u32 },
    Waiting { info: HeartbeatInfo, failures: u32, timer: Timer },
    Found(Timer),
}

/// See the module. Lengths of packets, SCTP header included, in bytes.
#[derive(Debug)]
pub(crate) struct PathMtu {
    /// What every path carries.
    base: usize,
    max: usize,
    /// The longest that has arrived.
    current: usize,
    /// The shortest that has not, if any.
    too_long: Option<usize>,
    phase: Phase,
}

// Of another configuration, it is looked for anew.
state!(struct PathMtu { base, max, current, too_long, phase } => then Self::resumed);
state!(enum Phase { 0: Owed { failures }, 1: Waiting { info, failures, timer }, 2: Found(timer) });

impl PathMtu {
    fn resumed(mut self, from: &mut Reader<'_>) -> Option<Self> {
        let (base, max) = (from.config.mtu, from.config.path_mtu_max());
        if (self.base, self.max) != (base, max) {
            self = Self::new(base, max);
        }
        from.mtu = self.current;
        let may_be_too_long = |len: usize| self.current < len && len <= max;
        ((base..=max).contains(&self.current) && self.too_long.is_none_or(may_be_too_long)).then_some(self)
    }

    /// If `max` is no more than `base`, there is nothing to look for.
    pub(crate) const fn new(base: usize, max: usize) -> Self {
        let phase = if max > base { Phase::Owed { failures: 0 } } else { Phase::Found(Timer::idle()) };
        Self { base, max, current: base, too_long: None, phase }
    }

    pub(crate) const fn current(&self) -> usize {
        self.current
    }

    pub(crate) const fn is_owed(&self) -> bool {
        matches!(self.phase, Phase::Owed { .. })
    }

    /// How long the next probe is: the longest first, for most paths carry that, and then half way between what was carried and
    /// what was not.
    pub(crate) const fn probe_len(&self) -> usize {
        match self.too_long {
            None => self.max,
            Some(too_long) => (self.current + (too_long - self.current) / 2) & !3,
        }
    }

    pub(crate) fn sent(&mut self, nonce: u64, rto: Duration, now: Instant) {
        if let Phase::Owed { failures } = self.phase {
            self.phase = Phase::Waiting {
                info: HeartbeatInfo { nonce },
                failures,
                timer: Timer::after(now, rto.max(PROBE_TIME_MIN)),
            };
        }
    }

    /// Whoever asks for packets has no room for the probe, so the path has none.
    pub(crate) fn has_no_room(&mut self, now: Instant) {
        self.too_long = Some(self.probe_len());
        self.go_on(now);
    }

    /// True if the answer was to a probe of ours, so packets may be as long now.
    pub(crate) fn handle_ack(&mut self, answered: u64, now: Instant) -> bool {
        let is_ours = matches!(&self.phase, Phase::Waiting { info, .. } if info.nonce == answered);
        if is_ours {
            self.current = self.probe_len();
            self.go_on(now);
        }
        is_ours
    }

    fn go_on(&mut self, now: Instant) {
        let is_found = match self.too_long {
            None => self.current >= self.max,
            Some(too_long) => too_long <= self.current + GRAIN,
        };
        self.phase = match (is_found, self.too_long) {
            (false, _) => Phase::Owed { failures: 0 },
            (true, None) => Phase::Found(Timer::idle()),
            (true, Some(_)) => Phase::Found(Timer::after(now, RAISE_TIME)),
        };
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        match &mut self.phase {
            Phase::Owed { .. } => {}
            Phase::Waiting { failures, timer, .. } => {
                if timer.expire(now) {
                    let failures = *failures + 1;
                    self.phase = Phase::Owed { failures };
                    if failures >= PROBES_MAX {
                        self.too_long = Some(self.probe_len());
                        self.go_on(now);
                    }
                }
            }
            Phase::Found(timer) => {
                if timer.expire(now) {
                    self.too_long = None;
                    self.phase = Phase::Owed { failures: 0 };
                }
            }
        }
    }

    /// What is longer than the base does not arrive any more (RFC 8899 §4.4, a black hole): the search begins below it.
    pub(crate) fn fall_back(&mut self, now: Instant) {
        (self.too_long, self.current) = (Some(self.current), self.base);
        self.go_on(now);
    }

    pub(crate) const fn deadline(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Owed { .. } => None,
            Phase::Waiting { timer, .. } | Phase::Found(timer) => timer.deadline(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wigwag_sim::origin;

    /// Searches over a path that carries so much; the lengths that were tried, and what was found.
    fn search(path_mtu: &mut PathMtu, carries: usize, now: &mut Instant) -> Vec<usize> {
        let mut tried = Vec::new();
        for nonce in 0..100 {
            if !path_mtu.is_owed() {
                return tried;
            }
            let len = path_mtu.probe_len();
            tried.push(len);
            path_mtu.sent(nonce, Duration::ZERO, *now);
            if len > carries || !path_mtu.handle_ack(nonce, *now) {
                *now += PROBE_TIME_MIN;
                path_mtu.handle_timeout(*now);
            }
        }
        tried
    }

    #[test]
    fn the_longest_is_tried_first() {
        let (mut path_mtu, mut now) = (PathMtu::new(1160, 1400), origin());
        assert_eq!(search(&mut path_mtu, 9000, &mut now), [1400]);
        assert_eq!((path_mtu.current(), path_mtu.deadline()), (1400, None));
    }

    #[test]
    fn then_half_way_each_three_times() {
        let (mut path_mtu, mut now) = (PathMtu::new(1160, 1400), origin());
        assert_eq!(
            search(&mut path_mtu, 1300, &mut now),
            [1400, 1400, 1400, 1280, 1340, 1340, 1340, 1308, 1308, 1308, 1292]
        );
        assert_eq!(path_mtu.current(), 1292);
        now += RAISE_TIME;
        path_mtu.handle_timeout(now);
        assert_eq!(search(&mut path_mtu, 1400, &mut now), [1400]);
        assert_eq!(path_mtu.current(), 1400);
    }

    #[test]
    fn a_black_hole_leaves_the_base_and_what_is_between() {
        let (mut path_mtu, mut now) = (PathMtu::new(1160, 1400), origin());
        search(&mut path_mtu, 1400, &mut now);
        path_mtu.fall_back(now);
        assert_eq!(path_mtu.current(), 1160);
        search(&mut path_mtu, 1200, &mut now);
        assert!((1184..=1200).contains(&path_mtu.current()), "{}", path_mtu.current());
    }

    #[test]
    fn an_answer_to_another_probe_says_nothing() {
        let mut path_mtu = PathMtu::new(1160, 1400);
        path_mtu.sent(7, Duration::ZERO, origin());
        assert!(!path_mtu.handle_ack(8, origin()));
        assert_eq!(path_mtu.current(), 1160);
    }

    #[test]
    fn nothing_is_looked_for_where_no_more_is_allowed() {
        let path_mtu = PathMtu::new(1160, 1160);
        assert!(!path_mtu.is_owed() && path_mtu.deadline().is_none());
    }
}
