//! The only place that names a cryptographic crate: the MAC of the state cookie (RFC 9260 §5.1.3).

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use wigwag_sansio::{Rng, Seed};
use zeroize::Zeroizing;

/// How long a MAC is.
pub(crate) const MAC_LEN: usize = 32;
/// As long as a block of SHA-256, which needs no hashing of the key.
pub(crate) const KEY_LEN: usize = 64;

/// Bytes that hold a key: wiped when dropped.
pub(crate) type SecretBytes = Zeroizing<Vec<u8>>;

/// HMAC-SHA-256 with a key that nobody else knows, wiped when dropped.
pub(crate) struct CookieKey(Zeroizing<[u8; KEY_LEN]>);

impl CookieKey {
    pub(crate) fn new(seed: Seed) -> Self {
        Self(Zeroizing::new(Rng::new(seed).bytes()))
    }

    /// Of a key that was told by [`bytes`](Self::bytes).
    pub(crate) fn resume(bytes: &[u8; KEY_LEN]) -> Self {
        Self(Zeroizing::new(*bytes))
    }

    /// The key itself, for whoever goes on with it.
    pub(crate) fn bytes(&self) -> &[u8; KEY_LEN] {
        &self.0
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; MAC_LEN] {
        self.mac(message).finalize().into_bytes().into()
    }

    /// Takes the same time whichever byte is wrong.
    pub(crate) fn verify(&self, message: &[u8], mac: &[u8]) -> bool {
        self.mac(message).verify_slice(mac).is_ok()
    }

    fn mac(&self, message: &[u8]) -> Hmac<Sha256> {
        let key: &[u8; KEY_LEN] = &self.0;
        let mut mac = Hmac::<Sha256>::new(key.into());
        mac.update(message);
        mac
    }
}
