//! Sender and receiver reports (RFC 3550 §6.4).

use super::{HEADER_LEN, RECEIVER_REPORT, SENDER_REPORT, write_header};
use crate::DecodeError;
use crate::read::Reader;

/// What a receiver says of one source (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReportBlock {
    /// The source.
    pub ssrc: u32,
    /// The share lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Packets expected less packets received so far, 24 bits.
    pub lost: i32,
    /// The highest sequence number received, with the number of its circles before it.
    pub highest_sequence: u32,
    /// In ticks of the source's clock.
    pub jitter: u32,
    /// The middle 32 bits of the NTP time in the last sender report, or 0.
    pub last_sender_report: u32,
    /// Since that arrived, in 1/65,536 s, or 0.
    pub delay_since_last_sender_report: u32,
}

impl ReportBlock {
    pub(crate) const LEN: usize = 24;
    /// The count has five bits.
    pub(crate) const COUNT_MAX: usize = 31;

    fn parse(bytes: &[u8; Self::LEN]) -> Result<Self, DecodeError> {
        let mut reader = Reader(bytes);
        Ok(Self {
            ssrc: reader.u32()?,
            fraction_lost: reader.u8()?,
            // Sign-extended.
            lost: (reader.u24()? << 8) as i32 >> 8,
            highest_sequence: reader.u32()?,
            jitter: reader.u32()?,
            last_sender_report: reader.u32()?,
            delay_since_last_sender_report: reader.u32()?,
        })
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.ssrc.to_be_bytes());
        let lost = self.lost.clamp(-0x80_0000, 0x7f_ffff) as u32 & 0xff_ffff;
        out.extend_from_slice(&(u32::from(self.fraction_lost) << 24 | lost).to_be_bytes());
        out.extend_from_slice(&self.highest_sequence.to_be_bytes());
        out.extend_from_slice(&self.jitter.to_be_bytes());
        out.extend_from_slice(&self.last_sender_report.to_be_bytes());
        out.extend_from_slice(&self.delay_since_last_sender_report.to_be_bytes());
    }
}

fn blocks(bytes: &[u8]) -> impl Iterator<Item = ReportBlock> + '_ {
    bytes.as_chunks().0.iter().filter_map(|block| ReportBlock::parse(block).ok())
}

/// What a sender says of itself (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderInfo {
    /// Wall time: seconds since 1900 in the upper half, and their fractions.
    pub ntp_time: u64,
    /// The same time by the stream's clock.
    pub rtp_timestamp: u32,
    /// Packets sent.
    pub packets: u32,
    /// Bytes of payload sent.
    pub bytes: u32,
}

/// SR: what a source sent, and what it received.
#[derive(Clone, Copy, Debug)]
pub struct SenderReport<'a> {
    /// Who reports.
    pub ssrc: u32,
    /// What it sent.
    pub info: SenderInfo,
    blocks: &'a [u8],
}

impl<'a> SenderReport<'a> {
    /// Without report blocks.
    pub(crate) const LEN: usize = HEADER_LEN + 24;

    pub(super) fn parse(count: u8, mut body: Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            ssrc: body.u32()?,
            info: SenderInfo {
                ntp_time: body.u64()?,
                rtp_timestamp: body.u32()?,
                packets: body.u32()?,
                bytes: body.u32()?,
            },
            blocks: body.take(usize::from(count) * ReportBlock::LEN)?,
        })
    }

    /// What it received.
    pub fn blocks(&self) -> impl Iterator<Item = ReportBlock> + 'a {
        blocks(self.blocks)
    }

    /// Appends all but the `count` report blocks, which follow.
    pub(crate) fn write(ssrc: u32, info: SenderInfo, count: usize, out: &mut Vec<u8>) {
        write_header(SENDER_REPORT, count as u8, Self::LEN + count * ReportBlock::LEN, out);
        out.extend_from_slice(&ssrc.to_be_bytes());
        out.extend_from_slice(&info.ntp_time.to_be_bytes());
        out.extend_from_slice(&info.rtp_timestamp.to_be_bytes());
        out.extend_from_slice(&info.packets.to_be_bytes());
        out.extend_from_slice(&info.bytes.to_be_bytes());
    }
}

/// RR: what somebody received who sent nothing.
#[derive(Clone, Copy, Debug)]
pub struct ReceiverReport<'a> {
    /// Who reports.
    pub ssrc: u32,
    blocks: &'a [u8],
}

impl<'a> ReceiverReport<'a> {
    /// Without report blocks.
    pub(crate) const LEN: usize = HEADER_LEN + 4;

    pub(super) fn parse(count: u8, mut body: Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { ssrc: body.u32()?, blocks: body.take(usize::from(count) * ReportBlock::LEN)? })
    }

    /// What it received.
    pub fn blocks(&self) -> impl Iterator<Item = ReportBlock> + 'a {
        blocks(self.blocks)
    }

    /// Appends all but the `count` report blocks, which follow.
    pub(crate) fn write(ssrc: u32, count: usize, out: &mut Vec<u8>) {
        write_header(RECEIVER_REPORT, count as u8, Self::LEN + count * ReportBlock::LEN, out);
        out.extend_from_slice(&ssrc.to_be_bytes());
    }
}
