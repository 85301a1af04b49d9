//! The states of a connection, in the words of W3C WebRTC.

use std::fmt;
use wigwag_ice as ice;

/// W3C `RTCPeerConnectionState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionState {
    /// Nothing has begun.
    New,
    /// Checks or handshakes are under way.
    Connecting,
    /// Checked and secured.
    Connected,
    /// The peer does not answer just now: about 5 s after its last answer. It may come back.
    Disconnected,
    /// No path works: about 30 s after the peer's last answer (48 if there were other paths to try), or 40 s after the beginning if it never answered.
    ///
    /// Why is told by [`Event::IceFailed`](crate::Event::IceFailed). Nothing more will happen by itself, and the connection
    /// keeps its place in an [`Endpoint`](crate::Endpoint): call [`restart_ice`](crate::PeerConnection::restart_ice) if the peer
    /// can still be told of it, else [`close`](crate::PeerConnection::close) or [`Endpoint::remove`](crate::Endpoint::remove).
    Failed,
    /// Over.
    Closed,
}

/// W3C `RTCIceConnectionState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IceConnectionState {
    /// No candidate of the peer is known.
    New,
    /// Pairs are being checked.
    Checking,
    /// A pair works; others are still checked, or awaited. A call is as good in this state as in the next: browsers that do not
    /// trickle do not say that their candidates were all, and it lasts.
    Connected,
    /// A pair is chosen, the peer has told its last candidate (`add_ice_candidate(None)`, or `a=end-of-candidates`), and nothing is
    /// left to try.
    Completed,
    /// The peer does not answer just now.
    Disconnected,
    /// No pair works.
    Failed,
    /// Over.
    Closed,
}

impl From<ice::State> for IceConnectionState {
    fn from(state: ice::State) -> Self {
        match state {
            ice::State::New => Self::New,
            ice::State::Checking => Self::Checking,
            ice::State::Connected => Self::Connected,
            ice::State::Completed => Self::Completed,
            ice::State::Disconnected => Self::Disconnected,
            ice::State::Failed => Self::Failed,
            ice::State::Closed => Self::Closed,
        }
    }
}

/// W3C `RTCIceGatheringState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IceGatheringState {
    /// No description was set.
    New,
    /// Candidates are being told.
    Gathering,
    /// All were told.
    Complete,
}

macro_rules! as_w3c_writes_it {
    ($($state:ident),*) => {$(
        impl fmt::Display for $state {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", format!("{self:?}").to_lowercase())
            }
        }
    )*};
}
as_w3c_writes_it!(ConnectionState, IceConnectionState, IceGatheringState);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_printed_as_browsers_spell_them() {
        assert_eq!(ConnectionState::Connected.to_string(), "connected");
        assert_eq!(IceConnectionState::Checking.to_string(), "checking");
        assert_eq!(IceGatheringState::Complete.to_string(), "complete");
    }
}
