//! Peers and callers that do what is allowed and seldom done.

use super::super::HeaderExtension;
use super::*;

/// A peer's description of sections in one bundle, with whatever lines they have.
fn description(session: &str, sections: &[&str]) -> SessionDescription {
    let head = "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nt=0 0\na=ice-ufrag:abcd\na=ice-pwd:0123456789012345678901\n\
                a=fingerprint:sha-256 AA:BB\na=setup:actpass\n";
    SessionDescription::parse(&format!("{head}{session}{}", sections.concat())).expect("it reads")
}

/// RFC 8866 §6.7: what the session says of the direction holds for sections that say nothing.
#[test]
fn a_direction_of_the_whole_session_asks_for_no_negotiation() {
    let mut z = Peer::new('Z');
    let id = z.add(MediaKind::Audio, Direction::Sendrecv, 1);
    z.set_remote(description("a=recvonly\n", &["m=audio 9 UDP/TLS/RTP/SAVPF 0\na=mid:0\na=rtcp-mux\n"]));
    z.describe();
    assert_eq!(z.transceiver(id).current_direction, Some(Direction::Sendonly));
    assert!(!z.jsep.is_negotiation_needed());
}

/// RFC 9143 §9.1: of a bundle, a number means one extension in all sections. Packets are read by one table of numbers.
#[test]
fn what_gives_a_number_of_the_bundle_a_second_meaning_is_not_answered() {
    let (cc, mid) = (HeaderExtension::TRANSPORT_CC, HeaderExtension::MID);
    let section = |kind, name, (first, second): ((u8, &str), (u8, &str))| {
        let extensions = format!("a=extmap:{} {}\na=extmap:{} {}\n", first.0, first.1, second.0, second.1);
        format!("m={kind} 9 UDP/TLS/RTP/SAVPF 96\na=mid:{name}\na=rtcp-mux\n{extensions}a=rtpmap:96 ")
    };
    for (of_video, answered) in [
        (((3, mid), (5, cc)), vec![3, 5]),
        (((4, mid), (5, cc)), vec![5]), // two numbers of one
        (((9, mid), (3, cc)), vec![]),  // one number of two
    ] {
        let audio = section("audio", "0", ((3, mid), (5, cc))) + "opus/48000/2\n";
        let video = section("video", "1", of_video) + "VP8/90000\n";
        let mut z = Peer::new('Z');
        z.set_remote(description("a=group:BUNDLE 0 1\n", &[&audio, &video]));
        let ids = |section: &wigwag_sdp::MediaDescription| -> std::collections::BTreeMap<_, _> {
            section.attributes.extmaps().map(|map| (map.id, map.uri.clone())).collect()
        };
        let answer = z.describe();
        assert_eq!(ids(&answer.media[0]).into_keys().collect::<Vec<_>>(), [3, 5]);
        assert_eq!(ids(&answer.media[1]).into_keys().collect::<Vec<_>>(), answered);
        // ... nor is it so in an offer of ours that follows.
        let offer = z.describe();
        let mut all = ids(&offer.media[0]);
        for (id, uri) in ids(&offer.media[1]) {
            assert_eq!(all.entry(id).or_insert(uri.clone()), &uri, "{id}");
        }
        for section in &offer.media {
            assert_eq!(section.attributes.extmaps().count(), ids(section).len(), "{section}");
        }
    }
}

/// W3C `stop`: a transceiver that an offer has, made before and set after, is known to the peer, and has to be ended there.
#[test]
fn a_transceiver_that_is_stopped_before_its_offer_is_set_is_ended_by_another() {
    let (mut a, mut z) = (Peer::new('A'), Peer::new('Z'));
    a.jsep.want_data_channels();
    let id = a.add(MediaKind::Audio, Direction::Sendrecv, 1);
    let offer = a.jsep.create_offer(&a.local).expect("an offer");
    a.jsep.stop(id).expect("it lives");
    a.jsep.set_local_description(SdpType::Offer, offer.clone()).expect("made last");
    z.set_remote(offer);
    let answer = z.describe();
    a.set_remote(answer);
    assert_eq!(z.jsep.transceivers().count(), 1);
    assert!(a.jsep.is_negotiation_needed());
    let (offer, _) = negotiate(&mut a, &mut z);
    assert!(offer.media[1].is_rejected() || offer.media[0].is_rejected());
    assert_eq!((a.jsep.transceivers().count(), z.jsep.transceivers().count()), (0, 0));
    assert!(!a.jsep.is_negotiation_needed());
}

/// associated BUNDLE group".
#[test]
fn a_section_that_is_bundled_or_nothing_is_refused_outside_of_the_bundle() {
    let audio = "m=audio 0 UDP/TLS/RTP/SAVPF 0\na=mid:0\na=rtcp-mux\na=bundle-only\n";
    let data = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\na=mid:1\n";
    for (group, rejected) in
        [("", [true, false]), ("a=group:BUNDLE 1\n", [true, false]), ("a=group:BUNDLE 1 0\n", [false; 2])]
    {
        let mut z = Peer::new('Z');
        z.set_remote(description(group, &[audio, data]));
        let answer = z.describe();
        let found: Vec<_> = answer.media.iter().map(|section| section.port == 0).collect();
        assert_eq!(found, rejected, "{group}");
    }
}

/// RFC 9429 §5.2.1: "given that no candidates are available yet, the default port value of 9 (Discard) MUST be used".
#[test]
fn without_candidates_a_description_names_no_address() {
    let mut a = Peer::new('A');
    a.jsep.want_data_channels();
    assert!(a.describe().to_string().contains("m=application 54321 "));
    a.local.candidates.clear();
    a.jsep.update_candidates(&a.local);
    let text = a.jsep.local_description().expect("a description").sdp.to_string();
    assert!(text.contains("m=application 9 ") && text.contains("c=IN IP4 0.0.0.0\r\n"), "{text}");
}

/// RFC 5761 §5.1.1: "the answer MUST NOT contain" what the offer has not; and there is no other way here.
#[test]
fn sound_whose_control_has_a_port_of_its_own_is_refused_also_beside_data_channels() {
    let data = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\na=mid:1\n";
    let audio = "m=audio 9 UDP/TLS/RTP/SAVPF 0\na=mid:0\n";
    let set = |data: &str, audio: &str| {
        let offer = description("a=group:BUNDLE 1 0\n", &[data, audio]);
        Peer::new('Z').jsep.set_remote_description(SdpType::Offer, offer).map_err(|error| error.to_string())
    };
    let mux = |section: &str| format!("{section}a=rtcp-mux\n");
    assert!(set(data, audio).expect_err("no rtcp-mux").ends_with("m-section 1: a=rtcp-mux is missing"));
    // RFC 9143 §7.1.3: it may stand in the first section of the bundle, for all of them.
    assert_eq!([set(data, &mux(audio)), set(&mux(data), audio)], [Ok(()), Ok(())]);
}

/// Also if the peer gives the name that we made up for one of its sections to another.
#[test]
fn a_name_that_was_made_up_is_no_others_later() {
    let audio = "m=audio 9 UDP/TLS/RTP/SAVPF 0\na=rtcp-mux\n";
    let mut z = Peer::new('Z');
    z.set_remote(description("", &[audio]));
    z.describe();
    let data = "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\na=mid:unnamed0\n";
    z.set_remote(description("", &[audio, data]));
    z.describe();
    let offer = z.describe();
    let mids: std::collections::BTreeSet<_> = offer.media.iter().map(|section| section.attributes.mid()).collect();
    assert_eq!(mids.len(), 2, "{}", outline(&offer));
}

/// RFC 5888 §4 has names be given by who offers, and nobody says when.
#[test]
fn a_section_may_get_its_name_later() {
    let audio = "m=audio 9 UDP/TLS/RTP/SAVPF 0\na=rtcp-mux\n";
    let mut z = Peer::new('Z');
    z.set_remote(description("", &[audio]));
    z.describe();
    let id = z.jsep.transceivers().next().expect("made by the offer").id;
    z.set_remote(description("a=group:BUNDLE sound\n", &[audio, "a=mid:sound\n"]));
    assert!(z.describe().to_string().contains("a=mid:sound\r\n"));
    assert_eq!(z.transceiver(id).mid.as_deref(), Some("sound"));
    let renamed = description("a=group:BUNDLE noise\n", &[audio, "a=mid:noise\n"]);
    assert!(z.jsep.set_remote_description(SdpType::Offer, renamed).is_err());
}

/// W3C has no way back from `stop`, also not a rollback.
#[test]
fn what_was_stopped_while_an_offer_waited_does_not_come_back_with_its_rollback() {
    let mut z = Peer::new('Z');
    let video = z.add(MediaKind::Video, Direction::Sendrecv, 1);
    z.set_remote(description("", &["m=audio 9 UDP/TLS/RTP/SAVPF 0\na=mid:0\na=rtcp-mux\n"]));
    z.jsep.stop(video).expect("it lives");
    assert_eq!(z.jsep.transceiver(video), None);
    z.jsep.rollback().expect("an offer to take back");
    assert_eq!(z.jsep.transceivers().count(), 0);
    assert!(!z.jsep.is_negotiation_needed());
}

/// RFC 9429 §5.10: nobody asked for it, and our checks would go on under a name that the peer was not told.
#[test]
fn an_answer_begins_ice_anew_only_if_the_offer_does() {
    let other = |answer: &SessionDescription, line: &str| {
        let text = answer.to_string().replace(line, &format!("{line}other"));
        SessionDescription::parse(&text).expect("an answer")
    };
    let (mut a, mut z) = (Peer::new('A'), Peer::new('Z'));
    a.jsep.want_data_channels();
    negotiate(&mut a, &mut z);
    z.set_remote(a.describe());
    let answer = z.describe();
    for line in ["a=ice-ufrag:", "a=ice-pwd:"] {
        let before = a.jsep.now.clone();
        let refused = a.jsep.set_remote_description(SdpType::Answer, other(&answer, line)).expect_err("no restart");
        assert!(refused.to_string().contains("ICE"), "{refused}");
        assert_eq!((&a.jsep.now, a.jsep.signaling_state()), (&before, SignalingState::HaveLocalOffer));
    }
    a.set_remote(answer);
    // A restart is answered by another name, and what was answered provisionally is answered so in the end.
    (a.local.ufrag, z.local.ufrag) = ("another".to_owned(), "anothertoo".to_owned());
    z.set_remote(a.describe());
    let answer = z.describe();
    a.jsep.set_remote_description(SdpType::Pranswer, answer.clone()).expect("a restart");
    assert!(a.jsep.set_remote_description(SdpType::Answer, other(&answer, "a=ice-ufrag:")).is_err());
    a.set_remote(answer);
    assert_eq!(a.jsep.remote_transport().map(|remote| remote.generation), Some(1));
}

/// RFC 8285 §5, RFC 9429 §5.8.1: an extension that stands above the sections is one of each.
#[test]
fn extensions_of_the_whole_session_are_answered_in_each_section() {
    let (level, mid) = (HeaderExtension::AUDIO_LEVEL, HeaderExtension::MID);
    let session = format!("a=group:BUNDLE 0 1\na=extmap:5 {mid}\na=extmap:7/sendonly {level}\n");
    let sections = [("audio", 0, "opus/48000/2"), ("video", 1, "VP8/90000")].map(|(kind, name, codec)| {
        format!("m={kind} 9 UDP/TLS/RTP/SAVPF 96\na=mid:{name}\na=rtcp-mux\na=rtpmap:96 {codec}\n")
    });
    let mut z = Peer::new('Z');
    z.set_remote(description(&session, &[&sections[0], &sections[1]]));
    let answer = z.describe();
    let ids = |index: usize| answer.media[index].attributes.extmaps().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!((ids(0), ids(1)), (vec![format!("5 {mid}"), format!("7/recvonly {level}")], vec![format!("5 {mid}")]));
    for (transceiver, count) in z.jsep.transceivers().zip([2, 1]) {
        let agreed = transceiver.negotiated.as_ref().expect("an agreement");
        assert_eq!(agreed.extensions.len(), count);
    }
}

/// Feedback by a name that has a type here, and parameters that end with a space, print and read as something else.
#[test]
fn an_offer_that_reads_otherwise_than_it_was_made_can_be_set() {
    let mut config = Config::default();
    config.codecs[2].feedback.push(super::super::Feedback::Other("ack ccfb".to_owned()));
    config.codecs[2].parameters = "max-fs=3600 ".to_owned();
    let mut a = Peer::with('A', config);
    a.add(MediaKind::Video, Direction::Sendrecv, 1);
    let offer = a.jsep.create_offer(&a.local).expect("an offer").to_string();
    let read = SessionDescription::parse(&offer).expect("what we print reads");
    a.jsep.set_local_description(SdpType::Offer, read).expect("what was made can be set");
}
