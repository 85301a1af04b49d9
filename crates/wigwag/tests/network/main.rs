//! Connections in a simulated network, in virtual time.

#![expect(clippy::unwrap_used, reason = "a test may stop")]

mod allocations;
mod attacks;
mod channels;
mod claims;
mod common;
mod congestion;
mod contract;
mod cost;
mod cryptex;
mod details;
mod endpoint;
mod file_transfer;
mod forged_records;
mod forward;
mod forward_layers;
mod frames;
mod gathering;
mod hidden;
mod in_parts;
mod invariants;
mod long_paths;
mod media;
mod names;
mod refusals;
mod relayed_contract;
mod relays;
mod relays_hostile;
mod relays_more;
mod relays_streams;
mod renegotiation;
mod restart;
mod roaming;
mod roles;
mod scripts;
mod security;
mod setup;
mod sfu;
mod simulcast;
mod snap;
mod stats;
mod swarm;
mod taps;
mod tcp;
mod tcp_contract;
mod tcp_strangers;
mod tones;
#[path = "../../../wigwag-turn/tests/turn/server.rs"]
mod turn_server;
