#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod client;
mod credentials;
mod crypto;
mod error;
mod message;
mod server;
mod transaction;

pub use client::{Client, ClientConfig, ClientEvent, ClientStats, Failure};
pub use credentials::{IntegrityKey, IntegrityKeySha256, userhash};
pub use error::DecodeError;
pub use message::{
    AttributeType, Attributes, Class, ErrorCode, Message, MessageWriter, Method, Protected, ProtectedSha256,
    TransactionId,
};
pub use server::answer;
pub use transaction::{Retransmission, Transaction};
