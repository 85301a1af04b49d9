//! While losses are repaired, what leaves follows what arrives (proportional rate reduction, RFC 9937).

use super::Acknowledgement;

/// One recovery. Bytes.
#[derive(Debug)]
pub(super) struct Prr {
    /// On its way when the loss was found.
    begun_with: usize,
    target: usize,
    delivered: usize,
    sent: usize,
    window: usize,
}

impl Prr {
    pub(super) fn new(begun_with: usize, in_flight: usize, target: usize, packet_len: usize) -> Self {
        Self { begun_with: begun_with.max(packet_len), target, delivered: 0, sent: 0, window: in_flight + packet_len }
    }

    pub(super) const fn sent(&mut self, len: usize) {
        self.sent += len;
    }

    pub(super) fn acknowledged(&mut self, news: &Acknowledgement, packet_len: usize) {
        self.delivered += news.acked;
        let unsent = self.delivered.saturating_sub(self.sent);
        let more = if news.in_flight > self.target {
            let share = (self.delivered as u128 * self.target as u128).div_ceil(self.begun_with as u128);
            usize::try_from(share).unwrap_or(usize::MAX).saturating_sub(self.sent)
        } else {
            // RFC 9937 §6.2: "safe ACK": the loss is being repaired, and there is no other.
            let is_safe = news.is_cumulative && news.lost == 0;
            let limit = if is_safe { unsent.max(news.acked) + packet_len } else { unsent };
            limit.min(self.target - news.in_flight)
        };
        let more = if self.sent == 0 { more.max(packet_len) } else { more };
        self.window = news.in_flight.saturating_add(more);
    }

    pub(super) const fn window(&self) -> usize {
        self.window
    }
}
