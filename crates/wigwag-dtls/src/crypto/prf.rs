//! The pseudorandom function of TLS 1.2 (RFC 5246 §5).

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Fills `out` with `PRF(secret, label, seed)`, where the seed comes in parts.
///
/// RFC 5246 §5: "P_hash(secret, seed) = HMAC_hash(secret, A(1) + seed) + HMAC_hash(secret, A(2) + seed) + …
/// A(0) = seed, A(i) = HMAC_hash(secret, A(i-1)) … PRF(secret, label, seed) = P_<hash>(secret, label + seed)"
pub(crate) fn prf(secret: &[u8], label: &[u8], seed: &[&[u8]], out: &mut [u8]) {
    let hmac = |before: &[u8], parts: &[&[u8]]| {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret).unwrap_or_else(|_| unreachable_key());
        mac.update(before);
        parts.iter().for_each(|part| mac.update(part));
        Zeroizing::new(<[u8; 32]>::from(mac.finalize().into_bytes()))
    };
    let parts: Vec<&[u8]> = std::iter::once(label).chain(seed.iter().copied()).collect();
    let mut a = hmac(&[], &parts);
    for chunk in out.chunks_mut(32) {
        let block = hmac(&*a, &parts);
        chunk.iter_mut().zip(&*block).for_each(|(to, from)| *to = *from);
        a = hmac(&*a, &[]);
    }
}

/// HMAC takes keys of every length.
fn unreachable_key() -> Hmac<Sha256> {
    debug_assert!(false, "HMAC takes keys of every length");
    <Hmac<Sha256> as KeyInit>::new(&Default::default())
}
