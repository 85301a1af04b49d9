//! Codecs and header extensions, and the numbers that they have.

use super::super::{Codec, HeaderExtension};
use super::*;

#[test]
fn retransmission_is_agreed_upon_if_both_are_configured_for_it() {
    let with = Config { codecs: vec![Codec::vp8()], ..Config::default() };
    let without = Config { codecs: vec![Codec { rtx: None, ..Codec::vp8() }], ..Config::default() };
    for (z_config, rtx) in [(without, None), (with.clone(), Some(97)), (Config::default(), Some(97))] {
        let (mut a, mut z) = (Peer::with('A', with.clone()), Peer::with('Z', z_config));
        let send = SendStream { ssrc: 1, rtx_ssrc: Some(2), ..SendStream::default() };
        let id = a
            .jsep
            .add_transceiver(MediaKind::Video, TransceiverInit { send: Some(send), ..TransceiverInit::default() });
        let (offer, answer) = negotiate(&mut a, &mut z);
        assert!(offer.to_string().contains("a=fmtp:97 apt=96\r\na=ssrc-group:FID 1 2\r\n"));
        assert_eq!(answer.to_string().contains("a=fmtp:97 apt=96"), rtx.is_some());
        let agreed = a.transceiver(id).negotiated.as_ref().expect("an agreement");
        assert_eq!((agreed.send_codecs[0].rtx, agreed.receive_codecs[0].rtx), (rtx, rtx));
        let agreed = z.jsep.transceivers().next().and_then(|found| found.negotiated.as_ref()).expect("an agreement");
        assert_eq!((agreed.remote_ssrcs.as_slice(), agreed.remote_rtx.as_slice()), (&[1][..], &[(1, 2)][..]));
    }
}

/// RFC 4588 §8.6: its clock is that of what is sent again.
#[test]
fn retransmission_with_another_clock_is_not_agreed_upon() {
    let mut a = Peer::new('A');
    a.add(MediaKind::Video, Direction::Sendrecv, 1);
    let offer = a.describe().to_string().replace("rtx/90000", "rtx/8000");
    let mut z = Peer::new('Z');
    z.set_remote(SessionDescription::parse(&offer).expect("an offer"));
    let answer = z.describe().to_string();
    assert!(answer.contains("SAVPF 96\r\n") && !answer.contains("rtx"), "{answer}");
}

#[test]
fn variants_of_a_codec_are_codecs_of_their_own() {
    let h264 = |payload_type, parameters: &str| Codec {
        parameters: parameters.to_owned(),
        ..Codec::new(MediaKind::Video, "H264", 90_000, 1, payload_type)
    };
    let (mut one, mut other) = (Config::default(), Config::default());
    one.codecs = vec![h264(102, "packetization-mode=1;profile-level-id=42e01f"), h264(103, "profile-level-id=42e01f")];
    other.codecs = vec![
        h264(104, "profile-level-id=42E034;packetization-mode=0"),
        h264(105, "packetization-mode=1;profile-level-id=4d001f"),
    ];
    let (mut a, mut z) = (Peer::with('A', one), Peer::with('Z', other));
    let id = a.add(MediaKind::Video, Direction::Sendrecv, 1);
    negotiate(&mut a, &mut z);
    let agreed = a.transceiver(id).negotiated.as_ref().expect("an agreement");
    assert_eq!(
        agreed.send_codecs.iter().map(|codec| (codec.index, codec.payload_type)).collect::<Vec<_>>(),
        [(1, 103)]
    );
    // RFC 6184 §8.2.2: at the lower level of both.
    assert_eq!(agreed.send_codecs[0].parameters, "profile-level-id=42e01f;packetization-mode=0");
}

/// Chromium's six: three profiles, each in both packetization modes.
#[test]
fn of_the_profiles_and_modes_of_h264_those_are_answered_that_are_ours() {
    let ours = Codec { rtx: None, ..Codec::h264() };
    let single = Codec { parameters: "profile-level-id=42c034".to_owned(), payload_type: 125, ..ours.clone() };
    for (codecs, expected) in [
        (vec![ours.clone()], vec![(108, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f")]),
        // As the offer writes the profile, and no higher than it is offered: we do not say that levels may differ.
        (
            vec![single, ours],
            vec![
                (108, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"),
                (114, "profile-level-id=42e01f"),
            ],
        ),
    ] {
        let offered = ["42001f", "42e01f", "4d001f"]
            .into_iter()
            .flat_map(|profile| [(profile, 1), (profile, 0)])
            .zip([102, 104, 108, 114, 116, 39])
            .map(|((profile, mode), payload_type)| Codec {
                parameters: format!("level-asymmetry-allowed=1;packetization-mode={mode};profile-level-id={profile}"),
                payload_type,
                ..Codec::h264()
            })
            .collect();
        let chromium = Config { codecs: offered, ..Config::default() };
        let (mut a, mut z) = (Peer::with('A', chromium), Peer::with('Z', Config { codecs, ..Config::default() }));
        let id = a.add(MediaKind::Video, Direction::Sendrecv, 1);
        let (_, answer) = negotiate(&mut a, &mut z);
        let answered: Vec<_> = answer.media[0]
            .formats
            .iter()
            .filter_map(wigwag_sdp::Format::payload_type)
            .map(|number| (number, answer.media[0].attributes.fmtp(number).map_or("", |fmtp| &fmtp.parameters)))
            .collect();
        assert_eq!(answered, expected);
        let agreed = a.transceiver(id).negotiated.as_ref().expect("an agreement");
        let sends: Vec<_> =
            agreed.send_codecs.iter().map(|codec| (codec.payload_type, codec.parameters.as_str())).collect();
        assert_eq!(sends, expected, "what is sent follows the answer");
    }
}

#[test]
fn what_comes_goes_back_under_the_number_that_the_peer_has_for_it() {
    let (mut a, mut z) = (Peer::new('A'), Peer::new('Z'));
    let id = a.add(MediaKind::Audio, Direction::Sendrecv, 1);
    z.set_remote(a.describe());
    let answer = z.describe().to_string();
    let answer = answer.replace("SAVPF 111 0", "SAVPF 0 120").replace(":111 ", ":120 ");
    a.set_remote(SessionDescription::parse(&answer).expect("a description"));
    let agreed = a.transceiver(id).negotiated.as_ref().expect("an agreement");
    let back = |received| agreed.send_codec_for(received).map(|codec| codec.payload_type);
    assert_eq!([111, 0, 120, 1].map(back), [Some(120), Some(0), None, None]);
}

/// RFC 5761 §4: with its marker, what has one of 64 to 95 looks like RTCP.
#[test]
fn numbers_that_look_like_rtcp_are_not_offered() {
    for wanted in [63, 64, 72, 76, 95, 96, 127, 128, 200] {
        let mut config = Config::default();
        config.codecs.insert(0, Codec::new(MediaKind::Video, "H264", 90_000, 1, wanted));
        let mut a = Peer::with('A', config);
        a.add(MediaKind::Video, Direction::Sendrecv, 1);
        let offer = a.describe().to_string();
        let line = offer.lines().find(|line| line.ends_with(" H264/90000")).expect("it is offered");
        let number: u8 = line.strip_prefix("a=rtpmap:").and_then(|rest| rest.split(' ').next()?.parse().ok()).unwrap();
        let is_usable = wanted < 64 || (96..128).contains(&wanted);
        assert_eq!(number == wanted, is_usable, "{wanted}: {line}");
        assert!(number < 64 || (96..128).contains(&number), "{wanted}: {line}");
    }
}

#[test]
fn numbers_agreed_upon_are_kept_when_we_offer() {
    let mut a = Peer::new('A');
    a.add(MediaKind::Audio, Direction::Sendrecv, 1);
    let offer = a.describe().to_string();
    let offer = offer
        .replace(":111 ", ":96 ")
        .replace("SAVPF 111", "SAVPF 96")
        .replace("a=extmap:4 ", "a=extmap:2 ")
        .replace("a=extmap:2 http", "a=extmap:9 http");
    let mut b = Peer::new('B');
    b.set_remote(SessionDescription::parse(&offer).expect("an offer"));
    let answer = b.describe().to_string();
    assert!(
        answer.contains("SAVPF 96 0") && answer.contains(&format!("a=extmap:2 {}", HeaderExtension::MID)),
        "{answer}"
    );
    b.add(MediaKind::Video, Direction::Sendrecv, 2);
    let offer = b.describe();
    let codecs = |index: usize| {
        offer.media[index]
            .attributes
            .rtpmaps()
            .map(|map| (map.payload_type, map.encoding.to_string()))
            .collect::<Vec<_>>()
    };
    assert_eq!(codecs(0), [(96, "opus".to_owned()), (0, "PCMU".to_owned())]);
    // 96 is Opus in this bundle, so VP8 has another number.
    assert_eq!(codecs(1), [(97, "VP8".to_owned()), (98, "rtx".to_owned())]);
    let ids = |index: usize| {
        offer.media[index]
            .attributes
            .extmaps()
            .map(|map| (map.uri.clone(), map.id))
            .collect::<std::collections::BTreeMap<_, _>>()
    };
    assert_eq!((ids(0)[HeaderExtension::MID], ids(1)[HeaderExtension::MID]), (2, 2));
    assert_eq!((ids(0)[HeaderExtension::ABS_SEND_TIME], ids(1)[HeaderExtension::ABS_SEND_TIME]), (9, 9));
}

/// RFC 5761 §4: with the marker, they look like RTCP.
#[test]
fn payload_types_that_rtcp_is_taken_for_are_neither_answered_nor_offered() {
    for number in [64u8, 72, 95] {
        let mut a = Peer::new('A');
        a.add(MediaKind::Audio, Direction::Sendrecv, 1);
        let offer = a.describe().to_string();
        let offer = offer.replace(":111 ", &format!(":{number} ")).replace("SAVPF 111", &format!("SAVPF {number}"));
        let mut z = Peer::new('Z');
        z.set_remote(SessionDescription::parse(&offer).expect("an offer"));
        let answer = z.describe().to_string();
        assert!(answer.contains("SAVPF 0\r\n"), "{answer}");

        let codecs = vec![Codec { payload_type: number, ..Codec::opus() }];
        let mut a = Peer::with('A', Config { codecs, ..Config::default() });
        a.add(MediaKind::Audio, Direction::Sendrecv, 1);
        let offer = a.describe().to_string();
        assert!(offer.contains("SAVPF 96\r\n"), "{offer}");
    }
    for number in [63u8, 96] {
        let codecs = vec![Codec { payload_type: number, ..Codec::opus() }];
        let (mut a, mut z) = (Peer::with('A', Config { codecs, ..Config::default() }), Peer::new('Z'));
        let id = a.add(MediaKind::Audio, Direction::Sendrecv, 1);
        negotiate(&mut a, &mut z);
        let agreed = a.transceiver(id).negotiated.as_ref().expect("an agreement");
        assert_eq!(agreed.send_codecs.iter().map(|codec| codec.payload_type).collect::<Vec<_>>(), [number]);
    }
}

/// RFC 3264 §8.3.2: what a number has meant in the session it goes on to mean, also if it was not agreed upon.
#[test]
fn numbers_that_the_peer_has_for_something_else_are_not_offered_for_ours() {
    let h264 = Codec {
        parameters: "packetization-mode=1;profile-level-id=42e01f".to_owned(),
        ..Codec::new(MediaKind::Video, "H264", 90_000, 1, 102)
    };
    let alone = Config { codecs: vec![Codec { rtx: None, ..Codec::vp8() }], ..Config::default() };
    let mut config = alone.clone();
    config.codecs.push(h264);
    let mut a = Peer::with('A', alone.clone());
    a.add(MediaKind::Video, Direction::Sendrecv, 1);
    let offer = a.describe().to_string();
    let offer = offer.replace("SAVPF 96", "SAVPF 96 97 102");
    let offer = format!("{offer}a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\na=rtpmap:102 H264/90000\r\n");
    let mut z = Peer::with('Z', config);
    z.set_remote(SessionDescription::parse(&offer).expect("an offer"));
    let answer = z.describe();
    assert!(answer.to_string().contains("SAVPF 96\r\n"), "{answer}");
    let offered = |z: &mut Peer| {
        let offer = z.jsep.create_offer(&z.local).expect("an offer");
        offer.media[0].formats.iter().filter_map(wigwag_sdp::Format::payload_type).collect::<Vec<_>>()
    };
    assert_eq!(offered(&mut z), [96, 98], "97 and 102 are taken");
    // What was offered and refused keeps its number.
    let mut a = Peer::with('A', Config { codecs: vec![Codec::vp8()], ..Config::default() });
    a.add(MediaKind::Video, Direction::Sendrecv, 1);
    negotiate(&mut a, &mut Peer::with('B', alone));
    assert_eq!(offered(&mut a), [96, 97]);
    // Where all numbers are, one that nobody uses will do.
    let all: Vec<_> = (96..128).chain(35..64).map(|number| number.to_string()).collect();
    let crowded = offer.replace("SAVPF 96 97 102", &format!("SAVPF {}", all.join(" ")));
    z.set_remote(SessionDescription::parse(&crowded).expect("an offer"));
    z.describe();
    assert_eq!(offered(&mut z), [96, 102]);
}

/// AV1 RTP A.9, and RFC 8285 §6: numbers above 14 are of headers of two bytes, which not every stream may have.
#[test]
fn descriptors_of_dependencies_are_agreed_upon_if_both_want_them_and_can_number_them() {
    let wants = || {
        let mut config = Config::default();
        config.header_extensions.push(HeaderExtension::dependency_descriptor());
        config
    };
    let (uri, mixed) = (HeaderExtension::DEPENDENCY_DESCRIPTOR, "a=extmap-allow-mixed\r\n");
    for (number, is_mixed, is_wanted, is_agreed) in [
        (5, true, true, true),
        (5, true, false, false),
        (5, false, true, true),
        (16, true, true, true),
        (255, true, true, true),
        (16, false, true, false),
        (15, true, true, false),
    ] {
        let mut a = Peer::with('A', wants());
        a.add(MediaKind::Video, Direction::Sendrecv, 1);
        let offer = a.describe().to_string().replace(&format!("extmap:5 {uri}"), &format!("extmap:{number} {uri}"));
        let offer = if is_mixed { offer } else { offer.replace(mixed, "") };
        let mut z = Peer::with('Z', if is_wanted { wants() } else { Config::default() });
        z.set_remote(SessionDescription::parse(&offer).expect("an offer"));
        let answer = z.describe().to_string();
        assert_eq!(answer.contains(&format!("a=extmap:{number} {uri}\r\n")), is_agreed, "{number}: {answer}");
        let agreed = z.jsep.transceivers().next().and_then(|found| found.negotiated.as_ref()).expect("an agreement");
        let found = agreed.extensions.iter().find(|extension| extension.uri == uri);
        assert_eq!(found.map(|found| found.id), is_agreed.then_some(number), "{number}");
        assert_eq!((agreed.extmap_allow_mixed, answer.contains(mixed)), (is_mixed, is_mixed));
    }
}
