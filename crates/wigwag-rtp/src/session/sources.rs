//! A few sources out of many, without an allocation for each that comes and goes.

/// Sources, each once, the smallest first. It keeps its capacity: packets are lost all the time.
#[derive(Debug, Default)]
pub(super) struct Sources(Vec<u32>);

impl Sources {
    pub(super) fn insert(&mut self, ssrc: u32) {
        if let Err(place) = self.0.binary_search(&ssrc) {
            self.0.insert(place, ssrc);
        }
    }

    /// Makes room for so many.
    pub(super) fn prepare(&mut self, count: usize) {
        self.0.reserve(count.saturating_sub(self.0.len()));
    }

    pub(super) fn remove(&mut self, ssrc: u32) {
        if let Ok(place) = self.0.binary_search(&ssrc) {
            self.0.remove(place);
        }
    }

    pub(super) fn pop_first(&mut self) -> Option<u32> {
        let first = self.0.first().copied()?;
        self.0.remove(0);
        Some(first)
    }

    /// The one after this, or the first.
    pub(super) fn after(&self, ssrc: Option<u32>) -> Option<u32> {
        let place = ssrc.map_or(0, |ssrc| self.0.partition_point(|known| *known <= ssrc));
        self.0.get(place).copied()
    }

    pub(super) fn contains(&self, ssrc: u32) -> bool {
        self.0.binary_search(&ssrc).is_ok()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn they_are_a_set(steps in prop::collection::vec((0u8..3, 0u32..9), 0..60)) {
            let (mut sources, mut model) = (Sources::default(), BTreeSet::new());
            for (step, ssrc) in steps {
                match step {
                    0 => {
                        sources.insert(ssrc);
                        model.insert(ssrc);
                    }
                    1 => {
                        sources.remove(ssrc);
                        model.remove(&ssrc);
                    }
                    _ => prop_assert_eq!(sources.pop_first(), model.pop_first()),
                }
                let all: Vec<_> = std::iter::successors(sources.after(None), |last| sources.after(Some(*last))).collect();
                prop_assert_eq!(&all, &model.iter().copied().collect::<Vec<_>>());
                prop_assert_eq!((sources.is_empty(), sources.contains(ssrc)), (model.is_empty(), model.contains(&ssrc)));
            }
        }
    }
}
