//! All pairs, and whose turn it is (RFC 8445 §6.1.2, §6.1.4).

mod index;

use crate::PairStats;
use crate::pair::{Pair, PairId, PairState, Path};
use index::Index;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

/// All pairs. An id names one pair, and never another.
#[derive(Debug)]
pub(crate) struct CheckList {
    /// Each by itself: a map has room for many, and most agents have few.
    pairs: BTreeMap<PairId, Box<Pair>>,
    paths: BTreeMap<Path, PairId>,
    index: Index,
    pairs_max: usize,
    next_id: PairId,
    next_turn: u64,
    /// After a nomination: only pairs of a higher priority are tried without being triggered.
    above: Option<u64>,
    /// How many pairs were looked at: the measure of work.
    visits: AtomicUsize,
}

/// Looking.
impl CheckList {
    pub(crate) fn new(pairs_max: usize) -> Self {
        Self {
            pairs: BTreeMap::new(),
            paths: BTreeMap::new(),
            index: Index::default(),
            pairs_max,
            next_id: 0,
            next_turn: 0,
            above: None,
            visits: AtomicUsize::new(0),
        }
    }

    pub(crate) fn get(&self, id: PairId) -> Option<&Pair> {
        self.visited(1);
        self.pairs.get(&id).map(Box::as_ref)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// All of them: for what happens seldom.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (PairId, &Pair)> {
        self.pairs.iter().map(|(id, pair)| {
            self.visited(1);
            (*id, pair.as_ref())
        })
    }

    pub(crate) fn find(&self, path: Path) -> Option<PairId> {
        self.paths.get(&path).copied()
    }

    /// Whose turn it is.
    pub(crate) fn next(&self) -> Option<PairId> {
        let wanted = |(priority, _): &&(u64, PairId)| self.above.is_none_or(|above| *priority > above);
        let Index { triggered, waiting, frozen, .. } = &self.index;
        // All others are of the one component, so for a frozen pair there is nothing better to wait for than a free turn.
        let ordinary = || waiting.last().filter(wanted).or_else(|| frozen.last().filter(wanted));
        triggered.first().or_else(ordinary).map(|(_, id)| *id)
    }

    /// How many pairs are being tried, or will be.
    pub(crate) fn unresolved(&self) -> usize {
        let Index { triggered, waiting, frozen, checking, .. } = &self.index;
        let open = match self.above {
            None => waiting.len().saturating_add(frozen.len()),
            Some(above) => {
                let better = |(priority, _): &&(u64, PairId)| *priority > above;
                let open = [waiting, frozen].map(|pairs| pairs.iter().rev().take_while(better).count());
                open.into_iter().fold(0, usize::saturating_add)
            }
        };
        open.saturating_add(triggered.len()).saturating_add(checking.len())
    }

    /// Whether a pair of a higher priority is still to be checked, or to be answered.
    pub(crate) fn is_better_possible(&self, than: u64) -> bool {
        let Index { triggered, waiting, frozen, checking, .. } = &self.index;
        let is_better = |pairs: &BTreeSet<(u64, PairId)>| pairs.last().is_some_and(|(p, _)| *p > than);
        is_better(waiting)
            || is_better(frozen)
            || is_better(checking)
            || triggered.iter().any(|(_, id)| self.get(*id).is_some_and(|pair| pair.priority > than))
    }

    /// The pair of the highest priority that works. Those whose consent has ended are to be [expired](Self::expire) before.
    pub(crate) fn best_valid(&self) -> Option<PairId> {
        self.index.valid.last().map(|(_, id)| *id)
    }

    /// All pairs that work, the best first.
    pub(crate) fn valid(&self) -> impl Iterator<Item = PairId> {
        self.index.valid.iter().rev().map(|(_, id)| *id)
    }

    /// Of as many pairs as there may be, one that is spent, the worst.
    pub(crate) fn spent_if_full(&self) -> Option<PairId> {
        if self.pairs.len() < self.pairs_max {
            return None;
        }
        self.iter().filter(|(_, pair)| pair.is_spent()).min_by_key(|(_, pair)| pair.priority).map(|(id, _)| id)
    }

    /// The pair whose check has waited for its answer for too long.
    pub(crate) fn overdue(&self, now: Instant) -> Option<PairId> {
        self.index.timers.first().filter(|(at, _)| *at <= now).map(|(_, id)| *id)
    }

    /// When a check is to be sent again or given up.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.index.timers.first().map(|(at, _)| *at)
    }

    /// The pair whose check is owed again.
    pub(crate) fn resend(&self) -> Option<PairId> {
        self.index.resends.first().copied()
    }

    pub(crate) fn visits(&self) -> u64 {
        self.visits.load(Relaxed) as u64
    }

    /// By whoever holds the list: atomic so that others may look at it meanwhile, not to be exact.
    fn visited(&self, count: usize) {
        self.visits.store(self.visits.load(Relaxed).saturating_add(count), Relaxed);
    }
}

/// Changing.
impl CheckList {
    /// Changes a pair.
    pub(crate) fn update<T>(&mut self, id: PairId, change: impl FnOnce(&mut Pair) -> T) -> Option<T> {
        self.visited(1);
        let pair = self.pairs.get_mut(&id)?;
        self.index.remove(id, pair);
        let changed = change(pair);
        pair.tidy();
        self.index.insert(id, pair);
        Some(changed)
    }

    /// An authenticated message came on this pair's path.
    pub(crate) fn hear(&mut self, id: PairId, now: Instant) {
        self.visited(1);
        if let Some(pair) = self.pairs.get_mut(&id) {
            pair.heard = Some(now);
        }
    }

    /// Something else came there that is authentic: each packet, so it is no visit of the list.
    pub(crate) fn hear_data(&mut self, id: PairId, now: Instant) {
        if let Some(pair) = self.pairs.get_mut(&id) {
            pair.heard = Some(now);
        }
    }

    /// Something is counted of a pair, which changes nothing else.
    pub(crate) fn count(&mut self, id: PairId, count: impl FnOnce(&mut PairStats)) {
        self.visited(1);
        if let Some(pair) = self.pairs.get_mut(&id) {
            count(&mut pair.stats);
        }
    }

    /// Changes all pairs.
    pub(crate) fn update_all(&mut self, mut change: impl FnMut(PairId, &mut Pair)) {
        self.visited(self.pairs.len());
        self.index = Index::default();
        for (id, pair) in &mut self.pairs {
            change(*id, pair);
            pair.tidy();
            self.index.insert(*id, pair);
        }
    }

    /// Forgets all pairs.
    pub(crate) fn clear(&mut self) {
        (self.pairs, self.paths, self.index) = (BTreeMap::new(), BTreeMap::new(), Index::default());
        self.above = None;
    }

    /// Forgets one pair.
    pub(crate) fn remove(&mut self, id: PairId) -> Option<Path> {
        let pair = self.pairs.remove(&id)?;
        self.index.remove(id, &pair);
        self.paths.remove(&pair.path);
        Some(pair.path)
    }

    /// A pair goes another way from now on.
    pub(crate) fn rename(&mut self, id: PairId, path: Path) {
        self.visited(1);
        if let Some(pair) = self.pairs.get_mut(&id) {
            self.paths.remove(&std::mem::replace(&mut pair.path, path));
            self.paths.insert(path, id);
        }
    }

    /// Adds a pair. If there are too many, it takes the place of the worst, if that is worse and not in use; otherwise
    /// there is no place. Says which pair is new, and which is gone.
    pub(crate) fn add(&mut self, mut pair: Pair) -> (Option<PairId>, Option<(PairId, Path)>) {
        let mut gone = None;
        if self.pairs.len() >= self.pairs_max {
            match self.index.spare.first() {
                Some((priority, worst)) if *priority < pair.priority => gone = Some(*worst),
                Some(_) | None => return (None, None),
            }
        }
        let gone = gone.and_then(|gone| Some((gone, self.remove(gone)?)));
        // RFC 8838 §12: a new pair waits if nothing alike is tried, or something alike has worked.
        let is_alike_open = self.iter().any(|(_, other)| {
            other.foundation == pair.foundation && matches!(other.state, PairState::Waiting | PairState::InProgress(_))
        });
        pair.state = if is_alike_open { PairState::Frozen } else { PairState::Waiting };
        let id = self.next_id;
        self.next_id = self.next_id.saturating_add(1);
        self.paths.insert(pair.path, id);
        self.index.insert(id, &pair);
        self.pairs.insert(id, Box::new(pair));
        (Some(id), gone)
    }

    /// The peer has checked this pair, so it works in one direction at least: it is tried next.
    pub(crate) fn trigger(&mut self, id: PairId) {
        let turn = self.next_turn;
        self.next_turn = self.next_turn.saturating_add(1);
        self.update(id, |pair| {
            pair.state = PairState::Waiting;
            pair.triggered.get_or_insert(turn);
        });
    }

    /// A pair of this foundation works: so may those alike.
    pub(crate) fn unfreeze(&mut self, id: PairId) {
        if self.index.frozen.is_empty() {
            return;
        }
        let Some(foundation) = self.get(id).map(|pair| &pair.foundation) else { return };
        let is_alike = |pair: &Pair| pair.foundation == *foundation && matches!(pair.state, PairState::Frozen);
        let frozen: Vec<_> = self.iter().filter_map(|(id, pair)| is_alike(pair).then_some(id)).collect();
        for id in frozen {
            self.update(id, |pair| pair.state = PairState::Waiting);
        }
    }

    /// A pair was nominated: others are tried only if they are better than `above`.
    pub(crate) fn conclude(&mut self, nominated: PairId, above: u64) {
        self.above = Some(above);
        self.update_all(|id, pair| {
            if id != nominated && pair.priority <= above && matches!(pair.state, PairState::InProgress(_)) {
                pair.state = PairState::Frozen;
            }
        });
    }

    /// Everything may be tried again.
    pub(crate) const fn reopen(&mut self) {
        self.above = None;
    }

    /// Everything that is wanted and does not work is tried again.
    pub(crate) fn revive(&mut self, is_wanted: impl Fn(&Pair) -> bool) {
        self.reopen();
        self.update_all(|_, pair| match pair.state {
            PairState::Frozen | PairState::Succeeded | PairState::Failed if pair.valid.is_none() && is_wanted(pair) => {
                pair.state = PairState::Waiting;
            }
            PairState::Frozen
            | PairState::Waiting
            | PairState::InProgress(_)
            | PairState::Succeeded
            | PairState::Failed => {}
        });
    }

    /// Takes note of consents that have ended.
    pub(crate) fn expire(&mut self, now: Instant) {
        while let Some((_, id)) = self.index.consents.first().filter(|(until, _)| *until <= now).copied() {
            self.update(id, |pair| pair.valid = None);
        }
    }

    /// What is always true.
    #[cfg(debug_assertions)]
    pub(crate) fn invariants(&self) {
        assert!(self.pairs.len() <= self.pairs_max, "the number of pairs is bounded");
        assert_eq!(self.pairs.len(), self.paths.len(), "a path is that of one pair");
        for pair in self.pairs.values() {
            let is_waiting = matches!(pair.state, PairState::Waiting);
            assert!(pair.triggered.is_none() || is_waiting, "a triggered pair waits");
            if let PairState::InProgress(check) = &pair.state {
                assert!(check.is_alive(), "a check in progress is sent again or given up");
            }
        }
    }
}
