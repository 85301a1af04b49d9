//! Numbers that all packets of a transport share (draft-holmer-rmcat-transport-wide-cc-extensions-01).

pub(crate) mod arrivals;
pub(crate) mod history;

/// The number that `sequence` most likely stands for, close to `near`.
pub(crate) fn unwrap(near: u64, sequence: u16) -> u64 {
    near.saturating_add_signed(i64::from(sequence.wrapping_sub(near as u16) as i16))
}
