//! pre_shared_key (RFC 8446 §4.2.11): there are no sessions to come back to.

pub(crate) const NUMBER: u16 = 41;
