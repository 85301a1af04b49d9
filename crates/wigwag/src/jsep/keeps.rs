//! What a description of the peer's may not change of the transport (RFC 9429 §5.10, RFC 8842 §3.1).

use super::negotiation::Negotiation;
use super::{Error, Jsep, SignalingState, transport};

impl Jsep {
    /// RFC 8842 §3.1 has a change of fingerprints mean a new DTLS association, and we make but one.
    pub(super) fn keeps_fingerprints(&self, now: &Negotiation) -> Result<(), Error> {
        match (&self.pinned, &now.remote) {
            (Some(pinned), Some(remote)) if !transport::are_same(pinned, &remote.fingerprints) => {
                Err(Error::description(
                    "a=fingerprint is not that of the DTLS connection that exists: make a new connection",
                ))
            }
            _ => Ok(()),
        }
    }

    /// RFC 9429 §5.10: "If the ICE ufrag or password changed from the previous remote description: ... If the description is of
    /// type "answer" or "pranswer", then check to see if the current local description is an ICE restart, and if not, generate an
    /// error." A provisional answer has told the name already.
    pub(super) fn keeps_names(&self, now: &Negotiation) -> Result<(), Error> {
        let generation = |of: &Negotiation| of.remote.as_ref().map(|remote| remote.generation);
        let restarts = self.signaling == SignalingState::HaveLocalOffer && self.descriptions.restarts();
        match (generation(&self.now), generation(now)) {
            (Some(before), Some(after)) if before != after && !restarts => Err(Error::description(
                "a=ice-ufrag or a=ice-pwd changed, and the offer does not restart ICE (RFC 9429 §5.10)",
            )),
            _ => Ok(()),
        }
    }
}
