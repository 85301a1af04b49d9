//! Messages that wait to be sent for the first time: a queue for each stream, and whose turn it is.
//!
//! In DATA chunks a message that was begun is ended before another begins. In I-DATA chunks each chunk is a turn of its own
//! (RFC 8260); but no more long messages are begun than the peer has room for together, or none of them would end.

use super::account::Account;
use super::outstanding::{Chunk, ChunkState, Format, Lifetime};
use super::schedule::{Line, PRIORITY_DEFAULT, Schedule};
use super::stream::{Message, Reset, Stamp, Streams};
use crate::chunk::{BEGINNING, ENDING, UNORDERED};
use crate::config::Scheduler;
use crate::serial::Tsn;
use crate::{Reliability, SendOptions};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// Why a message was not queued.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Full(Bytes),
    Resetting(Bytes),
}

/// Whose turn it is, and from where it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Its message was begun, and nothing else is sent before it has ended.
    Unfinished(u16),
    /// Its message was begun, as others may be.
    Begun(u16),
    Fresh(u16),
}

impl Next {
    const fn id(self) -> u16 {
        match self {
            Self::Unfinished(id) | Self::Begun(id) | Self::Fresh(id) => id,
        }
    }
}

/// All streams' messages. What has nothing queued is never looked at.
#[derive(Debug)]
pub(crate) struct Queue {
    streams: Streams,
    account: Account,
    schedule: Schedule,
    format: Format,
    /// The streams that have messages, each in one of these three.
    fresh: Line,
    begun: Line,
    unfinished: Option<u16>,
    /// Bytes of the messages that are begun, sent ones included, and how many there may be beside each other.
    begun_len: usize,
    begun_max: usize,
    arrivals: u64,
    unstamped: Vec<u16>,
    /// Streams that are to be reset, and have nothing left to send.
    drained: BTreeSet<u16>,
    /// Messages that may give way to more important ones, the least important last; and how many did.
    by_priority: BTreeMap<(u32, u64), u16>,
    displaced: u64,
}

impl Queue {
    pub(crate) fn new(capacity: usize, scheduler: Scheduler) -> Self {
        Self {
            streams: Streams::default(),
            account: Account::new(capacity),
            schedule: Schedule::new(scheduler),
            format: Format::Data,
            fresh: Line::default(),
            begun: Line::default(),
            unfinished: None,
            begun_len: 0,
            begun_max: 0,
            arrivals: 0,
            unstamped: Vec::new(),
            drained: BTreeSet::new(),
            by_priority: BTreeMap::new(),
            displaced: 0,
        }
    }

    /// Chunks of this format are cut from now on, for a peer with a window of `peer_window` bytes.
    pub(crate) fn set_format(&mut self, format: Format, peer_window: u32) {
        self.format = format;
        self.begun_max = peer_window as usize / 2;
    }

    pub(crate) fn push(&mut self, id: u16, ppid: u32, data: Bytes, options: SendOptions) -> Result<(), Refused> {
        if let Reliability::Priority(priority) = options.reliability
            && self.streams.get(id).is_none_or(|stream| stream.reset == Reset::Idle)
        {
            self.displace(data.len(), priority);
        }
        let stream = self.streams.get_or_insert(id);
        if stream.reset != Reset::Idle {
            return Err(Refused::Resetting(data));
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
        stream.messages.push_back(message);
        if stream.messages.len() == 1 {
            self.schedule.enter(&mut self.fresh, id, stream);
        }
        Ok(())
    }

    /// Discards less important messages that were not begun until one of `len` bytes fits, as far as there are any.
    //
    // RFC 7496 §3.3: "If there is not enough send buffer space to send a user message using this policy, […] lower-priority
    // user messages can be abandoned".
    fn displace(&mut self, len: usize, priority: u32) {
        while self.account.is_full(len)
            && let Some((&(least, arrival), &id)) = self.by_priority.last_key_value()
            && least > priority
        {
            self.by_priority.remove(&(least, arrival));
            let Some(stream) = self.streams.get_mut(id) else { continue };
            let Ok(index) = stream.messages.binary_search_by_key(&arrival, |message| message.arrival) else { continue };
            let Some(message) = stream.messages.remove(index) else { continue };
            stream.unstamped_from -= usize::from(index < stream.unstamped_from);
            if stream.messages.is_empty() {
                self.fresh.retain(|other| other != id);
            }
            self.account.uncharge_message(message.data.len(), id, stream);
            self.displaced += 1;
        }
    }

    /// How many messages gave way to more important ones.
    pub(crate) const fn displaced(&self) -> u64 {
        self.displaced
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
        self.unfinished.is_none() && self.begun.is_empty() && self.fresh.is_empty()
    }

    fn turn(&self) -> Option<Next> {
        if let Some(id) = self.unfinished {
            return Some(Next::Unfinished(id));
        }
        if self.begun.is_empty() {
            return self.fresh.front().map(|(id, _)| Next::Fresh(id));
        }
        match (self.begun.front(), self.fresh.front()) {
            (None, None) => None,
            (Some((begun, _)), None) => Some(Next::Begun(begun)),
            (None, Some((fresh, _))) => Some(Next::Fresh(fresh)),
            (Some((begun, earlier)), Some((fresh, later))) => {
                let is_fresh = later < earlier && self.may_begin(fresh);
                Some(if is_fresh { Next::Fresh(fresh) } else { Next::Begun(begun) })
            }
        }
    }

    /// Whether the peer has room for one more message in pieces.
    fn may_begin(&self, id: u16) -> bool {
        let len = self.message(id).map_or(0, |message| message.len);
        self.begun_len + len <= self.begun_max
    }

    fn message(&self, id: u16) -> Option<&Message> {
        self.streams.get(id)?.messages.front()
    }

    fn next(&self) -> Option<&Message> {
        self.message(self.turn()?.id())
    }

    /// How many bytes the next chunk carries, of at most `max`.
    pub(crate) fn next_len(&self, max: usize) -> Option<usize> {
        self.next().map(|message| message.data.len().min(max))
    }

    /// When the next message will have lived too long.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        self.next()?.expiry.at()
    }

    /// Discards messages that have lived too long, as far as they are next. `Some`: one of them had been begun; the chunk, whose
    /// TSN is `tsn`, stands for the rest of it.
    pub(crate) fn expire(&mut self, now: Instant, tsn: Tsn, abandoned: &mut u64) -> Option<Chunk> {
        while let Some(next) = self.turn()
            && let Some(message) = self.message(next.id())
            && message.expiry.at().is_some_and(|at| at <= now)
        {
            if message.is_begun() {
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
        self.begun.retain(|other| other != id);
        // In no line any more, or in none before.
        self.end_message(Next::Unfinished(id));
        let flags = ENDING | if is_unordered { UNORDERED } else { 0 };
        let mut chunk = Chunk::new(Bytes::new(), id, mid, flags);
        chunk.ppid_or_fsn = if self.format == Format::Interleaved { fsn } else { ppid };
        chunk.to_previous = u32::try_from(to_previous).unwrap_or_default();
        chunk.state = ChunkState::Abandoned;
        Some(chunk)
    }

    /// Cuts off the next chunk, of `len` bytes, which `next_len` has told; its TSN is `tsn`.
    pub(crate) fn cut(&mut self, len: usize, tsn: Tsn) -> Option<Chunk> {
        let next = self.turn()?;
        let id = next.id();
        let Self { streams, account, schedule, by_priority, .. } = self;
        let stream = streams.get_mut(id)?;
        let message = stream.messages.front_mut()?;
        let is_end = len >= message.data.len();
        let payload = if is_end { std::mem::take(&mut message.data) } else { message.data.split_to(len) };
        let to_previous = message.last_tsn.replace(tsn).map_or(0, |last| last.distance_to(tsn));
        let is_begin = to_previous == 0;
        let unordered = if message.is_unordered { UNORDERED } else { 0 };
        let flags = unordered | if is_begin { BEGINNING } else { 0 } | if is_end { ENDING } else { 0 };
        let is_numbered = self.format == Format::Interleaved && !is_begin;
        let ppid_or_fsn = if is_numbered { message.fsn } else { message.ppid };
        message.fsn = message.fsn.wrapping_add(1);
        let lifetime = Lifetime { max_retransmits: message.max_retransmits, expires: message.expiry.at() };
        if is_begin {
            self.begun_len += message.len;
            if let Some(priority) = message.priority {
                by_priority.remove(&(priority, message.arrival));
            }
        }
        let mid = stream.mid(unordered != 0, is_end);
        account.uncharge(payload.len(), id, stream);
        schedule.charge(stream, payload.len() + self.format.header_len());
        if is_end {
            self.end_message(next);
        } else {
            self.put_back(next);
        }
        let mut chunk = Chunk::new(payload, id, mid, flags);
        chunk.ppid_or_fsn = ppid_or_fsn;
        chunk.to_previous = u32::try_from(to_previous).unwrap_or_default();
        chunk.lifetime = lifetime;
        Some(chunk)
    }

    /// The turn is over, and the message is not.
    fn put_back(&mut self, next: Next) {
        let Self { schedule, fresh, begun, streams, .. } = self;
        let Some(stream) = streams.get_mut(next.id()) else { return };
        match (self.format, next) {
            (_, Next::Unfinished(_)) => {}
            (Format::Data, _) => {
                schedule.leave(fresh);
                self.unfinished = Some(next.id());
            }
            (Format::Interleaved, Next::Begun(_)) => schedule.renew(begun, stream),
            (Format::Interleaved, Next::Fresh(_)) => {
                schedule.leave(fresh);
                schedule.enter(begun, next.id(), stream);
            }
        }
    }

    /// Discards the first message of the stream whose turn it is, with what it charges; if there are more, the stream waits for its
    /// next turn.
    fn end_message(&mut self, next: Next) {
        let id = next.id();
        let Self { schedule, fresh, begun, streams, .. } = self;
        let Some(stream) = streams.get_mut(id) else { return };
        let Some(message) = stream.messages.pop_front() else { return };
        if message.is_begun() {
            self.begun_len -= message.len;
        } else if let Some(priority) = message.priority {
            self.by_priority.remove(&(priority, message.arrival));
        }
        stream.unstamped_from = stream.unstamped_from.saturating_sub(1);
        let has_more = !stream.messages.is_empty();
        match next {
            Next::Fresh(_) if has_more => schedule.renew(fresh, stream),
            Next::Fresh(_) => schedule.leave(fresh),
            Next::Begun(_) => schedule.leave(begun),
            Next::Unfinished(_) => self.unfinished = None,
        }
        if has_more && !matches!(next, Next::Fresh(_)) {
            schedule.enter(fresh, id, stream);
        }
        if !has_more && stream.reset == Reset::Wanted {
            self.drained.insert(id);
        }
        self.account.uncharge_message(message.data.len(), id, stream);
    }

    /// The share of the path that a stream gets, or its rank, as the scheduler has it.
    pub(crate) fn set_priority(&mut self, id: u16, priority: u16) {
        let stream = self.streams.get_or_insert(id);
        stream.priority = if priority == PRIORITY_DEFAULT { 0 } else { priority };
        self.schedule.changed(&mut self.fresh, id, stream);
        self.schedule.changed(&mut self.begun, id, stream);
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
        self.fresh.retain(|id| id < streams);
        self.by_priority.retain(|_, id| *id < streams);
        self.drained.retain(|id| *id < streams);
        let Self { streams: all, account, .. } = self;
        let refused = all.iter_mut().filter(|(id, _)| *id >= streams);
        refused.filter_map(|(id, stream)| stream.clear(id, account).then_some(id)).collect()
    }

    /// Every stream begins anew, and has nothing to send.
    pub(crate) fn clear(&mut self) {
        self.fresh.clear();
        self.begun.clear();
        self.unfinished = None;
        self.begun_len = 0;
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
        let waiting = self.fresh.len() + self.begun.len() + usize::from(self.unfinished.is_some());
        debug_assert_eq!(waiting, self.streams.all().filter(|stream| !stream.messages.is_empty()).count());
        let begun =
            self.streams.all().filter_map(|stream| stream.messages.front().filter(|message| message.is_begun()));
        debug_assert_eq!(self.begun_len, begun.map(|message| message.len).sum::<usize>());
    }
}
