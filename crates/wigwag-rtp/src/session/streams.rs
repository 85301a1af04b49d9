//! The sources that the peer sends, and which of them wait for something.

use super::sources::Sources;
use crate::event::ReceiverId;
use crate::stream::receive::ReceiveStream;
use crate::stream::sequence::LATE_MAX;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// So many sources a session takes: ten times the streams of the largest conferences.
pub(super) const SOURCES_MAX: usize = super::STREAMS_MAX;
/// A source that was silent for so long makes room for another.
const SILENCE: Duration = Duration::from_secs(10);

/// So many ends are remembered; a conference that is left at once has hardly more streams.
pub(super) const ENDS_MAX: usize = 64;
/// So long after the end of a source its packets may come late.
const STRAGGLING: Duration = Duration::from_secs(2);

/// A source that ended, so that what comes late of it does not begin another.
#[derive(Debug)]
struct End {
    ssrc: u32,
    highest: u16,
    until: Instant,
    /// As long as there is the section.
    former: Option<Former>,
}

/// What a source was that ended. If it comes back, it is that again: a peer names no more what was reported on.
#[derive(Clone, Debug)]
pub(super) struct Former {
    pub(super) receiver: ReceiverId,
    pub(super) rid: Option<Arc<str>>,
    repaired_by: Option<u32>,
}

/// The sources that the peer sends.
#[derive(Debug, Default)]
pub(super) struct Streams {
    by_ssrc: BTreeMap<u32, ReceiveStream>,
    by_receiver: BTreeSet<(ReceiverId, u32)>,
    /// The source that is a layer of simulcast: the last that has named it.
    by_layer: BTreeMap<(ReceiverId, Arc<str>), u32>,
    /// What a source sends again, as its packets have told (RFC 8852); each source is sent again by one.
    by_rtx: BTreeMap<u32, u32>,
    /// How many full intra requests all of them were sent, modulo 256: more than any one of them.
    pub(super) intra_requests: u8,
    /// Those of which packets are missing.
    pub(super) incomplete: Sources,
    /// Those for which a key frame is wanted, but not yet.
    pub(super) wanting: Sources,
    /// The media sections for which a key frame is wanted and of which no source is known.
    pub(super) awaited: BTreeSet<ReceiverId>,
    /// As long as there are too many, none of them is silent for long enough before that time.
    full_until: Option<Instant>,
    /// The last that ended.
    ends: VecDeque<End>,
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

    /// The first of those of a media section, from this number on.
    pub(super) fn first_of(&self, receiver: ReceiverId, from: u32) -> Option<u32> {
        self.by_receiver.range((receiver, from)..=(receiver, u32::MAX)).next().map(|(_, ssrc)| *ssrc)
    }

    /// A source of this media section, which begins with this packet if it was not there.
    pub(super) fn enter(&mut self, receiver: ReceiverId, ssrc: u32, first: u16, now: Instant) -> &mut ReceiveStream {
        let stream = self.by_ssrc.entry(ssrc).or_insert_with(|| {
            self.by_receiver.insert((receiver, ssrc));
            ReceiveStream::new(receiver, ssrc, first, now)
        });
        if stream.receiver != receiver {
            forget_layer(&mut self.by_layer, stream);
            self.by_receiver.remove(&(stream.receiver, ssrc));
            self.by_receiver.insert((receiver, ssrc));
            stream.receiver = receiver;
        }
        stream
    }

    /// The source is this layer of its section, and no other is any more.
    pub(super) fn name_layer(&mut self, ssrc: u32, rid: &Arc<str>) {
        let Some(stream) = self.by_ssrc.get_mut(&ssrc).filter(|stream| stream.rid.as_ref() != Some(rid)) else {
            return;
        };
        forget_layer(&mut self.by_layer, stream);
        stream.rid = Some(Arc::clone(rid));
        let before = self.by_layer.insert((stream.receiver, Arc::clone(rid)), ssrc);
        before.and_then(|before| self.by_ssrc.get_mut(&before)).into_iter().for_each(|before| before.rid = None);
    }

    /// Of the layers of a section there are only these any more.
    pub(super) fn keep_layers(&mut self, receiver: ReceiverId, rids: &[Arc<str>]) {
        let range = (receiver, u32::MIN)..=(receiver, u32::MAX);
        for (_, ssrc) in self.by_receiver.range(range) {
            let is_gone = |stream: &&mut ReceiveStream| stream.rid.as_ref().is_some_and(|rid| !rids.contains(rid));
            let gone = self.by_ssrc.get_mut(ssrc).filter(is_gone);
            gone.into_iter().for_each(|stream| forget_layer(&mut self.by_layer, stream));
        }
        let formers = self.ends.iter_mut().filter_map(|end| end.former.as_mut());
        for former in formers.filter(|former| former.receiver == receiver) {
            former.rid = former.rid.take().filter(|rid| rids.contains(rid));
        }
    }

    /// What a source was that ended.
    pub(super) fn former(&self, ssrc: u32) -> Option<&Former> {
        self.ends.iter().find(|end| end.ssrc == ssrc)?.former.as_ref()
    }

    /// A source that comes back is what it was.
    pub(super) fn come_back(&mut self, ssrc: u32, former: Former) {
        if self.by_ssrc.get(&ssrc).is_none_or(|stream| stream.receiver != former.receiver) {
            return;
        }
        let is_taken = |rid: &Arc<str>| self.by_layer.contains_key(&(former.receiver, Arc::clone(rid)));
        former.rid.filter(|rid| !is_taken(rid)).into_iter().for_each(|rid| self.name_layer(ssrc, &rid));
        let free = former.repaired_by.filter(|rtx| !self.by_rtx.contains_key(rtx));
        free.into_iter().for_each(|rtx| self.repairs(rtx, ssrc));
    }

    /// There is no such section any more.
    pub(super) fn forget_section(&mut self, receiver: ReceiverId) {
        self.awaited.remove(&receiver);
        for end in &mut self.ends {
            end.former = end.former.take().filter(|former| former.receiver != receiver);
        }
    }

    /// The source that is a layer of a section.
    pub(super) fn layer(&self, receiver: ReceiverId, rid: &Arc<str>) -> Option<u32> {
        self.by_layer.get(&(receiver, Arc::clone(rid))).copied()
    }

    /// What a source sends again is that other one, and nothing else sends that again.
    pub(super) fn repairs(&mut self, rtx_ssrc: u32, ssrc: u32) {
        let Some(stream) = self.by_ssrc.get_mut(&ssrc) else { return };
        if stream.repaired_by == Some(rtx_ssrc) {
            return;
        }
        stream.repaired_by.replace(rtx_ssrc).into_iter().for_each(|before| _ = self.by_rtx.remove(&before));
        let other = self.by_rtx.insert(rtx_ssrc, ssrc).and_then(|other| self.by_ssrc.get_mut(&other));
        other.into_iter().for_each(|other| other.repaired_by = None);
    }

    /// What a source sends again, if that was told.
    pub(super) fn repaired(&self, rtx_ssrc: u32) -> Option<u32> {
        self.by_rtx.get(&rtx_ssrc).copied()
    }

    /// The source belongs to this media section from now on. Whether there is such a source.
    pub(super) fn move_to(&mut self, receiver: ReceiverId, ssrc: u32) -> bool {
        let Some(stream) = self.by_ssrc.get_mut(&ssrc) else { return false };
        if stream.receiver != receiver {
            forget_layer(&mut self.by_layer, stream);
        }
        self.by_receiver.remove(&(stream.receiver, ssrc));
        self.by_receiver.insert((receiver, ssrc));
        stream.receiver = receiver;
        true
    }

    /// The source has ended, as the peer says.
    // RFC 3550 §6.2.1: "some straggler data packets might arrive after the BYE and cause the entry to be recreated": it is to be
    // marked, and deleted some time later.
    pub(super) fn end(&mut self, ssrc: u32, now: Instant) {
        if let (Some(stream), Some(until)) = (self.by_ssrc.get(&ssrc), now.checked_add(STRAGGLING)) {
            let highest = stream.sequences.highest() as u16;
            let former = Former { receiver: stream.receiver, rid: stream.rid.clone(), repaired_by: stream.repaired_by };
            self.remember(End { ssrc, highest, until, former: Some(former) }, now);
        }
    }

    fn remember(&mut self, end: End, now: Instant) {
        self.ends.retain(|known| known.ssrc != end.ssrc && (known.former.is_some() || now < known.until));
        if self.ends.len() >= ENDS_MAX {
            self.ends.pop_front();
        }
        self.ends.push_back(end);
    }

    /// The sources that are layers of a section, and those that were when they ended.
    pub(super) fn layers(&self, receiver: ReceiverId) -> impl Iterator<Item = (u32, &Arc<str>)> {
        let live = self.of(receiver).filter_map(|stream| Some((stream.ssrc, stream.rid.as_ref()?)));
        let ended = self.ends.iter().filter(move |end| !self.by_ssrc.contains_key(&end.ssrc));
        let ended = ended.filter_map(|end| Some((end.ssrc, end.former.as_ref()?)));
        let ended = ended.filter(move |(_, former)| former.receiver == receiver);
        live.chain(ended.filter_map(|(ssrc, former)| Some((ssrc, former.rid.as_ref()?))))
    }

    /// If there is no such source, it is this layer when it comes.
    pub(super) fn expect_layer(&mut self, receiver: ReceiverId, ssrc: u32, rid: Arc<str>, now: Instant) {
        if !self.by_ssrc.contains_key(&ssrc) {
            let former = Former { receiver, rid: Some(rid), repaired_by: None };
            // Nothing of it is late: it was not taken.
            self.remember(End { ssrc, highest: 0, until: now, former: Some(former) }, now);
        }
    }

    /// Whether a packet was sent before one that had come when its source ended; who goes on or begins anew is none.
    pub(super) fn is_straggler(&self, ssrc: u32, sequence: u16, now: Instant) -> bool {
        let end = self.ends.iter().find(|end| end.ssrc == ssrc && now < end.until);
        end.is_some_and(|end| u64::from(end.highest.wrapping_sub(sequence)) < LATE_MAX)
    }

    /// Whether what is known of layers and of what is sent again fits the sources.
    pub(super) fn is_consistent(&self) -> bool {
        let layer = |((receiver, rid), ssrc): (&(ReceiverId, Arc<str>), &u32)| {
            self.by_ssrc
                .get(ssrc)
                .is_some_and(|stream| stream.receiver == *receiver && stream.rid.as_ref() == Some(rid))
        };
        let rtx =
            |(rtx, ssrc): (&u32, &u32)| self.by_ssrc.get(ssrc).is_some_and(|stream| stream.repaired_by == Some(*rtx));
        let named = self.by_ssrc.values().filter(|stream| stream.rid.is_some()).count();
        self.by_layer.iter().all(layer) && named == self.by_layer.len() && self.by_rtx.iter().all(rtx)
    }

    /// How many ends are remembered.
    pub(super) fn ends_len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn remove(&mut self, ssrc: u32) {
        if let Some(mut stream) = self.by_ssrc.remove(&ssrc) {
            forget_layer(&mut self.by_layer, &mut stream);
            stream.repaired_by.into_iter().for_each(|rtx| _ = self.by_rtx.remove(&rtx));
            self.by_receiver.remove(&(stream.receiver, ssrc));
        }
        self.incomplete.remove(ssrc);
        self.wanting.remove(ssrc);
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

/// The stream is no layer any more.
fn forget_layer(by_layer: &mut BTreeMap<(ReceiverId, Arc<str>), u32>, stream: &mut ReceiveStream) {
    let Some(layer) = stream.rid.take().map(|rid| (stream.receiver, rid)) else { return };
    if by_layer.get(&layer) == Some(&stream.ssrc) {
        by_layer.remove(&layer);
    }
}
