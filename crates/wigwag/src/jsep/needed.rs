//! Whether descriptions have to be exchanged again (W3C WebRTC §4.7.3), as for a restart of ICE (§4.4.1.5).

use super::negotiation::Part;
use super::view::View;
use super::{Description, Descriptions, Jsep, SdpType, SignalingState, Transceiver, section};
use wigwag_sdp::SessionDescription;

impl Jsep {
    /// Wants ICE to be restarted: negotiation is needed until descriptions with other names than those that are set now
    /// are agreed upon. Before there is one, there is nothing to restart.
    pub fn want_ice_restart(&mut self) {
        let Descriptions { current_local, pending_local, .. } = &self.descriptions;
        let set = [current_local, pending_local].into_iter().flatten();
        self.to_replace = set.filter_map(|description| ufrag(&description.sdp)).map(str::to_owned).collect();
    }

    /// Whether an offer with this [`LocalTransport::ufrag`](super::LocalTransport::ufrag) would not be the restart that is wanted.
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

    /// W3C §4.7.3, "check if negotiation is needed"; while one is under way, no other is.
    #[must_use]
    pub fn is_negotiation_needed(&self) -> bool {
        self.signaling == SignalingState::Stable
            && (!self.to_replace.is_empty()
                || (self.wants_data && !self.now.has_data())
                || self.now.sections.iter().any(|section| self.is_abandoned(section.part))
                || self.now.transceivers.values().any(|transceiver| self.is_needed_by(transceiver)))
    }

    /// Whether a section is of a transceiver that was stopped after the offer that has it was made, and before it was set: the peer
    /// takes it for alive.
    fn is_abandoned(&self, part: Part) -> bool {
        matches!(part, Part::Media(id) if !self.now.transceivers.contains_key(&id))
    }

    fn is_needed_by(&self, transceiver: &Transceiver) -> bool {
        let place = self.now.sections.iter().position(|section| section.part == Part::Media(transceiver.id));
        let (Some(index), false) = (place, transceiver.is_stopping) else { return true };
        let Descriptions { current_local, current_remote, .. } = &self.descriptions;
        let (Some(local), Some(remote)) = (at(current_local, index), at(current_remote, index)) else { return true };
        let offered = remote.direction().reversed();
        let is_said = match current_local.as_ref().map(|local| local.kind) {
            Some(SdpType::Offer) => [local.direction(), offered].contains(&transceiver.direction),
            _ => local.direction() == transceiver.direction.and(offered),
        };
        let sends = local.direction().sends() && transceiver.direction.sends();
        let said: Vec<_> = local.attributes().msids().cloned().collect();
        let names = transceiver.send.as_ref().map(section::msids).unwrap_or_default();
        !is_said || (sends && said != names)
    }
}

impl Descriptions {
    /// Whether our offer, which is not answered yet, begins ICE anew.
    pub(super) fn restarts(&self) -> bool {
        let name = |description: &Option<Box<Description>>| {
            description.as_ref().and_then(|description| ufrag(&description.sdp)).map(str::to_owned)
        };
        name(&self.pending_local) != name(&self.current_local)
    }
}

fn at(description: &Option<Box<Description>>, index: usize) -> Option<View<'_>> {
    View::all(&description.as_ref()?.sdp).nth(index)
}

fn ufrag(sdp: &SessionDescription) -> Option<&str> {
    sdp.media.iter().find_map(|section| section.attributes.ice_ufrag())
}
