//! RTCP as it leaves and as it arrives.

use super::book::index_of;
use super::party::Party;
use std::time::Instant;
use wigwag_rtp::rtcp::{Compound, Message, ReportBlock};

impl Party {
    /// What is about to leave is true.
    pub(super) fn check_rtcp(&mut self, compound: &[u8], now: Instant) {
        let messages: Vec<_> = Compound::new(compound).map(|message| message.expect("whole")).collect();
        let is_report =
            |message: &Message<'_>| matches!(message, Message::SenderReport(_) | Message::ReceiverReport(_));
        let has_name = messages.iter().any(|message| matches!(message, Message::SourceDescription(_)));
        assert!(
            self.is_reduced || (is_report(&messages[0]) && has_name),
            "a report comes first, and a name: {messages:?}"
        );
        assert!(!messages[1..].iter().any(is_report), "one report");
        for message in messages {
            match message {
                Message::SenderReport(report) => {
                    self.reports_sent.insert((report.info.ntp_time >> 16) as u32, now);
                    self.check_blocks(report.blocks(), now);
                    let (packets, bytes) = self.sent_of(report.ssrc);
                    assert_eq!((u64::from(report.info.packets), u64::from(report.info.bytes)), (packets, bytes));
                }
                Message::ReceiverReport(report) => self.check_blocks(report.blocks(), now),
                Message::Nack(nack) => {
                    let highest = self.incoming[&nack.media_ssrc].book.highest;
                    for sequence in nack.pairs().flat_map(wigwag_rtp::rtcp::NackPair::sequences) {
                        let index = index_of(highest, sequence);
                        assert!(index < highest && !self.has_arrived(nack.media_ssrc, index), "{index} is not missing");
                    }
                }
                _ => {}
            }
        }
    }

    fn check_blocks(&mut self, blocks: impl Iterator<Item = ReportBlock>, now: Instant) {
        for block in blocks {
            self.incoming.get_mut(&block.ssrc).expect("it was heard").book.check(&block, now);
        }
    }

    /// What arrives is taken as it was meant.
    pub(super) fn take_rtcp(&mut self, compound: &[u8], now: Instant) {
        let mut round_trip = None;
        for message in Compound::new(compound) {
            match message.expect("whole") {
                Message::SenderReport(report) => {
                    if let Some(incoming) = self.incoming.get_mut(&report.ssrc) {
                        incoming.book.report = Some((report.info, now));
                    }
                    report.blocks().for_each(|block| round_trip = self.round_trip(&block, now).or(round_trip));
                }
                Message::ReceiverReport(report) => {
                    report.blocks().for_each(|block| round_trip = self.round_trip(&block, now).or(round_trip));
                }
                _ => {}
            }
        }
        self.session.handle_rtcp(compound, now);
        if let Some(truth) = round_trip {
            let measured = self.session.stats().round_trip_time.expect("measured").as_secs_f64();
            assert!((measured - truth).abs() < 3.0 / 65_536.0, "round trip of {measured}, not {truth}");
        }
    }

    /// By when the report left that the block names.
    fn round_trip(&self, block: &ReportBlock, now: Instant) -> Option<f64> {
        let sent = self.reports_sent.get(&block.last_sender_report)?;
        Some((now - *sent).as_secs_f64() - f64::from(block.delay_since_last_sender_report) / 65_536.0)
    }
}
