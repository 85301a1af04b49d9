//! The numbers by which payloads tell pictures apart, where one source takes the place of another.

use crate::common::{VIDEO, at, sender};
use crate::forward::{Out, Source};
use allocation_counter::measure;
use wigwag_rtp::header::Packet;
use wigwag_rtp::payload::Format;
use wigwag_rtp::{ElementData, Extensions, Received, RtxPayloadType, RtxStream};

/// A payload of VP8 (RFC 7741 §4.2): S, I and L, with PictureID and TL0PICIDX, and a key frame or another one.
fn vp8(picture: &[u8], lowest: u8, is_key: bool) -> Vec<u8> {
    [&[0x90, 0xc0][..], picture, &[lowest, u8::from(!is_key), 0xaa]].concat()
}

fn long(picture: u16) -> [u8; 2] {
    (0x8000 | picture).to_be_bytes()
}

/// What is forwarded of these packets: which source, its sequence number, and the payload.
fn left(packets: &[(u32, u16, Vec<u8>)], format: Format) -> Vec<Vec<u8>> {
    let mut out = Out::new(1);
    let mut sources = [Source::new(1), Source::new(2)];
    for (n, (ssrc, sequence, payload)) in packets.iter().enumerate() {
        let source = &mut sources[*ssrc as usize - 1];
        let received = source.came(*sequence, 3000 * n as u32, payload, at(n as u32));
        out.session.forward(out.sender, &received, VIDEO.number, Some(format)).expect("it is forwarded");
    }
    out.left(at(100)).into_iter().map(|(.., payload)| payload).collect()
}

/// A key frame is asked for in one layer, and comes in all: of the large one it is forwarded, and then of the small one.
#[test]
fn pictures_of_one_moment_in_two_layers_leave_under_two_numbers() {
    let key = |of| (of, 20, vp8(&long(0x3188), 0xc4, true));
    let packets = [
        (1, 19, vp8(&long(0x3187), 0xc3, true)),
        key(1),
        key(2),
        (2, 21, vp8(&long(0x3189), 0xc4, false)),
        (2, 22, vp8(&long(0x318a), 0xc5, false)),
    ];
    let expected = [
        (0x3187, 0xc3, true),
        (0x3188, 0xc4, true),
        (0x3189, 0xc5, true),
        (0x318a, 0xc5, false),
        (0x318b, 0xc6, false),
    ];
    assert_eq!(
        left(&packets, Format::Vp8),
        expected.map(|(picture, lowest, is_key)| vp8(&long(picture), lowest, is_key))
    );
}

#[test]
fn numbers_go_on_from_one_camera_to_another_and_around_their_end() {
    let packets = [
        (1, 5, vp8(&long(0x7ffe), 0xfe, true)),
        // The one behind comes first.
        (1, 7, vp8(&long(0x7fff), 0xff, false)),
        (1, 6, vp8(&long(0x7ffe), 0xfe, false)),
        (2, 900, vp8(&long(0x1234), 7, true)),
        (2, 902, vp8(&long(0x1236), 9, false)),
        (2, 901, vp8(&long(0x1235), 8, false)),
        (1, 8, vp8(&long(3), 2, true)),
    ];
    let expected = [(0x7ffe, 0xfe), (0x7fff, 0xff), (0x7ffe, 0xfe), (0, 0), (2, 2), (1, 1), (3, 3)];
    for ((left, (.., came)), (picture, lowest)) in left(&packets, Format::Vp8).iter().zip(&packets).zip(expected) {
        assert_eq!(*left, vp8(&long(picture), lowest, came[5] == 0));
    }
}

#[test]
fn a_short_number_stays_short_and_a_source_without_numbers_gets_none() {
    let packets = [
        (1, 1, vp8(&[0x7f], 1, true)),
        (2, 1, vp8(&long(0x100), 9, true)),
        (1, 2, vp8(&[0x22], 5, true)),
        (2, 2, vec![0x10, 0, 0xaa]),
        (1, 3, vp8(&[0x50], 3, true)),
    ];
    let expected =
        [vp8(&[0x7f], 1, true), vp8(&long(0x80), 2, true), vp8(&[1], 3, true), vec![0x10, 0, 0xaa], vp8(&[2], 4, true)];
    assert_eq!(left(&packets, Format::Vp8), expected);
}

/// RFC 9628 §4.2: I, L and B, not F, and a key frame of the lowest layer.
#[test]
fn numbers_of_vp9_go_on_too() {
    let vp9 = |picture: u16, lowest: u8| [&[0xa8][..], &long(picture), &[0, lowest, 0x82, 0x49, 0x83, 0x42]].concat();
    let packets = [(1, 1, vp9(77, 4)), (2, 1, vp9(77, 4)), (1, 2, vp9(78, 5))];
    assert_eq!(left(&packets, Format::Vp9), [vp9(77, 4), vp9(78, 5), vp9(79, 6)]);
}

/// AV1 RTP A.8.3: `frame_number` has 16 bits behind the first byte.
#[test]
fn frame_numbers_of_descriptors_go_on_too() {
    let mut out = Out::new(1);
    let mut config = sender(9);
    (config.mid, config.extensions, config.allows_mixed) = (None, Extensions::NONE, true);
    config.extensions.dependency_descriptor = Some(5);
    out.session.update_sender(out.sender, config).expect("there");
    let (mut ann, mut bob) = (Source::new(1), Source::new(2));
    let mut frames = Vec::new();
    for (n, number) in [0xffff_u16, 0x0102, 0x0103].into_iter().enumerate() {
        let source = if n == 0 { &mut ann } else { &mut bob };
        let mut received = source.came(n as u16, 3000, &vp8(&long(0x10), 1, n < 2), at(n as u32));
        // The second is too long to be kept in its packet.
        let descriptor = [&[0xc0][..], &number.to_be_bytes(), &[7; 27][..27 * (n % 2)]].concat();
        received.packet.dependency_descriptor = ElementData::new(&descriptor);
        out.forward(&received).expect("it is forwarded");
        let mut bytes = Vec::new();
        assert!(out.session.poll_rtp(at(n as u32), 1180, &mut bytes));
        let at = bytes.iter().skip(17).position(|byte| *byte == 0xc0).expect("a descriptor") + 17;
        assert_eq!(bytes[at + 3..][..27 * (n % 2)], [7; 27][..27 * (n % 2)]);
        frames.push(u16::from_be_bytes([bytes[at + 1], bytes[at + 2]]));
    }
    assert_eq!(frames, [0xffff, 0, 1]);
}

/// RFC 3711 §9.1: what is sent again under its number has the very bytes that it had.
#[test]
fn what_is_asked_for_again_comes_with_the_number_that_it_had() {
    let mut out = Out::new(1);
    let (mut ann, mut bob) = (Source::new(1), Source::new(2));
    out.forward(&ann.came(1, 0, &vp8(&long(9), 1, true), at(0))).expect("it is forwarded");
    out.forward(&bob.came(1, 0, &vp8(&long(9), 1, true), at(1))).expect("it is forwarded");
    let first = out.left(at(1)).remove(1);
    assert_eq!(first.2, vp8(&long(10), 2, true));
    let nack = [&[0x81, 205, 0, 3, 0, 0, 0, 1, 0, 0, 0, 9][..], &first.0.to_be_bytes(), &[0, 0]].concat();
    out.session.handle_rtcp(&nack, at(50));
    assert_eq!(out.left(at(50)), std::slice::from_ref(&first));
    // RFC 4588 §4: in a stream of its own, behind the number that the packet had.
    let mut config = sender(9);
    config.rtx = Some(RtxStream::new(10, vec![RtxPayloadType::new(97, VIDEO.number)]));
    out.session.update_sender(out.sender, config).expect("there");
    out.session.handle_rtcp(&nack, at(300));
    let mut bytes = Vec::new();
    assert!(out.session.poll_rtp(at(300), 1180, &mut bytes));
    let again = Packet::parse(&bytes).expect("our own");
    assert_eq!((again.ssrc, again.payload_type), (10, 97));
    assert_eq!(again.payload, [&first.0.to_be_bytes()[..], &first.2].concat());
}

#[test]
fn a_source_that_took_the_place_of_another_costs_no_allocation() {
    let mut out = Out::new(1);
    let (mut ann, mut bob) = (Source::new(1), Source::new(2));
    out.forward(&ann.came(1, 0, &vp8(&long(9), 1, true), at(0))).expect("it is forwarded");
    let came: Vec<_> = (0..2000u16).map(|n| bob.came(n, 0, &vp8(&long(n), 1, n == 0), at(1))).collect();
    // With the first copy of a payload its memory becomes shared, which is the receiver's cost.
    let _shared = came.clone();
    let mut bytes = Vec::with_capacity(1200);
    let mut pass = |received: &Received| {
        out.forward(received).expect("it is forwarded");
        bytes.clear();
        assert!(out.session.poll_rtp(at(1), 1180, &mut bytes));
    };
    came[..1500].iter().for_each(&mut pass);
    assert_eq!(measure(|| came[1500..].iter().for_each(&mut pass)).count_total, 0);
}

#[test]
fn a_source_that_numbers_its_pictures_from_the_second_on_follows_too() {
    let packets = [
        (1, 1, vp8(&long(5000), 9, true)),
        (2, 1, vec![0x10, 0, 0xaa]),
        (2, 2, vp8(&long(4990), 3, false)),
        (2, 3, vp8(&long(4991), 4, false)),
    ];
    let expected =
        [vp8(&long(5000), 9, true), vec![0x10, 0, 0xaa], vp8(&long(5001), 10, false), vp8(&long(5002), 11, false)];
    assert_eq!(left(&packets, Format::Vp8), expected);
}
