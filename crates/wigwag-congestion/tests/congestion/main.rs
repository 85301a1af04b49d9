//! Estimates and pacing over links that are written here.

mod explore;
mod flow;
mod link;
mod world;
