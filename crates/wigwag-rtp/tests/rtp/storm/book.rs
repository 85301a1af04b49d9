//! What was sent and received of one stream, counted as RFC 3550 has it and not as the session does.

use bytes::Bytes;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use wigwag_rtp::payload::{Format, FrameEvent, ReceivedFrame};
use wigwag_rtp::rtcp::{ReportBlock, SenderInfo};

/// The number that these 16 bits stand for, near the last one.
pub(super) fn index_of(near: i64, sequence: u16) -> i64 {
    let ahead = i64::from(sequence) - near.rem_euclid(1 << 16);
    near + ahead
        + if ahead > 1 << 15 {
            -(1 << 16)
        } else if ahead < -(1 << 15) {
            1 << 16
        } else {
            0
        }
}

/// What stands in the `n`th frame of a stream.
pub(super) fn frame(ssrc: u32, format: Format, n: u32, is_key: bool, len: usize) -> Bytes {
    let first = match format {
        Format::Opus => 0x78,
        _ => u8::from(!is_key),
    };
    let mut data = vec![first];
    data.extend_from_slice(&n.to_be_bytes());
    data.extend_from_slice(&ssrc.to_be_bytes());
    data.extend((0..len).map(|at| (at as u32).wrapping_mul(31).wrapping_add(n) as u8));
    data.into()
}

pub(super) fn number_of(frame: &[u8]) -> u32 {
    u32::from_be_bytes(frame[1..5].try_into().expect("a number"))
}

/// A stream that was sent.
#[derive(Clone)]
pub(super) struct Sent {
    pub(super) ssrc: u32,
    pub(super) format: Format,
    pub(super) frames: u32,
    /// By index; as they were on the wire.
    pub(super) packets: BTreeMap<i64, Vec<u8>>,
    pub(super) payload_bytes: u64,
    pub(super) sent_again: u64,
}

impl Sent {
    pub(super) const fn new(ssrc: u32, format: Format) -> Self {
        Self { ssrc, format, frames: 0, packets: BTreeMap::new(), payload_bytes: 0, sent_again: 0 }
    }

    /// The number of the last packet.
    pub(super) fn last(&self) -> i64 {
        self.packets.last_key_value().map_or(0, |(last, _)| *last)
    }

    /// A packet leaves; whether it did before.
    pub(super) fn take(&mut self, packet: &[u8], payload_len: usize) -> bool {
        let sequence = u16::from_be_bytes([packet[2], packet[3]]);
        let last = self.packets.last_key_value().map(|(index, _)| *index);
        let index = last.map_or(sequence.into(), |last| index_of(last, sequence));
        if let Some(before) = self.packets.get(&index) {
            assert_eq!(before, packet, "what is sent again is the same to the last bit");
            self.sent_again += 1;
            return true;
        }
        assert!(last.is_none_or(|last| index == last + 1), "no number is left out");
        self.packets.insert(index, packet.to_vec());
        self.payload_bytes += payload_len as u64;
        false
    }
}

/// A stream that arrives.
pub(super) struct Received {
    pub(super) ssrc: u32,
    pub(super) format: Format,
    pub(super) first: i64,
    pub(super) highest: i64,
    pub(super) count: i64,
    /// Of these, how many precede the first that came.
    before_first: i64,
    pub(super) payload_bytes: u64,
    before: (i64, i64),
    transit: i64,
    /// In ticks, exactly.
    jitter: f64,
    pub(super) report: Option<(SenderInfo, Instant)>,
    told: Vec<u32>,
    lost_since: u64,
    last_decodable: Option<u32>,
}

impl Received {
    pub(super) const fn new(ssrc: u32, format: Format, index: i64) -> Self {
        Self {
            ssrc,
            format,
            first: index,
            highest: index - 1,
            count: 0,
            before_first: 0,
            payload_bytes: 0,
            before: (0, 0),
            transit: 0,
            jitter: 0.0,
            report: None,
            told: Vec::new(),
            lost_since: 0,
            last_decodable: None,
        }
    }

    pub(super) fn take(&mut self, index: i64, timestamp: u32, payload_len: usize, elapsed: Duration) {
        self.count += 1;
        self.before_first += i64::from(index < self.first);
        self.payload_bytes += payload_len as u64;
        // Only of what comes in order: what was asked for again is late for another reason.
        if index > self.highest {
            let arrival = (elapsed.as_nanos() * u128::from(self.format.clock_rate_hz()) / 1_000_000_000) as i64;
            let transit = arrival - i64::from(timestamp);
            if self.count > 1 {
                let difference = i64::from((transit - self.transit) as i32).abs();
                // What leaps by more than five seconds is another clock, or a program that was stopped.
                if difference <= 5 * i64::from(self.format.clock_rate_hz()) {
                    self.jitter += (difference as f64 - self.jitter) / 16.0;
                }
            }
            self.transit = transit;
            self.highest = index;
        }
    }

    pub(super) fn expected(&self) -> i64 {
        self.highest + 1 - self.first
    }

    pub(super) fn lost(&self) -> i64 {
        self.expected() - self.count
    }

    /// What is to be reported now is this.
    pub(super) fn check(&mut self, block: &ReportBlock, now: Instant) {
        let expected = self.expected() - self.before.0;
        let lost = (expected - (self.count - self.before.1)).max(0);
        self.before = (self.expected(), self.count);
        assert_eq!(i64::from(block.lost), self.lost(), "cumulative number of packets lost");
        assert_eq!(
            i64::from(block.fraction_lost),
            (lost * 256).checked_div(expected).unwrap_or(0).min(255),
            "fraction"
        );
        let circles = self.highest.div_euclid(1 << 16) - self.first.div_euclid(1 << 16);
        let highest = circles << 16 | self.highest.rem_euclid(1 << 16);
        assert_eq!(i64::from(block.highest_sequence), highest, "extended highest sequence number");
        assert!((f64::from(block.jitter) - self.jitter).abs() < 3.0, "jitter {} and {}", block.jitter, self.jitter);
        let (last, delay) = match self.report {
            Some((info, at)) => ((info.ntp_time >> 16) as u32, (now - at).as_secs_f64() * 65_536.0),
            None => (0, 0.0),
        };
        assert_eq!(block.last_sender_report, last, "LSR");
        assert!((f64::from(block.delay_since_last_sender_report) - delay).abs() <= 1.0, "DLSR");
    }

    /// Returns what happened, for the tally.
    pub(super) fn hear(&mut self, event: &FrameEvent) -> Option<&'static str> {
        match event {
            FrameEvent::Frame(frame) => self.hear_frame(frame),
            FrameEvent::Lost { packets } => {
                self.lost_since += packets;
                Some("frames lost")
            }
            _ => None,
        }
    }

    fn hear_frame(&mut self, told: &ReceivedFrame) -> Option<&'static str> {
        let n = number_of(&told.data);
        let is_key = told.data[0] & 1 == 0;
        assert_eq!(told.data, frame(self.ssrc, self.format, n, is_key, told.data.len() - 9), "as it was sent");
        assert_eq!(told.is_key_frame, is_key);
        let last = self.told.last().copied();
        assert!(last.is_none_or(|last| last < n), "in order and once: {n} after {last:?}");
        let skipped = last.map_or(0, |last| u64::from(n - last - 1));
        let lost = std::mem::take(&mut self.lost_since);
        match self.format {
            Format::Opus if last.is_some() => assert_eq!(lost, skipped, "as many are told to be lost as are"),
            _ => assert!(lost > 0 || skipped == 0, "what is lost is told"),
        }
        self.told.push(n);
        let follows = n.checked_sub(1).is_some_and(|before| self.last_decodable == Some(before));
        assert_eq!(told.is_decodable, is_key || follows, "frame {n} after {:?}", self.last_decodable);
        if told.is_decodable {
            self.last_decodable = Some(n);
        }
        (!told.is_decodable).then_some("frame that cannot be decoded")
    }

    /// When all is over: nothing is missing that could be had.
    pub(super) fn agrees(&self, sent: &Sent, is_all: bool) {
        assert_eq!((sent.last() - self.highest).rem_euclid(1 << 16), 0, "the last has arrived");
        assert!(self.told.last().is_some_and(|last| last + 1 == sent.frames), "the last is told");
        // Of what preceded the first that came nothing is asked for.
        if is_all && self.before_first == 0 {
            assert_eq!(self.lost(), 0, "all that was lost came in the end");
            let first = self.told[0];
            assert_eq!(self.told, (first..sent.frames).collect::<Vec<_>>(), "and all is told");
        }
    }
}
