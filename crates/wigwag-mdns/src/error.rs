//! What a caller can do wrong.

use std::net::IpAddr;

/// Why a command was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Only what hides an address is asked for, never a name that somebody else may have.
    #[error(
        "{0:?} is no name of a candidate: a UUID and .local was expected, as 1f4712db-ea17-4bcf-a596-105139dfd8bf.local"
    )]
    NotAName(String),
    /// No peer can send to it.
    #[error("{0} is no address of a host: unspecified, multicast, broadcast, or of IPv4 and written as one of IPv6")]
    NotAnAddress(IpAddr),
    /// Poll the events, or ask again later ([`Config::queries_max`](crate::Config::queries_max)).
    #[error("{0} names are asked for already")]
    TooManyQueries(usize),
    /// Unregister some, or try again in a second ([`Config::names_max`](crate::Config::names_max)).
    #[error("there are {0} names of ours already")]
    TooManyNames(usize),
    /// A name hides one address (draft-ietf-mmusic-mdns-ice-candidates §3.1.1).
    #[error("{0} is the name of another address already")]
    NameInUse(crate::Name),
    /// Whoever has more links is heard on the first.
    #[error("there are {0} interfaces already")]
    TooManyInterfaces(usize),
}
