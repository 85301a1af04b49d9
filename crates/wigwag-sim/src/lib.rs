#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod contract;
mod link;
mod node;
mod origin;
mod pcap;
mod seeds;
mod trace;
mod world;

pub use link::{Fate, Link, Passing};
pub use node::{Node, Wire};
pub use origin::origin;
pub use seeds::{seed_from_env, seeds};
pub use trace::{Record, Trace};
pub use world::{A, Host, World, Z, address};
