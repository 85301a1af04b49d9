//! The congestion window (RFC 9260 §7.2). Sizes count DATA chunk headers, or one-byte messages would be nearly free.
//!
//! Three choices differ from RFC 9260's recommendations. The initial window is ten packets (RFC 6928). In slow start
//! the window grows by all bytes that a SACK acknowledges, since a SACK may stand for a whole batch of packets. There
//! is no Max.Burst, for the same reason.

const INITIAL_PACKETS: usize = 10;
const MIN_SSTHRESH_PACKETS: usize = 4;

#[derive(Debug)]
pub(crate) struct Congestion {
    /// The path's maximum of DATA chunks in a packet, in bytes (RFC 9260 §2.3).
    pmdcs: usize,
    cwnd: usize,
    ssthresh: usize,
    partial_bytes_acked: usize,
}

impl Congestion {
    pub(crate) const fn new(pmdcs: usize) -> Self {
        Self { pmdcs, cwnd: pmdcs.saturating_mul(INITIAL_PACKETS), ssthresh: usize::MAX, partial_bytes_acked: 0 }
    }

    pub(crate) const fn window(&self) -> usize {
        self.cwnd
    }

    pub(crate) const fn ssthresh(&self) -> usize {
        self.ssthresh
    }

    pub(crate) fn set_pmdcs(&mut self, pmdcs: usize) {
        self.pmdcs = pmdcs;
        self.cwnd = self.cwnd.max(pmdcs);
        self.ssthresh = self.ssthresh.max(pmdcs.saturating_mul(MIN_SSTHRESH_PACKETS));
    }

    /// A SACK has moved the cumulative TSN on, and acknowledged `acked` bytes, when `in_flight` bytes were in flight before it.
    pub(crate) fn grow(&mut self, acked: usize, in_flight: usize) {
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

    /// A packet was lost, as later ones tell (RFC 9260 §7.2.4).
    pub(crate) fn halve(&mut self) {
        self.ssthresh = (self.cwnd / 2).max(self.pmdcs.saturating_mul(MIN_SSTHRESH_PACKETS));
        self.cwnd = self.ssthresh;
        self.partial_bytes_acked = 0;
    }

    /// Nothing came back for a whole timeout (RFC 9260 §7.2.3).
    pub(crate) fn collapse(&mut self) {
        self.ssthresh = (self.cwnd / 2).max(self.pmdcs.saturating_mul(MIN_SSTHRESH_PACKETS));
        self.cwnd = self.pmdcs;
        self.partial_bytes_acked = 0;
    }

    /// Nothing was in flight for `timeouts` timeouts (RFC 9260 §7.2.1): what was known of the path is old.
    pub(crate) fn decay(&mut self, timeouts: u32) {
        let floor = self.cwnd.min(self.pmdcs.saturating_mul(INITIAL_PACKETS));
        self.cwnd = self.cwnd.checked_shr(timeouts).unwrap_or(0).max(floor);
    }

    /// Nothing is in flight any more (RFC 9260 §7.2.2).
    pub(crate) const fn drained(&mut self) {
        self.partial_bytes_acked = 0;
    }

    pub(crate) fn invariants(&self) {
        debug_assert!(self.cwnd >= self.pmdcs, "C6");
        debug_assert!(self.ssthresh >= self.pmdcs.saturating_mul(MIN_SSTHRESH_PACKETS), "C6");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_in_a_round_trip_until_the_threshold_and_adds_a_packet_beyond() {
        let mut congestion = Congestion::new(1000);
        assert_eq!(congestion.window(), 10_000);
        congestion.grow(10_000, 10_000);
        assert_eq!(congestion.window(), 20_000);
        congestion.halve();
        assert_eq!((congestion.window(), congestion.ssthresh()), (10_000, 10_000));
        congestion.grow(1000, 10_000);
        assert_eq!(congestion.window(), 11_000);
        for _ in 0..11 {
            congestion.grow(1000, 11_000);
        }
        assert_eq!(congestion.window(), 12_000);
    }

    #[test]
    fn does_not_grow_while_the_user_is_what_limits() {
        let mut congestion = Congestion::new(1000);
        congestion.grow(3000, 3000);
        assert_eq!(congestion.window(), 10_000);
    }

    #[test]
    fn a_timeout_leaves_one_packet_and_idleness_ten() {
        let mut congestion = Congestion::new(1000);
        congestion.grow(10_000, 10_000);
        congestion.grow(20_000, 20_000);
        congestion.decay(1);
        assert_eq!(congestion.window(), 20_000);
        congestion.decay(40);
        assert_eq!(congestion.window(), 10_000);
        congestion.collapse();
        congestion.decay(1);
        assert_eq!((congestion.window(), congestion.ssthresh()), (1000, 5000));
        congestion.collapse();
        assert_eq!(congestion.ssthresh(), 4000);
    }
}
