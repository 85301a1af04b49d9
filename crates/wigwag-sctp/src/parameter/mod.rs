//! The kinds of parameters, one file each (RFC 9260 §3.3.2.1, RFC 3758 §3.1, RFC 6525 §4).

#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod add_streams;
mod extensions;
mod incoming_reset;
mod response;
mod stream_reset;
mod tsn_reset;

pub(crate) use add_streams::{ADD_STREAMS_LEN, AddStreams};
pub(crate) use extensions::Extensions;
pub(crate) use incoming_reset::{INCOMING_RESET_HEADER_LEN, IncomingReset};
pub(crate) use response::{NextTsns, RESPONSE_LEN, Response, ResponseResult};
pub(crate) use stream_reset::{OutgoingReset, RESET_HEADER_LEN};
pub(crate) use tsn_reset::{TSN_RESET_LEN, read_tsn_reset, write_tsn_reset};

/// The numbers of the parameter types.
pub(crate) mod kind {
    pub(crate) const HEARTBEAT_INFO: u16 = 1;
    pub(crate) const IPV4_ADDRESS: u16 = 5;
    pub(crate) const IPV6_ADDRESS: u16 = 6;
    pub(crate) const STATE_COOKIE: u16 = 7;
    pub(crate) const UNRECOGNIZED: u16 = 8;
    pub(crate) const COOKIE_PRESERVATIVE: u16 = 9;
    pub(crate) const HOST_NAME_ADDRESS: u16 = 11;
    pub(crate) const SUPPORTED_ADDRESS_TYPES: u16 = 12;
    pub(crate) const OUTGOING_RESET: u16 = 13;
    pub(crate) const INCOMING_RESET: u16 = 14;
    pub(crate) const TSN_RESET: u16 = 15;
    pub(crate) const RESPONSE: u16 = 16;
    pub(crate) const ADD_OUTGOING: u16 = 17;
    pub(crate) const ADD_INCOMING: u16 = 18;
    pub(crate) const ZERO_CHECKSUM_ACCEPTABLE: u16 = 0x8001;
    pub(crate) const SUPPORTED_EXTENSIONS: u16 = 0x8008;
    pub(crate) const FORWARD_TSN_SUPPORTED: u16 = 0xc000;
}
