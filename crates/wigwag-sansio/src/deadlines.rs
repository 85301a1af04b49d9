//! Who is next to wake, among many.

use crate::time::earliest;
use std::time::Instant;

/// An instant for each slot, as a tournament: every node is the earlier of its two children, the slots are the last
/// row, the winner is node 1.
///
/// A change climbs only as far as it changes who wins, so `set` is O(log n) at worst, and `earliest` is O(1). Nothing
/// is ever stale, and nothing is allocated but to grow.
#[derive(Debug)]
pub struct Deadlines {
    /// Node 0 is not used; the children of node `n` are `2n` and `2n + 1`.
    nodes: Vec<Option<Instant>>,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { nodes: vec![None; 2] }
    }
}

impl Deadlines {
    /// The earliest deadline of all slots.
    pub fn earliest(&self) -> Option<Instant> {
        self.node(1)
    }

    /// Sets or removes the deadline of `slot`.
    pub fn set(&mut self, slot: usize, at: Option<Instant>) {
        while slot >= self.slots() {
            self.grow();
        }
        let mut node = self.slots() + slot;
        self.replace(node, at);
        while node > 1 {
            node /= 2;
            let winner = earliest([self.node(2 * node), self.node(2 * node + 1)]);
            if self.replace(node, winner) == winner {
                return;
            }
        }
    }

    /// Takes a slot whose time has come, and removes its deadline.
    pub fn expire(&mut self, now: Instant) -> Option<usize> {
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let mut node = is_due(self.node(1)).then_some(1)?;
        while node < self.slots() {
            node = if is_due(self.node(2 * node)) { 2 * node } else { 2 * node + 1 };
        }
        let slot = node - self.slots();
        self.set(slot, None);
        Some(slot)
    }

    fn slots(&self) -> usize {
        self.nodes.len() / 2
    }

    fn node(&self, node: usize) -> Option<Instant> {
        self.nodes.get(node).copied().flatten()
    }

    fn replace(&mut self, node: usize, at: Option<Instant>) -> Option<Instant> {
        self.nodes.get_mut(node).and_then(|old| std::mem::replace(old, at))
    }

    fn grow(&mut self) {
        let slots = self.nodes.split_off(self.slots());
        self.nodes = vec![None; 4 * slots.len()];
        for (slot, at) in slots.into_iter().enumerate() {
            self.set(slot, at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Rng, Seed};
    use std::collections::BTreeMap;
    use std::time::Duration;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "an arbitrary origin; only differences are used")]
    fn agrees_with_a_sorted_list() {
        let origin = Instant::now();
        let mut rng = Rng::new(Seed::from_bytes([7; 32]));
        let (mut deadlines, mut model) = (Deadlines::default(), BTreeMap::new());
        for _ in 0..20_000 {
            let slot = rng.below(200) as usize;
            let at = origin + Duration::from_millis(rng.below(100));
            match rng.below(4) {
                0 => {
                    deadlines.set(slot, None);
                    model.remove(&slot);
                }
                1 => match deadlines.expire(at) {
                    Some(expired) => assert!(model.remove(&expired).is_some_and(|due| due <= at)),
                    None => assert!(model.values().all(|due| *due > at)),
                },
                _ => {
                    deadlines.set(slot, Some(at));
                    model.insert(slot, at);
                }
            }
            assert_eq!(deadlines.earliest(), model.values().min().copied());
        }
    }
}
