//! early_data (RFC 8446 §4.2.10): nobody is sent any, and whoever sends some sends it to nobody.

pub(crate) const NUMBER: u16 = 42;
