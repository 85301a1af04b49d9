//! A server, clients, and peers.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod bench;
mod relaying;
mod rules;
mod streams;
