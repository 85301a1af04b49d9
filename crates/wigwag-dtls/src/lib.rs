#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::cast_possible_truncation))]

mod alert;
mod certificate;
mod codec;
mod config;
mod connection;
mod crypto;
mod error;
mod event;
mod fingerprint;
mod handshake;
mod message;
mod parameters;
mod record;
mod srtp;
mod stats;
mod v12;
mod v13;

pub use alert::AlertDescription;
pub use certificate::{Certificate, PrivateKeyDer};
pub use config::{Config, Retransmission, Role};
pub use connection::Connection;
pub use error::Error;
pub use event::{CloseReason, Event};
pub use fingerprint::{Fingerprint, HashAlgorithm};
pub use handshake::cookie::{CookieExchange, CookieSecret};
pub use parameters::{CipherSuite, Group, Version};
pub use srtp::{SrtpKeys, SrtpProfile};
pub use stats::Stats;
