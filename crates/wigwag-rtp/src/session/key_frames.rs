//! Key frames that the peer is asked for (RFC 4585 §6.3.1, RFC 5104 §4.3.1).

use super::{Session, sooner};
use crate::event::ReceiverId;
use std::sync::Arc;

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
}
