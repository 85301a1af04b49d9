//! The table of signalling states, W3C WebRTC §4.3.1 and §4.4.1.5.

use super::super::signaling::Side;
use super::*;
use expect_test::expect;
use std::fmt::Write;

#[test]
fn the_table_is_w3cs() {
    use SdpType::{Answer, Offer, Pranswer, Rollback};
    let states = [
        SignalingState::Stable,
        SignalingState::HaveLocalOffer,
        SignalingState::HaveRemoteOffer,
        SignalingState::HaveLocalPranswer,
        SignalingState::HaveRemotePranswer,
        SignalingState::Closed,
    ];
    let mut table = String::new();
    for state in states {
        for side in [Side::Local, Side::Remote] {
            for kind in [Offer, Pranswer, Answer, Rollback] {
                if let Some(after) = state.after(side, kind) {
                    writeln!(
                        table,
                        "{state:20} {side:6?} {kind:8} {after}",
                        state = state.to_string(),
                        kind = kind.to_string()
                    )
                    .expect("a string grows");
                }
            }
        }
    }
    expect![[r#"
        stable               Local offer    have-local-offer
        stable               Remote offer    have-remote-offer
        have-local-offer     Local offer    have-local-offer
        have-local-offer     Local rollback stable
        have-local-offer     Remote offer    have-remote-offer
        have-local-offer     Remote pranswer have-remote-pranswer
        have-local-offer     Remote answer   stable
        have-local-offer     Remote rollback stable
        have-remote-offer    Local pranswer have-local-pranswer
        have-remote-offer    Local answer   stable
        have-remote-offer    Local rollback stable
        have-remote-offer    Remote offer    have-remote-offer
        have-remote-offer    Remote rollback stable
        have-local-pranswer  Local pranswer have-local-pranswer
        have-local-pranswer  Local answer   stable
        have-remote-pranswer Remote pranswer have-remote-pranswer
        have-remote-pranswer Remote answer   stable
    "#]]
    .assert_eq(&table);
}

#[test]
fn what_the_state_does_not_allow_is_refused_and_changes_nothing() {
    let mut a = Peer::new('A');
    a.jsep.want_data_channels();
    let error = a.jsep.create_answer(&a.local).expect_err("no offer").to_string();
    assert_eq!(error, "create_answer is not possible in the signaling state stable: no offer waits for an answer");
    assert!(a.jsep.rollback().is_err());
    let offer = a.jsep.create_offer(&a.local).expect("an offer");
    let error = a.jsep.set_remote_description(SdpType::Answer, offer.clone()).expect_err("no offer").to_string();
    assert_eq!(
        error,
        "set_remote_description (answer) is not possible in the signaling state stable: no offer waits for an answer"
    );
    assert!(a.jsep.set_local_description(SdpType::Answer, offer.clone()).is_err());
    a.jsep.set_local_description(SdpType::Offer, offer).expect("made last");
    a.jsep.close();
    assert_eq!(a.jsep.signaling_state(), SignalingState::Closed);
    assert!(a.jsep.create_offer(&a.local).is_err());
    assert!(!a.jsep.is_negotiation_needed());
}

#[test]
fn only_the_description_that_was_made_last_can_be_set() {
    let mut a = Peer::new('A');
    a.jsep.want_data_channels();
    let first = a.jsep.create_offer(&a.local).expect("an offer");
    a.add(MediaKind::Audio, Direction::Sendrecv, 1);
    a.jsep.create_offer(&a.local).expect("another");
    let error = a.jsep.set_local_description(SdpType::Offer, first).expect_err("not the last");
    assert_eq!(error.to_string(), "this offer is not the one that was made last, or it was changed");
    let mut changed = a.jsep.create_offer(&a.local).expect("an offer");
    changed.session_name = "another".to_owned();
    assert!(a.jsep.set_local_description(SdpType::Offer, changed).is_err());
    assert_eq!(a.jsep.signaling_state(), SignalingState::Stable);
    assert!(a.jsep.set_local(&a.local).is_ok());
}

#[test]
fn descriptions_are_pending_until_there_is_an_answer() {
    let (mut a, mut z) = (Peer::new('A'), Peer::new('Z'));
    a.jsep.want_data_channels();
    let offer = a.describe();
    assert_eq!(a.jsep.pending_local_description().map(|pending| &pending.sdp), Some(&offer));
    assert_eq!((a.jsep.current_local_description(), a.jsep.is_initial_offerer()), (None, Some(true)));
    z.set_remote(offer.clone());
    assert_eq!((z.jsep.current_remote_description(), z.jsep.is_initial_offerer()), (None, Some(false)));
    let answer = z.describe();
    a.set_remote(answer.clone());
    for peer in [&a, &z] {
        assert_eq!((peer.jsep.pending_local_description(), peer.jsep.pending_remote_description()), (None, None));
    }
    assert_eq!(a.jsep.current_remote_description().map(|current| &current.sdp), Some(&answer));
    assert_eq!(z.jsep.current_remote_description().map(|current| &current.sdp), Some(&offer));
    // The first offer was A's, whoever offers later.
    negotiate(&mut z, &mut a);
    assert_eq!((a.jsep.is_initial_offerer(), z.jsep.is_initial_offerer()), (Some(true), Some(false)));
}

#[test]
fn a_provisional_answer_is_followed_by_others() {
    let (mut a, mut z) = (Peer::new('A'), Peer::new('Z'));
    a.jsep.want_data_channels();
    z.set_remote(a.describe());
    let provisional = z.jsep.create_answer(&z.local).expect("an answer");
    z.jsep.set_local_description(SdpType::Pranswer, provisional.clone()).expect("a provisional answer");
    a.jsep.set_remote_description(SdpType::Pranswer, provisional).expect("a provisional answer");
    assert_eq!(a.jsep.signaling_state(), SignalingState::HaveRemotePranswer);
    assert!(a.jsep.dtls_role().is_some() && a.jsep.rollback().is_err());
    let answer = z.jsep.create_answer(&z.local).expect("an answer");
    z.jsep.set_local_description(SdpType::Answer, answer.clone()).expect("the answer");
    a.set_remote(answer);
    assert_eq!((a.jsep.signaling_state(), z.jsep.signaling_state()), (SignalingState::Stable, SignalingState::Stable));
}

#[test]
fn a_rollback_restores_what_was() {
    let (mut a, mut z) = (Peer::new('A'), Peer::new('Z'));
    let audio = a.add(MediaKind::Audio, Direction::Sendrecv, 1);
    negotiate(&mut a, &mut z);
    let before = a.jsep.now.clone();
    let video = a.add(MediaKind::Video, Direction::Sendrecv, 2);
    a.describe();
    assert_eq!(a.transceiver(video).mid.as_deref(), Some("1"));
    a.jsep.rollback().expect("an offer to take back");
    assert_eq!((a.transceiver(video).mid.as_deref(), a.jsep.signaling_state()), (None, SignalingState::Stable));
    assert_eq!(a.transceiver(audio), &before.transceivers[&audio]);
    assert_eq!((&a.jsep.now.sections, &a.jsep.now.remote), (&before.sections, &before.remote));
    assert!(a.jsep.is_negotiation_needed());

    // The peer's offer makes transceivers that a rollback takes away, but not one that the application has touched.
    z.add(MediaKind::Video, Direction::Sendonly, 3);
    z.add(MediaKind::Audio, Direction::Sendonly, 4);
    let mut b = Peer::new('B');
    b.set_remote(z.jsep.create_offer(&z.local).expect("an offer"));
    assert_eq!(b.jsep.transceivers().count(), 3);
    let touched = b.jsep.transceivers().next().expect("three").id;
    b.jsep.set_direction(touched, Direction::Sendrecv).expect("it lives");
    let nothing = SessionDescription::parse("v=0\no=- 1 1 IN IP4 ::\ns=-\nt=0 0\n").expect("a head");
    b.jsep.set_remote_description(SdpType::Rollback, nothing).expect("an offer to take back");
    assert_eq!(b.jsep.transceivers().map(|left| (left.id, left.mid.clone())).collect::<Vec<_>>(), [(touched, None)]);
    assert_eq!((b.jsep.remote_description(), b.jsep.remote_transport()), (None, None));
}

#[test]
fn an_offer_that_meets_our_own_takes_its_place() {
    let (mut a, mut z) = (Peer::new('A'), Peer::new('Z'));
    let audio = a.add(MediaKind::Audio, Direction::Sendrecv, 1);
    z.add(MediaKind::Audio, Direction::Sendrecv, 2);
    z.jsep.want_data_channels();
    a.describe();
    let offer = z.describe();
    a.jsep.set_remote_description(SdpType::Offer, offer).expect("the polite peer takes it");
    assert_eq!(a.jsep.signaling_state(), SignalingState::HaveRemoteOffer);
    assert_eq!(a.jsep.is_initial_offerer(), Some(false));
    z.set_remote(a.describe());
    assert_eq!(a.transceiver(audio).current_direction, Some(Direction::Sendrecv));
    assert!(!a.jsep.is_negotiation_needed());
}

/// Neither by an offer that it could be refused in: it would ask for negotiations for ever.
#[test]
fn what_is_stopped_in_an_offer_that_meets_another_is_gone() {
    let (mut a, mut z) = (Peer::new('A'), Peer::new('Z'));
    let audio = a.add(MediaKind::Audio, Direction::Sendrecv, 1);
    negotiate(&mut a, &mut z);
    let video = a.add(MediaKind::Video, Direction::Sendrecv, 2);
    z.add(MediaKind::Video, Direction::Sendrecv, 3);
    a.describe();
    a.jsep.stop(video).expect("it lives");
    let offer = z.describe();
    a.jsep.set_remote_description(SdpType::Offer, offer).expect("the polite peer takes it");
    assert_eq!(a.jsep.transceiver(video), None);
    z.set_remote(a.describe());
    assert_eq!(a.jsep.transceivers().map(|left| left.mid.as_deref()).collect::<Vec<_>>(), [Some("0"), Some("1")]);
    assert!(!a.jsep.is_negotiation_needed() && !a.transceiver(audio).is_stopping);
}
