//! What is found of pairs without looking at all of them.

use crate::pair::{Pair, PairId, PairState};
use std::collections::BTreeSet;
use std::time::Instant;

/// Ids of pairs, in the orders in which they are asked for. Where a pair stands follows from the pair alone.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Those that the peer has checked, in turn.
    pub(super) triggered: Ordered,
    /// Others that wait, by priority.
    pub(super) waiting: Ordered,
    /// Frozen ones, by priority.
    pub(super) frozen: Ordered,
    /// Those in progress, by priority.
    pub(super) checking: Ordered,
    /// When checks are sent again or given up.
    pub(super) timers: Timed,
    /// Those whose check is owed again.
    pub(super) resends: BTreeSet<PairId>,
    /// Those that work, by priority.
    pub(super) valid: Ordered,
    /// When consents end.
    pub(super) consents: Timed,
    /// Those that could be given up for a better one, by priority.
    pub(super) spare: Ordered,
}

impl Index {
    pub(super) fn insert(&mut self, id: PairId, pair: &Pair) {
        self.place(
            id,
            pair,
            Place { in_order: BTreeSet::insert, in_time: BTreeSet::insert, in_turn: BTreeSet::insert },
        );
    }

    pub(super) fn remove(&mut self, id: PairId, pair: &Pair) {
        self.place(
            id,
            pair,
            Place {
                in_order: |set, key| set.remove(&key),
                in_time: |set, key| set.remove(&key),
                in_turn: |set, key| set.remove(&key),
            },
        );
    }

    fn place(&mut self, id: PairId, pair: &Pair, place: Place) {
        let key = (pair.priority, id);
        match (&pair.state, pair.triggered) {
            (PairState::Waiting, Some(turn)) => (place.in_order)(&mut self.triggered, (turn, id)),
            (PairState::Waiting, None) => (place.in_order)(&mut self.waiting, key),
            (PairState::Frozen, _) => (place.in_order)(&mut self.frozen, key),
            (PairState::InProgress(check), _) => {
                match check.deadline() {
                    Some(at) => (place.in_time)(&mut self.timers, (at, id)),
                    None => (place.in_turn)(&mut self.resends, id),
                };
                (place.in_order)(&mut self.checking, key)
            }
            (PairState::Succeeded | PairState::Failed, _) => false,
        };
        match (pair.valid, &pair.state) {
            (Some(valid), _) => {
                (place.in_time)(&mut self.consents, (valid.until, id));
                (place.in_order)(&mut self.valid, key);
            }
            (None, PairState::InProgress(_)) => {}
            (None, PairState::Frozen | PairState::Waiting | PairState::Succeeded | PairState::Failed) => {
                (place.in_order)(&mut self.spare, key);
            }
        }
    }
}

/// Ids by priority or by turn.
type Ordered = BTreeSet<(u64, PairId)>;
/// Ids by time.
type Timed = BTreeSet<(Instant, PairId)>;

/// What is done to each of the sets.
#[derive(Clone, Copy)]
struct Place {
    in_order: fn(&mut Ordered, (u64, PairId)) -> bool,
    in_time: fn(&mut Timed, (Instant, PairId)) -> bool,
    in_turn: fn(&mut BTreeSet<PairId>, PairId) -> bool,
}
