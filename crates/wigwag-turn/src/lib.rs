#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod attribute;
pub mod channel_data;
mod client;
mod config;
mod event;
pub mod framing;
mod login;
mod stats;

pub use client::Client;
pub use config::{ClientConfig, Credentials};
pub use event::ClientEvent;
pub use stats::ClientStats;
pub use wigwag_stun::{Failure, Retransmission, TransactionId};
