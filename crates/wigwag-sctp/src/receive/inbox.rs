//! What has arrived and was not yet fetched. It closes the window.

use super::{EVENTS_EXPECTED, OVERHEAD};
use crate::Event;
use crate::migration::state;
use bytes::Bytes;
use std::collections::VecDeque;

/// A part of a message, as `Event::MessagePart` has it.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) stream: u16,
    pub(crate) ppid: u32,
    pub(crate) unordered: bool,
    pub(crate) data: Bytes,
    pub(crate) is_first: bool,
    pub(crate) is_last: bool,
}

/// Messages, and what happened between them, in the order in which it did.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    events: VecDeque<Event>,
    /// Bytes of user data, and what they and the rest are charged with.
    len: usize,
    charged: usize,
}

state!(struct Inbox { events } anew { len: |_| 0, charged: |_| 0 } => then |mut inbox, _| {
    inbox.len = inbox.events.iter().map(data_len).sum();
    inbox.charged = inbox.events.iter().map(charge).sum();
    Some(inbox)
});

impl Inbox {
    pub(crate) const fn charged(&self) -> usize {
        self.charged
    }

    /// How many bytes of user data find room in so many free bytes, if they come in messages as long as those that wait.
    pub(crate) const fn fit(&self, free: usize) -> u64 {
        match (free as u64 * self.len as u64).checked_div(self.charged as u64) {
            Some(fitting) => fitting,
            None => free as u64,
        }
    }

    /// Makes room for what comes at once when a gap closes.
    pub(crate) fn prepare(&mut self) {
        self.events.reserve(EVENTS_EXPECTED);
    }

    /// Gives back what is kept though nothing is in it.
    pub(crate) fn release(&mut self) {
        self.events.shrink_to_fit();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    pub(crate) fn message(&mut self, stream: u16, ppid: u32, unordered: bool, data: Bytes) {
        self.push(Event::Message { stream, ppid, unordered, data });
    }

    pub(crate) fn part(&mut self, part: Part) {
        let Part { stream, ppid, unordered, data, is_first, is_last } = part;
        self.push(Event::MessagePart { stream, ppid, unordered, data, is_first, is_last });
    }

    /// Parts of a message of the stream have come, and nothing more will.
    pub(crate) fn incomplete(&mut self, stream: u16) {
        self.push(Event::MessageIncomplete { stream });
    }

    pub(crate) fn stream_reset(&mut self, streams: Vec<u16>) {
        self.push(Event::IncomingStreamReset { streams });
    }

    pub(crate) fn association_reset(&mut self) {
        self.push(Event::AssociationReset);
    }

    /// Told once, however often it happens before anything else does.
    pub(crate) fn restarted(&mut self) {
        if self.events.back() != Some(&Event::Restarted) {
            self.push(Event::Restarted);
        }
    }

    #[inline(always)]
    pub(crate) fn pop(&mut self) -> Option<Event> {
        let event = self.events.pop_front()?;
        self.len -= data_len(&event);
        self.charged -= charge(&event);
        if self.events.is_empty() && self.events.capacity() > 1024 {
            self.events.shrink_to(EVENTS_EXPECTED);
        }
        Some(event)
    }

    fn push(&mut self, event: Event) {
        self.len += data_len(&event);
        self.charged += charge(&event);
        self.events.push_back(event);
    }

    pub(crate) fn invariants(&self) {
        debug_assert_eq!(self.charged, self.events.iter().map(charge).sum::<usize>(), "C8");
        debug_assert_eq!(self.len, self.events.iter().map(data_len).sum::<usize>());
    }
}

const fn data_len(event: &Event) -> usize {
    if let Event::Message { data, .. } | Event::MessagePart { data, .. } = event { data.len() } else { 0 }
}

fn charge(event: &Event) -> usize {
    let streams = if let Event::IncomingStreamReset { streams } = event { 2 * streams.len() } else { 0 };
    data_len(event) + streams + OVERHEAD
}
