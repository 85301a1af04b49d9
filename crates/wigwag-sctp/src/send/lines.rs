//! Where the streams that have something to send wait for their turns: in one of three places.

use super::outstanding::Format;
use super::schedule::{Line, Schedule};
use super::stream::{Stream, Streams};
use crate::config::Scheduler;
use crate::migration::state;

/// Whose turn it is, and from where it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Its message was begun, and nothing else is sent before it has ended.
    Unfinished(u16),
    /// Its message was begun, as others may be.
    Begun(u16),
    Fresh(u16),
}

impl Next {
    pub(super) const fn id(self) -> u16 {
        match self {
            Self::Unfinished(id) | Self::Begun(id) | Self::Fresh(id) => id,
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
    /// Bytes of the messages that are begun, sent ones included, and how many there may be beside each other.
    begun_len: usize,
    pub(super) begun_max: usize,
}

state!(struct Lines { schedule, begun_max, fresh, begun } anew {
    format: |from| Format::new(from.extensions.has_interleaving), unfinished: |_| None, begun_len: |_| 0,
});

impl Lines {
    /// Streams have gone on elsewhere: where each waits follows from what it has. Whether that is so.
    pub(super) fn resume(&mut self, streams: &Streams) -> bool {
        let first = |begun: bool| {
            let firsts = streams.numbered().filter_map(|(id, stream)| Some((id, stream.messages.front()?)));
            firsts.filter(move |(_, message)| message.is_begun() == begun)
        };
        self.begun_len = first(true).map(|(_, message)| message.len).sum();
        let begun = first(true).map(|(id, _)| id);
        let is_right = match self.format {
            Format::Interleaved => self.begun.is_of(begun),
            Format::Data => {
                let mut begun = begun;
                self.unfinished = begun.next();
                begun.next().is_none() && self.begun.is_empty()
            }
        };
        is_right && self.fresh.is_of(first(false).map(|(id, _)| id))
    }

    pub(super) fn new(scheduler: Scheduler) -> Self {
        Self {
            schedule: Schedule::new(scheduler),
            format: Format::Data,
            fresh: Line::default(),
            begun: Line::default(),
            unfinished: None,
            begun_len: 0,
            begun_max: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.unfinished.is_none() && self.begun.is_empty() && self.fresh.is_empty()
    }

    pub(super) fn has_begun(&self) -> bool {
        self.unfinished.is_some() || !self.begun.is_empty()
    }

    #[inline]
    pub(super) fn next(&self, streams: &Streams) -> Option<Next> {
        if let Some(id) = self.unfinished {
            return Some(Next::Unfinished(id));
        }
        let Some((begun, earlier)) = self.begun.front() else {
            return self.fresh.front().map(|(id, _)| Next::Fresh(id));
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

    /// The stream has something to send, and had not.
    pub(super) fn enter(&mut self, id: u16, stream: &Stream) {
        self.schedule.enter(&mut self.fresh, id, stream);
    }

    /// The stream has sent the first `len` bytes of a message, or more of it.
    pub(super) fn charge(&mut self, len: usize, begun: Option<usize>, stream: &mut Stream) {
        self.begun_len += begun.unwrap_or_default();
        self.schedule.charge(stream, len + self.format.header_len());
    }

    /// The turn is over, and the message is not.
    pub(super) fn put_back(&mut self, next: Next, stream: &Stream) {
        match (self.format, next) {
            (_, Next::Unfinished(_)) => {}
            (Format::Data, _) => {
                self.schedule.leave(&mut self.fresh);
                self.unfinished = Some(next.id());
            }
            (Format::Interleaved, Next::Begun(_)) => self.schedule.renew(&mut self.begun, stream),
            (Format::Interleaved, Next::Fresh(_)) => {
                self.schedule.leave(&mut self.fresh);
                self.schedule.enter(&mut self.begun, next.id(), stream);
            }
        }
    }

    /// The turn is over, and so is the message, which is not of the stream any more; `begun`: how long it was, if it was begun.
    pub(super) fn end(&mut self, next: Next, begun: Option<usize>, stream: &Stream) {
        self.begun_len -= begun.unwrap_or_default();
        let has_more = !stream.messages.is_empty();
        match next {
            Next::Fresh(_) if has_more => return self.schedule.renew(&mut self.fresh, stream),
            Next::Fresh(_) => self.schedule.leave(&mut self.fresh),
            Next::Begun(_) => self.schedule.leave(&mut self.begun),
            Next::Unfinished(_) => self.unfinished = None,
        }
        if has_more {
            self.schedule.enter(&mut self.fresh, next.id(), stream);
        }
    }

    /// The message of the stream that was begun is over, whoever's turn it is.
    pub(super) fn drop_begun(&mut self, id: u16) -> Next {
        self.begun.retain(|other| other != id);
        // In no line any more, or in none before.
        Next::Unfinished(id)
    }

    /// The stream has nothing more to send, and had begun nothing.
    pub(super) fn leave(&mut self, id: u16) {
        self.fresh.retain(|other| other != id);
    }

    /// The stream has another priority now.
    pub(super) fn changed(&mut self, id: u16, stream: &Stream) {
        self.schedule.changed(&mut self.fresh, id, stream);
        self.schedule.changed(&mut self.begun, id, stream);
    }

    /// Only streams below `streams` have something to send.
    pub(super) fn limit(&mut self, streams: u16) {
        self.fresh.retain(|id| id < streams);
    }

    pub(super) fn clear(&mut self) {
        self.fresh.clear();
        self.begun.clear();
        self.unfinished = None;
        self.begun_len = 0;
    }

    pub(super) fn invariants<'a>(&self, streams: impl Iterator<Item = &'a Stream>) {
        let waiting = self.fresh.len() + self.begun.len() + usize::from(self.unfinished.is_some());
        let (mut count, mut begun_len) = (0, 0);
        for message in streams.filter_map(|stream| stream.messages.front()) {
            count += 1;
            begun_len += if message.is_begun() { message.len } else { 0 };
        }
        debug_assert_eq!((waiting, self.begun_len), (count, begun_len));
    }
}
