//! Which formats of a section are ours (RFC 3264 §6.1, RFC 9429 §5.3.1).

use super::config::{Codec, Config, HeaderExtension, MediaKind};
use super::transceiver::{NegotiatedCodec, NegotiatedExtension, Transceiver};
use super::{variant, view::View};
use std::collections::{BTreeMap, BTreeSet};
use wigwag_sdp::{Extmap, Feedback, Fmtp, Format, MediaDescription, RtcpFb, Rtpmap, SessionDescription};

/// A codec with its numbers in one description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Numbered {
    /// Its place in the configuration.
    pub(super) index: usize,
    pub(super) payload_type: u8,
    pub(super) rtx: Option<u8>,
    pub(super) feedback: Vec<Feedback>,
    pub(super) parameters: String,
}

impl Numbered {
    /// As we describe it: with our parameters, whatever the other side says, but for the level of H.264.
    pub(super) fn attributes(&self, codec: &Codec) -> Vec<wigwag_sdp::Attribute> {
        use wigwag_sdp::Attribute;
        let rtpmap = |payload_type, encoding: &str, channels| {
            Attribute::Rtpmap(Rtpmap {
                payload_type,
                encoding: encoding.into(),
                clock_rate: codec.clock_rate,
                channels,
            })
        };
        let fmtp = |payload_type: u8, parameters| Attribute::Fmtp(Fmtp { format: payload_type.into(), parameters });
        let mut attributes =
            vec![rtpmap(self.payload_type, &codec.name, Some(codec.channels).filter(|count| *count > 1))];
        attributes.extend(
            self.feedback
                .iter()
                .cloned()
                .map(|feedback| Attribute::RtcpFb(RtcpFb { payload_type: Some(self.payload_type), feedback })),
        );
        if !codec.parameters.is_empty() {
            let parameters = variant::answered(&codec.name, &codec.parameters, &self.parameters);
            attributes.push(fmtp(self.payload_type, parameters));
        }
        if let Some(rtx) = self.rtx {
            attributes.extend([rtpmap(rtx, "rtx", None), fmtp(rtx, format!("apt={}", self.payload_type))]);
        }
        attributes
    }

    fn negotiated(self, codec: &Codec) -> NegotiatedCodec {
        NegotiatedCodec {
            index: self.index,
            payload_type: self.payload_type,
            name: codec.name.clone(),
            clock_rate: codec.clock_rate,
            channels: codec.channels,
            parameters: self.parameters,
            feedback: self.feedback,
            rtx: self.rtx,
        }
    }
}

/// Those of the section's formats that are ours, in the section's order, each of ours once. RED, ULPFEC and others are
/// not ours: a peer sends what the answer has, and browsers would wrap all video in RED.
pub(super) fn known(config: &Config, view: View<'_>) -> Vec<Numbered> {
    let Some(kind) = view.kind() else { return Vec::new() };
    let mut taken = BTreeSet::new();
    let mut known = Vec::new();
    let numbers = numbers(view.section);
    for payload_type in numbers.iter().copied() {
        let fits = |(_, codec): &(usize, &Codec)| codec.kind == kind && is(codec, view.section, payload_type);
        let found = config.codecs.iter().enumerate().find(fits);
        if let Some((index, codec)) = found.filter(|(index, _)| taken.insert(*index)) {
            known.push(Numbered {
                index,
                payload_type,
                rtx: codec.rtx.and_then(|_| retransmission(view.section, &numbers, payload_type, codec.clock_rate)),
                feedback: feedback(codec, view.section, payload_type),
                parameters: parameters(view.section, payload_type).to_owned(),
            });
        }
    }
    known
}

/// A payload type has seven bits, and 64 to 95 may not be used where RTCP shares the transport, as it does here always: with the
/// marker they are RTCP's packet types (RFC 5761 §4).
const fn is_usable(payload_type: u8) -> bool {
    payload_type < 128 && !matches!(payload_type, 64..=95)
}

/// Those of a section's payload types that can be used: each once, however often a hostile line repeats it.
pub(super) fn numbers(section: &MediaDescription) -> Vec<u8> {
    let mut seen = BTreeSet::new();
    payload_types(section).filter(|number| is_usable(*number) && seen.insert(*number)).collect()
}

fn payload_types(section: &MediaDescription) -> impl Iterator<Item = u8> {
    section.formats.iter().filter_map(Format::payload_type)
}

/// Whether the payload type is this codec.
fn is(codec: &Codec, section: &MediaDescription, payload_type: u8) -> bool {
    let same = match section.attributes.rtpmap(payload_type) {
        Some(rtpmap) => {
            rtpmap.encoding == codec.name.as_str()
                && rtpmap.clock_rate == codec.clock_rate
                && rtpmap.channels.unwrap_or(1) == codec.channels
        }
        // RFC 3551 §6: the numbers that need no `a=rtpmap`.
        None => match payload_type {
            0 => codec.name.eq_ignore_ascii_case("PCMU"),
            8 => codec.name.eq_ignore_ascii_case("PCMA"),
            9 => codec.name.eq_ignore_ascii_case("G722"),
            _ => false,
        },
    };
    same && variant::same(&codec.name, &codec.parameters, parameters(section, payload_type))
}

fn parameters(section: &MediaDescription, payload_type: u8) -> &str {
    section.attributes.fmtp(payload_type).map_or("", |fmtp| fmtp.parameters.as_str())
}

/// The feedback that both know, in our order.
fn feedback(codec: &Codec, section: &MediaDescription, payload_type: u8) -> Vec<Feedback> {
    let theirs: BTreeSet<_> = section
        .attributes
        .rtcp_fbs()
        .filter(|line| line.payload_type.is_none_or(|number| number == payload_type))
        .map(|line| &line.feedback)
        .collect();
    codec.feedback.iter().filter(|feedback| theirs.contains(feedback)).cloned().collect()
}

/// RFC 4588 §8.6: the format `rtx` whose `apt` is this payload type, with the clock of its codec.
fn retransmission(section: &MediaDescription, numbers: &[u8], payload_type: u8, clock_rate: u32) -> Option<u8> {
    let apt = payload_type.to_string();
    let is_rtx = |number: &u8| {
        let map = section.attributes.rtpmap(*number);
        map.is_some_and(|map| map.encoding == "rtx" && map.clock_rate == clock_rate)
            && section.attributes.fmtp(*number).is_some_and(|fmtp| fmtp.get("apt") == Some(&apt))
    };
    numbers.iter().copied().find(is_rtx)
}

/// The codecs that both sections have: first with the peer's numbers, then with ours.
pub(super) fn common(
    config: &Config,
    local: View<'_>,
    remote: View<'_>,
) -> (Vec<NegotiatedCodec>, Vec<NegotiatedCodec>) {
    let (ours, theirs) = (known(config, local), known(config, remote));
    let keep = |these: &[Numbered], those: &[Numbered]| {
        let other = |numbered: &Numbered| those.iter().find(|other| other.index == numbered.index).cloned();
        these
            .iter()
            .filter_map(|numbered| Some((numbered.clone(), other(numbered)?)))
            .filter_map(|(mut numbered, other)| {
                numbered.feedback.retain(|feedback| other.feedback.contains(feedback));
                numbered.rtx = numbered.rtx.filter(|_| other.rtx.is_some());
                let codec = config.codecs.get(numbered.index)?;
                Some(numbered.negotiated(codec))
            })
            .collect()
    };
    (keep(&theirs, &ours), keep(&ours, &theirs))
}

/// What the numbers of header extensions mean in an answer.
#[derive(Debug, Default)]
pub(super) struct Meanings<'a> {
    ids: BTreeMap<&'a str, u16>,
    uris: BTreeMap<u16, &'a str>,
}

impl<'a> Meanings<'a> {
    /// RFC 9143 §9.1: a number means one extension in all sections of a bundle. What contradicts an earlier section is not taken.
    fn allow(&mut self, extmap: &'a Extmap) -> bool {
        let uri = extmap.uri.as_str();
        *self.ids.entry(uri).or_insert(extmap.id) == extmap.id && *self.uris.entry(extmap.id).or_insert(uri) == uri
    }
}

/// The header extensions to answer with: those of the offer that we know, under the offer's numbers.
pub(super) fn answered_extensions<'a>(config: &Config, offer: View<'a>, meanings: &mut Meanings<'a>) -> Vec<Extmap> {
    let mut uris = BTreeSet::new();
    let ours = offer.extmaps().filter(|extmap| is_ours(config, offer, extmap));
    ours.filter(|extmap| uris.insert(&extmap.uri) && meanings.allow(extmap))
        .map(|extmap| Extmap {
            direction: extmap.direction.map(wigwag_sdp::Direction::reversed),
            ..Extmap::new(extmap.id, &extmap.uri)
        })
        .collect()
}

/// `theirs`: the section that the peer describes so.
fn is_ours(config: &Config, theirs: View<'_>, extmap: &Extmap) -> bool {
    let kind = theirs.kind();
    let known = |extension: &HeaderExtension| {
        extension.uri == extmap.uri && extension.kind.is_none_or(|only| Some(only) == kind)
    };
    // RFC 8285 §4.2, §4.3: the one-byte form has the numbers 1 to 14, the other one those up to 255.
    let is_possible = (1..=14).contains(&extmap.id)
        || (16..=255).contains(&extmap.id) && theirs.has(&wigwag_sdp::Attribute::ExtmapAllowMixed);
    is_possible && config.header_extensions.iter().any(known)
}

/// The header extensions that both sections have under one number.
pub(super) fn common_extensions(config: &Config, local: View<'_>, remote: View<'_>) -> Vec<NegotiatedExtension> {
    let ours: BTreeMap<_, _> =
        local.extmaps().map(|extmap| ((extmap.id, &extmap.uri), extmap.direction.unwrap_or_default())).collect();
    let theirs = remote.extmaps().filter(|extmap| is_ours(config, remote, extmap));
    theirs
        .filter_map(|extmap| {
            let ours = *ours.get(&(extmap.id, &extmap.uri))?;
            let theirs = extmap.direction.unwrap_or_default();
            Some(NegotiatedExtension {
                id: u8::try_from(extmap.id).ok()?,
                uri: extmap.uri.clone(),
                sends: ours.sends() && theirs.receives(),
                receives: ours.receives() && theirs.sends(),
            })
        })
        .collect()
}

/// The numbers of an offer. What was agreed upon keeps its number, in every section of the bundle (RFC 9143 §9.1:
/// a payload type means one codec; RFC 8285 §6: so it is with extensions); the rest takes the configuration's, or
/// whatever is free.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    codecs: BTreeMap<(usize, bool), u8>,
    payload_types: BTreeSet<u8>,
    /// Those that mean what is none of ours.
    others: BTreeSet<u8>,
    extensions: BTreeMap<String, u8>,
}

impl Numbers {
    pub(super) fn agreed<'a>(transceivers: impl Iterator<Item = &'a Transceiver>) -> Self {
        let mut numbers = Self::default();
        for agreed in transceivers.filter_map(|transceiver| transceiver.negotiated.as_ref()) {
            for codec in &agreed.receive_codecs {
                numbers.take((codec.index, false), codec.payload_type);
                codec.rtx.iter().for_each(|rtx| numbers.take((codec.index, true), *rtx));
            }
            for extension in &agreed.extensions {
                numbers.extensions.entry(extension.uri.clone()).or_insert(extension.id);
            }
        }
        numbers
    }

    /// RFC 3264 §8.3.2: "the mapping from a particular dynamic payload type number to a particular codec within that media stream MUST
    /// NOT change for the duration of a session", also of what was not agreed upon.
    pub(super) fn keep(mut self, config: &Config, said: &SessionDescription) -> Self {
        for view in View::all(said).filter(|view| !view.section.is_rejected() && view.kind().is_some()) {
            let numbers_of = |found: Numbered| {
                [Some((found.payload_type, (found.index, false))), found.rtx.map(|rtx| (rtx, (found.index, true)))]
            };
            let ours: BTreeMap<_, _> = known(config, view).into_iter().flat_map(numbers_of).flatten().collect();
            for number in payload_types(view.section) {
                match ours.get(&number) {
                    Some(codec) => self.take(*codec, number),
                    None => _ = self.others.insert(number),
                }
            }
        }
        self
    }

    fn take(&mut self, codec: (usize, bool), payload_type: u8) {
        if self.payload_types.insert(payload_type) {
            self.codecs.entry(codec).or_insert(payload_type);
        }
    }

    fn payload_type(&mut self, codec: (usize, bool), preferred: u8) -> Option<u8> {
        if let Some(number) = self.codecs.get(&codec) {
            return Some(*number);
        }
        // RFC 3551 §6: 96 to 127 are dynamic; RFC 5761 §4 leaves 35 to 63 beside them.
        let mut wanted = std::iter::once(preferred).chain(96..128).chain(35..64);
        let is_free = |number: &u8| is_usable(*number) && !self.payload_types.contains(number);
        let is_new = |number: &u8| is_free(number) && !self.others.contains(number);
        let number = wanted.clone().find(is_new).or_else(|| wanted.find(is_free))?;
        self.take(codec, number);
        Some(number)
    }

    /// Our codecs of the kind, as a transceiver's section offers them.
    pub(super) fn codecs(&mut self, config: &Config, transceiver: &Transceiver) -> Vec<Numbered> {
        let agreed = transceiver.negotiated.as_ref().map_or(&[][..], |agreed| &agreed.receive_codecs);
        let ours = config.codecs.iter().enumerate().filter(|(_, codec)| codec.kind == transceiver.kind);
        ours.filter_map(|(index, codec)| {
            let before = agreed.iter().find(|before| before.index == index);
            let payload_type = match before {
                Some(before) => before.payload_type,
                None => self.payload_type((index, false), codec.payload_type)?,
            };
            let rtx = match (codec.rtx, before.and_then(|before| before.rtx)) {
                (Some(_), Some(before)) => Some(before),
                (Some(preferred), None) => self.payload_type((index, true), preferred),
                (None, _) => None,
            };
            Some(Numbered {
                index,
                payload_type,
                rtx,
                feedback: codec.feedback.clone(),
                parameters: codec.parameters.clone(),
            })
        })
        .collect()
    }

    /// Our header extensions of the kind.
    pub(super) fn extensions(&mut self, config: &Config, kind: MediaKind) -> Vec<Extmap> {
        let ours = config.header_extensions.iter().filter(|ours| ours.kind.is_none_or(|only| only == kind));
        ours.filter_map(|ours| {
            let id = match self.extensions.get(&ours.uri) {
                Some(id) => *id,
                None => {
                    let used: BTreeSet<_> = self.extensions.values().copied().collect();
                    let mut wanted = std::iter::once(ours.id).chain(1..15);
                    wanted.find(|id| (1..15).contains(id) && !used.contains(id))?
                }
            };
            self.extensions.insert(ours.uri.clone(), id);
            Some(Extmap::new(id.into(), &ours.uri))
        })
        .collect()
    }
}
