//! Which of a source's last packets have arrived.

use super::sequence::LATE_MAX;

const WORDS: usize = LATE_MAX as usize / 64;

/// Which of the last 1,024 packets have arrived.
#[derive(Debug, Default)]
pub(crate) struct Arrived {
    /// A bit for each number modulo their count.
    bits: [u64; WORDS],
    highest: u64,
}

impl Arrived {
    /// The packet with this number has arrived. Whether it had not before; of one that is long gone that is not known, and it had.
    pub(crate) fn insert(&mut self, number: u64) -> bool {
        if number > self.highest {
            let passed = (number - self.highest).min(LATE_MAX);
            (number - passed + 1..=number).for_each(|number| self.set(number, false));
            self.highest = number;
        }
        let is_new = self.highest - number < LATE_MAX && !self.is_set(number);
        if is_new {
            self.set(number, true);
        }
        is_new
    }

    fn is_set(&self, number: u64) -> bool {
        let at = number % LATE_MAX;
        self.bits.get(at as usize / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
    }

    fn set(&mut self, number: u64, is_set: bool) {
        let at = number % LATE_MAX;
        if let Some(word) = self.bits.get_mut(at as usize / 64) {
            let bit = 1 << (at % 64);
            *word = if is_set { *word | bit } else { *word & !bit };
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
        fn it_is_a_set_of_the_last(steps in prop::collection::vec((-1100i64..40, 0u8..20), 1..400)) {
            let (mut arrived, mut known, mut highest) = (Arrived::default(), BTreeSet::from([5000]), 5000u64);
            assert!(arrived.insert(highest));
            for (step, leap) in steps {
                let number = highest.saturating_add_signed(step) + if leap == 0 { 3000 } else { 0 };
                highest = highest.max(number);
                let is_new = highest - number < LATE_MAX && known.insert(number);
                prop_assert_eq!(arrived.insert(number), is_new, "{} of {}", number, highest);
            }
        }
    }
}
