//! What arrived under numbers that count up, until the peer is told.

use crate::transport_wide::unwrap;
use std::collections::VecDeque;

/// A packet that comes so late that it was reported missing is reported again, if it is so close to the others; what
/// arrived after it is then told once more, not taken back.
pub(crate) const LATE_MAX: u64 = 64;
/// Where numbers begin, so that those before the first packet have one too.
const ORIGIN: u64 = 1 << 16;

/// What arrived since the last report and shortly before it.
#[derive(Debug)]
pub(crate) struct Record<T> {
    /// From number `first` on; the last one arrived, if there is any.
    entries: VecDeque<Option<T>>,
    first: u64,
    /// Before this number all is told.
    base: u64,
    /// From this number on all is kept, and of what comes before it nothing is told.
    oldest: u64,
    is_started: bool,
    /// After a number that is far behind, the next one: if that comes, the numbers begin anew (RFC 3550 §A.1).
    awaited: Option<u16>,
    len_max: usize,
    /// So many find room from the beginning.
    len_expected: usize,
}

impl<T: Copy> Record<T> {
    pub(crate) const fn new(len_max: usize, len_expected: usize) -> Self {
        let entries = VecDeque::new();
        Self { entries, first: 0, base: 0, oldest: 0, is_started: false, awaited: None, len_max, len_expected }
    }

    /// Whether there is nothing to report.
    pub(crate) fn is_empty(&self) -> bool {
        self.base >= self.end()
    }

    /// How many packets it holds.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The number of the first that was not told.
    pub(crate) const fn base(&self) -> u64 {
        self.base
    }

    fn end(&self) -> u64 {
        self.first.saturating_add(self.entries.len() as u64)
    }

    /// From the first on that was not told.
    pub(crate) fn untold(&self) -> impl ExactSizeIterator<Item = Option<T>> + Clone + '_ {
        self.entries.iter().copied().skip(self.base.saturating_sub(self.first) as usize)
    }

    /// A packet arrived. If it had before, `update` says whether what is known of it has changed.
    pub(crate) fn add(&mut self, sequence: u16, what: T, update: impl FnOnce(&mut T) -> bool) {
        if !self.is_started {
            self.is_started = true;
            self.entries.reserve(self.len_expected);
            self.begin(ORIGIN + u64::from(sequence));
            self.oldest -= LATE_MAX;
        }
        let number = unwrap(self.end(), sequence);
        if number >= self.base {
            self.add_untold(number, what, update);
        } else if number >= self.oldest && self.end() - number < self.len_max as u64 {
            self.add_late(number, what, update);
        } else if self.end() - number < self.len_max as u64 {
            // Overtaken, and told as missing: nothing is that far behind for long.
        } else if self.awaited == Some(sequence) {
            // They go on counting up here.
            self.begin(number + (1 << 16));
            self.add_untold(number + (1 << 16), what, update);
        } else {
            self.awaited = Some(sequence.wrapping_add(1));
        }
    }

    fn begin(&mut self, number: u64) {
        self.entries.clear();
        (self.first, self.base, self.oldest, self.awaited) = (number, number, number, None);
    }

    fn add_untold(&mut self, number: u64, what: T, update: impl FnOnce(&mut T) -> bool) {
        if number - self.base >= self.len_max as u64 - LATE_MAX {
            // After such a leap there is nothing to say of what came before.
            self.begin(number);
        }
        let at = number.saturating_sub(self.first) as usize;
        if at >= self.entries.len() {
            self.entries.resize(at + 1, None);
        }
        if let Some(entry) = self.entries.get_mut(at) {
            _ = learn(entry, what, update);
        }
    }

    fn add_late(&mut self, number: u64, what: T, update: impl FnOnce(&mut T) -> bool) {
        for _ in number..self.first {
            self.entries.push_front(None);
        }
        self.first = self.first.min(number);
        if let Some(entry) = self.entries.get_mut((number - self.first) as usize)
            && learn(entry, what, update)
        {
            self.base = number;
        }
    }

    /// So many more are told.
    pub(crate) fn tell(&mut self, count: usize) {
        self.base += count as u64;
        self.oldest = self.oldest.max(self.base.saturating_sub(LATE_MAX));
        let forgotten = self.oldest.saturating_sub(self.first);
        self.entries.drain(..self.entries.len().min(forgotten as usize));
        self.first += forgotten;
        // Whoever leaps keeps no more than who does not.
        if self.entries.capacity() > 4 * self.len_expected.max(LATE_MAX as usize) {
            self.entries.shrink_to(self.len_expected);
        }
    }

    /// Of all but the last nothing is told any more.
    pub(crate) fn keep_last(&mut self) {
        let last = self.entries.pop_back();
        self.begin(self.end());
        self.entries.extend(last);
    }
}

/// Whether there is something new to tell.
fn learn<T>(entry: &mut Option<T>, what: T, update: impl FnOnce(&mut T) -> bool) -> bool {
    match entry {
        Some(before) => update(before),
        None => {
            *entry = Some(what);
            true
        }
    }
}
