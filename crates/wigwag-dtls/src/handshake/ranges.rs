//! Which bytes of a message the peer has.

use std::ops::Range;

/// Disjoint ranges in their order, none of which touches another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ranges {
    ranges: Vec<Range<usize>>,
    has_empty: bool,
}

impl Ranges {
    /// Adds a range; one that is empty stands for an empty message.
    pub(crate) fn insert(&mut self, new: Range<usize>) {
        self.has_empty |= new.is_empty();
        if new.is_empty() {
            return;
        }
        let before = self.ranges.partition_point(|range| range.end < new.start);
        let after = self.ranges.partition_point(|range| range.start <= new.end);
        let touched = self.ranges.get(before..after).unwrap_or_default();
        let start = touched.first().map_or(new.start, |first| first.start.min(new.start));
        let end = touched.last().map_or(new.end, |last| last.end.max(new.end));
        self.ranges.splice(before..after, std::iter::once(start..end));
    }

    /// The first part of `within` of which nothing was added.
    pub(crate) fn gap(&self, within: Range<usize>) -> Option<Range<usize>> {
        let mut start = within.start;
        for range in &self.ranges {
            if range.start > start {
                return Some(start..range.start.min(within.end)).filter(|gap| !gap.is_empty());
            }
            start = start.max(range.end);
        }
        Some(start..within.end).filter(|gap| !gap.is_empty())
    }

    pub(crate) const fn has_empty(&self) -> bool {
        self.has_empty
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_touches_becomes_one() {
        let mut ranges = Ranges::default();
        for range in [10..20, 40..50, 20..30, 0..5, 45..60] {
            ranges.insert(range);
        }
        assert_eq!(ranges.ranges, [0..5, 10..30, 40..60]);
        assert_eq!(ranges.gap(0..100), Some(5..10));
        assert_eq!(ranges.gap(10..100), Some(30..40));
        assert_eq!(ranges.gap(35..38), Some(35..38));
        assert_eq!((ranges.gap(40..60), ranges.gap(10..30)), (None, None));
        assert_eq!(ranges.gap(40..61), Some(60..61));
        assert!(!ranges.has_empty());
        ranges.insert(7..7);
        assert!(ranges.has_empty());
    }

    proptest! {
        #[test]
        fn agrees_with_a_set(added in prop::collection::vec((0usize..60, 0usize..20), 0..20), from in 0usize..80, len in 0usize..40) {
            let (mut ranges, mut model) = (Ranges::default(), [false; 200]);
            for (start, len) in added {
                ranges.insert(start..start + len);
                model[start..start + len].fill(true);
            }
            let start = (from..from + len).find(|i| !model[*i]);
            let gap = start.map(|start| start..(start..from + len).find(|i| model[*i]).unwrap_or(from + len));
            prop_assert_eq!(ranges.gap(from..from + len), gap);
            prop_assert!(ranges.ranges.windows(2).all(|pair| pair[0].end < pair[1].start));
        }
    }
}
