//! What is refused, and what is answered with a port of zero.

use super::super::Error;
use super::*;

const OFFER: &str = "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nt=0 0\na=group:BUNDLE 0 1\n\
    a=ice-ufrag:abcd\na=ice-pwd:0123456789012345678901\na=fingerprint:sha-256 AA:BB\na=setup:actpass\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 111 63\na=mid:0\na=rtcp-mux\na=rtpmap:111 opus/48000/2\na=rtpmap:63 red/48000/2\n\
    m=application 9 UDP/DTLS/SCTP webrtc-datachannel\na=mid:1\na=sctp-port:5000\n";

fn offered(offer: &str) -> Result<String, Error> {
    let mut z = Peer::new('Z');
    z.jsep.set_remote_description(SdpType::Offer, SessionDescription::parse(offer).expect("an offer"))?;
    Ok(outline(&z.describe()))
}

fn error(offer: &str) -> String {
    offered(offer).expect_err(offer).to_string()
}

#[test]
fn what_is_not_secured_is_refused() {
    assert_eq!(offered(OFFER).expect("acceptable").matches(" 0 UDP").count(), 0);
    for (missing, expected) in [
        (
            "a=fingerprint:sha-256 AA:BB\n",
            "m-section 0: a=fingerprint is missing: nothing is sent or taken without DTLS",
        ),
        ("a=rtcp-mux\n", "m-section 0: a=rtcp-mux is missing"),
        (
            "a=ice-ufrag:abcd\n",
            "m-section 0: a=ice-ufrag of 4 to 256 and a=ice-pwd of 22 to 256 characters are missing",
        ),
        (
            "a=ice-pwd:0123456789012345678901\n",
            "m-section 0: a=ice-ufrag of 4 to 256 and a=ice-pwd of 22 to 256 characters are missing",
        ),
    ] {
        assert_eq!(error(&OFFER.replace(missing, "")), format!("invalid description: {expected}"));
    }
    let sdes = OFFER.replace("a=fingerprint:sha-256 AA:BB\n", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\n");
    assert!(error(&sdes.replace("UDP/TLS/RTP/SAVPF", "RTP/SAVPF")).contains("a=fingerprint is missing"));
    assert!(error(&OFFER.replace("actpass", "holdconn")).contains("a=setup is holdconn"));
}

#[test]
fn sections_that_we_cannot_take_are_answered_with_port_zero() {
    let rejected = |offer: &str| {
        let answer = offered(offer).expect("acceptable");
        answer.lines().filter(|line| line.starts_with("m=")).map(|line| line.contains(" 0 ")).collect::<Vec<_>>()
    };
    assert_eq!(rejected(OFFER), [false, false]);
    assert_eq!(rejected(&OFFER.replace("UDP/TLS/RTP/SAVPF", "RTP/FOO")), [true, false]);
    assert_eq!(rejected(&OFFER.replace("RTP/SAVPF", "RTP/SAVP")), [false, false]);
    assert_eq!(rejected(&OFFER.replace("opus/48000/2", "opus/48000")), [true, false]);
    assert_eq!(rejected(&OFFER.replace("SAVPF 111 63", "SAVPF 63")), [true, false]);
    assert_eq!(rejected(&OFFER.replace("m=audio 9", "m=audio 0")), [true, false]);
    assert_eq!(rejected(&OFFER.replace("m=audio", "m=text")), [true, false]);
    assert_eq!(rejected(&OFFER.replace("UDP/DTLS/SCTP", "UDP/FOO")), [false, true]);
    // RFC 9260 §3.1 has no port 0: nobody could be reached there.
    assert_eq!(rejected(&OFFER.replace("sctp-port:5000", "sctp-port:0")), [false, true]);
    // One transport: what is not bundled with the first is not taken.
    assert_eq!(rejected(&OFFER.replace("BUNDLE 0 1", "BUNDLE 0")), [false, true]);
    assert_eq!(rejected(&OFFER.replace("BUNDLE 0 1", "BUNDLE 1 0")), [false, false]);
    assert_eq!(rejected(&OFFER.replace("a=group:BUNDLE 0 1\n", "")), [false, true]);
    assert_eq!(rejected(&OFFER.replace("a=mid:0\n", "").replace("a=mid:1\n", "")), [false, true]);
    let two = format!(
        "{}{}",
        OFFER.replace("0 1\n", "0 1 2\n"),
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\na=mid:2\n"
    );
    assert_eq!(rejected(&two), [false, false, true]);
}

#[test]
fn data_channels_of_older_drafts_are_answered_in_their_own_words() {
    let older = "m=application 9 DTLS/SCTP 5001\na=mid:1\na=sctpmap:5001 webrtc-datachannel 1024\n";
    let (head, _) = OFFER.split_once("m=application").expect("two sections");
    let mut z = Peer::new('Z');
    z.set_remote(SessionDescription::parse(&format!("{head}{older}")).expect("an offer"));
    let answer = z.describe().to_string();
    assert!(answer.contains(" DTLS/SCTP 5000\r\n") && answer.contains("a=sctpmap:5000 webrtc-datachannel 65535\r\n"));
    let data = z.jsep.data().expect("data channels");
    assert_eq!((data.remote_port, data.max_message_size), (5001, 65_536));
}

#[test]
fn sizes_of_messages_have_a_default_and_no_end() {
    for (line, size) in [("", 65_536), ("a=max-message-size:0\n", u64::MAX), ("a=max-message-size:7\n", 7)] {
        let mut z = Peer::new('Z');
        z.set_remote(SessionDescription::parse(&format!("{OFFER}{line}")).expect("an offer"));
        z.describe();
        assert_eq!(z.jsep.data().map(|data| data.max_message_size), Some(size));
    }
}

#[test]
fn mids_are_unique_and_stay() {
    assert_eq!(
        error(&OFFER.replace("a=mid:1", "a=mid:0")),
        "invalid description: m-section 1: another section has the same a=mid"
    );
    let mut z = Peer::new('Z');
    z.set_remote(SessionDescription::parse(OFFER).expect("an offer"));
    z.describe();
    let mut refuse = |offer: &str, expected: &str| {
        let before = z.jsep.now.clone();
        let offer = SessionDescription::parse(offer).expect("an offer");
        let error = z.jsep.set_remote_description(SdpType::Offer, offer).expect_err("not the same places");
        assert_eq!(error.to_string(), format!("invalid description: {expected}"));
        assert_eq!((z.jsep.signaling_state(), &z.jsep.now), (SignalingState::Stable, &before));
    };
    refuse(&OFFER.replace("a=mid:0", "a=mid:9"), "m-section 0: it had another a=mid, and was not rejected since");
    refuse(&OFFER.replace("m=audio", "m=video"), "m-section 0: it was of another kind, and was not rejected since");
    let (fewer, _) = OFFER.split_once("m=application").expect("two sections");
    refuse(fewer, "it has fewer m-sections than the last one (RFC 3264 §8)");
    let other = OFFER.replace("AA:BB", "AA:CC");
    refuse(&other, "m-section 0: a=fingerprint changed, and ICE was not restarted (RFC 8842 §4)");
    z.set_remote(SessionDescription::parse(&other.replace("abcd", "efgh")).expect("an offer"));
}

#[test]
fn answers_that_do_not_fit_the_offer_are_refused() {
    let (mut a, mut z) = (Peer::new('A'), Peer::new('Z'));
    a.add(MediaKind::Audio, Direction::Sendrecv, 1);
    a.jsep.want_data_channels();
    z.set_remote(a.describe());
    let answer = z.describe().to_string();
    let mut refuse = |answer: &str, expected: &str| {
        let answer = SessionDescription::parse(answer).expect("an answer");
        let error = a.jsep.set_remote_description(SdpType::Answer, answer).expect_err("it does not fit");
        assert_eq!(error.to_string(), format!("invalid description: {expected}"));
        assert_eq!(a.jsep.signaling_state(), SignalingState::HaveLocalOffer);
    };
    let (fewer, _) = answer.split_once("m=application").expect("two sections");
    refuse(fewer, "an answer has as many m-sections as the offer (RFC 3264 §6)");
    refuse(&answer.replace("m=audio", "m=video"), "m-section 0: the offer's is of another kind");
    refuse(&answer.replace("a=mid:1", "a=mid:7"), "m-section 1: the offer's has another a=mid");
    refuse(
        &answer.replace("BUNDLE 0 1", "BUNDLE 0"),
        "m-section 1: it is accepted and not in the bundle; there is one transport",
    );
    refuse(
        &answer.replace("opus", "sopu").replace("PCMU", "UMCP"),
        "m-section 0: it accepts none of the codecs that were offered",
    );
    refuse(
        &answer.replace("a=setup:active", "a=setup:actpass"),
        "m-section 0: a=setup of an answer is active or passive",
    );
    refuse(&answer.replace("a=rtcp-mux\r\n", ""), "m-section 0: a=rtcp-mux is missing");
    a.set_remote(SessionDescription::parse(&answer).expect("an answer"));
}

#[test]
fn roles_stay_while_the_connection_does() {
    let (mut a, mut z) = (Peer::new('A'), Peer::new('Z'));
    a.jsep.want_data_channels();
    negotiate(&mut a, &mut z);
    let offer = a.jsep.create_offer(&a.local).expect("an offer").to_string();
    let refuse = |z: &mut Peer, offer: &str| {
        let offer = SessionDescription::parse(offer).expect("an offer");
        let error = z.jsep.set_remote_description(SdpType::Offer, offer).expect_err("another role");
        assert!(error.to_string().ends_with("a=setup would change the roles of the DTLS connection"));
    };
    // Z answered as the client.
    refuse(&mut z, &offer.replace("actpass", "active"));
    z.set_remote(SessionDescription::parse(&offer.replace("actpass", "passive")).expect("an offer"));
    assert!(z.describe().to_string().contains("a=setup:active\r\n"));
}

#[test]
fn fingerprints_are_a_set_and_pinned_ones_stay() {
    let (mut a, mut z) = (Peer::new('A'), Peer::new('Z'));
    let other = Fingerprint { hash: "sha-512".into(), digest: vec![7; 64] };
    a.local.fingerprints.push(other);
    a.jsep.want_data_channels();
    negotiate(&mut a, &mut z);
    z.jsep.pin_fingerprints();
    a.local.fingerprints.reverse();
    negotiate(&mut a, &mut z);
    a.local.fingerprints.pop();
    a.local.ufrag = "another".to_owned();
    let offer = a.describe();
    let error = z.jsep.set_remote_description(SdpType::Offer, offer).expect_err("fewer are others");
    assert!(error.to_string().contains("a=fingerprint is not that of the DTLS connection"), "{error}");
}

/// RFC 8842 §4, before a DTLS connection has pinned them.
#[test]
fn fingerprints_change_with_a_restart_of_ice_only() {
    let (mut a, mut z) = (Peer::new('A'), Peer::new('Z'));
    a.jsep.want_data_channels();
    negotiate(&mut a, &mut z);
    a.local.fingerprints = vec![Fingerprint { hash: "sha-512".into(), digest: vec![7; 64] }];
    let offer = a.describe();
    let error = z.jsep.set_remote_description(SdpType::Offer, offer).expect_err("the old name, another certificate");
    assert!(error.to_string().contains("a=fingerprint changed, and ICE was not restarted"), "{error}");
}

#[test]
fn a_section_without_a_name_gets_one_that_is_no_others() {
    let (mut a, mut z) = (Peer::new('A'), Peer::new('Z'));
    a.add(MediaKind::Audio, Direction::Sendrecv, 1);
    a.add(MediaKind::Audio, Direction::Sendrecv, 2);
    let offer = a.jsep.create_offer(&a.local).expect("an offer").to_string();
    let offer = offer.replace("a=mid:0\r\n", "").replace("a=mid:1\r\n", "a=mid:unnamed0\r\n");
    let offer = offer.replace("BUNDLE 0 1", "BUNDLE unnamed0");
    z.set_remote(SessionDescription::parse(&offer).expect("an offer"));
    z.describe();
    z.add(MediaKind::Video, Direction::Sendrecv, 3);
    let offer = z.jsep.create_offer(&z.local).expect("an offer").to_string();
    assert_eq!(offer.matches("a=mid:unnamed0\r\n").count(), 1, "{offer}");
}

#[test]
fn a_peer_that_refuses_all_has_no_transport() {
    let mut a = Peer::new('A');
    a.add(MediaKind::Audio, Direction::Sendrecv, 1);
    a.describe();
    let answer = "v=0\no=- 1 1 IN IP4 ::\ns=-\nt=0 0\nm=audio 0 UDP/TLS/RTP/SAVPF 0\na=mid:0\n";
    a.set_remote(SessionDescription::parse(answer).expect("an answer"));
    assert_eq!((a.jsep.remote_transport(), a.jsep.dtls_role()), (None, None));
    assert_eq!((a.jsep.transceivers().count(), a.jsep.is_negotiation_needed()), (0, false));
}
