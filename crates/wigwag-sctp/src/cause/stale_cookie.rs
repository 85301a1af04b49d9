//! Stale Cookie (RFC 9260 §3.3.10.3).

use std::time::Duration;

/// The value of the cause: by how much the cookie was too old, in microseconds.
pub(crate) fn stale_cookie(staleness: Duration) -> [u8; 4] {
    u32::try_from(staleness.as_micros()).unwrap_or(u32::MAX).to_be_bytes()
}
