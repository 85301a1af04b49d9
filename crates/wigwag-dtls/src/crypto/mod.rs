//! The door to cryptography: nothing outside this folder names a crate of ciphers, curves or certificates.

pub(crate) mod aead;
pub(crate) mod derivation;
pub(crate) mod hash;
pub(crate) mod kx;
pub(crate) mod mask;
pub(crate) mod pem;
pub(crate) mod prf;
mod random;
pub(crate) mod signature;
#[cfg(test)]
mod tests;
pub(crate) mod x509;

/// Compares in a time that depends on the lengths alone.
pub(crate) fn equal(a: &[u8], b: &[u8]) -> bool {
    subtle::ConstantTimeEq::ct_eq(a, b).into()
}
