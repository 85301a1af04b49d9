//! Hashes.

use crate::HashAlgorithm;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256, Sha384, Sha512};

/// Hashes `bytes` into `out`, which has the algorithm's length.
pub(crate) fn digest(algorithm: HashAlgorithm, bytes: &[u8], out: &mut [u8]) {
    debug_assert_eq!(out.len(), algorithm.digest_len());
    let mut write = |digest: &[u8]| out.iter_mut().zip(digest).for_each(|(to, from)| *to = *from);
    match algorithm {
        HashAlgorithm::Sha256 => write(&Sha256::digest(bytes)),
        HashAlgorithm::Sha384 => write(&Sha384::digest(bytes)),
        HashAlgorithm::Sha512 => write(&Sha512::digest(bytes)),
    }
}

/// The hash of `bytes`.
pub(crate) fn hash(algorithm: HashAlgorithm, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0; algorithm.digest_len()];
    digest(algorithm, bytes, &mut out);
    out
}

/// HMAC-SHA256 (RFC 2104) of a message in parts.
pub(crate) fn hmac_sha256(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes keys of every length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}
