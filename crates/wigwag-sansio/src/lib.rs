#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod backoff;
mod batch;
mod datagram;
mod deadlines;
mod ready;
mod replay;
mod rng;
mod seed;
mod serial;
mod time;
mod wall_clock;

pub use backoff::Backoff;
pub use batch::batch;
pub use datagram::{Datagram, Dscp, Ecn, Protocol, Transmit};
pub use deadlines::Deadlines;
pub use ready::Ready;
pub use replay::{Replay, ReplayWindow};
pub use rng::Rng;
pub use seed::Seed;
pub use serial::{Serial, serial_after};
pub use time::{Monotonic, Timer, earliest};
pub use wall_clock::WallClock;
