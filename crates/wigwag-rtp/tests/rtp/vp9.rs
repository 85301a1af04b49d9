//! VP9, against packets made by hand after RFC 9628 and a capture of others.

use crate::codecs::{captured, test_data};
use crate::common::at;
use crate::payload::{assemble, frames, packet, streams};
use bytes::Bytes;
use proptest::prelude::*;
use wigwag_rtp::payload::vp8::PictureId;
use wigwag_rtp::payload::vp9::{self, Descriptor, Layer};
use wigwag_rtp::payload::{Assembled, Assembler, Format, Frame, Packetizer, Unfit};
use wigwag_rtp::{DecodeError, RtpPacket};

const KEY: &[u8] = &[0x82, 0x49, 0x83];
const INTER: &[u8] = &[0x86, 0x00, 0x40];

/// RFC 9628 §4.2, figures 2 to 4, filled in by hand.
#[test]
fn descriptors_with_everything() {
    // Not flexible: I, P, L, B, V; fifteen bits of number; TID 2, U, SID 1, D; TL0PICIDX.
    let structure = [0b0011_1000, 0x01, 0x40, 0x00, 0xb4, 0x02, 0x80, 0x01, 0x68, 2, 0b0000_0100, 1, 0b0101_1000, 1, 2];
    let bytes = [&[0b1110_1010, 0x91, 0x23, 0b0101_0011, 0x45][..], &structure, &[0xaa]].concat();
    let (descriptor, rest) = Descriptor::parse(&bytes).expect("whole");
    let layer = Layer { temporal: 2, is_switching_point: true, spatial: 1, is_inter_layer_predicted: true };
    assert_eq!((descriptor.picture_id, descriptor.tl0_picture_index), (Some(PictureId::Long(0x1123)), Some(0x45)));
    assert_eq!((descriptor.layer, descriptor.is_lowest(), rest), (Some(layer), false, &[0xaa][..]));
    assert!(descriptor.is_predicted && descriptor.is_start && !descriptor.is_end && !descriptor.is_flexible);
    let read = descriptor.structure.expect("a structure");
    assert_eq!(read.spatial_layers(), 2);
    assert!(read.sizes().eq([(320, 180), (640, 360)]));
    // Flexible: I, P, L, F, B, E, Z; seven bits of number; no TL0PICIDX; three references.
    let flexible = [0b1111_1101, 0x7f, 0b0000_0000, 0b0000_0011, 0b0000_0101, 0b0000_1000, 0xbb];
    let (descriptor, rest) = Descriptor::parse(&flexible).expect("whole");
    assert_eq!(
        (descriptor.picture_id, descriptor.references, rest),
        (Some(PictureId::Short(0x7f)), [Some(1), Some(2), Some(4)], &[0xbb][..])
    );
    assert!(descriptor.is_end && descriptor.is_not_inter_layer_reference && descriptor.is_lowest());
    for bytes in [&bytes[..], &flexible] {
        for len in 0..bytes.len() {
            assert_eq!(Descriptor::parse(&bytes[..len]), Err(DecodeError::Truncated), "{len}");
        }
    }
    // A picture that refers to itself is read, and written, as it is.
    let of_itself = [0b0101_1100, 1, 5, 0, 9];
    let mut written = Vec::new();
    let (descriptor, _) = Descriptor::parse(&of_itself[..]).expect("whole");
    descriptor.write(&mut written);
    assert_eq!(written, of_itself[..4]);
    // A fourth reference.
    let too_many = [0b0101_1100, 3, 5, 9, 2, 1];
    assert_eq!(Descriptor::parse(&too_many), Err(DecodeError::Malformed("VP9")));
}

#[test]
fn key_frames_of_every_profile_are_known_by_their_first_bits() {
    // Mark, profile, (a bit of profile 3,) no frame shown again, the type.
    for (first, is_key_frame) in [
        (0b1000_0010, true),
        (0b1010_0000, true),
        (0b1001_0011, true),
        (0b1011_0000, true),
        (0b1011_0010, false),
        (0b1011_0100, false),
        (0b1000_0100, false),
        (0b1000_1000, false),
        (0b0100_0000, false),
        (0b0000_0000, false),
    ] {
        assert_eq!(vp9::is_key_frame(&[first, 1]), is_key_frame, "{first:#b}");
    }
    assert!(!vp9::is_key_frame(&[]));
}

#[test]
fn what_is_sent_is_one_layer_in_flexible_mode() {
    let mut packetizer = Packetizer::new(Format::Vp9, 0x7fff);
    let mut send = |data: Vec<u8>| {
        let frame = Frame::new(98, 0, data.into());
        let payloads = packetizer.payloads(&frame.data, 10).expect("possible");
        packetizer.packets(&frame, payloads).map(|packet| (packet.payload.to_vec(), packet.marker)).collect::<Vec<_>>()
    };
    // I, F; B on the first and E on the last.
    let key = send([KEY, &[1, 2, 3, 4, 5, 6, 7]].concat());
    assert_eq!(key[0], ([&[0b1001_1000, 0xff, 0xff][..], KEY, &[1, 2]].concat(), false));
    assert_eq!(key[1], (vec![0b1001_0100, 0xff, 0xff, 3, 4, 5, 6, 7], true));
    // P, and to which picture it refers: the one before.
    assert_eq!(send(INTER.to_vec()), [([&[0b1101_1100, 0x80, 0x00, 0x02][..], INTER].concat(), true)]);
    let packetizer = Packetizer::new(Format::Vp9, 0);
    assert_eq!(packetizer.payloads(&Bytes::from_static(KEY), 3).err(), Some(Unfit::TooLong));
    assert_eq!(packetizer.payloads(&Bytes::from_static(KEY), 4).expect("a byte in each").len(), 3);
}

/// A part of a layer's frame, not in flexible mode.
fn part(picture: u8, spatial: u8, flags: u8, data: &[u8]) -> Vec<u8> {
    let predicted = if data.first().is_some_and(|first| first & 4 != 0) { 0x40 } else { 0 };
    [&[0xa0 | predicted | flags, picture, spatial << 1 | u8::from(spatial > 0), 7][..], data].concat()
}

const B: u8 = 0x08;
const E: u8 = 0x04;

fn told(assembled: &[Assembled]) -> Vec<Result<(&[u8], bool), u64>> {
    fn of(assembled: &Assembled) -> Result<(&[u8], bool), u64> {
        match assembled {
            Assembled::Frame(frame) => Ok((&frame.data, frame.is_decodable)),
            Assembled::Lost { packets } => Err(*packets),
            other => panic!("{other:?}"),
        }
    }
    assembled.iter().map(of).collect()
}

/// Two pictures of three spatial layers each.
fn layered() -> Vec<(u64, RtpPacket)> {
    let picture = |number: u8, first: &'static [u8]| {
        let timestamp = 3_000 * u32::from(number);
        [
            packet(timestamp, false, &part(number, 0, B, first)),
            packet(timestamp, false, &part(number, 0, E, &[1])),
            packet(timestamp, false, &part(number, 1, B | E, &[2])),
            packet(timestamp, false, &part(number, 2, B, &[3])),
            packet(timestamp, true, &part(number, 2, E, &[4])),
        ]
    };
    (1..).zip([picture(1, KEY), picture(2, INTER), picture(3, INTER)].concat()).collect()
}

#[test]
fn the_layers_of_a_picture_are_one_frame() {
    let assembled = assemble(Format::Vp9, layered());
    let pictures = [[KEY, &[1, 2, 3, 4]].concat(), [INTER, &[1, 2, 3, 4]].concat(), [INTER, &[1, 2, 3, 4]].concat()];
    assert_eq!(told(&assembled), pictures.each_ref().map(|picture| Ok((&picture[..], true))));
    // Whatever is missing of the second makes no frame, and the third cannot be decoded.
    for missing in 6..=10 {
        let assembled = assemble(Format::Vp9, layered().into_iter().filter(|(sequence, _)| *sequence != missing));
        let told = told(&assembled);
        assert_eq!(told[0], Ok((&pictures[0][..], true)));
        assert_eq!(told.last(), Some(&Ok((&pictures[2][..], false))), "{missing}: {told:?}");
        assert_eq!(frames(&assembled).len(), 2);
    }
}

#[test]
fn higher_layers_that_a_server_left_out_are_no_loss_and_lower_ones_neither() {
    // Renumbered, as a server that leaves out packets does; no marker says then where a picture ends.
    let of = |layers: std::ops::RangeInclusive<u8>| {
        let kept = layered().into_iter().map(|(_, packet)| packet);
        let kept = kept.filter(|packet| packet.timestamp == 3_000 || layers.contains(&(packet.payload[2] >> 1)));
        assemble(Format::Vp9, (1..).zip(kept.collect::<Vec<_>>()))
    };
    let lowest = of(0..=0);
    assert_eq!(frames(&lowest)[1..], [[INTER, &[1]].concat()], "the last has no end");
    let highest = of(2..=2);
    assert_eq!(frames(&highest)[1..], [[3, 4], [3, 4]]);
    assert!(told(&highest).iter().all(|told| matches!(told, Ok((_, true)))));
}

/// RFC 9628 §4.2.1: a structure of 8 sizes and 255 pictures takes 1,054 bytes, which are kept as long as the byte that follows.
#[test]
fn a_frame_of_descriptors_takes_no_memory_without_end() {
    let sizes = [7; 32];
    let pictures = [0x0c, 1, 2, 3].repeat(255);
    let payload = |first: u8| [&[first, 0xf8][..], &sizes, &[255], &pictures, &[0x86]].concat();
    let mut assembler = Assembler::new(Format::Vp9);
    assembler.set_frame_len_max(100_000);
    assert_eq!(assembler.push(0, &packet(0, false, &payload(0x0a)), at(0)).count(), 0);
    let next = packet(0, false, &payload(0x02));
    let lost = (1..).find(|sequence| assembler.push(*sequence, &next, at(0)).count() > 0).expect("at some time");
    assert!(lost as usize * payload(0x02).len() <= 100_000, "{lost}");
    assert_eq!((assembler.stats().dropped_too_long, assembler.load().held), (1, 0));
}

#[test]
fn parts_that_contradict_each_other_make_no_frame() {
    let key = packet(3_000, true, &part(1, 0, B | E, KEY));
    let wrong: [&[Vec<u8>]; 3] = [
        // A layer begins while one is open, one goes on that has ended, and one never ends.
        &[part(2, 0, B, INTER), part(2, 1, B | E, &[2])],
        &[part(2, 0, B | E, INTER), part(2, 0, E, &[2])],
        &[part(2, 0, B, INTER), part(2, 0, 0, &[2])],
    ];
    for wrong in wrong {
        let last = packet(9_000, true, &part(3, 0, B | E, INTER));
        let count = wrong.len();
        let wrong = wrong.iter().enumerate().map(|(n, payload)| packet(6_000, n + 1 == count, payload));
        let all = (1..).zip(std::iter::once(key.clone()).chain(wrong).chain([last]));
        let assembled = assemble(Format::Vp9, all);
        assert_eq!(frames(&assembled), [KEY, INTER]);
        assert_eq!(told(&assembled).last(), Some(&Ok((INTER, false))));
    }
}

#[test]
fn all_vp9_of_a_capture_is_put_together() {
    let Some(folder) = test_data() else { return };
    let capture = std::fs::read(folder.join("str0m-rtp/contiguous_vp9.pcap")).expect("readable");
    let (mut count, mut key_frames, mut markers) = (0, 0, 0);
    for packets in streams(captured(&capture)).values() {
        markers += packets.iter().filter(|(_, packet)| packet.marker).count();
        for assembled in assemble(Format::Vp9, packets.iter().cloned()) {
            let Assembled::Frame(frame) = assembled else { panic!("{assembled:?}") };
            (count, key_frames) = (count + 1, key_frames + u32::from(frame.is_key_frame));
            assert_eq!(frame.data[0] >> 6, 2, "each begins with the mark of a frame");
            assert_eq!(frame.is_decodable, key_frames > 0);
        }
    }
    assert!(count == markers && count == 15, "{count} {markers} {key_frames}");
}

proptest! {
    #[test]
    fn what_parses_is_written_the_same(bytes in prop::collection::vec(any::<u8>(), 1..40)) {
        if let Ok((descriptor, part)) = Descriptor::parse(&bytes) {
            let mut written = Vec::new();
            descriptor.write(&mut written);
            written.extend_from_slice(part);
            prop_assert_eq!(Descriptor::parse(&written), Ok((descriptor, part)));
        }
    }
}
