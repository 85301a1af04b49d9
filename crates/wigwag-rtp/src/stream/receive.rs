//! A source that the peer sends.

use super::arrived::Arrived;
use super::nack::Missing;
use super::sequence::{Place, Sequences};
use crate::event::ReceiverId;
use crate::rtcp::{ReportBlock, SenderInfo};
use crate::stats::ReceiverStats;
use crate::time;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// No sooner is another key frame asked for, or told to be: an encoder needs time to make one, and a link to carry it.
const KEY_FRAME_INTERVAL: Duration = Duration::from_millis(300);

/// A source that the peer sends.
#[derive(Debug)]
pub(crate) struct ReceiveStream {
    pub(crate) receiver: ReceiverId,
    pub(crate) ssrc: u32,
    /// The layer of simulcast that it is, once it has told.
    pub(crate) rid: Option<Arc<str>>,
    /// The source that sends it again, once that has told.
    pub(crate) repaired_by: Option<u32>,
    pub(crate) sequences: Sequences,
    pub(crate) missing: Missing,
    pub(crate) key_frame: KeyFrame,
    /// The number of the next full intra request, after the first.
    pub(crate) next_intra_request: Option<u8>,
    pub(crate) stats: ReceiverStats,
    pub(crate) last_arrival: Instant,
    /// Whether a packet arrived since the last report.
    pub(crate) is_report_due: bool,
    /// Which of the last packets have arrived, where they may come again in a stream of retransmissions.
    arrived: Option<Box<Arrived>>,
    jitter: Jitter,
    clock_rate_hz: u32,
    last_sender_report: Option<(SenderInfo, Instant)>,
    /// The canonical name, as the peer told it; at most 255 bytes.
    /// Empty until it was told.
    pub(crate) canonical_name: Vec<u8>,
}

/// Whether the peer is asked for a key frame, or who encodes for it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum KeyFrame {
    Unwanted,
    /// The next message asks for one.
    Owed,
    /// It was asked for; not again before that time.
    Asked(Instant),
    /// It was asked for, and another is wanted: that will be owed at that time.
    AskedAndWanted(Instant),
}

impl KeyFrame {
    /// Wants one; `seen` is the latest time that is known. Returns when it will be owed, or `None` if it is now.
    pub(crate) fn want(&mut self, seen: Option<Instant>) -> Option<Instant> {
        *self = match *self {
            Self::Unwanted | Self::Owed => Self::Owed,
            Self::Asked(until) | Self::AskedAndWanted(until) if seen >= Some(until) => Self::Owed,
            Self::Asked(until) | Self::AskedAndWanted(until) => Self::AskedAndWanted(until),
        };
        self.deadline()
    }

    pub(crate) const fn deadline(&self) -> Option<Instant> {
        match self {
            Self::AskedAndWanted(until) => Some(*until),
            Self::Unwanted | Self::Owed | Self::Asked(_) => None,
        }
    }

    /// None is wanted any more; how lately one was asked for is remembered.
    pub(crate) const fn cancel(&mut self) {
        *self = match *self {
            Self::Unwanted | Self::Owed => Self::Unwanted,
            Self::Asked(until) | Self::AskedAndWanted(until) => Self::Asked(until),
        };
    }

    /// Whether it is owed now.
    pub(crate) fn expire(&mut self, now: Instant) -> bool {
        if self.deadline().is_some_and(|until| until <= now) {
            *self = Self::Owed;
        }
        *self == Self::Owed
    }

    pub(crate) fn asked(&mut self, now: Instant) {
        *self = Self::Asked(now.checked_add(KEY_FRAME_INTERVAL).unwrap_or(now));
    }
}

/// What a packet of the stream is to it.
pub(crate) struct Taken {
    pub(crate) extended_sequence: u64,
    /// Whether something is missing that was not before.
    pub(crate) is_gap: bool,
    /// Whether it had come in a stream of retransmissions.
    pub(crate) is_duplicate: bool,
}

/// What the stream must know of a packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Incoming {
    pub(crate) sequence: u16,
    pub(crate) payload_type: u8,
    pub(crate) timestamp: u32,
    pub(crate) clock_rate_hz: u32,
    pub(crate) payload_len: usize,
    pub(crate) header_len: usize,
    /// Whether missing packets are asked for.
    pub(crate) nack: bool,
    /// Whether it may come again in a stream of retransmissions.
    pub(crate) may_come_again: bool,
}

/// A canonical name is seldom longer.
const CNAME_EXPECTED: usize = 32;

impl ReceiveStream {
    /// Before its first packet.
    pub(crate) fn new(receiver: ReceiverId, ssrc: u32, first: u16, now: Instant) -> Self {
        Self {
            receiver,
            ssrc,
            rid: None,
            repaired_by: None,
            sequences: Sequences::new(first),
            missing: Missing::new(),
            key_frame: KeyFrame::Unwanted,
            next_intra_request: None,
            stats: ReceiverStats { ssrc, first_arrival: Some(now), ..ReceiverStats::default() },
            last_arrival: now,
            is_report_due: false,
            arrived: None,
            jitter: Jitter::default(),
            clock_rate_hz: 0,
            last_sender_report: None,
            canonical_name: Vec::with_capacity(CNAME_EXPECTED),
        }
    }

    /// Takes a packet; `None` if it is too far off to be believed.
    pub(crate) fn take(&mut self, packet: Incoming, elapsed: Duration, now: Instant) -> Option<Taken> {
        let mut is_gap = false;
        let extended_sequence = match self.sequences.receive(packet.sequence) {
            Place::Next { sequence, missing } => {
                if packet.nack && missing > 0 {
                    self.stats.packets_given_up += self.missing.add(sequence, missing, now);
                    is_gap = !self.missing.is_empty();
                }
                self.measure_jitter(packet, elapsed);
                self.stats.payload_type = Some(packet.payload_type);
                sequence
            }
            Place::Late(sequence) => {
                self.stats.packets_recovered += u64::from(self.missing.arrived(sequence));
                sequence
            }
            Place::Restarted(sequence) => {
                self.missing.clear();
                self.arrived = None;
                self.jitter = Jitter::default();
                sequence
            }
            Place::Doubtful => return None,
        };
        self.last_arrival = now;
        self.is_report_due = true;
        self.count(packet);
        let arrived = packet.may_come_again.then(|| self.arrived.get_or_insert_default());
        let is_duplicate = arrived.is_some_and(|arrived| !arrived.insert(extended_sequence));
        Some(Taken { extended_sequence, is_gap, is_duplicate })
    }

    const fn count(&mut self, packet: Incoming) {
        self.stats.packets_received += 1;
        self.stats.bytes_received += packet.payload_len as u64;
        self.stats.header_bytes_received += packet.header_len as u64;
    }

    /// Takes a packet that was sent again in a stream of its own, where losses of this one are not made good (RFC 4588 §7). `None` if it has
    /// arrived, or never was among the last.
    pub(crate) fn take_again(&mut self, packet: Incoming, rtx_ssrc: u32, now: Instant) -> Option<u64> {
        let extended_sequence = self.sequences.late(packet.sequence)?;
        if !self.arrived.get_or_insert_default().insert(extended_sequence) {
            return None;
        }
        self.stats.packets_recovered += u64::from(self.missing.arrived(extended_sequence));
        self.stats.rtx_ssrc = Some(rtx_ssrc);
        self.stats.retransmitted_packets_received += 1;
        self.stats.retransmitted_bytes_received += packet.payload_len as u64;
        self.count(packet);
        self.last_arrival = now;
        Some(extended_sequence)
    }

    /// Whether the packet with this number has not arrived.
    pub(crate) fn misses(&self, sequence: u16) -> bool {
        self.sequences.late(sequence).is_some_and(|sequence| self.missing.contains(sequence))
    }

    fn measure_jitter(&mut self, packet: Incoming, elapsed: Duration) {
        if packet.clock_rate_hz != self.clock_rate_hz {
            self.clock_rate_hz = packet.clock_rate_hz;
            self.jitter = Jitter::default();
        }
        self.jitter.measure(time::ticks(elapsed, packet.clock_rate_hz), packet.timestamp, packet.clock_rate_hz);
    }

    pub(crate) fn take_sender_report(&mut self, info: SenderInfo, now: Instant) {
        let stats = &mut self.stats;
        let is_first = stats.sender_reports_received == 0;
        for (count, told) in
            [(&mut stats.remote_packets_sent, info.packets), (&mut stats.remote_bytes_sent, info.bytes)]
        {
            *count = if is_first { told.into() } else { counted(*count, told) };
        }
        stats.sender_reports_received += 1;
        self.last_sender_report = Some((info, now));
    }

    /// What is reported of the stream.
    pub(crate) fn report(&mut self, now: Instant) -> ReportBlock {
        self.is_report_due = false;
        let (last_sender_report, delay_since_last_sender_report) = match self.last_sender_report {
            Some((info, at)) => (time::middle(info.ntp_time), time::short(now.saturating_duration_since(at))),
            None => (0, 0),
        };
        ReportBlock {
            ssrc: self.ssrc,
            fraction_lost: self.sequences.fraction_lost(),
            lost: self.sequences.lost().clamp(-0x80_0000, 0x7f_ffff) as i32,
            highest_sequence: self.sequences.highest(),
            jitter: self.jitter.ticks(),
            last_sender_report,
            delay_since_last_sender_report,
        }
    }

    /// When the peer captured what this timestamp names, by its own clock, if it has reported how both stand.
    pub(crate) fn capture_time(&self, timestamp: u32) -> Option<Duration> {
        let (info, _) = self.last_sender_report?;
        let ahead = timestamp.wrapping_sub(info.rtp_timestamp) as i32;
        let apart = time::from_ticks(ahead.unsigned_abs(), self.clock_rate_hz);
        let reported = time::from_ntp(info.ntp_time);
        if ahead < 0 { reported.checked_sub(apart) } else { reported.checked_add(apart) }
    }

    pub(crate) fn stats(&self) -> ReceiverStats {
        let report = self.last_sender_report.map(|(info, _)| info);
        ReceiverStats {
            remote_time: report.map(|info| time::from_ntp(info.ntp_time)),
            remote_report_arrival: self.last_sender_report.map(|(_, at)| at),
            last_arrival: Some(self.last_arrival),
            packets_lost: self.sequences.lost(),
            jitter: time::from_ticks(self.jitter.ticks(), self.clock_rate_hz),
            ..self.stats
        }
    }
}

/// What is counted now, as the lower 32 bits tell: four billion bytes are sent in an hour. A report that comes late takes nothing back.
fn counted(before: u64, told: u32) -> u64 {
    let ahead = u64::from(told).wrapping_sub(before) & u64::from(u32::MAX);
    if ahead <= u64::from(u32::MAX / 2) { before.saturating_add(ahead) } else { before }
}

/// A timestamp that leaps further than its packet is another clock's, as of a source that was switched, and says nothing of the path.
const LEAP_SECONDS: u32 = 5;

/// How much the spacing of packets varies (RFC 3550 §6.4.1, A.8).
#[derive(Debug, Default)]
pub(crate) struct Jitter {
    transit: Option<u32>,
    /// In 1/16 ticks.
    estimate: u32,
}

impl Jitter {
    // RFC 3550 A.8: "s->jitter += d - ((s->jitter + 8) >> 4);"
    pub(crate) fn measure(&mut self, arrival: u32, timestamp: u32, clock_rate_hz: u32) {
        let transit = arrival.wrapping_sub(timestamp);
        if let Some(before) = self.transit.replace(transit) {
            let difference = (transit.wrapping_sub(before) as i32).unsigned_abs();
            if difference > clock_rate_hz.saturating_mul(LEAP_SECONDS) {
                return;
            }
            let decay = self.estimate.saturating_add(8) >> 4;
            self.estimate = self.estimate.saturating_add(difference).saturating_sub(decay);
        }
    }

    pub(crate) const fn ticks(&self) -> u32 {
        self.estimate >> 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_peer_has_sent_is_counted_beyond_32_bits() {
        let mut stream = ReceiveStream::new(ReceiverId(1), 7, 0, wigwag_sim::origin());
        let mut report = |packets: u32, bytes: u32| {
            let info = SenderInfo { ntp_time: 0, rtp_timestamp: 0, packets, bytes };
            stream.take_sender_report(info, stream.last_arrival);
            let stats = stream.stats();
            (stats.remote_packets_sent, stats.remote_bytes_sent)
        };
        assert_eq!(report(7, 0xF000_0000), (7, 0xF000_0000), "the first may be of the middle of a call");
        assert_eq!(report(9, 0x0000_0010), (9, 0x1_0000_0010));
        assert_eq!(report(8, 0xFFFF_FF00), (9, 0x1_0000_0010), "it came late");
        assert_eq!(report(10, 0x7000_0000), (10, 0x1_7000_0000));
    }

    #[test]
    fn evenly_spaced_packets_do_not_jitter() {
        let mut jitter = Jitter::default();
        for n in 0..100u32 {
            jitter.measure(n.wrapping_mul(960).wrapping_add(u32::MAX - 5000), n * 960, 48_000);
        }
        assert_eq!(jitter.ticks(), 0);
    }

    #[test]
    fn packets_that_come_alternately_early_and_late_jitter_by_their_difference() {
        let mut jitter = Jitter::default();
        for n in 0..1000u32 {
            jitter.measure(n * 960 + if n % 2 == 0 { 0 } else { 160 }, n * 960, 48_000);
        }
        assert!((150..=160).contains(&jitter.ticks()), "{}", jitter.ticks());
    }
}
