//! Connections as their peers, and strangers, see them.

mod allocations;
mod common;
mod corpora;
mod handshake;
mod hostile;
mod network;
