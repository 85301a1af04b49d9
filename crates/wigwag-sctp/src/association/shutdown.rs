//! Ending in good order, and the peer's endings (RFC 9260 §9).

use super::control_block::ControlBlock;
use super::state::Phase;
use super::{Association, Reply};
use crate::Config;
use crate::cause::code;
use crate::chunk::{Abort, REFLECTED, SHUTDOWN_LEN, read_shutdown, write_shutdown, write_shutdown_ack};
use crate::event::CloseReason;
use crate::packet::{CHUNK_HEADER_LEN, RawChunk};
use crate::send::SackOutcome;
use bytes::Bytes;
use std::time::Instant;
use wigwag_sansio::Timer;

const REASON_LEN_MAX: usize = 128;

impl Association {
    /// Goes on once everything was sent and acknowledged.
    //
    // RFC 9260 §9.2: "remains there until all outstanding data has been acknowledged by its peer"
    #[inline(always)]
    pub(super) fn progress_shutdown(&mut self) {
        if let Phase::ShutdownPending | Phase::ShutdownReceived = self.phase {
            self.progress_shutdown_if_done();
        }
    }

    fn progress_shutdown_if_done(&mut self) {
        let is_done = self.queue.is_empty() && self.block.as_ref().is_some_and(|block| block.transmission.is_done());
        match self.phase {
            Phase::ShutdownPending if is_done => {
                self.phase = Phase::ShutdownSent { attempt: self.new_attempt(), guard: Timer::idle() };
            }
            Phase::ShutdownReceived if is_done => self.phase = Phase::ShutdownAckSent(self.new_attempt()),
            Phase::Idle
            | Phase::CookieWait(_)
            | Phase::CookieEchoed { .. }
            | Phase::Established
            | Phase::ShutdownPending
            | Phase::ShutdownSent { .. }
            | Phase::ShutdownReceived
            | Phase::ShutdownAckSent(_)
            | Phase::Ended => {}
        }
    }

    pub(super) fn handle_shutdown(&mut self, chunk: RawChunk<'_>, now: Instant) {
        let Some(cumulative) = read_shutdown(chunk) else {
            self.stats.discarded.malformed += 1;
            return;
        };
        match self.phase {
            Phase::Established | Phase::ShutdownPending | Phase::ShutdownReceived => {
                let Some(block) = &mut self.block else { return };
                match block.transmission.handle_cumulative(cumulative, now) {
                    // A SACK may have overtaken it; the peer shuts down all the same.
                    SackOutcome::Invalid => self.stats.discarded.invalid_sack += 1,
                    SackOutcome::News => block.silence.end(),
                    SackOutcome::Nothing => {}
                }
                // Before, there may be such messages; since then nothing was begun.
                if let Phase::Established = self.phase {
                    self.give_up_all_open();
                }
                if self.is_ended() {
                    return;
                }
                self.phase = Phase::ShutdownReceived;
                self.progress_shutdown();
            }
            // Both have shut down.
            Phase::ShutdownSent { .. } => self.phase = Phase::ShutdownAckSent(self.new_attempt()),
            Phase::ShutdownAckSent(ref mut attempt) => attempt.owe(),
            Phase::Idle | Phase::CookieWait(_) | Phase::CookieEchoed { .. } | Phase::Ended => {
                self.stats.discarded.unexpected += 1;
            }
        }
    }

    pub(super) fn handle_shutdown_ack(&mut self) {
        match (&self.phase, &self.block) {
            (Phase::ShutdownSent { .. } | Phase::ShutdownAckSent(_), Some(block)) => {
                let tag = block.peer_tag;
                self.reply(Reply::ShutdownComplete { tag });
                self.end(CloseReason::Shutdown);
            }
            _ => self.stats.discarded.unexpected += 1,
        }
    }

    pub(super) fn handle_shutdown_complete(&mut self) {
        if let Phase::ShutdownAckSent(_) = self.phase {
            self.end(CloseReason::Shutdown);
        } else {
            self.stats.discarded.unexpected += 1;
        }
    }

    /// T5: the peer took too long.
    pub(super) fn time_out_guard(&mut self, now: Instant) {
        if let Phase::ShutdownSent { guard, .. } = &mut self.phase
            && guard.expire(now)
        {
            self.end_by_abort(code::USER_ABORT, &[], CloseReason::ShutdownTimedOut);
        }
    }

    /// Ends the association, and tells the peer, if there is one.
    pub(super) fn end_by_abort(&mut self, cause: u16, value: &[u8], reason: CloseReason) {
        if let Some(block) = &self.block {
            self.reply(Reply::abort(block.peer_tag, cause, value));
        }
        self.end(reason);
    }

    pub(super) fn handle_abort(&mut self, chunk: RawChunk<'_>) {
        // All that either has sent is acknowledged, and whoever reflects a tag has nothing left (RFC 9260 §8.4): its SHUTDOWN COMPLETE
        // is late or lost.
        if let Phase::ShutdownAckSent(_) = self.phase
            && chunk.flags & REFLECTED != 0
        {
            return self.end(CloseReason::Shutdown);
        }
        let cause = Abort::decode(chunk).causes.next().and_then(Result::ok);
        let text = cause.map(|cause| cause.value).unwrap_or_default();
        let reason = Bytes::copy_from_slice(text.get(..REASON_LEN_MAX).unwrap_or(text));
        self.end(CloseReason::PeerAborted { cause: cause.map(|cause| cause.kind), reason });
    }
}

#[inline]
pub(super) fn write_shutdown_chunks(
    phase: &mut Phase,
    block: &mut ControlBlock,
    config: &Config,
    now: Instant,
    end: usize,
    out: &mut Vec<u8>,
) {
    if let Phase::ShutdownSent { attempt, guard } = phase
        && attempt.is_owed()
        && out.len() + SHUTDOWN_LEN <= end
    {
        write_shutdown(block.reception.cumulative().wire(), out);
        block.reception.told_cumulative();
        attempt.sent(now);
        if !guard.is_armed() {
            // RFC 9260 §9.2: "If the T5-shutdown-guard timer is used, it SHOULD be set to the RECOMMENDED value of 5 times
            // 'RTO.Max'."
            *guard = Timer::after(now, config.shutdown_guard);
        }
    } else if let Phase::ShutdownAckSent(attempt) = phase
        && attempt.is_owed()
        && out.len() + CHUNK_HEADER_LEN <= end
    {
        write_shutdown_ack(out);
        attempt.sent(now);
    }
}
