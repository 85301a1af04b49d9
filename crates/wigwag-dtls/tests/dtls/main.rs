//! Connections as their peers, and strangers, see them.

mod allocations;
mod certificates;
mod common;
mod config;
mod cookie;
mod corpora;
mod dtls_13;
mod handshake;
mod hostile;
mod limits;
mod network;
mod schedules;
