//! From fragments to messages, of which many may be incomplete at once (RFC 8260 §2.2.3).
//!
//! The fragments of a message are numbered. As long as they come in turn, each goes to the end of one buffer; those that are early
//! wait one by one. All of these buffers are used again.

use super::buffers::{Buffer, Buffers};
use super::inbox::Part;
use super::ordered::{Message, Order};
use super::reassembly::TooLarge;
use super::{FRAGMENTS_EXPECTED, Inbox, OVERHEAD};
use crate::chunk::{BEGINNING, ENDING, IData, Skip, UNORDERED};
use crate::map::Map;
use crate::migration::{Reader, state};
use crate::stats::Stats;
use bytes::Bytes;
use std::collections::BTreeMap;

/// How many bytes of buffers are kept though nothing is in them: of messages, and of early fragments.
const MESSAGES_KEPT_MAX: usize = 2 * 1024 * 1024;
const FRAGMENTS_KEPT_MAX: usize = 1024 * 1024;
/// No I-FORWARD TSN skips so many: whether a MID is behind, it tells itself.
const TSNS_MAX: u64 = 1 << 31;

/// Which message a fragment is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    stream: u16,
    is_unordered: bool,
    mid: u32,
}

/// A message that is not complete.
#[derive(Debug)]
struct Partial {
    ppid: u32,
    /// The fragments up to `next_fsn`, but for what has been handed out.
    buffer: Buffer,
    handed_out: usize,
    next_fsn: u32,
    last_fsn: Option<u32>,
    /// The greatest FSN that has come.
    seen_fsn: u32,
    /// How many fragments are early, and their bytes.
    early: usize,
    early_len: usize,
}

state!(struct Key { stream, is_unordered, mid });
state!(struct Partial { ppid, buffer, handed_out, next_fsn, last_fsn, seen_fsn } anew { early: |_| 0, early_len: |_| 0 });

impl Partial {
    const fn new(buffer: Buffer) -> Self {
        Self { ppid: 0, buffer, handed_out: 0, next_fsn: 0, last_fsn: None, seen_fsn: 0, early: 0, early_len: 0 }
    }

    const fn charge(&self) -> usize {
        self.len() + (1 + self.early) * OVERHEAD
    }

    const fn len(&self) -> usize {
        self.buffer.bytes.len() + self.early_len
    }

    fn is_complete(&self) -> bool {
        self.last_fsn.is_some_and(|last| self.next_fsn > last)
    }

    /// Whether the fragment makes sense beside the others; then it is noted. `is_known`: it waits already.
    fn admit(&mut self, data: &IData<'_>, is_known: bool) -> bool {
        let fsn = data.fsn();
        let is_beyond = self.last_fsn.is_some_and(|last| fsn > last);
        let ends_before = data.is(ENDING) && (self.last_fsn.is_some() || self.next_fsn > fsn || self.seen_fsn > fsn);
        if is_known || fsn < self.next_fsn || is_beyond || ends_before {
            return false;
        }
        if data.is(BEGINNING) {
            self.ppid = data.ppid_or_fsn;
        }
        if data.is(ENDING) {
            self.last_fsn = Some(fsn);
        }
        self.seen_fsn = self.seen_fsn.max(fsn);
        true
    }

    /// The fragment that was waited for.
    fn append(&mut self, payload: &[u8]) {
        self.buffer.bytes.extend_from_slice(payload);
        self.next_fsn = self.next_fsn.saturating_add(1);
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Interleaved {
    message_len_max: usize,
    /// From so many bytes on they are handed out in parts; and of which messages that was done.
    part_len_min: usize,
    in_parts: BTreeMap<u16, Key>,
    partial: Map<Key, Partial>,
    /// Of streams of which unordered messages were given up: the first that was not. Pieces of those before it may come late.
    given_up_before: Map<u16, u32>,
    /// Fragments by their messages and FSNs.
    early: Map<(Key, u32), Buffer>,
    charged: usize,
    messages: Buffers,
    fragments: Buffers,
    order: Order,
}

state!(struct Interleaved { partial, early, order } anew {
    message_len_max: |from| from.config.message_len_max_receive,
    part_len_min: |_| usize::MAX, in_parts: |_| BTreeMap::new(), given_up_before: |_| Map::new(), charged: |_| 0, messages: |_| Buffers::new(MESSAGES_KEPT_MAX), fragments: |_| Buffers::new(FRAGMENTS_KEPT_MAX),
} => then Self::resumed);

impl Interleaved {
    /// Messages are incomplete, and one of a stream at most is handed out in parts. Early fragments are of them, none of them those that
    /// are waited for, nor behind the last one, and it is known which one is the last of those that have come.
    fn resumed(mut self, _: &mut Reader<'_>) -> Option<Self> {
        let Self { partial, early, messages, fragments, in_parts, .. } = &mut self;
        for (key, partial) in partial.iter_mut() {
            partial.buffer = messages.take_over(&partial.buffer);
            if partial.is_complete() || partial.handed_out > 0 && in_parts.insert(key.stream, *key).is_some() {
                return None;
            }
        }
        for ((key, fsn), fragment) in early.iter_mut() {
            let may_be = |partial: &&mut Partial| {
                partial.next_fsn < *fsn && *fsn <= partial.seen_fsn && partial.last_fsn.is_none_or(|last| *fsn <= last)
            };
            let partial = partial.get_mut(key).filter(may_be)?;
            *fragment = fragments.take_over(fragment);
            partial.early += 1;
            partial.early_len += fragment.bytes.len();
        }
        self.charged = self.partial.iter().map(|(_, partial)| partial.charge()).sum();
        Some(self)
    }

    pub(crate) fn new(message_len_max: usize) -> Self {
        Self {
            message_len_max,
            part_len_min: usize::MAX,
            in_parts: BTreeMap::new(),
            partial: Map::new(),
            given_up_before: Map::new(),
            early: Map::new(),
            charged: 0,
            messages: Buffers::new(MESSAGES_KEPT_MAX),
            fragments: Buffers::new(FRAGMENTS_KEPT_MAX),
            order: Order::new(32),
        }
    }

    pub(crate) const fn charged(&self) -> usize {
        self.charged + self.order.charged()
    }

    /// From so many bytes on, an incomplete message is handed out in parts.
    pub(crate) const fn set_part_len_min(&mut self, len: usize) {
        self.part_len_min = len;
    }

    pub(crate) fn push(&mut self, data: &IData<'_>, inbox: &mut Inbox, stats: &mut Stats) -> Result<(), TooLarge> {
        let is_unordered = data.is(UNORDERED);
        let key = Key { stream: data.stream, is_unordered, mid: data.mid };
        let is_past = if is_unordered { self.is_given_up(key) } else { self.order.is_past(key.stream, key.mid) };
        if is_past {
            stats.discarded.orphan += 1;
            return Ok(());
        }
        if data.payload.len() > self.message_len_max {
            return Err(TooLarge);
        }
        if data.is(BEGINNING) && data.is(ENDING) && !self.partial.contains_key(&key) {
            self.complete(key, data.ppid_or_fsn, Bytes::copy_from_slice(data.payload), false, inbox, stats);
            return Ok(());
        }
        if !self.partial.contains_key(&key) {
            let partial = Partial::new(self.messages.lend());
            self.charged += partial.charge();
            self.partial.insert(key, partial);
        }
        if self.take_in(key, data, stats) {
            return Err(TooLarge);
        }
        let Some(partial) = self.partial.get(&key) else { return Ok(()) };
        if partial.is_complete() {
            let Some(partial) = self.remove(key) else { return Ok(()) };
            let is_rest = partial.handed_out > 0;
            let message = self.messages.take(partial.buffer);
            if is_rest {
                self.in_parts.remove(&key.stream);
            }
            self.complete(key, partial.ppid, message, is_rest, inbox, stats);
        } else if partial.buffer.bytes.len() >= self.part_len_min {
            self.hand_out(key, inbox);
        }
        Ok(())
    }

    /// Whether the message, which is unordered, was given up.
    fn is_given_up(&mut self, key: Key) -> bool {
        let Some(first) = self.given_up_before.get_mut(&key.stream) else { return false };
        let ahead = key.mid.wrapping_sub(*first).cast_signed();
        // Numbers come round: none is taken for one of half a turn before. Those that are on their way at once are far closer.
        *first = first.wrapping_add_signed(ahead.saturating_sub(1 << 30).max(0));
        ahead < 0
    }

    /// Hands out what is there of an incomplete message, if it is its turn, and no other of its stream is being handed out.
    fn hand_out(&mut self, key: Key, inbox: &mut Inbox) {
        let Key { stream, is_unordered: unordered, mid } = key;
        let is_turn = unordered || self.order.is_next(stream, mid);
        let Some(partial) = self.partial.get_mut(&key).filter(|_| is_turn) else { return };
        if *self.in_parts.entry(stream).or_insert(key) != key {
            return;
        }
        self.charged -= partial.charge();
        let data = self.messages.take(std::mem::take(&mut partial.buffer));
        let is_first = partial.handed_out == 0;
        partial.handed_out = partial.handed_out.saturating_add(data.len());
        // Not the one that the part was in: what a peer is not charged for, it must not be able to have kept.
        partial.buffer = self.messages.lend();
        self.charged += partial.charge();
        inbox.part(Part { stream, ppid: partial.ppid, unordered, data, is_first, is_last: false });
    }

    /// Takes a fragment into its message. Whether the message is too long then.
    fn take_in(&mut self, key: Key, data: &IData<'_>, stats: &mut Stats) -> bool {
        let Self { partial, early, fragments, charged, message_len_max, .. } = self;
        let Some(partial) = partial.get_mut(&key) else { return false };
        let fsn = data.fsn();
        if !partial.admit(data, early.contains_key(&(key, fsn))) {
            stats.discarded.orphan += 1;
            return false;
        }
        *charged -= partial.charge();
        if fsn == partial.next_fsn {
            partial.append(data.payload);
            while partial.early > 0
                && let Some(fragment) = early.remove(&(key, partial.next_fsn))
            {
                partial.early -= 1;
                partial.early_len -= fragment.bytes.len();
                partial.append(&fragment.bytes);
                fragments.give_back(fragment);
            }
        } else {
            partial.early += 1;
            partial.early_len += data.payload.len();
            early.insert((key, fsn), fragments.copy(data.payload));
        }
        *charged += partial.charge();
        partial.handed_out.saturating_add(partial.len()) > *message_len_max
    }

    fn remove(&mut self, key: Key) -> Option<Partial> {
        let partial = self.partial.remove(&key)?;
        self.charged -= partial.charge();
        Some(partial)
    }

    fn complete(&mut self, key: Key, ppid: u32, data: Bytes, is_rest: bool, inbox: &mut Inbox, stats: &mut Stats) {
        let Key { stream, is_unordered, mid } = key;
        self.order.take_in(Message { stream, number: mid, ppid, is_unordered, data, is_rest }, 0, inbox, stats);
        self.hand_out_next(stream, inbox);
    }

    /// A message of the stream is out of the way: what is there of the next one is handed out, or its rest would have to wait for the
    /// room that it takes itself.
    fn hand_out_next(&mut self, stream: u16, inbox: &mut Inbox) {
        if self.part_len_min == usize::MAX || self.partial.is_empty() {
            return;
        }
        let ordered = Key { stream, is_unordered: false, mid: self.order.next(stream) };
        let unordered = self.partial.first_from(&Key { stream, is_unordered: true, mid: 0 });
        let unordered = unordered.map(|(key, _)| *key).filter(|key| key.stream == stream);
        for key in std::iter::once(ordered).chain(unordered) {
            if self.partial.get(&key).is_some_and(|partial| partial.buffer.bytes.len() >= self.part_len_min) {
                self.hand_out(key, inbox);
            }
        }
    }

    /// Messages up to this one that are not complete never will be (RFC 8260 §2.3.1).
    pub(crate) fn skip(&mut self, skip: Skip, inbox: &mut Inbox) {
        let Skip { stream, is_unordered, mid } = skip;
        // Half of all numbers are before this one, perhaps around their end.
        let first = mid.wrapping_sub(i32::MAX as u32);
        let (before, after) = if first <= mid { ((first, mid), None) } else { ((first, u32::MAX), Some((0, mid))) };
        for (first, last) in std::iter::once(before).chain(after) {
            let key = |mid| Key { stream, is_unordered, mid };
            self.discard(key(first), key(last), inbox);
        }
        if is_unordered {
            let (before, first) = (self.given_up_before.get(&stream), mid.wrapping_add(1));
            if before.is_none_or(|before| first.wrapping_sub(*before).cast_signed() > 0) {
                self.given_up_before.insert(stream, first);
            }
        } else {
            self.order.skip(stream, mid, TSNS_MAX, inbox);
        }
        self.hand_out_next(stream, inbox);
    }

    fn discard(&mut self, first: Key, last: Key, inbox: &mut Inbox) {
        while let Some(&(key, _)) = self.partial.first_from(&first)
            && key <= last
            && let Some(partial) = self.remove(key)
        {
            self.messages.give_back(partial.buffer);
            if partial.handed_out > 0 {
                self.in_parts.remove(&key.stream);
                inbox.incomplete(key.stream);
            }
            while let Some(&(fragment, _)) = self.early.first_from(&(key, 0))
                && fragment.0 == key
                && let Some(buffer) = self.early.remove(&fragment)
            {
                self.fragments.give_back(buffer);
            }
        }
    }

    /// Streams begin anew; none: all of them.
    pub(crate) fn reset(&mut self, streams: &[u16], inbox: &mut Inbox) {
        if streams.is_empty() {
            let key = |stream, is_unordered, mid| Key { stream, is_unordered, mid };
            self.discard(key(0, false, 0), key(u16::MAX, true, u32::MAX), inbox);
            self.order.reset_all();
            self.given_up_before.clear();
        }
        for &stream in streams {
            let key = |is_unordered, mid| Key { stream, is_unordered, mid };
            self.discard(key(false, 0), key(true, u32::MAX), inbox);
            self.order.reset(stream);
            self.given_up_before.remove(&stream);
        }
    }

    /// Gives back what is kept though nothing is in it.
    pub(crate) fn release(&mut self) {
        self.early.release();
        self.partial.release();
        self.given_up_before.release();
        self.messages.release();
        self.fragments.release();
        self.order.release();
    }

    /// Data comes: makes room for what loss will bring.
    pub(crate) fn prepare(&mut self, fragment_len: usize) {
        self.partial.prepare();
        self.given_up_before.prepare();
        self.early.prepare();
        self.fragments.prepare(FRAGMENTS_EXPECTED, fragment_len);
        self.order.prepare();
    }

    pub(crate) fn invariants(&self) {
        self.order.invariants();
        debug_assert_eq!(self.charged, self.partial.iter().map(|(_, partial)| partial.charge()).sum::<usize>(), "C8");
        debug_assert!(self.partial.iter().all(|(_, partial)| !partial.is_complete()), "what is complete is delivered");
        let handed_out = self.partial.iter().filter(|(_, partial)| partial.handed_out > 0);
        debug_assert!(handed_out.map(|(key, _)| (&key.stream, key)).eq(&self.in_parts), "one of a stream in parts");
        debug_assert_eq!(self.early.len(), self.partial.iter().map(|(_, partial)| partial.early).sum::<usize>());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;
    use crate::migration::{State, Writer};
    use crate::wire;

    #[test]
    fn no_early_fragment_is_behind_the_last_one_of_its_message_or_the_last_that_has_come() {
        let (config, now) = (Config::default(), wigwag_sim::origin());
        for (last_fsn, seen_fsn, is_possible) in
            [(None, 7, true), (Some(9), 7, true), (Some(5), 7, false), (None, 6, false)]
        {
            let mut interleaved = Interleaved::new(1000);
            for (flags, fsn) in [(BEGINNING, 51), (0, 7)] {
                let data = IData { flags, tsn: fsn, stream: 0, mid: 0, ppid_or_fsn: fsn, payload: b"piece" };
                assert_eq!(interleaved.push(&data, &mut Inbox::default(), &mut Stats::default()), Ok(()));
            }
            for (_, partial) in interleaved.partial.iter_mut() {
                (partial.last_fsn, partial.seen_fsn) = (last_fsn, seen_fsn);
            }
            let mut out = Writer::new(now);
            interleaved.write(&mut out);
            let bytes = out.into_bytes();
            let read = Interleaved::read(&mut Reader::new(wire::Reader::new(&bytes), now, &config));
            assert_eq!(read.is_some(), is_possible, "{last_fsn:?}, {seen_fsn}");
        }
    }
}
