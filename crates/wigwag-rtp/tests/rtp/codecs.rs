//! Packets of others: typed in from documents, and read from `$WIGWAG_TESTDATA`, if that is set.

use proptest::prelude::*;
use std::path::{Path, PathBuf};
use std::time::Duration;
use wigwag_rtp::header::Packet;
use wigwag_rtp::rtcp::{Arrival, Compound, Message};
use wigwag_rtp::{Config, DecodeError, Session};
use wigwag_sansio::{Ecn, Seed};

/// The only message of a compound.
fn message(bytes: &[u8]) -> Message<'_> {
    let mut messages = Compound::new(bytes);
    let message = messages.next().expect("a message").expect("a valid one");
    assert!(messages.next().is_none(), "one message");
    message
}

fn is_valid(bytes: &[u8]) -> bool {
    Compound::new(bytes).all(|message| message.is_ok())
}

fn elements(bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let packet = Packet::parse(bytes).expect("valid");
    packet.extensions().map(|(id, data)| (id, data.to_vec())).collect()
}

const HEADER: [u8; 12] = [0x90, 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];

/// RFC 8285 §4.2: elements of one, two and four bytes, with two bytes of padding after the second.
#[test]
fn one_byte_extensions_of_rfc_8285() {
    let extension = [0xbe, 0xde, 0, 3, 0x10, 0xa1, 0x21, 0xb1, 0xb2, 0, 0, 0x33, 0xc1, 0xc2, 0xc3, 0xc4];
    let expected = vec![(1, vec![0xa1]), (2, vec![0xb1, 0xb2]), (3, vec![0xc1, 0xc2, 0xc3, 0xc4])];
    assert_eq!(elements(&[&HEADER[..], &extension].concat()), expected);
}

/// RFC 8285 §4.3: elements of no, one and four bytes, with a byte of padding after the second.
#[test]
fn two_byte_extensions_of_rfc_8285() {
    let extension = [0x10, 0, 0, 3, 1, 0, 2, 1, 0xb1, 0, 3, 4, 0xc1, 0xc2, 0xc3, 0xc4];
    let expected = vec![(1, vec![]), (2, vec![0xb1]), (3, vec![0xc1, 0xc2, 0xc3, 0xc4])];
    assert_eq!(elements(&[&HEADER[..], &extension].concat()), expected);
}

#[test]
fn an_extension_that_ends_too_soon_says_what_it_said_before() {
    for (form, truncated) in
        [([0xbe, 0xde], [0x10, 7, 0x2f, 1]), ([0x10, 0x0f], [1, 1, 7, 2]), ([0xbe, 0xde], [0x10, 7, 0xf0, 0x10])]
    {
        let bytes = [&HEADER[..], &form, &[0, 1], &truncated].concat();
        assert_eq!(elements(&bytes), [(1, vec![7])], "{truncated:?}");
    }
    assert_eq!(elements(&[&HEADER[..], &[0xab, 0xcd, 0, 1, 1, 2, 3, 4]].concat()), []);
}

#[test]
fn an_rtp_header_must_end_within_its_packet() {
    let packet = [&HEADER[..], &[0xbe, 0xde, 0, 1, 0x10, 7, 0, 0], b"payload"].concat();
    assert_eq!(Packet::parse(&packet).expect("valid").payload, b"payload");
    for len in 0..20 {
        assert_eq!(Packet::parse(&packet[..len]).err(), Some(DecodeError::Truncated), "{len}");
    }
    for (first, error) in [(0x9f, DecodeError::Truncated), (0x50, DecodeError::Version), (0xb0, DecodeError::Padding)] {
        let mut bytes = packet.clone();
        bytes[0] = first;
        assert_eq!(Packet::parse(&bytes).err(), Some(error), "{first:#x}");
    }
    let mut csrcs = HEADER.to_vec();
    csrcs[0] = 0x82;
    csrcs.extend([0, 0, 0, 7, 0, 0, 0, 8, 9]);
    let parsed = Packet::parse(&csrcs).expect("valid");
    assert_eq!((parsed.csrcs().collect::<Vec<_>>(), parsed.payload), (vec![7, 8], &[9][..]));
}

#[test]
fn padding_is_neither_empty_nor_longer_than_the_payload() {
    let mut packet = HEADER.to_vec();
    packet[0] = 0xa0;
    packet.extend(b"payload");
    for (padding, len) in [(0, None), (1, Some(7)), (7, Some(1)), (8, Some(0)), (9, None), (255, None)] {
        let bytes = [&packet[..], &[padding]].concat();
        assert_eq!(Packet::parse(&bytes).ok().map(|packet| packet.payload.len()), len, "{padding}");
    }
}

/// pion/rtcp, `transport_layer_cc_test.go`.
#[test]
fn transport_wide_feedback_as_others_write_it() {
    let bytes = [
        0xaf, 0xcd, 0x00, 0x05, 0xfa, 0x17, 0xfa, 0x17, 0x43, 0x03, 0x2f, 0xa0, 0x00, 0x99, 0x00, 0x01, 0x3d, 0xe8,
        0x02, 0x17, 0x20, 0x01, 0x94, 0x01,
    ];
    let Message::TransportFeedback(feedback) = message(&bytes) else { panic!("no feedback") };
    assert_eq!(feedback.sender_ssrc, 4_195_875_351);
    assert_eq!(
        (feedback.base, feedback.count, feedback.reference_time, feedback.feedback_count),
        (153, 1, 4_057_090, 23)
    );
    // 37 ms.
    assert_eq!(feedback.arrivals().collect::<Vec<_>>(), [Arrival { sequence: 153, ticks: Some(148) }]);

    let bytes = [
        0xaf, 0xcd, 0x00, 0x06, 0xfa, 0x17, 0xfa, 0x17, 0x19, 0x3d, 0xd8, 0xbb, 0x01, 0x74, 0x00, 0x02, 0x45, 0xb1,
        0x5a, 0x40, 0xd8, 0x00, 0xf0, 0xff, 0xd0, 0x00, 0x00, 0x03,
    ];
    let Message::TransportFeedback(feedback) = message(&bytes) else { panic!("no feedback") };
    assert_eq!(
        (feedback.base, feedback.count, feedback.reference_time, feedback.feedback_count),
        (372, 2, 4_567_386, 64)
    );
    // 60 ms, and 12 ms before that.
    let expected = [Arrival { sequence: 372, ticks: Some(240) }, Arrival { sequence: 373, ticks: Some(240 - 48) }];
    assert_eq!(feedback.arrivals().collect::<Vec<_>>(), expected);
}

/// pion/rtcp, `receiver_estimated_maximum_bitrate_test.go`.
#[test]
fn a_receiver_estimate_as_others_write_it() {
    let bytes = [143, 206, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0, 82, 69, 77, 66, 1, 26, 32, 223, 72, 116, 237, 22];
    let Message::ReceiverEstimate(estimate) = message(&bytes) else { panic!("no estimate") };
    assert_eq!((estimate.bitrate_bps, estimate.sources().collect::<Vec<_>>()), (8_927_168, vec![1_215_622_422]));
}

#[test]
fn a_receiver_estimate_beyond_all_measure_is_the_largest() {
    let bytes = [143, 206, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 82, 69, 77, 66, 0, 0xff, 0xff, 0xff];
    let Message::ReceiverEstimate(estimate) = message(&bytes) else { panic!("no estimate") };
    assert_eq!(estimate.bitrate_bps, u64::MAX);
}

#[test]
fn every_length_field_of_a_compound_is_checked() {
    let compound = [
        &[0x81, 200, 0, 12][..],
        &[7; 48],
        &[0x81, 202, 0, 3, 0, 0, 0, 1, 1, 2, b'a', b'b', 0, 0, 0, 0],
        &[0x81, 205, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 9, 0, 1],
        &[0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2],
        &[0x81, 203, 0, 1, 0, 0, 0, 1],
    ];
    assert!(is_valid(&compound.concat()));
    for at in 0..compound.len() {
        let words = u16::from_be_bytes([compound[at][2], compound[at][3]]);
        if compound[at].len() == 4 || compound[at][0] == 7 {
            continue;
        }
        for wrong in [0, words - 1, words + 1, 0xffff] {
            let mut parts: Vec<Vec<u8>> = compound.iter().map(|part| part.to_vec()).collect();
            parts[at][2..4].copy_from_slice(&wrong.to_be_bytes());
            let bytes = parts.concat();
            // Some still look like a compound; none ends elsewhere than at its end.
            assert!(Compound::new(&bytes).count() <= bytes.len() / 4, "{at}: {wrong}");
            if wrong == 0xffff || wrong == 0 {
                assert!(!is_valid(&bytes), "{at}: {wrong}");
            }
        }
    }
    // More report blocks, sources, chunks or ends than there are bytes.
    for (packet_type, body) in [(200, 24), (201, 4), (202, 8), (203, 4)] {
        let mut bytes = vec![0x9f, packet_type, 0, (body / 4) as u8];
        bytes.extend(vec![0; body]);
        assert!(!is_valid(&bytes), "{packet_type}");
    }
}

#[test]
fn a_message_of_another_version_ends_the_compound() {
    let report = [0x80, 201, 0, 1, 0, 0, 0, 1];
    for first in [0x00, 0x40, 0xc0] {
        let mut other = report;
        other[0] = first;
        assert!(is_valid(&report) && !is_valid(&other), "{first:#x}");
        assert_eq!(Compound::new(&[report, other, report].concat()).count(), 2, "the first, and that it is over");
    }
}

#[test]
fn every_prefix_of_a_message_is_refused() {
    let messages: [&[u8]; 6] = [
        &[0x80, 200, 0, 6, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24],
        &[0x80, 201, 0, 1, 0, 0, 0, 1],
        &[0x81, 203, 0, 2, 0, 0, 0, 1, 2, b'o', b'k', 0],
        &[0x81, 205, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 9, 0, 1],
        &[0x84, 206, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 5, 0, 0, 0],
        &[0x8f, 205, 0, 5, 0, 0, 0, 1, 0, 0, 0, 2, 0, 9, 0, 1, 0, 0, 1, 0, 0x20, 1, 4, 0],
    ];
    for message in messages {
        assert!(is_valid(message), "{message:?}");
        for len in 1..message.len() {
            assert!(!is_valid(&message[..len]), "{len} of {message:?}");
        }
        // The same with a length that agrees: the message itself must notice.
        for words in 1..message.len() / 4 {
            let mut shorter = message[..4 * words].to_vec();
            shorter[3] = (words - 1) as u8;
            if message[1] != 203 {
                assert!(!is_valid(&shorter), "{words} words of {message:?}");
            }
        }
    }
}

#[test]
fn feedback_about_more_packets_than_anybody_sends_is_refused() {
    // Nine runs of 8,191 packets that are missing.
    let mut bytes = vec![0x8f, 205, 0, 9, 0, 0, 0, 1, 0, 0, 0, 2, 0, 9, 0xff, 0xff, 0, 0, 1, 0];
    bytes.extend([0x1f, 0xff].repeat(10));
    assert!(!is_valid(&bytes));
    // And a run of no packets at all never ends.
    let mut bytes = vec![0x8f, 205, 0, 9, 0, 0, 0, 1, 0, 0, 0, 2, 0, 9, 0, 1, 0, 0, 1, 0];
    bytes.extend([0x20, 0].repeat(10));
    assert!(!is_valid(&bytes));
}

#[expect(clippy::print_stdout, reason = "whoever runs the tests shall know what was skipped")]
pub(crate) fn test_data() -> Option<PathBuf> {
    let folder = std::env::var_os("WIGWAG_TESTDATA");
    if folder.is_none() {
        println!("skipped: WIGWAG_TESTDATA is not set");
    }
    folder.map(PathBuf::from)
}

/// The files in a folder, in the order of their names.
pub(crate) fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).expect("the folder of the test data");
    let paths = entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_file());
    let mut files: Vec<_> = paths
        .map(|path| {
            let name = path.file_name().expect("a file").to_string_lossy().into_owned();
            (name, std::fs::read(path).expect("readable"))
        })
        .collect();
    files.sort();
    files
}

#[test]
fn agrees_with_aiortc_on_what_is_valid() {
    let Some(folder) = test_data() else { return };
    let (mut valid, mut invalid) = (0, 0);
    for (name, bytes) in files(&folder.join("aiortc-packets")) {
        let result = if name.starts_with("rtcp_") {
            is_valid(&bytes)
        } else if name.starts_with("rtp") {
            Packet::parse(&bytes).is_ok()
        } else {
            continue;
        };
        let expected = !name.contains("invalid") && !name.contains("truncated");
        assert_eq!(result, expected, "{name}");
        valid += u32::from(expected);
        invalid += u32::from(!expected);
    }
    assert_eq!((valid, invalid), (14, 7));
}

#[test]
fn reads_the_fields_that_aiortc_reads() {
    let Some(folder) = test_data() else { return };
    let read = |name: &str| std::fs::read(folder.join("aiortc-packets").join(name)).expect("readable");
    let bytes = read("rtcp_sr.bin");
    let Message::SenderReport(report) = message(&bytes) else { panic!("no sender report") };
    assert_eq!((report.ssrc, report.info.ntp_time), (1_831_097_322, 16_016_567_581_311_369_308));
    assert_eq!((report.info.rtp_timestamp, report.info.packets, report.info.bytes), (1_722_342_718, 269, 13_557));
    let blocks: Vec<_> = report.blocks().collect();
    assert_eq!((blocks.len(), blocks[0].ssrc, blocks[0].lost), (1, 2_398_654_957, 0));
    assert_eq!((blocks[0].highest_sequence, blocks[0].jitter), (246, 127));
    let bytes = read("rtcp_rr.bin");
    let Message::ReceiverReport(report) = message(&bytes) else { panic!("no receiver report") };
    let blocks: Vec<_> = report.blocks().collect();
    assert_eq!(
        (report.ssrc, blocks[0].ssrc, blocks[0].highest_sequence, blocks[0].jitter),
        (817_267_719, 1_200_895_919, 630, 1906)
    );
    let bytes = read("rtp_with_sdes_mid.bin");
    let packet = Packet::parse(&bytes).expect("valid");
    assert_eq!((packet.payload_type, packet.payload.len()), (111, 54));
    assert_eq!(elements(&bytes), [(9, b"0".to_vec())]);
    let bytes = read("rtp_with_csrc.bin");
    let packet = Packet::parse(&bytes).expect("valid");
    assert_eq!(packet.csrcs().collect::<Vec<_>>(), [2_882_400_001, 3_735_928_559]);
    let bytes = read("rtp_only_padding.bin");
    assert_eq!(Packet::parse(&bytes).expect("valid").payload, b"");
}

/// The value of `name: …` or `name=…` in a description, as a number.
fn field(text: &str, name: &str) -> u64 {
    let value = text.split_once(name).unwrap_or_else(|| panic!("{name} in {text}")).1;
    let value = value.trim_start_matches([':', '=', ' ']);
    let is_hex = value.starts_with("0x");
    let digits: String = value
        .trim_start_matches("0x")
        .chars()
        .take_while(|c| if is_hex { c.is_ascii_hexdigit() } else { c.is_ascii_digit() })
        .collect();
    u64::from_str_radix(&digits, if is_hex { 16 } else { 10 }).unwrap_or_else(|_| panic!("{name} in {text}"))
}

#[test]
fn reads_the_fields_that_wireshark_reads() {
    let Some(folder) = test_data() else { return };
    for n in [1, 3] {
        let read =
            |end: &str| std::fs::read(folder.join(format!("mediasoup-testdata/packet{n}.{end}"))).expect("readable");
        let (bytes, info) = (read("raw"), String::from_utf8_lossy(&read("info")).into_owned());
        let packet = Packet::parse(&bytes).expect("valid");
        assert_eq!(u64::from(packet.sequence), field(&info, "Sequence number"));
        assert_eq!(u64::from(packet.timestamp), field(&info, "Timestamp"));
        assert_eq!(u64::from(packet.ssrc), field(&info, "Synchronization Source identifier"));
        assert_eq!((packet.payload_type, packet.payload.is_empty()), (111, false));
        let expected = if n == 1 { vec![(1, vec![0xff])] } else { vec![(3, vec![0x65, 0x34, 0x1e]), (1, vec![0xd0])] };
        assert_eq!(elements(&bytes), expected);
    }
    // 241 bytes of padding in a packet of 240.
    let bytes = std::fs::read(folder.join("mediasoup-testdata/packet2.raw")).expect("readable");
    assert_eq!(Packet::parse(&bytes).err(), Some(DecodeError::Padding));
}

/// The UDP payloads of a capture file: little-endian pcap, Ethernet or raw IP, IPv4.
pub(crate) fn captured(bytes: &[u8]) -> Vec<&[u8]> {
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes")) as usize;
    let link_len = match word(20) {
        1 => 14,
        0 => 4,
        113 => 16,
        _ => 0,
    };
    let (mut at, mut payloads) = (24, Vec::new());
    while at + 16 <= bytes.len() {
        let len = word(at + 8);
        let ip = &bytes[at + 16 + link_len..at + 16 + len];
        let header_len = 4 * usize::from(ip[0] & 0x0f);
        payloads.push(&ip[header_len + 8..]);
        at += 16 + len;
    }
    payloads
}

#[test]
fn reads_captured_media_as_it_was_described() {
    let Some(folder) = test_data() else { return };
    for (name, count_min) in [("vp8", 100), ("av1", 100), ("h266", 10)] {
        let read = |end: &str| std::fs::read(folder.join(format!("str0m-rtp/{name}.{end}"))).expect("readable");
        let (capture, text) = (read("pcap"), String::from_utf8_lossy(&read("txt")).into_owned());
        let packets = captured(&capture);
        let mut compared = 0;
        for (bytes, line) in packets.iter().zip(text.lines()) {
            let packet = Packet::parse(bytes).expect("valid");
            assert_eq!(u64::from(packet.ssrc), field(line, "SSRC"), "{name}: {line}");
            assert_eq!(u64::from(packet.sequence), field(line, "Seq"), "{name}: {line}");
            assert_eq!(u64::from(packet.timestamp), field(line, "Time"), "{name}: {line}");
            // Of H.266 the description tells no marker.
            assert_eq!(packet.marker, line.contains("Mark") || (name == "h266" && packet.marker), "{name}: {line}");
            compared += 1;
        }
        assert!(compared >= count_min, "{name}: {compared}");
    }
}

/// The bytes of a `[]byte("…")` literal.
fn go_literal(text: &str) -> Vec<u8> {
    let literal = text.split_once("[]byte(\"").expect("a literal").1.rsplit_once("\")").expect("its end").0;
    let (mut bytes, mut rest) = (Vec::new(), literal.chars());
    while let Some(c) = rest.next() {
        let byte = match c {
            '\\' => match rest.next().expect("an escape") {
                'x' => {
                    let digits: String = rest.by_ref().take(2).collect();
                    u8::from_str_radix(&digits, 16).expect("hexadecimal")
                }
                'n' => b'\n',
                'r' => b'\r',
                't' => b'\t',
                'a' => 7,
                'b' => 8,
                'f' => 12,
                'v' => 11,
                c => c as u8,
            },
            c => c as u8,
        };
        bytes.push(byte);
    }
    bytes
}

/// Everything that reads bytes reads these.
fn read_all(bytes: &[u8]) {
    if let Ok(packet) = Packet::parse(bytes) {
        let _ = (packet.csrcs().count(), packet.extensions().count());
    }
    for message in Compound::new(bytes) {
        match message {
            Ok(Message::SenderReport(report)) => assert!(report.blocks().count() < 32),
            Ok(Message::ReceiverReport(report)) => assert!(report.blocks().count() < 32),
            Ok(Message::SourceDescription(names)) => assert!(names.canonical_names().count() < 32),
            Ok(Message::Goodbye(goodbye)) => assert!(goodbye.sources().count() < 32),
            Ok(Message::Nack(nack)) => {
                assert!(nack.pairs().flat_map(wigwag_rtp::rtcp::NackPair::sequences).count() <= bytes.len() * 17 / 4);
            }
            Ok(Message::TransportFeedback(feedback)) => {
                assert_eq!(feedback.arrivals().count(), usize::from(feedback.count));
            }
            Ok(Message::FullIntraRequest(request)) => assert!(request.requests().count() <= bytes.len() / 8),
            Ok(Message::ReceiverEstimate(estimate)) => assert!(estimate.sources().count() < 256),
            Ok(_) | Err(_) => {}
        }
    }
    let mut session = Session::new(Config::new("z"), Seed::for_test(1));
    let now = wigwag_sim::origin() + Duration::from_secs(1);
    session.handle_rtp(bytes, Ecn::NotEct, now);
    session.handle_rtcp(bytes, now);
}

#[test]
fn survives_what_fuzzers_found_in_others() {
    let Some(folder) = test_data() else { return };
    let mut seeds: Vec<_> = files(&folder.join("pion-rtcp/fuzz/FuzzUnmarshal"))
        .iter()
        .map(|(_, text)| go_literal(&String::from_utf8_lossy(text)))
        .collect();
    for corpus in ["rtp-corpus", "rtcp-corpus"] {
        seeds.extend(files(&folder.join("libwebrtc-fuzz").join(corpus)).into_iter().map(|(_, bytes)| bytes));
    }
    assert!(seeds.len() > 70, "{}", seeds.len());
    for bytes in &seeds {
        read_all(bytes);
        for at in 0..bytes.len().min(300) {
            read_all(&bytes[..at]);
            for byte in [0, 1, 0x7f, 0xff] {
                let mut mutated = bytes.clone();
                mutated[at] = byte;
                read_all(&mutated);
            }
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read_all(&bytes);
    }

    #[test]
    fn any_bytes_behind_a_header_are_read_or_refused(
        first in 0x80u8..0xc0,
        second in prop::sample::select(vec![200u8, 201, 202, 203, 205, 206, 96]),
        body in prop::collection::vec(any::<u8>(), 0..50),
    ) {
        let words = (body.len() as u16 * 2).to_be_bytes();
        let body: Vec<u8> = body.iter().flat_map(|byte| [*byte & 0x3f, 0, 0, 1, *byte, *byte, 0, 0]).collect();
        read_all(&[&[first, second][..], &words, &body].concat());
    }
}
