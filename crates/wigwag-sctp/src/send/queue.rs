//! Messages that wait to be sent for the first time: a queue for each stream, and whose turn it is.
//!
//! In DATA chunks a message that was begun is ended before another begins. In I-DATA chunks each chunk is a turn of its own
//! (RFC 8260); but no more long messages are begun than the peer has room for together, or none of them would end.

use super::account::Account;
use super::lines::{Lines, Next};
use super::outstanding::{Chunk, ChunkState, Format, Lifetime};
use super::parts::{InParts, Parts};
use super::schedule::PRIORITY_DEFAULT;
use super::stream::{Message, Reset, Stamp, Stream, Streams};
use crate::chunk::{BEGINNING, ENDING, UNORDERED};
use crate::config::Scheduler;
use crate::map::Map;
use crate::migration::{Reader, state};
use crate::serial::Tsn;
use crate::{Reliability, SendOptions};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::time::Instant;
use wigwag_sansio::earliest;

/// Why a message was not queued.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Full(Bytes),
    Resetting(Bytes),
    /// A message is open on the stream.
    Open(Bytes),
    /// None is.
    NotOpen(Bytes),
    /// It was given up.
    Abandoned,
    /// It would have so many bytes.
    TooLarge(usize),
    /// It has none.
    Empty,
}

/// All streams' messages. What has nothing queued is never looked at.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(super) streams: Streams,
    pub(super) account: Account,
    /// The streams that have messages.
    pub(super) lines: Lines,
    arrivals: u64,
    unstamped: Vec<u16>,
    /// How many messages have a lifetime: if none has, none is looked at for it.
    timed: usize,
    /// Streams that are to be reset, and have nothing left to send.
    drained: BTreeSet<u16>,
    /// Messages that may give way to more important ones, the least important last; and how many did.
    by_priority: Map<(u32, u64), u16>,
    displaced: u64,
}

state!(struct Queue { streams, account, lines, arrivals, displaced } anew {
    unstamped: |_| Vec::new(), timed: |_| 0, drained: |_| BTreeSet::new(), by_priority: |_| Map::new(),
} => then Self::resumed);

impl Queue {
    /// What follows from the streams.
    fn resumed(mut self, _: &mut Reader<'_>) -> Option<Self> {
        let Self { streams, account, lines, arrivals, timed, drained, by_priority, .. } = &mut self;
        account.charge_all(streams.all());
        let mut displaceable = Vec::new();
        for (id, stream) in streams.numbered() {
            drained.extend(stream.is_drained().then_some(id));
            for message in &stream.messages {
                *timed += usize::from(message.is_timed());
                let priority = message.priority.filter(|_| !message.is_begun());
                displaceable.extend(priority.map(|priority| ((priority, message.arrival), id)));
            }
            if stream.messages.back().is_some_and(|last| last.arrival >= *arrivals) {
                return None;
            }
        }
        displaceable.sort_unstable();
        displaceable.into_iter().for_each(|(key, id)| by_priority.insert(key, id));
        (account.low().all(|id| streams.owe_low(id)) && lines.resume(streams)).then_some(self)
    }

    /// The messages that are begun: the TSN of the last fragment of each, and its stream.
    pub(crate) fn begun(&self) -> impl Iterator<Item = (u16, Tsn)> {
        let firsts = self.streams.numbered().filter_map(|(id, stream)| Some((id, stream.messages.front()?)));
        firsts.filter_map(|(id, message)| Some((id, message.last_tsn?)))
    }

    pub(crate) fn new(capacity: usize, scheduler: Scheduler) -> Self {
        Self {
            streams: Streams::default(),
            account: Account::new(capacity),
            lines: Lines::new(scheduler),
            arrivals: 0,
            unstamped: Vec::new(),
            timed: 0,
            drained: BTreeSet::new(),
            by_priority: Map::new(),
            displaced: 0,
        }
    }

    /// Chunks of this format are cut from now on, for a peer with a window of `peer_window` bytes.
    pub(crate) fn set_format(&mut self, format: Format, peer_window: u32) {
        self.lines.format = format;
        self.lines.begun_max = peer_window as usize / 2;
    }

    pub(crate) const fn capacity(&self) -> usize {
        self.account.capacity()
    }

    pub(crate) const fn set_capacity(&mut self, capacity: usize) {
        self.account.set_capacity(capacity);
    }

    pub(crate) fn push(&mut self, id: u16, ppid: u32, data: Bytes, options: SendOptions) -> Result<(), Refused> {
        self.enqueue(id, ppid, data, None, options)
    }

    /// Takes a message that is whole, or has `parts`.
    pub(super) fn enqueue(
        &mut self,
        id: u16,
        ppid: u32,
        data: Bytes,
        parts: Option<Box<Parts>>,
        options: SendOptions,
    ) -> Result<(), Refused> {
        if let Reliability::Priority(priority) = options.reliability
            && self.streams.get(id).is_none_or(|stream| stream.reset == Reset::Idle && stream.in_parts != InParts::Open)
        {
            self.displace(data.len(), priority);
        }
        // Nearly always it is there, and an entry takes longer to find.
        let stream = match self.streams.get_mut(id) {
            Some(stream) => stream,
            None => self.streams.get_or_insert(id),
        };
        if stream.reset != Reset::Idle {
            return Err(Refused::Resetting(data));
        }
        if stream.in_parts == InParts::Open {
            return Err(Refused::Open(data));
        }
        if !self.account.admit(data.len()) {
            return Err(Refused::Full(data));
        }
        let (mut max_retransmits, mut expiry, mut priority) = (None, Stamp::Never, None);
        match options.reliability {
            Reliability::Reliable => {}
            Reliability::MaxRetransmits(times) => max_retransmits = Some(times),
            Reliability::MaxLifetime(lifetime) => expiry = Stamp::Pending(lifetime),
            Reliability::Priority(number) => priority = Some(number),
        }
        if expiry != Stamp::Never {
            self.unstamped.push(id);
            self.timed += 1;
        }
        let arrival = self.arrivals;
        self.arrivals = arrival.wrapping_add(1);
        if let Some(priority) = priority {
            self.by_priority.insert((priority, arrival), id);
        }
        let len = data.len();
        let is_unordered = options.unordered;
        let message = Message {
            ppid,
            data,
            parts,
            len,
            is_unordered,
            last_tsn: None,
            fsn: 0,
            arrival,
            max_retransmits,
            expiry,
            priority,
        };
        self.account.charge_message(len, stream);
        stream.push_message(message);
        if stream.messages.len() == 1 {
            self.lines.enter(id, stream);
        }
        Ok(())
    }

    /// Discards less important messages that were not begun until one of `len` bytes fits, as far as there are any.
    //
    // RFC 7496 §3.3: "If there is not enough send buffer space to send a user message using this policy, […] lower-priority
    // user messages can be abandoned".
    fn displace(&mut self, len: usize, priority: u32) {
        while self.account.is_full(len)
            && let Some(&((least, arrival), id)) = self.by_priority.last()
            && least > priority
        {
            self.by_priority.remove(&(least, arrival));
            let Some(stream) = self.streams.get(id) else { continue };
            let Ok(index) = stream.messages.binary_search_by_key(&arrival, |message| message.arrival) else { continue };
            self.remove(id, index);
            self.displaced += 1;
        }
    }

    /// Discards a message that was not begun.
    pub(super) fn remove(&mut self, id: u16, index: usize) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        let was_starved = index == 0 && self.lines.unstarve(id, stream);
        let Some(message) = stream.messages.remove(index) else { return };
        stream.unstamped_from -= usize::from(index < stream.unstamped_from);
        if index == 0 {
            self.lines.front_removed(id, was_starved, stream);
        }
        Self::forget(&message, id, stream, &mut self.by_priority, &mut self.timed, &mut self.account);
        if stream.is_drained() {
            self.drained.insert(id);
        }
    }

    /// Takes a message out of the accounts, which has left its stream before it was sent to its end.
    fn forget(
        message: &Message,
        id: u16,
        stream: &mut Stream,
        by_priority: &mut Map<(u32, u64), u16>,
        timed: &mut usize,
        account: &mut Account,
    ) {
        if let Some(priority) = message.priority {
            by_priority.remove(&(priority, message.arrival));
        }
        *timed -= usize::from(message.is_timed());
        if message.is_open() {
            stream.in_parts = InParts::Abandoned;
        }
        account.uncharge_message(message, id, stream);
    }

    /// How many messages gave way to more important ones.
    pub(crate) const fn displaced(&self) -> u64 {
        self.displaced
    }

    /// Whether any message has a lifetime.
    pub(crate) const fn is_timed(&self) -> bool {
        self.timed > 0
    }

    /// Lets the lifetimes of new messages begin.
    #[inline]
    pub(crate) fn stamp(&mut self, now: Instant) {
        if self.is_unstamped() {
            self.stamp_all(now);
        }
    }

    fn stamp_all(&mut self, now: Instant) {
        for id in self.unstamped.drain(..) {
            if let Some(stream) = self.streams.get_mut(id) {
                let was_starved = self.lines.unstarve(id, stream);
                stream.stamp(now);
                if was_starved {
                    self.lines.starve(id, stream);
                }
            }
        }
    }

    /// Whether a lifetime has not begun.
    pub(crate) const fn is_unstamped(&self) -> bool {
        !self.unstamped.is_empty()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Whether a message was begun and not ended.
    pub(crate) fn has_begun(&self) -> bool {
        self.lines.has_begun()
    }

    /// Every stream counts its messages from 0.
    pub(crate) fn begin_anew(&mut self) {
        self.streams.iter_mut().for_each(|(_, stream)| stream.begin_anew());
    }

    /// The streams that were used.
    pub(crate) fn used(&mut self) -> Vec<u16> {
        self.streams.iter_mut().map(|(id, _)| id).collect()
    }

    fn message(&self, id: u16) -> Option<&Message> {
        self.streams.get(id)?.messages.front()
    }

    #[inline(always)]
    fn next(&self) -> Option<&Message> {
        self.message(self.lines.next(&self.streams)?.id())
    }

    /// How many bytes the next chunk carries, of at most `max`.
    #[inline]
    pub(crate) fn next_len(&self, max: usize) -> Option<usize> {
        self.next().map(|message| message.sendable().min(max))
    }

    /// When the next message will have lived too long.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        if self.timed == 0 {
            return None;
        }
        let next = self.next().and_then(|message| message.expiry.at());
        earliest([next, self.lines.next_starved().map(|(at, _)| at)])
    }

    /// Whose message has lived too long, as far as it is next, or waits aside.
    fn next_expired(&self, now: Instant) -> Option<Next> {
        if let Some((_, next)) = self.lines.next_starved().filter(|(at, _)| *at <= now) {
            return Some(next);
        }
        let next = self.lines.next(&self.streams)?;
        self.message(next.id())?.expiry.at().is_some_and(|at| at <= now).then_some(next)
    }

    /// Discards messages that have lived too long, as far as they are next. `Some`: one of them had been begun; the chunk, whose
    /// TSN is `tsn`, stands for the rest of it.
    pub(crate) fn expire(&mut self, now: Instant, tsn: Tsn, abandoned: &mut u64) -> Option<Chunk> {
        while self.timed > 0
            && let Some(next) = self.next_expired(now)
        {
            if self.message(next.id()).is_some_and(Message::is_begun) {
                return self.drop_begun(next.id(), tsn);
            }
            *abandoned += 1;
            self.end_message(next);
        }
        None
    }

    /// Discards the rest of the message of the stream that was begun, if there is one. The chunk, whose TSN is `tsn`, stands for it.
    pub(crate) fn drop_begun(&mut self, id: u16, tsn: Tsn) -> Option<Chunk> {
        let stream = self.streams.get_mut(id)?;
        let message = stream.messages.front().filter(|message| message.is_begun())?;
        let (is_unordered, ppid, fsn) = (message.is_unordered, message.ppid, message.fsn);
        let to_previous = message.last_tsn.map_or(0, |last| last.distance_to(tsn));
        let mid = stream.mid(is_unordered, true);
        self.lines.unstarve(id, stream);
        let next = self.lines.drop_begun(id);
        self.end_message(next);
        let flags = ENDING | if is_unordered { UNORDERED } else { 0 };
        let mut chunk = Chunk::new(Bytes::new(), id, mid, flags);
        chunk.ppid_or_fsn = if self.lines.format == Format::Interleaved { fsn } else { ppid };
        chunk.to_previous = u32::try_from(to_previous).unwrap_or_default();
        chunk.state = ChunkState::Abandoned;
        Some(chunk)
    }

    /// Cuts off the next chunk, of `len` bytes, which `next_len` has told; its TSN is `tsn`.
    #[inline(always)]
    pub(crate) fn cut(&mut self, len: usize, tsn: Tsn) -> Option<Chunk> {
        let next = self.lines.next(&self.streams)?;
        let id = next.id();
        let Self { streams, account, lines, by_priority, drained, .. } = self;
        let stream = streams.get_mut(id)?;
        let message = stream.messages.front_mut()?;
        let is_end = len >= message.unsent();
        let waiting = message.parts_waiting();
        let payload = message.cut(len);
        let parts = waiting - message.parts_waiting();
        let to_previous = message.last_tsn.replace(tsn).map_or(0, |last| last.distance_to(tsn));
        let is_begin = to_previous == 0;
        let (whole_len, is_unordered) = (message.len, message.is_unordered);
        let unordered = if is_unordered { UNORDERED } else { 0 };
        let flags = unordered | if is_begin { BEGINNING } else { 0 } | if is_end { ENDING } else { 0 };
        let is_numbered = lines.format == Format::Interleaved && !is_begin;
        let ppid_or_fsn = if is_numbered { message.fsn } else { message.ppid };
        message.fsn = message.fsn.wrapping_add(1);
        let lifetime = Lifetime { max_retransmits: message.max_retransmits, expires: message.expiry.at() };
        self.timed -= usize::from(is_end && message.is_timed());
        if let Some(priority) = message.priority.filter(|_| is_begin) {
            by_priority.remove(&(priority, message.arrival));
        }
        let mid = stream.mid(is_unordered, is_end);
        account.uncharge(payload.len(), parts, id, stream);
        lines.charge(payload.len(), is_begin.then_some(whole_len), stream);
        if is_end {
            drop(stream.pop_message());
            account.end_message();
            lines.end(next, Some(whole_len), stream);
            if stream.is_drained() {
                drained.insert(id);
            }
        } else {
            lines.put_back(next, stream);
        }
        // Whatever fills the buffer may wait for what is refused.
        if stream.is_starved || lines.is_idle() {
            account.tell();
        }
        let mut chunk = Chunk::new(payload, id, mid, flags);
        chunk.ppid_or_fsn = ppid_or_fsn;
        chunk.to_previous = u32::try_from(to_previous).unwrap_or_default();
        chunk.lifetime = lifetime;
        Some(chunk)
    }

    /// Discards the first message of the stream whose turn it is, with what it charges; if there are more, the stream waits for its
    /// next turn.
    fn end_message(&mut self, next: Next) {
        let id = next.id();
        let Some(stream) = self.streams.get_mut(id) else { return };
        self.lines.unstarve(id, stream);
        let Some(message) = stream.pop_message() else { return };
        self.lines.end(next, message.is_begun().then_some(message.len), stream);
        Self::forget(&message, id, stream, &mut self.by_priority, &mut self.timed, &mut self.account);
        if stream.is_drained() {
            self.drained.insert(id);
        }
        if self.lines.is_idle() {
            self.account.tell();
        }
    }

    /// The share of the path that a stream gets, or its rank, as the scheduler has it.
    pub(crate) fn set_priority(&mut self, id: u16, priority: u16) {
        let stream = self.streams.get_or_insert(id);
        stream.priority = if priority == PRIORITY_DEFAULT { 0 } else { priority };
        self.lines.changed(id, stream);
        if stream.is_unused() {
            self.streams.remove(id);
        }
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
            stream.begin_anew();
            stream.priority = 0;
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
        self.lines.limit(streams);
        self.by_priority.retain(|_, id| *id < streams);
        self.drained.retain(|id| *id < streams);
        let Self { streams: all, account, timed, lines, .. } = self;
        let refused = all.iter_mut().filter(|(id, _)| *id >= streams);
        let clear = |(id, stream): (u16, &mut Stream)| {
            *timed -= stream.messages.iter().filter(|message| message.is_timed()).count();
            if stream.is_starved {
                lines.forget_starved();
            }
            stream.clear(id, account).then_some(id)
        };
        refused.filter_map(clear).collect()
    }

    /// Every stream begins anew, and has nothing to send.
    pub(crate) fn clear(&mut self) {
        self.lines.clear();
        self.timed = 0;
        self.by_priority.clear();
        self.unstamped.clear();
        self.drained.clear();
        for (id, stream) in self.streams.iter_mut() {
            stream.clear(id, &mut self.account);
            stream.begin_anew();
        }
        self.streams.retain_used();
    }

    pub(crate) fn invariants(&self) {
        self.account.invariants(self.streams.all());
        self.lines.invariants(self.streams.all());
        let timed = self.streams.all().flat_map(|stream| &stream.messages).filter(|message| message.is_timed());
        debug_assert!(timed.count() <= self.timed, "what has a lifetime is looked at");
    }
}
