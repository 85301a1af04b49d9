//! Which numbers were seen already (RFC 4303 §3.4.3, RFC 6347 §4.1.2.6, RFC 3711 §3.3.2).

/// What a [`ReplayWindow`] says of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replay {
    /// Not seen before.
    Fresh,
    /// Seen before.
    Duplicate,
    /// So old that it cannot be told.
    TooOld,
}

/// Remembers the last 256 numbers up to the highest seen.
///
/// Ask with [`check`](Self::check), and tell with [`accept`](Self::accept) only what was authenticated, or a forged
/// number moves the window past the genuine ones.
#[derive(Clone, Debug, Default)]
pub struct ReplayWindow {
    /// Bit `n`, counted from the low end of the first word on: `highest - n` was seen. Empty until anything was.
    seen: [u128; 2],
    highest: u64,
}

const WORD_LEN: u64 = u128::BITS as u64;

impl ReplayWindow {
    /// How many numbers are remembered.
    pub const LEN: u64 = 2 * WORD_LEN;

    /// Whether `number` may be taken.
    pub const fn check(&self, number: u64) -> Replay {
        if self.is_empty() || number > self.highest {
            return Replay::Fresh;
        }
        let age = self.highest - number;
        if age >= Self::LEN {
            return Replay::TooOld;
        }
        let [near, far] = self.seen;
        let is_seen = if age < WORD_LEN { near >> age & 1 == 1 } else { far >> (age - WORD_LEN) & 1 == 1 };
        if is_seen { Replay::Duplicate } else { Replay::Fresh }
    }

    /// Takes note of an authenticated `number`.
    pub const fn accept(&mut self, number: u64) {
        if self.is_empty() {
            *self = Self { seen: [1, 0], highest: number };
        } else if number > self.highest {
            self.shift(number - self.highest);
            self.highest = number;
            self.seen[0] |= 1;
        } else {
            match self.highest - number {
                age if age < WORD_LEN => self.seen[0] |= 1 << age,
                age if age < Self::LEN => self.seen[1] |= 1 << (age - WORD_LEN),
                _ => {}
            }
        }
    }

    const fn is_empty(&self) -> bool {
        matches!(self.seen, [0, 0])
    }

    /// All that was seen is so much older.
    const fn shift(&mut self, by: u64) {
        let [near, far] = self.seen;
        self.seen = match by {
            0 => [near, far],
            _ if by < WORD_LEN => [near << by, far << by | near >> (WORD_LEN - by)],
            _ if by < Self::LEN => [0, near << (by - WORD_LEN)],
            _ => [0, 0],
        };
    }

    /// The highest number accepted, if any was.
    pub const fn highest(&self) -> Option<u64> {
        if self.is_empty() { None } else { Some(self.highest) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_first_number_may_be_any() {
        for number in [0, 1, u64::MAX] {
            let mut window = ReplayWindow::default();
            assert_eq!((window.check(number), window.highest()), (Replay::Fresh, None));
            window.accept(number);
            assert_eq!((window.check(number), window.highest()), (Replay::Duplicate, Some(number)));
        }
    }

    #[test]
    fn the_window_ends_after_256() {
        let mut window = ReplayWindow::default();
        window.accept(400);
        assert_eq!(window.check(400 - 255), Replay::Fresh);
        assert_eq!(window.check(400 - 256), Replay::TooOld);
    }

    proptest! {
        #[test]
        fn agrees_with_a_set(numbers in prop::collection::vec(0u64..1200, 0..800)) {
            let (mut window, mut model) = (ReplayWindow::default(), BTreeSet::new());
            for number in numbers {
                let expected = match model.last().copied() {
                    _ if model.contains(&number) && model.last().is_some_and(|last| last - number < 256) => Replay::Duplicate,
                    Some(last) if last > number && last - number >= 256 => Replay::TooOld,
                    _ => Replay::Fresh,
                };
                prop_assert_eq!(window.check(number), expected);
                window.accept(number);
                model.insert(number);
            }
        }
    }
}
