//! Descriptions of browsers and other stacks, found by `WIGWAG_TESTDATA`.

use super::super::{Codec, DtlsRole, HeaderEncryption};
use super::*;
use std::path::PathBuf;

#[expect(clippy::disallowed_methods, reason = "where the data of others lies is no configuration of ours")]
fn read(name: &str) -> Option<SessionDescription> {
    let Ok(testdata) = std::env::var("WIGWAG_TESTDATA") else {
        println!("skipped: WIGWAG_TESTDATA is not set");
        return None;
    };
    let path = PathBuf::from(testdata).join("../interop/sdp").join(name);
    let Ok(bytes) = std::fs::read(&path) else {
        println!("skipped: there is no {}", path.display());
        return None;
    };
    Some(SessionDescription::parse_bytes(&bytes).expect(name))
}

/// The peer's offer, answered by somebody who sends and receives all it can.
fn answered(name: &str) -> Option<(Peer, SessionDescription, SessionDescription)> {
    answered_by(Peer::new('Z'), name)
}

fn answered_by(mut z: Peer, name: &str) -> Option<(Peer, SessionDescription, SessionDescription)> {
    let offer = read(name)?;
    z.add(MediaKind::Audio, Direction::Sendrecv, 1);
    z.add(MediaKind::Video, Direction::Sendrecv, 2);
    z.set_remote(offer.clone());
    let answer = z.describe();
    Some((z, offer, answer))
}

fn formats(answer: &SessionDescription) -> Vec<Vec<String>> {
    answer.media.iter().map(|section| section.formats.iter().map(ToString::to_string).collect()).collect()
}

#[test]
fn offers_of_all_stacks_are_answered_with_what_we_know() {
    let names = [
        "sdp-aiortc.txt",
        "sdp-chromium.txt",
        "sdp-chromium-ccfb.txt",
        "sdp-chromium-cryptex.txt",
        "sdp-chromium-ddext.txt",
        "sdp-chromium-flexfec.txt",
        "sdp-chromium-snap.txt",
        "sdp-chromium-snap-idata.txt",
        "sdp-firefox.txt",
        "sdp-gstreamer.txt",
        "sdp-node-datachannel.txt",
        "sdp-roamhq-wrtc.txt",
        "sdp-str0m.txt",
        "sdp-webrtc-rs.txt",
        "sdp-werift.txt",
    ];
    for name in names {
        let Some((z, offer, answer)) = answered(name) else { return };
        assert!(answer.media.iter().all(|section| !section.is_rejected()), "{name}");
        assert_eq!(answer.bundled().collect::<Vec<_>>(), offer.bundled().collect::<Vec<_>>(), "{name}");
        for (offered, section) in offer.media.iter().zip(&answer.media) {
            assert_eq!(section.attributes.mid(), offered.attributes.mid(), "{name}");
            for map in section.attributes.rtpmaps() {
                let known = ["opus", "PCMU", "VP8", "rtx"].iter().any(|codec| map.encoding == *codec);
                assert!(known, "{name}: {map} is answered");
                let offered = offered.attributes.rtpmap(map.payload_type).expect("an offered number");
                assert_eq!(offered.encoding, map.encoding, "{name}");
            }
            for map in section.attributes.extmaps() {
                assert!(
                    offered.attributes.extmaps().any(|offered| (offered.id, &offered.uri) == (map.id, &map.uri)),
                    "{name}"
                );
            }
        }
        assert_eq!(z.jsep.dtls_role(), Some(DtlsRole::Client), "{name}");
        assert!(z.jsep.data().is_some(), "{name}");
        assert!(!z.jsep.remote_transport().expect("a transport").candidates.is_empty(), "{name}");
        assert!(!z.jsep.is_negotiation_needed() || offer.media.len() < 3, "{name}");
    }
}

#[test]
fn chromium_offers() {
    let Some((z, _, answer)) = answered("sdp-chromium.txt") else { return };
    assert_eq!(formats(&answer), [vec!["111", "0"], vec!["96", "97"], vec!["webrtc-datachannel"]]);
    let text = answer.to_string();
    for absent in ["red", "ulpfec", "flexfec", "goog-remb", "toffset", "a=rtcp-xr", "telephone-event"] {
        assert!(!text.contains(absent), "{absent}");
    }
    assert!(text.contains("a=rtcp-fb:96 transport-cc\r\na=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\n"), "{text}");
    assert!(text.contains("a=rtcp-fb:96 ccm fir\r\n"), "{text}");
    assert!(text.contains("a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n"), "{text}");
    let remote = z.jsep.remote_transport().expect("a transport");
    assert_eq!((remote.ufrag.as_str(), remote.candidates.len(), remote.candidates[0].port), ("hwTz", 4, 44236));
    let video = z.jsep.transceivers().nth(1).and_then(|video| video.negotiated.as_ref()).expect("an agreement");
    assert_eq!(
        (video.remote_ssrcs.as_slice(), video.remote_rtx.as_slice()),
        (&[2_254_064_250][..], &[(2_254_064_250, 853_647_109)][..])
    );
    assert_eq!(video.remote_track_id.as_deref(), Some("d90de8ba-e6d9-4015-839c-8fc684a7a336"));
}

/// It says so for all sections, above them.
#[test]
fn a_chromium_that_encrypts_headers_is_answered_that_we_do_too() {
    for (name, count) in [("sdp-chromium-cryptex.txt", 2), ("sdp-chromium.txt", 0)] {
        let config = Config { header_encryption: HeaderEncryption::Negotiate, ..Config::default() };
        let Some((z, _, answer)) = answered_by(Peer::with('Z', config), name) else { return };
        assert_eq!(answer.to_string().matches("a=cryptex\r\n").count(), count, "{name}");
        assert_eq!(z.jsep.is_header_encrypted(), count > 0, "{name}");
    }
}

/// It says so of each payload type, which RFC 8888 does not have; of all of them is it answered.
#[test]
fn a_chromium_that_reports_by_stream_is_answered_that_we_do_too() {
    for (name, count) in [("sdp-chromium-ccfb.txt", 2), ("sdp-chromium.txt", 0)] {
        let Some((z, _, answer)) = answered_by(Peer::with('Z', Config { ccfb: true, ..Config::default() }), name)
        else {
            return;
        };
        let text = answer.to_string();
        assert_eq!(text.matches("a=rtcp-fb:* ack ccfb\r\n").count(), count, "{name}");
        assert_eq!(text.contains("transport-cc") || text.contains("transport-wide"), count == 0, "{name}: {text}");
        let agreed: Vec<_> = z.jsep.transceivers().filter_map(|found| Some(found.negotiated.as_ref()?.ccfb)).collect();
        assert_eq!(agreed, [count > 0; 2], "{name}");
        // Who has not asked for it says nothing of it.
        let Some((z, _, answer)) = answered(name) else { return };
        assert!(!answer.to_string().contains("ccfb") && answer.to_string().contains("transport-cc"));
        assert!(z.jsep.transceivers().all(|found| found.negotiated.as_ref().is_some_and(|agreed| !agreed.ccfb)));
    }
}

#[test]
fn firefox_offers() {
    let Some((z, _, answer)) = answered("sdp-firefox.txt") else { return };
    assert_eq!(formats(&answer), [vec!["109", "0"], vec!["120", "124"], vec!["webrtc-datachannel"]]);
    let remote = z.jsep.remote_transport().expect("a transport");
    // Those of component 2 are RTCP's.
    assert_eq!((remote.candidates.len(), remote.fingerprints.len(), remote.end_of_candidates), (2, 1, true));
    assert_eq!(z.jsep.data().map(|data| data.max_message_size), Some(1_073_741_823));
}

#[test]
fn numbers_of_chromium_and_firefox_are_kept_when_we_offer_then() {
    for (name, expected) in [
        ("sdp-chromium.txt", [["111", "0"].as_slice(), &["96", "97"], &["webrtc-datachannel"]]),
        ("sdp-firefox.txt", [&["109", "0"], &["120", "124"], &["webrtc-datachannel"]]),
    ] {
        let Some((mut z, ..)) = answered(name) else { return };
        z.add(MediaKind::Audio, Direction::Sendonly, 3);
        let offer = z.describe();
        assert_eq!(
            formats(&offer)[..3],
            expected.map(|formats| formats.iter().map(ToString::to_string).collect::<Vec<_>>())
        );
        assert_eq!(formats(&offer)[3], expected[0]);
    }
}

/// The answers were given to the other browser's or the same browser's offer of sound, pictures and data.
#[test]
fn answers_of_browsers_apply() {
    let answers = [
        ("sdp-chromium-answer.txt", [111, 96], Direction::Sendonly),
        ("sdp-chromium-answer-to-firefox.txt", [109, 120], Direction::Sendrecv),
        ("sdp-firefox-answer.txt", [109, 120], Direction::Sendonly),
        ("sdp-firefox-answer-to-chromium.txt", [111, 96], Direction::Sendrecv),
    ];
    for (name, [opus, vp8], direction) in answers {
        let Some(answer) = read(name) else { return };
        let codecs = vec![Codec { payload_type: opus, ..Codec::opus() }, Codec { payload_type: vp8, ..Codec::vp8() }];
        let config = Config { codecs, ..Config::default() };
        let mut a = Peer::with('A', config);
        let ids = [a.add(MediaKind::Audio, Direction::Sendrecv, 1), a.add(MediaKind::Video, Direction::Sendrecv, 2)];
        a.jsep.want_data_channels();
        a.describe();
        a.set_remote(answer);
        assert_eq!(a.jsep.dtls_role(), Some(DtlsRole::Server), "{name}");
        assert!(a.jsep.data().is_some() && a.jsep.remote_transport().is_some(), "{name}");
        for (id, number) in ids.into_iter().zip([opus, vp8]) {
            let transceiver = a.transceiver(id);
            assert_eq!(transceiver.current_direction, Some(direction), "{name}");
            let agreed = transceiver.negotiated.as_ref().expect("an agreement");
            assert_eq!(
                agreed.send_codecs.iter().map(|codec| codec.payload_type).collect::<Vec<_>>(),
                [number],
                "{name}"
            );
        }
    }
}
