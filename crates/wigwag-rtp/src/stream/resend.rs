//! Packets that were sent, kept for the peer to ask for them again (RFC 4585 §6.2.1).

use crate::header::Header;
use crate::payload::numbers::Head;
use bytes::Bytes;
use std::time::{Duration, Instant};

/// Nobody asks more often than that who means to get it; else some bytes of RTCP would be worth a megabyte, again and again.
const RESENDS_MAX: u8 = 10;

/// A packet that was sent, with its very bytes.
///
/// It is sent again under the same sequence number, so under the same SRTP index: were one bit of it different, also of
/// the time that an extension tells, then two texts would be sealed with one keystream.
#[derive(Clone, Debug)]
pub(crate) struct SentPacket {
    pub(crate) sequence: u16,
    pub(crate) header: Header,
    pub(crate) payload: Bytes,
    /// What leaves in place of the payload's first bytes.
    pub(crate) head: Head,
    /// Its number in the transport, if it has one.
    pub(crate) transport_sequence: Option<u64>,
    /// When it was last sent again, if it was.
    resent: Option<Instant>,
    /// When it was last asked for, if it was.
    asked: Option<Instant>,
    /// How often it was asked for and is sent again.
    resends: u8,
    /// Whether it waits to be sent again.
    is_owed: bool,
}

impl SentPacket {
    pub(crate) const fn new(sequence: u16, header: Header, payload: Bytes, transport_sequence: Option<u64>) -> Self {
        let head = Head::NONE;
        let (resent, asked) = (None, None);
        Self { sequence, header, payload, head, transport_sequence, resent, asked, resends: 0, is_owed: false }
    }

    /// ... with other first bytes.
    pub(crate) fn with_head(self, head: Head) -> Self {
        Self { head, ..self }
    }

    pub(crate) fn len(&self) -> usize {
        self.header.len() + self.payload.len()
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        self.header.write(out);
        self.head.write(&self.payload, out);
    }
}

/// The last packets of a sender, by sequence number modulo their number.
#[derive(Debug)]
pub(crate) struct ResendCache {
    packets: Vec<Option<SentPacket>>,
    len_max: usize,
    payload_bytes: usize,
}

impl ResendCache {
    /// For so many packets at least; its memory is taken with the first one.
    pub(crate) const fn new(len: usize) -> Self {
        // A power of two divides the circle of sequence numbers: others would have packets in each other's place where it closes.
        let len_max = if len == 0 { 0 } else { len.next_power_of_two() };
        Self { packets: Vec::new(), len_max, payload_bytes: 0 }
    }

    pub(crate) fn keep(&mut self, packet: SentPacket) {
        if self.packets.is_empty() {
            self.packets.resize(self.len_max, None);
        }
        let added = packet.payload.len();
        if let Some(slot) = self.slot(packet.sequence) {
            let replaced = slot.replace(packet).map_or(0, |packet| packet.payload.len());
            self.payload_bytes = self.payload_bytes + added - replaced;
        }
    }

    /// How many bytes of payload it holds, and may.
    pub(crate) const fn load(&self, packet_len_max: usize) -> (usize, usize) {
        (self.payload_bytes, self.len_max.saturating_mul(packet_len_max))
    }

    pub(crate) fn find(&self, sequence: u16) -> Option<&SentPacket> {
        let at = usize::from(sequence).checked_rem(self.packets.len())?;
        self.packets.get(at)?.as_ref().filter(|packet| packet.sequence == sequence)
    }

    /// Whether the peer may have the packet again: it is there, and neither waits for that nor was sent again within the last `interval`.
    pub(crate) fn ask(&mut self, sequence: u16, now: Instant, interval: Duration) -> Answer {
        let Some(packet) = self.find_mut(sequence) else { return Answer::Gone };
        packet.asked = Some(now);
        if packet.is_owed || packet.resent.is_some_and(|resent| now.saturating_duration_since(resent) < interval) {
            return Answer::TooSoon;
        }
        if packet.resends >= RESENDS_MAX {
            return Answer::Gone;
        }
        Answer::Resend
    }

    /// Whether the packet is there, and was asked for within that time.
    pub(crate) fn was_asked(&self, sequence: u16, within: Duration, now: Instant) -> bool {
        let asked = self.find(sequence).and_then(|packet| packet.asked);
        asked.is_some_and(|asked| now.saturating_duration_since(asked) <= within)
    }

    /// The packet waits to be sent again.
    pub(crate) fn owe(&mut self, sequence: u16) {
        if let Some(packet) = self.find_mut(sequence) {
            packet.resends += 1;
            packet.is_owed = true;
        }
    }

    /// The packet waits no longer, and was not sent again.
    pub(crate) fn disown(&mut self, sequence: u16) {
        if let Some(packet) = self.find_mut(sequence) {
            packet.is_owed = false;
        }
    }

    /// The packet is sent again now.
    pub(crate) fn resent(&mut self, sequence: u16, now: Instant) {
        if let Some(packet) = self.find_mut(sequence) {
            packet.resent = Some(now);
            packet.is_owed = false;
        }
    }

    fn find_mut(&mut self, sequence: u16) -> Option<&mut SentPacket> {
        self.slot(sequence)?.as_mut().filter(|packet| packet.sequence == sequence)
    }

    fn slot(&mut self, sequence: u16) -> Option<&mut Option<SentPacket>> {
        let at = usize::from(sequence).checked_rem(self.packets.len())?;
        self.packets.get_mut(at)
    }
}

/// What becomes of a packet that the peer asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Resend,
    /// It is on its way already.
    TooSoon,
    /// It is not there, or was sent often enough.
    Gone,
}
