//! Data and what is said about it, while the association is established (RFC 9260 §6, RFC 3758, RFC 6525).

use super::Association;
use super::reconfig::Answer;
use super::state::Phase;
use crate::cause::{self, code};
use crate::chunk::{Data, ForwardTsn, Sack};
use crate::event::{CloseReason, Event};
use crate::packet::RawChunk;
use crate::parameter::{self, OutgoingReset, Response, ResponseResult};
use crate::receive::TooLarge;
use crate::send::SackOutcome;
use crate::wire::{Reader, Tlv, Tlvs};
use std::time::Instant;

impl Association {
    pub(super) fn handle_data(&mut self, chunk: RawChunk<'_>) {
        let Some(data) = Data::decode(chunk) else {
            self.stats.discarded.malformed += 1;
            return;
        };
        let Some(block) = self.block.as_mut().filter(|_| self.phase.takes_data()) else {
            self.stats.discarded.unexpected += 1;
            return;
        };
        // RFC 9260 §6.2: "If an endpoint receives a DATA chunk with no user data (i.e., the Length field is set to 16), it
        // SHOULD send an ABORT chunk with a "No User Data" error cause."
        if data.payload.is_empty() {
            let reason = CloseReason::ProtocolViolation("a DATA chunk without data");
            return self.end_by_abort(code::NO_USER_DATA, &data.tsn.to_be_bytes(), reason);
        }
        if data.stream >= block.inbound_streams {
            block.report(Tlv { kind: code::INVALID_STREAM, value: &cause::invalid_stream(data.stream) });
            self.stats.discarded.invalid_stream += 1;
            let result = block.reception.take_undeliverable(data.tsn, &mut self.inbox, &mut self.stats);
            self.fail_if_too_large(result);
            return;
        }
        let result = block.reception.handle_data(&data, &mut self.inbox, &mut self.stats);
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
                block.errors = 0;
                block.reconfig.acknowledged(block.transmission.cumulative());
            }
            SackOutcome::Nothing => {}
        }
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
        let result = block.reception.handle_forward(forward, &mut self.inbox, &mut self.stats);
        self.fail_if_too_large(result);
    }

    pub(super) fn handle_reconfig(&mut self, chunk: RawChunk<'_>) {
        for parameter in Tlvs::new(chunk.value) {
            let is_ready = self.block.is_some() && self.phase.carries_data();
            let Some(parameter) = parameter.ok().filter(|_| is_ready) else {
                self.stats.discarded.reconfig += 1;
                return;
            };
            let is_understood = match parameter.kind {
                parameter::kind::OUTGOING_RESET => self.handle_reset_request(parameter.value),
                parameter::kind::RESPONSE => self.handle_reset_response(parameter.value),
                parameter::kind::INCOMING_RESET
                | parameter::kind::TSN_RESET
                | parameter::kind::ADD_OUTGOING
                | parameter::kind::ADD_INCOMING => self.deny(parameter.value),
                _ => None,
            };
            if is_understood.is_none() {
                self.stats.discarded.reconfig += 1;
            }
        }
    }

    /// Requests that data channels have no use for (RFC 8831 §6.2).
    fn deny(&mut self, value: &[u8]) -> Option<()> {
        let sequence = Reader::new(value).u32()?;
        let reconfig = &mut self.block.as_mut()?.reconfig;
        reconfig.is_new(sequence).then(|| reconfig.answer(sequence, ResponseResult::Denied))
    }

    fn handle_reset_request(&mut self, value: &[u8]) -> Option<()> {
        let request = OutgoingReset::decode(value)?;
        let block = self.block.as_mut()?;
        if !block.reconfig.is_new(request.sequence) {
            return None;
        }
        let has_all = block.reception.cumulative() >= block.reception.cumulative().nearest(request.last_tsn);
        let has_room = block.reception.window(&self.inbox) > 0;
        let streams: Vec<u16> = request.streams().collect();
        let result = if streams.iter().any(|stream| *stream >= block.inbound_streams) {
            ResponseResult::WrongSsn
        } else if has_all && has_room {
            if block.reconfig.perform(request, &streams) {
                block.reception.reset(&streams);
                self.inbox.stream_reset(streams);
            }
            ResponseResult::Performed
        } else {
            // RFC 6525 §5.2.2 E2: what was sent before has not all arrived; or nobody fetches the events of the last ones.
            ResponseResult::InProgress
        };
        block.reconfig.answer(request.sequence, result);
        Some(())
    }

    fn handle_reset_response(&mut self, value: &[u8]) -> Option<()> {
        let response = Response::decode(value)?;
        let block = self.block.as_mut()?;
        let (mut streams, is_reset) = match block.reconfig.handle_response(response, block.transmission.cumulative()) {
            Answer::Unknown => return None,
            Answer::Later => {
                block.errors = 0;
                return Some(());
            }
            Answer::Done { streams, last_tsn } => {
                block.transmission.set_reset_barrier(last_tsn);
                (streams, true)
            }
            Answer::Refused { streams } => (streams, false),
        };
        block.errors = 0;
        streams.retain(|stream| self.queue.end_reset(*stream, is_reset));
        if streams.is_empty() {
            return Some(());
        }
        self.notices.push_back(if is_reset {
            Event::OutgoingStreamReset { streams }
        } else {
            Event::OutgoingStreamResetRefused { streams }
        });
        Some(())
    }
}
