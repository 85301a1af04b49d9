#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod origin;

pub use origin::origin;
