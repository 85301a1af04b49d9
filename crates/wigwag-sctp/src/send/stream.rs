//! What waits on each stream, and how often a stream was looked at.

use super::account::Account;
use super::parts::{InParts, Parts};
use crate::migration::{Reader, state};
use crate::serial::Tsn;
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// Messages after which a stream is one that is used much, and how many find room then.
const USED_MUCH_AFTER: u32 = 8;
const MESSAGES_EXPECTED: usize = 32;

/// When a message has lived too long. Its time begins with the first call that tells the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stamp {
    Never,
    Pending(Duration),
    /// The first moment at which it is too old.
    At(Instant),
}

impl Stamp {
    pub(super) const fn at(self) -> Option<Instant> {
        match self {
            Self::At(at) => Some(at),
            Self::Never | Self::Pending(_) => None,
        }
    }
}

#[derive(Debug)]
pub(super) struct Message {
    pub(super) ppid: u32,
    /// What of it was not sent; of one that is given in parts, the first of them.
    pub(super) data: Bytes,
    pub(super) parts: Option<Box<Parts>>,
    /// How long it is, what was sent included; of one that is given in parts, how much it counts beside others that are begun.
    pub(super) len: usize,
    pub(super) is_unordered: bool,
    /// The TSN of its last fragment, once it was begun, and how many there were.
    pub(super) last_tsn: Option<Tsn>,
    pub(super) fsn: u32,
    /// Its number among all messages, in the order in which they came.
    pub(super) arrival: u64,
    pub(super) max_retransmits: Option<u16>,
    pub(super) expiry: Stamp,
    /// It may give way to messages with smaller ones.
    pub(super) priority: Option<u32>,
}

/// How far a stream is on its way to begin anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Reset {
    #[default]
    Idle,
    /// Once everything was sent, the peer is asked.
    Wanted,
    /// The peer is being asked.
    UnderWay,
    /// The peer is being asked, and is to be asked again: it may have done what it was asked, and used the stream since.
    UnderWayAndWanted,
}

#[derive(Debug, Default)]
pub(super) struct Stream {
    pub(super) messages: VecDeque<Message>,
    /// The MID of the next ordered message, whose lower half is its SSN.
    pub(super) next_mid: u32,
    /// The MID of the next message that is not.
    pub(super) next_unordered_mid: u32,
    /// The share of the path, or the rank, by which its turn comes; 0: as it is at first.
    pub(super) priority: u16,
    /// Up to when its share is used up, in the time of a fair queue.
    pub(super) virtual_time: u64,
    /// Bytes of `messages`.
    pub(super) buffered: usize,
    pub(super) threshold: usize,
    /// The messages from here on wait for their time to begin.
    pub(super) unstamped_from: usize,
    pub(super) reset: Reset,
    pub(super) is_low_owed: bool,
    pub(super) in_parts: InParts,
    /// Nothing of its first message may be sent: it is in no line.
    pub(super) is_starved: bool,
}

state!(enum Stamp { 0: Never, 1: Pending(lifetime), 2: At(at) });
state!(struct Message {
    ppid, data, parts, len, is_unordered, last_tsn, fsn, arrival, max_retransmits, expiry, priority,
} if |message, _| (message.len as u64) < 1 << 40 && message.is_possible());
state!(enum Reset { 0: Idle, 1: Wanted, 2: UnderWay, 3: UnderWayAndWanted });
state!(struct Stream { messages, next_mid, next_unordered_mid, priority, virtual_time, threshold, reset, in_parts } anew {
    buffered: |_| 0, unstamped_from: |_| 0, is_low_owed: |_| false, is_starved: |_| false,
} => then Self::resumed);
state!(struct Streams { by_id, visits });

impl Message {
    pub(super) fn is_timed(&self) -> bool {
        self.expiry != Stamp::Never
    }

    pub(super) const fn is_begun(&self) -> bool {
        self.last_tsn.is_some()
    }
}

impl Stream {
    /// Only the first message may be begun, only the last may be open, and they are in the order in which they came. None waits for
    /// its time to begin.
    fn resumed(mut self, _: &mut Reader<'_>) -> Option<Self> {
        let is_begun = self.messages.iter().skip(1).any(Message::is_begun);
        let is_open = self.messages.iter().rev().skip(1).any(Message::is_open);
        let is_last_open = self.messages.back().is_some_and(Message::is_open);
        let is_sorted = self.messages.iter().is_sorted_by(|earlier, later| earlier.arrival < later.arrival);
        self.buffered = self.messages.iter().map(Message::unsent).sum();
        self.unstamped_from = self.messages.len();
        let is_in_parts = is_last_open == (self.in_parts == InParts::Open);
        (!is_begun && !is_open && is_in_parts && is_sorted).then_some(self)
    }

    /// Lets the lifetimes of new messages begin.
    pub(super) fn stamp(&mut self, now: Instant) {
        let from = self.unstamped_from.min(self.messages.len());
        for message in self.messages.range_mut(from..) {
            if let Stamp::Pending(lifetime) = message.expiry {
                let too_old = lifetime.saturating_add(Duration::from_nanos(1));
                message.expiry = now.checked_add(too_old).map_or(Stamp::Never, Stamp::At);
            }
        }
        self.unstamped_from = self.messages.len();
    }

    #[inline(always)]
    pub(super) fn push_message(&mut self, message: Message) {
        // A stream that is used much has room for what waits while a window is closed.
        if self.next_mid.max(self.next_unordered_mid) == USED_MUCH_AFTER {
            self.messages.reserve(MESSAGES_EXPECTED);
        }
        self.messages.push_back(message);
    }

    pub(super) fn pop_message(&mut self) -> Option<Message> {
        self.unstamped_from = self.unstamped_from.saturating_sub(1);
        self.messages.pop_front()
    }

    /// Everything was sent, and the stream is to be reset.
    pub(super) fn is_drained(&self) -> bool {
        self.reset == Reset::Wanted && self.messages.is_empty()
    }

    /// The MID of a chunk, which is the last one of its message or not.
    pub(super) const fn mid(&mut self, is_unordered: bool, is_end: bool) -> u32 {
        let next = if is_unordered { &mut self.next_unordered_mid } else { &mut self.next_mid };
        let mid = *next;
        *next = mid.wrapping_add(is_end as u32);
        mid
    }

    /// Messages are counted from 0 again.
    pub(super) const fn begin_anew(&mut self) {
        (self.next_mid, self.next_unordered_mid) = (0, 0);
    }

    /// Discards what waits here, and forgets that it was to be reset. Whether there was any of it.
    pub(super) fn clear(&mut self, id: u16, account: &mut Account) -> bool {
        let has_waited = !self.messages.is_empty() || self.reset != Reset::Idle;
        self.unstamped_from = 0;
        self.reset = Reset::Idle;
        self.is_starved = false;
        if self.in_parts == InParts::Open {
            self.in_parts = InParts::Abandoned;
        }
        while let Some(message) = self.messages.pop_front() {
            account.uncharge_message(&message, id, self);
        }
        has_waited
    }

    /// Whether it is as if it had never been used.
    pub(super) fn is_unused(&self) -> bool {
        self.next_mid == 0
            && self.next_unordered_mid == 0
            && self.priority == 0
            && self.threshold == 0
            && self.reset == Reset::Idle
            && self.messages.is_empty()
            && !self.is_low_owed
            && self.in_parts == InParts::Idle
    }

    /// Whether its first message was begun.
    pub(super) fn has_begun(&self) -> bool {
        self.messages.front().is_some_and(Message::is_begun)
    }
}

/// The streams that were used.
#[derive(Debug, Default)]
pub(super) struct Streams {
    /// Each by itself: a map has room for many, and most associations have few.
    by_id: BTreeMap<u16, Box<Stream>>,
    /// How often one was looked at in order to change it.
    pub(super) visits: u64,
}

impl Streams {
    pub(super) fn get(&self, id: u16) -> Option<&Stream> {
        self.by_id.get(&id).map(Box::as_ref)
    }

    pub(super) fn get_mut(&mut self, id: u16) -> Option<&mut Stream> {
        self.visits += 1;
        self.by_id.get_mut(&id).map(Box::as_mut)
    }

    pub(super) fn get_or_insert(&mut self, id: u16) -> &mut Stream {
        self.visits += 1;
        self.by_id.entry(id).or_default()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (u16, &mut Stream)> {
        self.visits += self.by_id.len() as u64;
        self.by_id.iter_mut().map(|(id, stream)| (*id, stream.as_mut()))
    }

    pub(super) fn remove(&mut self, id: u16) {
        self.by_id.remove(&id);
    }

    pub(super) fn retain_used(&mut self) {
        self.visits += self.by_id.len() as u64;
        self.by_id.retain(|_, stream| !stream.is_unused());
    }

    /// The stream has gone on elsewhere, where it was owed to be told that little waits on it. `false`: it is already, or is none.
    pub(super) fn owe_low(&mut self, id: u16) -> bool {
        self.by_id.get_mut(&id).is_some_and(|stream| !std::mem::replace(&mut stream.is_low_owed, true))
    }

    /// For invariants and those that go on elsewhere, who may look at everything.
    pub(super) fn all(&self) -> impl Iterator<Item = &Stream> {
        self.numbered().map(|(_, stream)| stream)
    }

    pub(super) fn numbered_mut(&mut self) -> impl Iterator<Item = (u16, &mut Stream)> {
        self.by_id.iter_mut().map(|(id, stream)| (*id, stream.as_mut()))
    }

    pub(super) fn numbered(&self) -> impl Iterator<Item = (u16, &Stream)> {
        self.by_id.iter().map(|(id, stream)| (*id, stream.as_ref()))
    }
}
