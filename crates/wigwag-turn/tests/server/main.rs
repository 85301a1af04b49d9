//! A server, clients, and peers.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod bench;
mod contract;
mod hostile;
mod network;
mod nodes;
mod relaying;
mod rules;
mod streams;
