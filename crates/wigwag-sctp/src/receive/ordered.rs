//! The order of messages within their streams (RFC 9260 §6.6).

use super::{Inbox, OVERHEAD};
use crate::stats::Stats;
use bytes::Bytes;
use std::collections::BTreeMap;
use wigwag_sansio::serial_after;

/// A whole message.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) stream: u16,
    pub(crate) ssn: u16,
    pub(crate) ppid: u32,
    pub(crate) is_unordered: bool,
    pub(crate) data: Bytes,
}

impl Message {
    fn deliver(self, inbox: &mut Inbox) {
        inbox.message(self.stream, self.ppid, self.is_unordered, self.data);
    }
}

/// Streams that have had an ordered message, and messages that came before their turn.
#[derive(Debug, Default)]
pub(crate) struct Order {
    expected: BTreeMap<u16, u16>,
    waiting: BTreeMap<(u16, u16), Message>,
    charged: usize,
}

impl Order {
    pub(crate) const fn charged(&self) -> usize {
        self.charged
    }

    /// Delivers the message, and what waited for it, or keeps it.
    pub(crate) fn take_in(&mut self, message: Message, inbox: &mut Inbox, stats: &mut Stats) {
        if message.is_unordered {
            message.deliver(inbox);
            return;
        }
        let (stream, ssn) = (message.stream, message.ssn);
        let expected = self.expected.entry(stream).or_default();
        if ssn == *expected {
            *expected = ssn.wrapping_add(1);
            message.deliver(inbox);
            self.deliver_waiting(stream, inbox);
        } else if serial_after(ssn, *expected) && !self.waiting.contains_key(&(stream, ssn)) {
            self.charged += message.data.len() + OVERHEAD;
            self.waiting.insert((stream, ssn), message);
        } else {
            stats.discarded.orphan += 1;
        }
    }

    fn deliver_waiting(&mut self, stream: u16, inbox: &mut Inbox) {
        if self.waiting.is_empty() {
            return;
        }
        let mut expected = self.expected.get(&stream).copied().unwrap_or_default();
        while let Some(message) = self.take_waiting(stream, expected) {
            expected = expected.wrapping_add(1);
            message.deliver(inbox);
        }
        self.expected.insert(stream, expected);
    }

    fn take_waiting(&mut self, stream: u16, ssn: u16) -> Option<Message> {
        let message = self.waiting.remove(&(stream, ssn))?;
        self.charged -= message.data.len() + OVERHEAD;
        Some(message)
    }

    /// Messages up to `ssn` that have not arrived will not come. Those that have are delivered: the peer knows that they
    /// arrived, and would not understand their loss.
    pub(crate) fn skip(&mut self, stream: u16, ssn: u16, inbox: &mut Inbox) {
        let expected = *self.expected.entry(stream).or_default();
        if !serial_after(ssn.wrapping_add(1), expected) {
            return;
        }
        // In turn, around the end of the numbers.
        let (before, after) =
            if expected <= ssn { ((expected, ssn), None) } else { ((expected, u16::MAX), Some((0, ssn))) };
        for (first, last) in std::iter::once(before).chain(after) {
            while let Some((&(_, ssn), _)) = self.waiting.range((stream, first)..=(stream, last)).next() {
                if let Some(message) = self.take_waiting(stream, ssn) {
                    message.deliver(inbox);
                }
            }
        }
        self.expected.insert(stream, ssn.wrapping_add(1));
        self.deliver_waiting(stream, inbox);
    }

    /// The stream begins anew.
    pub(crate) fn reset(&mut self, stream: u16) {
        self.expected.remove(&stream);
        let stranded: Vec<(u16, u16)> =
            self.waiting.range((stream, 0)..=(stream, u16::MAX)).map(|(key, _)| *key).collect();
        for (stream, ssn) in stranded {
            self.take_waiting(stream, ssn);
        }
    }

    pub(crate) fn reset_all(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn invariants(&self) {
        debug_assert_eq!(
            self.charged,
            self.waiting.values().map(|message| message.data.len() + OVERHEAD).sum::<usize>()
        );
    }
}
