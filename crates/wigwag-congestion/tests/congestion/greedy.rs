//! A download beside us: a window that grows until something is lost, as Reno's does.

use crate::link::Queue;
use std::collections::VecDeque;
use std::time::Duration;

const PACKET: usize = 1500;

/// See the module.
pub(crate) struct Greedy {
    pub(crate) from: Duration,
    window: f64,
    threshold: f64,
    /// When each packet on its way is known to have arrived, or to be lost.
    on_their_way: VecDeque<(Duration, bool)>,
    /// Losses until then belong to one decrease.
    recovers: Duration,
    pub(crate) bytes: usize,
}

impl Greedy {
    pub(crate) fn new(from: Duration) -> Self {
        let on_their_way = VecDeque::new();
        Self { from, window: 10.0, threshold: f64::MAX, on_their_way, recovers: Duration::ZERO, bytes: 0 }
    }

    /// When something is to be done.
    pub(crate) fn next(&self) -> Duration {
        self.on_their_way.front().map_or(self.from, |(at, _)| *at)
    }

    pub(crate) fn run(&mut self, now: Duration, queue: &mut Queue) {
        while let Some((_, is_lost)) = self.on_their_way.front().copied().filter(|(at, _)| *at <= now) {
            self.on_their_way.pop_front();
            self.heard(is_lost, now);
        }
        while now >= self.from && (self.on_their_way.len() as f64) < self.window {
            let known = now + queue.waits(now) + queue.link.delay * 2;
            let is_lost = queue.carry(PACKET, now).is_none();
            self.on_their_way.push_back((known.max(now + Duration::from_millis(1)), is_lost));
        }
    }

    fn heard(&mut self, is_lost: bool, now: Duration) {
        if !is_lost {
            self.bytes += PACKET;
            self.window += if self.window < self.threshold { 1.0 } else { 1.0 / self.window };
        } else if now >= self.recovers {
            self.threshold = (self.window / 2.0).max(2.0);
            self.window = self.threshold;
            self.recovers = self.on_their_way.back().map_or(now, |(at, _)| *at);
        }
    }
}
