//! What has happened.

use crate::{Path, Role};

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

/// What has happened. Each tells what is now: of changes that follow each other before somebody asks, the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The agent has come so far.
    StateChanged(State),
    /// What is not STUN may be sent here now.
    PathSelected(Path),
    /// Both agents took the same role, and this one gave way.
    RoleChanged(Role),
}
