//! The door to cryptography: nothing outside this folder names a crate of ciphers, curves or certificates.

pub(crate) mod aead;
#[cfg(feature = "aws-lc-rs")]
mod aws_lc;
pub(crate) mod derivation;
pub(crate) mod hash;
pub(crate) mod kx;
pub(crate) mod mask;
pub(crate) mod pem;
pub(crate) mod prf;
mod random;
#[cfg(not(feature = "aws-lc-rs"))]
mod rust_crypto;
pub(crate) mod signature;
#[cfg(test)]
mod tests;
pub(crate) mod x509;

// What costs time of a processor is done by one of two, which offer the same: protection of records, key exchange, signatures.
// Hashes, and keys and certificates as others write them, are RustCrypto's always.
#[cfg(feature = "aws-lc-rs")]
use aws_lc as backend;
#[cfg(not(feature = "aws-lc-rs"))]
use rust_crypto as backend;

// Multiples of P-256's base point are computed beforehand with its `std`.
use primeorder as _;

/// Compares in a time that depends on the lengths alone.
pub(crate) fn equal(a: &[u8], b: &[u8]) -> bool {
    subtle::ConstantTimeEq::ct_eq(a, b).into()
}
