//! What a client tells.

use std::net::{IpAddr, SocketAddr};
use wigwag_stun::Failure;

/// What has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The server relays for us from now on. It comes once, and before anything that is relayed.
    Allocated {
        /// Where peers reach us: an address of the server's.
        relayed: SocketAddr,
        /// Where the server sees us: our address, or that of a NAT before us.
        mapped: SocketAddr,
    },
    /// The server does not let us reach this address. What is sent there is lost.
    PeerRefused {
        /// Whom we wanted to reach.
        peer: IpAddr,
        /// What the server says.
        failure: Failure,
    },
    /// The server does not relay, or not any more. It is the last event.
    Ended(Failure),
}
