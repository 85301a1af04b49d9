//! Bandwidth estimation and pacing.

use crate::script::Script;
use std::time::{Duration, Instant};
use wigwag_congestion::{Config, Controller, Event, Reported};

/// What a script may take.
const STEPS_MAX: usize = 2_000;
/// No more packets than this leave because of a script.
const PACKETS_MAX: u64 = 20_000;

/// Any packets, any reports of them, true or not, any commands, and any time between.
pub fn congestion(data: &[u8]) {
    _ = play(data);
}

fn play(data: &[u8]) -> Controller {
    let mut script = Script::new(data);
    let mut player = Player::new();
    for _ in 0..STEPS_MAX {
        if script.is_over() {
            break;
        }
        player.step(&mut script);
        player.settle();
    }
    player.controller
}

struct Player {
    controller: Controller,
    limits: (u64, u64),
    now: Instant,
    sequence: u64,
    /// What no report has covered.
    unreported: Vec<Reported>,
    /// When the link has carried all that was sent.
    free: Instant,
}

impl Player {
    fn new() -> Self {
        let (config, now) = (Config::new(), wigwag_sim::origin());
        let limits = (config.min_bitrate, config.max_bitrate);
        let controller = Controller::new(config).expect("the defaults are possible");
        Self { controller, limits, now, sequence: 0, unreported: vec![], free: now }
    }

    fn step(&mut self, script: &mut Script<'_>) {
        let (kind, argument) = (script.byte(), script.byte());
        match kind {
            0..=95 => self.send(1 + argument % 16, 75 * (1 + usize::from(argument / 16)), kind & 1 != 0, kind & 2 != 0),
            96..=103 => self.pad(usize::from(argument) + 1),
            104..=151 => self.now += Duration::from_millis(argument.into()),
            152..=155 => self.now += Duration::from_millis(u64::from(argument) * u64::from(argument)),
            156..=207 => self.report(argument),
            208..=239 => self.lie(argument, script),
            240..=246 => self.limit(u64::from(argument) * 1_000, u64::from(script.u16()) * 1_000),
            247..=251 => self.controller.set_desired_bitrate(u64::from(script.u32())),
            _ => self.controller.restart(self.now),
        }
    }

    /// A loop sleeps until a packet may leave, or is not `patient`.
    fn send(&mut self, count: u8, size: usize, is_paced: bool, patient: bool) {
        for n in (0..count).rev() {
            let queued = size * usize::from(n + 1);
            if is_paced && let Some(at) = self.controller.next_departure(queued, Some(self.now), self.now) {
                assert!(at > self.now && at < self.now + Duration::from_secs(10), "packets leave");
                if patient {
                    self.now = at;
                }
            }
            self.sent(size, is_paced);
        }
    }

    fn sent(&mut self, size: usize, is_paced: bool) {
        if self.sequence >= PACKETS_MAX {
            return;
        }
        self.sequence += 1;
        self.controller.handle_sent(self.sequence, size, is_paced, self.now);
        // A link of 1 Mbit/s.
        self.free = self.free.max(self.now) + Duration::from_micros(size as u64 * 8);
        let arrival = Some(self.free.duration_since(wigwag_sim::origin()));
        self.unreported.push(Reported { sequence: self.sequence, arrival });
    }

    /// As much padding as is wanted.
    fn pad(&mut self, size: usize) {
        for _ in 0..50 {
            let Some(at) = self.controller.next_padding(self.now) else { return };
            assert!(at >= self.now && at < self.now + Duration::from_secs(1), "soon");
            self.now = at;
            let wanted = self.controller.padding_wanted(self.now);
            self.sent(wanted.min(size), true);
        }
    }

    /// The truth of what has arrived, but for what the argument says is lost.
    fn report(&mut self, argument: u8) {
        let then = self.now.duration_since(wigwag_sim::origin()).saturating_sub(Duration::from_millis(20));
        let has_arrived = |report: &&Reported| report.arrival.is_none_or(|arrival| arrival <= then);
        let count = self.unreported.iter().take_while(has_arrived).count();
        let mut reported: Vec<_> = self.unreported.drain(..count).collect();
        for report in &mut reported {
            let is_lost = argument > 0 && report.sequence % u64::from(argument) == 0;
            report.arrival = report.arrival.filter(|_| !is_lost);
        }
        self.controller.handle_feedback(&reported, self.now);
    }

    /// Something about packets that were sent, or were not.
    fn lie(&mut self, argument: u8, script: &mut Script<'_>) {
        let mut reported: Vec<_> = self.unreported.drain(..self.unreported.len().min(200)).collect();
        for report in reported.iter_mut().take(usize::from(argument >> 3)) {
            let value = script.u32();
            match argument & 7 {
                0 => report.sequence = report.sequence.wrapping_sub(u64::from(value % 100)),
                1 => report.sequence = u64::from(value) << 32,
                2 => report.arrival = Some(Duration::from_micros(value.into())),
                3 => report.arrival = Some(Duration::from_secs(u64::from(value) << 32)),
                4 => report.arrival = None,
                5 => report.sequence = u64::MAX - u64::from(value),
                6 => report.sequence += u64::from(value % 100),
                _ => report.arrival = Some(Duration::from_millis((value % 256).into())),
            }
        }
        if argument & 64 != 0 {
            reported.extend_from_within(..);
        }
        self.controller.handle_feedback(&reported, self.now);
    }

    fn limit(&mut self, min: u64, max: u64) {
        if self.controller.set_bitrate_limits(min, max).is_ok() {
            self.limits = (min, max);
        } else {
            assert!(min < 5_000 || min > max, "possible limits are taken");
        }
    }

    /// A loop does all that is due, and then sleeps.
    fn settle(&mut self) {
        self.controller.handle_timeout(self.now);
        let (min, max) = self.limits;
        if let Some(event) = self.controller.poll_event() {
            assert_eq!(event, Event::TargetBitrate { bits_per_second: self.controller.target_bitrate() });
        }
        assert_eq!(self.controller.poll_event(), None, "there is one at most");
        assert!(self.controller.poll_timeout(self.now).is_none_or(|at| at > self.now), "sleeps");
        assert!((min..=max).contains(&self.controller.target_bitrate()), "within its limits");
        let (wanted, padding) = (self.controller.padding_wanted(self.now), self.controller.next_padding(self.now));
        assert_eq!(wanted > 0, padding == Some(self.now), "who wants padding now says so");
        let stats = self.controller.stats();
        assert!((0.0..=1.0).contains(&stats.loss_fraction) && stats.packets_lost <= stats.packets_sent);
        assert!(stats.packets_arrived <= stats.packets_sent, "no packet arrives twice");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_get_where_they_want() {
        let stats = play(include_bytes!("../corpus/congestion/full")).stats();
        assert!(stats.probes_succeeded > 0 && stats.overuses > 0, "{stats:?}");
        assert!((500_000..1_200_000).contains(&stats.target_bitrate), "{stats:?}");
        let stats = play(include_bytes!("../corpus/congestion/lossy")).stats();
        assert!(stats.loss_based_bitrate.is_some(), "{stats:?}");
        let stats = play(include_bytes!("../corpus/congestion/lies")).stats();
        assert!(stats.ignored_unknown > 0 && stats.ignored_repeated > 0, "{stats:?}");
        let stats = play(include_bytes!("../corpus/congestion/silence")).stats();
        assert!(stats.outages > 1, "{stats:?}");
    }
}
