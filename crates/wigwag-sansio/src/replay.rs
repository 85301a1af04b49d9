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

/// Remembers the last 128 numbers up to the highest seen.
///
/// Ask with [`check`](Self::check), and tell with [`accept`](Self::accept) only what was authenticated, or a forged
/// number moves the window past the genuine ones.
#[derive(Clone, Debug, Default)]
pub struct ReplayWindow {
    /// Bit `n`: `highest - n` was seen. Empty until anything was.
    seen: u128,
    highest: u64,
}

impl ReplayWindow {
    /// How many numbers are remembered.
    pub const LEN: u64 = u128::BITS as u64;

    /// Whether `number` may be taken.
    pub const fn check(&self, number: u64) -> Replay {
        if self.seen == 0 || number > self.highest {
            return Replay::Fresh;
        }
        let age = self.highest - number;
        if age >= Self::LEN {
            Replay::TooOld
        } else if self.seen >> age & 1 == 1 {
            Replay::Duplicate
        } else {
            Replay::Fresh
        }
    }

    /// Takes note of an authenticated `number`.
    pub const fn accept(&mut self, number: u64) {
        if self.seen == 0 {
            *self = Self { seen: 1, highest: number };
        } else if number > self.highest {
            let shift = number - self.highest;
            self.seen = if shift < Self::LEN { self.seen << shift | 1 } else { 1 };
            self.highest = number;
        } else if self.highest - number < Self::LEN {
            self.seen |= 1 << (self.highest - number);
        }
    }

    /// The highest number accepted, if any was.
    pub const fn highest(&self) -> Option<u64> {
        if self.seen == 0 { None } else { Some(self.highest) }
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
    fn the_window_ends_after_128() {
        let mut window = ReplayWindow::default();
        window.accept(200);
        assert_eq!(window.check(200 - 127), Replay::Fresh);
        assert_eq!(window.check(200 - 128), Replay::TooOld);
    }

    proptest! {
        #[test]
        fn agrees_with_a_set(numbers in prop::collection::vec(0u64..600, 0..400)) {
            let (mut window, mut model) = (ReplayWindow::default(), BTreeSet::new());
            for number in numbers {
                let expected = match model.last().copied() {
                    _ if model.contains(&number) && model.last().is_some_and(|last| last - number < 128) => Replay::Duplicate,
                    Some(last) if last > number && last - number >= 128 => Replay::TooOld,
                    _ => Replay::Fresh,
                };
                prop_assert_eq!(window.check(number), expected);
                window.accept(number);
                model.insert(number);
            }
        }
    }
}
