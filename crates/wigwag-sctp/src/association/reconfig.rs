//! Resetting streams, both ways, and TSNs, and adding streams (RFC 6525). One request is under way at a time; what comes meanwhile
//! waits for the next.

use super::state::Attempt;
use crate::config::MTU_MIN;
use crate::migration::state;
use crate::packet::{CHUNK_HEADER_LEN, HEADER_LEN};
use crate::parameter::{
    self, ADD_STREAMS_LEN, AddStreams, INCOMING_RESET_HEADER_LEN, IncomingReset, NextTsns, OutgoingReset,
    RESET_HEADER_LEN, RESPONSE_LEN, Response, ResponseResult, TSN_RESET_LEN, write_tsn_reset,
};
use crate::send::Queue;
use crate::serial::Tsn;
use crate::wire::padding;
use std::collections::VecDeque;
use std::time::Instant;

/// As many streams of one request as go into any packet, however small the MTU becomes before it is answered.
const STREAMS_MAX: usize = (MTU_MIN - HEADER_LEN - CHUNK_HEADER_LEN - RESET_HEADER_LEN) / 4 * 2;

/// Requests that may wait for their turn.
const WISHES_MAX: usize = 64;

/// What the peer shall agree to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Streams of ours begin anew behind this TSN.
    Outgoing {
        streams: Vec<u16>,
        last_tsn: Tsn,
    },
    /// Streams of the peer's begin anew.
    Incoming {
        streams: Vec<u16>,
    },
    /// Every stream begins anew, and the TSNs of both go on elsewhere.
    Association,
    AddOutgoing {
        count: u16,
    },
    AddIncoming {
        count: u16,
    },
}

impl Wish {
    /// Whether a packet has room for it.
    const fn fits(&self) -> bool {
        match self {
            Self::Outgoing { streams, .. } | Self::Incoming { streams } => streams.len() <= STREAMS_MAX,
            Self::Association | Self::AddOutgoing { .. } | Self::AddIncoming { .. } => true,
        }
    }
}

/// What the peer is being asked.
#[derive(Debug)]
struct Request {
    sequence: u32,
    wish: Wish,
    attempt: Attempt,
    /// Everything before was acknowledged already when this was sent last.
    was_acknowledged: bool,
    /// The peer has answered that not everything before has arrived.
    is_deferred: bool,
    /// TSNs were reset as the peer asked for while it was asked for the same.
    is_crossed: bool,
}

/// What became of our request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It was not the one that was waited for.
    Unknown,
    Later,
    Done(Wish),
    Refused(Wish),
}

/// Both directions.
#[derive(Debug)]
pub(crate) struct Reconfig {
    next_sequence: u32,
    request: Option<Request>,
    wishes: VecDeque<Wish>,
    /// The last of the peer's requests, and what it was told of it.
    last_answer: Response,
    owed_answer: Option<Response>,
    /// A reset of the peer's, its TSN and streams, that was performed after the peer had been told to try again.
    performed_late: Option<(u32, Vec<u16>)>,
    /// The same of a reset of TSNs.
    reset_late: Option<NextTsns>,
}

state!(struct Reconfig { next_sequence, request, wishes, last_answer, owed_answer, performed_late } anew { reset_late: |_| None } if |reconfig, _| {
    let asked = reconfig.request.iter().map(|request| &request.wish);
    reconfig.wishes.len() <= WISHES_MAX && asked.chain(&reconfig.wishes).all(Wish::fits)
});
state!(struct Request { sequence, wish, attempt, was_acknowledged, is_deferred } anew { is_crossed: |_| false });
state!(enum Wish {
    0: Outgoing { streams, last_tsn },
    1: Incoming { streams },
    2: Association,
    3: AddOutgoing { count },
    4: AddIncoming { count },
});

impl Reconfig {
    /// Whether the peer is being asked to reset TSNs.
    pub(crate) fn is_asking_for_tsns(&self) -> bool {
        self.request.as_ref().is_some_and(|request| request.wish == Wish::Association)
    }

    // RFC 6525 §4.1: the first sequence numbers are the initial TSNs.
    pub(crate) const fn new(local_tsn: u32, peer_tsn: u32) -> Self {
        Self {
            next_sequence: local_tsn,
            request: None,
            wishes: VecDeque::new(),
            last_answer: Response::new(peer_tsn.wrapping_sub(1), ResponseResult::NothingToDo),
            owed_answer: None,
            performed_late: None,
            reset_late: None,
        }
    }

    /// The peer shall be asked for this when its turn comes. `false`: too much waits already.
    pub(crate) fn wish(&mut self, wish: Wish) -> bool {
        let has_room = self.wishes.len() < WISHES_MAX;
        if has_room {
            self.wishes.push_back(wish);
        }
        has_room
    }

    /// Whether nothing new may be sent: TSNs are about to be reset.
    pub(crate) fn is_holding(&self) -> bool {
        let is_association = |wish: &Wish| *wish == Wish::Association;
        self.request.as_ref().is_some_and(|request| is_association(&request.wish))
            || self.wishes.front().is_some_and(is_association)
    }

    /// `is_quiet`: all that was sent is acknowledged, and no message is begun.
    pub(crate) fn is_owed(&self, queue: &Queue, is_quiet: bool) -> bool {
        self.owed_answer.is_some()
            || match &self.request {
                Some(request) => request.attempt.is_owed(),
                None => self.may_begin(is_quiet) || queue.has_drained(),
            }
    }

    /// Whether there is anything to ask or to answer, now or later.
    #[inline]
    pub(crate) fn is_busy(&self, queue: &Queue) -> bool {
        self.owed_answer.is_some() || self.request.is_some() || !self.wishes.is_empty() || queue.has_drained()
    }

    fn may_begin(&self, is_quiet: bool) -> bool {
        self.wishes.front().is_some_and(|wish| is_quiet || *wish != Wish::Association)
    }

    pub(crate) fn attempt_mut(&mut self) -> Option<&mut Attempt> {
        self.request.as_mut().map(|request| &mut request.attempt)
    }

    pub(crate) fn attempt(&self) -> Option<&Attempt> {
        self.request.as_ref().map(|request| &request.attempt)
    }

    pub(crate) const fn answer_len(&self) -> Option<usize> {
        if self.owed_answer.is_some() { Some(CHUNK_HEADER_LEN + RESPONSE_LEN) } else { None }
    }

    pub(crate) fn write_answer(&mut self, out: &mut Vec<u8>) {
        if let Some(answer) = self.owed_answer.take() {
            crate::chunk::write_reconfig(out, |out| answer.write(out));
        }
    }

    /// Makes a request of what is wished for, or of the streams that have nothing left to send, as many as go into one. Returns the last
    /// TSN of such streams.
    pub(crate) fn begin(
        &mut self,
        queue: &mut Queue,
        last_tsn: Tsn,
        is_quiet: bool,
        attempt: impl FnOnce() -> Attempt,
    ) -> Option<Tsn> {
        if self.request.is_some() {
            return None;
        }
        let wish = if queue.has_drained() {
            Wish::Outgoing { streams: queue.take_drained(STREAMS_MAX), last_tsn }
        } else if self.may_begin(is_quiet)
            && let Some(wish) = self.wishes.pop_front()
        {
            wish
        } else {
            return None;
        };
        let last_tsn = if let Wish::Outgoing { last_tsn, .. } = wish { Some(last_tsn) } else { None };
        let sequence = self.take_sequence();
        self.request = Some(Request {
            sequence,
            wish,
            attempt: attempt(),
            was_acknowledged: false,
            is_deferred: false,
            is_crossed: false,
        });
        last_tsn
    }

    const fn take_sequence(&mut self) -> u32 {
        let sequence = self.next_sequence;
        self.next_sequence = sequence.wrapping_add(1);
        sequence
    }

    pub(crate) fn request_len(&self) -> Option<usize> {
        let request = self.request.as_ref().filter(|request| request.attempt.is_owed())?;
        let len = match &request.wish {
            Wish::Outgoing { streams, .. } => RESET_HEADER_LEN + 2 * streams.len(),
            Wish::Incoming { streams } => INCOMING_RESET_HEADER_LEN + 2 * streams.len(),
            Wish::Association => TSN_RESET_LEN,
            Wish::AddOutgoing { .. } | Wish::AddIncoming { .. } => ADD_STREAMS_LEN,
        };
        Some(CHUNK_HEADER_LEN + len + padding(len))
    }

    pub(crate) fn write_request(&mut self, now: Instant, acknowledged: Tsn, out: &mut Vec<u8>) {
        let answered = self.last_answer.sequence;
        let Some(Request { sequence, wish, attempt, was_acknowledged, .. }) = &mut self.request else { return };
        let sequence = *sequence;
        attempt.sent(now);
        *was_acknowledged = true;
        if let Wish::Outgoing { last_tsn, .. } = wish {
            *was_acknowledged = acknowledged >= *last_tsn;
        }
        crate::chunk::write_reconfig(out, |out| match wish {
            Wish::Outgoing { streams, last_tsn } => {
                OutgoingReset::write(sequence, answered, last_tsn.wire(), streams, out)
            }
            Wish::Incoming { streams } => IncomingReset::write(sequence, streams, out),
            Wish::Association => write_tsn_reset(sequence, out),
            Wish::AddOutgoing { count } => {
                AddStreams { sequence, count: *count }.write(parameter::kind::ADD_OUTGOING, out)
            }
            Wish::AddIncoming { count } => {
                AddStreams { sequence, count: *count }.write(parameter::kind::ADD_INCOMING, out)
            }
        });
    }

    /// The answer to our request; everything up to `acknowledged` is known to have arrived.
    pub(crate) fn handle_response(&mut self, response: Response, acknowledged: Tsn) -> Answer {
        let Some(mut request) = self.request.take_if(|request| request.sequence == response.sequence) else {
            return Answer::Unknown;
        };
        match response.result {
            ResponseResult::NothingToDo | ResponseResult::Performed => Answer::Done(request.wish),
            // The peer had not got everything. It has answered this number, so the next try takes another: once
            // everything is acknowledged, or when the timer expires if that is not what the peer waits for.
            ResponseResult::InProgress => {
                request.sequence = self.take_sequence();
                request.is_deferred = !request.was_acknowledged;
                self.request = Some(request);
                self.acknowledged(acknowledged);
                Answer::Later
            }
            ResponseResult::Denied
            | ResponseResult::WrongSsn
            | ResponseResult::AlreadyInProgress
            | ResponseResult::BadSequenceNumber => Answer::Refused(request.wish),
        }
    }

    /// A request of the peer: whether it is to be looked at. Otherwise it is answered, as before or by a refusal.
    pub(crate) fn is_new(&mut self, sequence: u32) -> bool {
        let last = self.last_answer;
        if sequence == last.sequence.wrapping_add(1) || sequence == last.sequence && last.is_in_progress() {
            return true;
        }
        let refusal = Response::new(sequence, ResponseResult::BadSequenceNumber);
        self.owed_answer = Some(if sequence == last.sequence { last } else { refusal });
        false
    }

    /// Everything up to here is known to have arrived: a request that waited for it waits no longer.
    pub(crate) fn acknowledged(&mut self, cumulative: Tsn) {
        if let Some(Request { wish: Wish::Outgoing { last_tsn, .. }, attempt, is_deferred, .. }) = &mut self.request
            && cumulative >= *last_tsn
            && std::mem::take(is_deferred)
        {
            attempt.owe();
        }
    }

    /// Whether the streams begin anew now, and not before: a peer that was told to try again does so under another number
    /// or under the same, and what was performed under the same may be tried once more under another. Nothing was
    /// sent on the streams since, so the last TSN is the same.
    pub(crate) fn perform(&mut self, request: OutgoingReset<'_>, streams: &[u16]) -> bool {
        let is_tried_again = self.last_answer.sequence == request.sequence;
        let performed = is_tried_again.then(|| (request.last_tsn, streams.to_vec()));
        let before = std::mem::replace(&mut self.performed_late, performed);
        before.is_none_or(|(last_tsn, before)| last_tsn != request.last_tsn || before != streams)
    }

    /// Whether TSNs may be reset as the peer asks for, though it may be asked for the same. Once, for it may have done that before it asked, and
    /// its answer, which is on its way, is of these TSNs then; after another time it would be of those of long ago.
    pub(crate) fn may_reset(&mut self) -> bool {
        match &mut self.request {
            Some(Request { wish: Wish::Association, is_crossed, .. }) => !std::mem::replace(is_crossed, true),
            _ => true,
        }
    }

    /// The same of a reset of TSNs as `perform` of one of streams, as long as the peer has sent nothing since: what it was told then.
    pub(crate) fn reset_before(&self, next: u32) -> Option<NextTsns> {
        self.reset_late.filter(|tsns| tsns.receiver == next)
    }

    /// TSNs are reset at the peer's request.
    pub(crate) fn reset(&mut self, sequence: u32, next_tsns: NextTsns) {
        let is_tried_again = self.last_answer.sequence == sequence;
        self.respond(Response { sequence, result: ResponseResult::Performed, next_tsns: Some(next_tsns) });
        self.reset_late = is_tried_again.then_some(next_tsns);
    }

    /// TSNs go on elsewhere, ours behind this one and the peer's behind that: what is asked is about what was before.
    pub(crate) const fn begin_anew(&mut self, ours: Tsn, theirs: u32) {
        if let Some(Request { wish: Wish::Outgoing { last_tsn, .. }, .. }) = &mut self.request {
            *last_tsn = ours;
        }
        if let Some((last_tsn, _)) = &mut self.performed_late {
            *last_tsn = theirs;
        }
    }

    pub(crate) const fn answer(&mut self, sequence: u32, result: ResponseResult) {
        self.respond(Response::new(sequence, result));
        self.reset_late = None;
    }

    pub(crate) const fn respond(&mut self, response: Response) {
        self.last_answer = response;
        self.owed_answer = Some(response);
    }
}
