//! Messages that are given in parts, and leave while the rest is still to come.
//!
//! All of an open message may leave but for its last byte: no fragment is empty, and the end is told on one (RFC 9260 §3.3.1). A
//! message of which nothing may leave is starved: it waits aside, whoever's turn it is, until it is fed.

use super::queue::{Queue, Refused};
use super::stream::{Message, Stream};
use crate::SendOptions;
use crate::migration::state;
use crate::serial::Tsn;
use bytes::Bytes;
use std::collections::VecDeque;

/// What a message has beyond one that is whole.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// What follows `Message::data`; none is empty.
    waiting: VecDeque<Bytes>,
    waiting_len: usize,
    /// Bytes of all that was given.
    total: usize,
    is_finished: bool,
}

/// Whether a stream has a message that more is to come of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum InParts {
    #[default]
    Idle,
    /// It is the last one of the stream.
    Open,
    /// It was given up, and who gives the parts does not know yet.
    Abandoned,
}

state!(struct Parts { waiting, total, is_finished } anew { waiting_len: |_| 0 } => then |mut parts, _| {
    parts.waiting_len = parts.waiting.iter().map(Bytes::len).sum();
    parts.waiting.iter().all(|part| !part.is_empty()).then_some(parts)
});
state!(enum InParts { 0: Idle, 1: Open, 2: Abandoned });

impl Message {
    /// Whether it may be so: what waits is behind something, and of one that was begun or is whole something is left.
    pub(super) fn is_possible(&self) -> bool {
        let (len, unsent) = (self.total(), self.unsent());
        let is_behind = !self.data.is_empty() || unsent == 0;
        let is_left = unsent > 0 || self.is_open() && !self.is_begun();
        is_behind && is_left && unsent <= len && self.is_begun() == (unsent < len) && (self.len > 0 || len == 0)
    }

    pub(super) fn is_open(&self) -> bool {
        self.parts.as_ref().is_some_and(|parts| !parts.is_finished)
    }

    /// Bytes that were not sent.
    pub(super) fn unsent(&self) -> usize {
        self.data.len() + self.parts.as_ref().map_or(0, |parts| parts.waiting_len)
    }

    /// Bytes that may be sent.
    #[inline]
    pub(super) fn sendable(&self) -> usize {
        if self.is_open() { self.unsent().saturating_sub(1) } else { self.unsent() }
    }

    pub(super) fn is_ready(&self) -> bool {
        self.sendable() > 0
    }

    /// How many parts wait behind the first one.
    pub(super) fn parts_waiting(&self) -> usize {
        self.parts.as_ref().map_or(0, |parts| parts.waiting.len())
    }

    fn total(&self) -> usize {
        self.parts.as_ref().map_or(self.len, |parts| parts.total)
    }

    fn push_part(&mut self, part: Bytes) {
        let Some(parts) = &mut self.parts else { return };
        parts.total = parts.total.saturating_add(part.len());
        if self.data.is_empty() {
            self.data = part;
        } else {
            parts.waiting_len += part.len();
            parts.waiting.push_back(part);
        }
    }

    /// Cuts off the next `len` bytes. Copies them if they are of several parts, and nothing else.
    #[inline(always)]
    pub(super) fn cut(&mut self, len: usize) -> Bytes {
        let Some(parts) = &mut self.parts else {
            return if len >= self.data.len() { std::mem::take(&mut self.data) } else { self.data.split_to(len) };
        };
        let mut payload = self.data.split_to(len.min(self.data.len()));
        if payload.len() < len {
            let mut gathered = Vec::with_capacity(len);
            gathered.extend_from_slice(&payload);
            while gathered.len() < len
                && let Some(mut part) = parts.next()
            {
                gathered.extend_from_slice(&part.split_to((len - gathered.len()).min(part.len())));
                self.data = part;
            }
            payload = gathered.into();
        }
        if self.data.is_empty()
            && let Some(part) = parts.next()
        {
            self.data = part;
        }
        payload
    }
}

impl Parts {
    fn next(&mut self) -> Option<Bytes> {
        let part = self.waiting.pop_front()?;
        self.waiting_len -= part.len();
        Some(part)
    }
}

impl Stream {
    /// The message that more is to come of, if there is one. Tells once that it was given up.
    fn open_message(&mut self, part: Bytes) -> Result<(&mut Message, Bytes), Refused> {
        let is_abandoned = self.in_parts == InParts::Abandoned;
        if is_abandoned {
            self.in_parts = InParts::Idle;
        }
        match self.messages.back_mut().filter(|message| message.is_open()) {
            Some(message) => Ok((message, part)),
            None if is_abandoned => Err(Refused::Abandoned),
            None => Err(Refused::NotOpen(part)),
        }
    }
}

impl Queue {
    /// Begins a message whose parts are to come.
    pub(crate) fn begin(&mut self, id: u16, ppid: u32, options: SendOptions) -> Result<(), Refused> {
        self.enqueue(id, ppid, Bytes::new(), Some(Box::default()), options)?;
        if let Some(stream) = self.streams.get_mut(id) {
            stream.in_parts = InParts::Open;
        }
        Ok(())
    }

    /// Takes the next part of the stream's open message, which may have `max` bytes. If nothing of it could leave before, the part
    /// finds room: what waits behind it, in this stream or another, may be what fills the buffer.
    pub(crate) fn append(&mut self, id: u16, part: Bytes, max: usize) -> Result<(), Refused> {
        let Some(stream) = self.streams.get_mut(id) else { return Err(Refused::NotOpen(part)) };
        let is_needed = stream.is_starved && (stream.has_begun() || self.lines.is_idle());
        let (message, part) = stream.open_message(part)?;
        let len = part.len();
        let total = message.total().saturating_add(len);
        if total > max {
            return Err(Refused::TooLarge(total));
        }
        if len == 0 {
            return Ok(());
        }
        if !is_needed && !self.account.admit(len) {
            return Err(Refused::Full(part));
        }
        let (was_len, waiting) = (message.len, message.parts_waiting());
        message.push_part(part);
        message.len = total.min(self.lines.counted_max());
        let grown = if message.is_begun() { message.len.saturating_sub(was_len) } else { 0 };
        let is_further = message.parts_waiting() > waiting;
        self.lines.grow(grown);
        self.account.charge_part(len, is_further, stream);
        self.lines.feed(id, stream);
        Ok(())
    }

    /// Nothing more comes of the stream's open message.
    pub(crate) fn finish(&mut self, id: u16) -> Result<(), Refused> {
        let Some(stream) = self.streams.get_mut(id) else { return Err(Refused::NotOpen(Bytes::new())) };
        let (message, _) = stream.open_message(Bytes::new())?;
        if message.total() == 0 {
            self.drop_fresh_open(id);
            return Err(Refused::Empty);
        }
        if let Some(parts) = &mut message.parts {
            parts.is_finished = true;
        }
        stream.in_parts = InParts::Idle;
        self.lines.feed(id, stream);
        Ok(())
    }

    /// Whether more is to come of a message of the stream; and whether something of it was sent.
    pub(crate) fn open(&self, id: u16) -> Option<bool> {
        let stream = self.streams.get(id)?;
        let message = stream.messages.back().filter(|message| message.is_open())?;
        Some(message.is_begun())
    }

    /// Whether more is to come of any message.
    pub(crate) fn has_open(&self) -> bool {
        self.streams.all().any(|stream| stream.messages.back().is_some_and(Message::is_open))
    }

    /// The streams that have an open message.
    pub(crate) fn all_open(&mut self) -> Vec<u16> {
        let is_open = |stream: &Stream| stream.messages.back().is_some_and(Message::is_open);
        self.streams.iter_mut().filter(|(_, stream)| is_open(stream)).map(|(id, _)| id).collect()
    }

    /// Discards the stream's open message, of which nothing was sent.
    pub(crate) fn drop_fresh_open(&mut self, id: u16) {
        let last = self.streams.get(id).and_then(|stream| stream.messages.len().checked_sub(1));
        if let Some(index) = last {
            self.remove(id, index);
        }
        self.forget_open(id);
    }

    /// Whoever gives the parts knows that the message was given up.
    pub(crate) fn forget_open(&mut self, id: u16) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        stream.in_parts = InParts::Idle;
        if stream.is_unused() {
            self.streams.remove(id);
        }
    }

    /// As `drop_begun`, of a message that more was to come of.
    pub(crate) fn drop_open(&mut self, id: u16, tsn: Tsn) -> Option<super::outstanding::Chunk> {
        let chunk = self.drop_begun(id, tsn);
        self.forget_open(id);
        chunk
    }
}
