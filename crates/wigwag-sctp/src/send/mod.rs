//! From messages to chunks in flight and to their acknowledgement (RFC 9260 §6, §7, RFC 3758).

mod account;
mod congestion;
mod forward;
mod lines;
mod outstanding;
mod queue;
mod retransmit;
mod rto;
mod schedule;
mod stream;

pub(crate) use outstanding::Format;
pub(crate) use queue::{Queue, Refused};
pub(crate) use retransmit::{SackOutcome, Transmission};
