//! Randomness that is a function of a seed.

use crate::Seed;
use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher};
use std::fmt;

/// ChaCha20 from a [`Seed`]: unpredictable to whoever does not know the seed, and the same whenever it is the same.
///
/// The key is wiped when this is dropped.
pub struct Rng(ChaCha20);

impl Rng {
    /// The seed is consumed: two generators never run on one.
    #[expect(clippy::needless_pass_by_value, reason = "a seed is used once")]
    pub fn new(seed: Seed) -> Self {
        Self(ChaCha20::new(seed.bytes().into(), &[0; 12].into()))
    }

    /// Overwrites `bytes` with random ones.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill(0);
        self.0.apply_keystream(bytes);
    }

    /// Random bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// Any number of 16 bits.
    pub fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.bytes())
    }

    /// Any number of 32 bits.
    pub fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.bytes())
    }

    /// Any number of 64 bits.
    pub fn u64(&mut self) -> u64 {
        u64::from_be_bytes(self.bytes())
    }

    /// A number from 0 to `n - 1`, each as likely as the others; 0 if `n` is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        if n == 0 {
            return 0;
        }
        // The highest multiple of n: numbers beyond it would favour the low remainders.
        let fair = u64::MAX - (u64::MAX % n + 1) % n;
        loop {
            let number = self.u64();
            if number <= fair {
                return number % n;
            }
        }
    }

    /// Whether one chance in `n` has come true; never for 0.
    pub fn one_in(&mut self, n: u64) -> bool {
        n > 0 && self.below(n) == 0
    }

    /// A seed of its own for something new.
    pub fn seed(&mut self) -> Seed {
        Seed::from_bytes(self.bytes())
    }
}

impl fmt::Debug for Rng {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rng(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rng() -> Rng {
        Rng::new(Seed::from_bytes([0; 32]))
    }

    /// RFC 8439 A.1, test vector 1.
    #[test]
    fn is_chacha20() {
        assert_eq!(rng().bytes::<8>(), [0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90]);
    }

    #[test]
    fn below_stays_below_and_reaches_all() {
        let mut rng = rng();
        let mut seen = [0u32; 7];
        for _ in 0..7000 {
            seen[rng.below(7) as usize] += 1;
        }
        assert!(seen.iter().all(|times| (850..1150).contains(times)), "{seen:?}");
        assert_eq!((rng.below(0), rng.below(1)), (0, 0));
    }

    #[test]
    fn tells_nothing_when_printed() {
        assert_eq!(format!("{:?}", rng()), "Rng(…)");
    }
}
