//! From fragments to messages, of which many may be incomplete at once (RFC 8260 §2.2.3).
//!
//! The fragments of a message are numbered. As long as they come in turn, each goes to the end of one buffer, whose capacity is
//! kept for other messages; those that are early wait one by one.

use super::ordered::{Message, Order};
use super::reassembly::TooLarge;
use super::{Inbox, OVERHEAD};
use crate::chunk::{BEGINNING, ENDING, IData, Skip, UNORDERED};
use crate::stats::Stats;
use bytes::Bytes;
use std::collections::BTreeMap;

/// Buffers that are kept though no message is in them, and how large one may be.
const SPARE_BUFFERS_MAX: usize = 8;
const SPARE_LEN_MAX: usize = 256 * 1024;
/// What a first early fragment costs beside what each does: a node of a tree.
const EARLY_OVERHEAD: usize = 3 * OVERHEAD;

/// Which message a fragment is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    stream: u16,
    is_unordered: bool,
    mid: u32,
}

/// A message that is not complete.
#[derive(Debug, Default)]
struct Partial {
    ppid: u32,
    /// The fragments up to `next_fsn`.
    buffer: Vec<u8>,
    next_fsn: u32,
    last_fsn: Option<u32>,
    early: BTreeMap<u32, Bytes>,
    /// Bytes of `early`.
    early_len: usize,
}

impl Partial {
    fn charge(&self) -> usize {
        let early = if self.early.is_empty() { 0 } else { EARLY_OVERHEAD };
        self.buffer.len() + self.early_len + (1 + self.early.len()) * OVERHEAD + early
    }

    const fn len(&self) -> usize {
        self.buffer.len() + self.early_len
    }

    fn is_complete(&self) -> bool {
        self.last_fsn.is_some_and(|last| self.next_fsn > last)
    }

    /// `false`: the fragment makes no sense beside the others.
    fn take_in(&mut self, data: &IData<'_>) -> bool {
        let fsn = data.fsn();
        let is_known = fsn < self.next_fsn || self.early.contains_key(&fsn);
        let is_beyond = self.last_fsn.is_some_and(|last| fsn > last);
        let ends_before = data.is(ENDING)
            && (self.last_fsn.is_some()
                || self.next_fsn > fsn
                || self.early.last_key_value().is_some_and(|(last, _)| *last > fsn));
        if is_known || is_beyond || ends_before {
            return false;
        }
        if data.is(BEGINNING) {
            self.ppid = data.ppid_or_fsn;
        }
        if data.is(ENDING) {
            self.last_fsn = Some(fsn);
        }
        if fsn != self.next_fsn {
            self.early_len += data.payload.len();
            self.early.insert(fsn, Bytes::copy_from_slice(data.payload));
            return true;
        }
        self.buffer.extend_from_slice(data.payload);
        self.next_fsn = fsn.saturating_add(1);
        while let Some(payload) = self.early.remove(&self.next_fsn) {
            self.early_len -= payload.len();
            self.buffer.extend_from_slice(&payload);
            self.next_fsn = self.next_fsn.saturating_add(1);
        }
        true
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Interleaved {
    message_len_max: usize,
    partial: BTreeMap<Key, Partial>,
    charged: usize,
    spare: Vec<Vec<u8>>,
    order: Order,
}

impl Interleaved {
    pub(crate) fn new(message_len_max: usize) -> Self {
        Self { message_len_max, partial: BTreeMap::new(), charged: 0, spare: Vec::new(), order: Order::new(32) }
    }

    pub(crate) const fn charged(&self) -> usize {
        self.charged + self.order.charged()
    }

    pub(crate) fn push(&mut self, data: &IData<'_>, inbox: &mut Inbox, stats: &mut Stats) -> Result<(), TooLarge> {
        let is_unordered = data.is(UNORDERED);
        let key = Key { stream: data.stream, is_unordered, mid: data.mid };
        if !is_unordered && self.order.is_past(key.stream, key.mid) {
            stats.discarded.orphan += 1;
            return Ok(());
        }
        if data.payload.len() > self.message_len_max {
            return Err(TooLarge);
        }
        if data.is(BEGINNING) && data.is(ENDING) && !self.partial.contains_key(&key) {
            self.complete(key, data.ppid_or_fsn, Bytes::copy_from_slice(data.payload), inbox, stats);
            return Ok(());
        }
        let partial = match self.partial.entry(key) {
            std::collections::btree_map::Entry::Occupied(entry) => {
                self.charged -= entry.get().charge();
                entry.into_mut()
            }
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(Partial { buffer: self.spare.pop().unwrap_or_default(), ..Partial::default() })
            }
        };
        if !partial.take_in(data) {
            stats.discarded.orphan += 1;
        }
        self.charged += partial.charge();
        if partial.len() > self.message_len_max {
            return Err(TooLarge);
        }
        if partial.is_complete()
            && let Some(partial) = self.remove(key)
        {
            let message = Bytes::copy_from_slice(&partial.buffer);
            self.keep(partial.buffer);
            self.complete(key, partial.ppid, message, inbox, stats);
        }
        Ok(())
    }

    fn remove(&mut self, key: Key) -> Option<Partial> {
        let partial = self.partial.remove(&key)?;
        self.charged -= partial.charge();
        Some(partial)
    }

    fn keep(&mut self, mut buffer: Vec<u8>) {
        if self.spare.len() < SPARE_BUFFERS_MAX && (1..=SPARE_LEN_MAX).contains(&buffer.capacity()) {
            buffer.clear();
            self.spare.push(buffer);
        }
    }

    fn complete(&mut self, key: Key, ppid: u32, data: Bytes, inbox: &mut Inbox, stats: &mut Stats) {
        let Key { stream, is_unordered, mid } = key;
        self.order.take_in(Message { stream, number: mid, ppid, is_unordered, data }, inbox, stats);
    }

    /// Messages up to this one that are not complete never will be (RFC 8260 §2.3.1).
    pub(crate) fn skip(&mut self, skip: Skip, inbox: &mut Inbox) {
        let Skip { stream, is_unordered, mid } = skip;
        // Half of all numbers are before this one, perhaps around their end.
        let first = mid.wrapping_sub(i32::MAX as u32);
        let (before, after) = if first <= mid { ((first, mid), None) } else { ((first, u32::MAX), Some((0, mid))) };
        for (first, last) in std::iter::once(before).chain(after) {
            let key = |mid| Key { stream, is_unordered, mid };
            self.discard(key(first), key(last));
        }
        if !is_unordered {
            self.order.skip(stream, mid, inbox);
        }
    }

    fn discard(&mut self, first: Key, last: Key) {
        while let Some((&key, _)) = self.partial.range(first..=last).next() {
            if let Some(partial) = self.remove(key) {
                self.keep(partial.buffer);
            }
        }
    }

    /// Streams begin anew; none: all of them.
    pub(crate) fn reset(&mut self, streams: &[u16]) {
        if streams.is_empty() {
            self.partial.clear();
            self.charged = 0;
            self.order.reset_all();
        }
        for &stream in streams {
            let key = |is_unordered, mid| Key { stream, is_unordered, mid };
            self.discard(key(false, 0), key(true, u32::MAX));
            self.order.reset(stream);
        }
    }

    pub(crate) fn invariants(&self) {
        self.order.invariants();
        debug_assert_eq!(self.charged, self.partial.values().map(Partial::charge).sum::<usize>(), "C8");
        debug_assert!(self.partial.values().all(|partial| !partial.is_complete()), "what is complete is delivered");
    }
}
