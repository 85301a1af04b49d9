//! What waits on each stream, and how often a stream was looked at.

use super::account::Account;
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

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
    /// What of it was not sent.
    pub(super) data: Bytes,
    pub(super) is_unordered: bool,
    pub(super) is_begun: bool,
    pub(super) max_retransmits: Option<u16>,
    pub(super) expiry: Stamp,
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
    pub(super) next_ssn: u16,
    /// Bytes of `messages`.
    pub(super) buffered: usize,
    pub(super) threshold: usize,
    /// The messages from here on wait for their time to begin.
    pub(super) unstamped_from: usize,
    pub(super) reset: Reset,
    pub(super) is_low_owed: bool,
}

impl Stream {
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

    /// The SSN of a chunk, which is the last one of its message or not.
    pub(super) fn ssn(&mut self, is_unordered: bool, is_end: bool) -> u16 {
        if is_unordered {
            return 0;
        }
        let ssn = self.next_ssn;
        self.next_ssn = ssn.wrapping_add(u16::from(is_end));
        ssn
    }

    /// Discards what waits here, and forgets that it was to be reset. Whether there was any of it.
    pub(super) fn clear(&mut self, id: u16, account: &mut Account) -> bool {
        let has_waited = !self.messages.is_empty() || self.reset != Reset::Idle;
        self.unstamped_from = 0;
        self.reset = Reset::Idle;
        while let Some(message) = self.messages.pop_front() {
            account.uncharge_message(message.data.len(), id, self);
        }
        has_waited
    }

    /// Whether it is as if it had never been used.
    pub(super) fn is_unused(&self) -> bool {
        self.next_ssn == 0
            && self.threshold == 0
            && self.reset == Reset::Idle
            && self.messages.is_empty()
            && !self.is_low_owed
    }
}

/// The streams that were used.
#[derive(Debug, Default)]
pub(super) struct Streams {
    by_id: BTreeMap<u16, Stream>,
    /// How often one was looked at in order to change it.
    pub(super) visits: u64,
}

impl Streams {
    pub(super) fn get(&self, id: u16) -> Option<&Stream> {
        self.by_id.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: u16) -> Option<&mut Stream> {
        self.visits += 1;
        self.by_id.get_mut(&id)
    }

    pub(super) fn get_or_insert(&mut self, id: u16) -> &mut Stream {
        self.visits += 1;
        self.by_id.entry(id).or_default()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (u16, &mut Stream)> {
        self.visits += self.by_id.len() as u64;
        self.by_id.iter_mut().map(|(id, stream)| (*id, stream))
    }

    pub(super) fn remove(&mut self, id: u16) {
        self.by_id.remove(&id);
    }

    pub(super) fn retain_used(&mut self) {
        self.visits += self.by_id.len() as u64;
        self.by_id.retain(|_, stream| !stream.is_unused());
    }

    /// For invariants only, which may look at everything.
    pub(super) fn all(&self) -> impl Iterator<Item = &Stream> {
        self.by_id.values()
    }
}
