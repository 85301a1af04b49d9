//! Data and what is said about it, while the association is established (RFC 9260 §6, RFC 3758, RFC 8260).

use super::Association;
use super::state::Phase;
use crate::cause::{self, code};
use crate::chunk::{Data, ForwardTsn, IData, IForwardTsn, Sack};
use crate::event::CloseReason;
use crate::packet::RawChunk;
use crate::receive::TooLarge;
use crate::send::{Format, SackOutcome};
use crate::wire::Tlv;
use std::time::Instant;

impl Association {
    pub(super) fn handle_data(&mut self, chunk: RawChunk<'_>) {
        let Some(data) = Data::decode(chunk) else {
            self.stats.discarded.malformed += 1;
            return;
        };
        if self.may_take(data.tsn, data.stream, data.payload, Format::Data)
            && let Some(block) = &mut self.block
        {
            let result = block.reception.handle_data(&data, &mut self.inbox, &mut self.stats);
            self.data_taken(result);
        }
    }

    pub(super) fn handle_i_data(&mut self, chunk: RawChunk<'_>) {
        let Some(data) = IData::decode(chunk) else {
            self.stats.discarded.malformed += 1;
            return;
        };
        if self.may_take(data.tsn, data.stream, data.payload, Format::Interleaved)
            && let Some(block) = &mut self.block
        {
            let result = block.reception.handle_i_data(&data, &mut self.inbox, &mut self.stats);
            self.data_taken(result);
        }
    }

    /// Whether user data is taken now, on this stream, in this kind of chunk. If not, whatever is owed for it is.
    #[inline(always)]
    fn may_take(&mut self, tsn: u32, stream: u16, payload: &[u8], format: Format) -> bool {
        let Some(block) = self.block.as_mut().filter(|_| self.phase.takes_data()) else {
            self.stats.discarded.unexpected += 1;
            return false;
        };
        // RFC 8260 §2.1: after the negotiation all user messages are in I-DATA chunks, or none is.
        if format != Format::new(block.extensions.has_interleaving) {
            let reason = CloseReason::ProtocolViolation("user data in chunks that were not agreed on");
            self.end_by_abort(code::PROTOCOL_VIOLATION, b"DATA and I-DATA", reason);
            return false;
        }
        // RFC 9260 §6.2: "If an endpoint receives a DATA chunk with no user data (i.e., the Length field is set to 16), it
        // SHOULD send an ABORT chunk with a "No User Data" error cause."
        if payload.is_empty() {
            let reason = CloseReason::ProtocolViolation("a DATA chunk without data");
            self.end_by_abort(code::NO_USER_DATA, &tsn.to_be_bytes(), reason);
            return false;
        }
        if stream >= block.inbound_streams {
            block.report(Tlv { kind: code::INVALID_STREAM, value: &cause::invalid_stream(stream) });
            self.stats.discarded.invalid_stream += 1;
            let result = block.reception.take_undeliverable(tsn, &mut self.inbox, &mut self.stats);
            self.fail_if_too_large(result);
            return false;
        }
        true
    }

    #[inline]
    fn data_taken(&mut self, result: Result<(), TooLarge>) {
        self.fail_if_too_large(result);
        // RFC 9260 §9.2: "While in the SHUTDOWN-SENT state, the SHUTDOWN chunk sender MUST immediately respond to each
        // received packet containing one or more DATA chunks with a SHUTDOWN chunk".
        if let Phase::ShutdownSent { attempt, .. } = &mut self.phase {
            attempt.owe();
        }
    }

    fn fail_if_too_large(&mut self, result: Result<(), TooLarge>) {
        if let Err(TooLarge) = result {
            let reason = CloseReason::ProtocolViolation("a message longer than it may be");
            self.end_by_abort(code::PROTOCOL_VIOLATION, b"message too large", reason);
        }
    }

    pub(super) fn handle_sack(&mut self, chunk: RawChunk<'_>, now: Instant) {
        let Some(sack) = Sack::decode(chunk) else {
            self.stats.discarded.malformed += 1;
            return;
        };
        let Some(block) = self.block.as_mut().filter(|_| self.phase.carries_data()) else {
            self.stats.discarded.unexpected += 1;
            return;
        };
        match block.transmission.handle_sack(sack, now, &mut self.queue, &mut self.stats) {
            SackOutcome::Invalid => self.stats.discarded.invalid_sack += 1,
            // RFC 9260 §8.1: "The counter used for endpoint failure detection MUST be reset each time a DATA chunk sent to
            // that peer endpoint is acknowledged (by the reception of a SACK chunk)."
            SackOutcome::News => {
                block.silence.end();
                if self.config.send_buffer_max > self.config.send_buffer {
                    self.queue.set_capacity(block.transmission.buffer_len());
                }
                block.reconfig.acknowledged(block.transmission.cumulative());
            }
            SackOutcome::Nothing => {}
        }
        self.leave_black_hole(now);
        self.progress_shutdown();
    }

    pub(super) fn handle_forward_tsn(&mut self, chunk: RawChunk<'_>) {
        let Some(forward) = ForwardTsn::decode(chunk) else {
            self.stats.discarded.malformed += 1;
            return;
        };
        let Some(block) =
            self.block.as_mut().filter(|block| self.phase.takes_data() && block.extensions.has_forward_tsn)
        else {
            self.stats.discarded.unexpected += 1;
            return;
        };
        if block.extensions.has_interleaving {
            let reason = CloseReason::ProtocolViolation("a FORWARD TSN where I-FORWARD-TSN was agreed on");
            return self.end_by_abort(code::PROTOCOL_VIOLATION, b"FORWARD TSN", reason);
        }
        let result = block.reception.handle_forward(forward, &mut self.inbox, &mut self.stats);
        self.fail_if_too_large(result);
    }

    pub(super) fn handle_i_forward_tsn(&mut self, chunk: RawChunk<'_>) {
        let Some(forward) = IForwardTsn::decode(chunk) else {
            self.stats.discarded.malformed += 1;
            return;
        };
        match self.block.as_mut().filter(|block| self.phase.takes_data() && block.extensions.has_forward_tsn) {
            Some(block) => block.reception.handle_i_forward(forward, &mut self.inbox),
            None => self.stats.discarded.unexpected += 1,
        }
    }
}
