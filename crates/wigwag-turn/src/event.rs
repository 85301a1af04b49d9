//! What a client tells, and a server.

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

/// What a server wants of its driver.
///
/// Each [`RelayRequested`](Self::RelayRequested) is answered by [`Server::relay_opened`](crate::Server::relay_opened).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerEvent {
    /// A socket for UDP shall be bound at this address, and what arrives there handed in with it as `local`.
    RelayRequested {
        /// Where.
        relayed: SocketAddr,
        /// For whom.
        client: SocketAddr,
        /// By which name.
        username: String,
    },
    /// The socket at this address shall be closed, if it was opened: nothing is sent from it or taken from it any more.
    RelayClosed {
        /// Where.
        relayed: SocketAddr,
        /// Why.
        reason: CloseReason,
        /// What was relayed there.
        traffic: Traffic,
    },
}

/// Why a server does not relay any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// The client has given the address back.
    Released,
    /// The client has not asked for more time.
    Expired,
    /// The client's stream has ended.
    Disconnected,
    /// The user was [removed](crate::Server::remove_user).
    Removed,
    /// Nobody has said in time whether there is a socket.
    NotOpened,
}

/// What was relayed, in bytes of the datagrams' contents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traffic {
    /// To peers.
    pub to_peers: u64,
    /// To the client.
    pub to_client: u64,
}
