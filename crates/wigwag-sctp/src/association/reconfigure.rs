//! What the peer asks for, and what it says to what we have asked for (RFC 6525 §5.2).

use super::Association;
use super::control_block::ControlBlock;
use super::reconfig::{Answer, Wish};
use crate::error::ResetError;
use crate::event::Event;
use crate::packet::RawChunk;
use crate::parameter::{
    self, AddStreams, IncomingReset, NextTsns, OutgoingReset, Response, ResponseResult, read_tsn_reset,
};
use crate::wire::Tlvs;

/// How far TSNs go on from where they were when they are reset: too far to be taken for one of before.
const TSN_JUMP: u32 = 1 << 30;
/// The streams of one request to reset streams of the peer's.
const STREAMS_ASKED_MAX: usize = 200;

impl Association {
    /// Asks the peer to begin its own streams anew (RFC 6525 §4.2); none: all of them. Once it has,
    /// [`Event::IncomingStreamReset`] tells; it may refuse.
    ///
    /// # Errors
    /// If the peer cannot be asked: see [`ResetError`].
    pub fn request_reset(&mut self, streams: &[u16]) -> Result<(), ResetError> {
        if let Some(&stream) = streams.iter().find(|stream| **stream >= self.inbound_streams()) {
            return Err(ResetError::NoSuchStream { stream, streams: self.inbound_streams() });
        }
        if streams.is_empty() {
            return self.wish(Wish::Incoming { streams: Vec::new() });
        }
        streams.chunks(STREAMS_ASKED_MAX).try_for_each(|part| self.wish(Wish::Incoming { streams: part.to_vec() }))
    }

    /// Asks the peer to let every stream and the TSNs of both sides begin anew (RFC 6525 §4.3). Meanwhile nothing new is sent;
    /// [`Event::AssociationReset`] tells when it is done. The peer may refuse.
    ///
    /// # Errors
    /// If the peer cannot be asked: see [`ResetError`].
    pub fn reset_association(&mut self) -> Result<(), ResetError> {
        self.wish(Wish::Association)
    }

    /// Asks the peer for so many more streams: ours, and its own (RFC 6525 §4.5, §4.6). [`Event::StreamsAdded`] tells when
    /// there are. The peer may refuse.
    ///
    /// # Errors
    /// If the peer cannot be asked: see [`ResetError`].
    pub fn add_streams(&mut self, outbound: u16, inbound: u16) -> Result<(), ResetError> {
        let has_room = self.outbound_streams().checked_add(outbound).is_some()
            && self.inbound_streams().checked_add(inbound).is_some_and(|streams| streams <= self.config.streams_max);
        if !has_room {
            return Err(ResetError::TooMany);
        }
        if outbound > 0 {
            self.wish(Wish::AddOutgoing { count: outbound })?;
        }
        if inbound > 0 {
            self.wish(Wish::AddIncoming { count: inbound })?;
        }
        Ok(())
    }

    fn wish(&mut self, wish: Wish) -> Result<(), ResetError> {
        let carries_data = self.phase.carries_data() && !self.is_shutdown_wanted;
        let Some(block) = self.block.as_mut().filter(|_| carries_data) else { return Err(ResetError::Closed) };
        if !block.extensions.has_reconfig {
            return Err(ResetError::NotSupported);
        }
        let is_taken = block.reconfig.wish(wish);
        block.transmission.hold(block.reconfig.is_holding());
        self.invariants();
        if is_taken { Ok(()) } else { Err(ResetError::TooMany) }
    }

    pub(super) fn handle_reconfig(&mut self, chunk: RawChunk<'_>) {
        for parameter in Tlvs::new(chunk.value) {
            // What the peer has yet to send may wait for the answer, as its data are taken.
            let is_ready = self.block.is_some() && (self.phase.carries_data() || self.phase.takes_data());
            let Some(parameter) = parameter.ok().filter(|_| is_ready) else {
                self.stats.discarded.reconfig += 1;
                return;
            };
            let value = parameter.value;
            let is_understood = match parameter.kind {
                parameter::kind::OUTGOING_RESET => self.handle_reset_request(value),
                parameter::kind::RESPONSE => self.handle_reset_response(value),
                parameter::kind::INCOMING_RESET => self.handle_incoming_request(value),
                parameter::kind::TSN_RESET => self.handle_tsn_reset(value),
                parameter::kind::ADD_OUTGOING => self.handle_add_outgoing(value),
                parameter::kind::ADD_INCOMING => self.handle_add_incoming(value),
                _ => None,
            };
            if is_understood.is_none() {
                self.stats.discarded.reconfig += 1;
            }
        }
    }

    /// The part of the association that is asked, if the request is a new one.
    fn asked(&mut self, sequence: u32) -> Option<&mut ControlBlock> {
        let block = self.block.as_mut()?;
        block.reconfig.is_new(sequence).then_some(block)
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
                block.reception.reset(&streams, &mut self.inbox);
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

    /// RFC 6525 §5.2.3: streams of ours shall begin anew.
    fn handle_incoming_request(&mut self, value: &[u8]) -> Option<()> {
        let request = IncomingReset::decode(value)?;
        let sequence = request.sequence;
        let mut streams: Vec<u16> = request.streams().collect();
        let (is_allowed, is_all) = (self.config.takes_stream_reset_requests, streams.is_empty());
        self.asked(sequence)?;
        let outbound = self.outbound_streams();
        let result = if !is_allowed || !self.phase.takes_messages() {
            ResponseResult::Denied
        } else if streams.iter().any(|stream| *stream >= outbound) {
            ResponseResult::WrongSsn
        } else {
            if is_all {
                streams = self.queue.used();
            }
            streams.iter().for_each(|stream| self.queue.begin_reset(*stream));
            if streams.is_empty() { ResponseResult::NothingToDo } else { ResponseResult::Performed }
        };
        self.block.as_mut()?.reconfig.answer(sequence, result);
        Some(())
    }

    /// RFC 6525 §5.2.4: everything begins anew.
    fn handle_tsn_reset(&mut self, value: &[u8]) -> Option<()> {
        let sequence = read_tsn_reset(value)?;
        self.asked(sequence)?;
        let Self { block: Some(block), queue, config, inbox, .. } = self else { return None };
        if let Some(next_tsns) = block.reconfig.reset_before(block.reception.cumulative().next().wire()) {
            block.reconfig.reset(sequence, next_tsns);
            return Some(());
        }
        let is_quiet = block.is_quiet(queue) && !block.reception.has_gaps() && block.reception.window(inbox) > 0;
        if !config.takes_association_resets || !is_quiet || !block.reconfig.may_reset() {
            let may_come = config.takes_association_resets;
            block.reconfig.answer(sequence, if may_come { ResponseResult::InProgress } else { ResponseResult::Denied });
            return Some(());
        }
        let next_tsns = NextTsns {
            sender: block.transmission.last_tsn().wire().wrapping_add(TSN_JUMP),
            receiver: block.reception.cumulative().wire().wrapping_add(TSN_JUMP),
        };
        block.reconfig.reset(sequence, next_tsns);
        self.begin_anew(next_tsns.sender, next_tsns.receiver);
        Some(())
    }

    /// We go on with this TSN, and the peer with that.
    fn begin_anew(&mut self, ours: u32, theirs: u32) {
        if let Some(block) = &mut self.block {
            block.transmission.restart(ours);
            block.reconfig.begin_anew(block.transmission.last_tsn(), theirs.wrapping_sub(1));
            block.reception.restart(theirs, &mut self.inbox);
            self.queue.begin_anew();
            self.inbox.association_reset();
        }
    }

    /// RFC 6525 §5.2.5: the peer has more streams.
    fn handle_add_outgoing(&mut self, value: &[u8]) -> Option<()> {
        let AddStreams { sequence, count } = AddStreams::decode(value)?;
        let max = if self.config.takes_stream_additions { self.config.streams_max } else { 0 };
        let block = self.asked(sequence)?;
        match block.inbound_streams.checked_add(count).filter(|streams| *streams <= max) {
            Some(streams) => {
                block.inbound_streams = streams;
                block.reconfig.answer(sequence, ResponseResult::Performed);
                self.tell_streams();
            }
            None => block.reconfig.answer(sequence, ResponseResult::Denied),
        }
        Some(())
    }

    /// RFC 6525 §5.2.6: we shall have more streams, and ask for them ourselves.
    fn handle_add_incoming(&mut self, value: &[u8]) -> Option<()> {
        let AddStreams { sequence, count } = AddStreams::decode(value)?;
        let is_allowed = self.config.takes_stream_additions;
        let block = self.asked(sequence)?;
        let has_room = block.outbound_streams.checked_add(count).is_some();
        let is_taken = is_allowed && has_room && block.reconfig.wish(Wish::AddOutgoing { count });
        block.reconfig.answer(sequence, if is_taken { ResponseResult::Performed } else { ResponseResult::Denied });
        Some(())
    }

    fn tell_streams(&mut self) {
        let (outbound, inbound) = (self.outbound_streams(), self.inbound_streams());
        // One for each is enough, however often the peer adds some.
        self.notices.retain(|notice| !matches!(notice, Event::StreamsAdded { .. }));
        self.notices.push_back(Event::StreamsAdded { outbound, inbound });
    }

    fn handle_reset_response(&mut self, value: &[u8]) -> Option<()> {
        let response = Response::decode(value)?;
        let block = self.block.as_mut()?;
        let answer = block.reconfig.handle_response(response, block.transmission.cumulative());
        if answer == Answer::Unknown {
            return None;
        }
        block.silence.end();
        match answer {
            Answer::Unknown | Answer::Later => {}
            Answer::Done(wish) => self.granted(wish, response.next_tsns),
            Answer::Refused(wish) => self.refused(wish),
        }
        if let Some(block) = &mut self.block {
            block.transmission.hold(block.reconfig.is_holding());
        }
        Some(())
    }

    fn granted(&mut self, wish: Wish, next_tsns: Option<NextTsns>) {
        match wish {
            Wish::Outgoing { streams, .. } => self.end_resets(streams, true),
            // The peer's own request follows, or has come.
            Wish::Incoming { .. } | Wish::AddIncoming { .. } => {}
            Wish::Association => match next_tsns {
                // The peer had asked for the same, and has had it: what was sent since is not forgotten.
                Some(next) if self.next_tsn() == Some(next.receiver) => {}
                Some(NextTsns { sender, receiver }) => self.begin_anew(receiver, sender),
                None => self.refused(Wish::Association),
            },
            Wish::AddOutgoing { count } => {
                if let Some(block) = &mut self.block {
                    block.outbound_streams = block.outbound_streams.saturating_add(count);
                }
                self.tell_streams();
            }
        }
    }

    fn next_tsn(&self) -> Option<u32> {
        self.block.as_ref().map(|block| block.transmission.last_tsn().next().wire())
    }

    fn refused(&mut self, wish: Wish) {
        let notice = match wish {
            Wish::Outgoing { streams, .. } => return self.end_resets(streams, false),
            Wish::Incoming { streams } => Event::IncomingStreamResetRefused { streams },
            Wish::Association => Event::AssociationResetRefused,
            Wish::AddOutgoing { .. } | Wish::AddIncoming { .. } => Event::StreamAdditionRefused,
        };
        self.notices.push_back(notice);
    }

    fn end_resets(&mut self, mut streams: Vec<u16>, is_reset: bool) {
        streams.retain(|stream| self.queue.end_reset(*stream, is_reset));
        if streams.is_empty() {
            return;
        }
        self.notices.push_back(if is_reset {
            Event::OutgoingStreamReset { streams }
        } else {
            Event::OutgoingStreamResetRefused { streams }
        });
    }
}
