//! Sessions as their peers see them.

mod allocations;
mod codecs;
mod common;
mod contract;
mod hostile;
mod jitter;
mod payload;
mod properties;
mod session;
