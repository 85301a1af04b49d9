//! From messages to chunks in flight and to their acknowledgement (RFC 9260 §6, §7, RFC 3758).

mod account;
mod acknowledge;
mod congestion;
mod flights;
mod forward;
mod immediate;
mod lines;
mod outstanding;
mod pacer;
mod parts;
mod queue;
mod rack;
mod retransmit;
mod rto;
mod schedule;
mod stream;
mod transmit;

pub use congestion::{Acknowledgement, CongestionControl, CongestionController, DeliveryRate, Loss};
pub(crate) use outstanding::Format;
pub(crate) use queue::{Queue, Refused};
pub(crate) use retransmit::{SackOutcome, Transmission};
