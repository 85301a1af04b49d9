#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod clock;
mod config;
mod driver;
mod interfaces;
mod listen;
mod mdns;
mod nat;
#[cfg(not(feature = "tls"))]
mod no_tls;
mod offload;
mod roam;
mod seed;
mod sockets;
mod stats;
mod tcp;
#[cfg(feature = "tls")]
mod tls;
mod wake;

#[cfg(not(feature = "tls"))]
use no_tls as tls;

pub use clock::wall_clock;
pub use config::DriverConfig;
pub use driver::Driver;
pub use interfaces::{Interface, interfaces};
pub use seed::seed;
pub use sockets::{Direction, Observed};
pub use stats::DriverStats;
#[cfg(feature = "tls")]
pub use tls::Tls;
pub use wake::{Handle, HandleError};
