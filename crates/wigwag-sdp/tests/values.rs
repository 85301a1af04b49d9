//! Each attribute, read from the examples of its RFC.

use wigwag_sdp::{
    Address, AddressType, Attribute, Candidate, CandidateKind, Direction, Feedback, Format, MediaDescription,
    RidDirection, SessionDescription, Setup, TcpType,
};

/// The attribute that this line is.
fn read(line: &str) -> Attribute {
    let text = format!("v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nt=0 0\na={line}\n");
    let mut session = SessionDescription::parse(&text).unwrap_or_else(|error| panic!("{error}"));
    let attribute = session.attributes.pop().expect("an attribute");
    assert_eq!(attribute.to_string(), line);
    assert_eq!(line.split(':').next(), Some(attribute.name()));
    attribute
}

macro_rules! read {
    ($variant:ident, $line:expr) => {
        match read($line) {
            Attribute::$variant(value) => value,
            other => panic!("{other:?}"),
        }
    };
}

#[test]
fn the_example_of_rfc_8866_section_5_reads() {
    let text = "v=0\r\n\
        o=jdoe 3724394400 3724394405 IN IP4 198.51.100.1\r\n\
        s=Call to John Smith\r\n\
        i=SDP Offer #1\r\n\
        u=http://www.jdoe.example.com/home.html\r\n\
        e=Jane Doe <jane@jdoe.example.com>\r\n\
        p=+1 617 555-6011\r\n\
        c=IN IP4 198.51.100.1\r\n\
        t=0 0\r\n\
        m=audio 49170 RTP/AVP 0\r\n\
        m=audio 49180 RTP/AVP 0\r\n\
        m=video 51372 RTP/AVP 99\r\n\
        c=IN IP6 2001:db8::2\r\n\
        a=rtpmap:99 h263-1998/90000\r\n";
    let session = SessionDescription::parse(text).expect("the RFC's example");
    assert_eq!((session.origin.session_id, session.origin.session_version), (3_724_394_400, 3_724_394_405));
    assert_eq!(session.uri.as_deref(), Some("http://www.jdoe.example.com/home.html"));
    assert_eq!(session.media.iter().map(|section| section.port).collect::<Vec<_>>(), [49170, 49180, 51372]);
    let video = &session.media[2];
    assert_eq!(video.connections[0].address_type, AddressType::Ip6);
    assert_eq!(video.formats, [Format::PayloadType(99)]);
    assert_eq!(video.attributes.rtpmap(99).expect("a codec").encoding, "H263-1998");
    assert_eq!(session.to_string(), text);
    assert_eq!(SessionDescription::parse(&text.replace("\r\n", "\n")), Ok(session));
}

#[test]
fn times_repeats_and_zones_keep_their_order() {
    let text = "v=0\r\no=- 1 1 IN IP6 ::1\r\ns= \r\nb=CT:128\r\nb=X-YZ:256\r\nt=3724394400 3724398000\r\nr=604800 3600 0 90000\r\n\
        t=3730928400 3730942800\r\nr=7d 1h 0 25h\r\nr=1d 1h 0\r\nz=3730928400 -1h 3749680800 0\r\na=recvonly\r\n";
    let session = SessionDescription::parse(text).expect("all lines");
    assert_eq!(session.timings.iter().map(|timing| timing.repeats.len()).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(session.attributes.direction(), Some(Direction::Recvonly));
    assert_eq!(session.to_string(), text);
}

#[test]
fn a_name_at_the_end_of_a_candidate_without_its_value_reads_back_the_same() {
    for name in ["raddr", "raddr ", "rport", "tcptype", "ufrag", "raddr 192.0.2.1 raddr"] {
        let candidate: Candidate =
            format!("1 1 udp 1 192.0.2.1 9 typ host {name}").parse().expect("a candidate with half a pair");
        assert_eq!(candidate.to_string().parse(), Ok(candidate), "{name}");
    }
}

#[test]
fn candidates() {
    // RFC 8839 §5.1
    let candidate =
        *read!(Candidate, "candidate:2 1 UDP 1694498815 192.0.2.3 45664 typ srflx raddr 203.0.113.141 rport 8998");
    assert_eq!((candidate.foundation.as_str(), candidate.component, candidate.priority), ("2", 1, 1_694_498_815));
    assert_eq!(candidate.transport, "udp");
    assert_eq!((candidate.address.to_string(), candidate.port), ("192.0.2.3".to_owned(), 45664));
    assert_eq!(candidate.kind, CandidateKind::ServerReflexive);
    assert_eq!(candidate.related_address, Some(Address::Ip("203.0.113.141".parse().expect("an address"))));
    assert_eq!(candidate.related_port, Some(8998));
    // RFC 6544, appendix B
    let candidate = *read!(Candidate, "candidate:1 1 TCP 2128609279 10.0.1.1 9 typ host tcptype active");
    assert_eq!(candidate.tcp_type, Some(TcpType::Active));

    let text = "candidate:1 1 udp 1 4b5c.local 9 typ prflx generation 0 ufrag aB/+ network-cost 50";
    for form in [text.to_owned(), format!("a={text}\r\n"), text.replace("candidate:", "")] {
        let candidate = Candidate::parse(&form).expect("a form of it");
        assert_eq!(candidate.address, Address::Name("4b5c.local".to_owned()));
        assert_eq!((candidate.extensions.get("ufrag"), candidate.extensions.get("x")), (Some("aB/+"), None));
        assert_eq!(candidate.extensions.iter().count(), 3);
        assert_eq!(candidate.to_string(), text);
    }
}

#[test]
fn a_tcp_type_that_nobody_knows_stays_an_extension() {
    let candidate = *read!(Candidate, "candidate:1 1 tcp 1 ::1 9 typ token raddr x tcptype odd");
    assert_eq!(candidate.kind, CandidateKind::Other("token".to_owned()));
    assert_eq!((candidate.tcp_type, candidate.extensions.get("tcptype")), (None, Some("odd")));
}

#[test]
fn fingerprints_read_either_case_and_print_upper() {
    let fingerprint =
        read!(Fingerprint, "fingerprint:SHA-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB");
    assert_eq!(fingerprint.hash, "sha-1");
    assert_eq!((fingerprint.digest.len(), fingerprint.digest[0], fingerprint.digest[19]), (20, 0x4A, 0xAB));
    let text = "v=0\no=- 1 1 IN IP4 ::\ns=-\nt=0 0\na=fingerprint:sha-1 4a:0d\n";
    let session = SessionDescription::parse(text).expect("lower case");
    assert!(session.to_string().ends_with("a=fingerprint:sha-1 4A:0D\r\n"));
}

#[test]
fn codecs_and_their_parameters() {
    let rtpmap = read!(Rtpmap, "rtpmap:111 OPUS/48000/2");
    assert_eq!((rtpmap.payload_type, rtpmap.clock_rate, rtpmap.channels), (111, 48000, Some(2)));
    assert_eq!(rtpmap.encoding, "opus");
    let fmtp = read!(Fmtp, "fmtp:111 minptime=10; useinbandfec=1");
    assert_eq!((fmtp.get("MINPTIME"), fmtp.get("useinbandfec"), fmtp.get("x")), (Some("10"), Some("1"), None));
    assert_eq!(read!(Fmtp, "fmtp:101 0-15").iter().collect::<Vec<_>>(), [("0-15", "")]);
    assert_eq!(read!(RtcpFb, "rtcp-fb:* nack pli").feedback, Feedback::NackPli);
    assert_eq!(read!(RtcpFb, "rtcp-fb:96 ack ccfb").payload_type, Some(96));
    assert_eq!(read!(RtcpFb, "rtcp-fb:96 nack sli").feedback, Feedback::Other("nack sli".to_owned()));
    assert_eq!(read!(Rtcp, "rtcp:53020 IN IP6 2001:db8::1").port, 53020);
    assert_eq!(read!(Rtcp, "rtcp:53020").connection, None);
}

#[test]
fn the_rest() {
    let extmap = read!(Extmap, "extmap:4096/recvonly urn:example:082005:ext#ntp short 8");
    assert_eq!(
        (extmap.id, extmap.direction, extmap.attributes.as_deref()),
        (4096, Some(Direction::Recvonly), Some("short 8"))
    );
    let rid = read!(Rid, "rid:1 send pt=97,98;max-width=1280;max-height=720");
    assert_eq!((rid.direction, rid.payload_types().collect::<Vec<_>>()), (RidDirection::Send, vec![97, 98]));
    // RFC 8853 §5.1
    let simulcast = read!(Simulcast, "simulcast:send 1,2,3;~4,~5 recv 6;~7,~8");
    let send = simulcast.streams(RidDirection::Send).expect("streams");
    assert_eq!(send.iter().map(Vec::len).collect::<Vec<_>>(), [3, 2]);
    assert!(!send[0][0].paused && send[1][0].paused && send[1][1].rid == "5");
    assert_eq!(read!(Simulcast, "simulcast:recv 1;2").streams(RidDirection::Send), None);
    assert_eq!(read!(Msid, "msid:examplefoo examplebar").track.as_deref(), Some("examplebar"));
    assert_eq!(read!(Msid, "msid:-").track, None);
    assert_eq!(read!(Ssrc, "ssrc:314159 cname:user@example.com").value.as_deref(), Some("user@example.com"));
    assert_eq!(read!(SsrcGroup, "ssrc-group:FID 1 2").ssrcs, [1, 2]);
    assert_eq!(read!(Group, "group:BUNDLE a v d").mids, ["a", "v", "d"]);
    assert_eq!(read!(Setup, "setup:holdconn"), Setup::Holdconn);
    assert_eq!(read!(Sctpmap, "sctpmap:5000 webrtc-datachannel 1024").streams, Some(1024));
    assert_eq!(read!(SctpPort, "sctp-port:5000"), 5000);
    assert_eq!(read!(MaxMessageSize, "max-message-size:1073741823"), 1_073_741_823);
    assert_eq!(read!(MsidSemantic, "msid-semantic: WMS"), " WMS");
    assert!(read!(IceOptions, "ice-options:ice2,trickle").contains("trickle"));
    assert!(!read!(IceOptions, "ice-options:ice2 trickles").contains("trickle"));
    assert_eq!((read!(Ptime, "ptime:20"), read!(Maxptime, "maxptime:120")), (20, 120));
    assert_eq!((read!(Mid, "mid:a1"), read!(TlsId, "tls-id:91bb")), ("a1".to_owned(), "91bb".to_owned()));
    for flag in [
        "bundle-only",
        "cryptex",
        "end-of-candidates",
        "extmap-allow-mixed",
        "ice-lite",
        "rtcp-mux",
        "rtcp-mux-only",
        "rtcp-rsize",
    ] {
        assert!(!matches!(read(flag), Attribute::Unknown(_)), "{flag}");
    }
    for unknown in ["x", "x:", "x: y ", "rtcp-mux:y", "mid", "cryptex:y", "framerate", ":", ":x"] {
        assert!(matches!(read(unknown), Attribute::Unknown(_)), "{unknown}");
    }
}

#[test]
fn what_few_write() {
    // RFC 8866 §6.13 and RFC 3611 §5.1
    assert_eq!(read!(Framerate, "framerate:29.97").frames_per_second(), Some(29.97));
    assert_eq!(read!(Framerate, "framerate:25").frames_per_second(), Some(25.0));
    let reports = read!(RtcpXr, "rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss,jitt voip-metrics");
    let formats = [("rcvr-rtt", "all:10000"), ("stat-summary", "loss,jitt"), ("voip-metrics", "")];
    assert_eq!(reports.iter().collect::<Vec<_>>(), formats);
    assert_eq!(read!(RtcpXr, "rtcp-xr:").iter().count(), 0, "none");
    // RFC 4648 §10
    for (text, bytes) in [("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYg==", "foob"), ("Zm9vYmFy", "foobar")]
    {
        let init = read!(SctpInit, &format!("sctp-init:{text}"));
        assert_eq!(
            (init.chunk(), wigwag_sdp::SctpInit::new(bytes.as_bytes())),
            (Some(bytes.as_bytes().to_vec()), init)
        );
    }
    for wrong in ["Z", "Zg", "Zg=", "Z===", "Zg==Zg==", "Z?==", "Zh=="] {
        assert_eq!(read!(SctpInit, &format!("sctp-init:{wrong}")).chunk(), None, "{wrong}");
    }
}

#[test]
fn passwords_are_printed_in_descriptions_only() {
    let head = "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nt=0 0\n";
    for line in ["a=ice-pwd:secret\0secret", "a=ice-pwd:secret\rsecret", "k=clear:secret\0", "a=crypto:1 secret\0"] {
        let error = SessionDescription::parse(&format!("{head}{line}\n")).expect_err("not one line");
        assert_eq!(error.line, 5);
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    let password = read("ice-pwd:asd88fgpdd777uzjYhagZg");
    assert_eq!(format!("{password:?}"), "IcePwd(IcePwd(…))");
}

#[test]
fn directions_meet_as_in_rfc_3264() {
    let all = [Direction::Sendrecv, Direction::Sendonly, Direction::Recvonly, Direction::Inactive];
    for way in all {
        assert_eq!(way.reversed().reversed(), way);
        assert_eq!(way.and(Direction::Sendrecv), way);
        assert_eq!(way.and(Direction::Inactive), Direction::Inactive);
    }
    assert_eq!(Direction::Sendonly.reversed(), Direction::Recvonly);
    assert_eq!(Direction::Sendonly.and(Direction::Recvonly), Direction::Inactive);
}

#[test]
fn a_port_of_zero_rejects_unless_it_waits_for_its_bundle() {
    let text = "v=0\no=- 1 1 IN IP4 ::\ns=-\nt=0 0\na=group:BUNDLE a b\nm=audio 0 X 0\na=mid:a\nm=video 0 X 0\na=bundle-only\na=mid:b\n";
    let session = SessionDescription::parse(text).expect("two sections");
    assert_eq!(session.media.iter().map(MediaDescription::is_rejected).collect::<Vec<_>>(), [true, false]);
    assert_eq!(session.section("b").map(|section| section.media.as_str()), Some("video"));
    assert_eq!(session.bundled().collect::<Vec<_>>(), ["a", "b"]);
}

/// Whoever writes descriptions by hand leaves spaces behind, which nobody sees: a name with one would be another name, and
/// `a=rtcp-mux` with one no `a=rtcp-mux`.
#[test]
fn spaces_at_the_end_of_a_line_are_nothing() {
    for line in [
        "mid:0",
        "ice-ufrag:abcd",
        "ice-pwd:0123456789012345678901",
        "setup:actpass",
        "rtcp-mux",
        "end-of-candidates",
        "bundle-only",
        "sendonly",
        "rtcp-fb:96 nack",
        "rtcp-fb:96 nack pli",
        "ssrc:1 cname:c",
        "fmtp:96 apt=97",
        "rid:1 send",
        "framerate:30",
        "sctpmap:5000 webrtc-datachannel 256",
        "msid:s t",
        "group:BUNDLE 0 1",
    ] {
        for spaces in [" ", "   "] {
            let text = format!("v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nt=0 0\na={line}{spaces}\n");
            let session = SessionDescription::parse(&text).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(session.attributes.last(), Some(&read(line)), "{line}");
        }
    }
    assert_eq!(read!(MsidSemantic, "msid-semantic: "), " ");
    // What nobody here knows is kept as it came.
    assert_eq!(read("x-unknown "), Attribute::unknown("x-unknown ", None));
    assert_eq!(read("x-unknown:1 "), Attribute::unknown("x-unknown", Some("1 ")));
}

/// RFC 8866 §6.4, §6.5: times of packets are "non-zero-int-or-real"; frames of Opus may last 2.5 ms.
#[test]
fn times_of_packets_need_not_be_whole() {
    assert_eq!(read!(Ptime, "ptime:20"), 20);
    for (name, value) in [("ptime", "2.5"), ("maxptime", "22.5"), ("maxptime", "120.0")] {
        assert_eq!(read(&format!("{name}:{value}")), Attribute::unknown(name, Some(value)));
    }
}
