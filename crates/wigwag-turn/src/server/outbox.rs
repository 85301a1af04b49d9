//! What waits to be sent: answers, and what is on its way through.
//!
//! A relay is a queue, like any router: what was taken in is nobody's state any more. It is bounded, and what has no room is lost like on
//! any network.

use super::FiveTuple;
use std::collections::VecDeque;
use wigwag_sansio::{Dscp, Ecn, Transmit};

/// Each costs so many bytes besides its own.
const OVERHEAD: usize = 64;
/// So many buffers are kept to be used again, and of no more than this length.
const KEPT_MAX: usize = 64;
const KEPT_LEN_MAX: usize = 4096;

#[derive(Debug)]
struct Packet {
    way: FiveTuple,
    ecn: Ecn,
    /// The stream that it is for: not the next one of the same name.
    stream: Option<u64>,
    bytes: Vec<u8>,
}

#[derive(Debug, Default)]
pub(super) struct Outbox {
    packets: VecDeque<Packet>,
    len: usize,
    spare: Vec<Vec<u8>>,
}

/// What is sent next.
pub(super) struct Next {
    pub(super) transmit: Transmit,
    pub(super) way: FiveTuple,
    pub(super) stream: Option<u64>,
}

impl Outbox {
    /// An empty buffer.
    pub(super) fn buffer(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_default()
    }

    /// A buffer that is not needed.
    pub(super) fn give_back(&mut self, mut buffer: Vec<u8>) {
        if self.spare.len() < KEPT_MAX && buffer.capacity() <= KEPT_LEN_MAX {
            buffer.clear();
            self.spare.push(buffer);
        }
    }

    /// Whether so many bytes have room.
    pub(super) const fn has_room(&self, len: usize, len_max: usize) -> bool {
        self.len.saturating_add(len).saturating_add(OVERHEAD) <= len_max
    }

    /// Shall be sent. Nothing, on a stream, closes it.
    pub(super) fn push(&mut self, way: FiveTuple, ecn: Ecn, stream: Option<u64>, bytes: Vec<u8>) {
        self.len = self.len.saturating_add(bytes.len()).saturating_add(OVERHEAD);
        self.packets.push_back(Packet { way, ecn, stream, bytes });
    }

    /// Replaces what is in `out` by what is sent next, if there is something.
    pub(super) fn pop(&mut self, out: &mut Vec<u8>) -> Option<Next> {
        let Packet { way, ecn, stream, mut bytes } = self.packets.pop_front()?;
        self.len = self.len.saturating_sub(bytes.len()).saturating_sub(OVERHEAD);
        std::mem::swap(out, &mut bytes);
        self.give_back(bytes);
        let FiveTuple { protocol, local, remote } = way;
        let segment_size = out.len().max(1);
        Some(Next {
            transmit: Transmit { protocol, local, remote, ecn, dscp: Dscp::DEFAULT, segment_size },
            way,
            stream,
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// How many bytes wait, with what they cost besides.
    pub(super) const fn len(&self) -> usize {
        self.len
    }
}
