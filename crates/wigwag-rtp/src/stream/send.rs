//! A stream that we send.

use super::forward::Forwarding;
use super::receive::KeyFrame;
use super::resend::ResendCache;
use crate::config::SenderConfig;
use crate::event::RtpPacket;
use crate::extension::Extensions;
use crate::header::{self, Fixed, Given};
use crate::payload::Frame;
use crate::rtcp::{ReportBlock, SenderInfo};
use crate::session::retransmission::OSN_LEN;
use crate::stats::SenderStats;
use crate::time;
use std::time::{Duration, Instant};
use wigwag_sansio::serial_after;

/// So far behind the furthest a packet is not sent any more: SRTP knows the last 1,024 numbers (RFC 3711 §3.3.2 asks for 64) and seals no
/// packet of which it cannot tell whether its number was used.
const AGE_MAX: u16 = 1024;

/// A stream that we send.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) config: SenderConfig,
    pub(crate) next_sequence: u16,
    /// In the stream of what is sent again, if there ever was one.
    pub(crate) next_rtx_sequence: Option<u16>,
    /// The furthest number that a packet has, of those that wait too, if they have one.
    furthest: Option<u16>,
    /// Whether whoever hands packets in chose the number of one: then the next is theirs to choose.
    pub(crate) is_numbered_by_others: bool,
    /// Whether the last packet had the marker.
    pub(crate) is_between_pictures: bool,
    pub(crate) queued_packets: usize,
    pub(crate) queued_bytes: usize,
    /// Whether a packet was refused for want of room, so that it is told when there is some.
    pub(crate) is_room_wanted: bool,
    /// Whether a picture was refused for want of room: the next one refers to it, if it is no key frame.
    pub(crate) is_picture_refused: bool,
    pub(crate) cache: ResendCache,
    /// What of others it carries, if it does.
    pub(crate) forwarding: Forwarding,
    pub(crate) stats: SenderStats,
    /// Whether a packet left since the last report.
    pub(crate) is_report_due: bool,
    /// Whether a key frame is wanted, and was told to be.
    pub(crate) key_frame: KeyFrame,
    /// Whether the event is on its way that a key frame was asked for.
    pub(crate) is_key_frame_event_owed: bool,
    /// Whether the event is on its way that there is room.
    pub(crate) is_writable_event_owed: bool,
    /// Who made the last full intra request, and its number.
    pub(crate) last_full_intra_request: Option<(u32, u8)>,
    last: Option<LastPacket>,
    /// The timestamp of the last frame of which it is known when it was captured, and when that was.
    captured: Option<(u32, Instant)>,
}

#[derive(Clone, Copy, Debug)]
struct LastPacket {
    timestamp: u32,
    clock_rate_hz: u32,
    /// When it was heard or seen.
    made: Instant,
}

impl Sender {
    pub(crate) fn new(config: SenderConfig, first_sequence: u16, cache_len: usize) -> Self {
        Self {
            config,
            next_sequence: first_sequence,
            next_rtx_sequence: None,
            furthest: None,
            is_numbered_by_others: false,
            is_between_pictures: false,
            queued_packets: 0,
            queued_bytes: 0,
            is_room_wanted: false,
            is_picture_refused: false,
            cache: ResendCache::new(cache_len),
            forwarding: Forwarding::default(),
            stats: SenderStats::default(),
            is_report_due: false,
            key_frame: KeyFrame::Unwanted,
            is_key_frame_event_owed: false,
            is_writable_event_owed: false,
            last_full_intra_request: None,
            last: None,
            captured: None,
        }
    }

    /// The clock rate of a payload type, if it may be sent.
    // RFC 5761 §4: with the marker, 64 to 95 look like RTCP's packet types on the transport that both share.
    pub(crate) fn clock_rate_hz(&self, payload_type: u8) -> Option<u32> {
        if (64..=95).contains(&payload_type) {
            return None;
        }
        self.config.payload_types.iter().find(|known| known.number == payload_type).map(|known| known.clock_rate_hz)
    }

    /// What a packet has under numbers that were negotiated.
    pub(crate) fn given(&self, packet: &RtpPacket) -> Given {
        let Extensions { dependency_descriptor, video_layers_allocation, .. } = self.config.extensions;
        [
            dependency_descriptor.zip(packet.dependency_descriptor.clone()),
            video_layers_allocation.zip(packet.video_layers_allocation.clone()),
        ]
    }

    /// The longest header of this sender's packets: with every extension that was negotiated, what the user gives, and with what it has when it is sent again.
    pub(crate) fn header_len_max(&self, given: &Given) -> usize {
        let SenderConfig { extensions, mid, rid, .. } = &self.config;
        let osn = if self.config.rtx.is_some() { OSN_LEN } else { 0 };
        let all = [
            extensions.mid.zip(mid.as_ref().map(String::len)),
            // Of a packet that is sent again, the other one says so: the larger number has the longer header.
            extensions.rid.into_iter().chain(extensions.repaired_rid).max().zip(rid.as_ref().map(String::len)),
            extensions.abs_send_time.map(|id| (id, 3)),
            extensions.audio_level.map(|id| (id, 1)),
            extensions.transport_cc.map(|id| (id, 2)),
        ];
        let given = given.iter().flatten().map(|(id, data)| (*id, data.len()));
        header::len_max(self.config.form(), all.into_iter().flatten().chain(given)) + osn
    }

    /// Whether a packet with this number comes too late to be sent.
    pub(crate) fn is_late(&self, sequence: u16) -> bool {
        self.furthest.is_some_and(|furthest| {
            let age = furthest.wrapping_sub(sequence);
            !serial_after(sequence, furthest) && age >= AGE_MAX
        })
    }

    /// The number behind all that packets have.
    pub(crate) fn behind_all(&self) -> u16 {
        self.furthest.map_or(self.next_sequence, |furthest| furthest.wrapping_add(1))
    }

    /// A packet has this number.
    pub(crate) fn reach(&mut self, sequence: u16) {
        if self.furthest.is_none_or(|furthest| serial_after(sequence, furthest)) {
            self.furthest = Some(sequence);
        }
    }

    /// A packet with this number leaves. What has none goes on behind the furthest, for no number may be used twice. Whether none that is
    /// further has left.
    pub(crate) fn leaves_as(&mut self, sequence: u16) -> bool {
        let is_behind = self.has_sent() && serial_after(self.next_sequence, sequence);
        if !is_behind {
            self.next_sequence = sequence.wrapping_add(1);
        }
        self.reach(sequence);
        !is_behind
    }

    /// The packet waits no longer. Returns whether somebody waits for room and is not told yet.
    pub(crate) fn unqueue(&mut self, charge: usize) -> bool {
        self.queued_packets -= 1;
        self.queued_bytes -= charge;
        let is_event_new = std::mem::take(&mut self.is_room_wanted) && !self.is_writable_event_owed;
        self.is_writable_event_owed |= is_event_new;
        is_event_new
    }

    /// A packet with this timestamp leaves. `made`: when it was heard or seen, if none that is further has left.
    pub(crate) fn sent(
        &mut self,
        payload_type: u8,
        timestamp: u32,
        header: usize,
        payload: usize,
        made: Option<Instant>,
    ) {
        let clock_rate_hz = self.clock_rate_hz(payload_type).unwrap_or(0);
        // Packets of one frame, or of one event, were heard or seen at once: when the first of them was.
        if let Some(made) = made
            && self.last.is_none_or(|last| last.timestamp != timestamp)
        {
            self.last = Some(LastPacket { timestamp, clock_rate_hz, made });
        }
        self.is_report_due = true;
        self.stats.payload_type = Some(payload_type);
        self.stats.packets_sent += 1;
        self.stats.bytes_sent += payload as u64;
        self.stats.header_bytes_sent += header as u64;
    }

    /// The header of padding that may follow the last packet, and whether it is in the stream of what is sent again: there always, else
    /// between two pictures, where the numbers are ours to give.
    pub(crate) fn padding(&self) -> Option<(Fixed, bool)> {
        let (payload_type, timestamp) = self.stats.payload_type.zip(self.last.map(|last| last.timestamp))?;
        let rtx = self.config.rtx.as_ref();
        if let (Some(rtx), Some(sequence)) = (rtx, self.next_rtx_sequence)
            && let Some(payload_type) = rtx.number(payload_type)
        {
            return Some((Fixed { marker: false, payload_type, sequence, timestamp, ssrc: rtx.ssrc }, true));
        }
        let (sequence, ssrc) = (self.next_sequence, self.config.ssrc);
        let is_possible = self.is_between_pictures && !self.is_numbered_by_others;
        is_possible.then_some((Fixed { marker: false, payload_type, sequence, timestamp, ssrc }, false))
    }

    /// What the timestamp of a packet would be that is heard now, and by which clock. `None` if nothing was sent.
    pub(crate) fn rtp_time(&self, now: Instant) -> Option<(u32, u32)> {
        let last = self.last?;
        let passed = time::ticks(now.saturating_duration_since(last.made), last.clock_rate_hz);
        Some((last.timestamp.wrapping_add(passed), last.clock_rate_hz))
    }

    pub(crate) const fn has_sent(&self) -> bool {
        self.last.is_some()
    }

    /// A frame is handed in.
    pub(crate) fn captured(&mut self, frame: &Frame) {
        self.captured = frame.capture_time.map(|at| (frame.rtp_time, at));
    }

    /// What is said of the stream now.
    // RFC 3550 §6.4.1: the RTP timestamp "corresponds to the same time as the NTP timestamp", so it is that of the last
    // packet that came furthest, moved on to now; from when it was captured, if that is known, else from when it came or was handed in.
    // However long it waited to leave, it was heard or seen before.
    pub(crate) fn info(&self, ntp_time: u64, now: Instant) -> SenderInfo {
        let rtp_timestamp = self.last.map_or(0, |last| {
            let (timestamp, at) = self.captured.unwrap_or((last.timestamp, last.made));
            timestamp.wrapping_add(time::ticks(now.saturating_duration_since(at), last.clock_rate_hz))
        });
        SenderInfo {
            ntp_time,
            rtp_timestamp,
            packets: self.stats.packets_sent as u32,
            bytes: self.stats.bytes_sent as u32,
        }
    }

    /// What the peer says of the stream. Returns the round trip time, if it tells one.
    // RFC 3550 §6.4.1: A, when the report arrives, less LSR and DLSR.
    pub(crate) fn take_report(&mut self, block: ReportBlock, ntp_time: u64, now: Instant) -> Option<Duration> {
        self.stats.reports_received += 1;
        self.stats.last_report_arrival = Some(now);
        self.stats.remote_packets_lost = block.lost;
        self.stats.remote_fraction_lost = block.fraction_lost;
        let clock_rate_hz = self.last.map_or(0, |last| last.clock_rate_hz);
        self.stats.remote_jitter = time::from_ticks(block.jitter, clock_rate_hz);
        if block.last_sender_report == 0 {
            return None;
        }
        let round_trip = time::middle(ntp_time)
            .wrapping_sub(block.last_sender_report)
            .wrapping_sub(block.delay_since_last_sender_report);
        // A peer whose clock runs fast may count more than passed.
        let round_trip = time::from_short((round_trip as i32).max(0) as u32);
        self.stats.round_trip_time = Some(round_trip);
        self.stats.round_trip_time_total += round_trip;
        self.stats.round_trip_time_measurements += 1;
        Some(round_trip)
    }
}
