//! What a caller did wrong.

/// Why a command was refused; nothing has changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There are as many candidates of this side as the configuration allows.
    #[error("there are too many candidates")]
    TooManyCandidates,
    /// A local candidate with an address, a port, a base or a kind that none can have.
    #[error("this cannot be a local candidate")]
    InvalidCandidate,
    /// The agent is closed or has failed.
    #[error("the agent has ended")]
    Ended,
}
