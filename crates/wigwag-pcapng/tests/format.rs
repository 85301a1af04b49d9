//! Every block is as long as it says, at both ends, and holds what was given.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::time::Duration;
use wigwag_pcapng::{Direction, Dissector, Passage, begin, datagram, key_log, plain};

fn passage(direction: Option<Direction>) -> Passage {
    let time = Duration::new(1_767_225_600, 123_456_789);
    Passage { time, direction, from: "10.0.0.1:1000".parse().unwrap(), to: "10.0.0.2:2000".parse().unwrap() }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// The type and the body of each block.
fn blocks(mut rest: &[u8]) -> Vec<(u32, Vec<u8>)> {
    let mut blocks = Vec::new();
    while !rest.is_empty() {
        let len = word(rest, 4) as usize;
        assert!(len >= 12 && len.is_multiple_of(4) && word(rest, len - 4) as usize == len, "{len}");
        blocks.push((word(rest, 0), rest[8..len - 4].to_vec()));
        rest = &rest[len..];
    }
    blocks
}

#[test]
fn a_capture_begins_with_its_section_and_two_interfaces() {
    let mut out = Vec::new();
    begin(&mut out);
    let blocks = blocks(&out);
    assert_eq!(blocks.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [0x0A0D_0D0A, 1, 1]);
    assert_eq!(blocks[0].1[..8], [0x1A, 0x2B, 0x3C, 0x4D, 0, 1, 0, 0]);
    assert_eq!([&blocks[1].1[..2], &blocks[2].1[..2]], [[0, 101], [0, 252]]);
}

#[test]
fn a_datagram_tells_when_whence_and_whither() {
    for (direction, flags) in
        [(None, [].as_slice()), (Some(Direction::Received), &[0, 2, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0])]
    {
        let mut out = Vec::new();
        assert!(datagram(&mut out, &passage(direction), b"abc"));
        let [(6, body)] = &blocks(&out)[..] else { panic!("one packet") };
        assert_eq!(word(body, 0), 0, "the wire");
        let nanoseconds = u64::from(word(body, 4)) << 32 | u64::from(word(body, 8));
        assert_eq!(nanoseconds, 1_767_225_600_123_456_789);
        assert_eq!([word(body, 12), word(body, 16)], [31, 31]);
        assert_eq!(body[20 + 28..20 + 32], *b"abc\0", "padded");
        assert_eq!(body[20 + 32..], *flags);
    }
}

#[test]
fn what_no_packet_can_hold_changes_nothing() {
    let mut out = vec![7];
    assert!(!datagram(&mut out, &passage(None), &[0; 65_536]));
    assert_eq!(out, [7]);
}

#[test]
fn a_plain_packet_names_its_dissector_and_its_addresses() {
    let mut out = Vec::new();
    plain(&mut out, &passage(Some(Direction::Sent)), Dissector::Rtcp, b"body");
    let [(6, body)] = &blocks(&out)[..] else { panic!("one packet") };
    assert_eq!(word(body, 0), 1, "no wire");
    let mut tags = Vec::new();
    for (kind, value) in [
        (12, b"rtcp".as_slice()),
        (20, &[10, 0, 0, 1]),
        (21, &[10, 0, 0, 2]),
        (25, &[0, 0, 0x03, 0xe8]),
        (26, &[0, 0, 0x07, 0xd0]),
        (0, b""),
    ] {
        tags.extend_from_slice(&[0, kind, 0, value.len() as u8]);
        tags.extend_from_slice(value);
    }
    assert_eq!(body[20..20 + tags.len()], tags);
    assert_eq!(body[20 + tags.len()..][..4], *b"body");
    assert_eq!(word(body, 12) as usize, tags.len() + 4);
}

#[test]
fn keys_are_lines_that_end() {
    for lines in ["CLIENT_RANDOM 00 11", "CLIENT_RANDOM 00 11\n"] {
        let mut out = Vec::new();
        key_log(&mut out, lines);
        let [(10, body)] = &blocks(&out)[..] else { panic!("secrets") };
        assert_eq!(body[..8], [b'T', b'L', b'S', b'K', 0, 0, 0, 20]);
        assert_eq!(body[8..28], *b"CLIENT_RANDOM 00 11\n");
    }
}
