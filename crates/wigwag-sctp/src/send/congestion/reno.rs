//! RFC 9260's own rules for the window (§7.2).
//!
//! Three choices differ from RFC 9260's recommendations. The initial window is ten packets (RFC 6928). In slow start
//! the window grows by all bytes that a SACK acknowledges, since a SACK may stand for a whole batch of packets. There
//! is no Max.Burst, for the same reason.

use super::{Acknowledgement, CongestionController, INITIAL_PACKETS, Loss, MIN_SSTHRESH_PACKETS};
use std::time::Instant;

#[derive(Debug)]
pub(super) struct Reno {
    /// The path's maximum of DATA chunks in a packet, in bytes (RFC 9260 §2.3).
    pmdcs: usize,
    cwnd: usize,
    ssthresh: usize,
    partial_bytes_acked: usize,
}

impl Reno {
    pub(super) const fn new(pmdcs: usize) -> Self {
        Self { pmdcs, cwnd: pmdcs.saturating_mul(INITIAL_PACKETS), ssthresh: usize::MAX, partial_bytes_acked: 0 }
    }

    /// A SACK has moved the cumulative TSN on, and acknowledged `acked` bytes, when `in_flight` bytes were in flight before it.
    fn grow(&mut self, acked: usize, in_flight: usize) {
        // RFC 9260 §7.2.1: "only if the current congestion window is being fully utilized"
        let is_utilized = in_flight.saturating_add(self.pmdcs) > self.cwnd;
        if self.cwnd <= self.ssthresh {
            if is_utilized {
                self.cwnd = self.cwnd.saturating_add(acked);
            }
            return;
        }
        self.partial_bytes_acked = self.partial_bytes_acked.saturating_add(acked);
        if self.partial_bytes_acked >= self.cwnd {
            self.partial_bytes_acked = if is_utilized { self.partial_bytes_acked.saturating_sub(self.cwnd) } else { 0 };
            if is_utilized {
                self.cwnd = self.cwnd.saturating_add(self.pmdcs);
            }
        }
    }

    fn shrink(&mut self) {
        self.ssthresh = (self.cwnd / 2).max(self.pmdcs.saturating_mul(MIN_SSTHRESH_PACKETS));
        self.partial_bytes_acked = 0;
    }
}

impl CongestionController for Reno {
    fn window(&self) -> usize {
        self.cwnd
    }

    fn slow_start_threshold(&self) -> usize {
        self.ssthresh
    }

    fn set_packet_len(&mut self, packet_len: usize) {
        self.pmdcs = packet_len;
        self.cwnd = self.cwnd.max(packet_len);
        self.ssthresh = self.ssthresh.max(packet_len.saturating_mul(MIN_SSTHRESH_PACKETS));
    }

    fn acknowledged(&mut self, news: &Acknowledgement) {
        if news.is_cumulative && !news.is_recovering {
            self.grow(news.acked, news.in_flight_before);
        }
    }

    // RFC 9260 §7.2.4
    fn congested(&mut self, _loss: &Loss) {
        self.shrink();
        self.cwnd = self.ssthresh;
    }

    // RFC 9260 §7.2.3
    fn timed_out(&mut self, _now: Instant) {
        self.shrink();
        self.cwnd = self.pmdcs;
    }

    fn idled(&mut self, timeouts: u32) {
        let floor = self.cwnd.min(self.pmdcs.saturating_mul(INITIAL_PACKETS));
        self.cwnd = self.cwnd.checked_shr(timeouts).unwrap_or(0).max(floor);
    }

    fn resumed(&mut self, window: usize, slow_start_threshold: usize) {
        (self.cwnd, self.ssthresh) = (window, slow_start_threshold);
    }

    fn drained(&mut self) {
        self.partial_bytes_acked = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wigwag_sim::origin;

    fn lose(reno: &mut Reno) {
        reno.congested(&Loss { now: origin(), in_flight_before: 0, in_flight: 0 });
    }

    #[test]
    fn doubles_in_a_round_trip_until_the_threshold_and_adds_a_packet_beyond() {
        let mut reno = Reno::new(1000);
        assert_eq!(reno.window(), 10_000);
        reno.grow(10_000, 10_000);
        assert_eq!(reno.window(), 20_000);
        lose(&mut reno);
        assert_eq!((reno.window(), reno.slow_start_threshold()), (10_000, 10_000));
        reno.grow(1000, 10_000);
        assert_eq!(reno.window(), 11_000);
        for _ in 0..11 {
            reno.grow(1000, 11_000);
        }
        assert_eq!(reno.window(), 12_000);
    }

    #[test]
    fn does_not_grow_while_the_user_is_what_limits() {
        let mut reno = Reno::new(1000);
        reno.grow(3000, 3000);
        assert_eq!(reno.window(), 10_000);
    }

    #[test]
    fn a_timeout_leaves_one_packet_and_idleness_ten() {
        let mut reno = Reno::new(1000);
        reno.grow(10_000, 10_000);
        reno.grow(20_000, 20_000);
        reno.idled(1);
        assert_eq!(reno.window(), 20_000);
        reno.idled(40);
        assert_eq!(reno.window(), 10_000);
        reno.timed_out(origin());
        reno.idled(1);
        assert_eq!((reno.window(), reno.slow_start_threshold()), (1000, 5000));
        reno.timed_out(origin());
        assert_eq!(reno.slow_start_threshold(), 4000);
    }
}
