//! Two machines with each other.

use super::super::{Codec, DtlsRole, Feedback, HeaderExtension};
use super::*;
use expect_test::expect;

#[test]
fn an_offer_of_everything_reads_as_it_should() {
    let mut a = Peer::new('A');
    a.add(MediaKind::Audio, Direction::Sendrecv, 1);
    a.add(MediaKind::Video, Direction::Recvonly, 2);
    a.jsep.want_data_channels();
    expect![[r#"
        v=0
        o=- 3399669672318541485 1 IN IP4 0.0.0.0
        s=-
        t=0 0
        a=group:BUNDLE 0 1 2
        a=extmap-allow-mixed
        a=ice-options:trickle ice2
        m=audio 54321 UDP/TLS/RTP/SAVPF 111 0
        c=IN IP4 192.0.2.1
        a=rtcp:9 IN IP4 0.0.0.0
        a=candidate:1 1 udp 2130706431 192.0.2.1 54321 typ host
        a=ice-ufrag:ufragA
        a=ice-pwd:a-password-of-22-charsA
        a=fingerprint:sha-256 41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41
        a=setup:actpass
        a=mid:0
        a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
        a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
        a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
        a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
        a=sendrecv
        a=msid:s t1
        a=rtcp-mux
        a=rtcp-mux-only
        a=rtcp-rsize
        a=rtpmap:111 opus/48000/2
        a=rtcp-fb:111 transport-cc
        a=fmtp:111 minptime=10;useinbandfec=1
        a=rtpmap:0 PCMU/8000
        a=rtcp-fb:0 transport-cc
        a=ssrc:1 cname:c
        m=video 9 UDP/TLS/RTP/SAVPF 96 97
        c=IN IP4 0.0.0.0
        a=rtcp:9 IN IP4 0.0.0.0
        a=ice-ufrag:ufragA
        a=ice-pwd:a-password-of-22-charsA
        a=fingerprint:sha-256 41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41
        a=setup:actpass
        a=mid:1
        a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
        a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
        a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
        a=recvonly
        a=rtcp-mux
        a=rtcp-mux-only
        a=rtcp-rsize
        a=rtpmap:96 VP8/90000
        a=rtcp-fb:96 transport-cc
        a=rtcp-fb:96 nack
        a=rtcp-fb:96 nack pli
        a=rtcp-fb:96 ccm fir
        a=rtpmap:97 rtx/90000
        a=fmtp:97 apt=96
        m=application 9 UDP/DTLS/SCTP webrtc-datachannel
        c=IN IP4 0.0.0.0
        a=ice-ufrag:ufragA
        a=ice-pwd:a-password-of-22-charsA
        a=fingerprint:sha-256 41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41
        a=setup:actpass
        a=mid:2
        a=sctp-port:5000
        a=max-message-size:262144
    "#]].assert_eq(&a.describe().to_string().replace("\r\n", "\n"));
}

#[test]
fn an_answer_reads_as_it_should() {
    let (mut a, mut z) = (Peer::new('A'), Peer::new('Z'));
    a.add(MediaKind::Audio, Direction::Sendrecv, 1);
    a.jsep.want_data_channels();
    z.add(MediaKind::Audio, Direction::Sendrecv, 9);
    let (_, answer) = negotiate(&mut a, &mut z);
    expect![[r#"
        v=0
        o=- 3283365449813093488 1 IN IP4 0.0.0.0
        s=-
        t=0 0
        a=group:BUNDLE 0 1
        a=extmap-allow-mixed
        a=ice-options:trickle ice2
        m=audio 54321 UDP/TLS/RTP/SAVPF 111 0
        c=IN IP4 192.0.2.1
        a=candidate:1 1 udp 2130706431 192.0.2.1 54321 typ host
        a=ice-ufrag:ufragZ
        a=ice-pwd:a-password-of-22-charsZ
        a=fingerprint:sha-256 5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A
        a=setup:active
        a=mid:0
        a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
        a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
        a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
        a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
        a=sendrecv
        a=msid:s t9
        a=rtcp-mux
        a=rtcp-rsize
        a=rtpmap:111 opus/48000/2
        a=rtcp-fb:111 transport-cc
        a=fmtp:111 minptime=10;useinbandfec=1
        a=rtpmap:0 PCMU/8000
        a=rtcp-fb:0 transport-cc
        a=ssrc:9 cname:c
        m=application 9 UDP/DTLS/SCTP webrtc-datachannel
        c=IN IP4 0.0.0.0
        a=ice-ufrag:ufragZ
        a=ice-pwd:a-password-of-22-charsZ
        a=fingerprint:sha-256 5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A:5A
        a=setup:active
        a=mid:1
        a=sctp-port:5000
        a=max-message-size:262144
    "#]].assert_eq(&answer.to_string().replace("\r\n", "\n"));
}

#[test]
fn data_only() {
    let (mut a, mut z) = (Peer::new('A'), Peer::new('Z'));
    assert!(!a.jsep.is_negotiation_needed());
    a.jsep.want_data_channels();
    assert!(a.jsep.is_negotiation_needed());
    negotiate(&mut a, &mut z);
    for (peer, other, role) in [(&a, &z, DtlsRole::Server), (&z, &a, DtlsRole::Client)] {
        let data = peer.jsep.data().expect("data channels");
        assert_eq!((data.local_port, data.remote_port, data.max_message_size), (5000, 5000, 262_144));
        assert_eq!(peer.jsep.dtls_role(), Some(role));
        let remote = peer.jsep.remote_transport().expect("a transport");
        assert_eq!((&remote.ufrag, &remote.pwd), (&other.local.ufrag, &other.local.pwd));
        assert_eq!((&remote.fingerprints, &remote.candidates), (&other.local.fingerprints, &other.local.candidates));
        assert_eq!((remote.mid.as_str(), remote.generation, remote.trickle), ("0", 0, true));
        assert!(!peer.jsep.is_negotiation_needed());
        assert!(!format!("{remote:?}{:?}", other.local).contains(&other.local.pwd), "passwords are not printed");
    }
}

#[test]
fn sound_and_pictures_both_ways() {
    let (mut a, mut z) = (Peer::new('A'), Peer::new('Z'));
    let sound = a.add(MediaKind::Audio, Direction::Sendrecv, 1);
    let pictures = a.add(MediaKind::Video, Direction::Sendonly, 2);
    let heard = z.add(MediaKind::Audio, Direction::Sendrecv, 3);
    negotiate(&mut a, &mut z);
    assert_eq!(z.jsep.transceivers().count(), 2);
    let seen = z.jsep.transceivers().nth(1).expect("made by the offer");
    assert_eq!(a.transceiver(sound).current_direction, Some(Direction::Sendrecv));
    assert_eq!(a.transceiver(pictures).current_direction, Some(Direction::Sendonly));
    assert_eq!((seen.direction, seen.current_direction), (Direction::Recvonly, Some(Direction::Recvonly)));

    let agreed = z.transceiver(heard).negotiated.as_ref().expect("an agreement");
    assert_eq!(agreed.send_codecs.iter().map(|codec| codec.payload_type).collect::<Vec<_>>(), [111, 0]);
    assert_eq!((&agreed.remote_ssrcs, agreed.remote_track_id.as_deref()), (&vec![1], Some("t1")));
    assert_eq!(agreed.remote_stream_ids, ["s"]);
    let agreed = seen.negotiated.as_ref().expect("an agreement");
    let feedback = [Feedback::TransportCc, Feedback::Nack, Feedback::NackPli, Feedback::CcmFir];
    assert_eq!(agreed.receive_codecs[0].feedback, feedback);
    assert!(agreed.rtcp_rsize && agreed.extensions.iter().all(|extension| extension.sends && extension.receives));
    let mid = agreed.extensions.iter().find(|extension| extension.uri == HeaderExtension::MID);
    assert_eq!(mid.map(|extension| extension.id), Some(4));
    assert!(agreed.extensions.iter().all(|extension| extension.uri != HeaderExtension::AUDIO_LEVEL));
}

#[test]
fn more_is_added_later_by_either_side() {
    let (mut a, mut z) = (Peer::new('A'), Peer::new('Z'));
    a.jsep.want_data_channels();
    negotiate(&mut a, &mut z);
    z.add(MediaKind::Video, Direction::Sendonly, 5);
    assert!(z.jsep.is_negotiation_needed() && !a.jsep.is_negotiation_needed());
    let (offer, answer) = negotiate(&mut z, &mut a);
    expect![[r#"
        a=group:BUNDLE 0 1
        m=application 54321 UDP/DTLS/SCTP webrtc-datachannel
        a=setup:actpass
        a=mid:0
        m=video 9 UDP/TLS/RTP/SAVPF 96 97
        a=setup:actpass
        a=mid:1
        a=sendonly

        a=group:BUNDLE 0 1
        m=application 54321 UDP/DTLS/SCTP webrtc-datachannel
        a=setup:passive
        a=mid:0
        m=video 9 UDP/TLS/RTP/SAVPF 96 97
        a=setup:passive
        a=mid:1
        a=recvonly
    "#]]
    .assert_eq(&format!("{}\n{}", outline(&offer), outline(&answer)));
    // Roles and transports stay.
    assert_eq!((a.jsep.dtls_role(), z.jsep.dtls_role()), (Some(DtlsRole::Server), Some(DtlsRole::Client)));
    assert_eq!(a.jsep.remote_transport().map(|remote| remote.generation), Some(0));
    assert_eq!((offer.origin.session_version, answer.origin.session_version), (2, 2));
    assert!(!z.jsep.is_negotiation_needed() && !a.jsep.is_negotiation_needed());
}

#[test]
fn what_is_stopped_leaves_its_place_to_what_comes() {
    let (mut a, mut z) = (Peer::new('A'), Peer::new('Z'));
    let sound = a.add(MediaKind::Audio, Direction::Sendrecv, 1);
    a.jsep.want_data_channels();
    negotiate(&mut a, &mut z);
    a.jsep.stop(sound).expect("it lives");
    assert!(a.jsep.is_negotiation_needed());
    let (offer, _) = negotiate(&mut a, &mut z);
    assert!(offer.media[0].is_rejected() && !offer.media[1].is_rejected());
    assert_eq!((a.jsep.transceivers().count(), z.jsep.transceivers().count()), (0, 0));
    assert_eq!(a.jsep.remote_transport().map(|remote| (remote.mid.as_str(), remote.m_line_index)), Some(("1", 1)));
    assert_eq!(a.jsep.candidate_section(), Some(("1", 1)));
    let pictures = z.add(MediaKind::Video, Direction::Sendrecv, 7);
    let (offer, answer) = negotiate(&mut z, &mut a);
    assert_eq!((offer.media.len(), offer.media[0].media.as_str(), answer.media[0].is_rejected()), (2, "video", false));
    let mid = z.transceiver(pictures).mid.as_deref();
    assert!(mid.is_some() && mid != Some("0"), "{mid:?}");
    assert!(a.jsep.stop(sound).is_err());
}

#[test]
fn directions_change_and_meet() {
    let (mut a, mut z) = (Peer::new('A'), Peer::new('Z'));
    let ours = a.add(MediaKind::Audio, Direction::Sendrecv, 1);
    let theirs = z.add(MediaKind::Audio, Direction::Sendrecv, 2);
    negotiate(&mut a, &mut z);
    let all = [Direction::Sendrecv, Direction::Sendonly, Direction::Recvonly, Direction::Inactive];
    for (a_wants, z_wants) in all.iter().flat_map(|a| all.map(|z| (*a, z))) {
        a.jsep.set_direction(ours, a_wants).expect("it lives");
        z.jsep.set_direction(theirs, z_wants).expect("it lives");
        negotiate(&mut a, &mut z);
        let agreed = a_wants.and(z_wants.reversed());
        assert_eq!(a.transceiver(ours).current_direction, Some(agreed), "{a_wants} {z_wants}");
        assert_eq!(z.transceiver(theirs).current_direction, Some(agreed.reversed()), "{a_wants} {z_wants}");
        assert!(!z.jsep.is_negotiation_needed(), "{a_wants} {z_wants}");
    }
}

#[test]
fn a_new_direction_or_track_needs_negotiation() {
    let (mut a, mut z) = (Peer::new('A'), Peer::new('Z'));
    let id = a.add(MediaKind::Audio, Direction::Sendonly, 1);
    negotiate(&mut a, &mut z);
    a.jsep.set_direction(id, Direction::Inactive).expect("it lives");
    assert!(a.jsep.is_negotiation_needed());
    a.jsep.set_direction(id, Direction::Sendonly).expect("it lives");
    assert!(!a.jsep.is_negotiation_needed());
    a.jsep
        .set_send(id, Some(SendStream { ssrc: 1, track_id: "new".to_owned(), ..SendStream::default() }))
        .expect("it lives");
    assert!(a.jsep.is_negotiation_needed());
    let (offer, _) = negotiate(&mut a, &mut z);
    assert!(offer.to_string().contains("a=msid:- new\r\n"));
}

#[test]
fn a_role_is_forced_only_where_the_offer_leaves_the_choice() {
    for (forced, setup, role) in [
        (None, "active", DtlsRole::Client),
        (Some(DtlsRole::Client), "active", DtlsRole::Client),
        (Some(DtlsRole::Server), "passive", DtlsRole::Server),
    ] {
        let config = Config { dtls_role: forced, ..Config::default() };
        let (mut a, mut z) = (Peer::new('A'), Peer::with('Z', config));
        a.jsep.want_data_channels();
        let (_, answer) = negotiate(&mut a, &mut z);
        assert!(answer.to_string().contains(&format!("a=setup:{setup}\r\n")));
        assert_eq!(z.jsep.dtls_role(), Some(role));
        assert_ne!(a.jsep.dtls_role(), z.jsep.dtls_role());
    }
    let config = Config { dtls_role: Some(DtlsRole::Client), ..Config::default() };
    let (mut a, mut z) = (Peer::new('A'), Peer::with('Z', config));
    a.jsep.want_data_channels();
    let offer = a.describe().to_string().replace("actpass", "active");
    z.set_remote(SessionDescription::parse(&offer).expect("an offer"));
    assert!(z.describe().to_string().contains("a=setup:passive\r\n"));
}

#[test]
fn ice_restarts_are_told() {
    let (mut a, mut z) = (Peer::new('A'), Peer::new('Z'));
    a.jsep.want_data_channels();
    negotiate(&mut a, &mut z);
    a.jsep.want_ice_restart();
    assert!(a.jsep.is_negotiation_needed());
    negotiate(&mut a, &mut z);
    assert!(a.jsep.is_negotiation_needed(), "the same name is no restart");
    (a.local.ufrag, z.local.ufrag) = ("another".to_owned(), "anothertoo".to_owned());
    negotiate(&mut a, &mut z);
    assert!(!a.jsep.is_negotiation_needed());
    for peer in [&a, &z] {
        assert_eq!(peer.jsep.remote_transport().map(|remote| remote.generation), Some(1));
        assert!(peer.jsep.takes_candidate(Some("0"), None, None));
    }
    assert!(z.jsep.takes_candidate(None, Some(0), Some("another")));
    assert!(!z.jsep.takes_candidate(None, Some(0), Some("ufragA")) && !z.jsep.takes_candidate(Some("1"), None, None));
}

/// W3C §4.4.2: a candidate for a section that the peer's description does not have is an `OperationError`.
#[test]
fn a_candidate_names_a_section_of_the_remote_description() {
    let (mut a, mut z) = (Peer::new('A'), Peer::new('Z'));
    let finds = |peer: &Peer, mid, index| peer.jsep.ensure_section(mid, index).is_ok();
    assert!(finds(&z, None, None) && !finds(&z, Some("0"), None) && !finds(&z, None, Some(0)));
    a.jsep.want_data_channels();
    a.add(MediaKind::Audio, Direction::Sendrecv, 1);
    let offer = a.describe();
    z.set_remote(offer.clone());
    for (mid, index, is_there) in [
        (Some("1"), None, true),
        (Some("1"), Some(7), true), // the name decides
        (Some(""), Some(1), true),
        (None, Some(1), true),
        (Some("2"), None, false),
        (Some("2"), Some(0), false),
        (Some(""), Some(2), false),
        (None, Some(2), false),
        (None, None, true),
    ] {
        assert_eq!(finds(&z, mid, index), is_there, "{mid:?} {index:?}");
    }
    let error = z.jsep.ensure_section(Some("audio"), None).expect_err("none is called so").to_string();
    assert!(error.contains("\"audio\"") && error.contains("offer"), "{error}");
    // Whoever gives its sections no names has names for them all the same.
    let mut nameless = offer;
    for section in &mut nameless.media {
        section.attributes.retain(|attribute| !matches!(attribute, wigwag_sdp::Attribute::Mid(_)));
    }
    z = Peer::new('Z');
    z.set_remote(nameless);
    assert!(finds(&z, Some("audio"), None) && finds(&z, Some("audio"), Some(0)) && !finds(&z, None, Some(2)));
}

/// Pion, and whoever embeds it, writes `"sdpMid": ""` and `"usernameFragment": ""` beside each candidate.
#[test]
fn an_empty_name_names_nothing() {
    let (mut a, mut z) = (Peer::new('A'), Peer::new('Z'));
    a.jsep.want_data_channels();
    negotiate(&mut a, &mut z);
    assert!(z.jsep.takes_candidate(Some(""), Some(0), Some("")) && z.jsep.takes_candidate(Some(""), None, None));
    assert!(!z.jsep.takes_candidate(Some(""), Some(1), Some("")));
}

/// Pion tells its candidates in the first section and for the first section, whatever becomes of it.
#[test]
fn candidates_for_a_section_that_we_refuse_are_those_of_the_bundle() {
    let offer = |credentials: &str| {
        format!(
            "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nt=0 0\na=group:BUNDLE 0 1\na=fingerprint:sha-256 AA:BB\na=setup:actpass\n\
             m=video 9 UDP/TLS/RTP/SAVPF 102\na=mid:0\na=rtcp-mux\na=rtpmap:102 H264/90000\n{credentials}\
             a=candidate:1 1 udp 2130706431 192.0.2.7 5000 typ host\na=end-of-candidates\n\
             m=application 9 UDP/DTLS/SCTP webrtc-datachannel\na=mid:1\n\
             a=ice-ufrag:abcd\na=ice-pwd:0123456789012345678901\n"
        )
    };
    for (credentials, are_its) in [
        ("a=ice-ufrag:abcd\na=ice-pwd:0123456789012345678901\n", true),
        ("a=ice-ufrag:efgh\na=ice-pwd:0123456789012345678901\n", false),
    ] {
        let mut z = Peer::new('Z');
        z.set_remote(SessionDescription::parse(&offer(credentials)).expect("an offer"));
        let answer = outline(&z.describe());
        assert!(answer.contains("m=video 0 ") && answer.contains("a=group:BUNDLE 1\n"), "{answer}");
        let remote = z.jsep.remote_transport().expect("a transport");
        assert_eq!((remote.candidates.len(), remote.end_of_candidates), (usize::from(are_its), are_its));
        assert_eq!((remote.mid.as_str(), remote.m_line_index), ("1", 1));
        let takes = |mid, index| z.jsep.takes_candidate(mid, index, None);
        assert_eq!([takes(Some("0"), None), takes(None, Some(0)), takes(Some(""), Some(0))], [are_its; 3]);
        assert!(takes(Some("1"), None) && takes(None, Some(1)) && !takes(Some("2"), Some(2)));
    }
}

/// RFC 9143 §7.1.3: of a bundle, its first section alone describes the transport; it does so also if we refuse that section.
#[test]
fn a_section_that_we_refuse_describes_the_transport_of_the_others() {
    // What stands in each section, but in the first of later offers alone: as Firefox writes them.
    let once = |offer: &SessionDescription| {
        let (first, rest) =
            offer.to_string().split_once("m=application").map(|(a, z)| (a.to_owned(), z.to_owned())).expect("two");
        let of_transport = ["a=ice-", "a=fingerprint:", "a=setup:"];
        let lines = rest.lines().filter(|line| !of_transport.iter().any(|start| line.starts_with(start)));
        let rest: String = lines.map(|line| format!("{line}\r\n")).collect();
        let rest = rest.replacen(" 9 ", " 0 ", 1).replacen("a=mid:1\r\n", "a=mid:1\r\na=bundle-only\r\n", 1);
        SessionDescription::parse(&format!("{first}m=application{rest}")).expect("an offer")
    };
    for has_begun in [false, true] {
        let (mut a, mut z) =
            (Peer::new('A'), Peer::with('Z', Config { codecs: vec![Codec::opus()], ..Config::default() }));
        a.add(if has_begun { MediaKind::Audio } else { MediaKind::Video }, Direction::Sendrecv, 1);
        a.jsep.want_data_channels();
        if has_begun {
            negotiate(&mut a, &mut z);
            let id = z.jsep.transceivers().next().expect("made by the offer").id;
            z.jsep.stop(id).expect("a transceiver");
        }
        let offer = once(&a.describe());
        z.set_remote(offer);
        let answer = z.describe();
        assert_eq!(answer.bundled().collect::<Vec<_>>(), ["1"]);
        assert!(answer.to_string().contains("a=setup:active\r\n"), "{answer}");
        let remote = z.jsep.remote_transport().expect("a transport");
        assert_eq!((remote.ufrag.as_str(), remote.mid.as_str(), remote.m_line_index), ("ufragA", "1", 1));
        assert_eq!((remote.candidates.len(), remote.fingerprints.len(), remote.generation), (1, 1, 0));
        assert!(z.jsep.data().is_some());
        a.set_remote(answer);
    }
}

/// Firefox answers so, whatever its role: the association stays, and its roles with it.
#[test]
fn the_answer_to_a_restart_changes_no_role_whatever_it_says() {
    for (setup, other) in [("active", "passive"), ("passive", "active")] {
        let (mut a, mut z) = (Peer::new('A'), Peer::new('Z'));
        a.jsep.want_data_channels();
        let offer = a.describe();
        z.set_remote(offer);
        let reversed = |answer: &SessionDescription, from: &str, to: &str| {
            let text = answer.to_string().replace(&format!("a=setup:{from}"), &format!("a=setup:{to}"));
            SessionDescription::parse(&text).expect("an answer")
        };
        let answer = z.describe();
        a.set_remote(reversed(&answer, "active", setup));
        let role = a.jsep.dtls_role();
        for restarts in [true, false] {
            if restarts {
                (a.local.ufrag, z.local.ufrag) = ("another".to_owned(), "anothertoo".to_owned());
            }
            let offer = a.describe();
            z.set_remote(offer);
            let answer = z.describe();
            let answered = a.jsep.set_remote_description(SdpType::Answer, reversed(&answer, "active", other));
            assert_eq!(answered.is_ok(), restarts, "{setup}: without a restart nothing excuses it");
            assert_eq!(a.jsep.dtls_role(), role);
        }
    }
}

#[test]
fn candidates_found_later_are_in_the_description_then() {
    let mut a = Peer::new('A');
    a.jsep.want_data_channels();
    a.local.candidates.clear();
    assert!(a.describe().to_string().contains("m=application 9 "));
    for text in
        ["1 1 udp 9 2001:db8::1 1000 typ host", "2 1 udp 8 192.0.2.1 2000 typ host", "3 1 udp 7 a.local 3000 typ relay"]
    {
        a.local.candidates.push(Candidate::parse(text).expect("a candidate"));
    }
    a.local.end_of_candidates = true;
    a.jsep.update_candidates(&a.local);
    let text = a.jsep.local_description().expect("a description").sdp.to_string();
    assert!(text.contains("m=application 2000 ") && text.contains("c=IN IP4 192.0.2.1\r\n"), "{text}");
    assert_eq!((text.matches("a=candidate:").count(), text.matches("a=end-of-candidates").count()), (3, 1));
}

#[test]
fn bundle_only_is_for_those_who_ask_for_it() {
    let config = Config { bundle_only: true, ..Config::default() };
    let (mut a, mut z) = (Peer::with('A', config), Peer::new('Z'));
    a.add(MediaKind::Audio, Direction::Sendrecv, 1);
    a.jsep.want_data_channels();
    let (offer, answer) = negotiate(&mut a, &mut z);
    assert_eq!(offer.media.iter().map(|section| section.port == 0).collect::<Vec<_>>(), [false, true]);
    assert!(answer.media.iter().all(|section| section.port != 0));
    assert!(!a.describe().to_string().contains("bundle-only"));
}
