//! padding (RFC 7685): says nothing.

pub(crate) const NUMBER: u16 = 21;
