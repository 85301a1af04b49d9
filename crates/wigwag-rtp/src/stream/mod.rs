//! What is kept of each stream, in either direction.

pub(crate) mod arrived;
pub(crate) mod forward;
pub(crate) mod jitter_buffer;
pub(crate) mod nack;
pub(crate) mod pictures;
pub(crate) mod receive;
pub(crate) mod resend;
pub(crate) mod send;
pub(crate) mod sequence;
