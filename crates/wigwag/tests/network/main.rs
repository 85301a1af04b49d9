//! Connections in a simulated network, in virtual time.

mod common;
mod endpoint;
mod security;
mod setup;
