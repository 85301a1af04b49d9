//! The delay-based controller (draft-ietf-rmcat-gcc-02 §5): from arrivals to an estimate.

use super::SECOND;
use super::arrival::Groups;
use super::overuse::Detector;
use super::probe::Shown;
use super::rate::Aimd;
use super::standing::Standing;
use super::throughput::Throughput;
use super::trendline::Trendline;
use crate::feedback::Arrived;
use crate::stats::DelayState;

/// After so much time without a packet, delays of before tell nothing of those that follow.
const SILENCE: i64 = 2 * SECOND;

/// See the module.
#[derive(Debug)]
pub(crate) struct DelayBased {
    groups: Groups,
    trendline: Trendline,
    detector: Detector,
    aimd: Aimd,
    throughput: Throughput,
    standing: Standing,
    heard: Option<i64>,
    overuses: u64,
    /// What arrives, as of the last message.
    acknowledged: Option<f64>,
}

impl DelayBased {
    pub(crate) fn new(initial: f64) -> Self {
        Self {
            groups: Groups::default(),
            trendline: Trendline::default(),
            detector: Detector::default(),
            aimd: Aimd::new(initial),
            throughput: Throughput::default(),
            standing: Standing::default(),
            heard: None,
            overuses: 0,
            acknowledged: None,
        }
    }

    pub(crate) const fn estimate(&self) -> f64 {
        self.aimd.estimate()
    }

    pub(crate) const fn state(&self) -> DelayState {
        self.detector.state()
    }

    /// Whether the queue neither grows nor shrinks nor stands.
    pub(crate) fn is_calm(&self) -> bool {
        self.state() == DelayState::Normal && self.drain().is_none() && self.standing.is_short()
    }

    /// How often the queue began to grow.
    pub(crate) const fn overuses(&self) -> u64 {
        self.overuses
    }

    /// What arrives at the peer.
    pub(crate) const fn acknowledged(&self) -> Option<f64> {
        self.acknowledged
    }

    /// What is sent for a moment, so that a queue gets shorter.
    pub(crate) fn drain(&self) -> Option<f64> {
        self.standing.rate()
    }

    /// What of it is no part of a probe.
    pub(crate) fn unprobed(&self) -> Option<f64> {
        self.throughput.unprobed()
    }

    /// The estimate is known otherwise.
    pub(crate) fn set(&mut self, estimate: f64, now: i64) {
        self.aimd.set(estimate, now);
    }

    pub(crate) fn clamp(&mut self, min: f64, max: f64) {
        self.aimd.clamp(min, max);
    }

    /// What a message told of, in the order of arrival, not empty, and what a probe has shown.
    pub(crate) fn handle(&mut self, arrived: &[Arrived], shown: Option<Shown>, rtt: i64, now: i64) {
        if self.heard.replace(now).is_some_and(|heard| now.saturating_sub(heard) > SILENCE) {
            (self.groups, self.trendline, self.detector) = Default::default();
        }
        let (before, signals) = (self.state(), self.detector.signals());
        for packet in arrived {
            self.throughput.add(*packet);
            if let Some(distance) = self.groups.add(packet, now) {
                let trend = self.trendline.add(&distance);
                self.detector.add(trend, distance.sent, distance.arrival);
            }
        }
        if self.state() == DelayState::Overusing && before != DelayState::Overusing {
            self.overuses = self.overuses.saturating_add(1);
        }
        if self.detector.signals() > signals {
            self.aimd.signal();
        }
        self.acknowledged = self.throughput.long();
        let lately = self.throughput.short();
        self.standing.add(arrived, now);
        let before = self.estimate();
        // What arrives once the queue is short is what is sent, which is little for the moment.
        let is_drained = self.drain().is_some() && !self.standing.is_long();
        let state = if is_drained { DelayState::Underusing } else { self.state() };
        match (state, shown) {
            (DelayState::Normal | DelayState::Underusing, Some(shown)) if shown.rate > self.estimate() => {
                self.aimd.set(shown.rate, now);
                if shown.is_full {
                    self.aimd.set_capacity(shown.arrived);
                }
            }
            (state, _) => self.aimd.update(state, self.acknowledged, lately, rtt, now),
        }
        self.standing.drain(self.estimate() < before, lately, now);
    }
}
