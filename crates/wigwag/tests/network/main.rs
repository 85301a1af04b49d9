//! Connections in a simulated network, in virtual time.

#![expect(clippy::unwrap_used, reason = "a test may stop")]

mod common;
mod endpoint;
mod security;
mod setup;
