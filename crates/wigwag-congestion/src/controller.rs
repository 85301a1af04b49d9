//! The machine: what was sent and what is told of it go in, an estimate and times of departure come out.

use crate::config::{Config, check_limits};
use crate::error::Error;
use crate::event::Event;
use crate::feedback::{Arrived, History, Reported};
use crate::gcc::alr::Alr;
use crate::gcc::delay::DelayBased;
use crate::gcc::loss::{LossBased, Sending};
use crate::gcc::plan::{Known, Planner};
use crate::gcc::probe::Prober;
use crate::outage::Outage;
use crate::pacer::{Pace, Pacer};
use crate::stats::Stats;
use std::time::{Duration, Instant};
use wigwag_sansio::Monotonic;

/// What has changed by less than this part is not told.
const NOTABLE: f64 = 0.03;
/// No datagram is longer, in bytes.
const SIZE_MAX: usize = 65_535;
/// A round trip that is not known yet, in microseconds.
const ROUND_TRIP: i64 = 200_000;

/// Estimates what a path carries from what its peer reports, and says when packets shall leave.
#[derive(Debug)]
pub struct Controller {
    config: Config,
    clock: Monotonic,
    /// What the times of the estimators count from.
    origin: Option<Instant>,
    path: Path,
    /// What may be sent, in bit/s.
    target: u64,
    told: u64,
    desired: Option<u64>,
    /// What the last message told of.
    arrived: Vec<Arrived>,
    stats: Stats,
}

/// What is known of the path: forgotten when it is another one.
#[derive(Debug)]
struct Path {
    history: History,
    delay: DelayBased,
    loss: LossBased,
    alr: Alr,
    prober: Prober,
    planner: Planner,
    outage: Outage,
    pacer: Pacer,
    /// The lesser of both estimates, within the limits, in bit/s.
    estimate: f64,
    /// Smoothed, in microseconds.
    round_trip: Option<i64>,
}

impl Path {
    fn new(initial: u64) -> Self {
        Self {
            history: History::default(),
            delay: DelayBased::new(initial as f64),
            loss: LossBased::default(),
            alr: Alr::default(),
            prober: Prober::default(),
            planner: Planner::default(),
            outage: Outage::default(),
            pacer: Pacer::default(),
            estimate: initial as f64,
            round_trip: None,
        }
    }

    /// What both the delay and losses allow.
    fn allowed(&self) -> f64 {
        let delay = self.delay.estimate();
        self.loss.estimate().map_or(delay, |loss| loss.min(delay))
    }

    fn round_trip(&self) -> Option<Duration> {
        self.round_trip.map(|micros| Duration::from_micros(micros.unsigned_abs()))
    }

    /// The peer has told of these for the first time; the last to leave waited least until it was told of.
    fn measure_round_trip(&mut self, arrived: &[Arrived], now: i64) {
        let Some(sent) = arrived.iter().map(|packet| packet.sent).max() else { return };
        let measured = now.saturating_sub(sent).max(0);
        let smoothed = self.round_trip.map(|before| before.saturating_add(measured.saturating_sub(before) / 8));
        self.round_trip = Some(smoothed.unwrap_or(measured));
    }
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
            origin: None,
            path: Path::new(config.initial_bitrate),
            target: config.initial_bitrate,
            told: config.initial_bitrate,
            desired: None,
            arrived: Vec::new(),
            stats: Stats::default(),
            config,
        })
    }

    /// A packet leaves now: its number, greater than those before, and its `size` on the wire in bytes. What is not paced (sound)
    /// leaves at any time, but counts for those that wait. A packet whose number is no greater than one before counts for the pace
    /// alone.
    pub fn handle_sent(&mut self, sequence: u64, size: usize, is_paced: bool, now: Instant) {
        self.sent(Some(sequence), size, is_paced, now);
    }

    /// A packet leaves now that the peer does not report on, as one that is sent again under its old number: it counts for the pace alone.
    pub fn handle_unreported(&mut self, size: usize, is_paced: bool, now: Instant) {
        self.sent(None, size, is_paced, now);
    }

    fn sent(&mut self, sequence: Option<u64>, size: usize, is_paced: bool, now: Instant) {
        self.origin.get_or_insert(self.clock.latest(now));
        let (now, at) = self.advance(now);
        let size = size.min(SIZE_MAX);
        self.stats.packets_sent = self.stats.packets_sent.saturating_add(1);
        if self.config.is_probing && !self.path.planner.has_begun() {
            let known = self.known();
            self.path.planner.begin(&known, &mut self.path.prober, at);
        }
        let sequence = sequence.filter(|sequence| self.path.history.follows(*sequence));
        let cluster = if is_paced && sequence.is_some() { self.path.prober.sent(size, at) } else { 0 };
        let pace = self.pace(at);
        self.path.pacer.sent(size, is_paced, pace, now);
        self.path.alr.sent(size, self.target as f64, at);
        if let Some(sequence) = sequence {
            self.path.outage.sent(self.path.round_trip(), now);
            self.path.history.sent(sequence, size, cluster, at);
        }
    }

    /// The peer has told of packets: those of one message, in any order. Whatever it says, the estimate stays within its limits, and never
    /// rises above one and a half times what was sent, but for a probe that was sent faster.
    pub fn handle_feedback(&mut self, reported: &[Reported], now: Instant) {
        let (now, at) = self.advance(now);
        self.stats.feedbacks = self.stats.feedbacks.saturating_add(1);
        let mut arrived = std::mem::take(&mut self.arrived);
        let news = self.path.history.take(reported, &mut arrived, &mut self.stats);
        self.stats.packets_arrived = self.stats.packets_arrived.saturating_add(news.arrived.into());
        let lost = self.stats.packets_lost.saturating_add(news.lost.into());
        self.stats.packets_lost = lost.saturating_sub(news.recovered.into());
        if news.arrived > 0 || news.lost > 0 {
            self.path.outage.heard(now);
        }
        if !arrived.is_empty() {
            self.handle_arrived(&arrived, at);
        }
        self.arrived = arrived;
        let path = &mut self.path;
        let round_trip = path.round_trip.unwrap_or(ROUND_TRIP);
        let (target, delay_based, acknowledged) = (path.estimate, path.delay.estimate(), path.delay.acknowledged());
        path.loss.handle(news, Sending { target, delay_based, acknowledged }, round_trip, at);
        self.conclude(at);
    }

    fn handle_arrived(&mut self, arrived: &[Arrived], at: i64) {
        let path = &mut self.path;
        path.measure_round_trip(arrived, at);
        for packet in arrived {
            path.prober.arrived(packet);
        }
        let shown = path.prober.result();
        let before = path.delay.estimate();
        path.delay.handle(arrived, shown, path.round_trip.unwrap_or(ROUND_TRIP), at);
        if path.delay.estimate() < before {
            path.loss.defer(at);
        }
        let Some(shown) = shown else { return };
        path.loss.raise(shown.rate, path.delay.estimate());
        let before = path.estimate;
        let is_success = shown.rate > before && path.allowed() >= shown.rate;
        path.planner.shown(&shown, before, is_success, at);
        if is_success {
            self.stats.probes_succeeded = self.stats.probes_succeeded.saturating_add(1);
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        let (now, at) = self.advance(now);
        if let Some(factor) = self.path.outage.expire(now) {
            self.stats.outages = self.stats.outages.saturating_add(1);
            self.path.delay.set(self.target as f64 * factor, at);
            self.conclude(at);
        }
    }

    /// What has happened? One thing at most: an estimate that nobody asked for is replaced by the next.
    pub fn poll_event(&mut self) -> Option<Event> {
        if !self.is_notable() {
            return None;
        }
        self.told = self.target;
        Some(Event::TargetBitrate { bits_per_second: self.target })
    }

    /// When shall it be woken? `Some(now)` if an event is owed; nothing while nothing that was sent waits to be told of.
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        if self.is_notable() { Some(now) } else { self.path.outage.deadline() }
    }

    /// When the next paced packet may leave, where `queued_bytes` wait, the `oldest` since then; nothing if it may now.
    pub fn next_departure(&self, queued_bytes: usize, oldest: Option<Instant>, now: Instant) -> Option<Instant> {
        let now = self.clock.latest(now);
        let age = oldest.map(|oldest| now.saturating_duration_since(oldest)).unwrap_or_default();
        self.path.pacer.opens_at(queued_bytes, age, self.pace(self.micros(now)), now)
    }

    /// How many bytes of padding would help now, where no media wait: 0 unless the path is being tried with more than there is to send.
    pub fn padding_wanted(&self, now: Instant) -> usize {
        let now = self.clock.latest(now);
        let at = self.micros(now);
        let lacks = self.path.prober.lacks(at);
        if lacks == 0 || self.next_departure(0, None, now).is_some() {
            return 0;
        }
        let burst = self.pace(at).burst_bytes().max(1);
        usize::try_from(lacks).unwrap_or(usize::MAX).min(burst)
    }

    /// When padding will be wanted if no media leave before; nothing if it will not. Only who can pad needs to wake for it.
    pub fn next_padding(&self, now: Instant) -> Option<Instant> {
        let now = self.clock.latest(now);
        let is_lacking = self.path.prober.lacks(self.micros(now)) > 0;
        is_lacking.then(|| self.next_departure(0, None, now).unwrap_or(now))
    }

    /// Changes the limits of the estimate, in bit/s. Where the greatest was all that there was, more is tried at once.
    ///
    /// # Errors
    /// `min` is below 5,000 or above `max`, or `max` is above 10,000,000,000; nothing has changed.
    pub fn set_bitrate_limits(&mut self, min: u64, max: u64) -> Result<(), Error> {
        check_limits(min, max)?;
        if max > self.config.max_bitrate && self.target >= self.config.max_bitrate {
            self.path.planner.unlimit();
        }
        (self.config.min_bitrate, self.config.max_bitrate) = (min, max);
        self.path.delay.clamp(min as f64, max as f64);
        self.target = self.target.clamp(min, max);
        Ok(())
    }

    /// How much the application would send if it could, in bit/s: nobody tries for more than one and a half times of it. Without, up to the
    /// maximum, but no more than four times of what is sent.
    pub fn set_desired_bitrate(&mut self, bits_per_second: u64) {
        if self.desired.replace(bits_per_second).is_none_or(|before| before < bits_per_second) {
            self.path.planner.ask();
        }
    }

    /// The path is another one (another pair of addresses): what was known of the old one is forgotten, and the estimate begins with the
    /// initial bitrate, to be found anew by probes within a second. What the old path still tells of changes nothing.
    pub fn restart(&mut self, now: Instant) {
        self.advance(now);
        self.target = self.config.initial_bitrate.clamp(self.config.min_bitrate, self.config.max_bitrate);
        self.stats.overuses = self.stats.overuses.saturating_add(self.path.delay.overuses());
        self.stats.probes = self.stats.probes.saturating_add(self.path.prober.begun().into());
        self.path = Path::new(self.target);
    }

    /// What may be sent, in bit/s.
    pub const fn target_bitrate(&self) -> u64 {
        self.target
    }

    /// What is known, and was counted.
    pub fn stats(&self) -> Stats {
        let path = &self.path;
        Stats {
            target_bitrate: self.target,
            delay_based_bitrate: path.delay.estimate() as u64,
            loss_based_bitrate: path.loss.estimate().map(|estimate| estimate as u64),
            acknowledged_bitrate: path.delay.acknowledged().map(|bitrate| bitrate as u64),
            round_trip: path.round_trip(),
            loss_fraction: path.loss.fraction(),
            delay_state: path.delay.state(),
            is_application_limited: path.alr.since().is_some(),
            overuses: self.stats.overuses.saturating_add(path.delay.overuses()),
            probes: self.stats.probes.saturating_add(path.prober.begun().into()),
            ..self.stats
        }
    }

    /// The lesser of both estimates is what may be sent, or less for a moment; perhaps there is more.
    fn conclude(&mut self, at: i64) {
        let (min, max) = (self.config.min_bitrate as f64, self.config.max_bitrate as f64);
        self.path.delay.clamp(min, max);
        self.path.loss.clamp(min);
        let estimate = self.path.allowed().max(min);
        debug_assert!(estimate.is_finite(), "an estimate is a number");
        let before = std::mem::replace(&mut self.path.estimate, estimate);
        self.path.planner.changed(before, estimate, at);
        let target = self.path.delay.drain().map_or(estimate, |drain| drain.clamp(min, estimate));
        self.target = target as u64;
        if self.config.is_probing {
            let known = self.known();
            self.path.planner.consider(&known, &mut self.path.prober, at);
        }
    }

    fn known(&self) -> Known {
        let path = &self.path;
        Known {
            target: self.target as f64,
            is_calm: path.delay.is_calm() && path.loss.is_low(),
            limited_since: self.path.alr.since(),
            arriving: path.delay.unprobed(),
            desired: self.desired.map(|desired| desired as f64),
            max: self.config.max_bitrate as f64,
        }
    }

    /// Whether the estimate differs from what was told by so much that it is to be told.
    fn is_notable(&self) -> bool {
        let limits = [self.config.min_bitrate, self.config.max_bitrate];
        let is_far = self.target.abs_diff(self.told) as f64 >= self.told as f64 * NOTABLE;
        is_far || (self.target != self.told && limits.contains(&self.target))
    }

    fn pace(&self, at: i64) -> Pace {
        let probe = self.path.prober.pace(at);
        let rate = probe.unwrap_or(self.target as f64 * self.config.pacing_factor);
        let queue_time_max = self.config.queue_time_max;
        Pace { bits_per_second: (rate as u64).max(1), queue_time_max, is_probe: probe.is_some() }
    }

    fn advance(&mut self, now: Instant) -> (Instant, i64) {
        let now = self.clock.advance(now);
        (now, self.micros(now))
    }

    /// Microseconds since the first packet left: calls before, which may be repeated at will, leave no trace in how they are rounded.
    fn micros(&self, now: Instant) -> i64 {
        let since = self.origin.map(|origin| now.saturating_duration_since(origin)).unwrap_or_default();
        i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
    }
}
