//! What is owed, and the packets that it goes into. Every chunk is looked at before it is taken: what does not fit
//! stays owed.

use super::Association;
use super::control_block::ControlBlock;
use super::shutdown::write_shutdown_chunks;
use super::state::{Attempt, Phase};
use crate::chunk::{
    COOKIE_ECHO_HEADER_LEN, HEARTBEAT_LEN, HeartbeatInfo, INIT_HEADER_LEN, SACK_HEADER_LEN, write_cookie_ack,
    write_cookie_echo, write_error, write_heartbeat, write_heartbeat_ack, write_pad,
};
use crate::packet::{self, CHUNK_HEADER_LEN, Checksum, HEADER_LEN};
use crate::wire::padding;
use std::time::Instant;
use wigwag_sansio::Rng;

/// An INIT with all its parameters.
const INIT_LEN: usize = INIT_HEADER_LEN + 8 + 4 + 8;

impl Association {
    /// Appends one packet of at most `limit` bytes, or changes nothing and says `false`.
    pub fn poll_packet(&mut self, now: Instant, limit: usize, out: &mut Vec<u8>) -> bool {
        let now = self.advance(now);
        self.expire_messages(now);
        let is_written =
            limit >= HEADER_LEN && (self.write_reply(now, limit, out) || self.write_packet(now, limit, out));
        self.stats.packets_sent += u64::from(is_written);
        self.progress_shutdown();
        self.invariants();
        is_written
    }

    /// Gives up messages that have lived too long, once their turn has come.
    pub(super) fn expire_messages(&mut self, now: Instant) {
        self.queue.stamp(now);
        if let Some(block) = self.block.as_mut().filter(|_| self.phase.carries_data()) {
            block.transmission.expire(now, &mut self.queue, &mut self.stats);
        }
    }

    fn write_reply(&mut self, now: Instant, limit: usize, out: &mut Vec<u8>) -> bool {
        let Some(reply) = self.reply.take() else { return false };
        let start = out.len();
        let is_written = packet::write(self.ports(), reply.tag(), Checksum::Crc, out, |out| {
            reply.write(out, |ack, out| self.write_init_ack(ack, now, out));
        });
        if out.len() - start > limit {
            out.truncate(start);
            self.reply = Some(reply);
            return false;
        }
        is_written
    }

    /// Whether `poll_packet` has something to write, if there is room.
    pub(super) fn owes_packet(&self, now: Instant) -> bool {
        if self.reply.is_some() || self.phase.attempt().is_some_and(Attempt::is_owed) {
            return true;
        }
        let Some(block) = &self.block else { return false };
        if let Phase::CookieEchoed { .. } = self.phase {
            return false;
        }
        block.is_cookie_ack_owed
            || !block.causes.is_empty()
            || block.heartbeat_ack.as_ref().is_some_and(|ack| !ack.is_empty())
            || block.reception.owes_sack()
            || block.reconfig.answer_len().is_some()
            || self.phase.carries_data()
                && (block.heartbeat.is_owed()
                    || block.path_mtu.is_owed()
                    || block.reconfig.is_owed(&self.queue, block.is_quiet(&self.queue))
                    || block.transmission.is_owed(now, &self.queue))
    }

    fn write_packet(&mut self, now: Instant, limit: usize, out: &mut Vec<u8>) -> bool {
        match &mut self.phase {
            Phase::Idle | Phase::Ended => false,
            Phase::CookieWait(attempt) => {
                let is_due = attempt.is_owed() && HEADER_LEN + INIT_LEN <= limit;
                if is_due {
                    attempt.sent(now);
                }
                is_due && packet::write(self.ports(), 0, Checksum::Crc, out, |out| _ = self.write_init(out))
            }
            Phase::CookieEchoed { cookie, attempt } => {
                let len = HEADER_LEN + COOKIE_ECHO_HEADER_LEN + cookie.len();
                let Some(block) = self.block.as_mut().filter(|_| attempt.is_owed() && len + padding(len) <= limit)
                else {
                    return false;
                };
                attempt.sent(now);
                let ports = (self.config.local_port, self.config.remote_port);
                let end = out.len() + limit.min(self.mtu);
                packet::write(ports, block.peer_tag, Checksum::Crc, out, |out| {
                    write_cookie_echo(cookie, out);
                    block.write_errors(end, out);
                })
            }
            Phase::Established
            | Phase::ShutdownPending
            | Phase::ShutdownSent { .. }
            | Phase::ShutdownReceived
            | Phase::ShutdownAckSent(_) => self.write_established(now, limit, out),
        }
    }

    fn write_established(&mut self, now: Instant, limit: usize, out: &mut Vec<u8>) -> bool {
        let ports = self.ports();
        let carries_data = self.phase.carries_data();
        let Self { block: Some(block), queue, inbox, phase, rng, stats, config, mtu, .. } = self else { return false };
        while carries_data && block.path_mtu.is_owed() {
            if block.path_mtu.probe_len() > limit {
                block.path_mtu.has_no_room(now);
                continue;
            }
            return write_probe(ports, block, rng, now, out);
        }
        // What was cut for a larger packet than is now allowed goes as it is, if it may at all.
        let resend_size = block.transmission.may_resend(now).filter(|_| carries_data);
        let largest = resend_size.map_or(0, |size| HEADER_LEN + size + padding(size));
        let end = out.len() + limit.min(largest.max(*mtu));
        // What has no use of a longer packet is not lost with one.
        let control_end = out.len() + limit.min(config.mtu);
        // RFC 9653 §5.2: the peer has told that it needs no checksum, and what it relies on instead protects us too.
        let is_protected = config.zero_checksum && block.extensions.accepts_zero_checksum;
        let checksum = if is_protected { Checksum::Zero } else { Checksum::Crc };
        packet::write(ports, block.peer_tag, checksum, out, |out| {
            let start = out.len();
            block.write_control(control_end, out);
            write_shutdown_chunks(phase, block, config, now, control_end, out);
            let goes_along = |out: &Vec<u8>| match block.transmission.next_size(now, queue).filter(|_| carries_data) {
                Some(size) => out.len() + SACK_HEADER_LEN + size + padding(size) <= end,
                None => out.len() > start,
            };
            if block.reception.owes_sack() || block.reception.has_news() && goes_along(out) {
                block.reception.write_sack(control_end, inbox, out);
            }
            if !carries_data {
                return block.write_answer(control_end, out);
            }
            if block.reconfig.is_busy(queue) {
                let attempt = Attempt::new(block.transmission.rto().current(), config.rto_max);
                let is_quiet = block.is_quiet(queue);
                if let Some(last) = block.reconfig.begin(queue, block.transmission.last_tsn(), is_quiet, || attempt) {
                    block.transmission.add_reset_barrier(last);
                }
                block.write_reconfig(now, control_end, out);
            }
            block.transmission.hold(block.reconfig.is_holding());
            if block.heartbeat.is_owed() && out.len() + HEARTBEAT_LEN <= control_end {
                let info = HeartbeatInfo { nonce: rng.u64() };
                write_heartbeat(info, out);
                block.heartbeat.sent(info, now, block.transmission.rto().current());
            }
            block.transmission.end(matches!(phase, Phase::ShutdownPending));
            let data_start = out.len();
            block.transmission.write(now, end, out, queue, stats);
            if out.len() > data_start {
                block.heartbeat.data_sent(now);
            }
        })
    }
}

/// A packet as long as the path may carry: a HEARTBEAT and padding (RFC 4820 §5).
fn write_probe(ports: (u16, u16), block: &mut ControlBlock, rng: &mut Rng, now: Instant, out: &mut Vec<u8>) -> bool {
    let info = HeartbeatInfo { nonce: rng.u64() };
    let padding = block.path_mtu.probe_len().saturating_sub(HEADER_LEN + HEARTBEAT_LEN);
    block.path_mtu.sent(info.nonce, block.transmission.rto().current(), now);
    packet::write(ports, block.peer_tag, Checksum::Crc, out, |out| {
        write_heartbeat(info, out);
        write_pad(padding, out);
    })
}

impl ControlBlock {
    #[inline]
    fn write_control(&mut self, end: usize, out: &mut Vec<u8>) {
        if self.is_cookie_ack_owed && out.len() + CHUNK_HEADER_LEN <= end {
            write_cookie_ack(out);
            self.is_cookie_ack_owed = false;
        }
        self.write_errors(end, out);
        if let Some(ack) = &mut self.heartbeat_ack
            && !ack.is_empty()
            && out.len() + CHUNK_HEADER_LEN + ack.len() + padding(ack.len()) <= end
        {
            write_heartbeat_ack(ack, out);
            ack.clear();
        }
    }

    #[inline]
    fn write_errors(&mut self, end: usize, out: &mut Vec<u8>) {
        if !self.causes.is_empty() && out.len() + CHUNK_HEADER_LEN + self.causes.len() <= end {
            write_error(&self.causes, out);
            self.causes.clear();
        }
    }

    fn write_answer(&mut self, end: usize, out: &mut Vec<u8>) {
        if self.reconfig.answer_len().is_some_and(|len| out.len() + len <= end) {
            self.reconfig.write_answer(out);
        }
    }

    fn write_reconfig(&mut self, now: Instant, end: usize, out: &mut Vec<u8>) {
        self.write_answer(end, out);
        if self.reconfig.request_len().is_some_and(|len| out.len() + len <= end) {
            self.reconfig.write_request(now, self.transmission.cumulative(), out);
        }
    }
}
