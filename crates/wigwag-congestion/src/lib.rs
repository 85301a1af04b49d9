#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod config;
mod controller;
mod error;
mod event;
mod feedback;
mod gcc;
mod outage;
mod pacer;
mod stats;

pub use config::Config;
pub use controller::Controller;
pub use error::Error;
pub use event::Event;
pub use feedback::Reported;
pub use stats::{DelayState, Stats};
