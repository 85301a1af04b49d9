//! Builds sections; each line is made here from what we know, none is copied from the peer.

use super::codecs::Numbered;
use super::config::{Config, MediaKind};
use super::simulcast::Simulcast;
use super::transceiver::SendStream;
use super::transport::LocalTransport;
use wigwag_sdp::{
    AddressType, Attribute, Candidate, CandidateKind, Connection, Direction, Extmap, Feedback, Format, IcePwd,
    MediaDescription, Msid, Rtcp, RtcpFb, SctpInit, Setup, Ssrc, SsrcGroup,
};

/// What a section says of the transport.
#[derive(Clone, Copy)]
pub(super) struct Transport<'a> {
    pub(super) local: &'a LocalTransport,
    pub(super) setup: Setup,
}

/// What a section of sound or pictures says.
pub(super) struct Media<'a> {
    pub(super) mid: &'a str,
    pub(super) kind: MediaKind,
    pub(super) protocol: &'a str,
    pub(super) direction: Direction,
    pub(super) codecs: Vec<Numbered>,
    pub(super) extensions: Vec<Extmap>,
    pub(super) simulcast: Simulcast,
    pub(super) send: Option<&'a SendStream>,
    /// Whether RTCP might still have a port of its own, for all we know.
    pub(super) is_new: bool,
    pub(super) rtcp_rsize: bool,
    pub(super) cryptex: bool,
    pub(super) ccfb: bool,
}

/// RFC 9429 §5.2.1: "given that no candidates are available yet, the default port value of 9 (Discard) MUST be used",
/// and "the 'c=' line MUST contain the default value 'IN IP4 0.0.0.0'".
fn nowhere() -> (Connection, u16) {
    (Connection::unspecified(AddressType::Ip4), 9)
}

fn empty(media: &str, port: u16, protocol: &str, formats: Vec<Format>) -> MediaDescription {
    let mut section = MediaDescription::new(media, port, protocol);
    section.formats = formats;
    section.connections.push(nowhere().0);
    section
}

/// A section that is refused or has ended.
pub(super) fn rejected(media: &str, protocol: &str, format: Option<&Format>, mid: &str) -> MediaDescription {
    let format = format.cloned().unwrap_or(match media {
        "application" => Format::Name("webrtc-datachannel".to_owned()),
        _ => Format::PayloadType(0),
    });
    let mut section = empty(media, 0, protocol, vec![format]);
    section.attributes.push(Attribute::Mid(mid.to_owned()));
    section
}

fn transport_attributes(section: &mut MediaDescription, transport: Transport<'_>, mid: &str) {
    let local = transport.local;
    section.attributes.push(Attribute::IceUfrag(local.ufrag.clone()));
    section.attributes.push(Attribute::IcePwd(IcePwd(local.pwd.clone())));
    section.attributes.extend(local.fingerprints.iter().cloned().map(Attribute::Fingerprint));
    section.attributes.push(Attribute::Setup(transport.setup));
    section.attributes.push(Attribute::Mid(mid.to_owned()));
}

pub(super) fn media(config: &Config, transport: Transport<'_>, media: &Media<'_>) -> MediaDescription {
    let numbers = media.codecs.iter().flat_map(|codec| [Some(codec.payload_type), codec.rtx]).flatten();
    let mut section = empty(media.kind.as_str(), 9, media.protocol, numbers.map(Format::from).collect());
    if media.is_new {
        let nowhere = Some(Connection::unspecified(AddressType::Ip4));
        section.attributes.push(Attribute::Rtcp(Rtcp { port: 9, connection: nowhere }));
    }
    transport_attributes(&mut section, transport, media.mid);
    section.attributes.extend(media.simulcast.extensions(&media.extensions).into_iter().map(Attribute::Extmap));
    section.attributes.push(Attribute::Direction(media.direction));
    let send = media.send.filter(|_| media.direction.sends());
    section.attributes.extend(send.into_iter().flat_map(msids).map(Attribute::Msid));
    section.attributes.push(Attribute::RtcpMux);
    if media.is_new {
        section.attributes.push(Attribute::RtcpMuxOnly);
    }
    if media.rtcp_rsize {
        section.attributes.push(Attribute::RtcpRsize);
    }
    if media.cryptex {
        section.attributes.push(Attribute::Cryptex);
    }
    for numbered in &media.codecs {
        let codec = config.codecs.get(numbered.index);
        section.attributes.extend(codec.into_iter().flat_map(|codec| numbered.attributes(codec)));
    }
    if media.ccfb {
        section.attributes.push(Attribute::RtcpFb(RtcpFb { payload_type: None, feedback: Feedback::AckCcfb }));
    }
    let has_rtx = media.codecs.iter().any(|codec| codec.rtx.is_some());
    let layers = media.simulcast.attributes();
    // RFC 8853 §5.5 has no use for sources: packets name their layers.
    let named = send.filter(|send| send.layers.is_empty() || layers.is_empty());
    section.attributes.extend(named.into_iter().flat_map(|send| ssrcs(send, has_rtx)));
    section.attributes.extend(layers);
    section
}

/// RFC 8830 §2: names are tokens; others would read as two, or end the line.
fn token(name: &str) -> String {
    let token: String = name.chars().filter(char::is_ascii_graphic).collect();
    if token.is_empty() { "-".to_owned() } else { token }
}

/// RFC 9429 §5.2.1: "For each MediaStream that was associated with the transceiver when it was created via addTrack or
/// addTransceiver, an 'a=msid' line, as specified in [RFC8830], but omitting the 'appdata' field." – the track stands
/// there all the same, for the sake of browsers, which write and read it.
pub(super) fn msids(send: &SendStream) -> Vec<Msid> {
    let track = Some(token(&send.track_id));
    match send.stream_ids.as_slice() {
        [] => vec![Msid { stream: "-".to_owned(), track }],
        streams => streams.iter().map(|stream| Msid { stream: token(stream), track: track.clone() }).collect(),
    }
}

fn ssrcs(send: &SendStream, has_rtx: bool) -> Vec<Attribute> {
    let cname = |ssrc| Attribute::Ssrc(Ssrc { ssrc, attribute: "cname".to_owned(), value: Some(token(&send.cname)) });
    match send.rtx_ssrc.filter(|_| has_rtx) {
        Some(rtx) => {
            let group = SsrcGroup { semantics: "FID".to_owned(), ssrcs: vec![send.ssrc, rtx] };
            vec![Attribute::SsrcGroup(group), cname(send.ssrc), cname(rtx)]
        }
        None => vec![cname(send.ssrc)],
    }
}

/// The section of data channels (RFC 8841). In drafts before it, the port was the format (`legacy`).
/// `says_init`: with the beginning of our association, if we may tell it (SNAP).
pub(super) fn data(
    config: &Config,
    transport: Transport<'_>,
    mid: &str,
    protocol: &str,
    says_init: bool,
) -> MediaDescription {
    let legacy = protocol == "DTLS/SCTP";
    let name = "webrtc-datachannel".to_owned();
    let format = if legacy { Format::Name(config.sctp_port.to_string()) } else { Format::Name(name.clone()) };
    let mut section = empty("application", 9, protocol, vec![format]);
    transport_attributes(&mut section, transport, mid);
    section.attributes.push(if legacy {
        let streams = Some(u32::from(u16::MAX));
        Attribute::Sctpmap(wigwag_sdp::Sctpmap { port: config.sctp_port, protocol: name, streams })
    } else {
        Attribute::SctpPort(config.sctp_port)
    });
    section.attributes.push(Attribute::MaxMessageSize(config.max_message_size));
    let init = transport.local.sctp_init.as_ref().filter(|_| says_init && !legacy);
    section.attributes.extend(init.map(|chunk| Attribute::SctpInit(SctpInit::new(chunk))));
    section
}

/// Says the candidates that are known, instead of those said before, and the best default among them.
pub(super) fn put_candidates(section: &mut MediaDescription, candidates: &[Candidate], end: bool) {
    let is_one = |attribute: &Attribute| matches!(attribute, Attribute::Candidate(_) | Attribute::EndOfCandidates);
    section.attributes.retain(|attribute| !is_one(attribute));
    let place =
        section.attributes.iter().position(|attribute| matches!(attribute, Attribute::IceUfrag(_))).unwrap_or(0);
    let lines = candidates.iter().cloned().map(|candidate| Attribute::Candidate(Box::new(candidate)));
    let end = end.then_some(Attribute::EndOfCandidates);
    let lines: Vec<_> = lines.chain(end).collect();
    section.attributes.splice(place..place, lines);
    let (connection, port) = default_candidate(candidates).unwrap_or_else(nowhere);
    section.port = port;
    section.connections = vec![connection];
}

/// RFC 8445 §5.1.4: relayed candidates reach most, then reflexive ones; who reads only this line may know no IPv6.
fn default_candidate(candidates: &[Candidate]) -> Option<(Connection, u16)> {
    let rank = |candidate: &Candidate| match candidate.kind {
        CandidateKind::Relayed => 2,
        CandidateKind::ServerReflexive => 1,
        _ => 0,
    };
    let usable = candidates.iter().filter(|candidate| candidate.transport == "udp" && candidate.component == 1);
    // draft-ietf-mmusic-mdns-ice-candidates §3.1.2.4: "... its mDNS name MUST NOT be used in the connection-address field of the SDP "c="
    // line", and "the IP address values "0.0.0.0"/"::" and port value "9" MUST instead be used in the c= and m= lines".
    usable
        .filter_map(|candidate| Some((candidate, candidate.address.ip()?)))
        .max_by_key(|(candidate, ip)| (rank(candidate), ip.is_ipv4(), candidate.priority))
        .map(|(candidate, ip)| (Connection::new(ip), candidate.port))
}
