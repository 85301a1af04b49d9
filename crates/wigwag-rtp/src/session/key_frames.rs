//! Key frames that the peer is asked for, or asks for (RFC 4585 §6.3.1, RFC 5104 §4.3.1).

use super::{Session, Sources, sooner};
use crate::event::{Event, ReceiverId, SenderId};
use crate::stream::send::Sender;
use std::sync::Arc;
use std::time::Instant;
use wigwag_sansio::Timer;

/// Sources of ours for which the peer wants a key frame, which is not told yet.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    sources: Sources,
    timer: Timer,
}

impl Wishes {
    pub(super) fn prepare(&mut self, senders: usize) {
        self.sources.prepare(senders);
    }

    pub(super) fn remove(&mut self, ssrc: u32) {
        self.sources.remove(ssrc);
    }

    pub(super) const fn timer(&self) -> &Timer {
        &self.timer
    }

    /// Whether what is wanted of the sender will be told.
    pub(super) fn are_those_of(&self, sender: &Sender) -> bool {
        let is_told = self.sources.contains(sender.config.ssrc) && self.timer.is_armed();
        is_told || sender.key_frame.deadline().is_none()
    }
}

impl Session {
    /// Asks the peer for a key frame on all sources of a media section (PLI, or else FIR), if either was negotiated. If none is known
    /// yet, the first one is asked when its first packet comes.
    pub fn request_key_frame(&mut self, id: ReceiverId) {
        if !self.sections.receiver(id).is_some_and(|section| section.pli || section.fir) {
            return;
        }
        let mut next = self.streams.first_of(id, 0);
        if next.is_none() {
            self.streams.awaited.insert(id);
        }
        while let Some(ssrc) = next {
            self.want_key_frame(ssrc);
            next = ssrc.checked_add(1).and_then(|from| self.streams.first_of(id, from));
        }
        self.invariants();
    }

    /// Asks the peer for a key frame on a layer of simulcast, likewise, if its source is known.
    pub fn request_key_frame_of_layer(&mut self, id: ReceiverId, rid: &str) {
        // The names of layers are the section's: none is made anew for each call.
        let section = self.sections.receiver(id);
        let known = section.and_then(|section| section.rids.iter().find(|known| ***known == *rid));
        let ssrc = known.and_then(|known| self.streams.layer(id, known));
        ssrc.into_iter().for_each(|ssrc| self.request_key_frame_of(ssrc));
    }

    /// The layer of simulcast that a source of the peer's is, if its packets have told.
    pub fn rid(&self, ssrc: u32) -> Option<&str> {
        self.streams.get(ssrc)?.rid.as_deref()
    }

    /// The sources of a media section that are layers of simulcast, also those that have ended: a peer that names them no more may go on
    /// with them in a section that is [expected](Self::expect_layer) in the place of this one.
    pub fn layers(&self, id: ReceiverId) -> Vec<(u32, Arc<str>)> {
        self.streams.layers(id).map(|(ssrc, rid)| (ssrc, Arc::clone(rid))).collect()
    }

    /// A source of a media section is this layer when it comes, if its packets tell nothing else.
    pub fn expect_layer(&mut self, id: ReceiverId, ssrc: u32, rid: Arc<str>) {
        let is_layer = self.sections.receiver(id).is_some_and(|section| section.rids.contains(&rid));
        if let Some(now) = self.now.seen().filter(|_| is_layer) {
            self.streams.expect_layer(id, ssrc, rid, now);
        }
        self.invariants();
    }

    /// Asks the peer for a key frame on one source, likewise.
    pub fn request_key_frame_of(&mut self, ssrc: u32) {
        let section = self.streams.get(ssrc).and_then(|stream| self.sections.receiver(stream.receiver));
        if section.is_some_and(|section| section.pli || section.fir) {
            self.want_key_frame(ssrc);
        }
        self.invariants();
    }

    /// A media section has this source now; if it has waited for one, its key frame is asked for.
    pub(super) fn ask_if_awaited(&mut self, id: ReceiverId, ssrc: u32) {
        if self.streams.awaited.remove(&id) {
            self.request_key_frame_of(ssrc);
        }
    }

    pub(super) fn want_key_frame(&mut self, ssrc: u32) {
        self.stats.visits += 1;
        let seen = self.now.seen();
        let Some(stream) = self.streams.get_mut(ssrc) else { return };
        match stream.key_frame.want(seen) {
            None => {
                self.owed.key_frames.insert(ssrc);
            }
            Some(at) => {
                self.streams.wanting.insert(ssrc);
                sooner(&mut self.timers.key_frame, at);
            }
        }
    }
    /// A stream of ours needs a key frame. Its encoder is told so now, or when it has had time for the one before: a viewer who asks again and
    /// again would have all others look at key frames alone.
    pub(super) fn tell_of_key_frame(&mut self, id: SenderId, now: Instant) {
        let Some(sender) = self.senders.get_mut(&id) else { return };
        match sender.key_frame.want(Some(now)) {
            None => self.push_key_frame_event(id, now),
            Some(at) => {
                self.wishes.sources.insert(sender.config.ssrc);
                sooner(&mut self.wishes.timer, at);
            }
        }
    }

    /// Some have had time enough.
    pub(super) fn tell_of_key_frames(&mut self, now: Instant) {
        let mut last = None;
        if !self.wishes.timer.expire(now) {
            return;
        }
        while let Some(ssrc) = self.wishes.sources.after(last) {
            last = Some(ssrc);
            self.stats.visits += 1;
            let id = self.by_ssrc.get(&ssrc).copied();
            let wish = id.and_then(|id| self.senders.get_mut(&id)).map(|sender| &mut sender.key_frame);
            let (is_due, next) = wish.map_or((false, None), |wish| (wish.expire(now), wish.deadline()));
            match next.filter(|_| !is_due) {
                Some(at) => sooner(&mut self.wishes.timer, at),
                None => self.wishes.sources.remove(ssrc),
            }
            if let Some(id) = id.filter(|_| is_due) {
                self.push_key_frame_event(id, now);
            }
        }
    }

    fn push_key_frame_event(&mut self, id: SenderId, now: Instant) {
        let Some(sender) = self.senders.get_mut(&id) else { return };
        sender.key_frame.asked(now);
        if !std::mem::replace(&mut sender.is_key_frame_event_owed, true) {
            self.stats.dropped_events += self.events.push(Event::KeyFrameRequested { sender: id });
        }
    }
}
