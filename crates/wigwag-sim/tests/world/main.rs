//! Worlds in virtual time.

mod hosts;
mod nat;
mod talker;
