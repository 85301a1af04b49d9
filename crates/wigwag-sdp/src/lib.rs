#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    warn(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used, clippy::expect_used)
)]

mod address;
mod attribute;
mod error;
mod fields;
mod line;
mod media;
mod session;
mod token;

pub use address::{Address, AddressType, Connection};
pub use attribute::{
    Alternative, Attribute, Attributes, Candidate, CandidateKind, Direction, Extensions, Extmap, Feedback, Fingerprint,
    Fmtp, Framerate, Group, IceOptions, IcePwd, Msid, Rid, RidDirection, Rtcp, RtcpFb, RtcpXr, Rtpmap, SctpInit,
    Sctpmap, Setup, Simulcast, SimulcastStreams, Ssrc, SsrcGroup, TcpType, Unknown,
};
pub use error::Error;
pub use line::{MAX_ATTRIBUTES, MAX_BYTES, MAX_LINE_BYTES, MAX_MEDIA};
pub use media::{Format, MediaDescription};
pub use session::{Bandwidth, Origin, SessionDescription, Timing};
pub use token::Token;
