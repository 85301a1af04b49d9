//! Associations as their peers, and strangers, see them.

mod allocations;
mod common;
mod contract;
mod hostile;
mod loss;
mod properties;
mod setup;
mod streams;
