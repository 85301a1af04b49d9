//! Resetting streams (RFC 6525). One request is under way at a time; what comes meanwhile waits for the next.

use super::state::Attempt;
use crate::packet::CHUNK_HEADER_LEN;
use crate::parameter::{OutgoingReset, RESET_HEADER_LEN, RESPONSE_LEN, Response, ResponseResult};
use crate::send::Queue;
use crate::serial::Tsn;
use crate::wire::padding;

/// Streams that the peer shall expect to begin anew.
#[derive(Debug)]
struct Request {
    sequence: u32,
    last_tsn: Tsn,
    streams: Vec<u16>,
    attempt: Attempt,
    /// The peer has answered that not everything before has arrived.
    is_deferred: bool,
}

/// What became of our request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It was not the one that was waited for.
    Unknown,
    Later,
    Done {
        streams: Vec<u16>,
        last_tsn: Tsn,
    },
    Refused {
        streams: Vec<u16>,
    },
}

/// Both directions.
#[derive(Debug)]
pub(crate) struct Reconfig {
    next_sequence: u32,
    request: Option<Request>,
    /// The last of the peer's requests, and what it was told of it.
    last_answer: Response,
    is_answer_owed: bool,
    /// The last reset of the peer's that was performed: its TSN and streams.
    performed: Option<(u32, Vec<u16>)>,
}

impl Reconfig {
    // RFC 6525 §4.1: the first sequence numbers are the initial TSNs.
    pub(crate) const fn new(local_tsn: u32, peer_tsn: u32) -> Self {
        Self {
            next_sequence: local_tsn,
            request: None,
            last_answer: Response { sequence: peer_tsn.wrapping_sub(1), result: ResponseResult::NothingToDo },
            is_answer_owed: false,
            performed: None,
        }
    }

    pub(crate) fn is_owed(&self, queue: &Queue) -> bool {
        self.is_answer_owed || self.request.as_ref().map_or(queue.has_drained(), |request| request.attempt.is_owed())
    }

    pub(crate) fn attempt_mut(&mut self) -> Option<&mut Attempt> {
        self.request.as_mut().map(|request| &mut request.attempt)
    }

    pub(crate) fn attempt(&self) -> Option<&Attempt> {
        self.request.as_ref().map(|request| &request.attempt)
    }

    pub(crate) const fn answer_len(&self) -> Option<usize> {
        if self.is_answer_owed { Some(CHUNK_HEADER_LEN + RESPONSE_LEN) } else { None }
    }

    pub(crate) fn write_answer(&mut self, out: &mut Vec<u8>) {
        let answer = self.last_answer;
        crate::chunk::write_reconfig(out, |out| answer.write(out));
        self.is_answer_owed = false;
    }

    /// Makes a request of the streams that have nothing left to send, as many as go into `room`.
    pub(crate) fn begin(&mut self, queue: &mut Queue, last_tsn: Tsn, room: usize, attempt: impl FnOnce() -> Attempt) {
        let Some(streams_max) = room.checked_sub(CHUNK_HEADER_LEN + RESET_HEADER_LEN).map(|room| room / 4 * 2) else {
            return;
        };
        if self.request.is_none() && streams_max > 0 && queue.has_drained() {
            let streams = queue.take_drained(streams_max);
            self.request = Some(Request {
                sequence: self.take_sequence(),
                last_tsn,
                streams,
                attempt: attempt(),
                is_deferred: false,
            });
        }
    }

    const fn take_sequence(&mut self) -> u32 {
        let sequence = self.next_sequence;
        self.next_sequence = sequence.wrapping_add(1);
        sequence
    }

    pub(crate) fn request_len(&self) -> Option<usize> {
        let request = self.request.as_ref().filter(|request| request.attempt.is_owed())?;
        let len = CHUNK_HEADER_LEN + RESET_HEADER_LEN + 2 * request.streams.len();
        Some(len + padding(len))
    }

    pub(crate) fn write_request(&mut self, now: std::time::Instant, out: &mut Vec<u8>) {
        let answered = self.last_answer.sequence;
        if let Some(Request { sequence, last_tsn, streams, attempt, .. }) = &mut self.request {
            let last_tsn = last_tsn.wire();
            crate::chunk::write_reconfig(out, |out| OutgoingReset::write(*sequence, answered, last_tsn, streams, out));
            attempt.sent(now);
        }
    }

    pub(crate) fn handle_response(&mut self, response: Response) -> Answer {
        let Some(mut request) = self.request.take_if(|request| request.sequence == response.sequence) else {
            return Answer::Unknown;
        };
        match response.result {
            ResponseResult::NothingToDo | ResponseResult::Performed => {
                Answer::Done { streams: request.streams, last_tsn: request.last_tsn }
            }
            // The peer has not got everything yet. It has answered this number, so the next try takes another: when
            // everything has been acknowledged, or else when the timer expires.
            ResponseResult::InProgress => {
                request.sequence = self.take_sequence();
                request.is_deferred = true;
                self.request = Some(request);
                Answer::Later
            }
            ResponseResult::Denied
            | ResponseResult::WrongSsn
            | ResponseResult::AlreadyInProgress
            | ResponseResult::BadSequenceNumber => Answer::Refused { streams: request.streams },
        }
    }

    /// A request of the peer: whether it is to be looked at. Otherwise it is answered, as before or by a refusal.
    pub(crate) fn is_new(&mut self, sequence: u32) -> bool {
        let last = self.last_answer;
        if sequence == last.sequence {
            self.is_answer_owed = true;
            return last.result == ResponseResult::InProgress;
        }
        if sequence == last.sequence.wrapping_add(1) {
            return true;
        }
        false
    }

    /// Everything up to here is known to have arrived: a request that waited for it waits no longer.
    pub(crate) fn acknowledged(&mut self, cumulative: Tsn) {
        if let Some(request) = &mut self.request
            && cumulative >= request.last_tsn
            && std::mem::take(&mut request.is_deferred)
        {
            request.attempt.owe();
        }
    }

    /// Which of these streams really begin anew. A request that was tried again under another number may have been
    /// performed under its first one: nothing was sent since, so its last TSN is the same.
    pub(crate) fn perform(&mut self, last_tsn: u32, streams: Vec<u16>) -> Option<Vec<u16>> {
        let before = self.performed.replace((last_tsn, streams.clone()));
        let Some((_, before)) = before.filter(|(tsn, _)| *tsn == last_tsn) else { return Some(streams) };
        let fresh: Vec<u16> = streams.iter().copied().filter(|stream| !before.contains(stream)).collect();
        let is_same = if streams.is_empty() { before.is_empty() } else { fresh.is_empty() };
        (!is_same).then_some(fresh)
    }

    pub(crate) const fn answer(&mut self, sequence: u32, result: ResponseResult) {
        self.last_answer = Response { sequence, result };
        self.is_answer_owed = true;
    }
}
