#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::cast_possible_truncation))]

mod alert;
mod authentication;
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
pub use authentication::{ClientAuthentication, Verifier};
pub use certificate::{Certificate, PrivateKeyDer, Signer};
pub use config::{Config, Retransmission, Role};
pub use connection::Connection;
pub use crypto::signature::SignatureScheme;
pub use error::Error;
pub use event::{CloseReason, Event};
pub use fingerprint::{Fingerprint, HashAlgorithm};
pub use handshake::cookie::{CookieExchange, CookieSecret};
pub use parameters::{CipherSuite, Group, Version};
pub use srtp::{SrtpKeys, SrtpProfile};
pub use stats::Stats;
