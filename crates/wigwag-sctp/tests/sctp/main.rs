//! Associations as their peers, and strangers, see them.

mod allocations;
mod attacks;
mod bursts;
mod common;
mod contract;
mod hostile;
mod limits;
mod loss;
mod properties;
mod resets;
mod setup;
mod streams;
