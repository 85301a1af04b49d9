//! Reports of what arrives by the numbers that each stream has anyway (RFC 8888).

pub(crate) mod arrivals;
pub(crate) mod clock;
pub(crate) mod index;
