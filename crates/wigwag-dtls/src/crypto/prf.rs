//! The pseudorandom function of TLS 1.2 (RFC 5246 §5).

use super::hash::{DIGEST_LEN_MAX, HmacKey};
use crate::HashAlgorithm;
use std::iter;
use zeroize::Zeroizing;

/// The function with its secret. Wiped when dropped.
pub(crate) struct Prf(HmacKey);

impl Prf {
    pub(crate) fn new(hash: HashAlgorithm, secret: &[u8]) -> Self {
        Self(HmacKey::new(hash, secret))
    }

    pub(crate) const fn hash(&self) -> HashAlgorithm {
        self.0.algorithm()
    }

    /// Fills `out` with `PRF(secret, label, seed)`, where the seed comes in parts.
    ///
    /// RFC 5246 §5: "P_hash(secret, seed) = HMAC_hash(secret, A(1) + seed) + HMAC_hash(secret, A(2) + seed) + …
    /// A(0) = seed, A(i) = HMAC_hash(secret, A(i-1)) … PRF(secret, label, seed) = P_<hash>(secret, label + seed)"
    pub(crate) fn fill(&self, label: &[u8], seed: &[&[u8]], out: &mut [u8]) {
        let seed = || iter::once(label).chain(seed.iter().copied());
        let mut buffers = Zeroizing::new([[0; DIGEST_LEN_MAX]; 2]);
        let [a, next] = buffers.each_mut().map(|buffer| buffer.split_at_mut(self.hash().digest_len()).0);
        self.0.code(seed(), a);
        let mut chunks = out.chunks_mut(a.len()).peekable();
        while let Some(chunk) = chunks.next() {
            self.0.code(iter::once(&*a).chain(seed()), chunk);
            if chunks.peek().is_some() {
                self.0.code([&*a], next);
                a.copy_from_slice(next);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prf(hash: HashAlgorithm, secret: &[u8], label: &[u8], seed: &[&[u8]], out: &mut [u8]) {
        Prf::new(hash, secret).fill(label, seed, out);
    }

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
    }

    /// The known answer for PRF-SHA256 that the IETF's TLS list agreed upon in 2009.
    #[test]
    fn is_the_prf_of_tls_12() {
        let mut out = [0; 100];
        let seed = bytes("a0ba9f936cda311827a6f796ffd5198c");
        prf(HashAlgorithm::Sha256, &bytes("9bbe436ba940f017b17652849a71db35"), b"test label", &[&seed], &mut out);
        let expected = bytes(
            "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af\
             0fa022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff701\
             87347b66",
        );
        assert_eq!(out[..], expected);
    }

    /// And that for PRF-SHA384.
    #[test]
    fn is_the_prf_of_tls_12_with_sha_384() {
        let mut out = [0; 148];
        let seed = bytes("cd665cf6a8447dd6ff8b27555edb7465");
        prf(HashAlgorithm::Sha384, &bytes("b80b733d6ceefcdc71566ea48e5567df"), b"test label", &[&seed], &mut out);
        let expected = bytes(
            "7b0c18e9ced410ed1804f2cfa34a336a1c14dffb4900bb5fd7942107e81c83cde9ca0faa60be9fe34f82b1233c9146a0\
             e534cb400fed2700884f9dc236f80edd8bfa961144c9e8d792eca722a7b32fc3d416d473ebc2c5fd4abfdad05d918425\
             9b5bf8cd4d90fa0d31e2dec479e4f1a26066f2eea9a69236a3e52655c9e9aee691c8f3a26854308d5eaa3be85e099070\
             3d73e56f",
        );
        assert_eq!(out[..], expected);
    }

    #[test]
    fn a_seed_in_parts_is_the_same_seed() {
        let (mut one, mut two) = ([0; 40], [0; 40]);
        prf(HashAlgorithm::Sha256, b"secret", b"label", &[b"ab", b"", b"cd"], &mut one);
        prf(HashAlgorithm::Sha256, b"secret", b"labelab", &[b"cd"], &mut two);
        assert_eq!(one, two);
    }
}
