//! The streams that we send on a transceiver: one, or the layers of simulcast.

use std::sync::Arc;
use wigwag_rtp::payload::Packetizer;
use wigwag_rtp::{SenderConfig, SenderId, Session};

/// A stream that we send.
#[derive(Debug)]
pub(super) struct Outlet {
    pub(super) sender: SenderId,
    pub(super) packetizer: Option<Packetizer>,
    ssrc: u32,
    rid: Option<Arc<str>>,
    /// Whether the peer still takes it. It stays all the same: what begins anew under its number would be none to SRTP.
    is_agreed: bool,
}

/// Those of a transceiver, in the order of their negotiation.
#[derive(Debug, Default)]
pub(super) struct Outlets(Vec<Outlet>);

impl Outlets {
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The layer of this name, or the first that the peer takes.
    pub(super) fn get_mut(&mut self, rid: Option<&str>) -> Option<&mut Outlet> {
        let is_meant = |outlet: &&mut Outlet| rid.is_none() || outlet.rid.as_deref() == rid;
        self.0.iter_mut().filter(|outlet| outlet.is_agreed).find(is_meant)
    }

    /// The first that the peer takes, or took.
    pub(super) fn first(&self) -> Option<SenderId> {
        self.0.iter().find(|outlet| outlet.is_agreed).or(self.0.first()).map(|outlet| outlet.sender)
    }

    /// With the names of layers, and whether the peer takes them.
    pub(super) fn iter(&self) -> impl Iterator<Item = (SenderId, Option<&str>, bool)> {
        self.0.iter().map(|outlet| (outlet.sender, outlet.rid.as_deref(), outlet.is_agreed))
    }

    pub(super) fn rid(&self, sender: SenderId) -> Option<Arc<str>> {
        self.0.iter().find(|outlet| outlet.sender == sender)?.rid.clone()
    }

    /// Brings the session's senders up to what was negotiated. Whether all could be.
    pub(super) fn apply(&mut self, configs: Vec<SenderConfig>, session: &mut Session) -> bool {
        let mut before = std::mem::take(&mut self.0);
        before.iter_mut().for_each(|outlet| outlet.is_agreed = false);
        let mut are_applied = true;
        for config in configs {
            let (ssrc, rid) = (config.ssrc, config.rid.as_deref().map(Arc::from));
            let place = before.iter().position(|outlet| outlet.ssrc == ssrc);
            // Both fail only for numbers that a description cannot have, or beyond the session's limit of streams.
            match place.map(|place| before.remove(place)) {
                Some(outlet) => {
                    let is_agreed = session.update_sender(outlet.sender, config).is_ok();
                    are_applied &= is_agreed;
                    self.0.push(Outlet { rid, is_agreed, ..outlet });
                }
                None => match session.add_sender(config) {
                    Ok(sender) => self.0.push(Outlet { sender, packetizer: None, ssrc, rid, is_agreed: true }),
                    Err(_) => are_applied = false,
                },
            }
        }
        self.0.append(&mut before);
        are_applied
    }

    pub(super) fn end(&mut self, session: &mut Session) {
        self.0.drain(..).for_each(|outlet| session.remove_sender(outlet.sender));
    }
}
