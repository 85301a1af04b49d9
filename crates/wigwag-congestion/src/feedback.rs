//! What the peer reports.

use std::time::{Duration, Instant};

/// A packet that the peer has reported on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reported {
    /// Its number, as told to [`handle_sent`](crate::Controller::handle_sent).
    pub sequence: u64,
    /// When it left.
    pub sent: Instant,
    /// Its size on the wire, in bytes.
    pub size: usize,
    /// When it arrived, by the peer's clock with its arbitrary origin; nothing if it has not, or not yet.
    pub arrival: Option<Duration>,
}
