//! SACKs that shall not be delayed (RFC 7053, RFC 9260 §6.1).

use super::outstanding::Chunk;
use super::queue::Queue;
use super::retransmit::{Transmission, pmdcs};
use crate::chunk::IMMEDIATE;

/// Of more packets than these a peer acknowledges some before it delays a SACK.
const FEW_PACKETS: usize = 3;

impl Transmission {
    /// The I bit, if what is to come waits for the SACK of this chunk, and not enough is on its way for others to come. A probe of a closed
    /// window needs none: it is answered at once (§6.2).
    //
    // RFC 9260 §6.1: "Whenever the sender of a DATA chunk can benefit from the corresponding SACK chunk being sent back without
    // delay, the sender MAY set the I bit in the DATA chunk header."
    #[inline(always)]
    pub(super) fn urgency(&self, chunk: &Chunk, queue: &Queue) -> u8 {
        let flight = self.outstanding.flight();
        let size = flight.size(self.outstanding.format()) + chunk.size(self.outstanding.format());
        if size > FEW_PACKETS * pmdcs(self.mtu) || self.peer_window < chunk.len() {
            return 0;
        }
        let len = flight.len + chunk.len();
        let is_waited_for = match queue.next_len(self.payload_max) {
            Some(next) => size >= self.window() || (len..len + next).contains(&self.peer_window),
            None if self.outstanding.has_more_lost() => size >= self.window(),
            None => self.is_ending || queue.has_drained(),
        };
        if is_waited_for { IMMEDIATE } else { 0 }
    }
}
