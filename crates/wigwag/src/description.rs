//! What the application carries between the peers.

use crate::jsep::SdpType;
use std::fmt;

/// W3C `RTCSessionDescriptionInit`: an offer or an answer as text.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionDescription {
    /// What it is.
    pub kind: SdpType,
    /// The description (RFC 8866).
    pub sdp: String,
}

impl SessionDescription {
    /// An offer.
    pub fn offer(sdp: impl Into<String>) -> Self {
        Self { kind: SdpType::Offer, sdp: sdp.into() }
    }

    /// An answer.
    pub fn answer(sdp: impl Into<String>) -> Self {
        Self { kind: SdpType::Answer, sdp: sdp.into() }
    }

    /// No description: set, on either side, it takes back an offer that is not answered yet (RFC 9429 §5.7).
    #[must_use]
    pub const fn rollback() -> Self {
        Self { kind: SdpType::Rollback, sdp: String::new() }
    }
}

/// Without the password: logs are read by many.
impl fmt::Debug for SessionDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let masked = |line| if str::starts_with(line, "a=ice-pwd:") { "a=ice-pwd:…" } else { line };
        let lines: Vec<_> = self.sdp.lines().map(masked).collect();
        f.debug_struct("SessionDescription").field("kind", &self.kind).field("sdp", &lines).finish()
    }
}

/// W3C `RTCIceCandidateInit`: a candidate as text, and what it belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IceCandidate {
    /// `candidate:…` (RFC 8839 §5.1), or nothing: the last one was told.
    pub candidate: String,
    /// The media section's identification tag.
    pub sdp_mid: Option<String>,
    /// The number of the media section, from 0.
    pub sdp_m_line_index: Option<u16>,
    /// The user fragment of the description it belongs to.
    pub username_fragment: Option<String>,
}

impl IceCandidate {
    /// A candidate of the connection's one transport.
    ///
    /// If your signalling carries a browser's `sdpMid`, `sdpMLineIndex` and `usernameFragment`, set these too: what belongs to another
    /// description, or to a section without a transport of its own, is then not tried in vain.
    pub fn new(candidate: impl Into<String>) -> Self {
        Self { candidate: candidate.into(), ..Self::default() }
    }
}
