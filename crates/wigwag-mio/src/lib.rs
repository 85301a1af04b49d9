#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod clock;
mod config;
mod driver;
mod interfaces;
mod mdns;
mod nat;
mod offload;
mod roam;
mod seed;
mod sockets;
mod stats;
mod wake;

pub use clock::wall_clock;
pub use config::DriverConfig;
pub use driver::Driver;
pub use interfaces::{Interface, interfaces};
pub use seed::seed;
pub use sockets::{Direction, Observed};
pub use stats::DriverStats;
pub use wake::{Handle, HandleError};
