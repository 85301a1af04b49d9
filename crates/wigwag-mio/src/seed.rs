//! The system's randomness.

use std::io;
use wigwag_sansio::Seed;

/// A seed that nobody can guess, from the system.
///
/// # Errors
/// What the system says, if it has no randomness to give.
pub fn seed() -> io::Result<Seed> {
    Seed::from_secure_source(getrandom::fill).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wigwag_sansio::Rng;

    #[test]
    fn no_two_seeds_are_the_same() {
        let [one, other] = [(); 2].map(|()| Rng::new(seed().unwrap()).bytes::<16>());
        assert_ne!(one, other);
    }
}
