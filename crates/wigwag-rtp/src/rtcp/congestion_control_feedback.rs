//! Congestion control feedback: which packets of each stream arrived, when, and with what mark (RFC 8888 §3.1).

use super::{HEADER_LEN, TRANSPORT_FEEDBACK, write_header};
use crate::DecodeError;
use crate::read::Reader;
use wigwag_sansio::Ecn;

pub(super) const FORMAT: u8 = 11;

// RFC 8888 §3.1: "Each report block MUST NOT include more than 16384 packet metric blocks (i.e., it MUST NOT report on more than one
// quarter of the sequence number space in a single report)."
const METRICS_MAX: u16 = 16_384;
/// What is measured in ticks is told in no more of them.
const TICKS_MAX: u16 = 0x1ffd;
const OVER_RANGE: u16 = 0x1ffe;
const UNAVAILABLE: u16 = 0x1fff;
const RECEIVED: u16 = 0x8000;
/// Before the metrics of a stream: its source, its first number and how many there are.
const BLOCK_LEN: usize = 8;
const TIMESTAMP_LEN: usize = 4;
const METRIC_LEN: usize = 2;

/// How many of the timestamp's units, 1/65,536 s, are in a tick of an offset, 1/1024 s.
pub(crate) const TICK: u32 = 64;

/// Which packets arrived, when, and with what mark.
#[derive(Clone, Copy, Debug)]
pub struct CongestionControlFeedback<'a> {
    /// Who received them.
    pub sender_ssrc: u32,
    /// The instant before which the offsets lie: the middle 32 bits of an NTP time, in 1/65,536 s, by the clock of the receiver's sender
    /// reports.
    pub report_timestamp: u32,
    blocks: Reader<'a>,
}

/// What is said of one stream.
#[derive(Clone, Copy, Debug)]
pub struct StreamFeedback<'a> {
    /// Its source.
    pub ssrc: u32,
    /// The number of the first packet spoken of.
    pub begin: u16,
    metrics: &'a [u8],
}

/// What is said of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketMetric {
    /// Its sequence number.
    pub sequence: u16,
    /// `None`: it has not arrived yet.
    pub reception: Option<Reception>,
}

/// How a packet arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reception {
    /// What the network said of its congestion; not ECN-capable also where that is not looked at.
    pub ecn: Ecn,
    /// When it arrived.
    pub offset: ArrivalTimeOffset,
}

/// When a packet arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArrivalTimeOffset {
    /// So long before the report's timestamp, in 1/1024 s; 8,189 at most.
    Ticks(u16),
    /// Longer ago than that can say.
    OverRange,
    /// It is not known, or after the report's timestamp.
    Unavailable,
}

impl ArrivalTimeOffset {
    // RFC 8888 §3.1: "If the measured value is greater than 8189/1024 seconds (the value that would be coded as 0x1FFD), the value 0x1FFE
    // MUST be reported to indicate an over-range measurement. If the measurement is unavailable or if the arrival time of the RTP packet
    // is after the time represented by the RTS field, then an ATO value of 0x1FFF MUST be reported for the packet."
    /// So long before the timestamp, in its units, to the nearest tick.
    pub(crate) fn before(units: u32) -> Self {
        if units > u32::from(TICKS_MAX) * TICK {
            return Self::OverRange;
        }
        u16::try_from((units + TICK / 2) / TICK).map_or(Self::OverRange, Self::Ticks)
    }

    const fn from_bits(bits: u16) -> Self {
        match bits & 0x1fff {
            OVER_RANGE => Self::OverRange,
            UNAVAILABLE => Self::Unavailable,
            ticks => Self::Ticks(ticks),
        }
    }

    const fn bits(self) -> u16 {
        match self {
            Self::Ticks(ticks) if ticks <= TICKS_MAX => ticks,
            Self::Ticks(_) | Self::OverRange => OVER_RANGE,
            Self::Unavailable => UNAVAILABLE,
        }
    }
}

impl Reception {
    /// Of what has not arrived the other bits mean nothing.
    fn from_bits(bits: u16) -> Option<Self> {
        let ecn = Ecn::from_bits((bits >> 13) as u8);
        (bits & RECEIVED != 0).then_some(Self { ecn, offset: ArrivalTimeOffset::from_bits(bits) })
    }

    fn bits(self) -> u16 {
        RECEIVED | u16::from(self.ecn.bits()) << 13 | self.offset.bits()
    }
}

impl<'a> StreamFeedback<'a> {
    fn parse(body: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let (ssrc, begin, count) = (body.u32()?, body.u16()?, body.u16()?);
        if count > METRICS_MAX {
            return Err(DecodeError::Malformed("congestion control feedback"));
        }
        let metrics = body.take(usize::from(count) * METRIC_LEN)?;
        if !count.is_multiple_of(2) {
            body.take(METRIC_LEN)?;
        }
        Ok(Self { ssrc, begin, metrics })
    }

    /// What is said of each packet, in order; of none, if nothing of the stream has arrived of late.
    // RFC 8888 §3.1, erratum 8166: the numbers go from `begin_seq` up to, but not including, `begin_seq + num_reports`.
    pub fn metrics(&self) -> impl ExactSizeIterator<Item = PacketMetric> + use<'a> {
        let begin = self.begin;
        self.metrics.as_chunks().0.iter().enumerate().map(move |(n, bits)| PacketMetric {
            sequence: begin.wrapping_add(n as u16),
            reception: Reception::from_bits(u16::from_be_bytes(*bits)),
        })
    }
}

impl<'a> CongestionControlFeedback<'a> {
    pub(super) fn parse(mut body: Reader<'a>) -> Result<Self, DecodeError> {
        let sender_ssrc = body.u32()?;
        let blocks = body.0.len().checked_sub(TIMESTAMP_LEN).ok_or(DecodeError::Truncated)?;
        let blocks = Reader(body.take(blocks)?);
        let report_timestamp = body.u32()?;
        let mut all = blocks;
        while !all.0.is_empty() {
            StreamFeedback::parse(&mut all)?;
        }
        Ok(Self { sender_ssrc, report_timestamp, blocks })
    }

    /// What is said of each stream.
    pub fn streams(&self) -> impl Iterator<Item = StreamFeedback<'a>> + use<'a> {
        let mut blocks = self.blocks;
        std::iter::from_fn(move || StreamFeedback::parse(&mut blocks).ok())
    }
}

/// Writes a report, a stream after the other.
pub(crate) struct Writer<'o> {
    out: &'o mut Vec<u8>,
    start: usize,
    room: usize,
}

impl<'o> Writer<'o> {
    /// Begins a report of at most `room` bytes; `None` if there is no room to speak of one packet.
    pub(crate) fn begin(sender_ssrc: u32, room: usize, out: &'o mut Vec<u8>) -> Option<Self> {
        let start = out.len();
        room.checked_sub(HEADER_LEN + 4 + TIMESTAMP_LEN + BLOCK_LEN + 2 * METRIC_LEN)?;
        write_header(TRANSPORT_FEEDBACK, FORMAT, HEADER_LEN, out);
        out.extend_from_slice(&sender_ssrc.to_be_bytes());
        Some(Self { out, start, room })
    }

    /// Of how many packets of one more stream it can speak.
    pub(crate) fn capacity(&self) -> usize {
        let written = self.out.len() - self.start + TIMESTAMP_LEN + BLOCK_LEN;
        let room = self.room.saturating_sub(written) / METRIC_LEN;
        (room - room % 2).min(METRICS_MAX.into())
    }

    // RFC 8888 §3.1: an odd number of metrics is padded with 16 bits of zeros, to end with a word.
    /// Speaks of a stream's packets, [`capacity`](Self::capacity) at most.
    pub(crate) fn stream(&mut self, ssrc: u32, begin: u16, metrics: impl ExactSizeIterator<Item = Option<Reception>>) {
        let count = metrics.len();
        debug_assert!(count <= self.capacity(), "there is room");
        self.out.extend_from_slice(&ssrc.to_be_bytes());
        self.out.extend_from_slice(&begin.to_be_bytes());
        self.out.extend_from_slice(&(count as u16).to_be_bytes());
        for metric in metrics {
            self.out.extend_from_slice(&metric.map_or(0, Reception::bits).to_be_bytes());
        }
        if !count.is_multiple_of(2) {
            self.out.extend_from_slice(&[0; METRIC_LEN]);
        }
    }

    pub(crate) fn end(self, report_timestamp: u32) {
        self.out.extend_from_slice(&report_timestamp.to_be_bytes());
        let words = (self.out.len() - self.start) / 4;
        if let Some(length) = self.out.get_mut(self.start + 2..self.start + 4) {
            length.copy_from_slice(&((words - 1) as u16).to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtcp::{Compound, Message};
    use proptest::prelude::*;

    type Stream = (u32, u16, Vec<Option<Reception>>);

    fn print(streams: &[Stream], room: usize) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let mut writer = Writer::begin(1, room, &mut out)?;
        for (ssrc, begin, metrics) in streams {
            writer.stream(*ssrc, *begin, metrics.iter().copied());
        }
        writer.end(0x1234_5678);
        Some(out)
    }

    fn read(bytes: &[u8]) -> (u32, u32, Vec<Stream>) {
        let message = Compound::new(bytes).next().expect("a message").expect("a report");
        let Message::CongestionControlFeedback(report) = message else { panic!("another message") };
        let streams = report.streams().map(|stream| {
            let numbers = stream.metrics().map(|metric| metric.sequence);
            assert!(numbers.eq((0..stream.metrics().len()).map(|n| stream.begin.wrapping_add(n as u16))));
            (stream.ssrc, stream.begin, stream.metrics().map(|metric| metric.reception).collect())
        });
        (report.sender_ssrc, report.report_timestamp, streams.collect())
    }

    fn reception() -> impl Strategy<Value = Reception> {
        let offset = prop_oneof![
            (0..=TICKS_MAX).prop_map(ArrivalTimeOffset::Ticks),
            Just(ArrivalTimeOffset::OverRange),
            Just(ArrivalTimeOffset::Unavailable)
        ];
        (0u8..4, offset).prop_map(|(ecn, offset)| Reception { ecn: Ecn::from_bits(ecn), offset })
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_as_it_was(
            streams in prop::collection::vec(
                (any::<u32>(), any::<u16>(), prop::collection::vec(prop::option::of(reception()), 0..30)), 0..6),
        ) {
            let bytes = print(&streams, 1500).expect("there is room");
            prop_assert!(bytes.len().is_multiple_of(4));
            prop_assert_eq!(read(&bytes), (1, 0x1234_5678, streams));
        }

        #[test]
        fn what_finds_room_is_no_longer_than_that(room in 0usize..400) {
            let mut out = vec![7; 3];
            if let Some(mut writer) = Writer::begin(1, room, &mut out) {
                prop_assert!(writer.capacity() >= 2);
                while writer.capacity() > 0 {
                    writer.stream(5, 6, vec![None; writer.capacity().min(21)].into_iter());
                }
                writer.end(0);
                prop_assert!(out.len() <= room + 3, "{} of {room}", out.len());
            } else {
                prop_assert!(out == [7; 3] && room < 24);
            }
        }
    }

    #[test]
    fn offsets_are_the_nearest_ticks_and_none_is_told_beyond_their_range() {
        for (units, offset) in [
            (0, ArrivalTimeOffset::Ticks(0)),
            (31, ArrivalTimeOffset::Ticks(0)),
            (32, ArrivalTimeOffset::Ticks(1)),
            (32_768, ArrivalTimeOffset::Ticks(512)),
            (8189 * 64, ArrivalTimeOffset::Ticks(8189)),
            (8189 * 64 + 1, ArrivalTimeOffset::OverRange),
            (u32::MAX, ArrivalTimeOffset::OverRange),
        ] {
            assert_eq!(ArrivalTimeOffset::before(units), offset, "{units}");
        }
        assert_eq!(ArrivalTimeOffset::Ticks(u16::MAX).bits(), OVER_RANGE);
    }
}
