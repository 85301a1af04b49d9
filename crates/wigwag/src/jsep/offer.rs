//! Makes offers (RFC 9429 §5.2).

use super::codecs::Numbers;
use super::config::Config;
use super::error::Error;
use super::negotiation::{Negotiation, Part, Section};
use super::section::{self, Media, Transport};
use super::simulcast::Simulcast;
use super::transceiver::Transceiver;
use super::transport::LocalTransport;
use wigwag_sdp::{Attribute, MAX_MEDIA, MediaDescription, SessionDescription, Setup};

/// The places of an offer, and the number of the next mid.
pub(super) type Plan = (Vec<Section>, u32);

/// Gives a place to everything that has none.
///
/// RFC 9429 §5.2.2: "If any RtpTransceiver has been added and there exists an 'm=' section with a zero port in the current
/// local description or the current remote description, that 'm=' section MUST be recycled ... (including a new MID value)"
pub(super) fn plan(now: &Negotiation, wants_data: bool) -> Result<Plan, Error> {
    let mut sections = now.sections.clone();
    let mut next_mid = now.next_mid;
    let placed = |part| now.sections.iter().any(|section| section.part == part);
    let waiting = |transceiver: &&Transceiver| !transceiver.is_stopping && !placed(Part::Media(transceiver.id));
    let mut new: Vec<_> = now
        .transceivers
        .values()
        .filter(waiting)
        .map(|transceiver| (Part::Media(transceiver.id), transceiver.kind.as_str(), "UDP/TLS/RTP/SAVPF"))
        .collect();
    if wants_data && !placed(Part::Data) {
        new.push((Part::Data, "application", "UDP/DTLS/SCTP"));
    }
    for (part, media, protocol) in new {
        let mid = new_mid(&sections, &mut next_mid);
        let section = Section { mid, is_made_up: false, media: media.to_owned(), protocol: protocol.to_owned(), part };
        match sections.iter_mut().find(|section| section.part == Part::Nothing) {
            Some(place) => *place = section,
            None => sections.push(section),
        }
    }
    if sections.len() > MAX_MEDIA { Err(Error::TooManySections) } else { Ok((sections, next_mid)) }
}

fn new_mid(sections: &[Section], next: &mut u32) -> String {
    loop {
        let mid = next.to_string();
        *next = next.saturating_add(1);
        if sections.iter().all(|section| section.mid != mid) || *next == u32::MAX {
            return mid;
        }
    }
}

/// Fills `offer`, a description without sections, after those that were `said`.
pub(super) fn build<'a>(
    config: &Config,
    now: &Negotiation,
    said: impl Iterator<Item = &'a SessionDescription>,
    sections: &[Section],
    local: &LocalTransport,
    mut offer: SessionDescription,
) -> SessionDescription {
    // RFC 9429 §5.2.1: "The role value in the offer MUST be 'actpass'", also in later ones (RFC 8842 §5.5).
    let transport = Transport { local, setup: Setup::Actpass };
    let agreed = Numbers::agreed(now.transceivers.values());
    let mut numbers = said.fold(agreed, |numbers, said| numbers.keep(config, said));
    let mut mids = Vec::new();
    for place in sections {
        let mut section = match (now.ends(place.part), now.transceiver(place.part)) {
            (true, _) => section::rejected(&place.media, &place.protocol, None, &place.mid),
            (false, Some(transceiver)) => media(config, &mut numbers, transport, place, transceiver),
            (false, None) => section::data(config, transport, &place.mid, &place.protocol, now.may_say_init()),
        };
        if !section.is_rejected() {
            match mids.is_empty() {
                true => section::put_candidates(&mut section, &local.candidates, local.end_of_candidates),
                false => bundle_only(config, now, &mut section),
            }
            mids.push(place.mid.clone());
        }
        offer.media.push(section);
    }
    super::session_attributes(&mut offer, mids);
    offer
}

fn media(
    config: &Config,
    numbers: &mut Numbers,
    transport: Transport<'_>,
    place: &Section,
    transceiver: &Transceiver,
) -> MediaDescription {
    let extensions = numbers.extensions(config, transceiver.kind);
    let media = Media {
        mid: &place.mid,
        kind: transceiver.kind,
        protocol: &place.protocol,
        direction: transceiver.direction,
        codecs: numbers.codecs(config, transceiver),
        simulcast: Simulcast::offered(transceiver, &extensions),
        extensions,
        send: transceiver.send.as_ref(),
        // RFC 9429 §5.2.2: "The 'a=rtcp' line MUST NOT be added if the most recent answer included an 'a=rtcp-mux' line";
        // "The 'a=rtcp-mux-only' line MUST NOT be added. The 'a=rtcp-rsize' line MUST NOT be added unless present in the
        // most recent answer."
        is_new: transceiver.negotiated.is_none(),
        rtcp_rsize: transceiver.negotiated.as_ref().is_none_or(|agreed| agreed.rtcp_rsize),
        // RFC 9335 §4: "Generating subsequent SDP offers and answers MUST use the same procedures for including the
        // "a=cryptex" attribute as the ones on the initial offer and answer."
        cryptex: config.header_encryption.is_wanted(),
        ccfb: config.ccfb,
    };
    section::media(config, transport, &media)
}

/// RFC 9143 §7.2.1: who wants a section bundled or not at all says port 0 and `bundle-only`, as long as no bundle is
/// agreed upon.
fn bundle_only(config: &Config, now: &Negotiation, section: &mut MediaDescription) {
    if config.bundle_only && now.remote.is_none() {
        section.port = 0;
        section.attributes.push(Attribute::BundleOnly);
    }
}
