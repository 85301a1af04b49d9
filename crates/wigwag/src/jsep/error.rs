//! Why a description was not made or not set.

use super::signaling::{SdpType, SignalingState};

/// Why a description was not made or not set; nothing has changed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// W3C `InvalidStateError`: not now.
    #[error("{operation} is not possible in the signaling state {state}: {}", state.meaning())]
    InvalidState {
        /// What was asked for.
        operation: &'static str,
        /// The state that does not allow it.
        state: SignalingState,
    },
    /// W3C `InvalidModificationError`: RFC 9429 §5.4 forbids to change a description between making and setting it.
    #[error("this {0} is not the one that was made last, or it was changed")]
    InvalidModification(SdpType),
    /// W3C `InvalidAccessError`, `OperationError`: the description reads well, but RFC 9429 does not allow it.
    #[error("invalid description: {problem}")]
    InvalidDescription {
        /// What is wrong.
        problem: &'static str,
    },
    /// ... in one of its sections.
    #[error("invalid description: m-section {index}: {problem}")]
    InvalidSection {
        /// Which section, from 0.
        index: usize,
        /// What is wrong.
        problem: &'static str,
    },
    /// More sections than a description can have.
    #[error("a description has at most 256 m-sections: stop some transceivers")]
    TooManySections,
    /// There is no such transceiver, or it was stopped.
    #[error("there is no such transceiver (any more)")]
    UnknownTransceiver,
    /// W3C `OperationError`: a candidate is for a section that the peer's description does not have.
    #[error(
        "the remote description has no m-section {0}: set the peer's description first, and leave out candidates of an offer \
         that was not set"
    )]
    UnknownSection(String),
}

impl Error {
    pub(super) const fn description(problem: &'static str) -> Self {
        Self::InvalidDescription { problem }
    }

    pub(super) const fn section(index: usize, problem: &'static str) -> Self {
        Self::InvalidSection { index, problem }
    }
}
