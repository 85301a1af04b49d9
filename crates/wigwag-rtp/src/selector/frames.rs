//! What became of the last frames of a source.

/// A frame refers to the 4,096 before it at most (AV1 RTP A.8.2: `fdiff_minus_one` has twelve bits).
const LEN: u64 = 4096;
const WORDS: usize = LEN as usize / 64;

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// None of its packets has come, or it is too old to be known.
    Unseen,
    Forwarded,
    LeftOut,
}

/// The last frames, by their numbers continued beyond 16 bits.
#[derive(Clone, Debug)]
pub(super) struct Frames {
    forwarded: [u64; WORDS],
    left_out: [u64; WORDS],
    /// What is before it was not forwarded.
    first: u64,
    newest: u64,
    is_empty: bool,
}

impl Default for Frames {
    fn default() -> Self {
        Self { forwarded: [0; WORDS], left_out: [0; WORDS], first: 0, newest: 0, is_empty: true }
    }
}

impl Frames {
    /// The number of a frame, continued: the nearest to the newest one.
    pub(super) fn extend(&self, number: u16) -> u64 {
        if self.is_empty {
            // Room for what comes late.
            return (1 << 32) + u64::from(number);
        }
        let ahead = number.wrapping_sub(self.newest as u16) as i16;
        self.newest.saturating_add_signed(i64::from(ahead))
    }

    /// Whether it is behind all that were seen.
    pub(super) const fn is_new(&self, number: u64) -> bool {
        self.is_empty || number > self.newest
    }

    /// Whether it is before the newest of those that were seen.
    pub(super) const fn is_behind(&self, number: u64) -> bool {
        !self.is_empty && number < self.newest
    }

    pub(super) fn fate(&self, number: u64) -> Fate {
        let (word, bit) = place(number);
        let is_in = |bits: &[u64; WORDS]| bits.get(word).is_some_and(|word| word & bit != 0);
        if self.is_empty || number < self.first {
            Fate::LeftOut
        } else if number > self.newest || self.newest - number >= LEN {
            Fate::Unseen
        } else if is_in(&self.forwarded) {
            Fate::Forwarded
        } else if is_in(&self.left_out) {
            Fate::LeftOut
        } else {
            Fate::Unseen
        }
    }

    /// Nothing was forwarded before this one.
    pub(super) const fn begin(&mut self, number: u64) {
        self.first = number;
    }

    /// This became of a frame. It may be the newest, and those between are unseen.
    pub(super) fn set(&mut self, number: u64, is_forwarded: bool) {
        if self.is_empty {
            (self.newest, self.is_empty) = (number - 1, false);
        }
        if number + LEN <= self.newest {
            return;
        }
        if number > self.newest {
            let from = number.saturating_sub(LEN).max(self.newest) + 1;
            (from..=number).for_each(|number| self.clear(number));
            self.newest = number;
        }
        let (word, bit) = place(number);
        let bits = if is_forwarded { &mut self.forwarded } else { &mut self.left_out };
        if let Some(word) = bits.get_mut(word) {
            *word |= bit;
        }
    }

    fn clear(&mut self, number: u64) {
        let (word, bit) = place(number);
        for bits in [&mut self.forwarded, &mut self.left_out] {
            if let Some(word) = bits.get_mut(word) {
                *word &= !bit;
            }
        }
    }
}

/// Its word, and its bit in there.
const fn place(number: u64) -> (usize, u64) {
    ((number % LEN / 64) as usize, 1 << (number % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_remembered_for_as_long_as_others_may_refer_to_them() {
        let mut frames = Frames::default();
        let first = frames.extend(65_000);
        frames.begin(first);
        for number in 0..10_000 {
            let number = first + number;
            if frames.is_new(number) && number >= first + LEN {
                // Asked before it is set: it may refer to the one whose place it takes.
                let expected = if (number - LEN).is_multiple_of(3) { Fate::Forwarded } else { Fate::LeftOut };
                assert_eq!(frames.fate(number - LEN), expected, "{number}");
            }
            frames.set(number, number.is_multiple_of(3));
        }
        let last = first + 9999;
        assert_eq!((frames.fate(last + 1), frames.fate(last - LEN)), (Fate::Unseen, Fate::Unseen));
        assert_eq!(frames.fate(first - 1), Fate::LeftOut);
        assert_eq!(frames.extend((last as u16).wrapping_add(5)), last + 5);
        assert_eq!(frames.extend((last as u16).wrapping_sub(5)), last - 5);
        // Of a leap, nothing between is known.
        frames.set(last + 30_000, true);
        assert!((last + 1..last + 30_000).all(|number| frames.fate(number) == Fate::Unseen));
    }
}
