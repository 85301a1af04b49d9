//! The order of messages within their streams (RFC 9260 §6.6, RFC 8260 §2.2.3).

use super::inbox::Part;
use super::{Inbox, OVERHEAD};
use crate::map::Map;
use crate::migration::{Reader, state};
use crate::stats::Stats;
use bytes::Bytes;
use std::collections::BTreeMap;

/// A whole message, or what is left of one.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) stream: u16,
    /// Its SSN or MID.
    pub(crate) number: u32,
    pub(crate) ppid: u32,
    pub(crate) is_unordered: bool,
    pub(crate) data: Bytes,
    /// Parts of it have been handed out before.
    pub(crate) is_rest: bool,
}

state!(struct Message { stream, number, ppid, is_unordered, data, is_rest });

impl Message {
    #[inline(always)]
    fn deliver(self, inbox: &mut Inbox) {
        let Self { stream, ppid, is_unordered: unordered, data, is_rest, .. } = self;
        if is_rest {
            inbox.part(Part { stream, ppid, unordered, data, is_first: false, is_last: true });
        } else {
            inbox.message(stream, ppid, unordered, data);
        }
    }
}

/// A number with the turns that it has made in its upper half, so that comparing is plain. Begins at turn one.
const FIRST: u64 = 1 << 32;

/// The number that is `wire` in a packet, of so many bits, and nearest to `expected`.
const fn nearest(bits: u32, expected: u64, wire: u32) -> u64 {
    let unused = 32 - bits;
    let ahead = wire.wrapping_sub(expected as u32).unbounded_shl(unused).cast_signed() >> unused;
    expected.saturating_add_signed(ahead as i64)
}

/// As `nearest`, but a number that seems behind is ahead if it can be: if of as many messages from the expected one on, each might have one of
/// so many TSNs. What is new was neither delivered nor skipped, and up to 65,535 messages wait behind a gap, which are all numbers of 16 bits.
const fn nearest_within(tsns: u64, bits: u32, expected: u64, wire: u32) -> u64 {
    let nearest = nearest(bits, expected, wire);
    let later = nearest.saturating_add(1 << bits);
    if nearest < expected && later - expected < tsns { later } else { nearest }
}

/// Streams that have had an ordered message, and messages that came before their turn.
#[derive(Debug)]
pub(crate) struct Order {
    /// How long a number is in a packet: 16 for an SSN, 32 for a MID.
    bits: u32,
    expected: BTreeMap<u16, u64>,
    waiting: Map<(u16, u64), Message>,
    charged: usize,
}

state!(struct Order { expected, waiting } anew {
    bits: |from| if from.extensions.has_interleaving { 32 } else { 16 }, charged: |_| 0,
} => then Self::resumed);

impl Order {
    /// What waits is not yet to be delivered.
    fn resumed(mut self, _: &mut Reader<'_>) -> Option<Self> {
        let is_early = self.waiting.iter().all(|((stream, number), message)| {
            *stream == message.stream && !message.is_unordered && *number > self.expected(*stream)
        });
        self.charged = self.waiting.iter().map(|(_, message)| message.data.len() + OVERHEAD).sum();
        is_early.then_some(self)
    }

    pub(crate) const fn new(bits: u32) -> Self {
        Self { bits, expected: BTreeMap::new(), waiting: Map::new(), charged: 0 }
    }

    pub(crate) const fn charged(&self) -> usize {
        self.charged
    }

    fn expected(&self, stream: u16) -> u64 {
        self.expected.get(&stream).copied().unwrap_or(FIRST)
    }

    /// Whether the message was delivered, or is skipped.
    pub(crate) fn is_past(&self, stream: u16, wire: u32) -> bool {
        let expected = self.expected(stream);
        nearest(self.bits, expected, wire) < expected
    }

    /// Whether nothing of the stream is delivered before this message.
    pub(crate) fn is_next(&self, stream: u16, wire: u32) -> bool {
        let expected = self.expected(stream);
        nearest(self.bits, expected, wire) == expected
    }

    /// The number of the message that is delivered next, as it is in a packet.
    pub(crate) fn next(&self, stream: u16) -> u32 {
        self.expected(stream) as u32
    }

    /// Delivers the message, and what waited for it, or keeps it. It ends so many TSNs behind the last before which nothing is missing, if it
    /// is beyond a gap.
    #[inline]
    pub(crate) fn take_in(&mut self, message: Message, tsns: u64, inbox: &mut Inbox, stats: &mut Stats) {
        if message.is_unordered {
            message.deliver(inbox);
            return;
        }
        let stream = message.stream;
        let bits = self.bits;
        let expected = match self.expected.get_mut(&stream) {
            Some(expected) => expected,
            None => self.expected.entry(stream).or_insert(FIRST),
        };
        let number = nearest_within(tsns, bits, *expected, message.number);
        if number == *expected {
            *expected = number.saturating_add(1);
            message.deliver(inbox);
            if !self.waiting.is_empty() {
                self.deliver_waiting(stream, inbox);
            }
        } else if number > *expected && !self.waiting.contains_key(&(stream, number)) {
            self.charged += message.data.len() + OVERHEAD;
            self.waiting.insert((stream, number), message);
        } else {
            stats.discarded.orphan += 1;
            if message.is_rest {
                inbox.incomplete(stream);
            }
        }
    }

    fn deliver_waiting(&mut self, stream: u16, inbox: &mut Inbox) {
        let mut expected = self.expected(stream);
        while let Some(message) = self.take_waiting(stream, expected) {
            expected = expected.saturating_add(1);
            message.deliver(inbox);
        }
        self.expected.insert(stream, expected);
    }

    fn take_waiting(&mut self, stream: u16, number: u64) -> Option<Message> {
        let message = self.waiting.remove(&(stream, number))?;
        self.charged -= message.data.len() + OVERHEAD;
        Some(message)
    }

    /// The first message that waits on the stream, if its number is no greater than `last`.
    fn take_first(&mut self, stream: u16, last: u64) -> Option<Message> {
        let &((of, number), _) = self.waiting.first_from(&(stream, 0))?;
        (of == stream && number <= last).then(|| self.take_waiting(stream, number)).flatten()
    }

    /// Messages up to this number that have not arrived will not come. Those that have are delivered: the peer knows that they
    /// arrived, and would not understand their loss. So many TSNs are skipped.
    pub(crate) fn skip(&mut self, stream: u16, wire: u32, tsns: u64, inbox: &mut Inbox) {
        let expected = self.expected(stream);
        let last = nearest_within(tsns, self.bits, expected, wire);
        // Of each message from the expected one up to the last, a TSN is skipped, but for those that had no time to be sent, of which some
        // peers leave out the number alone. One that seems much further ahead than that is behind: it was delivered, and the peer had not
        // heard of it.
        let is_far = last.saturating_sub(expected) >= 1 << (self.bits - 2);
        if last < expected || is_far && last - expected >= tsns {
            return;
        }
        while let Some(message) = self.take_first(stream, last) {
            message.deliver(inbox);
        }
        self.expected.insert(stream, last.saturating_add(1));
        self.deliver_waiting(stream, inbox);
    }

    /// The stream begins anew.
    pub(crate) fn reset(&mut self, stream: u16) {
        self.expected.remove(&stream);
        while self.take_first(stream, u64::MAX).is_some() {}
    }

    /// Gives back what is kept though nothing is in it.
    pub(crate) fn release(&mut self) {
        self.waiting.release();
    }

    /// Makes room for what loss will bring.
    pub(crate) fn prepare(&mut self) {
        self.waiting.prepare();
    }

    pub(crate) fn reset_all(&mut self) {
        *self = Self::new(self.bits);
    }

    pub(crate) fn invariants(&self) {
        debug_assert_eq!(
            self.charged,
            self.waiting.iter().map(|(_, message)| message.data.len() + OVERHEAD).sum::<usize>()
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_number_is_across_the_wrap_of_either_length() {
        assert_eq!(nearest(16, FIRST, 0xffff), FIRST - 1);
        assert_eq!(nearest(16, FIRST + 0xffff, 0), FIRST + 0x1_0000);
        assert_eq!(nearest(16, FIRST + 0x1_0000, 0xffff), FIRST + 0xffff);
        assert_eq!(nearest(32, FIRST, u32::MAX), FIRST - 1);
        assert_eq!(nearest(32, FIRST + 0xffff_ffff, 0), FIRST + 0x1_0000_0000);
        assert_eq!(nearest(32, FIRST, 0xffff), FIRST + 0xffff);
    }

    #[test]
    fn a_number_that_seems_behind_is_ahead_as_far_as_there_are_tsns_for_it() {
        for expected in [FIRST, FIRST + 0x8000, FIRST + 0xffff] {
            let number =
                |tsns, ahead: u64| nearest_within(tsns, 16, expected, u32::from((expected + ahead) as u16)) - FIRST;
            let at = |ahead| expected - FIRST + ahead;
            assert_eq!(
                [0, 0x7fff].map(|ahead| number(0, ahead)),
                [0, 0x7fff].map(at),
                "it may be of a peer that leaves numbers out"
            );
            assert_eq!([0x8000, 0xfffe].map(|ahead| number(ahead + 1, ahead)), [0x8000, 0xfffe].map(at));
        }
        assert_eq!(nearest_within(0xffff, 16, FIRST, 0xffff), FIRST - 1);
        assert_eq!(nearest_within(1 << 31, 32, FIRST, 0x8000_0000), FIRST - 0x8000_0000);
    }
}
