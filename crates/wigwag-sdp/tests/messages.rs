//! What is said of texts that are wrong.

use expect_test::{Expect, expect};
use std::fmt::Write;
use wigwag_sdp::{Candidate, SessionDescription};

const HEAD: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\n";

fn messages<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut messages = String::new();
    for text in texts {
        let error = SessionDescription::parse(text).expect_err(text);
        writeln!(messages, "{error}").expect("a string grows");
    }
    messages
}

fn check(found: &str, expected: &Expect) {
    expected.assert_eq(found);
}

#[test]
fn heads() {
    let texts = ["", "v=1", "v=0", "v=0\no=-", "v=0\no=- 1 1 IN IP4 ::", "hello", "v=0\ns=-", HEAD];
    check(
        &messages(texts),
        &expect![[r#"
        line 1: found "", expected v=0
        line 1: found "v=1", expected v=0
        line 1: found "", expected o=, the origin
        line 2: found "o=-", expected o= with a name, a session number, a version number, IN, IP4 or IP6, and an address
        line 2: found "", expected s=, the name of the session
        line 1: found "hello", expected a line of the form x=value
        line 2: found "s=-", expected o=, the origin
        line 4: found "", expected t= before the end
    "#]],
    );
}

#[test]
fn lines_that_are_wrong() {
    let after = [
        "a=x\nt=0 0",
        "t=0 0\nk=x\nk=x",
        "t=0 0\nx=y",
        "t=0 0\nno line",
        "t=0 x",
        "c=IN IP5 ::",
        "b=AS",
        "b=AS:x",
        "r=1",
        "t=0 0\na=",
        "t=0 0\na=x\0",
        "t=0 0\na=\rx",
        "t=0 0\nm=audio",
        "t=0 0\nm=audio 70000 RTP/AVP 0",
        "t=0 0\nm=audio 9 RTP/AVP",
        "t=0 0\nm=audio 9 RTP/AVP 0\nt=0 0",
    ];
    let texts: Vec<_> = after.iter().map(|after| format!("{HEAD}{after}\n")).collect();
    check(
        &messages(texts.iter().map(String::as_str)),
        &expect![[r#"
        line 5: found "t=0 0", expected lines in the order v o s i u e p c b t r z k a m, each once but e p b t r a m
        line 6: found "k=…", expected lines in the order v o s i u e p c b t r z k a m, each once but e p b t r a m
        line 5: found "x=y", expected one of the letters v o s i u e p c b t r z k a m
        line 5: found "no line", expected a line of the form x=value
        line 4: found "t=0 x", expected t= with a start and a stop, in seconds
        line 4: found "c=IN IP5 ::", expected an address: IN, IP4 or IP6, and the address
        line 4: found "b=AS", expected b= with a kind, a colon and a number
        line 4: found "b=AS:x", expected b= with a kind, a colon and a number
        line 4: found "r=1", expected t= before r=, and at most 2048 r= after it
        line 5: found "a=", expected a= with the name of an attribute
        line 5: found "a=x\0", expected a line without NUL and without CR but at its end
        line 5: found "a=\rx", expected a line without NUL and without CR but at its end
        line 5: found "m=audio", expected m= with a medium, a port, a transport and at least one format
        line 5: found "m=audio 70000 RTP/AVP 0", expected m= with a medium, a port, a transport and at least one format
        line 5: found "m=audio 9 RTP/AVP", expected m= with a medium, a port, a transport and at least one format
        line 6: found "t=0 0", expected one of m=, i=, c=, b=, k=, a=, and i= and k= once only
    "#]],
    );
}

#[test]
fn attributes_that_are_wrong() {
    let attributes = [
        "candidate:1 1 udp x ::1 9 typ host",
        "candidate:1 1 udp 1 ::1 9 host",
        "extmap:x y",
        "extmap:1/up urn:x",
        "fingerprint:sha-256 A",
        "fingerprint:sha-256",
        "fmtp:",
        "group:",
        "ice-ufrag:",
        "max-message-size:-1",
        "mid:",
        "msid:a b c",
        "ptime:x",
        "rid:1 up",
        "rtcp:x",
        "rtcp-fb:96",
        "rtcp-fb:x nack",
        "rtpmap:96",
        "rtpmap:96 /8000",
        "rtpmap:256 x/1",
        "rtpmap:111 opus/48000/2/x",
        "framerate:x",
        "framerate:1.2.3",
        "sctp-init:",
        "sctp-port:65536",
        "sctpmap:5000",
        "setup:both",
        "simulcast:1",
        "simulcast:send 1 send 2",
        "ssrc:x cname:y",
        "ssrc-group:FID x",
    ];
    let texts: Vec<_> = attributes.iter().map(|attribute| format!("{HEAD}t=0 0\na={attribute}\n")).collect();
    check(
        &messages(texts.iter().map(String::as_str)),
        &expect![[r#"
        line 5: found "a=candidate:1 1 udp x ::1 9 typ host", expected candidate: foundation, component, transport, priority, address, port, typ and its kind, pairs of words
        line 5: found "a=candidate:1 1 udp 1 ::1 9 host", expected candidate: foundation, component, transport, priority, address, port, typ and its kind, pairs of words
        line 5: found "a=extmap:x y", expected extmap with a number, perhaps / and a direction, and a URI
        line 5: found "a=extmap:1/up urn:x", expected extmap with a number, perhaps / and a direction, and a URI
        line 5: found "a=fingerprint:sha-256 A", expected fingerprint with the name of a hash and pairs of hexadecimal digits between colons
        line 5: found "a=fingerprint:sha-256", expected fingerprint with the name of a hash and pairs of hexadecimal digits between colons
        line 5: found "a=fmtp:", expected fmtp with a format and its parameters
        line 5: found "a=group:", expected group with its meaning, as BUNDLE, and mids
        line 5: found "a=ice-ufrag:", expected a value after the colon
        line 5: found "a=max-message-size:-1", expected a number from 0 to the greatest u64
        line 5: found "a=mid:", expected a value after the colon
        line 5: found "a=msid:a b c", expected msid with the name of a stream and perhaps that of a track
        line 5: found "a=ptime:x", expected a number from 0 to the greatest u32
        line 5: found "a=rid:1 up", expected rid with a name, send or recv, and perhaps restrictions
        line 5: found "a=rtcp:x", expected rtcp with a port and perhaps IN, IP4 or IP6, and an address
        line 5: found "a=rtcp-fb:96", expected rtcp-fb with a payload type or *, and a feedback
        line 5: found "a=rtcp-fb:x nack", expected rtcp-fb with a payload type or *, and a feedback
        line 5: found "a=rtpmap:96", expected rtpmap with a payload type, a codec, / and its clock rate
        line 5: found "a=rtpmap:96 /8000", expected rtpmap with a payload type, a codec, / and its clock rate
        line 5: found "a=rtpmap:256 x/1", expected rtpmap with a payload type, a codec, / and its clock rate
        line 5: found "a=rtpmap:111 opus/48000/2/x", expected rtpmap with a payload type, a codec, / and its clock rate
        line 5: found "a=framerate:x", expected framerate with a decimal number
        line 5: found "a=framerate:1.2.3", expected framerate with a decimal number
        line 5: found "a=sctp-init:", expected a value after the colon
        line 5: found "a=sctp-port:65536", expected a number from 0 to the greatest u16
        line 5: found "a=sctpmap:5000", expected sctpmap with a port, a protocol and perhaps a number of streams
        line 5: found "a=setup:both", expected setup:active, passive, actpass or holdconn
        line 5: found "a=simulcast:1", expected simulcast with send or recv or both, each once and followed by rids
        line 5: found "a=simulcast:send 1 send 2", expected simulcast with send or recv or both, each once and followed by rids
        line 5: found "a=ssrc:x cname:y", expected ssrc with a number and an attribute
        line 5: found "a=ssrc-group:FID x", expected ssrc-group with its meaning, as FID, and numbers
    "#]],
    );
}

#[test]
fn bytes_that_are_no_text() {
    let bytes = [HEAD.as_bytes(), b"t=0 0\r\na=caf\xe9\r\n"].concat();
    let error = SessionDescription::parse_bytes(&bytes).expect_err("Latin-1");
    check(&error.to_string(), &expect![[r#"line 5: found "a=caf", expected UTF-8 after that"#]]);
}

#[test]
fn long_lines_are_repeated_in_part_only() {
    let error = Candidate::parse(&"é".repeat(1000)).expect_err("no candidate");
    assert_eq!(error.found, "é".repeat(80));
    check(
        &Candidate::parse("candidate:1 1 udp 1 ::1 9 typ\r\n").expect_err("no kind").to_string(),
        &expect![[
            r#"line 1: found "candidate:1 1 udp 1 ::1 9 typ", expected candidate: foundation, component, transport, priority, address, port, typ and its kind, pairs of words"#
        ]],
    );
    check(
        &Candidate::parse("1 1 udp 1 ::1 9 typ host\na=x").expect_err("two lines").to_string(),
        &expect![[r#"line 1: found "1 1 udp 1 ::1 9 typ host\na=x", expected one line"#]],
    );
}
