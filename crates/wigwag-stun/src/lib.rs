#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod credentials;
mod crypto;
mod error;
mod message;

pub use credentials::IntegrityKey;
pub use error::DecodeError;
pub use message::{
    AttributeType, Attributes, Class, ErrorCode, Message, MessageWriter, Method, Protected, TransactionId,
};
