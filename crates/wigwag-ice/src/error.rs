//! What a caller did wrong.

/// Why a command was refused; nothing has changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There are as many candidates of this side as the configuration allows.
    #[error("there are too many candidates")]
    TooManyCandidates,
    /// A local candidate with an address, a port, a base or a kind that none can have: 0.0.0.0 and ::, to which a socket may be
    /// bound, are no addresses that a peer can send to, nor are those of groups, IPv4 within IPv6, and ports 0 and 9; the base
    /// is of the address's family, and the address itself if it is a host's or relayed; and only checks find what is peer-reflexive.
    #[error(
        "this cannot be a local candidate: it needs an address (not 0.0.0.0 or ::) and port that a peer can send to by UDP"
    )]
    InvalidCandidate,
    /// The agent is closed or has failed.
    #[error("the agent has ended")]
    Ended,
}
