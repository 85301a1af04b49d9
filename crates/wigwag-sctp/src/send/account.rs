//! What the messages that wait take of the send buffer, and what the user is told of it.

use super::stream::{Message, Stream};
use crate::migration::state;
use std::collections::VecDeque;

/// Charged for each message, and for each further part of one that waits, beside its bytes, or tiny ones would be nearly free.
const MESSAGE_OVERHEAD: usize = 128;

/// Whether somebody waits for room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writable {
    Idle,
    Wanted,
    Owed,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Account {
    capacity: usize,
    /// Bytes and overheads.
    charged: usize,
    buffered: usize,
    writable: Writable,
    /// Streams whose buffered amount has fallen to their thresholds.
    low: VecDeque<u16>,
}

state!(enum Writable { 0: Idle, 1: Wanted, 2: Owed });
state!(struct Account { capacity, writable, low } anew { charged: |_| 0, buffered: |_| 0 } => then |mut account, from| {
    let least = from.config.send_buffer;
    account.capacity = account.capacity.clamp(least, from.config.send_buffer_max.max(least));
    Some(account)
});

impl Account {
    /// These streams have gone on elsewhere: what they have takes its room here.
    pub(super) fn charge_all<'a>(&mut self, streams: impl Iterator<Item = &'a Stream>) {
        for stream in streams {
            let pieces: usize = stream.messages.iter().map(|message| 1 + message.parts_waiting()).sum();
            self.buffered += stream.buffered;
            self.charged += stream.buffered + pieces * MESSAGE_OVERHEAD;
        }
    }

    /// Streams of which it is owed to be told that little waits on them.
    pub(super) fn low(&self) -> impl Iterator<Item = u16> {
        self.low.iter().copied()
    }

    pub(super) const fn new(capacity: usize) -> Self {
        Self { capacity, charged: 0, buffered: 0, writable: Writable::Idle, low: VecDeque::new() }
    }

    pub(super) const fn capacity(&self) -> usize {
        self.capacity
    }

    /// There is room for so many bytes from now on. Who waits for room is told.
    pub(super) const fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity;
        self.tell_of_room();
    }

    const fn tell_of_room(&mut self) {
        if self.charged <= self.capacity / 2 {
            self.tell();
        }
    }

    /// Who waits for room is told that there is some, or may be.
    pub(super) const fn tell(&mut self) {
        if matches!(self.writable, Writable::Wanted) {
            self.writable = Writable::Owed;
        }
    }

    pub(super) const fn buffered(&self) -> usize {
        self.buffered
    }

    /// Whether there is room for a message. If not, the user is told when there is.
    pub(super) const fn admit(&mut self, len: usize) -> bool {
        let is_full = self.is_full(len);
        if is_full {
            self.writable = Writable::Wanted;
        }
        !is_full
    }

    /// Whether there is no room for a message of `len` bytes.
    pub(super) const fn is_full(&self, len: usize) -> bool {
        // An empty buffer takes any message: one larger than the buffer could never be sent.
        self.charged > 0 && self.charged + len + MESSAGE_OVERHEAD > self.capacity
    }

    pub(super) const fn charge_message(&mut self, len: usize, stream: &mut Stream) {
        self.charged += len + MESSAGE_OVERHEAD;
        self.buffered += len;
        stream.buffered += len;
    }

    /// A part of a message, which does or does not wait behind others.
    pub(super) const fn charge_part(&mut self, len: usize, is_further: bool, stream: &mut Stream) {
        self.charged += len + if is_further { MESSAGE_OVERHEAD } else { 0 };
        self.buffered += len;
        stream.buffered += len;
    }

    /// A message has left its stream, and nothing of it waits.
    pub(super) const fn end_message(&mut self) {
        self.charged -= MESSAGE_OVERHEAD;
        self.tell_of_room();
    }

    /// A message has left its stream, with what was left of it.
    pub(super) fn uncharge_message(&mut self, message: &Message, id: u16, stream: &mut Stream) {
        self.end_message();
        self.uncharge(message.unsent(), message.parts_waiting(), id, stream);
    }

    /// So many bytes wait no more, and so many parts are not behind others any more.
    pub(super) fn uncharge(&mut self, len: usize, parts: usize, id: u16, stream: &mut Stream) {
        self.charged -= len + parts * MESSAGE_OVERHEAD;
        self.buffered -= len;
        self.tell_of_room();
        let before = stream.buffered;
        stream.buffered -= len;
        if before > stream.threshold && stream.buffered <= stream.threshold && !stream.is_low_owed {
            stream.is_low_owed = true;
            self.low.push_back(id);
        }
    }

    pub(super) fn take_low(&mut self) -> Option<u16> {
        self.low.pop_front()
    }

    pub(super) fn take_writable(&mut self) -> bool {
        let is_owed = self.writable == Writable::Owed;
        if is_owed {
            self.writable = Writable::Idle;
        }
        is_owed
    }

    pub(super) fn has_event(&self) -> bool {
        !self.low.is_empty() || self.writable == Writable::Owed
    }

    pub(super) fn invariants<'a>(&self, streams: impl Iterator<Item = &'a Stream>) {
        let (mut buffered, mut bytes, mut messages) = (0, 0, 0); // parts that wait behind others among the messages
        for stream in streams {
            buffered += stream.buffered;
            bytes += stream.messages.iter().map(Message::unsent).sum::<usize>();
            messages += stream.messages.iter().map(|message| 1 + message.parts_waiting()).sum::<usize>();
        }
        debug_assert_eq!(self.buffered, buffered, "C11");
        debug_assert_eq!(self.buffered, bytes, "C11: no byte is lost from the account");
        debug_assert_eq!(self.charged, self.buffered + messages * MESSAGE_OVERHEAD);
    }
}
