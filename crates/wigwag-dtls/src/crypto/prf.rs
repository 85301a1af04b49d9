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
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret).expect("HMAC takes keys of every length");
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

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
    }

    /// The known answer for PRF-SHA256 that the IETF's TLS list agreed upon in 2009.
    #[test]
    fn is_the_prf_of_tls_12() {
        let mut out = [0; 100];
        let seed = bytes("a0ba9f936cda311827a6f796ffd5198c");
        prf(&bytes("9bbe436ba940f017b17652849a71db35"), b"test label", &[&seed], &mut out);
        let expected = bytes(
            "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af\
             0fa022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff701\
             87347b66",
        );
        assert_eq!(out[..], expected);
    }

    #[test]
    fn a_seed_in_parts_is_the_same_seed() {
        let (mut one, mut two) = ([0; 40], [0; 40]);
        prf(b"secret", b"label", &[b"ab", b"", b"cd"], &mut one);
        prf(b"secret", b"labelab", &[b"cd"], &mut two);
        assert_eq!(one, two);
    }
}
