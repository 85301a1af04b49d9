//! Estimates and pacing over links that are written here.

mod allocations;
mod commands;
mod curves;
mod flow;
mod greedy;
mod hostile;
mod laws;
mod link;
mod pacing;
mod pauses;
mod properties;
mod script;
mod world;
