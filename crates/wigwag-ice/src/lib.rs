#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod agent;
mod candidate;
mod check;
mod check_list;
mod config;
mod consent;
mod credentials;
mod decision;
mod error;
mod event;
mod framing;
mod gathering;
mod hiding;
mod lite;
mod nomination;
mod pair;
mod peek;
mod persistence;
mod prepared;
mod restart;
mod stats;
mod tcp;
mod trickle;

pub use agent::Agent;
pub use candidate::{Candidate, Kind, LocalCandidate, RemoteAddress, RemoteCandidate};
pub use config::{Config, Role};
pub use credentials::Credentials;
pub use decision::{Decision, Deed, Failure};
pub use error::Error;
pub use event::{Event, GatheringState, State};
pub use framing::{Deframer, FRAME_LEN_MAX, HEADER_LEN, frame};
pub use pair::{CheckState, PairView, Path};
pub use peek::{Peek, peek, request_transaction};
pub use stats::{PairStats, Stats};
pub use tcp::TcpType;
pub use wigwag_stun::TransactionId;
