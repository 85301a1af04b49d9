//! All pairs, and whose turn it is (RFC 8445 §6.1.2, §6.1.4).

use crate::pair::{Pair, PairId, PairState, Path};
use std::collections::VecDeque;

/// All pairs. A pair keeps its id until another takes its place.
#[derive(Debug)]
pub(crate) struct CheckList {
    pairs: Vec<Pair>,
    pairs_max: usize,
    /// Pairs that wait because the peer has checked them, in turn.
    triggered: VecDeque<PairId>,
    /// After a nomination: only pairs of a higher priority are tried without being triggered.
    above: Option<u64>,
}

impl CheckList {
    pub(crate) const fn new(pairs_max: usize) -> Self {
        Self { pairs: Vec::new(), pairs_max, triggered: VecDeque::new(), above: None }
    }

    pub(crate) fn get(&self, id: PairId) -> Option<&Pair> {
        self.pairs.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: PairId) -> Option<&mut Pair> {
        self.pairs.get_mut(id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (PairId, &Pair)> {
        self.pairs.iter().enumerate()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (PairId, &mut Pair)> {
        self.pairs.iter_mut().enumerate()
    }

    pub(crate) fn find(&self, path: Path) -> Option<PairId> {
        self.pairs.iter().position(|pair| pair.path == path)
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.pairs_max);
    }

    /// Adds a pair. If there are too many, it takes the place of the worst, if that is worse and not in use; otherwise
    /// there is no place.
    pub(crate) fn add(&mut self, mut pair: Pair) -> Option<PairId> {
        // RFC 8838 §12: a new pair waits if nothing alike is tried, or something alike has worked.
        let is_alike_open = self.pairs.iter().any(|other| {
            other.foundation == pair.foundation && matches!(other.state, PairState::Waiting | PairState::InProgress(_))
        });
        pair.state = if is_alike_open { PairState::Frozen } else { PairState::Waiting };
        if self.pairs.len() < self.pairs_max {
            self.pairs.push(pair);
            return self.pairs.len().checked_sub(1);
        }
        let is_spare = |pair: &Pair| pair.valid.is_none() && !matches!(pair.state, PairState::InProgress(_));
        let (id, worst) = self.iter_mut().filter(|(_, pair)| is_spare(pair)).min_by_key(|(_, pair)| pair.priority)?;
        if worst.priority >= pair.priority {
            return None;
        }
        *worst = pair;
        self.triggered.retain(|triggered| *triggered != id);
        Some(id)
    }

    /// The peer has checked this pair, so it works in one direction at least: it is tried next.
    pub(crate) fn trigger(&mut self, id: PairId) {
        if let Some(pair) = self.pairs.get_mut(id) {
            pair.state = PairState::Waiting;
            if !self.triggered.contains(&id) {
                self.triggered.push_back(id);
            }
        }
    }

    /// The pair need not be tried any more for having been triggered.
    pub(crate) fn untrigger(&mut self, id: PairId) {
        self.triggered.retain(|triggered| *triggered != id);
    }

    /// Whose turn it is.
    pub(crate) fn next(&self) -> Option<PairId> {
        let rank = |pair: &Pair| match pair.state {
            PairState::Waiting => Some((true, pair.priority)),
            // All others are of the one component, so there is nothing better to wait for than a free turn.
            PairState::Frozen => Some((false, pair.priority)),
            PairState::InProgress(_) | PairState::Succeeded | PairState::Failed => None,
        };
        let ordinary = || {
            let wanted = self.iter().filter(|(_, pair)| self.is_wanted(pair));
            wanted.filter_map(|(id, pair)| Some((rank(pair)?, id))).max().map(|(_, id)| id)
        };
        self.triggered.front().copied().or_else(ordinary)
    }

    /// A pair of this foundation works: so may those alike.
    pub(crate) fn unfreeze(&mut self, id: PairId) {
        let Some(foundation) = self.pairs.get(id).map(|pair| pair.foundation.clone()) else { return };
        for pair in self.pairs.iter_mut().filter(|pair| pair.foundation == foundation) {
            if let PairState::Frozen = pair.state {
                pair.state = PairState::Waiting;
            }
        }
    }

    /// A pair was nominated: others are tried only if they are better than `above`.
    pub(crate) fn conclude(&mut self, nominated: PairId, above: u64) {
        self.above = Some(above);
        for (id, pair) in self.pairs.iter_mut().enumerate() {
            if id != nominated && pair.priority <= above && matches!(pair.state, PairState::InProgress(_)) {
                pair.state = PairState::Frozen;
            }
        }
    }

    /// Everything may be tried again.
    pub(crate) const fn reopen(&mut self) {
        self.above = None;
    }

    /// How many pairs are being tried, or will be.
    pub(crate) fn unresolved(&self) -> usize {
        let is_triggered = |id: &PairId| self.triggered.contains(id);
        let count = |(id, pair): &(PairId, &Pair)| {
            pair.is_unresolved()
                && (self.is_wanted(pair) || is_triggered(id) || matches!(pair.state, PairState::InProgress(_)))
        };
        self.iter().filter(count).count()
    }

    fn is_wanted(&self, pair: &Pair) -> bool {
        self.above.is_none_or(|above| pair.priority > above)
    }

    /// What is always true.
    #[cfg(debug_assertions)]
    pub(crate) fn invariants(&self) {
        assert!(self.pairs.len() <= self.pairs_max, "the number of pairs is bounded");
        for id in &self.triggered {
            let pair = self.get(*id).expect("a triggered pair exists");
            assert!(matches!(pair.state, PairState::Waiting), "a triggered pair waits");
        }
        for pair in &self.pairs {
            if let PairState::InProgress(check) = &pair.state {
                assert!(check.is_alive(), "a check in progress is sent again or given up");
            }
        }
    }
}
