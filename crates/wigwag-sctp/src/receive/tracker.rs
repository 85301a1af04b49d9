//! Which TSNs have arrived.

use crate::migration::state;
use crate::serial::Tsn;

/// Ranges that are kept. A SACK of one packet tells of fewer.
const RANGES_MAX: usize = 1024;
/// Gap ack blocks reach no further than 16 bits can tell.
const SPAN_MAX: u64 = 65_535;
const DUPLICATES_MAX: usize = 20;
/// So many find room when a first one is missing.
const RANGES_EXPECTED: usize = 16;

/// What a TSN is to those that came before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// The one that was waited for.
    Next,
    /// Something is missing before it.
    Early,
    Duplicate,
    /// More ahead than can be told of.
    TooFar,
}

#[derive(Debug)]
pub(crate) struct Tracker {
    cumulative: Tsn,
    /// What has arrived beyond: sorted, disjoint, not adjacent.
    ranges: Vec<(Tsn, Tsn)>,
    duplicates: Vec<u32>,
}

state!(struct Tracker { cumulative, ranges, duplicates } if |tracker, _| {
    let mut end = tracker.cumulative;
    let is_sorted = tracker.ranges.iter().all(|(first, last)| {
        let is_later = end.next() < *first && first <= last;
        end = *last;
        is_later
    });
    let is_far = tracker.cumulative.distance_to(end) > SPAN_MAX;
    is_sorted && !is_far && tracker.ranges.len() <= RANGES_MAX && tracker.duplicates.len() <= DUPLICATES_MAX
});

impl Tracker {
    pub(crate) const fn new(initial: Tsn) -> Self {
        Self { cumulative: initial.previous(), ranges: Vec::new(), duplicates: Vec::new() }
    }

    /// Gives back what is kept though nothing is in it.
    pub(crate) fn release(&mut self) {
        self.ranges.shrink_to_fit();
        self.duplicates.shrink_to_fit();
    }

    /// Makes room for what loss will bring.
    pub(crate) fn prepare(&mut self) {
        self.ranges.reserve(RANGES_EXPECTED);
        self.duplicates.reserve(DUPLICATES_MAX);
    }

    pub(crate) const fn cumulative(&self) -> Tsn {
        self.cumulative
    }

    pub(crate) const fn has_gaps(&self) -> bool {
        !self.ranges.is_empty()
    }

    /// Nothing later has arrived.
    pub(crate) fn is_beyond_all(&self, tsn: Tsn) -> bool {
        self.ranges.last().is_none_or(|(_, last)| *last < tsn)
    }

    /// The range that ends last of those that begin at or before `tsn`, as an index, plus one.
    fn position(&self, tsn: Tsn) -> usize {
        self.ranges.partition_point(|(first, _)| *first <= tsn)
    }

    fn range_before(&self, position: usize) -> Option<(Tsn, Tsn)> {
        self.ranges.get(position.checked_sub(1)?).copied()
    }

    /// Whether this one has arrived, and something before it has not.
    pub(crate) fn has_beyond_a_gap(&self, tsn: Tsn) -> bool {
        self.range_before(self.position(tsn)).is_some_and(|(_, last)| tsn <= last)
    }

    #[inline]
    pub(crate) fn look(&self, tsn: Tsn) -> Arrival {
        if tsn == self.cumulative.next() { Arrival::Next } else { self.look_around(tsn) }
    }

    fn look_around(&self, tsn: Tsn) -> Arrival {
        if tsn <= self.cumulative {
            return Arrival::Duplicate;
        }
        let position = self.position(tsn);
        let before = self.range_before(position);
        if before.is_some_and(|(_, last)| tsn <= last) {
            return Arrival::Duplicate;
        }
        let is_adjacent = before.is_some_and(|(_, last)| last.next() == tsn)
            || self.ranges.get(position).is_some_and(|(first, _)| *first == tsn.next());
        let is_kept = is_adjacent || self.ranges.len() < RANGES_MAX;
        if is_kept && self.cumulative.distance_to(tsn) <= SPAN_MAX { Arrival::Early } else { Arrival::TooFar }
    }

    /// Takes note of a TSN that is `Next` or `Early`.
    #[inline(always)]
    pub(crate) fn record(&mut self, tsn: Tsn) {
        if tsn == self.cumulative.next() {
            self.cumulative = tsn;
            self.close_up();
            return;
        }
        let position = self.position(tsn);
        let joins_before = self.range_before(position).is_some_and(|(_, last)| last.next() == tsn);
        let joins_after = self.ranges.get(position).is_some_and(|(first, _)| *first == tsn.next());
        match (joins_before, joins_after) {
            (true, true) => {
                let (_, last) = self.ranges.remove(position);
                self.ranges[position - 1].1 = last;
            }
            (true, false) => self.ranges[position - 1].1 = tsn,
            (false, true) => self.ranges[position].0 = tsn,
            (false, false) => self.ranges.insert(position, (tsn, tsn)),
        }
    }

    /// The first range may have become adjacent, or have been passed.
    #[inline]
    fn close_up(&mut self) {
        if !self.ranges.is_empty() {
            self.close_up_ranges();
        }
    }

    fn close_up_ranges(&mut self) {
        let passed = self.ranges.partition_point(|(first, _)| *first <= self.cumulative.next());
        if let Some((_, last)) = self.range_before(passed) {
            self.cumulative = self.cumulative.max(last);
            self.ranges.drain(..passed);
        }
    }

    /// Nothing up to `tsn` is waited for any more. `false`: nothing was.
    pub(crate) fn forward(&mut self, tsn: Tsn) -> bool {
        if tsn <= self.cumulative {
            return false;
        }
        self.cumulative = tsn;
        self.close_up();
        true
    }

    pub(crate) fn duplicate(&mut self, tsn: Tsn) {
        if self.duplicates.len() < DUPLICATES_MAX {
            self.duplicates.push(tsn.wire());
        }
    }

    pub(crate) fn duplicates(&self) -> &[u32] {
        &self.duplicates
    }

    pub(crate) fn clear_duplicates(&mut self) {
        self.duplicates.clear();
    }

    /// The first `max` gap ack blocks, as offsets from the cumulative TSN.
    pub(crate) fn gaps(&self, max: usize) -> impl ExactSizeIterator<Item = (u16, u16)> {
        let offset = |tsn| u16::try_from(self.cumulative.distance_to(tsn)).unwrap_or(u16::MAX);
        self.ranges.iter().take(max).map(move |(first, last)| (offset(*first), offset(*last)))
    }

    pub(crate) fn invariants(&self) {
        let mut end = self.cumulative;
        for (first, last) in &self.ranges {
            debug_assert!(end.next() < *first && first <= last, "C13");
            end = *last;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn agrees_with_a_set_across_the_wrap(offsets in prop::collection::vec((1u64..60, any::<bool>()), 0..120)) {
            let initial = Tsn::first(u32::MAX - 20);
            let mut tracker = Tracker::new(initial);
            let (mut model, mut cumulative) = (BTreeSet::new(), initial.previous());
            for (offset, is_forward) in offsets {
                let tsn = initial.plus(offset - 1);
                if is_forward && offset % 7 == 0 {
                    prop_assert_eq!(tracker.forward(tsn), tsn > cumulative);
                    cumulative = cumulative.max(tsn);
                } else {
                    let is_known = tsn <= cumulative || model.contains(&tsn.wire());
                    let expected = match is_known {
                        true => Arrival::Duplicate,
                        false if tsn == cumulative.next() => Arrival::Next,
                        false => Arrival::Early,
                    };
                    prop_assert_eq!(tracker.look(tsn), expected);
                    if !is_known {
                        tracker.record(tsn);
                        model.insert(tsn.wire());
                    }
                }
                while model.contains(&cumulative.next().wire()) {
                    cumulative = cumulative.next();
                }
                tracker.invariants();
                prop_assert_eq!(tracker.cumulative(), cumulative);
                let told: Vec<u64> = tracker.gaps(99).flat_map(|(first, last)| u64::from(first)..=u64::from(last)).collect();
                let kept: Vec<u64> = (1..90).filter(|ahead| model.contains(&cumulative.plus(*ahead).wire())).collect();
                prop_assert_eq!(told, kept);
            }
        }
    }

    #[test]
    fn what_no_sack_could_tell_of_is_too_far() {
        let mut tracker = Tracker::new(Tsn::first(0));
        assert_eq!(tracker.look(Tsn::first(65_534)), Arrival::Early);
        assert_eq!(tracker.look(Tsn::first(65_535)), Arrival::TooFar);
        for at in 0..RANGES_MAX as u32 {
            tracker.record(Tsn::first(2 + 2 * at));
        }
        assert_eq!(tracker.look(Tsn::first(9000)), Arrival::TooFar);
        assert_eq!(tracker.look(Tsn::first(3)), Arrival::Early);
    }
}
