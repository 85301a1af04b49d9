//! Where the streams that have something to send wait for their turns: in one of three places. Those that have a message of which
//! nothing may be sent are in none of them, but for one that holds all others up.

use super::outstanding::Format;
use super::schedule::{Line, Schedule};
use super::stream::{Message, Stream, Streams};
use crate::config::Scheduler;
use crate::migration::state;
use std::collections::BTreeSet;
use std::time::Instant;

/// Whose turn it is, and from where it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Its message was begun, and nothing else is sent before it has ended.
    Unfinished(u16),
    /// Its message was begun, as others may be.
    Begun(u16),
    Fresh(u16),
    /// It is in no line: nobody's turn.
    Aside(u16),
}

impl Next {
    pub(super) const fn id(self) -> u16 {
        match self {
            Self::Unfinished(id) | Self::Begun(id) | Self::Fresh(id) | Self::Aside(id) => id,
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Lines {
    schedule: Schedule,
    pub(super) format: Format,
    fresh: Line,
    begun: Line,
    unfinished: Option<u16>,
    is_unfinished_starved: bool,
    /// How many streams are starved, but for the unfinished one.
    starved: usize,
    /// When messages of starved streams will have lived too long.
    starved_until: BTreeSet<(Instant, u16)>,
    /// Bytes of the messages that are begun, sent ones included, and how many there may be beside each other.
    begun_len: usize,
    pub(super) begun_max: usize,
}

state!(struct Lines { schedule, begun_max, fresh, begun } anew {
    format: |from| Format::new(from.extensions.has_interleaving), unfinished: |_| None, is_unfinished_starved: |_| false,
    starved: |_| 0, starved_until: |_| BTreeSet::new(), begun_len: |_| 0,
});

impl Lines {
    /// Streams have gone on elsewhere: where each waits follows from what it has. Whether that is so.
    pub(super) fn resume(&mut self, streams: &mut Streams) -> bool {
        let (mut fresh, mut begun) = (Vec::new(), Vec::new());
        for (id, stream) in streams.numbered_mut() {
            let Some(message) = stream.messages.front() else { continue };
            let (is_begun, is_ready) = (message.is_begun(), message.is_ready());
            self.begun_len += if is_begun { message.len } else { 0 };
            if is_begun && self.format == Format::Data && self.unfinished.replace(id).is_some() {
                return false;
            }
            if !is_ready {
                self.starve(id, stream);
            } else if !is_begun {
                fresh.push(id);
            } else if self.format == Format::Interleaved {
                begun.push(id);
            }
        }
        self.fresh.is_of(&fresh) && self.begun.is_of(&begun)
    }

    pub(super) fn new(scheduler: Scheduler) -> Self {
        Self {
            schedule: Schedule::new(scheduler),
            format: Format::Data,
            fresh: Line::default(),
            begun: Line::default(),
            unfinished: None,
            is_unfinished_starved: false,
            starved: 0,
            starved_until: BTreeSet::new(),
            begun_len: 0,
            begun_max: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.is_idle() && self.starved == 0
    }

    /// Whether nobody waits for a turn.
    pub(super) fn is_idle(&self) -> bool {
        self.unfinished.is_none() && self.begun.is_empty() && self.fresh.is_empty()
    }

    pub(super) const fn has_begun(&self) -> bool {
        self.begun_len > 0
    }

    /// As much as a message counts that is given in parts and has no length yet: a few may be begun, and others beside them.
    pub(super) fn counted_max(&self) -> usize {
        (self.begun_max / 4).max(1)
    }

    /// A message that was begun has become longer.
    pub(super) const fn grow(&mut self, len: usize) {
        self.begun_len += len;
    }

    #[inline]
    pub(super) fn next(&self, streams: &Streams) -> Option<Next> {
        if let Some(id) = self.unfinished {
            return (!self.is_unfinished_starved).then_some(Next::Unfinished(id));
        }
        let Some((begun, earlier)) = self.begun.front() else {
            let (fresh, _) = self.fresh.front()?;
            return (!self.has_begun() || self.may_begin(streams.get(fresh))).then_some(Next::Fresh(fresh));
        };
        let Some((fresh, later)) = self.fresh.front() else { return Some(Next::Begun(begun)) };
        let is_fresh = later < earlier && self.may_begin(streams.get(fresh));
        Some(if is_fresh { Next::Fresh(fresh) } else { Next::Begun(begun) })
    }

    /// Whether the peer has room for one more message in pieces.
    fn may_begin(&self, stream: Option<&Stream>) -> bool {
        let message = stream.and_then(|stream| stream.messages.front());
        self.begun_len + message.map_or(0, |message| message.len) <= self.begun_max
    }

    /// The stream has a message, and had none.
    pub(super) fn enter(&mut self, id: u16, stream: &mut Stream) {
        if stream.messages.front().is_some_and(Message::is_ready) {
            self.schedule.enter(&mut self.fresh, id, stream);
        } else {
            self.starve(id, stream);
        }
    }

    /// Nothing of the stream's first message may be sent.
    pub(super) fn starve(&mut self, id: u16, stream: &mut Stream) {
        stream.is_starved = true;
        if self.unfinished == Some(id) {
            self.is_unfinished_starved = true;
        } else {
            self.starved += 1;
        }
        self.starved_until.extend(expiry(stream).map(|at| (at, id)));
    }

    /// The stream is not starved any more, or its first message goes. Whether it was.
    pub(super) fn unstarve(&mut self, id: u16, stream: &mut Stream) -> bool {
        let was_starved = std::mem::take(&mut stream.is_starved);
        if was_starved {
            if self.unfinished == Some(id) {
                self.is_unfinished_starved = false;
            } else {
                self.starved -= 1;
            }
            if let Some(at) = expiry(stream) {
                self.starved_until.remove(&(at, id));
            }
        }
        was_starved
    }

    /// The stream's first message may have got what it waited for.
    pub(super) fn feed(&mut self, id: u16, stream: &mut Stream) {
        let is_fed = stream.messages.front().is_some_and(Message::is_ready) && self.unstarve(id, stream);
        if is_fed && self.unfinished != Some(id) {
            let line = if stream.has_begun() { &mut self.begun } else { &mut self.fresh };
            self.schedule.enter(line, id, stream);
        }
    }

    /// The starved stream whose message will be the first to have lived too long.
    pub(super) fn next_starved(&self) -> Option<(Instant, Next)> {
        self.starved_until.first().map(|&(at, id)| (at, Next::Aside(id)))
    }

    /// A message is gone that was the first of its stream, and was not begun; the stream `was_starved`, or waits for its turn.
    pub(super) fn front_removed(&mut self, id: u16, was_starved: bool, stream: &mut Stream) {
        if stream.messages.front().is_none_or(|message| !message.is_ready()) {
            self.fresh.retain(|other| other != id);
            if !stream.messages.is_empty() {
                self.starve(id, stream);
            }
        } else if was_starved {
            self.schedule.enter(&mut self.fresh, id, stream);
        }
    }

    /// The stream has sent the first `len` bytes of a message, or more of it.
    pub(super) fn charge(&mut self, len: usize, begun: Option<usize>, stream: &mut Stream) {
        self.begun_len += begun.unwrap_or_default();
        self.schedule.charge(stream, len + self.format.header_len());
    }

    /// The turn is over, and the message is not.
    #[inline(always)]
    pub(super) fn put_back(&mut self, next: Next, stream: &mut Stream) {
        let id = next.id();
        let is_ready = stream.messages.front().is_some_and(Message::is_ready);
        match (self.format, next) {
            (_, Next::Unfinished(_) | Next::Aside(_)) => {}
            (Format::Data, _) => {
                self.schedule.leave(&mut self.fresh);
                self.unfinished = Some(id);
            }
            (Format::Interleaved, Next::Begun(_)) if is_ready => self.schedule.renew(&mut self.begun, stream),
            (Format::Interleaved, Next::Begun(_)) => self.schedule.leave(&mut self.begun),
            (Format::Interleaved, Next::Fresh(_)) => {
                self.schedule.leave(&mut self.fresh);
                if is_ready {
                    self.schedule.enter(&mut self.begun, id, stream);
                }
            }
        }
        if !is_ready {
            self.starve(id, stream);
        }
    }

    /// The turn is over, and so is the message, which is not of the stream any more; `begun`: how long it was, if it was begun.
    #[inline(always)]
    pub(super) fn end(&mut self, next: Next, begun: Option<usize>, stream: &mut Stream) {
        self.begun_len -= begun.unwrap_or_default();
        match next {
            Next::Fresh(_) if stream.messages.front().is_some_and(Message::is_ready) => {
                return self.schedule.renew(&mut self.fresh, stream);
            }
            Next::Fresh(_) => self.schedule.leave(&mut self.fresh),
            Next::Begun(_) => self.schedule.leave(&mut self.begun),
            Next::Unfinished(_) => self.unfinished = None,
            Next::Aside(_) => {}
        }
        if !stream.messages.is_empty() {
            self.enter(next.id(), stream);
        }
    }

    /// The message of the stream that was begun is over, whoever's turn it is.
    pub(super) fn drop_begun(&mut self, id: u16) -> Next {
        self.begun.retain(|other| other != id);
        // In no line any more, or in none before.
        if self.unfinished == Some(id) { Next::Unfinished(id) } else { Next::Aside(id) }
    }

    /// The stream has another priority now.
    pub(super) fn changed(&mut self, id: u16, stream: &Stream) {
        self.schedule.changed(&mut self.fresh, id, stream);
        self.schedule.changed(&mut self.begun, id, stream);
    }

    /// Only streams below `streams` have something to send.
    pub(super) fn limit(&mut self, streams: u16) {
        self.fresh.retain(|id| id < streams);
        self.starved_until.retain(|(_, id)| *id < streams);
    }

    /// A stream that is starved has nothing more to send.
    pub(super) const fn forget_starved(&mut self) {
        self.starved -= 1;
    }

    pub(super) fn clear(&mut self) {
        self.fresh.clear();
        self.begun.clear();
        (self.unfinished, self.is_unfinished_starved) = (None, false);
        (self.starved, self.begun_len) = (0, 0);
        self.starved_until.clear();
    }

    pub(super) fn invariants<'a>(&self, streams: impl Iterator<Item = &'a Stream>) {
        let waiting = self.fresh.len() + self.begun.len() + usize::from(self.unfinished.is_some()) + self.starved;
        let (mut count, mut begun_len) = (0, 0);
        for message in streams.filter_map(|stream| stream.messages.front()) {
            count += 1;
            begun_len += if message.is_begun() { message.len } else { 0 };
        }
        debug_assert_eq!((waiting, self.begun_len), (count, begun_len));
    }
}

fn expiry(stream: &Stream) -> Option<Instant> {
    stream.messages.front()?.expiry.at()
}
