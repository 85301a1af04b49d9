//! Sessions as their peers see them.

mod allocations;
mod av1;
mod codecs;
mod common;
mod contract;
mod contract_frames;
mod dependency_descriptor;
mod dialer;
mod formats;
mod forward;
mod h264;
mod hostile;
mod jitter;
mod layers_allocation;
mod lifetime;
mod pacing;
mod payload;
mod properties;
mod resends;
mod rtx;
mod session;
mod simulcast;
mod storm;
mod structures;
mod transport_wide;
mod vp9;
