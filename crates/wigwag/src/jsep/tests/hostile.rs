//! Descriptions that want to cost much.

use super::*;
use std::fmt::Write;

fn head(mids: usize) -> String {
    let mids: String = (0..mids).fold(String::new(), |mids, mid| mids + " " + &mid.to_string());
    format!(
        "v=0\no=- 1 1 IN IP4 ::\ns=-\nt=0 0\na=group:BUNDLE{mids}\na=ice-ufrag:abcd\na=ice-pwd:0123456789012345678901\n\
         a=fingerprint:sha-256 AA\na=setup:actpass\na=rtcp-mux\n"
    )
}

fn answer(offer: &str) -> SessionDescription {
    let mut z = Peer::new('Z');
    z.set_remote(SessionDescription::parse(offer).expect("within the limits"));
    z.describe()
}

#[test]
fn a_section_with_every_number_and_every_line_is_answered_with_ours() {
    let mut offer = head(1) + "m=video 9 UDP/TLS/RTP/SAVPF";
    (0..3000).for_each(|number| write!(offer, " {}", number % 128).expect("a string grows"));
    offer.push_str("\na=mid:0\n");
    for number in 0..250 {
        write!(
            offer,
            "a=rtpmap:{number} VP8/90000\na=rtcp-fb:{number} nack\na=extmap:{} urn:x\na=ssrc:{number} x\n",
            number + 1
        )
        .expect("a string grows");
    }
    let answer = answer(&offer);
    assert_eq!(answer.media[0].formats.len(), 1);
    assert_eq!(answer.media[0].attributes.extmaps().count(), 0);
}

/// What is looked for among the payload types of a section, for each of our codecs and through all of its lines, is looked for among
/// 96 numbers at most.
#[test]
fn numbers_that_a_line_repeats_are_looked_at_once() {
    let mut offer = head(1) + "m=video 9 UDP/TLS/RTP/SAVPF";
    (0..4000).for_each(|number| write!(offer, " {}", number % 256).expect("a string grows"));
    let offer = SessionDescription::parse(&(offer + "\na=mid:0\n")).expect("within the limits");
    let numbers = super::super::codecs::numbers(&offer.media[0]);
    assert!(numbers.iter().copied().eq((0..64).chain(96..128)), "{numbers:?}");
}

#[test]
fn as_many_sections_as_there_may_be_are_answered() {
    let mut offer = head(256);
    for mid in 0..256 {
        write!(offer, "m=audio 9 UDP/TLS/RTP/SAVPF 0\na=mid:{mid}\n").expect("a string grows");
    }
    let answer = answer(&offer);
    assert_eq!(answer.media.iter().filter(|section| !section.is_rejected()).count(), 256);
}

#[test]
fn more_transceivers_than_sections_are_refused_when_offering() {
    let mut a = Peer::new('A');
    for ssrc in 0..257 {
        a.add(MediaKind::Audio, Direction::Sendrecv, ssrc);
    }
    assert_eq!(a.jsep.create_offer(&a.local), Err(super::super::Error::TooManySections));
}

#[test]
fn the_bundle_may_name_what_is_not_there() {
    let offer = head(100) + "m=audio 9 UDP/TLS/RTP/SAVPF 0\na=mid:7\n";
    let answer = answer(&offer);
    assert_eq!(answer.bundled().collect::<Vec<_>>(), ["7"]);
}

#[test]
fn names_of_ours_do_not_add_lines() {
    let mut a = Peer::new('A');
    let send = SendStream {
        cname: "c\r\na=ice-lite".to_owned(),
        stream_ids: vec!["s t".to_owned(), String::new()],
        track_id: "\na=inactive".to_owned(),
        ..SendStream::default()
    };
    a.jsep.add_transceiver(MediaKind::Audio, TransceiverInit { send: Some(send), ..TransceiverInit::default() });
    let offer = a.describe().to_string();
    assert!(offer.contains("a=msid:st a=inactive\r\na=msid:- a=inactive\r\n"), "{offer}");
    assert!(!offer.contains("\na=ice-lite") && !offer.contains("\na=inactive"));
}

#[test]
fn what_the_bundle_names_twice_is_answered_once() {
    let offer = head(1).replace("BUNDLE 0", "BUNDLE 1 0 1 1 0") + "m=audio 9 UDP/TLS/RTP/SAVPF 0\na=mid:0\n";
    let offer = offer + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\na=mid:1\n";
    assert_eq!(answer(&offer).bundled().collect::<Vec<_>>(), ["1", "0"]);
}

/// When each name was looked for in each section, this took seven seconds.
#[test]
fn a_bundle_of_thousands_of_names_and_sections_of_thousands_of_lines_are_no_product() {
    let mut offer = head(1).replace("BUNDLE 0", &format!("BUNDLE{}", " z".repeat(8_000)));
    for mid in 0..100 {
        let lines = "a=x\n".repeat(2_000);
        write!(offer, "m=audio 9 UDP/TLS/RTP/SAVPF 0\n{lines}a=mid:{mid}\n").expect("a string grows");
    }
    assert_eq!(answer(&offer).media.iter().filter(|section| !section.is_rejected()).count(), 1);
}
