//! Worlds in virtual time.

mod faults;
mod hosts;
mod nat;
mod swarm;
mod talker;
