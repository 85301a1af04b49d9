//! Makes answers (RFC 9429 §5.3): built from what we know and the offer allows, never copied from it.

use super::ccfb;
use super::codecs::{Meanings, answered_extensions, known};
use super::config::{Config, DtlsRole};
use super::cryptex;
use super::negotiation::{Negotiation, Section};
use super::section::{self, Media, Transport};
use super::simulcast::Simulcast;
use super::transceiver::Transceiver;
use super::transport::LocalTransport;
use super::view::{View, bundled, describing, tagged};
use wigwag_sdp::{Attribute, MediaDescription, SessionDescription, Setup};

/// Fills `answer`, a description without sections, in answer to an offer that was applied.
pub(super) fn build(
    config: &Config,
    now: &Negotiation,
    offer: &SessionDescription,
    local: &LocalTransport,
    mut answer: SessionDescription,
) -> SessionDescription {
    let lives = |index: usize| now.sections.get(index).is_some_and(|section| !now.ends(section.part));
    let tagged = tagged(offer, lives);
    let described = tagged.and_then(|tagged| describing(offer, tagged));
    let agreed = Agreed {
        cryptex: config.header_encryption.is_wanted() && cryptex::is_said(offer, tagged, lives),
        ccfb: config.ccfb && ccfb::is_said(config, offer, lives),
    };
    let mut meanings = Meanings::default();
    for (index, (view, place)) in View::all(offer).zip(&now.sections).enumerate() {
        let mut section = match described {
            Some(described) if lives(index) => {
                let transport = Transport { local, setup: setup(config, now, described.setup(Setup::Active)) };
                live(config, now, transport, (view, &mut meanings), (place, agreed))
            }
            Some(_) | None => {
                section::rejected(&view.section.media, &view.section.protocol, view.section.formats.first(), &place.mid)
            }
        };
        if tagged == Some(index) {
            section::put_candidates(&mut section, &local.candidates, local.end_of_candidates);
        }
        if view.attributes().mid().is_none() {
            // RFC 5888 §9.1: names are the offerer's to give.
            section.attributes.retain(|attribute| !matches!(attribute, Attribute::Mid(_)));
        }
        answer.media.push(section);
    }
    // RFC 9143 §7.3.1: the first of the answer's bundle is the first of the offer's that lives.
    let bundled = bundled(offer).into_iter().filter_map(|index| answer.media.get(index));
    let bundled = bundled.filter(|section| !section.is_rejected()).filter_map(|section| section.attributes.mid());
    let bundled = bundled.map(str::to_owned).collect();
    super::session_attributes(&mut answer, bundled);
    keep_offered(offer, &mut answer);
    answer
}

/// RFC 9429 §5.3.1: "the 'a=ice-options' line, with the 'trickle' option as specified in [RFC8840] and the 'ice2' option as
/// specified in [RFC8445], is only included if such an option was present in the offer"; so with RFC 8285 §6.
fn keep_offered(offer: &SessionDescription, answer: &mut SessionDescription) {
    let has_option = |name: &str| View::all(offer).any(|view| view.ice_option(name));
    let has_mixed = View::all(offer).any(|view| view.has(&Attribute::ExtmapAllowMixed));
    answer.attributes.retain_mut(|attribute| match attribute {
        Attribute::ExtmapAllowMixed => has_mixed,
        Attribute::IceOptions(options) => {
            let kept: Vec<_> = options.0.split(' ').filter(|option| has_option(option)).collect();
            options.0 = kept.join(" ");
            !options.0.is_empty()
        }
        _ => true,
    });
}

/// What is one answer for all sections.
#[derive(Clone, Copy)]
struct Agreed {
    cryptex: bool,
    ccfb: bool,
}

fn live<'a>(
    config: &Config,
    now: &Negotiation,
    transport: Transport<'_>,
    (offered, meanings): (View<'a>, &mut Meanings<'a>),
    (place, agreed): (&Section, Agreed),
) -> MediaDescription {
    let protocol = &offered.section.protocol;
    match now.transceiver(place.part) {
        None => {
            let says_init = offered.sctp_init().is_some() && now.may_say_init();
            section::data(config, transport, &place.mid, protocol, says_init)
        }
        Some(transceiver) => {
            let Agreed { cryptex, ccfb } = agreed;
            let (mut codecs, mut extensions) = (known(config, offered), answered_extensions(config, offered, meanings));
            if ccfb {
                codecs.iter_mut().for_each(|codec| codec.feedback.retain(|feedback| !ccfb::replaces(feedback)));
                extensions.retain(|extension| !ccfb::replaces_extension(&extension.uri));
            }
            let payload_types = codecs.iter().map(|codec| codec.payload_type).collect();
            let direction = direction(transceiver, offered);
            let media = Media {
                mid: &place.mid,
                kind: transceiver.kind,
                protocol,
                direction,
                codecs,
                extensions,
                simulcast: Simulcast::answered(config, transceiver, offered, direction, &payload_types),
                send: transceiver.send.as_ref(),
                is_new: false,
                rtcp_rsize: offered.has(&Attribute::RtcpRsize),
                cryptex,
                ccfb,
            };
            section::media(config, transport, &media)
        }
    }
}

/// RFC 3264 §6.1: what the offer allows and we want.
fn direction(transceiver: &Transceiver, offered: View<'_>) -> wigwag_sdp::Direction {
    transceiver.direction.and(offered.direction().reversed())
}

/// RFC 9429 §5.3.1: "The role value in the answer MUST be 'active' or 'passive'. When the offer contains the 'actpass'
/// value, as will always be the case with JSEP endpoints, the answerer SHOULD use the 'active' role. Offers from non-JSEP
/// endpoints MAY send other values for 'a=setup', in which case the answer MUST use a value consistent with the value in
/// the offer." A role that an association has already is kept (RFC 8842 §5.3).
fn setup(config: &Config, now: &Negotiation, offered: Setup) -> Setup {
    match offered {
        Setup::Active => Setup::Passive,
        Setup::Passive => Setup::Active,
        Setup::Actpass | Setup::Holdconn => match now.dtls_role.or(config.dtls_role).unwrap_or(DtlsRole::Client) {
            DtlsRole::Client => Setup::Active,
            DtlsRole::Server => Setup::Passive,
        },
    }
}
