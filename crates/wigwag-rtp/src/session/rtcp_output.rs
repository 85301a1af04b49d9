//! RTCP compounds, written when they are polled for (RFC 3550 §6.1, RFC 5506).

use super::Session;
use crate::event::SenderId;
use crate::rtcp::{
    FullIntraRequest, Goodbye, Nack, NackPair, PictureLoss, ReceiverReport, ReportBlock, SenderReport,
    SourceDescription,
};
use crate::time;
use std::time::Instant;

/// With what a compound begins.
#[derive(Clone, Copy)]
enum Lead {
    /// Streams that end have a compound of their own, in the name of this one.
    Goodbye(u32),
    SenderReport(SenderId),
    ReceiverReport,
    /// No report is owed, but feedback may not go without one.
    Empty,
    None,
}

/// A compound that is being written.
struct Compound<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    limit: usize,
}

impl Compound<'_> {
    fn room(&self) -> usize {
        self.limit.saturating_sub(self.len())
    }

    fn len(&self) -> usize {
        self.out.len() - self.start
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Session {
    pub(super) fn write_rtcp(&mut self, now: Instant, limit: usize, out: &mut Vec<u8>) -> bool {
        if self.owed.is_empty() {
            return false;
        }
        let start = out.len();
        let mut compound = Compound { out, start, limit };
        let lead = self.lead();
        self.write_lead(lead, now, &mut compound);
        let lead_len = compound.len();
        self.write_key_frame_requests(now, &mut compound);
        self.write_nacks(now, &mut compound);
        self.write_transport_feedback(&mut compound);
        self.write_congestion_feedback(now, &mut compound);
        if matches!(lead, Lead::Empty) && compound.len() == lead_len {
            // What is owed does not fit, and nobody wants an empty report.
            compound.out.truncate(start);
        }
        if compound.is_empty() {
            return false;
        }
        self.go_on_reporting();
        true
    }

    // RFC 3550 §6.1: "The first RTCP packet in the compound packet MUST always be a report packet"; RFC 5506 lifts that
    // where it was negotiated.
    fn lead(&self) -> Lead {
        if let Some(ssrc) = self.owed.goodbyes.front() {
            Lead::Goodbye(*ssrc)
        } else if let Some(id) = self.owed.sender_reports.front() {
            Lead::SenderReport(*id)
        } else if !self.owed.blocks.is_empty() {
            Lead::ReceiverReport
        } else if self.config.is_reduced_size {
            Lead::None
        } else {
            Lead::Empty
        }
    }

    /// A report and a canonical name, if there is room for both.
    fn write_lead(&mut self, lead: Lead, now: Instant, compound: &mut Compound<'_>) {
        let name_len = SourceDescription::len(&self.config.cname);
        let ssrc = match lead {
            Lead::None => return,
            Lead::SenderReport(id) => {
                let Some(room) = compound.room().checked_sub(SenderReport::LEN + name_len) else { return };
                self.owed.sender_reports.pop_front();
                let Some(sender) = self.senders.get_mut(&id) else { return };
                self.stats.visits += 1;
                sender.is_report_due = false;
                let (ssrc, info) = (sender.config.ssrc, sender.info(self.clock.ntp(now), now));
                let count = self.count_blocks(room);
                SenderReport::write(ssrc, info, count, compound.out);
                self.write_blocks(count, now, compound);
                ssrc
            }
            Lead::ReceiverReport | Lead::Empty => {
                let Some(room) = compound.room().checked_sub(ReceiverReport::LEN + name_len) else { return };
                let (ssrc, count) = (self.speaker(), self.count_blocks(room));
                if matches!(lead, Lead::ReceiverReport) && count == 0 {
                    return;
                }
                ReceiverReport::write(ssrc, count, compound.out);
                self.write_blocks(count, now, compound);
                ssrc
            }
            Lead::Goodbye(ssrc) => {
                if compound.room() < ReceiverReport::LEN + name_len + Goodbye::len(1) {
                    return;
                }
                ReceiverReport::write(ssrc, 0, compound.out);
                ssrc
            }
        };
        SourceDescription::write(ssrc, &self.config.cname, compound.out);
        if matches!(lead, Lead::Goodbye(_)) {
            let room = compound.room().saturating_sub(Goodbye::len(0)) / 4;
            let count = room.min(Goodbye::COUNT_MAX).min(self.owed.goodbyes.len());
            self.stats.visits += count as u64;
            Goodbye::write(self.owed.goodbyes.drain(..count), compound.out);
        }
    }

    /// How many of the owed report blocks fit.
    fn count_blocks(&self, room: usize) -> usize {
        (room / ReportBlock::LEN).min(ReportBlock::COUNT_MAX).min(self.owed.blocks.len())
    }

    fn write_blocks(&mut self, count: usize, now: Instant, compound: &mut Compound<'_>) {
        self.stats.visits += count as u64;
        for ssrc in self.owed.blocks.drain(..count) {
            let block = self.streams.get_mut(ssrc).map(|stream| stream.report(now)).unwrap_or_default();
            block.write(compound.out);
        }
    }

    /// Whether feedback may be written now: by itself only where that was negotiated.
    fn may_write_feedback(&self, compound: &Compound<'_>) -> bool {
        self.config.is_reduced_size || !compound.is_empty()
    }

    fn write_key_frame_requests(&mut self, now: Instant, compound: &mut Compound<'_>) {
        let sender_ssrc = self.speaker();
        // Whichever it will be.
        while self.may_write_feedback(compound)
            && compound.room() >= FullIntraRequest::LEN
            && let Some(media_ssrc) = self.owed.key_frames.pop_first()
        {
            self.stats.visits += 1;
            let intra_requests = self.streams.intra_requests;
            let Some(stream) = self.streams.get_mut(media_ssrc) else { continue };
            stream.key_frame.asked(now);
            // RFC 8834 §5.1.1 and §5.1.3: a picture that is lost is told as that; to start anew is asked for where nothing
            // else was negotiated.
            if self.sections.receiver(stream.receiver).is_some_and(|section| section.pli) {
                stream.stats.plis_sent += 1;
                PictureLoss { sender_ssrc, media_ssrc }.write(compound.out);
            } else {
                // RFC 5104 §4.3.1.1: "The sequence number SHALL be increased by 1 modulo 256 for each new command."
                let number = stream.next_intra_request.unwrap_or(intra_requests);
                stream.next_intra_request = Some(number.wrapping_add(1));
                // A source that begins anew begins behind all numbers that it had: what has the last one again would be a repetition.
                stream.stats.firs_sent += 1;
                self.streams.intra_requests = intra_requests.wrapping_add(1);
                FullIntraRequest::write(sender_ssrc, media_ssrc, number, compound.out);
            }
        }
    }

    fn write_nacks(&mut self, now: Instant, compound: &mut Compound<'_>) {
        let (sender_ssrc, round_trip) = (self.speaker(), self.round_trip());
        while self.may_write_feedback(compound)
            && compound.room() >= Nack::LEN + NackPair::LEN
            && let Some(media_ssrc) = self.owed.nacks.pop_first()
        {
            self.stats.visits += 1;
            let Some(stream) = self.streams.get_mut(media_ssrc) else { continue };
            let count_max = (compound.room() - Nack::LEN) / NackPair::LEN;
            stream.missing.ask(count_max, now, round_trip, &mut self.owed.pairs);
            Nack::write(sender_ssrc, media_ssrc, self.owed.pairs.iter().copied(), compound.out);
            stream.stats.nacks_sent += 1;
            if let Some(at) = stream.missing.deadline() {
                self.timers.arm_nack(at);
            }
            if stream.missing.is_owed() {
                self.owed.nacks.insert(media_ssrc);
                return;
            }
        }
    }

    fn write_transport_feedback(&mut self, compound: &mut Compound<'_>) {
        if !self.owed.transport_feedback || !self.may_write_feedback(compound) {
            return;
        }
        let media_ssrc = self.streams.first().unwrap_or_default();
        let room = compound.room();
        if self.arrivals.write(self.speaker(), media_ssrc, room, compound.out) {
            self.stats.transport_feedbacks_sent += 1;
            self.owed.transport_feedback = !self.arrivals.is_empty();
        }
    }

    // RFC 8888 §3.1: the report's timestamp is of the clock of sender reports.
    fn write_congestion_feedback(&mut self, now: Instant, compound: &mut Compound<'_>) {
        if !self.owed.congestion_feedback || !self.may_write_feedback(compound) {
            return;
        }
        let time = (self.clock.elapsed(now), time::middle(self.clock.ntp(now)));
        let room = compound.room();
        if self.stream_arrivals.write(self.speaker(), time, room, compound.out) {
            self.stats.congestion_feedbacks_sent += 1;
            self.owed.congestion_feedback = !self.stream_arrivals.is_empty();
        }
    }

    /// Who speaks for the session: any stream of ours, or nobody in particular.
    fn speaker(&self) -> u32 {
        self.senders.values().next().map_or(self.own_ssrc, |sender| sender.config.ssrc)
    }
}
