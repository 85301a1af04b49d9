//! A section as RFC 9429 reads it: with what the session says for all sections, and with the defaults.

use super::config::MediaKind;
use std::collections::BTreeMap;
use wigwag_sdp::{
    Attribute, Attributes, Direction, Extmap, Fingerprint, Format, MediaDescription, SctpInit, SessionDescription,
    Setup,
};

/// A section within its session.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) session: &'a SessionDescription,
    pub(super) section: &'a MediaDescription,
}

impl<'a> View<'a> {
    pub(super) fn all(session: &'a SessionDescription) -> impl Iterator<Item = Self> {
        session.media.iter().map(move |section| Self { session, section })
    }

    pub(super) fn attributes(self) -> &'a Attributes {
        &self.section.attributes
    }

    /// RFC 9429 §5.8.2: what stands in the section, or else what the session says.
    fn either<T>(self, read: impl Fn(&'a Attributes) -> Option<T>) -> Option<T> {
        read(self.attributes()).or_else(|| read(&self.session.attributes))
    }

    pub(super) fn has(self, attribute: &Attribute) -> bool {
        self.attributes().contains(attribute) || self.session.attributes.contains(attribute)
    }

    pub(super) fn direction(self) -> Direction {
        self.either(Attributes::direction).unwrap_or_default()
    }

    pub(super) fn ufrag(self) -> &'a str {
        self.either(Attributes::ice_ufrag).unwrap_or_default()
    }

    pub(super) fn pwd(self) -> &'a str {
        self.either(Attributes::ice_pwd).unwrap_or_default()
    }

    pub(super) fn fingerprints(self) -> Vec<Fingerprint> {
        let read = |attributes: &Attributes| attributes.fingerprints().cloned().collect::<Vec<_>>();
        Some(read(self.attributes())).filter(|own| !own.is_empty()).unwrap_or_else(|| read(&self.session.attributes))
    }

    /// RFC 8285 §5: they stand in a section, or above all for all.
    pub(super) fn extmaps(self) -> impl Iterator<Item = &'a Extmap> {
        self.attributes().extmaps().chain(self.session.attributes.extmaps())
    }

    pub(super) fn setup(self, default: Setup) -> Setup {
        // RFC 4145 §4.1: "The default value of the setup attribute in an offer/answer exchange is 'active' in the offer
        // and 'passive' in the answer."
        self.either(Attributes::setup).unwrap_or(default)
    }

    pub(super) fn ice_option(self, name: &str) -> bool {
        self.either(Attributes::ice_options).is_some_and(|options| options.contains(name))
    }

    pub(super) fn kind(self) -> Option<MediaKind> {
        MediaKind::from_media(&self.section.media)
    }

    pub(super) fn rtcp_mux(self) -> bool {
        self.has(&Attribute::RtcpMux) || self.has(&Attribute::RtcpMuxOnly)
    }

    /// RFC 9429 §5.1.3: sections of any of these profiles are read alike; whether they are secured, their
    /// fingerprint says.
    pub(super) fn protocol_is_known(self) -> bool {
        let protocol = self.section.protocol.as_str();
        match self.kind() {
            Some(_) => matches!(
                protocol.strip_prefix("UDP/TLS/").or_else(|| protocol.strip_prefix("TCP/DTLS/")).unwrap_or(protocol),
                "RTP/AVP" | "RTP/AVPF" | "RTP/SAVP" | "RTP/SAVPF"
            ),
            None => self.section.media == "application" && self.remote_sctp_port().is_some(),
        }
    }

    /// draft-hancke-tsvwg-snap §4.1: only where the protocol is RFC 8841's.
    pub(super) fn sctp_init(self) -> Option<&'a SctpInit> {
        let is_known = matches!(self.section.protocol.as_str(), "UDP/DTLS/SCTP" | "TCP/DTLS/SCTP");
        self.attributes().sctp_init().filter(|_| is_known)
    }

    /// RFC 8841 §5; before it had its name, the port was the section's format and explained by `a=sctpmap`.
    /// RFC 9260 §3.1: there is no port 0, so whoever names it takes no data channels.
    pub(super) fn remote_sctp_port(self) -> Option<u16> {
        let port = match (self.section.protocol.as_str(), self.section.formats.as_slice()) {
            ("UDP/DTLS/SCTP" | "TCP/DTLS/SCTP", [Format::Name(name)]) if name == "webrtc-datachannel" => {
                Some(self.attributes().sctp_port().unwrap_or(5000))
            }
            ("DTLS/SCTP", [_]) => self.attributes().iter().find_map(|attribute| match attribute {
                Attribute::Sctpmap(map) if map.protocol == "webrtc-datachannel" => Some(map.port),
                _ => None,
            }),
            _ => None,
        };
        port.filter(|port| *port > 0)
    }
}

/// The section that describes the transport: the first of the bundle that lives (RFC 9143 §7.1.2, the "tagged" one),
/// or else the first that lives.
pub(super) fn tagged(session: &SessionDescription, lives: impl Fn(usize) -> bool) -> Option<usize> {
    let lives =
        |index: &usize| lives(*index) && session.media.get(*index).is_some_and(|section| !section.is_rejected());
    bundled(session).into_iter().find(lives).or_else(|| (0..session.media.len()).find(lives))
}

/// The first section of the bundle, if it is not the tagged one: then it is refused.
pub(super) fn refused_first(session: &SessionDescription, tagged: usize) -> Option<(usize, View<'_>)> {
    let first = bundled(session).first().copied().filter(|first| *first != tagged)?;
    Some((first, View::all(session).nth(first)?))
}

/// Where the transport of a tagged section is described. RFC 9143 §7.1.3 has that stand in the bundle's first section alone, where it
/// stands though we refuse that section.
pub(super) fn describing(session: &SessionDescription, tagged: usize) -> Option<View<'_>> {
    let own = View::all(session).nth(tagged)?;
    let is_described = !own.ufrag().is_empty() || !own.fingerprints().is_empty();
    Some(refused_first(session, tagged).filter(|_| !is_described).map_or(own, |(_, first)| first))
}

/// The sections of the bundle, in its order and each once.
pub(super) fn bundled(session: &SessionDescription) -> Vec<usize> {
    named(session.bundled(), session.media.iter().map(|section| section.attributes.mid()))
}

/// The places of those that have these names, in the names' order and each once. Each name is looked at once: a line holds
/// thousands, and to find the name of a section may be to read thousands of lines.
fn named<'a>(names: impl Iterator<Item = &'a str>, mids: impl Iterator<Item = Option<&'a str>>) -> Vec<usize> {
    let mut places: BTreeMap<_, _> = mids.enumerate().filter_map(|(place, mid)| Some((mid?, place))).collect();
    names.filter_map(|name| places.remove(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_found_in_the_order_of_the_names_and_each_is_asked_once() {
        let mut asked = 0;
        let mids = [Some("a"), None, Some("c"), Some("b"), Some("d")];
        let mids = mids.into_iter().inspect(|_| asked += 1);
        assert_eq!(named(["c", "x", "a", "c", "y", "a", "b"].into_iter(), mids), [2, 0, 3]);
        assert_eq!(asked, 5);
    }
}
