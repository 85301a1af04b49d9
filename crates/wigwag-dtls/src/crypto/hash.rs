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

/// The longest of the hashes, in bytes.
pub(super) const DIGEST_LEN_MAX: usize = 64;

/// A key of HMAC (RFC 2104), mixed in once: each message starts from a copy. Wiped when dropped.
#[derive(Clone)]
pub(crate) enum HmacKey {
    Sha256(Hmac<Sha256>),
    Sha384(Hmac<Sha384>),
    Sha512(Hmac<Sha512>),
}

impl HmacKey {
    pub(crate) fn new(algorithm: HashAlgorithm, key: &[u8]) -> Self {
        fn with<M: KeyInit>(key: &[u8]) -> M {
            M::new_from_slice(key).expect("HMAC takes keys of every length")
        }
        match algorithm {
            HashAlgorithm::Sha256 => Self::Sha256(with(key)),
            HashAlgorithm::Sha384 => Self::Sha384(with(key)),
            HashAlgorithm::Sha512 => Self::Sha512(with(key)),
        }
    }

    pub(crate) const fn algorithm(&self) -> HashAlgorithm {
        match self {
            Self::Sha256(_) => HashAlgorithm::Sha256,
            Self::Sha384(_) => HashAlgorithm::Sha384,
            Self::Sha512(_) => HashAlgorithm::Sha512,
        }
    }

    /// The code of a message in parts: as much of it as `out` takes.
    pub(crate) fn code<'a>(&self, parts: impl IntoIterator<Item = &'a [u8]>, out: &mut [u8]) {
        fn with<'a, M: Mac + Clone>(keyed: &M, parts: impl IntoIterator<Item = &'a [u8]>, out: &mut [u8]) {
            let mut mac = keyed.clone();
            parts.into_iter().for_each(|part| mac.update(part));
            out.iter_mut().zip(mac.finalize().as_bytes()).for_each(|(to, from)| *to = *from);
        }
        match self {
            Self::Sha256(keyed) => with(keyed, parts, out),
            Self::Sha384(keyed) => with(keyed, parts, out),
            Self::Sha512(keyed) => with(keyed, parts, out),
        }
    }
}

/// A hash of what comes bit by bit, which can be asked for at any time.
#[derive(Clone)]
pub(crate) enum Running {
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
}

impl Running {
    pub(crate) fn new(algorithm: HashAlgorithm) -> Self {
        match algorithm {
            HashAlgorithm::Sha256 => Self::Sha256(Sha256::new()),
            HashAlgorithm::Sha384 => Self::Sha384(Sha384::new()),
            HashAlgorithm::Sha512 => Self::Sha512(Sha512::new()),
        }
    }

    pub(crate) const fn algorithm(&self) -> HashAlgorithm {
        match self {
            Self::Sha256(_) => HashAlgorithm::Sha256,
            Self::Sha384(_) => HashAlgorithm::Sha384,
            Self::Sha512(_) => HashAlgorithm::Sha512,
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hash) => hash.update(bytes),
            Self::Sha384(hash) => hash.update(bytes),
            Self::Sha512(hash) => hash.update(bytes),
        }
    }

    /// The hash so far.
    pub(crate) fn value(&self) -> Vec<u8> {
        match self.clone() {
            Self::Sha256(hash) => hash.finalize().to_vec(),
            Self::Sha384(hash) => hash.finalize().to_vec(),
            Self::Sha512(hash) => hash.finalize().to_vec(),
        }
    }
}

/// HMAC-SHA256 (RFC 2104) of a message in parts.
pub(crate) fn hmac_sha256(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes keys of every length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}
