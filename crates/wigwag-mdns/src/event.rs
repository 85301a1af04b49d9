//! What a host tells.

use crate::Name;
use std::net::IpAddr;

/// What became of a name that was [asked for](crate::Host::resolve). Each is told once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Somebody on a link has this name. Nothing proves it: a connectivity check does, which is authenticated.
    Resolved {
        /// The name.
        name: Name,
        /// Its address; one of a link (`fe80::`) is without its zone, which is that of whoever uses it.
        address: IpAddr,
    },
    /// Nobody has answered in time.
    Unresolved(Name),
}
