//! Associations as their peers, and strangers, see them.

mod allocations;
mod attacks;
mod bursts;
mod common;
mod contract;
mod controllers;
mod crowded;
mod goodput;
mod hostile;
mod immediate;
mod in_parts;
mod interleaving;
mod limits;
mod loss;
mod migration;
mod path;
mod path_mtu;
mod properties;
mod reconfiguring;
mod resets;
mod setup;
mod snap;
mod storm;
mod streaming;
mod streams;
mod tuning;
