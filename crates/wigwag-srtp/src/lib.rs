#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod context;
mod cryptex;
mod crypto;
mod error;
mod index;
mod key_derivation;
mod profile;
mod rtcp;
mod rtp;
mod stats;

pub use context::{Context, MasterKey};
pub use cryptex::Cryptex;
pub use error::Error;
pub use profile::Profile;
pub use stats::Stats;
