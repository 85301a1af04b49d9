//! ICE is to begin anew (W3C `restartIce`, RFC 9429 §4.1.19).

use super::{Descriptions, Jsep, SignalingState};
use wigwag_sdp::SessionDescription;

impl Jsep {
    /// Wants ICE to be restarted: negotiation is needed until descriptions with other names than those that are set now
    /// are agreed upon. Before there is one, there is nothing to restart.
    pub fn want_ice_restart(&mut self) {
        let Descriptions { current_local, pending_local, .. } = &self.descriptions;
        let set = [current_local, pending_local].into_iter().flatten();
        self.to_replace = set.filter_map(|description| ufrag(&description.sdp)).map(str::to_owned).collect();
    }

    /// Whether an offer with this [`LocalTransport::ufrag`] would not be the restart that is wanted.
    #[must_use]
    pub fn is_to_be_replaced(&self, ufrag: &str) -> bool {
        self.to_replace.contains(ufrag)
    }

    /// W3C §4.4.1.5: "If none of the ICE credentials in connection.[[LocalIceCredentialsToReplace]] are present in
    /// description, then set connection.[[LocalIceCredentialsToReplace]] to an empty set."
    pub(super) fn forget_replaced(&mut self) {
        let current = self.descriptions.current_local.as_ref().and_then(|description| ufrag(&description.sdp));
        if self.signaling == SignalingState::Stable && !current.is_some_and(|name| self.to_replace.contains(name)) {
            self.to_replace.clear();
        }
    }

    /// The name and the password of our description that was set last.
    #[must_use]
    pub fn local_credentials(&self) -> Option<(&str, &str)> {
        let sdp = &self.local_description()?.sdp;
        let attributes = sdp.media.iter().map(|section| &section.attributes);
        attributes.filter_map(|attributes| attributes.ice_ufrag().zip(attributes.ice_pwd())).next()
    }
}

fn ufrag(sdp: &SessionDescription) -> Option<&str> {
    sdp.media.iter().find_map(|section| section.attributes.ice_ufrag())
}
