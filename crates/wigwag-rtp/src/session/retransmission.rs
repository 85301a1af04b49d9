//! What is sent again: under its own number, or in a stream of its own (RFC 4588).

use super::Session;
use super::rtp_output::{Departure, header};
use crate::event::{Received, ReceiverId, RtpPacket, SenderId};
use crate::header::{Fixed, Header, Packet};
use crate::stream::receive::Incoming;
use crate::stream::resend::SentPacket;
use crate::stream::send::Sender;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Instant;
use wigwag_sansio::Ecn;

/// RFC 4588 §4: the original sequence number, before the payload.
pub(crate) const OSN_LEN: usize = 2;
/// So many sources of a section are looked at to find out what an undescribed stream sends again: simulcast has three.
const SOURCES_LOOKED_AT: usize = 4;

/// A packet in the stream of what is sent again.
struct Again {
    sequence: u16,
    header: Header,
}

impl Again {
    /// `None` if there is no such stream for it.
    // RFC 4588 §4: "The sequence number has the standard definition; i.e., it MUST be one higher than the sequence number of the preceding
    // packet sent in the retransmission stream."
    fn of(sender: &Sender, packet: &SentPacket, departure: Departure) -> Option<Self> {
        let (rtx, sequence) = (sender.config.rtx.as_ref()?, sender.next_rtx_sequence?);
        let (original, given) = (packet.header.fixed, packet.header.given.clone());
        let payload_type = rtx.number(original.payload_type)?;
        let (marker, timestamp, ssrc) = (original.marker, original.timestamp, rtx.ssrc);
        let fixed = Fixed { marker, payload_type, sequence, timestamp, ssrc };
        Some(Self { sequence, header: header(&sender.config, fixed, None, given, departure) })
    }

    fn len(&self, packet: &SentPacket) -> usize {
        self.header.len() + OSN_LEN + packet.payload.len()
    }

    fn write(&self, packet: &SentPacket, out: &mut Vec<u8>) {
        self.header.write(out);
        out.extend_from_slice(&packet.sequence.to_be_bytes());
        packet.head.write(&packet.payload, out);
    }
}

/// Where a packet that came again belongs.
pub(super) struct Way {
    pub(super) receiver: ReceiverId,
    /// The layer of simulcast that it names.
    pub(super) rid: Option<Arc<str>>,
    /// The payload type that it had first.
    pub(super) apt: u8,
    pub(super) clock_rate_hz: u32,
}

impl Session {
    /// A stream of what is sent again begins as all do: in the lower half of the numbers (RFC 3711 §3.3.1).
    pub(super) fn begin_rtx(&mut self, id: SenderId) {
        if let Some(sender) = self.senders.get_mut(&id)
            && sender.config.rtx.is_some()
        {
            sender.next_rtx_sequence.get_or_insert_with(|| self.rng.u16() >> 1);
        }
    }

    /// `None` if the packet is no longer there.
    pub(super) fn write_resend(
        &mut self,
        id: SenderId,
        sequence: u16,
        now: Instant,
        limit: usize,
        out: &mut Vec<u8>,
    ) -> Option<bool> {
        let (departure, before) = (self.departure(now), out.len());
        let sender = self.senders.get_mut(&id)?;
        let packet = sender.cache.find(sequence)?;
        // What was queued before a stream of its own was agreed upon may be too long for it.
        let again =
            Again::of(sender, packet, departure).filter(|again| again.len(packet) <= self.config.packet_len_max);
        if again.as_ref().map_or(packet.len(), |again| again.len(packet)) > limit {
            return Some(false);
        }
        match &again {
            Some(again) => again.write(packet, out),
            None => {
                packet.write(out);
                packet.transport_sequence.into_iter().for_each(|number| self.history.sent_again(number));
            }
        }
        sender.stats.packets_resent += 1;
        sender.stats.bytes_resent += packet.payload.len() as u64;
        sender.stats.header_bytes_resent += (out.len() - before - packet.payload.len()) as u64;
        sender.cache.resent(sequence, now);
        if let Some(again) = again {
            sender.next_rtx_sequence = Some(again.sequence.wrapping_add(1));
            if sender.config.is_reported() {
                let source = sender.config.ccfb.then_some((again.header.fixed.ssrc, again.sequence));
                self.history.sent(out.len() - before, source, now);
            }
        }
        self.queue.pop_resend();
        Some(true)
    }

    /// What a packet of a stream of retransmissions was first, if it is missed; padding is not.
    pub(super) fn take_again(&mut self, packet: &Packet<'_>, len: usize, way: &Way, now: Instant) -> Option<Received> {
        let (osn, payload) = packet.payload.split_first_chunk::<OSN_LEN>()?;
        let sequence = u16::from_be_bytes(*osn);
        let ssrc = self.original_source(way, packet.ssrc, sequence)?;
        if way.rid.is_some() {
            self.streams.repairs(packet.ssrc, ssrc);
        }
        let stream = self.streams.get_mut(ssrc).filter(|stream| stream.receiver == way.receiver)?;
        let incoming = Incoming {
            sequence,
            payload_type: way.apt,
            timestamp: packet.timestamp,
            clock_rate_hz: way.clock_rate_hz,
            payload_len: payload.len(),
            header_len: len - payload.len(),
            nack: false,
            may_come_again: true,
        };
        let extended_sequence = stream.take_again(incoming, packet.ssrc, now)?;
        let rid = stream.rid.clone();
        if !stream.missing.is_owed() {
            self.owed.nacks.remove(ssrc);
        }
        if stream.missing.is_empty() {
            self.streams.incomplete.remove(ssrc);
        }
        self.stats.visits += 1;
        let mut original = RtpPacket::new(way.apt, packet.timestamp, Bytes::copy_from_slice(payload));
        (original.marker, original.sequence) = (packet.marker, Some(sequence));
        let receiver = way.receiver;
        let (ecn, abs_send_time) = (Ecn::NotEct, None);
        Some(Received { receiver, ssrc, rid, extended_sequence, arrival: now, ecn, abs_send_time, packet: original })
    }

    /// Descriptions say which source it is (RFC 5576), or packets do (RFC 8852); else it is the one that misses the packet (RFC 4588 §5.3).
    fn original_source(&self, way: &Way, rtx_ssrc: u32, sequence: u16) -> Option<u32> {
        let config = self.sections.receiver(way.receiver)?;
        if let Some((ssrc, _)) = config.rtx_ssrcs.iter().find(|(_, rtx)| *rtx == rtx_ssrc) {
            return Some(*ssrc);
        }
        if let Some(rid) = &way.rid {
            return self.streams.layer(way.receiver, rid);
        }
        if let Some(ssrc) = self.streams.repaired(rtx_ssrc) {
            return Some(ssrc);
        }
        let is_described = |ssrc: u32| config.rtx_ssrcs.iter().any(|(media, _)| *media == ssrc);
        let of_section = self.streams.of(way.receiver).take(SOURCES_LOOKED_AT);
        let mut sources = of_section.filter(|stream| !is_described(stream.ssrc));
        let first = sources.next()?;
        let Some(second) = sources.next() else {
            // Where there are layers, it may be of one that has not come.
            return Some(first.ssrc).filter(|_| config.rids.is_empty() || first.misses(sequence));
        };
        let mut missing = [first, second].into_iter().chain(sources).filter(|stream| stream.misses(sequence));
        missing.next().filter(|_| missing.next().is_none()).map(|stream| stream.ssrc)
    }
}
