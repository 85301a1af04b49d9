//! Associations as their peers, and strangers, see them.

mod allocations;
mod attacks;
mod bursts;
mod common;
mod contract;
mod hostile;
mod interleaving;
mod limits;
mod loss;
mod properties;
mod reconfiguring;
mod resets;
mod setup;
mod streams;
