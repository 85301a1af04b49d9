//! H.264, against packets made by hand after RFC 6184 and packets that others made.

use crate::codecs::{captured, files, test_data};
use crate::common::at;
use crate::payload::{assemble, frames, packet, streams};
use bytes::Bytes;
use wigwag_rtp::payload::h264::{self, Fragment, Payload};
use wigwag_rtp::payload::{Assembled, Assembler, AssemblerStats, Format, Frame, Packetizer, Unfit};
use wigwag_rtp::{DecodeError, RtpPacket};

const SPS: &[u8] = &[0x67, 0x42, 0xc0, 0x1f, 0x8c];
const PPS: &[u8] = &[0x68, 0xce, 0x3c, 0x80];
const IDR: &[u8] = &[0x65, 0x88, 0x84, 0x01];
const SLICE: &[u8] = &[0x41, 0x9a, 0x02, 0x03];
const DELIMITER: &[u8] = &[0x09, 0xf0];

fn annex_b(units: &[&[u8]]) -> Vec<u8> {
    units.iter().flat_map(|unit| [&[0, 0, 0, 1][..], unit].concat()).collect()
}

fn stap_a(units: &[&[u8]]) -> Vec<u8> {
    let lens = units.iter().flat_map(|unit| [&(unit.len() as u16).to_be_bytes()[..], unit].concat());
    std::iter::once(0x78).chain(lens).collect()
}

/// An access unit of about so many bytes that says which it is: parameters and slices, some with more before them.
pub(crate) fn frame_of(n: usize, len: usize, is_key_frame: bool) -> Bytes {
    let mark = 1 + (n % 250) as u8;
    let slice = |header: u8, len: usize| [&[header, 0x88][..], &vec![mark; len]].concat();
    let (first, second) = (len.div_ceil(2).max(1), len / 2);
    let header = if is_key_frame { 0x65 } else { 0x41 };
    let mut units = vec![slice(header, first)];
    if second > 0 {
        units.push(slice(header, second));
    }
    if is_key_frame {
        units.splice(0..0, [SPS.to_vec(), [PPS, &[mark]].concat()]);
    } else if n.is_multiple_of(3) {
        units.insert(0, vec![0x06, 5, mark, 0x80]);
    }
    annex_b(&units.iter().map(Vec::as_slice).collect::<Vec<_>>()).into()
}

fn told(assembled: &[Assembled]) -> Vec<Result<(bool, bool), u64>> {
    let of = |assembled: &Assembled| match assembled {
        Assembled::Frame(frame) => Ok((frame.is_key_frame, frame.is_decodable)),
        Assembled::Lost { packets } => Err(*packets),
        other => panic!("{other:?}"),
    };
    assembled.iter().map(of).collect()
}

#[test]
fn payloads_by_hand() {
    assert_eq!(Payload::parse(SLICE), Ok(Payload::Single(SLICE)));
    let bytes = stap_a(&[SPS, PPS]);
    let Ok(Payload::Aggregate(units)) = Payload::parse(&bytes) else { panic!("an aggregate") };
    assert!(units.eq([SPS, PPS]));
    // RFC 6184, figures 14 to 16: NRI 3; the start, the middle, the end of an IDR slice.
    for (header, is_start, is_end) in [(0x85, true, false), (0x05, false, false), (0x45, false, true)] {
        let fragment = Fragment { header: 0x65, is_start, is_end, data: &[7, 8] };
        assert_eq!(Payload::parse(&[0x7c, header, 7, 8]), Ok(Payload::Fragment(fragment)));
    }
    let empty = Fragment { header: 0x65, is_start: false, is_end: true, data: &[] };
    assert_eq!(Payload::parse(&[0x7c, 0x45]), Ok(Payload::Fragment(empty)));
}

#[test]
fn what_packetization_mode_1_does_not_have_is_refused() {
    let malformed = Err(DecodeError::Malformed("H.264"));
    // None, STAP-B, MTAP16, MTAP24, FU-B, the reserved ones, and one that says that it is damaged.
    for first in [0x00, 0x60, 0x79, 0x7a, 0x7b, 0x7d, 0x1e, 0x1f, 0xc1] {
        assert_eq!(Payload::parse(&[first, 0, 1, 0x41, 0x41]), malformed, "{first:#x}");
    }
    // A fragment that begins and ends the unit, or is of an aggregate.
    for fu in [0xc5, 0x98, 0x9c, 0x80] {
        assert_eq!(Payload::parse(&[0x7c, fu, 1]), malformed, "{fu:#x}");
    }
    // Aggregates: of nothing, that end too soon, with an empty unit, or one within another.
    let whole = stap_a(&[SPS, PPS]);
    for len in [1, 2, 3, 7, 8, 9, 10, whole.len() - 1] {
        let cut = &whole[..len];
        assert_eq!(Payload::parse(cut).is_ok(), len == 8, "{len}");
    }
    assert_eq!(Payload::parse(&[0x78, 0, 0]), malformed);
    assert_eq!(Payload::parse(&stap_a(&[SPS, &[0x78, 0, 1, 0x41]])), malformed);
    assert_eq!(Payload::parse(&[]), Err(DecodeError::Truncated));
    assert_eq!(Payload::parse(&[0x7c]), Err(DecodeError::Truncated));
}

#[test]
fn an_access_unit_of_every_kind_of_packet() {
    let packets = [
        (1, packet(0, false, DELIMITER)),
        (2, packet(0, false, &stap_a(&[SPS, PPS]))),
        (3, packet(0, false, &[0x7c, 0x85, 0x88])),
        (4, packet(0, false, &[0x7c, 0x05, 0x84])),
        (5, packet(0, false, &[0x7c, 0x45, 0x01])),
        (6, packet(0, true, IDR)),
        (7, packet(3000, true, SLICE)),
    ];
    let assembled = assemble(Format::H264, packets);
    assert_eq!(frames(&assembled), [annex_b(&[DELIMITER, SPS, PPS, IDR, IDR]), annex_b(&[SLICE])]);
    assert_eq!(told(&assembled), [Ok((true, true)), Ok((false, true))]);
}

/// RFC 6184 §5.4: alone, in an aggregate, and in parts. Those who send layers tell of them by the types 30 and 31 (RFC 6190 §4.9, §5.7).
#[test]
fn what_is_of_a_reserved_type_is_ignored() {
    const LAYERS: &[u8] = &[0x7e, 0x80, 0x00, 0x07];
    let packets = [
        (1, packet(0, false, LAYERS)),
        (2, packet(0, false, &stap_a(&[LAYERS, SPS, PPS]))),
        (3, packet(0, false, &[0x60, 1])),
        (4, packet(0, false, &[0x7c, 0x85, 0x88, 0x84])),
        (5, packet(0, true, &[0x7c, 0x45, 0x01])),
        (6, packet(3000, false, &[0x7f, 0])),
        (7, packet(3000, false, &stap_a(&[LAYERS, &[0x1f]]))),
        (8, packet(3000, false, &[0x7c, 0x9e, 1])),
        (9, packet(3000, false, &[0x7c, 0x5e, 1])),
        (10, packet(3000, true, SLICE)),
        // What begins with one is still what a decoder can begin with.
        (12, packet(6000, true, &stap_a(&[LAYERS, SPS, PPS, IDR]))),
    ];
    let mut assembler = Assembler::new(Format::H264);
    let assembled: Vec<_> = packets
        .iter()
        .flat_map(|(sequence, packet)| assembler.push(*sequence, packet, at(0)).collect::<Vec<_>>())
        .collect();
    let expected = [annex_b(&[SPS, PPS, IDR]), annex_b(&[SLICE]), annex_b(&[SPS, PPS, IDR])];
    assert_eq!(frames(&assembled), expected);
    assert_eq!(told(&assembled), [Ok((true, true)), Ok((false, true)), Err(1), Ok((true, true))]);
    assert_eq!(assembler.stats(), AssemblerStats::default());
    // It is not sent.
    let packetizer = Packetizer::new(Format::H264, 0);
    assert!(packetizer.payloads(&annex_b(&[SPS, LAYERS]).into(), 1000).is_err());
}

#[test]
fn both_start_codes_are_read_and_the_zeros_between_units_are_none_of_theirs() {
    let frame = [&[0, 0, 1][..], SPS, &[0, 0, 0, 0, 1], PPS, &[0, 0, 1], IDR, &[0, 0]].concat();
    assert!(h264::units(&frame).expect("start codes").eq([SPS, PPS, IDR]));
    let packetizer = Packetizer::new(Format::H264, 0);
    let mut payloads = packetizer.payloads(&frame.into(), 1000).expect("possible");
    assert_eq!(payloads.next().as_deref(), Some(&stap_a(&[SPS, PPS, IDR])[..]));
    // Three bytes that are no start code.
    let data = [0x41, 0, 0, 3, 1, 0, 0, 2, 9];
    assert!(h264::units(&annex_b(&[&data])).expect("a start code").eq([&data[..]]));
    for none in [&[][..], &[0, 0, 0], &[0, 1, 0x41], &[1, 0x41], &[0, 0, 0, 2, 0x41, 9]] {
        assert!(h264::units(none).is_none(), "{none:?}");
    }
}

#[test]
fn what_is_small_goes_together_and_what_is_large_in_parts() {
    let large = [&[0x65, 0x88][..], &[7; 98]].concat();
    let frame = Frame::new(96, 0, annex_b(&[SPS, PPS, &large, IDR]).into());
    let mut packetizer = Packetizer::new(Format::H264, 0);
    let payloads = packetizer.payloads(&frame.data, 40).expect("possible");
    let packets: Vec<_> = packetizer.packets(&frame, payloads).collect();
    assert_eq!(packets[0].payload, stap_a(&[SPS, PPS]));
    // 99 bytes without the first one, in three parts of 33: NRI 3, FU-A; start, middle and end of type 5.
    let parts: Vec<_> =
        packets[1..4].iter().map(|packet| (packet.payload[0], packet.payload[1], packet.payload.len())).collect();
    assert_eq!(parts, [(0x7c, 0x85, 35), (0x7c, 0x05, 35), (0x7c, 0x45, 35)]);
    assert_eq!(packets[4].payload, IDR);
    assert_eq!(packets.iter().map(|packet| packet.marker).collect::<Vec<_>>(), [false, false, false, false, true]);
    // As long as a packet may be is not too long.
    let payloads = packetizer.payloads(&annex_b(&[&large]).into(), 100).expect("possible");
    assert_eq!(payloads.collect::<Vec<_>>(), [&large]);
}

#[test]
fn in_mode_0_a_unit_is_a_packet_or_is_refused() {
    let packetizer = Packetizer::new(Format::H264SingleNal, 0);
    let data = Bytes::from(annex_b(&[SPS, PPS, IDR]));
    assert!(packetizer.payloads(&data, 5).expect("possible").eq([SPS, PPS, IDR]));
    assert_eq!(packetizer.payloads(&data, 4).err(), Some(Unfit::TooLong));
}

#[test]
fn what_is_no_access_unit_is_refused() {
    let with_lengths = [&[0, 0, 0, 5][..], SPS, &[0, 0, 0, 4], PPS].concat();
    let of_another_type = annex_b(&[SPS, &[0x7c, 0x85, 1]]);
    for format in [Format::H264, Format::H264SingleNal] {
        for data in [&with_lengths[..], SPS, &[0, 0, 1], &[0, 0, 0, 1, 0, 0, 1], &of_another_type, &[0, 0, 1, 0xe5]] {
            let refused = Packetizer::new(format, 0).payloads(&Bytes::copy_from_slice(data), 1000);
            assert_eq!(refused.err(), Some(Unfit::Malformed), "{data:x?}");
        }
    }
    let packetizer = Packetizer::new(Format::H264, 0);
    for limit in 0..3 {
        assert!(packetizer.payloads(&Bytes::from(annex_b(&[IDR])), limit).is_err(), "{limit}");
    }
    assert_eq!(packetizer.payloads(&Bytes::from(annex_b(&[IDR])), 3).expect("a byte in each").len(), 3);
}

#[test]
fn a_unit_whose_part_is_missing_makes_no_frame() {
    let start = packet(0, false, &[0x7c, 0x81, 1]);
    let middle = packet(0, false, &[0x7c, 0x01, 2]);
    let end = packet(0, true, &[0x7c, 0x41, 3]);
    let key = packet(0, true, &stap_a(&[SPS, PPS, IDR]));
    let later = |packet: &RtpPacket| {
        let mut packet = packet.clone();
        packet.timestamp = 3000;
        packet
    };
    for missing in 2..=4 {
        let all = [
            (1, key.clone()),
            (2, later(&start)),
            (3, later(&middle)),
            (4, later(&end)),
            (5, packet(6000, true, SLICE)),
        ];
        let assembled = assemble(Format::H264, all.into_iter().filter(|(sequence, _)| *sequence != missing));
        assert_eq!(frames(&assembled)[0], annex_b(&[SPS, PPS, IDR]));
        assert!(told(&assembled)[1..].iter().all(|told| !matches!(told, Ok((_, true)))), "{missing}: {assembled:?}");
        // Whether the last one is whole cannot be known if the packet before it is missing.
        assert_eq!(frames(&assembled).len(), if missing == 4 { 1 } else { 2 }, "{missing}");
    }
    // They contradict each other: an end without a start, two starts, a unit between, no end.
    let wrong: [&[&RtpPacket]; 4] = [
        &[&middle, &end],
        &[&start, &start, &end],
        &[&start, &packet(0, false, SLICE), &end],
        &[&start, &packet(0, true, &[0x7c, 0x01, 2])],
    ];
    for wrong in wrong {
        let packets = std::iter::once(key.clone()).chain(wrong.iter().map(|packet| later(packet)));
        let mut assembler = Assembler::new(Format::H264);
        let all = (1..).zip(packets.chain([packet(6000, true, SLICE)]));
        let assembled: Vec<_> =
            all.flat_map(|(sequence, packet)| assembler.push(sequence, &packet, at(0)).collect::<Vec<_>>()).collect();
        let stats = assembler.stats();
        assert!(stats.dropped_malformed + stats.dropped_without_start > 0, "{stats:?}");
        assert!(!told(&assembled)[1..].contains(&Ok((false, true))), "{assembled:?}");
    }
}

#[test]
fn a_key_frame_has_its_parameters_or_they_are_known() {
    // Nothing is known: what comes first may be the end of a frame, and a refresh alone is no beginning.
    let packets = [
        (1, packet(0, true, IDR)),
        (2, packet(3000, true, IDR)),
        (3, packet(6000, true, SLICE)),
        // Parameters by themselves are no picture, but can be taken.
        (4, packet(9000, true, &stap_a(&[SPS, PPS]))),
        (5, packet(12_000, true, SLICE)),
        (6, packet(15_000, true, IDR)),
        (7, packet(18_000, true, SLICE)),
    ];
    let assembled = assemble(Format::H264, packets);
    let expected = [
        Ok((false, false)),
        Ok((false, false)),
        Ok((false, true)),
        Ok((false, false)),
        Ok((true, true)),
        Ok((false, true)),
    ];
    assert_eq!(told(&assembled), expected);
}

#[test]
fn a_frame_ends_with_its_marker_or_its_time() {
    let key = stap_a(&[SPS, PPS, IDR]);
    let packets = [
        (1, packet(0, false, &key)),
        (2, packet(3000, false, SLICE)),
        (3, packet(3000, false, SLICE)),
        (4, packet(6000, true, SLICE)),
    ];
    let expected = [annex_b(&[SPS, PPS, IDR]), annex_b(&[SLICE, SLICE]), annex_b(&[SLICE])];
    assert_eq!(frames(&assemble(Format::H264, packets)), expected);
}

#[test]
fn agrees_with_aiortc_on_single_payloads() {
    let Some(folder) = test_data() else { return };
    let file = |n: u32| std::fs::read(folder.join(format!("aiortc-packets/h264_000{n}.bin"))).expect("readable");
    // As its tests say: parameters together, a start and a middle of a refresh, a slice.
    let bytes = file(0);
    let Ok(Payload::Aggregate(units)) = Payload::parse(&bytes) else { panic!("an aggregate") };
    assert_eq!(units.map(|unit| unit[0]).collect::<Vec<_>>(), [0x67, 0x68]);
    let fragments = [1, 2].map(|n| match Payload::parse(&file(n)) {
        Ok(Payload::Fragment(fragment)) => {
            (fragment.header, fragment.is_start, fragment.is_end, fragment.data.len() + 2)
        }
        other => panic!("{other:?}"),
    });
    assert_eq!(fragments, [(0x65, true, false, file(1).len()), (0x65, false, true, file(2).len())]);
    assert!(matches!(Payload::parse(&file(3)), Ok(Payload::Single(unit)) if unit[0] == 0x61));
}

#[test]
fn all_h264_of_a_capture_is_put_together() {
    let Some(folder) = test_data() else { return };
    let capture = std::fs::read(folder.join("str0m-rtp/h264.pcap")).expect("readable");
    let text = std::fs::read_to_string(folder.join("str0m-rtp/h264.txt")).expect("readable");
    let (mut count, mut lost, mut key_frames, mut is_whole) = (0, 0, 0, true);
    for packets in streams(captured(&capture)).values() {
        for assembled in assemble(Format::H264, packets.iter().cloned()) {
            let Assembled::Frame(frame) = assembled else {
                (lost, is_whole) = (lost + 1, false);
                continue;
            };
            is_whole |= frame.is_key_frame;
            assert_eq!((frame.is_key_frame, frame.is_decodable), (h264::is_key_frame(&frame.data), is_whole));
            (count, key_frames) = (count + 1, key_frames + 1 - usize::from(!frame.is_key_frame));
        }
    }
    // The capture has not all bytes of one aggregate, and three packets are missing: the last of a frame, whose follower may have begun
    // with it, and twice the middle one of three.
    let lines = |what: &str| text.lines().filter(|line| line.contains(what)).count();
    assert_eq!((lines("Bad NAL Length"), lost, count), (1, 4, lines("Mark") - 4));
    assert_eq!(key_frames, lines("SPS PPS IDR-Slice") + lines("Start:IDR-Slice"));
}

#[test]
fn survives_what_fuzzers_found_in_others() {
    let Some(folder) = test_data() else { return };
    for (name, bytes) in files(&folder.join("libwebrtc-fuzz/h264-depacketizer-fuzzer-corpus")) {
        let packets = bytes.chunks(20).map(|chunk| packet(0, false, chunk));
        let assembled = assemble(Format::H264, (1..).zip(packets));
        assert!(frames(&assembled).iter().map(|frame| frame.len()).sum::<usize>() <= 5 * bytes.len(), "{name}");
    }
}
