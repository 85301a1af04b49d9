#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod association;
mod cause;
mod chunk;
mod config;
mod crypto;
mod error;
mod event;
mod map;
mod migration;
mod packet;
mod parameter;
mod receive;
mod send;
mod serial;
mod state;
mod stats;
mod wire;

pub use association::{Association, ExportedState, PeerInit};
pub use config::{Config, Reliability, Scheduler, SendOptions};
pub use error::{AbandonError, ExportError, InitError, ResetError, ResumeError, SendError};
pub use event::{CloseReason, Event};
pub use send::{Acknowledgement, CongestionControl, CongestionController, DeliveryRate, Loss};
pub use state::State;
pub use stats::{Discarded, Stats};
