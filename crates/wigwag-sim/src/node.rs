//! What a world can hold: the five calls as a trait, and a wire for machines that know no addresses.

use crate::{A, Z, address};
use std::net::SocketAddr;
use std::time::Instant;
use wigwag_sansio::{Datagram, Transmit, batch};

/// A machine on a host of a [`World`](crate::World).
///
/// Machines share no trait; this one is implemented by the adapter that a test puts around its machine. The adapter
/// keeps the events, so that a test reads `world[A].received`.
pub trait Node {
    /// Something arrived.
    fn handle_input(&mut self, datagram: Datagram<'_>, now: Instant);

    /// Time has passed.
    fn handle_timeout(&mut self, now: Instant);

    /// What shall be sent? Replaces what is in `out`.
    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit>;

    /// Takes one event from the machine and keeps it; `false` if there was none.
    fn poll_event(&mut self) -> bool;

    /// When shall it be woken? `Some(now)` if anything is owed.
    fn poll_timeout(&self, now: Instant) -> Option<Instant>;
}

impl<N: Node + ?Sized> Node for Box<N> {
    fn handle_input(&mut self, datagram: Datagram<'_>, now: Instant) {
        (**self).handle_input(datagram, now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        (**self).handle_timeout(now);
    }

    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        (**self).poll_transmit(now, out)
    }

    fn poll_event(&mut self) -> bool {
        (**self).poll_event()
    }

    fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        (**self).poll_timeout(now)
    }
}

/// What stands before each packet, as the header of an outer layer would: `poll_packet` appends.
const BEFORE: &[u8] = b"before";

/// One end of a wire between two fixed addresses: turns `poll_packet` into `poll_transmit`.
///
/// ```
/// use wigwag_sim::Wire;
/// let [a, z] = Wire::pair();
/// let mut out = Vec::new();
/// let transmit = a.transmit(&mut out, |_limit, out| { out.extend_from_slice(b"packet"); true });
/// assert_eq!(transmit.map(|transmit| transmit.remote), Some(z.local));
/// assert_eq!(out, b"packet");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wire {
    /// The address at this end.
    pub local: SocketAddr,
    /// The address at the other end.
    pub remote: SocketAddr,
    /// The largest packet it takes, in bytes; 1200 at first.
    pub limit: usize,
    /// The largest number of packets in a batch; 1 at first.
    pub max_segments: usize,
}

impl Wire {
    /// The end at `local` of a wire to `remote`.
    pub const fn new(local: SocketAddr, remote: SocketAddr) -> Self {
        Self { local, remote, limit: 1200, max_segments: 1 }
    }

    /// Both ends of a wire between the addresses of [`A`] and [`Z`].
    pub fn pair() -> [Self; 2] {
        [Self::new(address(A), address(Z)), Self::new(address(Z), address(A))]
    }

    /// Asks `poll_packet(limit, out)` for packets and replaces `out` with them.
    ///
    /// # Panics
    /// If `poll_packet` does not append, exceeds the limit, or changes the buffer and says `false`.
    pub fn transmit(
        &self,
        out: &mut Vec<u8>,
        mut poll_packet: impl FnMut(usize, &mut Vec<u8>) -> bool,
    ) -> Option<Transmit> {
        out.clear();
        out.extend_from_slice(BEFORE);
        let segment_size = batch(self.max_segments, self.limit, out, |limit, out| {
            let start = out.len();
            let has_written = poll_packet(limit, out);
            assert!(out.len() >= start && out.starts_with(BEFORE), "poll_packet appends");
            assert_eq!(has_written, out.len() > start, "poll_packet says whether it wrote");
            assert!(out.len() - start <= limit, "poll_packet keeps to its limit");
            has_written
        });
        out.drain(..BEFORE.len());
        Some(Transmit::udp(self.local, self.remote, segment_size?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wire_carries_batches() {
        let mut wire = Wire::pair()[0];
        wire.max_segments = 3;
        let (mut out, mut sizes) = (vec![7; 7], vec![4, 10, 10]);
        let mut write = |limit, out: &mut Vec<u8>| match sizes.pop_if(|size| *size <= limit) {
            Some(size) => {
                out.resize(out.len() + size, b'x');
                true
            }
            None => false,
        };
        let transmit = wire.transmit(&mut out, &mut write);
        assert_eq!((transmit.map(|transmit| transmit.segment_size), out.len()), (Some(10), 24));
        assert_eq!(wire.transmit(&mut out, &mut write), None);
    }

    #[test]
    #[should_panic(expected = "poll_packet says whether it wrote")]
    fn a_packet_half_written_is_noticed() {
        Wire::pair()[0].transmit(&mut Vec::new(), |_, out| {
            out.push(0);
            false
        });
    }
}
