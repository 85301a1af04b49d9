//! A sorted map that keeps its memory: what is filled and emptied over and over, as loss does it, allocates nothing.
//!
//! It is a list of sorted leaves of at most 32 entries. To find one takes the logarithm of their number; to put one in or to take
//! one out moves at most a leaf, and seldom the list.

/// Entries of a leaf.
const LEAF: usize = 32;
/// Empty leaves that are kept: enough for a window of a thousand packets, whatever is missing of it.
const SPARE_MAX: usize = 64;
/// So many leaves `prepare` makes: two full ones, or four half full.
const EXPECTED: usize = 4;

type Leaf<K, V> = Vec<(K, V)>;

/// See the module.
#[derive(Debug)]
pub(crate) struct Map<K, V> {
    /// None is empty, and two neighbours have more than half a leaf between them.
    leaves: Vec<Leaf<K, V>>,
    spare: Vec<Leaf<K, V>>,
    len: usize,
}

impl<K: Ord + Copy, V> Map<K, V> {
    pub(crate) const fn new() -> Self {
        Self { leaves: Vec::new(), spare: Vec::new(), len: 0 }
    }

    /// Gives back what is kept for others, if nothing is in it.
    pub(crate) fn release(&mut self) {
        if self.is_empty() {
            *self = Self::new();
        }
    }

    /// Makes room for what loss will bring, or it would be made when a packet is lost for the first time.
    pub(crate) fn prepare(&mut self) {
        if self.leaves.is_empty() && self.spare.is_empty() {
            self.leaves.reserve(EXPECTED);
            self.spare.extend((0..EXPECTED).map(|_| Vec::with_capacity(LEAF)));
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The leaf where the key belongs, and its place in it: `Err`, if it is not there.
    fn find(&self, key: &K) -> (usize, Result<usize, usize>) {
        let begins_before = |leaf: &Leaf<K, V>| leaf.first().is_some_and(|(first, _)| first <= key);
        let at = self.leaves.partition_point(begins_before).saturating_sub(1);
        let place = self.leaves.get(at).map_or(Err(0), |leaf| leaf.binary_search_by_key(key, |(key, _)| *key));
        (at, place)
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        let (at, place) = self.find(key);
        self.leaves.get(at)?.get(place.ok()?).map(|(_, value)| value)
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let (at, place) = self.find(key);
        self.leaves.get_mut(at)?.get_mut(place.ok()?).map(|(_, value)| value)
    }

    pub(crate) fn contains_key(&self, key: &K) -> bool {
        self.find(key).1.is_ok()
    }

    pub(crate) fn first(&self) -> Option<&(K, V)> {
        self.leaves.first()?.first()
    }

    pub(crate) fn last(&self) -> Option<&(K, V)> {
        self.leaves.last()?.last()
    }

    /// The first entry whose key is not before this one.
    pub(crate) fn first_from(&self, key: &K) -> Option<&(K, V)> {
        let (at, place) = self.find(key);
        let (Ok(place) | Err(place)) = place;
        self.leaves.get(at)?.get(place).or_else(|| self.leaves.get(at + 1)?.first())
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.leaves.iter_mut().flatten().map(|(key, value)| (&*key, value))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(K, V)> {
        self.leaves.iter().flatten()
    }

    /// Puts the value in the place of the one that the key had, if any.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        let (at, place) = self.find(&key);
        match place {
            Ok(place) => self.leaves[at][place].1 = value,
            Err(place) => {
                let (at, place) = self.make_room(at, place);
                self.leaves[at].insert(place, (key, value));
                self.len += 1;
            }
        }
    }

    /// Where the place is once there is room for one more.
    fn make_room(&mut self, at: usize, place: usize) -> (usize, usize) {
        if self.leaves.get(at).is_some_and(|leaf| leaf.len() < LEAF) {
            return (at, place);
        }
        let mut next = self.spare.pop().unwrap_or_else(|| Vec::with_capacity(LEAF));
        // Each finds a place there when it is empty.
        self.spare.reserve(SPARE_MAX.min(self.leaves.len() + 1));
        let is_last = at + 1 == self.leaves.len();
        let Some(leaf) = self.leaves.get_mut(at) else {
            self.leaves.push(next);
            return (at, place);
        };
        // What comes in order fills leaf after leaf.
        let kept = if place == LEAF && is_last { LEAF } else { LEAF / 2 };
        next.extend(leaf.drain(kept..));
        self.leaves.insert(at + 1, next);
        if place > kept || kept == LEAF { (at + 1, place - kept) } else { (at, place) }
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let (at, place) = self.find(key);
        let (_, value) = self.leaves.get_mut(at)?.remove(place.ok()?);
        self.len -= 1;
        if self.leaves[at].is_empty() {
            self.take_leaf(at);
        } else {
            self.join(at);
        }
        if let Some(before) = at.checked_sub(1) {
            self.join(before);
        }
        Some(value)
    }

    /// Makes one leaf of two neighbours that are half of one together.
    fn join(&mut self, at: usize) {
        let Some([leaf, next]) = self.leaves.get_mut(at..at + 2) else { return };
        if leaf.len() + next.len() <= LEAF / 2 {
            leaf.append(next);
            self.take_leaf(at + 1);
        }
    }

    /// Takes a leaf that is empty out of the list.
    fn take_leaf(&mut self, at: usize) {
        let leaf = self.leaves.remove(at);
        if self.spare.len() < SPARE_MAX {
            self.spare.push(leaf);
        }
    }

    pub(crate) fn retain(&mut self, mut is_kept: impl FnMut(&K, &V) -> bool) {
        for leaf in &mut self.leaves {
            leaf.retain(|(key, value)| is_kept(key, value));
        }
        self.len = self.leaves.iter().map(Vec::len).sum();
        for at in (0..self.leaves.len()).rev() {
            if self.leaves[at].is_empty() {
                self.take_leaf(at);
            }
        }
        (0..self.leaves.len()).rev().for_each(|at| self.join(at));
    }

    pub(crate) fn clear(&mut self) {
        self.retain(|_, _| false);
    }

    #[cfg(test)]
    fn invariants(&self) {
        assert_eq!(self.len, self.leaves.iter().map(Vec::len).sum::<usize>());
        assert!(self.leaves.iter().all(|leaf| (1..=LEAF).contains(&leaf.len())));
        assert!(self.leaves.windows(2).all(|two| two[0].len() + two[1].len() > LEAF / 2));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn is_a_sorted_map(operations in prop::collection::vec((0u8..8, 0u16..400), 0..3000), spread in 1u16..40) {
            let (mut map, mut model) = (Map::new(), BTreeMap::new());
            for (operation, key) in operations {
                // Some keys in order, some near one another, some anywhere.
                let key = if operation % 2 == 0 { key } else { key % spread };
                match operation {
                    0..=3 => {
                        map.insert(key, operation);
                        model.insert(key, operation);
                    }
                    4 | 5 => prop_assert_eq!(map.remove(&key), model.remove(&key)),
                    6 => {
                        let first = map.first().map(|(key, _)| *key);
                        prop_assert_eq!(first.and_then(|key| map.remove(&key)), model.pop_first().map(|(_, value)| value));
                    }
                    _ if key % 50 == 0 => {
                        map.retain(|key, _| key % 3 > 0);
                        model.retain(|key, _| key % 3 > 0);
                    }
                    _ => {}
                }
                map.invariants();
                prop_assert_eq!(map.get(&key), model.get(&key));
                prop_assert_eq!(map.len(), model.len());
                prop_assert_eq!(map.last().map(|(key, _)| key), model.last_key_value().map(|(key, _)| key));
                prop_assert_eq!(map.first_from(&key).map(|(key, _)| key), model.range(key..).next().map(|(key, _)| key));
            }
            prop_assert!(map.iter().map(|(key, value)| (key, value)).eq(&model));
        }
    }

    /// Whatever is put in and taken out, there are few leaves beside what they hold.
    #[test]
    fn leaves_are_not_left_nearly_empty() {
        let mut map = Map::new();
        for key in 0..10_000u32 {
            map.insert(key, ());
        }
        for key in (0..10_000).filter(|key| key % 32 > 0) {
            map.remove(&key);
        }
        assert!(map.leaves.len() <= 4 * map.len() / LEAF + 1, "{} leaves of {}", map.leaves.len(), map.len());
        map.clear();
        assert!(map.is_empty() && map.leaves.is_empty() && map.spare.len() <= SPARE_MAX);
    }
}
