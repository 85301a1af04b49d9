//! Round trips and hostile texts.

use proptest::prelude::*;
use wigwag_sdp::{
    Attribute, Candidate, MAX_ATTRIBUTES, MAX_BYTES, MAX_LINE_BYTES, MAX_MEDIA, MediaDescription, Msid,
    SessionDescription,
};

const HEAD: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n";

/// Lines as they might be, half of them wrong.
fn line() -> impl Strategy<Value = String> {
    let attribute = prop::sample::select(vec![
        "candidate",
        "extmap",
        "fingerprint",
        "fmtp",
        "framerate",
        "group",
        "ice-options",
        "ice-pwd",
        "ice-ufrag",
        "max-message-size",
        "maxptime",
        "mid",
        "msid",
        "msid-semantic",
        "ptime",
        "rid",
        "rtcp",
        "rtcp-fb",
        "rtcp-xr",
        "rtpmap",
        "sctp-port",
        "sctpmap",
        "setup",
        "simulcast",
        "ssrc",
        "ssrc-group",
        "tls-id",
        "x-unknown",
    ]);
    let word = prop::sample::select(vec![
        "0",
        "1",
        "007",
        "96",
        "255",
        "256",
        "65535",
        "4294967295",
        "18446744073709551616",
        "-1",
        "udp",
        "TCP",
        "typ",
        "host",
        "raddr",
        "rport",
        "tcptype",
        "active",
        "passive",
        "so",
        "192.0.2.1",
        "2001:db8::1",
        "a.local",
        "IN",
        "IP4",
        "IP6",
        "send",
        "recv",
        "~1;2,3",
        "opus/48000/2",
        "VP8/90000",
        "nack",
        "pli",
        "*",
        "1/sendonly",
        "sha-256",
        "AB:cd:00",
        "actpass",
        "cname:x",
        "",
        "=",
        "é",
        ";",
        "pt=96;x",
    ]);
    let words = prop::collection::vec(word, 0..12).prop_map(|words| words.join(" "));
    prop_oneof![
        4 => (attribute, words.clone()).prop_map(|(name, value)| format!("a={name}:{value}")),
        1 => words.clone().prop_map(|value| format!("m=audio {value}")),
        1 => prop::sample::select(vec!["a=rtcp-mux", "a=sendonly", "a=ice-lite", "a=x", "b=AS:7", "c=IN IP6 ::", "i=x", ""])
            .prop_map(str::to_owned),
        1 => ("[a-z]", words).prop_map(|(kind, value)| format!("{kind}={value}")),
    ]
}

proptest! {
    #[test]
    fn what_is_read_reads_the_same_when_printed(lines in prop::collection::vec(line(), 0..8)) {
        let text = format!("{HEAD}{}\n", lines.join("\n"));
        if let Ok(session) = SessionDescription::parse(&text) {
            let printed = session.to_string();
            prop_assert_eq!(SessionDescription::parse(&printed), Ok(session));
        }
    }

    #[test]
    fn a_single_line_reads_the_same_when_printed(line in line()) {
        if let Ok(session) = SessionDescription::parse(&format!("{HEAD}{line}\r\n")) {
            let printed = session.to_string();
            prop_assert_eq!(SessionDescription::parse(&printed), Ok(session));
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), line in any::<String>()) {
        let _ = SessionDescription::parse_bytes(&bytes);
        let _ = SessionDescription::parse(&format!("{HEAD}a={line}"));
        let _ = Candidate::parse(&line);
    }

    #[test]
    fn candidates_read_the_same_when_printed(words in prop::collection::vec("[!-~]{1,6}", 0..8)) {
        let text = format!("candidate:1 1 udp 1 a.local 9 typ host {}", words.join(" "));
        let candidate = Candidate::parse(&text).expect("any pairs are allowed");
        prop_assert_eq!(Candidate::parse(&candidate.to_string()), Ok(candidate));
    }

    #[test]
    fn no_value_adds_a_line(name in any::<String>()) {
        let mut session = SessionDescription::parse(HEAD).expect("a head");
        let lines = session.to_string().lines().count();
        session.attributes.push(Attribute::Msid(Msid { stream: name.clone(), track: Some("\r\na=ice-lite".to_owned()) }));
        session.media.push(MediaDescription::new(&name, 9, "UDP/DTLS/SCTP"));
        prop_assert_eq!(session.to_string().split('\n').count(), lines + 3);
        prop_assert!(!session.to_string().contains('\0'));
    }
}

#[test]
fn too_much_is_refused_where_it_becomes_too_much() {
    let line_of = |text: &str| SessionDescription::parse(text).expect_err("too much").line;
    assert_eq!(line_of(&format!("{HEAD}a=x:{}\r\n", "y".repeat(1_000_000))), 5);
    assert_eq!(line_of(&format!("{HEAD}{}", "m=audio 9 RTP/AVP 0\r\n".repeat(40_000))), 5 + MAX_MEDIA);
    let candidates = "a=candidate:1 1 udp 1 ::1 9 typ host\n".repeat(25_000);
    assert_eq!(line_of(&format!("{HEAD}{candidates}")), 5 + MAX_ATTRIBUTES);
    assert_eq!(line_of(&"m=audio 9 RTP/AVP 0\r\n".repeat(100_000)), 1);
    assert!("x".repeat(MAX_BYTES + 1).parse::<SessionDescription>().is_err());
    // Within every other limit.
    let long_lines = format!("a=x:{}\r\n", "y".repeat(MAX_LINE_BYTES - 4)).repeat(MAX_BYTES / MAX_LINE_BYTES + 1);
    assert_eq!(line_of(&format!("{HEAD}{long_lines}")), 1);

    let longest = format!("{HEAD}a=x:{}\r\n", "y".repeat(MAX_LINE_BYTES - 4));
    assert_eq!(SessionDescription::parse(&longest).map(|session| session.to_string()), Ok(longest));
    let most = format!("{HEAD}{}", "m=audio 9 RTP/AVP 0\r\n".repeat(MAX_MEDIA));
    assert_eq!(SessionDescription::parse(&most).map(|session| session.media.len()), Ok(MAX_MEDIA));
}
