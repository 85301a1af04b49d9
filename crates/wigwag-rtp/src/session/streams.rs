//! The sources that the peer sends, and which of them wait for something.

use super::sources::Sources;
use crate::event::ReceiverId;
use crate::stream::receive::ReceiveStream;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// So many sources a session takes: ten times the streams of the largest conferences.
pub(super) const SOURCES_MAX: usize = super::STREAMS_MAX;
/// A source that was silent for so long makes room for another.
const SILENCE: Duration = Duration::from_secs(10);

/// The sources that the peer sends.
#[derive(Debug, Default)]
pub(super) struct Streams {
    by_ssrc: BTreeMap<u32, ReceiveStream>,
    by_receiver: BTreeSet<(ReceiverId, u32)>,
    /// Those of which packets are missing.
    pub(super) incomplete: Sources,
    /// Those for which a key frame is wanted, but not yet.
    pub(super) wanting: BTreeSet<u32>,
    /// The media sections for which a key frame is wanted and of which no source is known.
    pub(super) awaited: BTreeSet<ReceiverId>,
    /// As long as there are too many, none of them is silent for long enough before that time.
    full_until: Option<Instant>,
}

/// Whether there is room for one more source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    Free,
    /// If this one goes, which has been silent for long enough.
    Instead(u32),
    Full,
}

impl Streams {
    pub(super) fn len(&self) -> usize {
        self.by_ssrc.len()
    }

    pub(super) fn get(&self, ssrc: u32) -> Option<&ReceiveStream> {
        self.by_ssrc.get(&ssrc)
    }

    pub(super) fn get_mut(&mut self, ssrc: u32) -> Option<&mut ReceiveStream> {
        self.by_ssrc.get_mut(&ssrc)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &ReceiveStream> {
        self.by_ssrc.values()
    }

    /// Any of them.
    pub(super) fn first(&self) -> Option<u32> {
        self.by_ssrc.keys().next().copied()
    }

    /// Those of a media section.
    pub(super) fn of(&self, receiver: ReceiverId) -> impl Iterator<Item = &ReceiveStream> {
        let range = (receiver, u32::MIN)..=(receiver, u32::MAX);
        self.by_receiver.range(range).filter_map(|(_, ssrc)| self.by_ssrc.get(ssrc))
    }

    /// A source of this media section, which begins with this packet if it was not there.
    pub(super) fn enter(&mut self, receiver: ReceiverId, ssrc: u32, first: u16, now: Instant) -> &mut ReceiveStream {
        let stream = self.by_ssrc.entry(ssrc).or_insert_with(|| {
            self.by_receiver.insert((receiver, ssrc));
            ReceiveStream::new(receiver, ssrc, first, now)
        });
        if stream.receiver != receiver {
            self.by_receiver.remove(&(stream.receiver, ssrc));
            self.by_receiver.insert((receiver, ssrc));
            stream.receiver = receiver;
        }
        stream
    }

    /// The source belongs to this media section from now on. Whether there is such a source.
    pub(super) fn move_to(&mut self, receiver: ReceiverId, ssrc: u32) -> bool {
        let Some(stream) = self.by_ssrc.get_mut(&ssrc) else { return false };
        self.by_receiver.remove(&(stream.receiver, ssrc));
        self.by_receiver.insert((receiver, ssrc));
        stream.receiver = receiver;
        true
    }

    pub(super) fn remove(&mut self, ssrc: u32) {
        if let Some(stream) = self.by_ssrc.remove(&ssrc) {
            self.by_receiver.remove(&(stream.receiver, ssrc));
        }
        self.incomplete.remove(ssrc);
        self.wanting.remove(&ssrc);
    }

    /// Whether one more finds room. That none is silent is found out once, not by each packet of a flood.
    pub(super) fn room(&mut self, now: Instant) -> Room {
        if self.by_ssrc.len() < SOURCES_MAX {
            return Room::Free;
        }
        if self.full_until.is_some_and(|until| now < until) {
            return Room::Full;
        }
        let Some(quietest) = self.by_ssrc.values().min_by_key(|stream| stream.last_arrival) else { return Room::Free };
        let until = quietest.last_arrival.checked_add(SILENCE);
        if until.is_some_and(|until| until <= now) {
            return Room::Instead(quietest.ssrc);
        }
        self.full_until = until;
        Room::Full
    }
}
