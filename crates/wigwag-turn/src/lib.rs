#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod attribute;
mod base64;
pub mod channel_data;
mod client;
mod config;
mod event;
pub mod framing;
mod login;
mod server;
mod stats;

pub use client::Client;
pub use config::{ClientConfig, Credentials, REALM_LEN_MAX, RealmError, ServerConfig};
pub use event::{ClientEvent, CloseReason, ServerEvent, Traffic};
pub use server::{PeerPolicy, Prefix, PrefixError, Server};
pub use stats::{ClientStats, ServerStats};
pub use wigwag_stun::{Failure, Retransmission, TransactionId};
