//! Our randomness, as the crates of cryptography ask for it.

use rsa::rand_core::{TryCryptoRng, TryRng};
use std::convert::Infallible;
use wigwag_sansio::Rng;

/// Lends the generator.
pub(super) struct Randomness<'a>(pub(super) &'a mut Rng);

impl TryRng for Randomness<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.0.u32())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.u64())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Randomness<'_> {}
