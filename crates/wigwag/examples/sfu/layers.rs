//! Which of the layers that a publisher sends a listener gets: the largest that its path takes, and the one before until a decoder can
//! begin with it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wigwag::Received;

/// What is around a payload on the wire, in bytes: RTP and its header extensions, SRTP, UDP and IP.
const OVERHEAD: usize = 80;
/// So long it is counted how much a layer is.
const WINDOW: Duration = Duration::from_secs(1);
/// A layer that is silent for so long has ceased: its publisher's path takes no more.
const SILENCE: Duration = Duration::from_secs(1);
/// Nobody goes up to a layer that just fits, and down again.
const HEADROOM: f64 = 1.15;

/// The layers of a track, by name; of one without layers, the one stream that has none.
#[derive(Default)]
pub(crate) struct Layers(BTreeMap<Option<Arc<str>>, Layer>);

struct Layer {
    since: Instant,
    last: Instant,
    bytes: usize,
    /// In bit/s, once it was counted.
    bitrate: Option<u64>,
}

impl Layers {
    /// A packet came. Whether there is something new to choose by.
    pub(crate) fn count(&mut self, packet: &Received) -> bool {
        let now = packet.arrival;
        let is_new = !self.0.contains_key(&packet.rid);
        let new = Layer { since: now, last: now, bytes: 0, bitrate: None };
        let layer = self.0.entry(packet.rid.clone()).or_insert(new);
        if now.saturating_duration_since(layer.last) > SILENCE {
            (layer.since, layer.bytes) = (now, 0);
        }
        layer.last = now;
        layer.bytes += packet.packet.payload.len() + OVERHEAD;
        let passed = now.saturating_duration_since(layer.since);
        if passed < WINDOW {
            return is_new;
        }
        layer.bitrate = Some((layer.bytes as f64 * 8.0 / passed.as_secs_f64()) as u64);
        (layer.since, layer.bytes) = (now, 0);
        true
    }

    /// How much the largest is, in bit/s; `None` if nothing comes, or before it was counted.
    pub(crate) fn largest(&self, now: Instant) -> Option<u64> {
        self.live(now).filter_map(|(_, layer)| layer.bitrate).max()
    }

    /// Whether all that comes was counted.
    pub(crate) fn is_counted(&self, now: Instant) -> bool {
        self.live(now).all(|(_, layer)| layer.bitrate.is_some())
    }

    /// How much this layer is, in bit/s.
    pub(crate) fn bitrate(&self, rid: Option<&Arc<str>>) -> u64 {
        self.0.get(&rid.cloned()).and_then(|layer| layer.bitrate).unwrap_or(0)
    }

    /// The largest of those that fit into so many bit/s, or else the smallest; `None` if there are no layers.
    pub(crate) fn choose(&self, budget: u64, current: Option<&Arc<str>>, now: Instant) -> Option<Arc<str>> {
        let named = || self.live(now).filter_map(|(rid, layer)| Some((layer.bitrate, rid.as_ref()?)));
        let mut counted: Vec<_> = named().filter_map(|(bitrate, rid)| Some((bitrate?, rid))).collect();
        counted.sort_unstable();
        let of_current = counted.iter().find(|(_, rid)| Some(*rid) == current).map_or(0, |(bitrate, _)| *bitrate);
        let fits = |bitrate: u64| {
            let headroom = if bitrate > of_current { HEADROOM } else { 1.0 };
            bitrate as f64 * headroom <= budget as f64
        };
        let fitting = counted.iter().rfind(|(bitrate, _)| fits(*bitrate)).or(counted.first());
        let chosen = fitting.map(|(_, rid)| *rid).or(current);
        chosen.or_else(|| named().next().map(|(_, rid)| rid)).cloned()
    }

    fn live(&self, now: Instant) -> impl Iterator<Item = (&Option<Arc<str>>, &Layer)> {
        self.0.iter().filter(move |(_, layer)| now.saturating_duration_since(layer.last) <= SILENCE)
    }
}

/// What a listener gets of a track.
#[derive(Default)]
pub(crate) struct Choice {
    /// What is forwarded.
    current: Option<Arc<str>>,
    /// What shall be.
    pub(crate) wanted: Option<Arc<str>>,
}

/// What to do with a packet.
#[derive(PartialEq, Eq)]
pub(crate) enum Step {
    Forward,
    /// Forward it, and if that is taken, [go on](Choice::has_switched) with its layer.
    Try,
    Skip,
}

impl Choice {
    /// Of a track without layers, everything is forwarded.
    pub(crate) fn step(&self, rid: Option<&Arc<str>>) -> Step {
        match rid {
            None if self.wanted.is_none() => Step::Forward,
            Some(rid) if self.wanted.as_ref() == Some(rid) && self.current.as_ref() != Some(rid) => Step::Try,
            Some(rid) if self.current.as_ref() == Some(rid) => Step::Forward,
            _ => Step::Skip,
        }
    }

    pub(crate) fn has_switched(&mut self) {
        self.current.clone_from(&self.wanted);
    }

    pub(crate) fn current(&self) -> Option<&Arc<str>> {
        self.current.as_ref()
    }
}
