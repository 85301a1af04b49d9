//! What has happened.

use crate::{Candidate, Path, Role};
use std::net::SocketAddr;

/// How far the agent is (RTCIceTransportState).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Nothing is known of the peer yet.
    #[default]
    New,
    /// No pair works yet.
    Checking,
    /// A pair works; others are still tried, or awaited.
    Connected,
    /// A pair was nominated, and there is nothing left to try.
    Completed,
    /// Nothing has been heard on the selected path for some seconds. It may come back.
    Disconnected,
    /// No pair works, or the consent to send has expired. Only a restart helps.
    Failed,
    /// The agent was closed.
    Closed,
}

impl State {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Checking => "checking",
            Self::Connected => "connected",
            Self::Completed => "completed",
            Self::Disconnected => "disconnected",
            Self::Failed => "failed",
            Self::Closed => "closed",
        }
    }
}

/// How far the search for local candidates is (RTCIceGatheringState).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GatheringState {
    /// Nothing is known of our addresses.
    #[default]
    New,
    /// More may be found.
    Gathering,
    /// There will be no more, until an address or a server is added.
    Complete,
}

/// What has happened. Each change of state tells what is now: of changes that follow each other before somebody asks, the
/// last.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The agent has come so far.
    StateChanged(State),
    /// What is not STUN may be sent here now.
    PathSelected(Path),
    /// Both agents took the same role, and this one gave way.
    RoleChanged(Role),
    /// A STUN server has told an address of ours, to be signalled to the peer. Candidates that the caller adds are not told.
    LocalCandidate(Candidate),
    /// A STUN server has not told our address (RTCPeerConnectionIceErrorEvent).
    CandidateError {
        /// The address of ours that was asked about.
        local: SocketAddr,
        /// Who was asked.
        server: SocketAddr,
        /// The server's ERROR-CODE, 300 to 699; 701 if it did not answer, or not to the purpose; 0 if it gave none.
        code: u16,
        /// The server's words, or ours.
        text: String,
    },
    /// The search for local candidates has come so far.
    GatheringStateChanged(GatheringState),
}
