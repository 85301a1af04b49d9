//! Messages that wait to be sent for the first time: a queue for each stream, message by message in turn.

use super::account::Account;
use super::outstanding::{Chunk, Lifetime};
use super::stream::{Message, Reset, Stamp, Streams};
use crate::chunk::{BEGINNING, ENDING, UNORDERED};
use crate::{Reliability, SendOptions};
use bytes::Bytes;
use std::collections::{BTreeSet, VecDeque};
use std::time::Instant;

/// Why a message was not queued.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Full(Bytes),
    Resetting(Bytes),
}

/// All streams' messages. What has nothing queued is never looked at.
#[derive(Debug)]
pub(crate) struct Queue {
    streams: Streams,
    account: Account,
    /// The streams that have messages, each once, in turn. A message that was begun is at the front until it has ended.
    ready: VecDeque<u16>,
    unstamped: Vec<u16>,
    /// Streams that are to be reset, and have nothing left to send.
    drained: BTreeSet<u16>,
}

impl Queue {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            streams: Streams::default(),
            account: Account::new(capacity),
            ready: VecDeque::new(),
            unstamped: Vec::new(),
            drained: BTreeSet::new(),
        }
    }

    pub(crate) fn push(&mut self, id: u16, ppid: u32, data: Bytes, options: SendOptions) -> Result<(), Refused> {
        let stream = self.streams.get_or_insert(id);
        if stream.reset != Reset::Idle {
            return Err(Refused::Resetting(data));
        }
        if !self.account.admit(data.len()) {
            return Err(Refused::Full(data));
        }
        let (max_retransmits, expiry) = match options.reliability {
            Reliability::Reliable => (None, Stamp::Never),
            Reliability::MaxRetransmits(times) => (Some(times), Stamp::Never),
            Reliability::MaxLifetime(lifetime) => (None, Stamp::Pending(lifetime)),
        };
        if expiry != Stamp::Never {
            self.unstamped.push(id);
        }
        self.account.charge_message(data.len(), stream);
        let is_unordered = options.unordered;
        stream.messages.push_back(Message { ppid, data, is_unordered, is_begun: false, max_retransmits, expiry });
        if stream.messages.len() == 1 {
            self.ready.push_back(id);
        }
        Ok(())
    }

    /// Lets the lifetimes of new messages begin.
    pub(crate) fn stamp(&mut self, now: Instant) {
        for id in self.unstamped.drain(..) {
            if let Some(stream) = self.streams.get_mut(id) {
                stream.stamp(now);
            }
        }
    }

    /// Whether a lifetime has not begun.
    pub(crate) const fn is_unstamped(&self) -> bool {
        !self.unstamped.is_empty()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    fn next(&self) -> Option<&Message> {
        self.streams.get(*self.ready.front()?)?.messages.front()
    }

    /// How many bytes the next chunk carries, of at most `max`.
    pub(crate) fn next_len(&self, max: usize) -> Option<usize> {
        self.next().map(|message| message.data.len().min(max))
    }

    /// When the next message will have lived too long.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        self.next()?.expiry.at()
    }

    /// Discards messages that have lived too long, as far as they are next. `Some`: one of them had been begun.
    pub(crate) fn expire(&mut self, now: Instant, abandoned: &mut u64) -> Option<Chunk> {
        while self.next_expiry().is_some_and(|at| at <= now) {
            let begun = self.drop_begun();
            if begun.is_some() {
                return begun;
            }
            *abandoned += 1;
            self.pop_front();
        }
        None
    }

    /// Discards the rest of the message that was begun, if there is one. The chunk stands for it.
    pub(crate) fn drop_begun(&mut self) -> Option<Chunk> {
        let id = *self.ready.front()?;
        let stream = self.streams.get_mut(id)?;
        let message = stream.messages.front().filter(|message| message.is_begun)?;
        let (ppid, is_unordered) = (message.ppid, message.is_unordered);
        let ssn = stream.ssn(is_unordered, true);
        self.pop_front();
        let flags = ENDING | if is_unordered { UNORDERED } else { 0 };
        Some(Chunk::new(Bytes::new(), ppid, id, ssn, flags, Lifetime::default()))
    }

    /// Cuts off the next chunk, of `len` bytes, which `next_len` has told.
    pub(crate) fn cut(&mut self, len: usize) -> Option<Chunk> {
        let id = *self.ready.front()?;
        let stream = self.streams.get_mut(id)?;
        let message = stream.messages.front_mut()?;
        let is_end = len >= message.data.len();
        let payload = if is_end { std::mem::take(&mut message.data) } else { message.data.split_to(len) };
        let mut flags = if message.is_unordered { UNORDERED } else { 0 };
        if !std::mem::replace(&mut message.is_begun, true) {
            flags |= BEGINNING;
        }
        let lifetime = Lifetime { max_retransmits: message.max_retransmits, expires: message.expiry.at() };
        let (ppid, is_unordered) = (message.ppid, message.is_unordered);
        let ssn = stream.ssn(is_unordered, is_end);
        self.account.uncharge(payload.len(), id, stream);
        if is_end {
            flags |= ENDING;
            self.pop_front();
        }
        Some(Chunk::new(payload, ppid, id, ssn, flags, lifetime))
    }

    /// Discards the message at the front with what it charges, and lets the next stream have its turn.
    fn pop_front(&mut self) {
        let Some(id) = self.ready.pop_front() else { return };
        let Some(stream) = self.streams.get_mut(id) else { return };
        let Some(message) = stream.messages.pop_front() else { return };
        stream.unstamped_from = stream.unstamped_from.saturating_sub(1);
        if !stream.messages.is_empty() {
            self.ready.push_back(id);
        } else if stream.reset == Reset::Wanted {
            self.drained.insert(id);
        }
        self.account.uncharge_message(message.data.len(), id, stream);
    }

    pub(crate) fn buffered(&self, stream: u16) -> usize {
        self.streams.get(stream).map_or(0, |stream| stream.buffered)
    }

    pub(crate) const fn buffered_total(&self) -> usize {
        self.account.buffered()
    }

    /// How often a stream was looked at.
    pub(crate) const fn visits(&self) -> u64 {
        self.streams.visits
    }

    pub(crate) fn set_threshold(&mut self, stream: u16, threshold: usize) {
        self.streams.get_or_insert(stream).threshold = threshold;
    }

    pub(crate) fn take_low(&mut self) -> Option<u16> {
        let id = self.account.take_low()?;
        if let Some(stream) = self.streams.get_mut(id) {
            stream.is_low_owed = false;
        }
        Some(id)
    }

    pub(crate) fn take_writable(&mut self) -> bool {
        self.account.take_writable()
    }

    pub(crate) fn has_event(&self) -> bool {
        self.account.has_event()
    }

    /// Nothing new is taken on the stream; once all was sent, it is among `drained`.
    pub(crate) fn begin_reset(&mut self, id: u16) {
        let stream = self.streams.get_or_insert(id);
        stream.reset = match stream.reset {
            Reset::Idle | Reset::Wanted => Reset::Wanted,
            Reset::UnderWay | Reset::UnderWayAndWanted => Reset::UnderWayAndWanted,
        };
        if stream.reset == Reset::Wanted && stream.messages.is_empty() {
            self.drained.insert(id);
        }
    }

    pub(crate) fn has_drained(&self) -> bool {
        !self.drained.is_empty()
    }

    /// Takes up to `max` streams that are to be reset and have nothing left to send: the peer is being asked.
    pub(crate) fn take_drained(&mut self, max: usize) -> Vec<u16> {
        let taken: Vec<_> = self.drained.iter().copied().take(max).collect();
        for id in &taken {
            self.drained.remove(id);
            if let Some(stream) = self.streams.get_mut(*id) {
                stream.reset = Reset::UnderWay;
            }
        }
        taken
    }

    /// The peer was asked: the stream begins anew if it `is_reset`, and else goes on. `false`: it is to be reset once more.
    pub(crate) fn end_reset(&mut self, id: u16, is_reset: bool) -> bool {
        let Some(stream) = self.streams.get_mut(id) else { return true };
        let is_wanted = is_reset && stream.reset == Reset::UnderWayAndWanted;
        stream.reset = if is_wanted { Reset::Wanted } else { Reset::Idle };
        if is_reset {
            stream.next_ssn = 0;
        }
        if is_wanted {
            self.drained.insert(id);
        } else if stream.is_unused() {
            self.streams.remove(id);
        }
        !is_wanted
    }

    /// No stream is to be reset any more; returns those that were.
    pub(crate) fn cancel_resets(&mut self) -> Vec<u16> {
        self.drained.clear();
        let streams = self.streams.iter_mut();
        streams.filter_map(|(id, stream)| (std::mem::take(&mut stream.reset) != Reset::Idle).then_some(id)).collect()
    }

    /// Discards what waits on streams from `streams` on; returns those that had messages or waited to be reset.
    pub(crate) fn limit_streams(&mut self, streams: u16) -> Vec<u16> {
        self.ready.retain(|id| *id < streams);
        self.drained.retain(|id| *id < streams);
        let Self { streams: all, account, .. } = self;
        let refused = all.iter_mut().filter(|(id, _)| *id >= streams);
        refused.filter_map(|(id, stream)| stream.clear(id, account).then_some(id)).collect()
    }

    /// Every stream begins anew, and has nothing to send.
    pub(crate) fn clear(&mut self) {
        self.ready.clear();
        self.unstamped.clear();
        self.drained.clear();
        for (id, stream) in self.streams.iter_mut() {
            stream.clear(id, &mut self.account);
            stream.next_ssn = 0;
        }
        self.streams.retain_used();
    }

    pub(crate) fn invariants(&self) {
        self.account.invariants(self.streams.all());
        debug_assert_eq!(self.ready.len(), self.streams.all().filter(|stream| !stream.messages.is_empty()).count());
    }
}
