//! The 48-bit index behind a 16-bit sequence number (RFC 3711 §3.3.1), and the replay list (§3.3.2).

/// Indices are below this.
pub(crate) const END: u64 = 1 << 48;

/// The index that `sequence` most likely stands for, if the highest so far is `highest`; `None` if there is none left.
// RFC 3711 §3.3.1 takes the rollover counter, one more or one less, whichever brings the index closest to the highest,
// modulo 2^32. There is nothing before the first index and nothing after the last, so here it is no modulus: what seems
// to lie before the first index is a leap within the first 2^16.
pub(crate) const fn estimate(highest: u64, sequence: u16) -> Option<u64> {
    const HALF: i64 = 1 << 15;
    let (counter, ahead) = (highest >> 16, sequence as i64 - (highest & 0xffff) as i64);
    let counter = if ahead > HALF { counter.saturating_sub(1) } else { counter + (ahead < -HALF) as u64 };
    let index = counter << 16 | sequence as u64;
    if index < END { Some(index) } else { None }
}

/// Remembers the last 1,024 indices up to the highest seen.
///
/// RFC 3711 §3.3.2 asks for 64 at least; a retransmission of video (the same packet again, when the peer asked for it)
/// comes hundreds of packets late.
#[derive(Clone, Debug)]
pub(crate) struct ReplayList {
    highest: u64,
    /// Index `n` is bit `n % LEN`.
    seen: [u64; Self::LEN as usize / 64],
}

/// What a replay list says of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replay {
    Fresh,
    Duplicate,
    TooOld,
}

impl ReplayList {
    pub(crate) const LEN: u64 = 1024;

    /// Of a source whose first authenticated packet has this index.
    pub(crate) fn new(first: u64) -> Self {
        let mut list = Self { highest: first, seen: [0; _] };
        list.mark(first, true);
        list
    }

    pub(crate) const fn highest(&self) -> u64 {
        self.highest
    }

    pub(crate) fn check(&self, index: u64) -> Replay {
        match self.highest.checked_sub(index) {
            None => Replay::Fresh,
            Some(age) if age >= Self::LEN => Replay::TooOld,
            Some(_) if self.is_marked(index) => Replay::Duplicate,
            Some(_) => Replay::Fresh,
        }
    }

    /// Takes note of an authenticated index.
    pub(crate) fn accept(&mut self, index: u64) {
        if index.saturating_sub(self.highest) >= Self::LEN {
            self.seen = [0; _];
        } else {
            for skipped in self.highest.saturating_add(1)..index {
                self.mark(skipped, false);
            }
        }
        self.highest = self.highest.max(index);
        self.mark(index, true);
    }

    fn is_marked(&self, index: u64) -> bool {
        let (word, bit) = Self::place(index);
        self.seen.get(word).is_some_and(|word| word & bit != 0)
    }

    fn mark(&mut self, index: u64, is_seen: bool) {
        let (word, bit) = Self::place(index);
        if let Some(word) = self.seen.get_mut(word) {
            *word = if is_seen { *word | bit } else { *word & !bit };
        }
    }

    const fn place(index: u64) -> (usize, u64) {
        let place = index % Self::LEN;
        ((place / 64) as usize, 1 << (place % 64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn an_index_is_estimated_around_the_highest() {
        assert_eq!(estimate(0xfffd, 0xffff), Some(0xffff));
        assert_eq!(estimate(0xffff, 0), Some(0x1_0000));
        assert_eq!(estimate(0x1_0001, 0xfffe), Some(0xfffe));
        assert_eq!(estimate(0x1_0001, 2), Some(0x1_0002));
    }

    #[test]
    fn half_the_circle_apart_the_counter_stays() {
        for (highest, sequence, index) in [
            (0x1_0000u64, 0x8000u16, 0x1_8000u64),
            (0x1_0000, 0x8001, 0x8001),
            (0x1_8000, 0, 0x1_0000),
            (0x1_8001, 0, 0x2_0000),
        ] {
            assert_eq!(estimate(highest, sequence), Some(index), "{sequence:#x} after {highest:#x}");
        }
    }

    #[test]
    fn nothing_comes_before_the_first_index_or_after_the_last() {
        assert_eq!(estimate(10, 50_000), Some(50_000));
        assert_eq!(estimate(END - 1, 0), None);
        assert_eq!(estimate(END - 1, 0xfffe), Some(END - 2));
    }

    proptest! {
        #[test]
        fn any_index_within_half_a_circle_is_found(highest in 1u64 << 16..END - (1 << 16), ahead in -0x7fffi64..0x8000) {
            let index = highest.saturating_add_signed(ahead);
            prop_assert_eq!(estimate(highest, index as u16), Some(index));
        }

        #[test]
        fn the_replay_list_agrees_with_a_set(indices in prop::collection::vec((0u64..5000, 0u64..20), 1..300)) {
            let indices: Vec<u64> = indices.into_iter().map(|(index, leap)| index + if leap == 0 { 3000 } else { 0 }).collect();
            let (mut list, mut model) = (ReplayList::new(indices[0]), BTreeSet::from([indices[0]]));
            for index in indices {
                let highest = model.last().copied().unwrap_or(0);
                let expected = if highest >= index + ReplayList::LEN {
                    Replay::TooOld
                } else if model.contains(&index) {
                    Replay::Duplicate
                } else {
                    Replay::Fresh
                };
                prop_assert_eq!(list.check(index), expected);
                if expected == Replay::Fresh {
                    list.accept(index);
                    model.insert(index);
                }
            }
        }
    }
}
