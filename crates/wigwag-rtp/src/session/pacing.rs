//! Video and what is sent again leave when the owner says, who knows what the path takes; and padding, by which it finds out.

use super::Session;
use super::queue::Lane;
use super::rtp_output::header;
use crate::event::Reported;
use crate::header::Given;
use crate::stream::resend::SentPacket;
use bytes::Bytes;
use std::time::{Duration, Instant};

/// The longest padding (RFC 3550 §5.1: its last byte says how long it is, itself included), in whole words as ciphers like it.
const PADDING_MAX: usize = 252;

/// What waits for its turn to leave at a pace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PacedQueue {
    /// How many packets.
    pub packets: usize,
    /// How many bytes of payload those have that leave for the first time.
    pub bytes: usize,
    /// Since when the first of all waits, about: since it was asked for again, or the latest time that the session knew when it was handed in.
    pub oldest: Option<Instant>,
}

impl Session {
    /// Whether video, and packets that are sent again, are no longer owed by themselves: they leave by [`poll_paced`](Self::poll_paced),
    /// when congestion control lets them. It has no effect as long as the peer reports no arrivals, by which alone one can know the path
    /// ([`Extensions::transport_cc`](crate::Extensions), [`SenderConfig::ccfb`](field@crate::SenderConfig::ccfb)).
    pub fn set_paced(&mut self, is_paced: bool) {
        self.is_paced = is_paced;
        self.invariants();
    }

    /// Whether [`poll_rtp`](Self::poll_rtp) gives audio alone.
    pub const fn is_paced(&self) -> bool {
        self.is_paced && self.reported_senders > 0
    }

    /// The oldest report of arrivals that [`poll_event`](Self::poll_event) would tell as [`Event::TransportFeedback`](crate::Event::TransportFeedback), and then no longer
    /// does: for congestion control, which does not wait for whoever polls events.
    pub fn poll_feedback(&mut self) -> Option<Vec<Reported>> {
        self.events.pop_feedback()
    }

    /// Says how long a round trip takes, as whoever carries our packets has measured it: it counts as long as no report tells. Who only receives
    /// hears none, for the peer has nothing of ours to report on.
    pub const fn set_path_round_trip_time(&mut self, round_trip: Option<Duration>) {
        self.stats.path_round_trip_time = round_trip;
    }

    /// How long a round trip takes, by the last report, or else by the [path](Self::set_path_round_trip_time).
    pub fn round_trip_time(&self) -> Option<Duration> {
        self.stats.round_trip_time.or(self.stats.path_round_trip_time)
    }

    /// What [`poll_paced`](Self::poll_paced) would give.
    pub fn paced_queue(&self) -> PacedQueue {
        if !self.is_paced() {
            return PacedQueue::default();
        }
        let (resends, packets, bytes, oldest) = self.queue.paced();
        PacedQueue { packets: resends + packets, bytes, oldest }
    }

    /// The number of the next packet on which the peer reports ([`Reported::sequence`](crate::Reported::sequence)).
    pub const fn next_transport_sequence(&self) -> u64 {
        self.history.next()
    }

    /// Appends an RTP packet of at most `limit` bytes that was held back for its pace, or changes nothing and says `false`.
    pub fn poll_paced(&mut self, now: Instant, limit: usize, out: &mut Vec<u8>) -> bool {
        let now = self.advance(now);
        let has_written = self.is_paced() && self.write_rtp(Lane::Paced, now, limit, out);
        self.invariants();
        has_written
    }

    /// Whether [`poll_padding`](Self::poll_padding) would give something: the peer reports on a stream of pictures, which has one for what is
    /// sent again, or numbers its packets by itself and is between two pictures.
    pub fn can_pad(&self) -> bool {
        let sender = self.padder.filter(|_| !self.is_ending).and_then(|padder| self.senders.get(&padder));
        sender.is_some_and(|sender| sender.padding().is_some())
    }

    /// Appends an RTP packet without payload of at most `limit` bytes, with about `len` bytes of padding and 252 at most, to find out what
    /// the path takes; or changes nothing and says `false`.
    pub fn poll_padding(&mut self, now: Instant, len: usize, limit: usize, out: &mut Vec<u8>) -> bool {
        let now = self.advance(now);
        let has_written = self.write_padding(now, len, limit, out).is_some();
        self.invariants();
        has_written
    }

    fn write_padding(&mut self, now: Instant, len: usize, limit: usize, out: &mut Vec<u8>) -> Option<()> {
        let departure = self.departure(now);
        let sender = self.senders.get_mut(&self.padder.filter(|_| !self.is_ending)?)?;
        let (fixed, is_rtx) = sender.padding()?;
        let header = header(&sender.config, fixed, None, Given::default(), departure).with_padding();
        let header_len = header.len();
        let room = limit.min(self.config.packet_len_max).checked_sub(header_len)?;
        let len = len.clamp(1, PADDING_MAX).min(room);
        let sent = SentPacket::new(fixed.sequence, header, padding(len)?, Some(self.history.next()));
        let source = sender.config.ccfb.then_some((fixed.ssrc, fixed.sequence));
        self.history.sent(header_len + len, source, now);
        sent.write(out);
        if is_rtx {
            sender.next_rtx_sequence = Some(fixed.sequence.wrapping_add(1));
            return Some(());
        }
        sender.leaves_as(fixed.sequence);
        sender.stats.packets_sent += 1;
        sender.stats.header_bytes_sent += (header_len + len) as u64;
        if sender.config.nack {
            sender.cache.keep(sent);
        }
        Some(())
    }
}

/// RFC 3550 §5.1: "The last octet of the padding contains a count of how many padding octets should be ignored, including itself."
fn padding(len: usize) -> Option<Bytes> {
    let mut bytes = vec![0; len];
    *bytes.last_mut()? = u8::try_from(len).ok()?;
    Some(Bytes::from(bytes))
}
