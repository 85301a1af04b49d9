//! From chunks to messages, and what the peer is told of it (RFC 9260 §6.2, §6.5, §6.6, §6.9).

mod buffers;
mod inbox;
mod interleaved;
mod ordered;
mod reassembly;
mod reception;
mod tracker;

pub(crate) use inbox::Inbox;
pub(crate) use reception::{Reception, TooLarge, initial_window, window_max};

/// Charged for each message and each fragment that is kept, beside its bytes: what it takes to keep it.
pub(crate) const OVERHEAD: usize = 128;
/// So many fragments find room when a first one is early, and so many events when they come at once.
const FRAGMENTS_EXPECTED: usize = 16;
const EVENTS_EXPECTED: usize = 64;
