//! Error causes (RFC 9260 §3.3.10): what an ERROR or ABORT chunk says.

#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

/// The codes of the causes.
pub(crate) mod code {
    pub(crate) const INVALID_STREAM: u16 = 1;
    pub(crate) const MISSING_MANDATORY_PARAMETER: u16 = 2;
    pub(crate) const STALE_COOKIE: u16 = 3;
    pub(crate) const OUT_OF_RESOURCE: u16 = 4;
    pub(crate) const UNRESOLVABLE_ADDRESS: u16 = 5;
    pub(crate) const UNRECOGNIZED_CHUNK: u16 = 6;
    pub(crate) const INVALID_MANDATORY_PARAMETER: u16 = 7;
    pub(crate) const UNRECOGNIZED_PARAMETERS: u16 = 8;
    pub(crate) const NO_USER_DATA: u16 = 9;
    pub(crate) const COOKIE_WHILE_SHUTTING_DOWN: u16 = 10;
    pub(crate) const USER_ABORT: u16 = 12;
    pub(crate) const PROTOCOL_VIOLATION: u16 = 13;
}

mod missing_parameter;
mod stale_cookie;
mod stream;
mod unresolvable_address;

pub(crate) use missing_parameter::missing_parameter;
pub(crate) use stale_cookie::stale_cookie;
pub(crate) use stream::invalid_stream;
pub(crate) use unresolvable_address::unresolvable_address;
