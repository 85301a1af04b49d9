//! Which media section a packet belongs to (RFC 9143 §9.2).

use crate::config::ReceiverConfig;
use crate::event::ReceiverId;
use crate::extension::Extensions;
use std::collections::BTreeMap;

/// So many sources may be known; more than streams, since descriptions name some that never send.
const SOURCES_MAX: usize = 4096;

/// The media sections that we receive, and what tells them apart.
#[derive(Debug, Default)]
pub(crate) struct Demultiplexer {
    receivers: BTreeMap<ReceiverId, ReceiverConfig>,
    by_mid: BTreeMap<Vec<u8>, ReceiverId>,
    by_ssrc: BTreeMap<u32, ReceiverId>,
    by_payload_type: BTreeMap<u8, Owner>,
    extensions: Extensions,
}

/// Whose payload type it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    One(ReceiverId),
    Several,
}

/// Where a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    To { receiver: ReceiverId, clock_rate_hz: u32, nack: bool, transport_cc: bool },
    UnknownStream,
    UnknownPayloadType,
}

impl Demultiplexer {
    /// All extensions of a bundle have the same numbers in all its sections (RFC 9143 §9.1).
    pub(crate) const fn extensions(&self) -> Extensions {
        self.extensions
    }

    pub(crate) fn receiver(&self, id: ReceiverId) -> Option<&ReceiverConfig> {
        self.receivers.get(&id)
    }

    pub(crate) fn len(&self) -> usize {
        self.receivers.len()
    }

    pub(crate) fn insert(&mut self, id: ReceiverId, config: ReceiverConfig) {
        self.receivers.insert(id, config);
        self.rebuild();
    }

    pub(crate) fn remove(&mut self, id: ReceiverId) {
        self.receivers.remove(&id);
        self.rebuild();
    }

    /// What was learned from packets stays, but for sections that are gone.
    fn rebuild(&mut self) {
        self.by_mid.clear();
        self.by_payload_type.clear();
        self.extensions = Extensions::NONE;
        self.by_ssrc.retain(|_, id| self.receivers.contains_key(id));
        for (id, config) in &self.receivers {
            self.extensions.merge(config.extensions);
            if let Some(mid) = &config.mid {
                self.by_mid.insert(mid.clone().into_bytes(), *id);
            }
            for ssrc in &config.ssrcs {
                if self.by_ssrc.len() < SOURCES_MAX {
                    self.by_ssrc.insert(*ssrc, *id);
                }
            }
            for payload_type in &config.payload_types {
                self.by_payload_type
                    .entry(payload_type.number)
                    .and_modify(|owner| {
                        if *owner != Owner::One(*id) {
                            *owner = Owner::Several;
                        }
                    })
                    .or_insert(Owner::One(*id));
            }
        }
    }

    /// Where a packet goes; `may_move` says whether it is new enough to move its source to another section.
    // RFC 9143 §9.2: by the MID, if the packet has one; else by the source; else by a payload type that only one section
    // has. In each case the payload type must be one of that section.
    pub(crate) fn route(&mut self, ssrc: u32, mid: Option<&[u8]>, payload_type: u8, may_move: bool) -> Route {
        let known = self.by_ssrc.get(&ssrc).copied();
        let named = match mid {
            Some(mid) => match self.by_mid.get(mid) {
                Some(id) => Some(*id),
                // RFC 9143 §9.2: a MID that no section has is not to be guessed at.
                None => return Route::UnknownStream,
            },
            None => None,
        };
        let by_payload_type = || match self.by_payload_type.get(&payload_type) {
            Some(Owner::One(id)) => Some(*id),
            Some(Owner::Several) | None => None,
        };
        let receiver = match (named, known) {
            (Some(named), None) => named,
            (Some(named), Some(known)) => {
                if may_move {
                    named
                } else {
                    known
                }
            }
            (None, Some(known)) => known,
            (None, None) => match by_payload_type() {
                Some(id) => id,
                None => return Route::UnknownStream,
            },
        };
        let Some(config) = self.receivers.get(&receiver) else { return Route::UnknownStream };
        let Some(clock) = config.payload_types.iter().find(|known| known.number == payload_type) else {
            return Route::UnknownPayloadType;
        };
        let (nack, transport_cc, clock_rate_hz) = (config.nack, config.transport_cc, clock.clock_rate_hz);
        if known != Some(receiver) && (known.is_some() || self.by_ssrc.len() < SOURCES_MAX) {
            self.by_ssrc.insert(ssrc, receiver);
        }
        Route::To { receiver, clock_rate_hz, nack, transport_cc }
    }

    /// The source may belong to another section from now on, unless a description names it.
    pub(crate) fn forget(&mut self, ssrc: u32) {
        let is_named = |id: &ReceiverId| self.receivers.get(id).is_some_and(|config| config.ssrcs.contains(&ssrc));
        if self.by_ssrc.get(&ssrc).is_some_and(|id| !is_named(id)) {
            self.by_ssrc.remove(&ssrc);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Kind, PayloadType};

    const A: ReceiverId = ReceiverId(1);
    const B: ReceiverId = ReceiverId(2);

    fn sections() -> Demultiplexer {
        let payload_type = |number| PayloadType { number, clock_rate_hz: 90_000 };
        let mut sections = Demultiplexer::default();
        for (id, mid, ssrcs, own) in [(A, "a", vec![10], 96), (B, "b", vec![], 97)] {
            let mut config = ReceiverConfig::new(Kind::Video, vec![payload_type(own), payload_type(100)]);
            config.mid = Some(mid.into());
            config.ssrcs = ssrcs;
            sections.insert(id, config);
        }
        sections
    }

    fn to(sections: &mut Demultiplexer, ssrc: u32, mid: Option<&str>, payload_type: u8) -> Result<ReceiverId, Route> {
        match sections.route(ssrc, mid.map(str::as_bytes), payload_type, true) {
            Route::To { receiver, .. } => Ok(receiver),
            other => Err(other),
        }
    }

    #[test]
    fn by_identification_then_source_then_payload_type() {
        let mut sections = sections();
        assert_eq!(to(&mut sections, 10, None, 100), Ok(A));
        assert_eq!(to(&mut sections, 20, None, 97), Ok(B));
        assert_eq!(to(&mut sections, 20, None, 100), Ok(B), "learned from the packet before");
        assert_eq!(to(&mut sections, 30, Some("b"), 100), Ok(B));
        assert_eq!(to(&mut sections, 30, None, 100), Ok(B));
        assert_eq!(to(&mut sections, 40, None, 100), Err(Route::UnknownStream), "both have the payload type");
        assert_eq!(to(&mut sections, 40, Some("c"), 96), Err(Route::UnknownStream));
        assert_eq!(to(&mut sections, 10, None, 98), Err(Route::UnknownPayloadType));
        assert_eq!(to(&mut sections, 10, None, 97), Err(Route::UnknownPayloadType), "of another section");
    }

    #[test]
    fn an_identification_moves_a_source_but_not_with_an_old_packet() {
        let mut sections = sections();
        assert_eq!(sections.route(10, Some(b"b"), 100, false), sections.route(10, None, 100, false));
        assert_eq!(to(&mut sections, 10, Some("b"), 100), Ok(B));
        assert_eq!(to(&mut sections, 10, None, 100), Ok(B));
    }

    #[test]
    fn a_section_that_is_removed_takes_its_sources_with_it() {
        let mut sections = sections();
        assert_eq!(to(&mut sections, 20, None, 97), Ok(B));
        sections.remove(B);
        assert_eq!(to(&mut sections, 20, None, 97), Err(Route::UnknownStream));
        assert_eq!(to(&mut sections, 20, None, 100), Ok(A), "now only one has the payload type");
    }

    #[test]
    fn known_sources_are_bounded() {
        let mut sections = sections();
        for ssrc in 0..10_000 {
            assert_eq!(to(&mut sections, ssrc, None, 96), Ok(A));
        }
        assert_eq!(sections.by_ssrc.len(), SOURCES_MAX);
    }
}
