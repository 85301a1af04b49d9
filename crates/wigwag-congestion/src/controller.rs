//! The machine.

use crate::config::{Config, check_limits};
use crate::error::Error;
use crate::event::Event;
use crate::feedback::Reported;
use crate::pacer::{Pace, Pacer};
use crate::stats::Stats;
use std::time::Instant;
use wigwag_sansio::Monotonic;

/// Estimates what a path carries from what its peer reports, and says when packets shall leave.
#[derive(Debug)]
pub struct Controller {
    config: Config,
    clock: Monotonic,
    target: u64,
    told: Option<u64>,
    desired: Option<u64>,
    pacer: Pacer,
    stats: Stats,
}

impl Controller {
    /// A controller of a path that nothing is known of.
    ///
    /// # Errors
    /// A field of `config` is out of range.
    pub fn new(config: Config) -> Result<Self, Error> {
        config.check()?;
        Ok(Self {
            clock: Monotonic::default(),
            target: config.initial_bitrate,
            told: None,
            desired: None,
            pacer: Pacer::default(),
            stats: Stats::default(),
            config,
        })
    }

    /// A packet leaves now: its number, greater than those before, and its `size` on the wire in bytes. What is not paced (sound)
    /// leaves at any time, but counts for those that wait.
    pub fn handle_sent(&mut self, sequence: u64, size: usize, is_paced: bool, now: Instant) {
        let now = self.clock.advance(now);
        let _ = sequence;
        self.stats.packets_sent = self.stats.packets_sent.saturating_add(1);
        let pace = self.pace();
        self.pacer.sent(size, is_paced, pace, now);
    }

    /// The peer has told of packets: those of one message, in any order.
    pub fn handle_feedback(&mut self, reported: &[Reported], now: Instant) {
        self.clock.advance(now);
        let _ = reported;
        self.stats.feedbacks = self.stats.feedbacks.saturating_add(1);
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.clock.advance(now);
    }

    /// What has happened? One at most: an estimate that nobody asked for is replaced by the next.
    pub fn poll_event(&mut self) -> Option<Event> {
        if self.told == Some(self.target) {
            return None;
        }
        self.told = Some(self.target);
        Some(Event::TargetBitrate { bits_per_second: self.target })
    }

    /// When shall it be woken? `Some(now)` if an event is owed; nothing while nothing is sent.
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        (self.told != Some(self.target)).then_some(now)
    }

    /// When the next paced packet may leave, where `queued_bytes` wait, the `oldest` since then; nothing if it may now.
    pub fn next_departure(&self, queued_bytes: usize, oldest: Option<Instant>, now: Instant) -> Option<Instant> {
        let now = self.clock.latest(now);
        let age = oldest.map(|oldest| now.saturating_duration_since(oldest)).unwrap_or_default();
        self.pacer.opens_at(queued_bytes, age, self.pace(), now)
    }

    /// How many bytes of padding would help now, where no media wait: 0 unless the path is being tried.
    pub fn padding_wanted(&self, now: Instant) -> usize {
        let _ = now;
        0
    }

    /// When padding will be wanted if no media leave before; nothing if it will not. Only who can pad needs to wake for it.
    pub fn next_padding(&self, now: Instant) -> Option<Instant> {
        let _ = now;
        None
    }

    /// Changes the limits of the estimate, in bit/s.
    ///
    /// # Errors
    /// `min` is below 5,000 or above `max`, or `max` is above 10,000,000,000; nothing has changed.
    pub fn set_bitrate_limits(&mut self, min: u64, max: u64) -> Result<(), Error> {
        check_limits(min, max)?;
        (self.config.min_bitrate, self.config.max_bitrate) = (min, max);
        self.target = self.target.clamp(min, max);
        Ok(())
    }

    /// How much the application would send if it could, in bit/s: nobody tries for much more. Without it, up to the maximum.
    pub fn set_desired_bitrate(&mut self, bits_per_second: u64) {
        self.desired = Some(bits_per_second);
    }

    /// The path is another one: what was known of the old one is forgotten.
    pub fn restart(&mut self, now: Instant) {
        self.clock.advance(now);
        self.target = self.config.initial_bitrate;
        self.pacer = Pacer::default();
    }

    /// What may be sent, in bit/s.
    pub const fn target_bitrate(&self) -> u64 {
        self.target
    }

    /// What is known, and was counted.
    pub const fn stats(&self) -> Stats {
        Stats { target_bitrate: self.target, ..self.stats }
    }

    fn pace(&self) -> Pace {
        let bits_per_second = (self.target as f64 * self.config.pacing_factor) as u64;
        Pace { bits_per_second, queue_time_max: self.config.queue_time_max }
    }
}
