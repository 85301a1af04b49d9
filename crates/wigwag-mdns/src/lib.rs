#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod config;
mod error;
mod event;
mod host;
mod interface;
mod message;
mod name;
mod stats;

pub use config::Config;
pub use error::Error;
pub use event::Event;
pub use host::Host;
pub use interface::{Interface, PORT};
pub use name::Name;
pub use stats::Stats;
