//! What goes out, and whether it may (RFC 9260 §6.1, §7.2.1).

use super::outstanding::Format;
use super::queue::Queue;
use super::rack::Probe;
use super::retransmit::{Transmission, pmdcs};
use crate::chunk::ENDING;
use crate::stats::Stats;
use crate::wire::padding;
use std::time::Instant;

/// How many TSNs may be outstanding, less a margin. A gap ack block tells of no more than 65,535 beyond the cumulative one. And each ordered
/// message has one at least: more than half of all SSNs apart, a receiver may take a later message, or skip, for an earlier one.
const fn tsn_span_max(format: Format) -> usize {
    match format {
        Format::Data => 32_000,
        Format::Interleaved => 60_000,
    }
}

/// Whether a chunk of so many bytes, padded, ends before `end`.
const fn fits(size: usize, end: usize, out: &[u8]) -> bool {
    out.len() + size + padding(size) <= end
}

impl Transmission {
    /// Whether so many bytes may be outstanding.
    fn has_buffer(&self, len: usize) -> bool {
        let [least, _] = self.buffer;
        len <= least || len <= self.buffer_len()
    }

    // RFC 9260 §6.1 A: "At any given time, the data sender MUST NOT transmit new data to any destination transport
    // address if its peer's rwnd indicates that the peer has no buffer space". But one chunk may always be in flight:
    // the zero window probe.
    fn fits_peer(&self, len: usize) -> bool {
        let flight = self.outstanding.flight();
        flight.chunks == 0 || flight.len + len <= self.peer_window
    }

    // RFC 9260 §6.1 B: "At any given time, the sender MUST NOT transmit new data to a given transport address if it has
    // cwnd + (PMDCS - 1) or more bytes of data outstanding to that transport address."
    pub(super) fn fits_path(&self, now: Instant) -> bool {
        self.outstanding.flight_size() < self.window() && self.pacer.is_open(now)
    }

    /// How much room the first chunk takes that is to be sent again, if it may be.
    #[inline]
    pub(crate) fn may_resend(&self, now: Instant) -> Option<usize> {
        let (_, chunk) = self.outstanding.next_lost()?;
        ((self.is_fast_packet_owed || self.fits_path(now)) && self.fits_peer(chunk.len()))
            .then_some(chunk.size(self.outstanding.format()))
    }

    /// How long the next new chunk is, if it may be sent.
    pub(super) fn may_send(&self, now: Instant, queue: &Queue) -> Option<usize> {
        queue.next_len(self.payload_max).filter(|len| self.has_room(*len, now, queue))
    }

    /// Whether there is room for so much that is new, wherever it has to pass.
    #[inline(always)]
    fn has_room(&self, len: usize, now: Instant, queue: &Queue) -> bool {
        let is_free = self.outstanding.next_lost().is_none() && (!self.is_held || queue.has_begun());
        let has_buffer = self.outstanding.is_empty()
            || self.has_buffer(self.outstanding.len() + len)
                && self.outstanding.count() < tsn_span_max(self.outstanding.format());
        let fits_path = || self.fits_path(now) || matches!(self.rack.probe, Probe::Owed);
        is_free && has_buffer && self.fits_peer(len) && fits_path()
    }

    /// Whether `write` would write something, if there is room.
    pub(crate) fn is_owed(&self, now: Instant, queue: &Queue) -> bool {
        self.owes_forward() || self.may_resend(now).is_some() || self.may_send(now, queue).is_some()
    }

    /// How much room the next DATA chunk takes, if one may be sent.
    pub(crate) fn next_size(&self, now: Instant, queue: &Queue) -> Option<usize> {
        self.may_resend(now)
            .or_else(|| self.may_send(now, queue).map(|len| len + self.outstanding.format().header_len()))
    }

    /// Appends what may be sent and fits before `end`: FORWARD TSN, what was lost, what is new.
    pub(crate) fn write(&mut self, now: Instant, end: usize, out: &mut Vec<u8>, queue: &mut Queue, stats: &mut Stats) {
        self.write_forward(now, end, out);
        let start = out.len();
        let departure = self.flights.next();
        let is_again = self.outstanding.next_lost().is_some() && self.write_lost(now, end, out, queue, stats);
        while self.write_new(now, end, out, queue, stats) {}
        if out.len() > start {
            self.has_sent(out.len() - start, departure, is_again, now);
        } else if self.fits_path(now) {
            self.flights.limit_by_user(self.outstanding.flight_size());
        }
    }

    /// Sends again what may be and fits. Whether there was any of it.
    #[inline(never)]
    fn write_lost(&mut self, now: Instant, end: usize, out: &mut Vec<u8>, queue: &Queue, stats: &mut Stats) -> bool {
        let start = out.len();
        let format = self.outstanding.format();
        while let Some(size) = self.may_resend(now).filter(|size| fits(*size, end, out))
            && let Some((tsn, chunk)) = self.outstanding.next_lost()
        {
            debug_assert_eq!(size, chunk.size(format));
            chunk.write(tsn, format, self.urgency(chunk, queue), out);
            let departure = self.flights.depart(tsn, true, self.outstanding.flight().chunks == 0, now);
            self.outstanding.resent(tsn, departure);
            stats.retransmitted += 1;
        }
        let is_again = out.len() > start;
        self.is_fast_packet_owed &= !is_again;
        is_again
    }

    /// Sends the next new chunk, if it may be and fits.
    #[inline(always)]
    fn write_new(&mut self, now: Instant, end: usize, out: &mut Vec<u8>, queue: &mut Queue, stats: &mut Stats) -> bool {
        let format = self.outstanding.format();
        if !fits(format.header_len() + 1, end, out) {
            return false;
        }
        let len = queue.next_len(self.payload_max).filter(|len| fits(len + format.header_len(), end, out));
        let Some(len) = len.filter(|len| self.has_room(*len, now, queue)) else { return false };
        self.decay(now);
        let tsn = self.outstanding.next_tsn();
        let Some(mut chunk) = queue.cut(len, tsn) else { return false };
        stats.bytes_sent += len as u64;
        stats.messages_sent += u64::from(chunk.is(ENDING));
        chunk.write(tsn, format, self.urgency(&chunk, queue), out);
        chunk.departure = self.flights.depart(tsn, false, self.outstanding.flight().chunks == 0, now);
        self.outstanding.push(chunk);
        self.measuring.get_or_insert((tsn, now));
        true
    }

    /// A packet has left, with this departure as its first.
    fn has_sent(&mut self, len: usize, departure: u64, is_again: bool, now: Instant) {
        self.last_sent = Some(now);
        if len > pmdcs(self.mtu_base) {
            self.flights.mark_long(departure);
        }
        self.congestion.sent(len, now);
        self.pacer.sent(len, self.congestion.pacing_rate(), now);
        self.arm(now);
        if matches!(self.rack.probe, Probe::Owed) {
            self.rack.probe = Probe::Sent { departure, is_again };
        }
        self.rearm_probe(!is_again, now);
    }

    // RFC 9260 §7.2.1: "While the endpoint does not transmit data on a given transport address, the cwnd of the transport
    // address SHOULD be adjusted to max(cwnd / 2, 4 * PMDCS) once per RTO."
    fn decay(&mut self, now: Instant) {
        let Some(sent) = self.last_sent.filter(|_| self.outstanding.is_empty()) else { return };
        let idle = now.saturating_duration_since(sent).as_millis();
        let timeouts = idle.checked_div(self.rto.current().as_millis()).unwrap_or(0);
        if timeouts > 0 {
            self.congestion.idled(u32::try_from(timeouts).unwrap_or(u32::MAX));
        }
    }
}
