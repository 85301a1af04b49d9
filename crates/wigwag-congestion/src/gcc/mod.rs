//! Google Congestion Control (draft-ietf-rmcat-gcc-02), with what its widest implementation does differently: a line through the
//! delays instead of a Kalman filter, and probing.
//!
//! Bitrates are in bit/s, times in microseconds of our clock or of the peer's: only differences of the latter mean anything.

pub(crate) mod alr;
pub(crate) mod arrival;
pub(crate) mod delay;
pub(crate) mod loss;
pub(crate) mod overuse;
pub(crate) mod plan;
pub(crate) mod probe;
pub(crate) mod rate;
pub(crate) mod recovery;
pub(crate) mod standing;
pub(crate) mod throughput;
pub(crate) mod trendline;

/// Microseconds in a second.
pub(crate) const SECOND: i64 = 1_000_000;

/// A time in seconds.
pub(crate) fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}

/// So many bytes in so much time, in bit/s; of no time at all, without end.
pub(crate) fn bitrate(bytes: u64, micros: i64) -> f64 {
    if micros <= 0 {
        return f64::INFINITY;
    }
    bytes as f64 * 8e6 / micros as f64
}
