//! Where all randomness of a machine comes from.

use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher};
use std::fmt;
use zeroize::Zeroize;

/// 32 secret bytes that determine, with configuration and inputs, every byte a machine sends (law 7).
///
/// Neither `Copy` nor `Clone`, consumed by whoever uses it, wiped when dropped, and printed without its bytes.
pub struct Seed([u8; 32]);

impl Seed {
    /// A seed that `fill` takes from a cryptographically secure source, as `getrandom::fill` does.
    ///
    /// Take it after a process forks, never before, or two processes share their keys.
    ///
    /// # Errors
    /// What `fill` returns.
    ///
    /// ```
    /// # use wigwag_sansio::Seed;
    /// # fn fill(bytes: &mut [u8]) -> Result<(), std::io::Error> { Ok(()) }
    /// let seed = Seed::from_secure_source(fill)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn from_secure_source<E>(fill: impl FnOnce(&mut [u8]) -> Result<(), E>) -> Result<Self, E> {
        let mut seed = Self([0; 32]);
        fill(&mut seed.0)?;
        Ok(seed)
    }

    /// A seed that everybody can guess, for tests and simulations.
    #[cfg(feature = "test-seed")]
    pub fn for_test(number: u64) -> Self {
        let mut seed = Self([0; 32]);
        for (byte, number) in seed.0.iter_mut().zip(number.to_be_bytes()) {
            *byte = number;
        }
        seed.fork("test")
    }

    /// A seed of its own for the part named `label`, so that one more draw in one part changes no byte of another.
    ///
    /// Knowing the fork tells nothing of this seed or of its other forks.
    #[must_use]
    pub fn fork(&self, label: &str) -> Self {
        // A cascade: each 8 bytes of the label choose the key of the next step; the length comes first, so that no
        // label's path is the beginning of another's.
        let length = (label.len() as u64).to_be_bytes();
        std::iter::once(length.as_slice()).chain(label.as_bytes().chunks(8)).fold(Self(self.0), |seed, part| {
            let mut nonce = [0; 12];
            for (byte, part) in nonce.iter_mut().skip(4).zip(part) {
                *byte = *part;
            }
            // The generator of this very seed uses nonce 0.
            nonce[0] = 1;
            let mut next = Self([0; 32]);
            ChaCha20::new(seed.bytes().into(), &nonce.into()).apply_keystream(&mut next.0);
            next
        })
    }

    pub(crate) const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl Drop for Seed {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn forks_differ_by_label_and_from_their_origin() {
        let seed = Seed::from_bytes([3; 32]);
        let labels =
            ["", "a", "b", "dtls", "sctp", "a label longer than eight", "a label longer than eighu", "\0", "\0\0"];
        let forks: BTreeSet<_> = labels.iter().map(|label| *seed.fork(label).bytes()).chain([*seed.bytes()]).collect();
        assert_eq!(forks.len(), labels.len() + 1);
        assert_eq!(seed.fork("dtls").bytes(), Seed::from_bytes([3; 32]).fork("dtls").bytes());
    }

    #[test]
    fn a_source_that_fails_makes_no_seed() {
        assert_eq!(Seed::from_secure_source(|_| Err("empty")).map(|_| ()), Err("empty"));
    }

    #[test]
    fn tells_nothing_when_printed() {
        assert_eq!(format!("{:?}", Seed::from_bytes([3; 32])), "Seed(…)");
    }
}
