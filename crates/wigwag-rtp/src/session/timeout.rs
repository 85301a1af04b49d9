//! What becomes owed when its time has come. Only streams that wait for it are looked at.

use super::{Session, sooner};
use std::time::Instant;
use wigwag_sansio::earliest;

/// No more than so many are gone through as often as it pleases the peer.
const FEW_SOURCES: usize = 16;

impl Session {
    pub(super) fn owe_reports(&mut self) {
        self.stats.visits += (self.unreported.senders.len() + self.unreported.streams.len()) as u64;
        self.owed.sender_reports.append(&mut self.unreported.senders);
        self.owed.blocks.append(&mut self.unreported.streams);
    }

    pub(super) fn owe_nacks(&mut self, now: Instant) {
        let (mut next, mut last, mut sources) = (None, None, 0);
        while let Some(ssrc) = self.streams.incomplete.after(last) {
            last = Some(ssrc);
            sources += 1;
            self.stats.visits += 1;
            let Some(stream) = self.streams.get_mut(ssrc) else {
                self.streams.incomplete.remove(ssrc);
                continue;
            };
            let (given_up, looked_at) = stream.missing.expire(now);
            stream.stats.packets_given_up += given_up;
            self.stats.visits += looked_at;
            next = earliest([next, stream.missing.deadline()]);
            if stream.missing.is_owed() {
                self.owed.nacks.insert(ssrc);
            }
            if stream.missing.is_empty() {
                self.streams.incomplete.remove(ssrc);
            }
        }
        self.timers.many_nacks = (sources > FEW_SOURCES).then_some(now);
        if let Some(at) = next {
            self.timers.arm_nack(at);
        }
    }

    pub(super) fn owe_key_frames(&mut self, now: Instant) {
        let mut last = None;
        while let Some(ssrc) = self.streams.wanting.after(last) {
            last = Some(ssrc);
            self.stats.visits += 1;
            let key_frame = self.streams.get_mut(ssrc).map(|stream| &mut stream.key_frame);
            let (is_due, next) = key_frame.map_or((false, None), |wish| (wish.expire(now), wish.deadline()));
            match next.filter(|_| !is_due) {
                Some(at) => sooner(&mut self.timers.key_frame, at),
                None => self.streams.wanting.remove(ssrc),
            }
            if is_due {
                self.owed.key_frames.insert(ssrc);
            }
        }
    }
}
