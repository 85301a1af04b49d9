//! SCTP associations of several stacks behind one trait, so that any two can be put on a path and compared.

mod dcsctp;
mod endpoint;
mod ours;
mod usrsctp;

use bytes::Bytes;
use std::time::{Duration, Instant};

/// Longest packet of every stack, in bytes.
pub const MTU: usize = 1160;
/// What every stack lets wait at the receiver, in bytes.
pub const WINDOW: u32 = 5 * 1024 * 1024;
const MESSAGE_LEN_MAX: u32 = 262_144;

/// Whose association it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stack {
    Wigwag,
    Dcsctp,
    RtcSctp,
    SctpProto,
    Usrsctp,
}

impl Stack {
    /// Others that are written in Rust.
    pub const OTHERS: &[Self] = &[Self::Dcsctp, Self::RtcSctp, Self::SctpProto];
    /// Others that must be compiled with C.
    pub const COMPILED: &[Self] = &[Self::Usrsctp];

    /// What a table calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wigwag => "wigwag-sctp",
            Self::Dcsctp => "dcsctp",
            Self::RtcSctp => "rtc-sctp",
            Self::SctpProto => "sctp-proto",
            Self::Usrsctp => "usrsctp",
        }
    }

    /// Whether an INIT that arrives again is the one before (RFC 9260 §5.2.1). rtc-sctp makes another association of it.
    pub const fn knows_an_init_again(self) -> bool {
        !matches!(self, Self::RtcSctp)
    }

    /// Whether both may begin at once (RFC 9260 §5.2), and a shutdown loses nothing, whatever the path loses (§9.2).
    pub const fn begins_and_ends_well(self) -> bool {
        matches!(self, Self::Wigwag | Self::Dcsctp | Self::Usrsctp)
    }

    /// Whether it knows RFC 8260's I-DATA and RFC 9653's zero checksum.
    pub const fn has_extensions(self) -> bool {
        matches!(self, Self::Wigwag | Self::Dcsctp)
    }

    /// Whether INITs may travel in descriptions (draft-hancke-tsvwg-snap).
    pub const fn has_snap(self) -> bool {
        matches!(self, Self::Wigwag | Self::SctpProto)
    }

    /// A new association, which has not begun.
    pub fn end(self, options: Options, seed: u64, now: Instant) -> Box<dyn End> {
        match self {
            Self::Wigwag => Box::new(ours::Ours::new(options, seed)),
            Self::Dcsctp => Box::new(dcsctp::Dcsctp::new(options, now)),
            Self::RtcSctp => Box::new(endpoint::rtc_sctp::Peer::new(now)),
            Self::SctpProto => Box::new(endpoint::sctp_proto::Peer::new(now)),
            Self::Usrsctp => Box::new(usrsctp::Usrsctp::new(now)),
        }
    }
}

/// What is asked for beside the common.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// RFC 9653.
    pub zero_checksum: bool,
    /// RFC 8260.
    pub interleaving: bool,
    /// Whether wigwag gives and takes messages in parts, with buffers that hold no long one.
    pub in_parts: bool,
}

/// How a message travels.
#[derive(Clone, Copy, Debug, Default)]
pub struct How {
    pub unordered: bool,
    /// RFC 3758, by the number of retransmissions.
    pub retransmits_max: Option<u16>,
    /// RFC 3758, by time.
    pub lifetime: Option<Duration>,
}

/// How far an association has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Connecting,
    Connected,
    /// By a shutdown, or since the peer aborted.
    Closed,
}

/// One end of an association.
pub trait End {
    /// Our INIT chunk, for the peer to know before a first packet (draft-hancke-tsvwg-snap), if the stack has this.
    fn init(&mut self) -> Option<Bytes> {
        None
    }
    /// The peer's INIT chunk, before `connect`, which sends none then.
    fn set_peer_init(&mut self, _: Bytes) {}
    /// Sends INIT.
    fn connect(&mut self, now: Instant);
    fn handle_input(&mut self, packet: &[u8], now: Instant);
    fn handle_timeout(&mut self, now: Instant);
    fn poll_timeout(&self, now: Instant) -> Option<Instant>;
    /// The next packet, appended to `out`; `false` if there is none.
    fn poll_packet(&mut self, now: Instant, out: &mut Vec<u8>) -> bool;
    /// `false` if there is no room for it now.
    fn send(&mut self, stream: u16, data: &Bytes, how: How, now: Instant) -> bool;
    /// The next message that has arrived, with its stream.
    fn poll_message(&mut self) -> Option<(u16, Bytes)>;
    /// Resets our direction of a stream (RFC 6525).
    fn reset(&mut self, stream: u16, now: Instant);
    /// Which streams the peer has reset, since this was last asked.
    fn peer_resets(&mut self) -> Vec<u16>;
    /// In good order.
    fn shutdown(&mut self, now: Instant);
    fn state(&self) -> State;
    /// Zero checksum and I-DATA, as agreed upon.
    fn agreed(&self) -> Options;
}
