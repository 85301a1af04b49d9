//! Whom a packet is for, and what its chunks are (RFC 9260 §8.4, §8.5, §3.2).

use super::control_block::ControlBlock;
use super::state::Phase;
use super::{Association, Reply};
use crate::cause::code;
use crate::chunk::{HeartbeatInfo, REFLECTED, Unrecognized, kind};
use crate::event::CloseReason;
use crate::packet::{Chunks, Packet, RawChunk};
use crate::wire::Malformed;
use std::time::Instant;

/// Whether the rest of a packet is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Continue,
    Stop,
}

impl Association {
    /// Takes a packet that has arrived, whatever it is.
    pub fn handle_input(&mut self, packet: &[u8], now: Instant) {
        let now = self.advance(now);
        self.queue.stamp(now);
        self.stats.packets_received += 1;
        self.handle_packet(packet, now);
        self.invariants();
    }

    fn handle_packet(&mut self, bytes: &[u8], now: Instant) {
        let Some(packet) = Packet::decode(bytes, self.config.zero_checksum) else {
            self.stats.discarded.malformed += 1;
            return;
        };
        if !packet.has_valid_checksum {
            self.stats.discarded.checksum += 1;
            return;
        }
        if (packet.destination_port, packet.source_port) != self.ports() {
            self.stats.discarded.port += 1;
            return;
        }
        let mut rest = packet.chunks;
        let Some(Ok(first)) = rest.next() else {
            self.stats.discarded.malformed += 1;
            return;
        };
        // What comes to the tag of our description shows that the peer has begun.
        if self.peer_init.is_some() && packet.verification_tag == self.local.tag {
            self.connect();
        }
        // RFC 9260 §6.10: "An endpoint MUST NOT bundle INIT, INIT ACK, or SHUTDOWN COMPLETE chunks with any other chunks."
        if matches!(first.kind, kind::INIT_ACK | kind::SHUTDOWN_COMPLETE) && !rest.is_empty() {
            self.stats.discarded.malformed += 1;
            return;
        }
        match first.kind {
            kind::INIT => return self.handle_init(&packet, first),
            kind::COOKIE_ECHO if !self.handle_cookie_echo(&packet, first, now) => return,
            kind::COOKIE_ECHO => {}
            // Nearly all are.
            kind::DATA | kind::SACK if self.expected_tag() == Some(packet.verification_tag) => {}
            _ if !self.is_for_us(&packet, first) => return,
            _ => {}
        }
        self.handle_chunks(first, rest, now);
        if let Some(block) = &mut self.block {
            block.is_unheard = false;
            block.reception.end_packet(now);
            if block.reception.tune(block.transmission.rto().smoothed(), &self.inbox, now) {
                self.end_by_abort(code::OUT_OF_RESOURCE, &[], CloseReason::OutOfResource);
            }
        }
    }

    fn handle_chunks(&mut self, first: RawChunk<'_>, mut rest: Chunks<'_>, now: Instant) {
        let mut chunk = first;
        let mut has_sack = false;
        while self.handle_chunk(chunk, &mut has_sack, now) == Next::Continue {
            match rest.next() {
                Some(Ok(next)) => chunk = next,
                Some(Err(Malformed)) => return self.stats.discarded.malformed += 1,
                None => return,
            }
        }
    }

    /// The tag that a packet for us carries, once there is one.
    #[inline]
    fn expected_tag(&self) -> Option<u32> {
        match (&self.phase, &self.block) {
            (_, Some(block)) => Some(block.local_tag),
            (Phase::CookieWait(_), None) => Some(self.local.tag),
            _ => None,
        }
    }

    pub(super) fn is_for_us(&mut self, packet: &Packet<'_>, first: RawChunk<'_>) -> bool {
        let tag = packet.verification_tag;
        // RFC 9260 §8.5.1: an ABORT or SHUTDOWN COMPLETE may carry the peer's tag instead, and says so by its T bit.
        let may_be_reflected = matches!(first.kind, kind::ABORT | kind::SHUTDOWN_COMPLETE);
        let is_right = match self.expected_tag() {
            None => {
                self.answer_out_of_the_blue(packet);
                self.stats.discarded.unexpected += 1;
                return false;
            }
            Some(_) if may_be_reflected && first.flags & REFLECTED != 0 => {
                self.block.as_ref().is_some_and(|block| block.peer_tag == tag)
            }
            Some(expected) => expected == tag,
        };
        let is_setting_up = matches!(self.phase, Phase::CookieWait(_) | Phase::CookieEchoed { .. });
        // RFC 9260 §8.5.1 E: the peer's SHUTDOWN COMPLETE was lost with the association that is gone.
        if first.kind == kind::SHUTDOWN_ACK && is_setting_up {
            self.reply(Reply::Reflected { tag, is_shutdown_complete: true });
            self.stats.discarded.unexpected += 1;
            return false;
        }
        if !is_right {
            self.stats.discarded.verification_tag += 1;
        }
        is_right
    }

    /// RFC 9260 §8.4: a packet for an association that does not exist.
    fn answer_out_of_the_blue(&mut self, packet: &Packet<'_>) {
        let tag = packet.verification_tag;
        let has = |kinds: &[u8]| packet.chunks.flatten().any(|chunk| kinds.contains(&chunk.kind));
        // "If the OOTB packet contains an ABORT chunk, the receiver MUST silently discard the OOTB packet and take no further action."
        if has(&[kind::ABORT, kind::SHUTDOWN_COMPLETE, kind::COOKIE_ACK, kind::ERROR, kind::INIT_ACK]) {
            return;
        }
        // What ends the association is told first; it is not told again to each packet that was on its way.
        let is_shutdown_complete = has(&[kind::SHUTDOWN_ACK]);
        if is_shutdown_complete || self.reply.is_none() {
            self.reply(Reply::Reflected { tag, is_shutdown_complete });
        }
    }

    /// `has_sack`: the packet had one before this chunk.
    fn handle_chunk(&mut self, chunk: RawChunk<'_>, has_sack: &mut bool, now: Instant) -> Next {
        match chunk.kind {
            kind::DATA => self.handle_data(chunk),
            // One says all, and costs as much as is outstanding: a packet of them would be worth hundreds.
            kind::SACK if std::mem::replace(has_sack, true) => self.stats.discarded.unexpected += 1,
            _ => return self.handle_other_chunk(chunk, now),
        }
        if let Phase::Ended = self.phase { Next::Stop } else { Next::Continue }
    }

    /// By itself, so that data need not make room for what the others need.
    #[inline(never)]
    fn handle_other_chunk(&mut self, chunk: RawChunk<'_>, now: Instant) -> Next {
        match chunk.kind {
            kind::SACK => self.handle_sack(chunk, now),
            kind::HEARTBEAT => self.handle_heartbeat(chunk),
            kind::HEARTBEAT_ACK => self.handle_heartbeat_ack(chunk, now),
            kind::ABORT => self.handle_abort(chunk),
            kind::SHUTDOWN => self.handle_shutdown(chunk, now),
            kind::SHUTDOWN_ACK => self.handle_shutdown_ack(),
            kind::ERROR => self.handle_error(chunk),
            kind::COOKIE_ACK => self.handle_cookie_ack(),
            kind::SHUTDOWN_COMPLETE => {
                self.handle_shutdown_complete();
                return Next::Stop;
            }
            kind::RECONFIG => self.handle_reconfig(chunk),
            // RFC 4820 §4: it says nothing.
            kind::PAD => {}
            kind::FORWARD_TSN => self.handle_forward_tsn(chunk),
            kind::I_DATA if self.is_interleaving() => self.handle_i_data(chunk),
            kind::I_FORWARD_TSN if self.is_interleaving() => self.handle_i_forward_tsn(chunk),
            kind::INIT_ACK => self.handle_init_ack(chunk),
            // It was looked at before the others.
            kind::COOKIE_ECHO => {}
            // RFC 9260 §6.10: INIT is never bundled.
            kind::INIT => {
                self.stats.discarded.malformed += 1;
                return Next::Stop;
            }
            unknown => return self.handle_unknown(unknown, chunk),
        }
        if let Phase::Ended = self.phase { Next::Stop } else { Next::Continue }
    }

    fn handle_unknown(&mut self, unknown: u8, chunk: RawChunk<'_>) -> Next {
        self.stats.discarded.unknown_chunk += 1;
        let action = Unrecognized::chunk(unknown);
        if action.is_reported
            && let Some(block) = &mut self.block
        {
            block.report_quoted(code::UNRECOGNIZED_CHUNK, chunk.bytes);
        }
        if action.is_end { Next::Stop } else { Next::Continue }
    }

    fn handle_heartbeat(&mut self, chunk: RawChunk<'_>) {
        let max = ControlBlock::heartbeat_len_max(self.config.mtu);
        match self.block.as_mut().filter(|_| chunk.value.len() <= max) {
            Some(block) => {
                let ack = block.heartbeat_ack.get_or_insert_default();
                ack.clear();
                ack.extend_from_slice(chunk.value);
            }
            None => self.stats.discarded.heartbeat += 1,
        }
    }

    fn handle_heartbeat_ack(&mut self, chunk: RawChunk<'_>, now: Instant) {
        let Some(block) = &mut self.block else {
            self.stats.discarded.unexpected += 1;
            return;
        };
        let info = HeartbeatInfo::decode(chunk);
        if info.is_some_and(|info| block.path_mtu.handle_ack(info.nonce, now)) {
            block.silence.end();
            return self.follow_path_mtu();
        }
        match info.and_then(|info| block.heartbeat.handle_ack(info, now)) {
            Some(round_trip) => {
                block.transmission.rto_mut().measure(round_trip);
                block.silence.end();
            }
            None => self.stats.discarded.heartbeat += 1,
        }
    }
}
