//! AV1, against packets made by hand after its payload format and a capture of others.

use crate::codecs::{captured, files, test_data};
use crate::common::at;
use crate::payload::{assemble, frames, packet, streams};
use bytes::Bytes;
use wigwag_rtp::payload::av1::{self, Payload};
use wigwag_rtp::payload::{Assembled, Assembler, Format, Frame, Packetizer, Unfit};
use wigwag_rtp::{DecodeError, RtpPacket};

/// OBUs as they stand in packets, without sizes: a sequence header, and frames of which only the first bits are read.
const SEQUENCE: &[u8] = &[0x08, 0x00, 0x00, 0x04];
const KEY: &[u8] = &[0x30, 0x10, 0x11, 0x12];
const INTER: &[u8] = &[0x30, 0x20, 0x21, 0x22];
/// With an extension: temporal layer 1, spatial layer 1.
const LAYER: &[u8] = &[0x34, 0x28, 0x20, 0x31];
const DELIMITER: &[u8] = &[0x12, 0x00];

/// OBUs of less than 128 bytes with their sizes.
fn sized(obus: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for obu in obus {
        let header_len = if obu[0] & 4 == 0 { 1 } else { 2 };
        out.push(obu[0] | 2);
        out.extend_from_slice(&obu[1..header_len]);
        out.push((obu.len() - header_len) as u8);
        out.extend_from_slice(&obu[header_len..]);
    }
    out
}

/// A temporal unit of about so many bytes that says which it is.
pub(crate) fn frame_of(n: usize, len: usize, is_key_frame: bool) -> Bytes {
    let mark = 1 + (n % 250) as u8;
    let obu = |header: u8, first: u8, len: usize| {
        let size = len + 2;
        let mut out = vec![header | 2, size as u8 & 0x7f | 0x80, (size >> 7) as u8 & 0x7f | 0x80, (size >> 14) as u8];
        // A size is as short as it can be.
        if size < 128 {
            out.splice(1.., [size as u8]);
        } else if size < 1 << 14 {
            out.splice(1.., [size as u8 | 0x80, (size >> 7) as u8]);
        }
        out.extend_from_slice(&[first, mark]);
        out.extend(std::iter::repeat_n(mark, len));
        out
    };
    let (first, second) = (len.div_ceil(2).max(1), len / 2);
    let mut unit = Vec::new();
    if is_key_frame {
        unit.extend(obu(0x08, 0, 8));
    }
    unit.extend(obu(0x30, if is_key_frame { 0x10 } else { 0x30 }, first));
    if second > 0 {
        unit.extend(obu(0x20, 0x55, second));
    }
    unit.into()
}

fn told(assembled: &[Assembled]) -> Vec<Result<(bool, bool), u64>> {
    let of = |assembled: &Assembled| match assembled {
        Assembled::Frame(frame) => Ok((frame.is_key_frame, frame.is_decodable)),
        Assembled::Lost { packets } => Err(*packets),
        other => panic!("{other:?}"),
    };
    assembled.iter().map(of).collect()
}

fn elements(payload: &[u8]) -> Vec<&[u8]> {
    Payload::parse(payload).expect("whole").elements.collect()
}

#[test]
fn payloads_by_hand() {
    // W 0: each has its length, here of one byte and of two.
    let long = vec![7; 200];
    let bytes = [&[0x08, 2, 1, 2, 0xc8, 0x01][..], &long].concat();
    let payload = Payload::parse(&bytes).expect("whole");
    assert_eq!((payload.continues, payload.leaves_open, payload.begins_sequence), (false, false, true));
    assert_eq!(elements(&bytes), [&[1, 2][..], &long]);
    // W 1, 2 and 3: the last has none.
    assert_eq!(elements(&[0x10, 2, 1, 2]), [&[2, 1, 2]]);
    assert_eq!(elements(&[0x20, 2, 1, 2, 9, 9, 9]), [&[1, 2][..], &[9, 9, 9]]);
    assert_eq!(elements(&[0x30, 1, 1, 0x82, 0x00, 5, 6, 9]), [&[1][..], &[5, 6], &[9]]);
    let payload = Payload::parse(&[0xd0, 1]).expect("whole");
    assert_eq!((payload.continues, payload.leaves_open), (true, true));
}

#[test]
fn what_is_no_payload_is_refused() {
    let malformed = Err(DecodeError::Malformed("AV1"));
    for truncated in [&[][..], &[0x00], &[0x00, 3, 1, 2], &[0x20, 2, 1], &[0x30, 1, 1, 2, 5], &[0x00, 0x80]] {
        assert_eq!(Payload::parse(truncated), Err(DecodeError::Truncated), "{truncated:x?}");
    }
    // Nothing in an element; a number that does not end, or is too large; a sequence that begins in the middle of an OBU.
    let endless = [&[0x00][..], &[0x80; 9], &[0x00, 1]].concat();
    let large = [0x00, 0x80, 0x80, 0x80, 0x80, 0x10, 1];
    for bytes in [&[0x00, 0][..], &[0x10], &[0x20, 1, 1], &[0x00, 1, 1, 0], &endless, &large, &[0x98, 1]] {
        assert_eq!(Payload::parse(bytes), malformed, "{bytes:x?}");
    }
}

#[test]
fn a_temporal_unit_of_every_kind_of_packet() {
    let with_size = [&[KEY[0] | 2, 3][..], &KEY[1..]].concat();
    let packets = [
        // N; a delimiter, which is left out; the sequence; the beginning of a frame.
        (1, packet(0, false, &[&[0x78, 2][..], DELIMITER, &[4], SEQUENCE, &KEY[..1]].concat())),
        (2, packet(0, false, &[0xd0, KEY[1]])),
        (3, packet(0, false, &[&[0x80, 2][..], &KEY[2..], &[4], LAYER].concat())),
        // Senders may leave the size in.
        (4, packet(0, true, &[&[0x20, 5][..], &with_size, INTER].concat())),
        (5, packet(3000, true, &[&[0x10][..], INTER].concat())),
    ];
    let assembled = assemble(Format::Av1, packets);
    assert_eq!(frames(&assembled), [sized(&[SEQUENCE, KEY, LAYER, KEY, INTER]), sized(&[INTER])]);
    assert_eq!(told(&assembled), [Ok((true, true)), Ok((false, true))]);
}

#[test]
fn an_obu_in_pieces_of_a_byte_is_put_together() {
    let whole = [&[0x36, 0x28, 0x83, 0x00][..], &[0x10, 8, 9]].concat();
    let mut packets = vec![(1, packet(0, false, &[&[0x18][..], SEQUENCE].concat()))];
    for (n, byte) in (2..).zip(&whole) {
        let (first, last) = (n == 2, n == whole.len() as u64 + 1);
        let header = 0x10 | if first { 0 } else { 0x80 } | if last { 0 } else { 0x40 };
        packets.push((n, packet(0, last, &[header, *byte])));
    }
    // Its size in two bytes becomes one of one.
    let expected = [&sized(&[SEQUENCE])[..], &[0x36, 0x28, 0x03, 0x10, 8, 9]].concat();
    assert_eq!(frames(&assemble(Format::Av1, packets)), [expected]);
}

#[test]
fn pieces_that_are_no_obus_make_no_frame() {
    let key = packet(0, true, &[&[0x28, 4][..], SEQUENCE, KEY].concat());
    // A forbidden bit, a size that is not that of the rest, an extension that is missing, nothing but what is left out, an end that never comes,
    // a piece of nothing.
    let wrong: [&[u8]; 6] =
        [&[0x10, 0xb0, 1], &[0x10, 0x32, 2, 0x20], &[0x10, 0x34], &[0x10, 0x12, 0x00], &[0x50, 0x30, 1], &[0x90, 1]];
    for wrong in wrong {
        let packets = [
            (1, key.clone()),
            (2, packet(3000, true, wrong)),
            (3, packet(6000, true, &[&[0x10][..], INTER].concat())),
            (4, packet(9000, true, &[&[0x10][..], INTER].concat())),
        ];
        let mut assembler = Assembler::new(Format::Av1);
        let of = |(sequence, packet): &(u64, RtpPacket)| assembler.push(*sequence, packet, at(0)).collect::<Vec<_>>();
        let assembled: Vec<_> = packets.iter().flat_map(of).collect();
        assert_eq!(frames(&assembled)[0], sized(&[SEQUENCE, KEY]));
        assert!(told(&assembled)[1..].iter().all(|told| !matches!(told, Ok((_, true)))), "{wrong:x?}: {assembled:?}");
        assert!(assembler.stats().dropped_malformed + assembler.stats().dropped_without_start > 0);
    }
}

#[test]
fn key_frames_have_a_sequence_and_a_frame_that_needs_none() {
    let still = &[0x08, 0x18, 0x00][..];
    for (obus, is_key_frame) in [
        (&[SEQUENCE, KEY][..], true),
        (&[KEY], false),
        (&[SEQUENCE, INTER], false),
        (&[SEQUENCE], false),
        // A frame that is shown again, one that refers to none but is no key frame, and a picture that stands still.
        (&[SEQUENCE, &[0x18, 0x80]], false),
        (&[SEQUENCE, &[0x18, 0x40]], false),
        (&[SEQUENCE, &[0x18, 0x10], &[0x20, 1]], true),
        (&[still, &[0x30, 0xff]], true),
    ] {
        assert_eq!(av1::is_key_frame(&sized(obus)), is_key_frame, "{obus:x?}");
    }
    assert!(!av1::is_key_frame(&[]) && !av1::is_key_frame(&[0x80]));
}

#[test]
fn what_is_small_goes_together_and_what_is_large_in_pieces() {
    let large = [&[0x30, 0x10][..], &[7; 98]].concat();
    let send = |unit: Vec<u8>, limit| {
        let mut packetizer = Packetizer::new(Format::Av1, 0);
        let frame = Frame::new(45, 0, Bytes::from(unit));
        let payloads = packetizer.payloads(&frame.data, limit).expect("possible");
        packetizer.packets(&frame, payloads).map(|packet| packet.payload.to_vec()).collect::<Vec<_>>()
    };
    // The delimiter stays here; N and Y; then pieces alone, of which the last has no Y.
    let unit = [DELIMITER, &sized(&[SEQUENCE, &large])].concat();
    let sent = send(unit, 41);
    assert_eq!(sent[0], [&[0x48, 4][..], SEQUENCE, &[34], &large[..34]].concat());
    assert_eq!(sent[1], [&[0xd0][..], &large[34..74]].concat());
    assert_eq!(sent[2], [&[0x90][..], &large[74..]].concat());
    // What is alone in a packet needs no length.
    assert_eq!(send(sized(&[INTER]), 5), [[&[0x10][..], INTER].concat()]);
    // OBUs of two layers are not in one packet.
    let other = [&[0x34, 0x00][..], &LAYER[2..]].concat();
    assert_eq!(send(sized(&[LAYER, &other]), 100).len(), 2);
    assert_eq!(send(sized(&[LAYER, INTER]), 100).len(), 1);
}

#[test]
fn what_is_no_temporal_unit_is_refused() {
    let packetizer = Packetizer::new(Format::Av1, 0);
    // A size past the end, a forbidden bit, a delimiter alone.
    for wrong in [&[0x32, 5, 1][..], &[0xb2, 1, 1], DELIMITER, &[0x34]] {
        assert_eq!(
            packetizer.payloads(&Bytes::copy_from_slice(wrong), 100).err(),
            Some(Unfit::Malformed),
            "{wrong:x?}"
        );
    }
    let data = Bytes::from(sized(&[SEQUENCE, KEY]));
    for limit in 0..3 {
        assert_eq!(packetizer.payloads(&data, limit).err(), Some(Unfit::TooLong), "{limit}");
    }
    assert_eq!(packetizer.payloads(&data, 3).expect("two bytes in each").len(), 4);
    // The last may be without a size.
    let last = [&sized(&[SEQUENCE])[..], KEY].concat();
    assert!(packetizer.payloads(&last.into(), 100).is_ok());
}

#[test]
fn all_av1_of_a_capture_is_put_together() {
    let Some(folder) = test_data() else { return };
    let capture = std::fs::read(folder.join("str0m-rtp/av1.pcap")).expect("readable");
    let (mut count, mut key_frames, mut markers) = (0, 0, 0);
    for packets in streams(captured(&capture)).values() {
        markers += packets.iter().filter(|(_, packet)| packet.marker).count();
        for assembled in assemble(Format::Av1, packets.iter().cloned()) {
            let Assembled::Frame(frame) = assembled else { continue };
            assert!(av1::obus(&frame.data).all(|obu| obu.is_ok_and(|obu| obu.kind() != 2)));
            (count, key_frames) = (count + 1, key_frames + u32::from(frame.is_key_frame));
        }
    }
    assert!(markers - count <= 1 && key_frames > 0, "{count} {markers} {key_frames}");
}

#[test]
fn survives_what_fuzzers_found_in_others() {
    let Some(folder) = test_data() else { return };
    for (name, bytes) in files(&folder.join("libwebrtc-fuzz/rtp-depacketizer-av1-assemble-frame-corpus")) {
        let packets = bytes.chunks(20).map(|chunk| packet(0, false, chunk));
        let assembled = assemble(Format::Av1, (1..).zip(packets));
        assert!(frames(&assembled).iter().map(|frame| frame.len()).sum::<usize>() <= 5 * bytes.len(), "{name}");
    }
}
