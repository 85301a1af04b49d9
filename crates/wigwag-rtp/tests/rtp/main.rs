//! Sessions as their peers see them.

mod allocations;
mod codecs;
mod common;
mod contract;
mod contract_frames;
mod forward;
mod hostile;
mod jitter;
mod lifetime;
mod pacing;
mod payload;
mod properties;
mod rtx;
mod session;
mod storm;
mod transport_wide;
