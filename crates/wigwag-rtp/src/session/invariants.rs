//! What must hold of a session at all times.

use super::Session;
use crate::stream::send::Sender;

impl Session {
    /// What must hold after each call, whatever was put in.
    pub(super) fn invariants(&self) {
        if !cfg!(debug_assertions) {
            return;
        }
        let queued: usize = self.senders.values().map(|sender| sender.queued_packets).sum();
        debug_assert_eq!(queued, self.queue.len(), "each queued packet is charged to its sender");
        debug_assert_eq!(self.senders.len(), self.by_ssrc.len(), "each sender has its source");
        debug_assert!(
            self.by_rtx_ssrc.iter().all(|(ssrc, id)| {
                self.senders.get(id).and_then(|sender| sender.config.rtx.as_ref()).is_some_and(|rtx| rtx.ssrc == *ssrc)
            }),
            "no stream of retransmissions outlives its sender"
        );
        let is_reported = |sender: &&Sender| sender.config.is_reported();
        debug_assert_eq!(self.senders.values().filter(is_reported).count(), self.reported_senders, "none is forgotten");
        debug_assert!(
            self.unreported.is_empty()
                || self.timers.report.is_armed()
                || !self.owed.sender_reports.is_empty()
                || !self.owed.blocks.is_empty(),
            "what is to be reported will be"
        );
        debug_assert!(self.senders.values().all(|sender| self.wishes.are_those_of(sender)), "what is wanted is told");
        for stream in self.streams.iter() {
            let is_owed = stream.missing.is_owed();
            debug_assert_eq!(is_owed, self.owed.nacks.contains(stream.ssrc), "a NACK that is owed is polled");
            debug_assert!(
                stream.missing.deadline().is_none() || self.timers.nack.is_armed(),
                "a missing packet is asked for"
            );
            debug_assert_eq!(
                !stream.missing.is_empty(),
                self.streams.incomplete.contains(stream.ssrc),
                "what misses packets is looked at"
            );
            debug_assert!(
                stream.key_frame.deadline().is_none() || self.streams.wanting.contains(stream.ssrc),
                "what wants a key frame is looked at"
            );
            debug_assert!(
                stream.key_frame.deadline().is_none() || self.timers.key_frame.is_armed(),
                "a key frame is asked for"
            );
        }
        debug_assert!(self.streams.is_consistent(), "no layer outlives its source");
        debug_assert!(
            self.streams.awaited.iter().all(|id| self.sections.receiver(*id).is_some()),
            "only sections that exist wait for a key frame"
        );
        debug_assert!(
            self.arrivals.is_empty() || self.owed.transport_feedback || self.timers.transport_feedback.is_armed(),
            "arrivals are reported"
        );
        debug_assert!(
            self.stream_arrivals.is_empty()
                || self.owed.congestion_feedback
                || self.timers.congestion_feedback.is_armed(),
            "arrivals are reported by their streams, too"
        );
        debug_assert!(self.stream_arrivals.is_consistent(), "arrivals are counted, and those untold wait");
    }
}
