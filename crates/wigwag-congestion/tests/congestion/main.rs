//! Estimates and pacing over links that are written here.
mod link;
