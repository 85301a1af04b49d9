//! The signaling states (RFC 9429 §3.2, W3C WebRTC §4.3.1).
//!
//! ```text
//!                       local offer ┌─┐                 ┌─┐ remote offer
//!                              ┌────┴─▼─────────┐  ┌────┴─▼──────────┐
//!                  ┌──────────▶│ HaveLocalOffer ├─▶│ HaveRemoteOffer │◀──────────┐
//!       local offer│  rollback │                │  │                 │ rollback  │remote offer
//!                  │  ◀────────┴───┬──────────┬─┘  └─┬───────────┬───┴────────▶  │
//!               ┌──┴───┐           │ pranswer │      │ pranswer  │             ┌─┴────┐
//!               │Stable│◀──────────┘ answer ┌─▼──────▼─┐  answer └────────────▶│Stable│
//!               └──────┘◀───────────────────┤ Have…Pr- ├──────────────────────▶└──────┘
//!                              answer       │  Answer  │ answer
//!                                           └──────────┘
//! ```

use std::fmt;

/// W3C `RTCSignalingState`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum SignalingState {
    /// Nothing is under way.
    #[default]
    Stable,
    /// Our offer waits for an answer.
    HaveLocalOffer,
    /// The peer's offer waits for our answer.
    HaveRemoteOffer,
    /// We have given a provisional answer.
    HaveLocalPranswer,
    /// The peer has given a provisional answer.
    HaveRemotePranswer,
    /// Over.
    Closed,
}

impl fmt::Display for SignalingState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stable => "stable",
            Self::HaveLocalOffer => "have-local-offer",
            Self::HaveRemoteOffer => "have-remote-offer",
            Self::HaveLocalPranswer => "have-local-pranswer",
            Self::HaveRemotePranswer => "have-remote-pranswer",
            Self::Closed => "closed",
        })
    }
}

/// W3C `RTCSdpType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum SdpType {
    /// An offer.
    Offer,
    /// A provisional answer.
    Pranswer,
    /// An answer.
    Answer,
    /// No description: back to the last stable state.
    Rollback,
}

impl fmt::Display for SdpType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Offer => "offer",
            Self::Pranswer => "pranswer",
            Self::Answer => "answer",
            Self::Rollback => "rollback",
        })
    }
}

/// Whose description is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Local,
    Remote,
}

impl SignalingState {
    /// What it says to whoever asked for something that it does not allow.
    pub(super) const fn meaning(self) -> &'static str {
        match self {
            Self::Stable => "no offer waits for an answer",
            Self::HaveLocalOffer => "our offer waits for the peer's answer, or to be rolled back",
            Self::HaveRemoteOffer => "the peer's offer waits for our answer, or to be rolled back",
            Self::HaveLocalPranswer => "our final answer is still to come",
            Self::HaveRemotePranswer => "the peer's final answer is still to come",
            Self::Closed => "the connection is closed",
        }
    }

    /// The state after a description was set, if it may be set.
    pub(super) const fn after(self, side: Side, kind: SdpType) -> Option<Self> {
        use SdpType::{Answer, Offer, Pranswer, Rollback};
        use Side::{Local, Remote};
        match (self, side, kind) {
            (Self::Stable | Self::HaveLocalOffer, Local, Offer) => Some(Self::HaveLocalOffer),
            // W3C §4.4.1.5: an offer that meets our own takes its place, as if ours was rolled back.
            (Self::Stable | Self::HaveRemoteOffer | Self::HaveLocalOffer, Remote, Offer) => Some(Self::HaveRemoteOffer),
            (Self::HaveLocalOffer | Self::HaveRemotePranswer, Remote, Pranswer) => Some(Self::HaveRemotePranswer),
            (Self::HaveRemoteOffer | Self::HaveLocalPranswer, Local, Pranswer) => Some(Self::HaveLocalPranswer),
            (Self::HaveLocalOffer | Self::HaveRemotePranswer, Remote, Answer)
            | (Self::HaveRemoteOffer | Self::HaveLocalPranswer, Local, Answer)
            // RFC 9429 §5.7: "The effect of rollback MUST be the same regardless of whether setLocalDescription or
            // setRemoteDescription is called." W3C §4.4.1.5 leaves provisional answers out.
            | (Self::HaveLocalOffer | Self::HaveRemoteOffer, Local | Remote, Rollback) => Some(Self::Stable),
            (
                Self::Stable
                | Self::HaveLocalOffer
                | Self::HaveRemoteOffer
                | Self::HaveLocalPranswer
                | Self::HaveRemotePranswer
                | Self::Closed,
                Local | Remote,
                Offer | Pranswer | Answer | Rollback,
            ) => None,
        }
    }
}
