//! Messages of others, and bytes that are none.

mod hostile;
mod rfc5769;
mod testdata;
