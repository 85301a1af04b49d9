#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod contract;
mod fate;
mod fault;
mod link;
mod nat;
mod node;
mod origin;
mod pcap;
mod seeds;
pub mod swarm;
mod tally;
mod topology;
mod trace;
mod world;

pub use fate::Fate;
pub use fault::Fault;
pub use link::{Link, Passing};
pub use nat::{Behavior, Nat, PortAssignment};
pub use node::{Node, Wire};
pub use origin::origin;
pub use seeds::{seed_from_env, seeds};
pub use tally::{Hit, Tally};
pub use topology::{INTERNET, Realm};
pub use trace::{Record, Trace};
pub use world::{A, Host, World, Z, address};
