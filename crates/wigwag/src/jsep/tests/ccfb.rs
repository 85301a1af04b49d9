//! In which way arrivals are reported is one answer for all sections (RFC 8888 §6).

use super::super::{Feedback, HeaderExtension};
use super::*;

fn peer(name: char, ccfb: bool) -> Peer {
    let mut peer = Peer::with(name, Config { ccfb, ..Config::default() });
    peer.add(MediaKind::Audio, Direction::Sendrecv, 1);
    peer.add(MediaKind::Video, Direction::Sendrecv, 2);
    peer
}

/// Of each transceiver, whether it is done by stream, by codec and by number.
fn agreed(peer: &Peer) -> Vec<(bool, bool, bool)> {
    let agreed = peer.jsep.transceivers().filter_map(|found| found.negotiated.as_ref());
    let of_each = agreed.map(|agreed| {
        let codecs = agreed.send_codecs.iter().chain(&agreed.receive_codecs);
        let has_feedback = codecs.clone().any(|codec| codec.feedback.contains(&Feedback::TransportCc));
        assert!(codecs.clone().all(|codec| !codec.feedback.contains(&Feedback::AckCcfb)));
        let has_number = agreed.extensions.iter().any(|extension| extension.uri == HeaderExtension::TRANSPORT_CC);
        (agreed.ccfb, has_feedback, has_number)
    });
    of_each.collect()
}

const BY_STREAM: [(bool, bool, bool); 2] = [(true, false, false); 2];
const BY_NUMBER: [(bool, bool, bool); 2] = [(false, true, true); 2];

/// Both descriptions, after `change` was done to the text of the offer and of the answer.
fn negotiate(a: &mut Peer, z: &mut Peer, change: impl Fn(usize, String) -> String) -> [String; 2] {
    let changed =
        |n, sdp: SessionDescription| SessionDescription::parse(&change(n, sdp.to_string())).expect("a description");
    let offer = changed(0, a.describe());
    z.set_remote(offer.clone());
    let answer = changed(1, z.describe());
    a.set_remote(answer.clone());
    [offer, answer].map(|sdp| sdp.to_string())
}

const LINE: &str = "a=rtcp-fb:* ack ccfb\r\n";

#[test]
fn where_both_ask_for_it_it_takes_the_place_of_the_other() {
    let (mut a, mut z) = (peer('A', true), peer('Z', true));
    for _ in 0..2 {
        let [offer, answer] = negotiate(&mut a, &mut z, |_, text| text);
        assert_eq!((offer.matches(LINE).count(), answer.matches(LINE).count()), (2, 2));
        assert!(offer.contains("transport-cc") && offer.contains(HeaderExtension::TRANSPORT_CC));
        assert!(!answer.contains("transport-cc") && !answer.contains(HeaderExtension::TRANSPORT_CC));
        assert_eq!((agreed(&a), agreed(&z)), (BY_STREAM.to_vec(), BY_STREAM.to_vec()));
        // The other one offers then, and it is the same again.
        std::mem::swap(&mut a, &mut z);
    }
}

#[test]
fn where_one_does_not_ask_for_it_all_is_as_ever() {
    for (a, z) in [(true, false), (false, true), (false, false)] {
        let (mut a, mut z) = (peer('A', a), peer('Z', z));
        let [offer, answer] = negotiate(&mut a, &mut z, |_, text| text);
        assert_eq!((offer.contains(LINE), answer.contains(LINE)), (a.jsep.config().ccfb, false));
        assert_eq!((agreed(&a), agreed(&z)), (BY_NUMBER.to_vec(), BY_NUMBER.to_vec()));
    }
}

#[test]
fn an_answer_with_both_means_the_one_that_we_would_rather_have() {
    let (mut a, mut z) = (peer('A', true), peer('Z', false));
    let both = |n: usize, text: String| {
        if n == 0 {
            text.replace(LINE, "")
        } else {
            text.replace("a=rtcp-fb:0 ", LINE_AND_0).replace("a=rtcp-fb:96 nack\r\n", LINE_AND_96)
        }
    };
    negotiate(&mut a, &mut z, both);
    assert_eq!(agreed(&a), BY_STREAM);
}

const LINE_AND_0: &str = "a=rtcp-fb:* ack ccfb\r\na=rtcp-fb:0 ";
const LINE_AND_96: &str = "a=rtcp-fb:* ack ccfb\r\na=rtcp-fb:96 nack\r\n";

/// All streams have one clock.
#[test]
fn what_is_said_of_some_sections_or_payload_types_is_not_agreed_upon() {
    type Change = fn(usize, String) -> String;
    let changes: [Change; 3] = [
        |_, text| text.replacen(LINE, "", 1),
        |n, text| if n == 0 { text.replacen(LINE, "a=rtcp-fb:111 ack ccfb\r\n", 1) } else { text },
        |n, text| if n == 1 { text.replacen(LINE, "a=rtcp-fb:0 ack ccfb\r\n", 1) } else { text },
    ];
    for (n, change) in changes.into_iter().enumerate() {
        let (mut a, mut z) = (peer('A', true), peer('Z', true));
        negotiate(&mut a, &mut z, change);
        assert!(agreed(&a).iter().all(|(by_stream, ..)| !by_stream), "{n}");
        assert!(n == 2 || agreed(&a) == BY_NUMBER, "{n}");
    }
}

/// As Chromium writes it.
#[test]
fn what_is_said_of_each_payload_type_is_said_of_all() {
    let each = |text: String| {
        let sound = "a=rtcp-fb:111 ack ccfb\r\na=rtcp-fb:0 ack ccfb\r\n";
        text.replacen(LINE, sound, 1).replacen(LINE, "a=rtcp-fb:96 ack ccfb\r\n", 1)
    };
    let (mut a, mut z) = (peer('A', true), peer('Z', true));
    negotiate(&mut a, &mut z, |_, text| each(text));
    assert_eq!((agreed(&a), agreed(&z)), (BY_STREAM.to_vec(), BY_STREAM.to_vec()));
}

/// A section that is refused has no say.
#[test]
fn what_is_refused_does_not_count() {
    let (mut a, mut z) = (peer('A', true), Peer::with('Z', Config { ccfb: true, ..Config::default() }));
    let video = "a=rtcp-fb:* ack ccfb\r\na=ssrc:2";
    let unknown = |n: usize, text: String| {
        if n == 0 { text.replace("VP8/90000", "X/90000").replace(video, "a=ssrc:2") } else { text }
    };
    let [offer, _] = negotiate(&mut a, &mut z, unknown);
    assert_eq!(offer.matches(LINE).count(), 1, "{offer}");
    assert_eq!((agreed(&z), agreed(&a)), (vec![BY_STREAM[0]], vec![BY_STREAM[0]]));
}
