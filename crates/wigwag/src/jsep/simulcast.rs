//! Streams of one section side by side: the same pictures in several sizes (RFC 8851, RFC 8853).

use super::config::{Config, HeaderExtension};
use super::restrictions::{self, NegotiatedLayer, Restrictions};
use super::transceiver::{MediaParameters, Transceiver};
use super::view::View;
use std::collections::{BTreeMap, BTreeSet};
use wigwag_sdp::{Alternative, Attribute, Direction, Extmap, Rid, RidDirection, SimulcastStreams};

/// So many layers a section has at most: three are usual.
pub(crate) const LAYERS_MAX: usize = 16;
/// A header extension of the one-byte form holds no more (RFC 8285 §4.2).
const RID_LEN_MAX: usize = 16;

/// What a peer may call a layer (RFC 8851 §10): `rid-id = 1*(alpha-numeric / "-" / "_")`.
fn is_rid(text: &str) -> bool {
    let is_char = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=RID_LEN_MAX).contains(&text.len()) && text.bytes().all(is_char)
}

/// What a layer of ours is called. Chromium reads no other names in packets.
// RFC 8852 §3: "RtpStreamId and RepairedRtpStreamId are constrained to contain only alphanumeric characters."
pub(crate) fn is_own_rid(text: &str) -> bool {
    is_rid(text) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// What a section of ours says of its layers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Simulcast {
    send: Vec<Layer>,
    receive: Vec<Layer>,
    /// Whether packets name layers, though none may be sent now.
    has_names: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Layer {
    rid: String,
    restrictions: String,
}

impl From<&str> for Layer {
    fn from(rid: &str) -> Self {
        Self { rid: rid.to_owned(), restrictions: String::new() }
    }
}

impl Simulcast {
    /// What we want, or what was agreed upon where the peer had offered it. `extensions`: those of the offer.
    pub(super) fn offered(transceiver: &Transceiver, extensions: &[Extmap]) -> Self {
        if !extensions.iter().any(|extmap| extmap.uri == HeaderExtension::RID) {
            return Self::default();
        }
        let wanted = transceiver.receive_layers.iter().map(String::as_str);
        let mut receive: Vec<_> = wanted.map(Layer::from).collect();
        if receive.is_empty() {
            let agreed = transceiver.negotiated.iter().flat_map(|agreed| &agreed.receive_layers);
            receive.extend(agreed.map(|layer| Layer::from(layer.rid.as_str())));
        }
        receive.retain(|_| transceiver.direction.receives());
        let sent = transceiver.send.iter().flat_map(|send| &send.layers).filter(|_| transceiver.direction.sends());
        let send = sent.map(|layer| Layer::from(layer.rid.as_str())).collect();
        Self { send, receive, has_names: has_layers(transceiver) }
    }

    /// What we take of an offer: those of the peer's layers that we want, in the peer's order, and those of ours that it asks for.
    /// `direction` and `payload_types`: those of the answer.
    pub(super) fn answered(
        config: &Config,
        transceiver: &Transceiver,
        offer: View<'_>,
        direction: Direction,
        payload_types: &BTreeSet<u8>,
    ) -> Self {
        // RFC 8853 §5.2: layers are told apart by their names in the packets.
        if !offer.extmaps().any(|extmap| extmap.uri == HeaderExtension::RID) {
            return Self::default();
        }
        let asked = &transceiver.receive_layers;
        let most = match (asked.is_empty(), config.receive_layers_max) {
            // By name: as many as there are names.
            (false, _) => LAYERS_MAX,
            (true, 0 | 1) => 0,
            (true, most) => most,
        };
        let is_wanted = |rid: &str| asked.is_empty() || asked.iter().any(|asked| asked == rid);
        let receive = taken(offer, RidDirection::Send, is_wanted, payload_types).filter(|_| direction.receives());
        let ours = || transceiver.send.iter().flat_map(|send| &send.layers).map(|layer| layer.rid.as_str());
        let is_ours = |rid: &str| ours().any(|ours| ours == rid);
        let send = taken(offer, RidDirection::Recv, is_ours, payload_types).filter(|_| direction.sends());
        let mut send: Vec<_> = send.collect();
        send.sort_by_key(|layer| ours().position(|ours| ours == layer.rid));
        let receive: Vec<_> = receive.take(most).collect();
        let has_names = !(send.is_empty() && receive.is_empty()) || has_layers(transceiver);
        Self { send, receive, has_names }
    }

    /// The header extensions of a section: those that name layers only where there are layers, also while they are held.
    pub(super) fn extensions(&self, all: &[Extmap]) -> Vec<Extmap> {
        let names_layers = |uri: &str| matches!(uri, HeaderExtension::RID | HeaderExtension::REPAIRED_RID);
        all.iter().filter(|extmap| self.has_names || !names_layers(&extmap.uri)).cloned().collect()
    }

    pub(super) fn attributes(&self) -> Vec<Attribute> {
        let both = [(RidDirection::Send, &self.send), (RidDirection::Recv, &self.receive)];
        let both = both.into_iter().filter(|(_, layers)| !layers.is_empty());
        let mut streams = Vec::new();
        let mut attributes = Vec::new();
        for (direction, layers) in both {
            let named = |layer: &Layer| vec![Alternative { rid: layer.rid.clone(), paused: false }];
            streams.push(SimulcastStreams { direction, streams: layers.iter().map(named).collect() });
            attributes.extend(layers.iter().map(|layer| {
                let (id, restrictions) = (layer.rid.clone(), layer.restrictions.clone());
                Attribute::Rid(Rid { id, direction, restrictions })
            }));
        }
        if !streams.is_empty() {
            attributes.push(Attribute::Simulcast(wigwag_sdp::Simulcast(streams)));
        }
        attributes
    }
}

/// Whether there are layers in either direction, wanted or agreed upon.
fn has_layers(transceiver: &Transceiver) -> bool {
    let is_agreed = |agreed: &MediaParameters| !(agreed.send_layers.is_empty() && agreed.receive_layers.is_empty());
    !transceiver.receive_layers.is_empty()
        || transceiver.send.as_ref().is_some_and(|send| !send.layers.is_empty())
        || transceiver.negotiated.as_ref().is_some_and(is_agreed)
}

/// The layers of an offer, as they are answered: of alternatives the first that we want and can.
fn taken<'a>(
    offer: View<'a>,
    direction: RidDirection,
    is_wanted: impl Fn(&str) -> bool + 'a,
    payload_types: &'a BTreeSet<u8>,
) -> impl Iterator<Item = Layer> + 'a {
    let wanted = move |rid: &&Rid| is_wanted(&rid.id);
    let first = move |alternatives: Vec<&Rid>| {
        alternatives.into_iter().filter(&wanted).find_map(|rid| answered(rid, payload_types))
    };
    layers(offer, direction).into_iter().filter_map(first)
}

/// A layer of the offer as it is answered. RFC 8851 §6.2: the restrictions stay, without the payload types that are refused; if none is
/// left, the layer is refused. So is one that is asked for in a way that nobody here could obey (§6.2.2).
fn answered(offered: &Rid, payload_types: &BTreeSet<u8>) -> Option<Layer> {
    if offered.direction == RidDirection::Recv && !Restrictions::read(offered).1 {
        return None;
    }
    let kept = |numbers: &str| {
        let numbers = numbers.split(',').filter(|number| number.parse().is_ok_and(|it| payload_types.contains(&it)));
        numbers.collect::<Vec<_>>().join(",")
    };
    let mut restrictions = Vec::new();
    for (name, value) in offered.iter() {
        restrictions.push(match (name, kept(value)) {
            ("pt", kept) if kept.is_empty() => return None,
            ("pt", kept) => format!("pt={kept}"),
            (name, _) if value.is_empty() => name.to_owned(),
            (name, _) => format!("{name}={value}"),
        });
    }
    Some(Layer { rid: offered.id.clone(), restrictions: restrictions.join(";") })
}

/// The layers that a section names for a direction, with their alternatives, of which the first is preferred (RFC 8853 §5.2): each once, and
/// those alone that a line explains (§5.1). What is wanted paused is not wanted: without RFC 7728, a later description alone resumes it.
fn layers(view: View<'_>, direction: RidDirection) -> Vec<Vec<&Rid>> {
    let attributes = view.attributes().iter();
    let of_direction = attributes.filter_map(|attribute| match attribute {
        Attribute::Rid(rid) if rid.direction == direction && is_rid(&rid.id) => Some((rid.id.as_str(), rid)),
        _ => None,
    });
    let mut explained: BTreeMap<_, _> = of_direction.collect();
    let simulcast = view.attributes().iter().find_map(|attribute| match attribute {
        Attribute::Simulcast(simulcast) => simulcast.streams(direction),
        _ => None,
    });
    let is_wanted = |alternative: &&Alternative| direction == RidDirection::Send || !alternative.paused;
    let mut explained = |alternatives: &Vec<Alternative>| {
        let wanted = alternatives.iter().filter(is_wanted);
        wanted.filter_map(|alternative| explained.remove(alternative.rid.as_str())).collect::<Vec<_>>()
    };
    let named = simulcast.into_iter().flatten().map(&mut explained);
    named.filter(|alternatives| !alternatives.is_empty()).take(LAYERS_MAX).collect()
}

/// The layers that both sides name: ours of the one direction and of each of the peer's alternatives one of the other, in our order.
/// `parameters`: the codecs that were agreed upon.
pub(super) fn agreed(
    local: View<'_>,
    direction: RidDirection,
    remote: View<'_>,
    parameters: &MediaParameters,
) -> Vec<NegotiatedLayer> {
    let reversed = match direction {
        RidDirection::Send => RidDirection::Recv,
        RidDirection::Recv => RidDirection::Send,
    };
    let ours: Vec<_> = layers(local, direction).into_iter().flatten().map(|rid| rid.id.as_str()).collect();
    let chosen = |alternatives: Vec<&Rid>| {
        let named_by_both = alternatives.into_iter().filter(|rid| ours.contains(&rid.id.as_str()));
        named_by_both.filter_map(|rid| restricted(rid, parameters)).next()
    };
    let theirs = layers(remote, reversed).into_iter().filter_map(chosen);
    let mut theirs: BTreeMap<_, _> = theirs.map(|layer| (layer.rid.clone(), layer)).collect();
    ours.iter().filter_map(|rid| theirs.remove(*rid)).collect()
}

/// A layer as the peer's line restricts it. `None` if none of the codecs is left to it, or if it is asked for in a way that nobody here
/// could obey (RFC 8851 §6.4).
fn restricted(rid: &Rid, parameters: &MediaParameters) -> Option<NegotiatedLayer> {
    let (restrictions, is_whole) = Restrictions::read(rid);
    // By the numbers of its own description, which are those of what it receives.
    let sent = parameters.send_codecs.iter();
    let payload_types = match rid.direction {
        RidDirection::Recv if !is_whole => None,
        RidDirection::Recv => restrictions::payload_types(rid, sent.map(|codec| (codec, codec.payload_type))),
        RidDirection::Send => {
            let named = |index| sent.clone().find(|codec| codec.index == index).map(|codec| codec.payload_type);
            let received = parameters.receive_codecs.iter();
            let named = received.map(|codec| (codec, named(codec.index).unwrap_or(codec.payload_type)));
            restrictions::payload_types(rid, named)
        }
    }?;
    Some(NegotiatedLayer { rid: rid.id.clone(), payload_types, restrictions })
}
