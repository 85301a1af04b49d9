//! The description that was made last, the only one that can be set (RFC 9429 §5.4).

use super::SdpType;
use super::offer::Plan;
use wigwag_sdp::SessionDescription;

/// A description of ours that waits to be set.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) kind: SdpType,
    pub(super) sdp: SessionDescription,
    pub(super) plan: Plan,
}

impl Made {
    /// Whether it is this description, or is it when it was printed and read: a configuration may say a thing in other words than a
    /// reader would.
    pub(super) fn reads_as(&self, sdp: &SessionDescription) -> bool {
        self.sdp == *sdp || SessionDescription::parse(&self.sdp.to_string()).is_ok_and(|read| read == *sdp)
    }
}
