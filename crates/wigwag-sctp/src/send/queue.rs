//! Messages that wait to be sent for the first time: a queue for each stream, message by message in turn.

use crate::chunk::{BEGINNING, ENDING, UNORDERED};
use crate::send::outstanding::{Chunk, Lifetime};
use crate::{Reliability, SendOptions};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

/// Charged for each message beside its bytes, or tiny ones would be nearly free.
pub(crate) const MESSAGE_OVERHEAD: usize = 128;

/// When a message has lived too long. Its time begins with the first call that tells the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stamp {
    Never,
    Pending(Duration),
    /// The first moment at which it is too old.
    At(Instant),
}

#[derive(Debug)]
struct Message {
    ppid: u32,
    /// What of it was not sent.
    data: Bytes,
    is_unordered: bool,
    is_begun: bool,
    max_retransmits: Option<u16>,
    expiry: Stamp,
}

/// How far a stream is on its way to begin anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Reset {
    #[default]
    Idle,
    /// Once everything was sent, it is among `drained`.
    Wanted,
    /// The peer is being asked.
    UnderWay,
    /// The peer is being asked, and is to be asked again: it may have done what it was asked, and used the stream since.
    UnderWayAndWanted,
}

#[derive(Debug, Default)]
struct Stream {
    messages: VecDeque<Message>,
    next_ssn: u16,
    /// Bytes of `messages`.
    buffered: usize,
    threshold: usize,
    /// The messages from here on wait for their time to begin.
    unstamped_from: usize,
    reset: Reset,
    is_low_owed: bool,
}

/// Whether somebody waits for room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writable {
    Idle,
    Wanted,
    Owed,
}

/// Why a message was not queued.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Full(Bytes),
    Resetting(Bytes),
}

/// All streams' messages. What has nothing queued is never looked at.
#[derive(Debug)]
pub(crate) struct Queue {
    streams: BTreeMap<u16, Stream>,
    /// The streams that have messages, each once, in turn. A message that was begun is at the front until it has ended.
    ready: VecDeque<u16>,
    capacity: usize,
    /// Bytes and overheads.
    charged: usize,
    buffered: usize,
    writable: Writable,
    low: VecDeque<u16>,
    unstamped: Vec<u16>,
    /// Streams that are to be reset, and have nothing left to send.
    drained: BTreeSet<u16>,
}

impl Queue {
    pub(crate) const fn new(capacity: usize) -> Self {
        Self {
            streams: BTreeMap::new(),
            ready: VecDeque::new(),
            capacity,
            charged: 0,
            buffered: 0,
            writable: Writable::Idle,
            low: VecDeque::new(),
            unstamped: Vec::new(),
            drained: BTreeSet::new(),
        }
    }

    pub(crate) fn push(&mut self, stream: u16, ppid: u32, data: Bytes, options: SendOptions) -> Result<(), Refused> {
        let charge = data.len() + MESSAGE_OVERHEAD;
        // An empty buffer takes any message: one larger than the buffer could never be sent.
        let is_full = self.charged > 0 && self.charged + charge > self.capacity;
        let id = stream;
        let stream = self.streams.entry(id).or_default();
        if stream.reset != Reset::Idle {
            return Err(Refused::Resetting(data));
        }
        if is_full {
            self.writable = Writable::Wanted;
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
        self.charged += charge;
        self.buffered += data.len();
        stream.buffered += data.len();
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
            let Some(stream) = self.streams.get_mut(&id) else { continue };
            let from = stream.unstamped_from.min(stream.messages.len());
            for message in stream.messages.range_mut(from..) {
                if let Stamp::Pending(lifetime) = message.expiry {
                    let too_old = lifetime.saturating_add(Duration::from_nanos(1));
                    message.expiry = now.checked_add(too_old).map_or(Stamp::Never, Stamp::At);
                }
            }
            stream.unstamped_from = stream.messages.len();
        }
    }

    /// Whether a lifetime has not begun.
    pub(crate) const fn is_unstamped(&self) -> bool {
        !self.unstamped.is_empty()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    /// How many bytes the next chunk carries, of at most `max`.
    pub(crate) fn next_len(&self, max: usize) -> Option<usize> {
        let message = self.streams.get(self.ready.front()?)?.messages.front()?;
        Some(message.data.len().min(max))
    }

    /// When the next message will have lived too long.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        match self.streams.get(self.ready.front()?)?.messages.front()?.expiry {
            Stamp::At(at) => Some(at),
            Stamp::Never | Stamp::Pending(_) => None,
        }
    }

    /// Discards messages that have lived too long, as far as they are next. `Some`: one of them had been begun.
    pub(crate) fn expire(&mut self, now: Instant, abandoned: &mut u64) -> Option<Chunk> {
        loop {
            let id = *self.ready.front()?;
            let message = self.streams.get(&id)?.messages.front()?;
            match message.expiry {
                Stamp::At(at) if at <= now => {}
                Stamp::Never | Stamp::Pending(_) | Stamp::At(_) => return None,
            }
            if message.is_begun {
                return self.drop_begun();
            }
            *abandoned += 1;
            self.pop_front();
        }
    }

    /// Discards the rest of the message that was begun, if there is one. The chunk stands for it.
    pub(crate) fn drop_begun(&mut self) -> Option<Chunk> {
        let id = *self.ready.front()?;
        let stream = self.streams.get(&id)?;
        let message = stream.messages.front().filter(|message| message.is_begun)?;
        let ssn = if message.is_unordered { 0 } else { stream.next_ssn };
        let flags = ENDING | if message.is_unordered { UNORDERED } else { 0 };
        let chunk = Chunk::new(Bytes::new(), message.ppid, id, ssn, flags, Lifetime::default());
        let is_ordered = !message.is_unordered;
        self.pop_front();
        if is_ordered && let Some(stream) = self.streams.get_mut(&id) {
            stream.next_ssn = stream.next_ssn.wrapping_add(1);
        }
        Some(chunk)
    }

    /// Cuts off the next chunk, of `len` bytes, which `next_len` has told.
    pub(crate) fn cut(&mut self, len: usize) -> Option<Chunk> {
        let id = *self.ready.front()?;
        let stream = self.streams.get_mut(&id)?;
        let message = stream.messages.front_mut()?;
        let mut flags = if message.is_unordered { UNORDERED } else { 0 };
        if !std::mem::replace(&mut message.is_begun, true) {
            flags |= BEGINNING;
        }
        let lifetime = Lifetime {
            max_retransmits: message.max_retransmits,
            expires: if let Stamp::At(at) = message.expiry { Some(at) } else { None },
        };
        let ssn = if message.is_unordered { 0 } else { stream.next_ssn };
        let ppid = message.ppid;
        if len < message.data.len() {
            let payload = message.data.split_to(len);
            self.uncharge(id, len);
            return Some(Chunk::new(payload, ppid, id, ssn, flags, lifetime));
        }
        let payload = std::mem::take(&mut message.data);
        if !message.is_unordered {
            stream.next_ssn = stream.next_ssn.wrapping_add(1);
        }
        self.uncharge(id, payload.len());
        self.pop_front();
        Some(Chunk::new(payload, ppid, id, ssn, flags | ENDING, lifetime))
    }

    /// Discards the message at the front with what it charges, and lets the next stream have its turn.
    fn pop_front(&mut self) {
        let Some(id) = self.ready.pop_front() else { return };
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let Some(message) = stream.messages.pop_front() else { return };
        stream.unstamped_from = stream.unstamped_from.saturating_sub(1);
        if !stream.messages.is_empty() {
            self.ready.push_back(id);
        } else if stream.reset == Reset::Wanted {
            self.drained.insert(id);
        }
        self.charged -= MESSAGE_OVERHEAD;
        self.uncharge(id, message.data.len());
    }

    fn uncharge(&mut self, id: u16, len: usize) {
        self.charged -= len;
        self.buffered -= len;
        if self.writable == Writable::Wanted && self.charged <= self.capacity / 2 {
            self.writable = Writable::Owed;
        }
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let before = stream.buffered;
        stream.buffered -= len;
        if before > stream.threshold && stream.buffered <= stream.threshold && !stream.is_low_owed {
            stream.is_low_owed = true;
            self.low.push_back(id);
        }
    }

    pub(crate) fn buffered(&self, stream: u16) -> usize {
        self.streams.get(&stream).map_or(0, |stream| stream.buffered)
    }

    pub(crate) const fn buffered_total(&self) -> usize {
        self.buffered
    }

    pub(crate) fn set_threshold(&mut self, stream: u16, threshold: usize) {
        self.streams.entry(stream).or_default().threshold = threshold;
    }

    pub(crate) fn take_low(&mut self) -> Option<u16> {
        let id = self.low.pop_front()?;
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.is_low_owed = false;
        }
        Some(id)
    }

    pub(crate) fn take_writable(&mut self) -> bool {
        let is_owed = self.writable == Writable::Owed;
        if is_owed {
            self.writable = Writable::Idle;
        }
        is_owed
    }

    pub(crate) fn has_event(&self) -> bool {
        !self.low.is_empty() || self.writable == Writable::Owed
    }

    /// Nothing new is taken on the stream; once all was sent, it is among `drained`.
    pub(crate) fn begin_reset(&mut self, id: u16) {
        let stream = self.streams.entry(id).or_default();
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
            if let Some(stream) = self.streams.get_mut(id) {
                stream.reset = Reset::UnderWay;
            }
        }
        taken
    }

    /// The peer was asked: the stream begins anew if it `is_reset`, and else goes on. `false`: it is to be reset once more.
    pub(crate) fn end_reset(&mut self, id: u16, is_reset: bool) -> bool {
        let Some(stream) = self.streams.get_mut(&id) else { return true };
        let is_wanted = is_reset && stream.reset == Reset::UnderWayAndWanted;
        stream.reset = if is_wanted { Reset::Wanted } else { Reset::Idle };
        if is_reset {
            stream.next_ssn = 0;
        }
        if is_wanted {
            self.drained.insert(id);
        } else if stream.next_ssn == 0 && stream.threshold == 0 && stream.messages.is_empty() && !stream.is_low_owed {
            self.streams.remove(&id);
        }
        !is_wanted
    }

    /// No stream is to be reset any more; returns those that were.
    pub(crate) fn cancel_resets(&mut self) -> Vec<u16> {
        self.drained.clear();
        let resetting =
            |(id, stream): (&u16, &mut Stream)| (std::mem::take(&mut stream.reset) != Reset::Idle).then_some(*id);
        self.streams.iter_mut().filter_map(resetting).collect()
    }

    /// Discards streams from `streams` on; returns those that had messages or waited to be reset.
    pub(crate) fn limit_streams(&mut self, streams: u16) -> Vec<u16> {
        let refused: Vec<u16> = self
            .streams
            .range(streams..)
            .filter(|(_, stream)| !stream.messages.is_empty() || stream.reset != Reset::Idle)
            .map(|(id, _)| *id)
            .collect();
        for id in &refused {
            self.clear_stream(*id);
        }
        self.ready.retain(|id| *id < streams);
        self.drained.retain(|id| *id < streams);
        refused
    }

    fn clear_stream(&mut self, id: u16) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let messages = std::mem::take(&mut stream.messages);
        stream.unstamped_from = 0;
        stream.reset = Reset::Idle;
        for message in messages {
            self.charged -= MESSAGE_OVERHEAD;
            self.uncharge(id, message.data.len());
        }
    }

    /// Every stream begins anew, and has nothing to send.
    pub(crate) fn clear(&mut self) {
        let ids: Vec<u16> = self.streams.keys().copied().collect();
        for id in ids {
            self.clear_stream(id);
        }
        self.streams.retain(|_, stream| {
            stream.next_ssn = 0;
            stream.threshold > 0 || stream.is_low_owed
        });
        self.ready.clear();
        self.unstamped.clear();
        self.drained.clear();
    }

    pub(crate) fn invariants(&self) {
        let sum = |of: fn(&Stream) -> usize| self.streams.values().map(of).sum::<usize>();
        debug_assert_eq!(self.buffered, sum(|stream| stream.buffered), "C11");
        debug_assert_eq!(
            self.buffered,
            sum(|stream| stream.messages.iter().map(|message| message.data.len()).sum()),
            "C11: no byte is lost from the account"
        );
        debug_assert_eq!(self.charged, self.buffered + sum(|stream| stream.messages.len()) * MESSAGE_OVERHEAD);
        debug_assert_eq!(self.ready.len(), self.streams.values().filter(|stream| !stream.messages.is_empty()).count());
    }
}
