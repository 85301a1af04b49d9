#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod association;
mod config;
mod error;
mod event;
mod state;
mod stats;

pub use association::Association;
pub use config::{Config, Reliability, SendOptions};
pub use error::{ResetError, SendError};
pub use event::{CloseReason, Event};
pub use state::State;
pub use stats::{Discarded, Stats};
