//! What a controller tells.

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The estimate has changed by 3 % or more since it was told last, or has come to one of its limits.
    TargetBitrate {
        /// What all packets together, with all that is around them on the wire, should not exceed, in bit/s.
        bits_per_second: u64,
    },
}
