//! Whether headers are encrypted (RFC 9335): `a=cryptex`, as both sides say it.

use super::super::{Error, HeaderEncryption, Transceiver};
use super::*;
use HeaderEncryption::{Disable, Negotiate, Require};

fn peer(name: char, header_encryption: HeaderEncryption) -> Peer {
    Peer::with(name, Config { header_encryption, ..Config::default() })
}

/// Sound, pictures and data.
fn caller(header_encryption: HeaderEncryption) -> Peer {
    let mut a = peer('A', header_encryption);
    a.add(MediaKind::Audio, Direction::Sendrecv, 1);
    a.add(MediaKind::Video, Direction::Sendrecv, 2);
    a.jsep.want_data_channels();
    a
}

/// The sections that say it.
fn said(sdp: &SessionDescription) -> Vec<&str> {
    let sections = sdp.media.iter().filter(|section| section.attributes.contains(&wigwag_sdp::Attribute::Cryptex));
    sections.map(|section| section.media.as_str()).collect()
}

/// What the machine says of the whole, and of each transceiver.
fn agreed(peer: &Peer) -> (bool, Vec<bool>) {
    let of = |transceiver: &Transceiver| transceiver.negotiated.as_ref().is_some_and(|agreed| agreed.cryptex);
    (peer.jsep.is_header_encrypted(), peer.jsep.transceivers().map(of).collect())
}

/// The description with this line behind each of those that begin so, and without those that there were.
fn with_line_behind(sdp: &SessionDescription, starts: &[&str]) -> SessionDescription {
    let text = sdp.to_string().replace("a=cryptex\r\n", "");
    let lines = text.lines().map(|line| {
        let is_one = starts.iter().any(|start| line.starts_with(start));
        format!("{line}\r\n{}", if is_one { "a=cryptex\r\n" } else { "" })
    });
    SessionDescription::parse(&lines.collect::<String>()).expect("a description")
}

fn refusal(index: usize) -> Error {
    Error::InvalidSection {
        index,
        problem: "a=cryptex is missing: header_encryption requires that headers are encrypted (RFC 9335)",
    }
}

/// W3C's draft has two policies, of which the second refuses "if the description does not support RFC 9335".
#[test]
fn what_both_want_is_agreed_and_what_one_requires_the_other_must_not_lack() {
    for (ours, theirs, offered, answered) in [
        (Disable, Disable, false, false),
        (Disable, Negotiate, false, false),
        (Negotiate, Disable, true, false),
        (Negotiate, Negotiate, true, true),
        (Negotiate, Require, true, true),
        (Require, Negotiate, true, true),
        (Require, Require, true, true),
    ] {
        let (mut a, mut z) = (caller(ours), peer('Z', theirs));
        let (offer, answer) = negotiate(&mut a, &mut z);
        let media = |is_said| if is_said { vec!["audio", "video"] } else { vec![] };
        assert_eq!((said(&offer), said(&answer)), (media(offered), media(answered)), "{ours:?} {theirs:?}");
        for peer in [&a, &z] {
            assert_eq!(agreed(peer), (answered, vec![answered; 2]), "{ours:?} {theirs:?}");
        }
    }
    let (mut a, mut z) = (caller(Disable), peer('Z', Require));
    assert_eq!(z.jsep.set_remote_description(SdpType::Offer, a.describe()), Err(refusal(0)));
    assert_eq!((z.jsep.signaling_state(), agreed(&z)), (SignalingState::Stable, (false, vec![])));
    let (mut a, mut z) = (caller(Require), peer('Z', Disable));
    z.set_remote(a.describe());
    assert_eq!(a.jsep.set_remote_description(SdpType::Answer, z.describe()), Err(refusal(0)));
    assert_eq!((a.jsep.signaling_state(), agreed(&a)), (SignalingState::HaveLocalOffer, (false, vec![false; 2])));
}

/// RFC 9335 §4: "at the session level or media level", and in a bundle in all sections of media. Of the TRANSPORT category, it may stand
/// in the bundle's first section for all (RFC 9143 §7.1.3).
#[test]
fn it_is_read_where_it_may_stand_and_means_all_of_the_bundle_or_nothing() {
    for (starts, is_agreed) in [
        (&["t="][..], true),
        (&["m=audio", "m=video"], true),
        (&["m=audio"], true),
        (&["m=video"], false),
        (&["m=application"], false),
        (&["m=video", "m=application"], false),
        (&[], false),
    ] {
        for policy in [Negotiate, Require] {
            let (mut a, mut z) = (caller(policy), peer('Z', policy));
            let offer = attributes_behind(&a.describe(), starts);
            let result = z.jsep.set_remote_description(SdpType::Offer, offer);
            match (policy, is_agreed) {
                (Require, false) => assert_eq!(result, Err(refusal(0)), "{starts:?}"),
                _ => assert_eq!(
                    (result, said(&z.describe()).len()),
                    (Ok(()), if is_agreed { 2 } else { 0 }),
                    "{starts:?}"
                ),
            }
            let mut z = peer('Z', Negotiate);
            z.set_remote(a.jsep.local_description().expect("an offer").sdp.clone());
            let answer = attributes_behind(&z.describe(), starts);
            let result = a.jsep.set_remote_description(SdpType::Answer, answer);
            match (policy, is_agreed) {
                (Require, false) => assert_eq!(result, Err(refusal(0)), "{starts:?}"),
                _ => assert_eq!((result, agreed(&a).0), (Ok(()), is_agreed), "{starts:?}"),
            }
        }
    }
}

/// Lines of the session that are attributes come behind `t=`; those of a section behind its `c=`.
fn attributes_behind(sdp: &SessionDescription, starts: &[&str]) -> SessionDescription {
    let mut sdp = with_line_behind(sdp, &[]);
    for start in starts {
        match start.strip_prefix("m=") {
            None => sdp.attributes.push(wigwag_sdp::Attribute::Cryptex),
            Some(media) => {
                let section = sdp.media.iter_mut().find(|section| section.media == media).expect("a section");
                section.attributes.push(wigwag_sdp::Attribute::Cryptex);
            }
        }
    }
    sdp
}

#[test]
fn an_answer_that_says_what_was_not_offered_agrees_on_nothing() {
    let (mut a, mut z) = (caller(Disable), peer('Z', Negotiate));
    z.set_remote(a.describe());
    a.set_remote(attributes_behind(&z.describe(), &["m=audio", "m=video"]));
    assert_eq!(agreed(&a), (false, vec![false; 2]));
}

#[test]
fn a_section_that_is_refused_and_one_of_data_need_not_say_it() {
    let (mut a, mut z) = (caller(Require), peer('Z', Require));
    let offer = a.describe().to_string().replace("m=video 9 ", "m=video 0 ");
    let offer = attributes_behind(&SessionDescription::parse(&offer).expect("an offer"), &["m=audio"]);
    z.set_remote(offer);
    assert_eq!(said(&z.describe()), ["audio"]);
    assert_eq!(agreed(&z), (true, vec![true]));
    let (mut a, mut z) = (peer('A', Require), peer('Z', Require));
    a.jsep.want_data_channels();
    let (offer, answer) = negotiate(&mut a, &mut z);
    assert_eq!(
        (said(&offer), said(&answer), agreed(&a), agreed(&z)),
        (vec![], vec![], (false, vec![]), (false, vec![]))
    );
}

/// RFC 9335 §4: "Both endpoints can change the Cryptex support status by modifying the session".
#[test]
fn later_offers_say_it_again_and_a_peer_may_cease_to() {
    let (mut a, mut z) = (caller(Negotiate), peer('Z', Negotiate));
    negotiate(&mut a, &mut z);
    z.add(MediaKind::Audio, Direction::Sendrecv, 3);
    let (offer, answer) = negotiate(&mut z, &mut a);
    assert_eq!((said(&offer), said(&answer)), (vec!["audio", "video", "audio"], vec!["audio", "video", "audio"]));
    assert_eq!((agreed(&a), agreed(&z)), ((true, vec![true; 3]), (true, vec![true; 3])));
    let offer = with_line_behind(&z.describe(), &[]);
    a.set_remote(offer.clone());
    assert!(agreed(&a).0, "as long as it is not answered");
    a.jsep.rollback().expect("an offer");
    assert_eq!(agreed(&a), (true, vec![true; 3]));
    a.set_remote(offer);
    let answer = a.describe();
    assert_eq!((said(&answer), agreed(&a)), (vec![], (false, vec![false; 3])));
    z.set_remote(answer);
    assert_eq!(agreed(&z), (false, vec![false; 3]));
    negotiate(&mut a, &mut z);
    assert_eq!((agreed(&a), agreed(&z)), ((true, vec![true; 3]), (true, vec![true; 3])));
}
