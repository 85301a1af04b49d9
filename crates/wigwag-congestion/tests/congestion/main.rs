//! Estimates and pacing over links that are written here.

mod curves;
mod flow;
mod link;
mod world;
