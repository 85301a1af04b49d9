//! What a negotiation changes, in one value: it is copied before an offer and taken back by a rollback.

use super::config::DtlsRole;
use super::transceiver::{Transceiver, TransceiverId};
use super::transport::{DataParameters, RemoteTransport};
use std::collections::BTreeMap;

/// What a section is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Media(TransceiverId),
    Data,
    /// Refused, or ended: the place may be used again.
    Nothing,
}

/// A place among the `m=` lines. Places are never given up, or the sides would count differently (RFC 3264 §8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) mid: String,
    /// By us, for the peer has given it none.
    pub(super) is_made_up: bool,
    pub(super) media: String,
    pub(super) protocol: String,
    pub(super) part: Part,
}

/// Everything that a negotiation changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Negotiation {
    pub(super) transceivers: BTreeMap<TransceiverId, Transceiver>,
    pub(super) sections: Vec<Section>,
    pub(super) remote: Option<RemoteTransport>,
    pub(super) dtls_role: Option<DtlsRole>,
    pub(super) data: Option<DataParameters>,
    /// Whether both sides say that headers may be encrypted.
    pub(super) cryptex: bool,
    /// Whether both sides say that arrivals are reported as RFC 8888 has it.
    pub(super) ccfb: bool,
    /// The number of the next transceiver.
    pub(super) next_id: u32,
    /// The number of the next mid.
    pub(super) next_mid: u32,
}

impl Negotiation {
    pub(super) fn add(&mut self, make: impl FnOnce(TransceiverId) -> Transceiver) -> TransceiverId {
        let id = TransceiverId(self.next_id);
        self.next_id = self.next_id.saturating_add(1);
        self.transceivers.insert(id, make(id));
        id
    }

    pub(super) fn transceiver(&self, part: Part) -> Option<&Transceiver> {
        match part {
            Part::Media(id) => self.transceivers.get(&id),
            Part::Data | Part::Nothing => None,
        }
    }

    /// Whether a section is to be refused by us: it is for nothing, or its transceiver ends.
    pub(super) fn ends(&self, part: Part) -> bool {
        match part {
            Part::Media(_) => self.transceiver(part).is_none_or(|transceiver| transceiver.is_stopping),
            Part::Data => false,
            Part::Nothing => true,
        }
    }

    /// draft-hancke-tsvwg-snap §5.6: "Subsequent offers and answers MUST include the "a=sctp-init" line in the negotiated SDP with
    /// the same value as in the initial negotiation.", and where there was none, none is added.
    pub(super) fn may_say_init(&self) -> bool {
        self.data.is_none_or(|data| data.peer_init.is_some())
    }

    pub(super) fn has_data(&self) -> bool {
        self.sections.iter().any(|section| section.part == Part::Data)
    }

    /// Nothing remains of a section but its place.
    pub(super) fn end(&mut self, index: usize) {
        let Some(section) = self.sections.get_mut(index) else { return };
        match std::mem::replace(&mut section.part, Part::Nothing) {
            Part::Media(id) => drop(self.transceivers.remove(&id)),
            Part::Data => self.data = None,
            Part::Nothing => {}
        }
    }

    /// The state to return to: as it was when it was `stable`, with what the application has changed since.
    ///
    /// RFC 9429 §5.7: "the value of the RtpTransceiver's mid property MUST be set to 'null'"; "RtpTransceivers that were
    /// created by applying a remote offer that was subsequently rolled back MUST be stopped and removed", but not those
    /// that the application has made its own since.
    pub(super) fn rolled_back(&self, stable: &Self) -> Self {
        let mut back = Self { next_id: self.next_id, next_mid: self.next_mid, ..stable.clone() };
        for (id, now) in &self.transceivers {
            let before = back.transceivers.get(id);
            if before.is_none() && now.is_tentative {
                continue;
            }
            let (mid, current_direction, negotiated) = before.map_or((None, None, None), |before| {
                (before.mid.clone(), before.current_direction, before.negotiated.clone())
            });
            back.transceivers.insert(*id, Transceiver { mid, current_direction, negotiated, ..now.clone() });
        }
        back
    }

    /// Transceivers that were to end and have no section are gone.
    pub(super) fn forget_stopped(&mut self) {
        let sections = &self.sections;
        let placed = |id| sections.iter().any(|section| section.part == Part::Media(id));
        self.transceivers.retain(|id, transceiver| !transceiver.is_stopping || placed(*id));
    }
}
