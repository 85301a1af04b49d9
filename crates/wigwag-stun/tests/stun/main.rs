//! Messages of others, and bytes that are none.

mod binding;
mod hostile;
mod rfc5769;
mod rfc8489;
mod testdata;
