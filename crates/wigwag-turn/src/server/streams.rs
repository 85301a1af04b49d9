//! The streams of clients (RFC 8656 §3.1): opened by them, closed by either side.
//!
//! ```text
//!   Open ──▶ Leaving ──▶ gone        a stream that ends is gone
//! ```

use super::FiveTuple;
use crate::framing::Cutter;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// A stream on which nobody has an allocation for so long is closed, whatever else comes on it; or up to twice as long, if there was one.
const UNUSED_MAX: Duration = Duration::from_secs(60);

#[derive(Debug)]
enum State {
    Open(Cutter),
    /// An empty transmit is owed.
    Leaving,
}

#[derive(Debug)]
struct Stream {
    /// Names are used again.
    id: u64,
    state: State,
    /// Whether nobody had an allocation on it when that was looked at last.
    is_unused: bool,
}

impl Stream {
    const fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }
}

/// All streams that are open, or have to be closed.
#[derive(Debug, Default)]
pub(super) struct Streams {
    by_name: BTreeMap<FiveTuple, Stream>,
    /// When to see whether a stream is used: one entry for each that is open.
    wakes: BTreeSet<(Instant, FiveTuple, u64)>,
    opened: u64,
}

/// What becomes of bytes that have come on a stream.
pub(super) enum Reading {
    /// They are to be cut.
    Open(Cutter),
    /// It is new, there is no room for it, and it shall be closed.
    Refused(u64),
    /// It is closed as soon as the driver asks.
    Leaving,
}

impl Streams {
    /// Bytes have come, which opens the stream if there is none. Its cutter is to be [put back](Self::put_back).
    pub(super) fn read(&mut self, name: FiveTuple, streams_max: usize, now: Instant) -> Reading {
        if let Some(stream) = self.by_name.get_mut(&name) {
            return match &mut stream.state {
                State::Open(cutter) => Reading::Open(std::mem::take(cutter)),
                State::Leaving => Reading::Leaving,
            };
        }
        self.opened = self.opened.wrapping_add(1);
        let (id, count) = (self.opened, self.by_name.len());
        if count >= streams_max {
            if count >= streams_max.saturating_mul(2) {
                return Reading::Leaving; // nobody takes what closes them
            }
            self.by_name.insert(name, Stream { id, state: State::Leaving, is_unused: true });
            return Reading::Refused(id);
        }
        self.by_name.insert(name, Stream { id, state: State::Open(Cutter::default()), is_unused: true });
        self.wake(name, id, now);
        Reading::Open(Cutter::default())
    }

    pub(super) fn put_back(&mut self, name: FiveTuple, cutter: Cutter) {
        if let Some(Stream { state: State::Open(place), .. }) = self.by_name.get_mut(&name) {
            *place = cutter;
        }
    }

    /// Which of its name an open stream is.
    pub(super) fn id_of(&self, name: &FiveTuple) -> Option<u64> {
        self.by_name.get(name).filter(|stream| stream.is_open()).map(|stream| stream.id)
    }

    /// It shall be closed, if it is open: which of its name it is.
    pub(super) fn leave(&mut self, name: &FiveTuple) -> Option<u64> {
        let stream = self.by_name.get_mut(name)?;
        match std::mem::replace(&mut stream.state, State::Leaving) {
            State::Open(_) => Some(stream.id),
            State::Leaving => None,
        }
    }

    /// It has ended.
    pub(super) fn remove(&mut self, name: &FiveTuple) {
        self.by_name.remove(name);
    }

    /// Whether something may be sent on this one, or it may be closed: it has not ended.
    pub(super) fn is_there(&self, name: &FiveTuple, id: u64) -> bool {
        self.by_name.get(name).is_some_and(|stream| stream.id == id)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.wakes.first().map(|(at, ..)| *at)
    }

    /// A stream that nobody uses.
    pub(super) fn expire(&mut self, is_used: impl Fn(&FiveTuple) -> bool, now: Instant) -> Option<FiveTuple> {
        while let Some((_, name, id)) = self.wakes.pop_first_if(|(at, ..)| *at <= now) {
            let Some(stream) = self.by_name.get_mut(&name).filter(|stream| stream.id == id && stream.is_open()) else {
                continue;
            };
            let was_unused = std::mem::replace(&mut stream.is_unused, !is_used(&name));
            if was_unused && stream.is_unused {
                return Some(name);
            }
            self.wake(name, id, now);
        }
        None
    }

    fn wake(&mut self, name: FiveTuple, id: u64, from: Instant) {
        self.wakes.extend(from.checked_add(UNUSED_MAX).map(|at| (at, name, id)));
    }

    pub(super) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// What is held of messages that are not whole, in bytes.
    pub(super) fn held_len(&self) -> usize {
        let held = |stream: &Stream| match &stream.state {
            State::Open(cutter) => cutter.held_len(),
            State::Leaving => 0,
        };
        self.by_name.values().map(held).fold(0, usize::saturating_add)
    }
}

/// Takes the first of a set, if it is so.
trait PopFirstIf<T> {
    fn pop_first_if(&mut self, is_so: impl FnOnce(&T) -> bool) -> Option<T>;
}

impl<T: Ord> PopFirstIf<T> for BTreeSet<T> {
    fn pop_first_if(&mut self, is_so: impl FnOnce(&T) -> bool) -> Option<T> {
        if self.first().is_some_and(is_so) { self.pop_first() } else { None }
    }
}
