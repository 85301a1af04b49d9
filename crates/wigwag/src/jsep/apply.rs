//! Applies descriptions (RFC 9429 §5.9 to §5.11). Each function works on a copy: an error leaves nothing half done.

use super::ccfb;
use super::codecs::{common, common_extensions, known};
use super::config::{Config, DtlsRole, HeaderExtension, MediaKind};
use super::cryptex;
use super::error::Error;
use super::negotiation::{Negotiation, Part, Section};
use super::simulcast;
use super::transceiver::{MediaParameters, Transceiver, TransceiverId};
use super::transport::{DataParameters, RemoteTransport, are_same};
use super::view::{View, bundled, describing, refused_first, tagged};
use std::collections::BTreeSet;
use wigwag_sctp::PeerInit;
use wigwag_sdp::{Attribute, Direction, RidDirection, SessionDescription, Setup};

/// Applies the peer's offer: finds or makes what its sections are for.
pub(super) fn remote_offer(now: &mut Negotiation, config: &Config, offer: &SessionDescription) -> Result<(), Error> {
    if offer.media.len() < now.sections.len() {
        return Err(Error::description("it has fewer m-sections than the last one (RFC 3264 §8)"));
    }
    let mids = unique_mids(offer)?;
    same_places(now, offer)?;
    let acceptable = acceptable(config, offer);
    for (index, view) in View::all(offer).enumerate() {
        let accepted = acceptable.contains(&index);
        if accepted && now.data.is_none() {
            peer_init(config, index, view)?;
        }
        place(now, index, view, accepted, &mids);
    }
    let lives =
        |index: usize| acceptable.contains(&index) && now.sections.get(index).is_some_and(|s| !now.ends(s.part));
    let tagged = tagged(offer, lives);
    cryptex::required(config, offer, tagged, lives)?;
    transport(now, offer, tagged, false)?;
    muxed(offer, tagged, |index| acceptable.contains(&index))
}

fn unique_mids(session: &SessionDescription) -> Result<BTreeSet<&str>, Error> {
    let mut mids = BTreeSet::new();
    for (index, section) in session.media.iter().enumerate() {
        // RFC 5888 §4: "The identification-tag MUST be unique within an SDP session description."
        if section.attributes.mid().is_some_and(|mid| !mids.insert(mid)) {
            return Err(Error::section(index, "another section has the same a=mid"));
        }
    }
    Ok(mids)
}

/// RFC 9429 §5.10, RFC 3264 §8: a section that is in use keeps its place, name and kind.
fn same_places(now: &Negotiation, offer: &SessionDescription) -> Result<(), Error> {
    let used = offer.media.iter().zip(&now.sections).enumerate().filter(|(_, (_, place))| place.part != Part::Nothing);
    for (index, (section, place)) in used {
        if section.media != place.media {
            return Err(Error::section(index, "it was of another kind, and was not rejected since"));
        }
        if !place.is_made_up && section.attributes.mid().is_some_and(|mid| mid != place.mid) {
            return Err(Error::section(index, "it had another a=mid, and was not rejected since"));
        }
    }
    Ok(())
}

/// The sections that we can accept on one transport: with a profile, codec or protocol that we know, and bundled with
/// the first of them.
fn acceptable(config: &Config, offer: &SessionDescription) -> BTreeSet<usize> {
    let mut has_data = false;
    let bundle: BTreeSet<_> = bundled(offer).into_iter().collect();
    // RFC 9143 §6: whoever says `bundle-only` wants the section accepted only if it is kept within the bundle.
    let is_open = |index: &usize, view: &View<'_>| view.section.port != 0 || bundle.contains(index);
    let mut acceptable: BTreeSet<_> = View::all(offer)
        .enumerate()
        .filter(|(index, view)| !view.section.is_rejected() && is_open(index, view) && view.protocol_is_known())
        .filter(|(_, view)| match view.kind() {
            Some(_) => !known(config, *view).is_empty(),
            None => !std::mem::replace(&mut has_data, true),
        })
        .map(|(index, _)| index)
        .collect();
    let first = tagged(offer, |index| acceptable.contains(&index));
    let is_bundled = first.is_some_and(|first| bundle.contains(&first));
    acceptable.retain(|index| Some(*index) == first || (is_bundled && bundle.contains(index)));
    acceptable
}

/// Gives a section of the peer's offer its place, and finds what it is for.
fn place(now: &mut Negotiation, index: usize, view: View<'_>, accepted: bool, mids: &BTreeSet<&str>) {
    let before = now.sections.get(index).map(|section| section.part).unwrap_or(Part::Nothing);
    if !accepted {
        now.end(index);
    }
    let mid = match (view.attributes().mid(), now.sections.get(index)) {
        (Some(mid), _) => mid.to_owned(),
        (None, Some(section)) if !mids.contains(section.mid.as_str()) => section.mid.clone(),
        (None, _) => made_up(index, mids),
    };
    let part = match (accepted, view.kind()) {
        (false, _) => Part::Nothing,
        (true, None) => Part::Data,
        (true, Some(kind)) => Part::Media(match before {
            Part::Media(id) if now.transceivers.contains_key(&id) => id,
            Part::Media(_) | Part::Data | Part::Nothing => associate(now, kind, view.direction()),
        }),
    };
    if let Part::Media(id) = part
        && let Some(transceiver) = now.transceivers.get_mut(&id)
    {
        transceiver.mid = Some(mid.clone());
    }
    let is_made_up = view.attributes().mid().is_none();
    let (media, protocol) = (view.section.media.clone(), view.section.protocol.clone());
    let section = Section { mid, is_made_up, media, protocol, part };
    match now.sections.get_mut(index) {
        Some(place) => *place = section,
        None => now.sections.push(section),
    }
}

/// RFC 9429 §5.10 has the answerer make up the name of a section that has none; it only needs to be no other's.
fn made_up(index: usize, mids: &BTreeSet<&str>) -> String {
    let mut mid = format!("unnamed{index}");
    while mids.contains(mid.as_str()) {
        mid.push('x');
    }
    mid
}

/// RFC 9429 §5.10: "If the 'm=' section is sendrecv or recvonly, and there are RtpTransceivers of the same type that were
/// added to the PeerConnection by addTrack and are not associated with any 'm=' section and are not stopped, find the
/// first ... such RtpTransceiver. If no RtpTransceiver was found in the previous step, create one with a recvonly
/// direction."
fn associate(now: &mut Negotiation, kind: MediaKind, offered: Direction) -> TransceiverId {
    let waits = |transceiver: &&Transceiver| {
        transceiver.kind == kind && transceiver.may_be_offered && transceiver.mid.is_none() && !transceiver.is_stopping
    };
    let waiting = now.transceivers.values().find(waits).filter(|_| offered.receives()).map(|found| found.id);
    waiting.unwrap_or_else(|| {
        now.add(|id| Transceiver {
            id,
            kind,
            mid: None,
            direction: Direction::Recvonly,
            current_direction: None,
            send: None,
            receive_layers: Vec::new(),
            is_stopping: false,
            negotiated: None,
            may_be_offered: false,
            is_tentative: true,
        })
    })
}

/// Settles what an answer says, whoever gave it.
pub(super) fn answer(
    now: &mut Negotiation,
    config: &Config,
    local: &SessionDescription,
    remote: &SessionDescription,
    we_answer: bool,
    is_final: bool,
) -> Result<(), Error> {
    let (answer, offer) = if we_answer { (local, remote) } else { (remote, local) };
    matching(offer, answer)?;
    let lives = |index: usize| answer.media.get(index).is_some_and(|section| !section.is_rejected());
    let tagged = tagged(answer, lives);
    all_bundled(answer, tagged)?;
    cryptex::required(config, remote, tagged, lives)?;
    now.cryptex = [local, remote].into_iter().all(|sdp| cryptex::is_said(sdp, tagged, lives));
    now.ccfb = config.ccfb && [local, remote].into_iter().all(|sdp| ccfb::is_said(config, sdp, lives));
    for (index, (local, remote)) in View::all(local).zip(View::all(remote)).enumerate() {
        if lives(index) {
            settle(now, config, index, local, remote)?;
        } else if is_final {
            now.end(index);
        }
    }
    transport(now, remote, tagged, !we_answer)?;
    muxed(remote, tagged, lives)?;
    let setup = tagged.and_then(|index| View::all(answer).nth(index)).map(|view| view.setup(Setup::Passive));
    now.dtls_role = now.dtls_role.or(match (setup, we_answer) {
        (Some(Setup::Active), true) | (Some(Setup::Passive), false) => Some(DtlsRole::Client),
        (Some(Setup::Passive), true) | (Some(Setup::Active), false) => Some(DtlsRole::Server),
        (Some(Setup::Actpass | Setup::Holdconn) | None, _) => None,
    });
    Ok(())
}

/// RFC 3264 §6, RFC 9429 §5.11: an answer has the offer's sections.
fn matching(offer: &SessionDescription, answer: &SessionDescription) -> Result<(), Error> {
    if offer.media.len() != answer.media.len() {
        return Err(Error::description("an answer has as many m-sections as the offer (RFC 3264 §6)"));
    }
    for (index, (offered, answered)) in offer.media.iter().zip(&answer.media).enumerate() {
        if offered.media != answered.media {
            return Err(Error::section(index, "the offer's is of another kind"));
        }
        let mid = answered.attributes.mid();
        if mid.is_some() && mid != offered.attributes.mid() {
            return Err(Error::section(index, "the offer's has another a=mid"));
        }
        if offered.is_rejected() && !answered.is_rejected() {
            return Err(Error::section(index, "it accepts what was not offered"));
        }
    }
    Ok(())
}

/// There is one transport: whoever accepts two sections must bundle them.
fn all_bundled(answer: &SessionDescription, tagged: Option<usize>) -> Result<(), Error> {
    let bundle: BTreeSet<_> = bundled(answer).into_iter().collect();
    let mut live = answer.media.iter().enumerate().filter(|(_, section)| !section.is_rejected());
    match live.find(|(index, _)| Some(*index) != tagged && !bundle.contains(index)) {
        Some((index, _)) => Err(Error::section(index, "it is accepted and not in the bundle; there is one transport")),
        None => Ok(()),
    }
}

/// What the peer tells of the beginning of its association.
///
/// draft-hancke-tsvwg-snap §5.3, §5.5: what is no Base64, or no INIT, "results in an error".
fn peer_init(config: &Config, index: usize, remote: View<'_>) -> Result<Option<PeerInit>, Error> {
    const PROBLEM: &str = "a=sctp-init is not the INIT chunk of an association in Base64: without the line, the handshake of SCTP is made";
    let Some(line) = remote.sctp_init().filter(|_| config.sctp_snap) else { return Ok(None) };
    let init = line.chunk().and_then(|chunk| PeerInit::decode(&chunk).ok());
    init.map(Some).ok_or(Error::section(index, PROBLEM))
}

/// The beginning of the peer's association, if each has told the other. Some who know nothing of it answer with the offer's line:
/// they have not told.
fn agreed_init(config: &Config, index: usize, local: View<'_>, remote: View<'_>) -> Result<Option<PeerInit>, Error> {
    let init = peer_init(config, index, remote)?;
    Ok(init.filter(|_| local.sctp_init().is_some_and(|ours| Some(ours) != remote.sctp_init())))
}

fn settle(
    now: &mut Negotiation,
    config: &Config,
    index: usize,
    local: View<'_>,
    remote: View<'_>,
) -> Result<(), Error> {
    let (cryptex, ccfb) = (now.cryptex, now.ccfb);
    let Some(section) = now.sections.get_mut(index) else { return Ok(()) };
    section.protocol.clone_from(&local.section.protocol);
    match section.part {
        Part::Nothing => Ok(()),
        Part::Data => {
            let remote_port = remote.remote_sctp_port();
            let remote_port = remote_port
                .ok_or(Error::section(index, "its m= line, or its a=sctp-port, is not that of data channels"))?;
            let max_message_size = match remote.attributes().max_message_size() {
                // RFC 8841 §6.1: "If the SDP 'max-message-size' attribute is not present, the default value is 64K."
                None => 65_536,
                // ... and zero means any size.
                Some(0) => u64::MAX,
                Some(size) => size,
            };
            // How an association has begun, it goes on.
            let peer_init = match now.data {
                Some(before) => before.peer_init,
                None => agreed_init(config, index, local, remote)?,
            };
            now.data = Some(DataParameters { local_port: config.sctp_port, remote_port, max_message_size, peer_init });
            Ok(())
        }
        Part::Media(id) => {
            let mut parameters = MediaParameters { cryptex, ccfb, ..parameters(config, local, remote) };
            if ccfb {
                let codecs = parameters.send_codecs.iter_mut().chain(&mut parameters.receive_codecs);
                codecs.for_each(|codec| codec.feedback.retain(|feedback| !ccfb::replaces(feedback)));
                parameters.extensions.retain(|extension| !ccfb::replaces_extension(&extension.uri));
            }
            if parameters.send_codecs.is_empty() {
                return Err(Error::section(index, "it accepts none of the codecs that were offered"));
            }
            if let Some(transceiver) = now.transceivers.get_mut(&id) {
                transceiver.mid = local.attributes().mid().map_or(transceiver.mid.take(), |mid| Some(mid.to_owned()));
                let direction = local.direction().and(remote.direction().reversed());
                keep_layers(&mut parameters, transceiver.negotiated.as_ref(), direction);
                transceiver.current_direction = Some(direction);
                transceiver.negotiated = Some(parameters);
                transceiver.is_tentative = false;
            }
            Ok(())
        }
    }
}

fn parameters(config: &Config, local: View<'_>, remote: View<'_>) -> MediaParameters {
    let (send_codecs, receive_codecs) = common(config, local, remote);
    let mut parameters = MediaParameters {
        send_codecs,
        receive_codecs,
        extensions: common_extensions(config, local, remote),
        extmap_allow_mixed: local.has(&Attribute::ExtmapAllowMixed) && remote.has(&Attribute::ExtmapAllowMixed),
        rtcp_rsize: local.has(&Attribute::RtcpRsize) && remote.has(&Attribute::RtcpRsize),
        ..MediaParameters::default()
    };
    layers(&mut parameters, local, remote);
    streams(&mut parameters, remote);
    tracks(&mut parameters, remote);
    parameters
}

/// The layers that both sides name, if their packets can name them.
fn layers(parameters: &mut MediaParameters, local: View<'_>, remote: View<'_>) {
    let named = parameters.extensions.iter().find(|extension| extension.uri == HeaderExtension::RID);
    let (sends, receives) = named.map_or((false, false), |named| (named.sends, named.receives));
    if sends {
        parameters.send_layers = simulcast::agreed(local, RidDirection::Send, remote, parameters);
    }
    if receives {
        parameters.receive_layers = simulcast::agreed(local, RidDirection::Recv, remote, parameters);
    }
}

/// As long as nothing is sent in a direction, descriptions say nothing of its layers (RFC 9429 §5.2.1): they are as before.
fn keep_layers(parameters: &mut MediaParameters, before: Option<&MediaParameters>, direction: Direction) {
    let Some(before) = before else { return };
    if !direction.sends() {
        parameters.send_layers.clone_from(&before.send_layers);
    }
    if !direction.receives() {
        parameters.receive_layers.clone_from(&before.receive_layers);
    }
}

/// The streams that the peer announces (RFC 5576).
fn streams(parameters: &mut MediaParameters, remote: View<'_>) {
    for group in remote.attributes().ssrc_groups().filter(|group| group.semantics == "FID") {
        if let [media, rtx] = group.ssrcs.as_slice() {
            parameters.remote_rtx.push((*media, *rtx));
        }
    }
    let rtx: BTreeSet<_> = parameters.remote_rtx.iter().map(|(_, rtx)| *rtx).collect();
    let mut seen = BTreeSet::new();
    let media = remote.attributes().ssrcs().map(|line| line.ssrc);
    parameters.remote_ssrcs = media.filter(|ssrc| !rtx.contains(ssrc) && seen.insert(*ssrc)).collect();
}

/// The peer's names for what it sends (RFC 8830), which older stacks write as `a=ssrc:… msid:stream track`.
fn tracks(parameters: &mut MediaParameters, remote: View<'_>) {
    let older = remote.attributes().ssrcs().filter(|line| line.attribute == "msid").filter_map(|line| {
        let value = line.value.as_deref()?;
        Some(value.split_once(' ').map_or((value, None), |(stream, track)| (stream, Some(track))))
    });
    let named = remote.attributes().msids().map(|msid| (msid.stream.as_str(), msid.track.as_deref()));
    let mut names: Vec<_> = named.collect();
    if names.is_empty() {
        names = older.take(1).collect();
    }
    parameters.remote_track_id = names.iter().find_map(|(_, track)| track.map(str::to_owned));
    parameters.remote_stream_ids =
        names.iter().map(|(stream, _)| *stream).filter(|stream| *stream != "-").map(str::to_owned).collect();
}

/// Reads the peer's transport from its tagged section.
fn transport(
    now: &mut Negotiation,
    remote: &SessionDescription,
    tagged: Option<usize>,
    is_answer: bool,
) -> Result<(), Error> {
    let Some((index, view)) = tagged.and_then(|index| Some((index, describing(remote, index)?))) else {
        now.remote = None;
        return Ok(());
    };
    secured(index, view)?;
    let new = read(now, index, view);
    if now.remote.as_ref().is_some_and(|before| !are_same(&before.fingerprints, &new.fingerprints)) {
        // RFC 8842 §4: a new DTLS association takes new ICE credentials with it.
        if now.remote.as_ref().is_some_and(|before| before.generation == new.generation) {
            return Err(Error::section(index, "a=fingerprint changed, and ICE was not restarted (RFC 8842 §4)"));
        }
        now.dtls_role = None;
    }
    let setup = view.setup(if is_answer { Setup::Passive } else { Setup::Active });
    // Firefox answers each restart as `active`, and goes on with the association that it has: so do we.
    let is_restart_answered =
        is_answer && now.remote.as_ref().is_some_and(|before| before.generation != new.generation);
    match (setup, now.dtls_role, is_answer) {
        (Setup::Holdconn, ..) => return Err(Error::section(index, "a=setup is holdconn: nothing would be opened")),
        (Setup::Actpass, _, true) => return Err(Error::section(index, "a=setup of an answer is active or passive")),
        // RFC 9429 §5.8.3: it "MUST be consistent with the selected role of the current DTLS connection, if one exists".
        (Setup::Active, Some(DtlsRole::Client), _) | (Setup::Passive, Some(DtlsRole::Server), _)
            if !is_restart_answered =>
        {
            return Err(Error::section(index, "a=setup would change the roles of the DTLS connection"));
        }
        (Setup::Active | Setup::Passive | Setup::Actpass, ..) => {}
    }
    now.remote = Some(new);
    Ok(())
}

/// RFC 9429 §5.8.3: "For each 'm=' section, valid values for each of the mandatory-to-use features ... MUST be present.
/// These values MAY be either present at the media level or inherited from the session level. ICE ufrag and password values
/// ... DTLS fingerprint values, where at least one fingerprint MUST be present. ... If any of the preceding checks failed,
/// processing MUST stop and an error MUST be returned."
fn secured(index: usize, view: View<'_>) -> Result<(), Error> {
    // RFC 8839 §5.4: 4 to 256 and 22 to 256 characters.
    if !(4..=256).contains(&view.ufrag().len()) || !(22..=256).contains(&view.pwd().len()) {
        return Err(Error::section(index, "a=ice-ufrag of 4 to 256 and a=ice-pwd of 22 to 256 characters are missing"));
    }
    if view.fingerprints().is_empty() {
        return Err(Error::section(index, "a=fingerprint is missing: nothing is sent or taken without DTLS"));
    }
    Ok(())
}

/// RFC 9429 §5.8.3: "If the RTP/RTCP multiplexing policy is 'require', each 'm=' section MUST contain an 'a=rtcp-mux' attribute." RFC
/// 9143 §7.1.3 has it stand in the tagged section alone, also if that is of data channels.
fn muxed(session: &SessionDescription, tagged: Option<usize>, lives: impl Fn(usize) -> bool) -> Result<(), Error> {
    let is_muxed = tagged.and_then(|index| describing(session, index)).is_some_and(View::rtcp_mux);
    let lacks = |(index, view): &(usize, View<'_>)| lives(*index) && view.kind().is_some() && !view.rtcp_mux();
    match View::all(session).enumerate().find(lacks).filter(|_| !is_muxed) {
        Some((index, _)) => Err(Error::section(index, "a=rtcp-mux is missing")),
        None => Ok(()),
    }
}

fn read(now: &Negotiation, index: usize, view: View<'_>) -> RemoteTransport {
    let (ufrag, pwd) = (view.ufrag().to_owned(), view.pwd().to_owned());
    let generation = match &now.remote {
        Some(before) if before.ufrag == ufrag && before.pwd == pwd => before.generation,
        Some(before) => before.generation.wrapping_add(1),
        None => 0,
    };
    let own = View::all(view.session).nth(index);
    let mid = own.and_then(|own| own.attributes().mid()).map(str::to_owned);
    // Some tell candidates in the first section alone (pion), as if it could not be refused.
    let first = refused_first(view.session, index).filter(|(_, first)| first.ufrag() == ufrag && first.pwd() == pwd);
    let views = [own, first.map(|(_, first)| first)].into_iter().flatten();
    // Component 2 is RTCP's without rtcp-mux.
    let candidates = views.clone().flat_map(|view| view.attributes().candidates());
    let mut candidates: Vec<_> = candidates.filter(|candidate| candidate.component == 1).cloned().collect();
    candidates.shrink_to_fit();
    RemoteTransport {
        mid: mid.or_else(|| now.sections.get(index).map(|section| section.mid.clone())).unwrap_or_default(),
        m_line_index: index,
        refused_first: first.map(|(index, first)| (first.attributes().mid().unwrap_or_default().to_owned(), index)),
        ufrag,
        pwd,
        fingerprints: view.fingerprints(),
        candidates,
        end_of_candidates: views.clone().any(|view| view.has(&Attribute::EndOfCandidates)),
        ice_lite: view.session.attributes.contains(&Attribute::IceLite),
        trickle: view.ice_option("trickle"),
        generation,
    }
}
