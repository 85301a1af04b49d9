#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod config;
mod interfaces;
mod offload;
mod sockets;
mod stats;
mod wake;

pub use config::DriverConfig;
pub use interfaces::{Interface, interfaces};
pub use sockets::{Direction, Observed};
pub use stats::DriverStats;
pub use wake::{Handle, HandleError};
