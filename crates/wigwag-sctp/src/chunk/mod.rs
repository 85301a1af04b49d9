//! The kinds of chunks, one file each (RFC 9260 §3.3).

#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod abort;
mod cookie;
mod data;
mod error;
mod forward_tsn;
mod heartbeat;
mod i_data;
mod i_forward_tsn;
mod init;
mod reconfig;
mod sack;
mod shutdown;

pub(crate) use abort::{Abort, REFLECTED};
pub(crate) use cookie::{COOKIE_ECHO_HEADER_LEN, write_cookie_ack, write_cookie_echo};
pub(crate) use data::{BEGINNING, DATA_HEADER_LEN, Data, ENDING, IMMEDIATE, UNORDERED};
pub(crate) use error::write_error;
pub(crate) use forward_tsn::{FORWARD_TSN_HEADER_LEN, ForwardTsn, SKIP_LEN, write_forward_tsn};
pub(crate) use heartbeat::{HEARTBEAT_LEN, HeartbeatInfo, write_heartbeat, write_heartbeat_ack, write_pad};
pub(crate) use i_data::{I_DATA_HEADER_LEN, IData};
pub(crate) use i_forward_tsn::{I_SKIP_LEN, IForwardTsn, Skip, write_i_forward_tsn};
pub(crate) use init::{INIT_HEADER_LEN, Init};
pub(crate) use reconfig::write_reconfig;
pub(crate) use sack::{GAP_LEN, SACK_HEADER_LEN, Sack, write_sack};
pub(crate) use shutdown::{SHUTDOWN_LEN, read_shutdown, write_shutdown, write_shutdown_ack, write_shutdown_complete};

/// The numbers of the chunk types (RFC 9260 §3.2, RFC 3758 §3.2, RFC 4820 §3, RFC 6525 §3.1, RFC 8260 §2).
pub(crate) mod kind {
    pub(crate) const DATA: u8 = 0;
    pub(crate) const INIT: u8 = 1;
    pub(crate) const INIT_ACK: u8 = 2;
    pub(crate) const SACK: u8 = 3;
    pub(crate) const HEARTBEAT: u8 = 4;
    pub(crate) const HEARTBEAT_ACK: u8 = 5;
    pub(crate) const ABORT: u8 = 6;
    pub(crate) const SHUTDOWN: u8 = 7;
    pub(crate) const SHUTDOWN_ACK: u8 = 8;
    pub(crate) const ERROR: u8 = 9;
    pub(crate) const COOKIE_ECHO: u8 = 10;
    pub(crate) const COOKIE_ACK: u8 = 11;
    pub(crate) const SHUTDOWN_COMPLETE: u8 = 14;
    pub(crate) const I_DATA: u8 = 64;
    pub(crate) const RECONFIG: u8 = 130;
    pub(crate) const PAD: u8 = 132;
    pub(crate) const FORWARD_TSN: u8 = 192;
    pub(crate) const I_FORWARD_TSN: u8 = 194;
}

/// What to do with a chunk or parameter that one does not know, by its two highest bits (RFC 9260 §3.2, §3.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unrecognized {
    /// What follows is discarded too.
    pub(crate) is_end: bool,
    /// The sender is told.
    pub(crate) is_reported: bool,
}

impl Unrecognized {
    pub(crate) const fn chunk(kind: u8) -> Self {
        Self { is_end: kind & 0x80 == 0, is_reported: kind & 0x40 != 0 }
    }

    pub(crate) const fn parameter(kind: u16) -> Self {
        Self { is_end: kind & 0x8000 == 0, is_reported: kind & 0x4000 != 0 }
    }
}

#[cfg(test)]
mod tests;
