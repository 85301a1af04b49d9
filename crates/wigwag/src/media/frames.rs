//! Streams that are received as frames: for each source a jitter buffer and an assembler, looked at when it is due.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use wigwag_rtp::payload::{Format, FrameEvent, FrameReceiver, FrameStats};
use wigwag_rtp::{JitterConfig, OrderedPacket, Received, ReceiverId};
use wigwag_sansio::{Deadlines, Monotonic, Ready};

/// So many sources of one media section are put together at once beside its layers: a track has one, and for a moment the one before.
const SOURCES_BESIDE: usize = 3;
/// A session takes no packet that is later (RFC 3550 A.1), so what seems to be is of a source that began anew.
pub(super) const LATE_MAX: u64 = 1024;
/// So long is waited for what was asked for again: long enough that a second request can be lost, too.
const GAP_ROUND_TRIPS: u32 = 3;
/// ... but no longer, or a call over satellites would lag by more than anybody can talk with.
const GAP_WAIT_MAX: Duration = Duration::from_secs(1);

/// How the packets of a source become frames.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recipe {
    pub(super) format: Format,
    /// Whether missing packets are asked for.
    pub(super) nack: bool,
    /// At least so long packets wait, if the application says so.
    pub(super) delay_min: Option<Duration>,
    /// The layers of the section; 0 if there is one stream.
    pub(super) layers: usize,
}

impl Recipe {
    fn jitter_config(self) -> JitterConfig {
        let clock_rate_hz = self.format.clock_rate_hz();
        if self.format.has_key_frames() {
            JitterConfig::video(clock_rate_hz)
        } else {
            JitterConfig::audio(clock_rate_hz)
        }
    }

    /// Sound is better without a packet than late.
    fn gap_wait(self, round_trip: Option<Duration>) -> Duration {
        let least = self.jitter_config().gap_wait;
        let again = round_trip.filter(|_| self.nack && !least.is_zero()).unwrap_or_default();
        again.saturating_mul(GAP_ROUND_TRIPS).clamp(least, GAP_WAIT_MAX.max(least))
    }
}

#[derive(Debug)]
struct Source {
    receiver: ReceiverId,
    ssrc: u32,
    format: Format,
    frames: FrameReceiver,
    last_sequence: u64,
    last_arrival: Instant,
    end: End,
}

/// Whether more packets may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    No,
    /// No, but some wait.
    Coming,
    /// All are told but the end.
    Reached,
}

/// What was dropped on the way from packets to frames, by reason. Each counts packets unless said otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FrameDrops {
    /// They came after one that follows them was played.
    pub late: u64,
    /// They were there already.
    pub duplicate: u64,
    /// Nobody polled while more came than may wait. What finds no room while somebody polls is told early.
    pub full: u64,
    /// They are not of the payload format.
    pub malformed: u64,
    /// The beginning of their frame is missing.
    pub without_start: u64,
    /// Frames longer than is taken (frames).
    pub too_long: u64,
    /// Their payload type is of a codec that has no payload format here.
    pub no_format: u64,
}

impl FrameDrops {
    const fn and(mut self, stats: FrameStats) -> Self {
        self.late += stats.jitter.dropped_late + stats.assembler.dropped_late;
        self.duplicate += stats.jitter.dropped_duplicate;
        self.full += stats.jitter.dropped_full;
        self.malformed += stats.assembler.dropped_malformed;
        self.without_start += stats.assembler.dropped_without_start;
        self.too_long += stats.assembler.dropped_too_long;
        self
    }
}

/// What became of a source's packets.
#[derive(Debug)]
pub(super) enum Told {
    Frame(FrameEvent),
    Ended,
}

/// All sources that are received as frames.
#[derive(Debug, Default)]
pub(super) struct Frames {
    now: Monotonic,
    slots: Vec<Option<Source>>,
    free: Vec<usize>,
    by_receiver: BTreeMap<ReceiverId, Vec<usize>>,
    ready: Ready,
    deadlines: Deadlines,
    /// What sources dropped that are gone.
    gone: FrameDrops,
    pub(super) visits: u64,
}

impl Frames {
    /// A packet arrived.
    pub(super) fn insert(&mut self, packet: Received, recipe: Recipe, round_trip: Option<Duration>) {
        let now = self.now.advance(packet.arrival);
        let slot = self.slot(&packet, recipe);
        let Some(source) = self.slots.get_mut(slot).and_then(Option::as_mut) else { return };
        source.frames.set_gap_wait(recipe.gap_wait(round_trip));
        self.hand_in(slot, packet, now);
    }

    fn hand_in(&mut self, slot: usize, packet: Received, now: Instant) {
        let Some(source) = self.slots.get_mut(slot).and_then(Option::as_mut) else { return };
        self.visits += 1;
        source.last_sequence = source.last_sequence.max(packet.extended_sequence);
        source.last_arrival = now;
        let ordered = OrderedPacket { extended_sequence: packet.extended_sequence, packet: packet.packet };
        source.frames.insert(ordered, now);
        self.schedule(slot);
    }

    /// Its source's, or a new one.
    fn slot(&mut self, packet: &Received, recipe: Recipe) -> usize {
        let is_its = |source: &&mut Source| {
            source.ssrc == packet.ssrc && source.format == recipe.format && source.end == End::No
        };
        let of_receiver = self.by_receiver.entry(packet.receiver).or_default();
        for slot in of_receiver.iter().copied() {
            let Some(source) = self.slots.get_mut(slot).and_then(Option::as_mut).filter(is_its) else { continue };
            if packet.extended_sequence.saturating_add(LATE_MAX) >= source.last_sequence {
                return slot;
            }
            source.end = End::Coming;
            self.ready.push(slot);
        }
        self.make_room(packet.receiver, recipe.layers.max(1) + SOURCES_BESIDE);
        let mut frames = FrameReceiver::new(recipe.format, recipe.jitter_config());
        recipe.delay_min.into_iter().for_each(|delay| frames.set_delay_min(delay));
        let source = Source {
            receiver: packet.receiver,
            ssrc: packet.ssrc,
            format: recipe.format,
            frames,
            last_sequence: packet.extended_sequence,
            last_arrival: packet.arrival,
            end: End::No,
        };
        let slot = self.free.pop().unwrap_or(self.slots.len());
        match self.slots.get_mut(slot) {
            Some(place) => *place = Some(source),
            None => self.slots.push(Some(source)),
        }
        self.by_receiver.entry(packet.receiver).or_default().push(slot);
        slot
    }

    /// The source that was silent for the longest goes, if there are too many.
    fn make_room(&mut self, receiver: ReceiverId, sources_max: usize) {
        let of_receiver = self.by_receiver.get(&receiver).map_or(&[][..], Vec::as_slice);
        if of_receiver.len() < sources_max {
            return;
        }
        let last_arrival = |slot: &usize| self.source(*slot).map(|source| source.last_arrival);
        if let Some(slot) = of_receiver.iter().copied().min_by_key(last_arrival) {
            self.remove(slot);
        }
    }

    /// The peer ended a source: what waits is told at its time, then the end. False if there is no such source.
    pub(super) fn end(&mut self, receiver: ReceiverId, ssrc: u32) -> bool {
        let of_receiver = self.by_receiver.get(&receiver).cloned().unwrap_or_default();
        let mut has_ended = false;
        for slot in of_receiver {
            if let Some(source) = self.slots.get_mut(slot).and_then(Option::as_mut)
                && source.ssrc == ssrc
                && source.end == End::No
            {
                source.end = End::Coming;
                self.ready.push(slot);
                has_ended = true;
            }
        }
        has_ended
    }

    /// The section is received no longer.
    pub(super) fn remove_receiver(&mut self, receiver: ReceiverId) {
        for slot in self.by_receiver.get(&receiver).cloned().unwrap_or_default() {
            self.remove(slot);
        }
    }

    pub(super) fn set_delay_min(&mut self, receiver: ReceiverId, delay_min: Duration) {
        for slot in self.by_receiver.get(&receiver).cloned().unwrap_or_default() {
            if let Some(source) = self.slots.get_mut(slot).and_then(Option::as_mut) {
                source.frames.set_delay_min(delay_min);
            }
            self.schedule(slot);
        }
    }

    /// A packet came that carries no part of a frame, but whose number is one of its source's.
    pub(super) fn pass(&mut self, packet: Received) {
        let now = self.now.advance(packet.arrival);
        let is_its = |source: &Source| {
            source.ssrc == packet.ssrc
                && source.end == End::No
                && packet.extended_sequence.saturating_add(LATE_MAX) >= source.last_sequence
        };
        let slots = self.by_receiver.get(&packet.receiver).map_or(&[][..], Vec::as_slice);
        if let Some(slot) = slots.iter().copied().rfind(|slot| self.source(*slot).is_some_and(is_its)) {
            self.hand_in(slot, packet, now);
        }
    }

    /// A packet came that cannot be part of a frame.
    pub(super) const fn no_format(&mut self) {
        self.gone.no_format += 1;
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        let now = self.now.advance(now);
        while let Some(slot) = self.deadlines.expire(now) {
            self.visits += 1;
            self.ready.push(slot);
        }
    }

    pub(super) fn poll_event(&mut self) -> Option<(ReceiverId, u32, Told)> {
        while let Some(slot) = self.ready.front()
            && let Some(now) = self.now.seen()
        {
            self.visits += 1;
            if let Some(source) = self.slots.get_mut(slot).and_then(Option::as_mut) {
                source.frames.handle_timeout(now);
                if let Some(event) = source.frames.poll_event() {
                    return Some((source.receiver, source.ssrc, Told::Frame(event)));
                }
                if source.end == End::Coming && source.frames.poll_timeout(source.last_arrival).is_none() {
                    source.end = End::Reached;
                    // A frame that is not whole will not be.
                    source.frames.end();
                    continue;
                }
                if source.end == End::Reached {
                    let (receiver, ssrc) = (source.receiver, source.ssrc);
                    self.ready.pop();
                    self.remove(slot);
                    return Some((receiver, ssrc, Told::Ended));
                }
            }
            self.ready.pop();
            self.schedule(slot);
        }
        None
    }

    pub(super) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let now = self.now.latest(now);
        if self.ready.is_empty() { self.deadlines.earliest().map(|at| at.max(now)) } else { Some(now) }
    }

    /// What the sources of a section did that have not ended.
    pub(super) fn stats(&self, receiver: ReceiverId) -> impl Iterator<Item = (u32, FrameStats)> + '_ {
        let slots = self.by_receiver.get(&receiver).into_iter().flatten();
        slots
            .filter_map(|slot| self.source(*slot))
            .filter(|source| source.end == End::No)
            .map(|source| (source.ssrc, source.frames.stats()))
    }

    /// What all sources dropped, also those that are gone.
    pub(super) fn drops(&self) -> FrameDrops {
        self.slots.iter().flatten().fold(self.gone, |drops, source| drops.and(source.frames.stats()))
    }

    fn source(&self, slot: usize) -> Option<&Source> {
        self.slots.get(slot)?.as_ref()
    }

    /// Sees to it that the source is looked at when it has something to tell.
    fn schedule(&mut self, slot: usize) {
        let seen = self.now.seen();
        let due = self.source(slot).zip(seen).and_then(|(source, now)| source.frames.poll_timeout(now));
        if due.zip(seen).is_some_and(|(due, now)| due <= now) {
            self.deadlines.set(slot, None);
            self.ready.push(slot);
        } else {
            self.deadlines.set(slot, due);
            if due.is_none() && self.source(slot).is_some_and(|source| source.end != End::No) {
                self.ready.push(slot);
            }
        }
    }

    fn remove(&mut self, slot: usize) {
        let Some(source) = self.slots.get_mut(slot).and_then(Option::take) else { return };
        self.deadlines.set(slot, None);
        self.free.push(slot);
        self.gone = self.gone.and(source.frames.stats());
        if let Some(of_receiver) = self.by_receiver.get_mut(&source.receiver) {
            of_receiver.retain(|known| *known != slot);
            if of_receiver.is_empty() {
                self.by_receiver.remove(&source.receiver);
            }
        }
    }
}
