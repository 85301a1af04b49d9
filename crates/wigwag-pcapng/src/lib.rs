#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod block;
mod ip;
mod upper;

pub use block::{begin, key_log};
pub use upper::Dissector;

use block::Interface;
use std::net::SocketAddr;
use std::time::Duration;

/// Which way a packet went, seen from who records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From us to the peer.
    Sent,
    /// From the peer to us.
    Received,
}

/// When a packet was seen, whence and whither it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passage {
    /// Since 1970 (UTC).
    pub time: Duration,
    /// Which way it went; `None` if the recorder is neither end.
    pub direction: Option<Direction>,
    /// Who sent it.
    pub from: SocketAddr,
    /// To whom.
    pub to: SocketAddr,
}

/// Appends a UDP datagram, in headers of IP and UDP as they were on the wire, but for what a kernel chooses (identification,
/// hop limit); of addresses of two families, in IPv6. Changes nothing and says `false` if it is too long for an IP packet.
pub fn datagram(out: &mut Vec<u8>, passage: &Passage, payload: &[u8]) -> bool {
    let Some(packet) = ip::packet(passage.from, passage.to, payload) else { return false };
    block::packet(out, Interface::Wire, passage, &[&packet]);
    true
}

/// Appends a packet as it was before it was encrypted, or is after it was decrypted, with the name of what reads it.
pub fn plain(out: &mut Vec<u8>, passage: &Passage, dissector: Dissector, packet: &[u8]) {
    let tags = upper::tags(passage.from, passage.to, dissector);
    block::packet(out, Interface::Plain, passage, &[&tags, packet]);
}
