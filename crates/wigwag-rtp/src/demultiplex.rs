//! Which media section a packet belongs to (RFC 9143 §9.2).

use crate::config::ReceiverConfig;
use crate::event::ReceiverId;
use crate::extension::Extensions;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// So many sources may be described; more than streams, since descriptions name some that never send.
pub(crate) const SOURCES_MAX: usize = 4096;

/// The media sections that we receive, and what tells them apart.
#[derive(Debug, Default)]
pub(crate) struct Demultiplexer {
    receivers: BTreeMap<ReceiverId, ReceiverConfig>,
    /// What follows from the sections, made when a packet next asks: a description changes many of them at once.
    index: Option<Index>,
}

#[derive(Debug, Default)]
struct Index {
    by_mid: BTreeMap<Vec<u8>, ReceiverId>,
    /// The sources that descriptions name; those that packets have shown are the session's streams.
    by_ssrc: BTreeMap<u32, ReceiverId>,
    by_payload_type: BTreeMap<u8, Owner>,
    extensions: Extensions,
    reporting: Reporting,
}

/// How the peer is told what arrives, by what any section asks for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reporting {
    /// By the numbers of the transport (transport-cc).
    pub(crate) transport_wide: bool,
    /// By the sources and their numbers (RFC 8888).
    pub(crate) by_stream: bool,
}

/// Whose payload type it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    One(ReceiverId),
    Several,
}

/// What a packet says of where it belongs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Labels<'a> {
    pub(crate) ssrc: u32,
    pub(crate) mid: Option<&'a [u8]>,
    /// The layer of simulcast that it is of.
    pub(crate) rid: Option<&'a [u8]>,
    /// The layer that it sends again.
    pub(crate) repaired_rid: Option<&'a [u8]>,
    pub(crate) payload_type: u8,
    /// Where the packets of its source went before.
    pub(crate) known: Option<ReceiverId>,
    /// Where they went before its source ended.
    pub(crate) former: Option<ReceiverId>,
    /// Whether it is new enough to move its source to another section.
    pub(crate) may_move: bool,
}

/// Where a packet goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    To {
        receiver: ReceiverId,
        clock_rate_hz: u32,
        nack: bool,
        /// Of a packet that is sent again in a stream of its own: the payload type that it had first (RFC 4588).
        apt: Option<u8>,
        /// Whether packets may come so.
        has_rtx: bool,
        /// The layer that the packet names.
        rid: Option<Arc<str>>,
    },
    UnknownStream,
    UnknownPayloadType,
}

impl Demultiplexer {
    /// All extensions of a bundle have the same numbers in all its sections (RFC 9143 §9.1).
    pub(crate) fn extensions(&mut self) -> Extensions {
        self.index().extensions
    }

    /// How arrivals are reported: what is true of one section is of all, for they have one path, and their packets one series of numbers.
    pub(crate) fn reporting(&mut self) -> Reporting {
        self.index().reporting
    }

    pub(crate) fn receiver(&self, id: ReceiverId) -> Option<&ReceiverConfig> {
        self.receivers.get(&id)
    }

    pub(crate) fn len(&self) -> usize {
        self.receivers.len()
    }

    /// How many sources are known by their descriptions.
    pub(crate) fn sources_len(&self) -> usize {
        self.index.as_ref().map_or(0, |index| index.by_ssrc.len())
    }

    /// Returns the sources that this section names and did not before.
    pub(crate) fn insert(&mut self, id: ReceiverId, config: ReceiverConfig) -> Vec<u32> {
        let before = self.receivers.get(&id).map(|before| before.ssrcs.iter().copied().collect::<BTreeSet<_>>());
        let named = |ssrc: &u32| before.as_ref().is_some_and(|before| before.contains(ssrc));
        let new = config.ssrcs.iter().copied().filter(|ssrc| !named(ssrc)).collect();
        self.receivers.insert(id, config);
        self.index = None;
        new
    }

    pub(crate) fn remove(&mut self, id: ReceiverId) {
        self.receivers.remove(&id);
        self.index = None;
    }

    fn index(&mut self) -> &Index {
        self.index.get_or_insert_with(|| Index::new(&self.receivers))
    }

    /// Where a packet goes.
    // RFC 9143 §9.2: by the MID, if the packet has one; else by the source; else by a payload type that only one section
    // has. In each case the payload type must be one of that section.
    pub(crate) fn route(&mut self, packet: Labels<'_>) -> Route {
        let index = self.index();
        let known = packet.known.or_else(|| index.by_ssrc.get(&packet.ssrc).copied()).or(packet.former);
        let named = match packet.mid {
            Some(mid) => match index.by_mid.get(mid) {
                Some(id) => Some(*id),
                // RFC 9143 §9.2: a MID that no section has is not to be guessed at.
                None => return Route::UnknownStream,
            },
            None => None,
        };
        let by_payload_type = || match index.by_payload_type.get(&packet.payload_type) {
            Some(Owner::One(id)) => Some(*id),
            Some(Owner::Several) | None => None,
        };
        let receiver = match (named, known) {
            (Some(named), None) => Some(named),
            (Some(named), Some(_)) if packet.may_move => Some(named),
            (_, Some(known)) => Some(known),
            (None, None) => by_payload_type(),
        };
        let Some((receiver, config)) = receiver.and_then(|id| self.receivers.get_key_value(&id)) else {
            return Route::UnknownStream;
        };
        let rtx = config.rtx.iter().find(|known| known.number == packet.payload_type);
        let named = if rtx.is_some() { packet.repaired_rid.or(packet.rid) } else { packet.rid };
        let Ok(rid) = layer(config, named) else { return Route::UnknownStream };
        let payload_type = rtx.map_or(packet.payload_type, |rtx| rtx.apt);
        match config.payload_types.iter().find(|known| known.number == payload_type) {
            Some(payload_type) => Route::To {
                receiver: *receiver,
                clock_rate_hz: payload_type.clock_rate_hz,
                nack: config.nack,
                apt: rtx.map(|rtx| rtx.apt),
                has_rtx: !config.rtx.is_empty(),
                rid,
            },
            None => Route::UnknownPayloadType,
        }
    }
}

/// The layer of the section that has this name. `Err` if the section has layers, and none of that name: like a MID, it is not to be
/// guessed at.
fn layer(config: &ReceiverConfig, named: Option<&[u8]>) -> Result<Option<Arc<str>>, ()> {
    let Some(named) = named.filter(|_| !config.rids.is_empty()) else { return Ok(None) };
    config.rids.iter().find(|rid| rid.as_bytes() == named).cloned().map(Some).ok_or(())
}

impl Index {
    fn new(receivers: &BTreeMap<ReceiverId, ReceiverConfig>) -> Self {
        let mut index = Self::default();
        for (id, config) in receivers {
            index.extensions.merge(config.extensions);
            index.reporting.transport_wide |= config.transport_cc;
            index.reporting.by_stream |= config.ccfb;
            if let Some(mid) = &config.mid {
                index.by_mid.insert(mid.clone().into_bytes(), *id);
            }
            for ssrc in config.ssrcs.iter().chain(config.rtx_ssrcs.iter().map(|(_, rtx)| rtx)) {
                if index.by_ssrc.len() < SOURCES_MAX {
                    index.by_ssrc.insert(*ssrc, *id);
                }
            }
            let rtx = config.rtx.iter().map(|rtx| rtx.number);
            for number in config.payload_types.iter().map(|known| known.number).chain(rtx) {
                let owner = index.by_payload_type.entry(number).or_insert(Owner::One(*id));
                if *owner != Owner::One(*id) {
                    *owner = Owner::Several;
                }
            }
        }
        index
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

    fn labels(ssrc: u32, mid: Option<&str>, payload_type: u8) -> Labels<'_> {
        Labels {
            ssrc,
            mid: mid.map(str::as_bytes),
            rid: None,
            repaired_rid: None,
            payload_type,
            known: None,
            former: None,
            may_move: true,
        }
    }

    fn to(sections: &mut Demultiplexer, labels: Labels<'_>) -> Result<ReceiverId, Route> {
        match sections.route(labels) {
            Route::To { receiver, .. } => Ok(receiver),
            other => Err(other),
        }
    }

    #[test]
    fn by_identification_then_source_then_payload_type() {
        let mut sections = sections();
        assert_eq!(to(&mut sections, labels(10, None, 100)), Ok(A));
        assert_eq!(to(&mut sections, labels(20, None, 97)), Ok(B));
        assert_eq!(to(&mut sections, Labels { known: Some(B), ..labels(20, None, 100) }), Ok(B));
        assert_eq!(to(&mut sections, labels(30, Some("b"), 100)), Ok(B));
        assert_eq!(to(&mut sections, labels(40, None, 100)), Err(Route::UnknownStream), "both have the payload type");
        assert_eq!(to(&mut sections, labels(40, Some("c"), 96)), Err(Route::UnknownStream));
        assert_eq!(to(&mut sections, labels(10, None, 98)), Err(Route::UnknownPayloadType));
        assert_eq!(to(&mut sections, labels(10, None, 97)), Err(Route::UnknownPayloadType), "of another section");
    }

    #[test]
    fn an_identification_moves_a_source_but_not_with_an_old_packet() {
        let mut sections = sections();
        assert_eq!(to(&mut sections, Labels { may_move: false, ..labels(10, Some("b"), 100) }), Ok(A));
        assert_eq!(to(&mut sections, labels(10, Some("b"), 100)), Ok(B));
        assert_eq!(to(&mut sections, Labels { known: Some(B), ..labels(10, None, 100) }), Ok(B));
    }

    #[test]
    fn layers_are_those_of_the_section_and_of_what_is_sent_again_the_repaired_one_counts() {
        let mut sections = sections();
        let mut config = sections.receiver(A).unwrap().clone();
        config.rids = ["low", "high"].map(Arc::from).to_vec();
        config.rtx = vec![crate::config::RtxPayloadType::new(101, 96)];
        sections.insert(A, config);
        let mut layer = |labels: Labels<'_>| match sections.route(labels) {
            Route::To { rid, .. } => Ok(rid.map(|rid| rid.to_string())),
            other => Err(other),
        };
        let named = |mid, payload_type, rid: &'static str, repaired_rid: Option<&'static str>| Labels {
            rid: Some(rid.as_bytes()),
            repaired_rid: repaired_rid.map(str::as_bytes),
            ..labels(30, Some(mid), payload_type)
        };
        assert_eq!(layer(labels(30, Some("a"), 96)), Ok(None));
        assert_eq!(layer(named("a", 96, "high", None)), Ok(Some("high".into())));
        assert_eq!(layer(named("a", 96, "hig", None)), Err(Route::UnknownStream));
        assert_eq!(layer(named("a", 96, "low", Some("high"))), Ok(Some("low".into())));
        assert_eq!(layer(named("a", 101, "low", Some("high"))), Ok(Some("high".into())));
        assert_eq!(layer(named("b", 97, "high", None)), Ok(None), "a section without layers reads no name");
    }

    #[test]
    fn a_section_that_is_removed_takes_its_payload_types_with_it() {
        let mut sections = sections();
        assert_eq!(to(&mut sections, labels(20, None, 97)), Ok(B));
        sections.remove(B);
        assert_eq!(to(&mut sections, labels(20, None, 97)), Err(Route::UnknownStream));
        assert_eq!(to(&mut sections, labels(20, None, 100)), Ok(A), "now only one has the payload type");
    }

    #[test]
    fn described_sources_are_bounded() {
        let mut sections = sections();
        let mut config = ReceiverConfig::new(Kind::Video, vec![]);
        config.ssrcs = (0..10_000).collect();
        assert_eq!(sections.insert(B, config.clone()).len(), 10_000);
        assert_eq!(sections.insert(B, config), [], "none is new");
        sections.extensions();
        assert_eq!(sections.sources_len(), SOURCES_MAX);
    }
}
