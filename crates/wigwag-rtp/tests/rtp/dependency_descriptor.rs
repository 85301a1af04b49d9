//! Dependency descriptors, against bits written by hand after the tables of AV1 RTP, appendix A.

use crate::structures::{L1T3, L3T3, L3T3_KEY_SHIFT, letters, structure};
use proptest::prelude::*;
use wigwag_rtp::{
    DecodeError, DependencyDescriptor, DependencyReader, DependencyStructure, DescriptorFields, Error, Indication,
    Template,
};

/// Ones and zeros as bytes, filled up with zeros.
fn bits(text: &str) -> Vec<u8> {
    let bits: Vec<_> =
        text.chars().filter(|letter| "01".contains(*letter)).map(|letter| u8::from(letter == '1')).collect();
    bits.chunks(8).map(|byte| byte.iter().enumerate().fold(0, |all, (at, bit)| all | bit << (7 - at))).collect()
}

/// The structure of A.10.2.1, whose first template has the number 1: offset, three targets; layers; indications; references; one chain and
/// its differences.
const L1T3_BITS: &str = "000001 00010
    00 01 01 00 11
    101010 101010 100100 010000 010000
    0 100110 100010 100000 100000
    01 0000 0100 0010 0001 0011";

const NO_RESOLUTIONS: &str = "0";
/// 1280 × 720, each less one.
const RESOLUTIONS: &str = "1 0000010011111111 0000001011001111";

/// The first and only packet of a frame with this template, this number, and these flags.
fn whole(template: &str, number: &str, flags: &str) -> String {
    format!("11 {template} {number} {flags}")
}

fn key_frame() -> Vec<u8> {
    bits(&format!("{} {L1T3_BITS} {NO_RESOLUTIONS}", whole("000001", "0000000000010000", "10000")))
}

fn fdiffs(descriptor: &DependencyDescriptor<'_>) -> Vec<u16> {
    descriptor.fdiffs().collect()
}

fn chains(descriptor: &DependencyDescriptor<'_>) -> Vec<u8> {
    descriptor.chain_fdiffs().collect()
}

fn indications(descriptor: &DependencyDescriptor<'_>) -> Vec<Indication> {
    (0..descriptor.structure.targets().len()).map(|target| descriptor.indication(target)).collect()
}

#[test]
fn the_structure_of_a_key_frame_is_read_bit_by_bit_and_written_so() {
    let bytes = bits(&format!("{} {L1T3_BITS} {RESOLUTIONS}", whole("000001", "0000000000010000", "10000")));
    let mut reader = DependencyReader::new();
    let read = reader.read(0, &bytes).expect("a descriptor");
    assert!(read.start_of_frame && read.end_of_frame && read.brings_structure);
    assert_eq!((read.frame_number, read.spatial_id, read.temporal_id), (16, 0, 0));
    assert_eq!((read.active_targets, read.resolution()), (0b111, Some((1280, 720))));
    assert_eq!((fdiffs(&read), chains(&read), indications(&read)), (vec![], vec![0], letters("SSS")));
    let layers: Vec<_> =
        read.structure.targets().iter().map(|target| (target.spatial_id, target.temporal_id)).collect();
    assert_eq!((layers, read.structure.templates()), (vec![(0, 2), (0, 1), (0, 0)], 5));
    assert!(read.structure.targets().iter().all(|target| target.chain == Some(0)));

    let mut fields = DescriptorFields::new(0, 16);
    fields.brings_structure = true;
    let mut out = Vec::new();
    fields.write(read.structure, &mut out).expect("its own structure");
    assert_eq!(out, bytes);
    fields.write(&structure(1, L1T3), &mut out).expect("made by hand");
    assert_eq!(out, key_frame());
}

#[test]
fn a_frame_that_is_like_its_template_takes_three_bytes() {
    let mut reader = DependencyReader::new();
    reader.read(0, &key_frame()).expect("a key frame");
    // The third packet of a frame of the fourth template.
    let bytes = bits("00 000100 0000000000010001");
    assert_eq!(bytes.len(), 3);
    let read = reader.read(3, &bytes).expect("a descriptor");
    assert!(!read.start_of_frame && !read.end_of_frame && !read.brings_structure);
    assert_eq!((read.frame_number, read.temporal_id), (17, 2));
    assert_eq!((fdiffs(&read), chains(&read), indications(&read)), (vec![1], vec![1], letters("D--")));
    let mut fields = DescriptorFields::new(3, 17);
    (fields.start_of_frame, fields.end_of_frame) = (false, false);
    let mut out = Vec::new();
    fields.write(&structure(1, L1T3), &mut out).expect("a template");
    assert_eq!(out, bytes);
}

#[test]
fn what_a_frame_has_of_its_own_takes_the_place_of_what_its_template_says() {
    let mut reader = DependencyReader::new();
    reader.read(0, &key_frame()).expect("a key frame");
    // Targets 0 and 2; R, -, D; 3, 4096, 200 and 1 frames before; 255 for the chain.
    let own = "101 110001 01 0010 11 111111111111 10 11000111 01 0000 00 11111111";
    let bytes = bits(&format!("{} {own}", whole("000010", "0000000000010100", "01111")));
    let read = reader.read(1, &bytes).expect("a descriptor");
    assert_eq!((fdiffs(&read), chains(&read)), (vec![3, 4096, 200, 1], vec![255]));
    assert_eq!((indications(&read), read.active_targets), (letters("R-D"), 0b101));
    let mut fields = DescriptorFields::new(1, 20);
    let own = letters("R-D");
    (fields.active_targets, fields.indications) = (Some(0b101), Some(&own[..]));
    (fields.fdiffs, fields.chain_fdiffs) = (Some(&[3, 4096, 200, 1][..]), Some(&[255][..]));
    let mut out = Vec::new();
    fields.write(&structure(1, L1T3), &mut out).expect("a template");
    assert_eq!(out, bytes);
    // A list of its own may be empty.
    let read = reader
        .read(2, &bits(&format!("{} 00", whole("000010", "0000000000010101", "00010"))))
        .map(|read| fdiffs(&read));
    assert_eq!(read, Ok(vec![]));
}

#[test]
fn what_ends_too_soon_or_refers_to_nothing_is_an_error_and_changes_nothing() {
    let own = "101 110001 01 0010 11 111111111111 10 11000111 01 0000 00 11111111";
    let bytes = bits(&format!("{} {L1T3_BITS} {RESOLUTIONS} {own}", whole("000010", "0000000000010100", "11111")));
    let mut reader = DependencyReader::new();
    for len in 0..bytes.len() {
        // Three bytes are a descriptor that refers to something.
        let expected = if len == 3 { DecodeError::UnknownTemplate } else { DecodeError::Truncated };
        assert_eq!(reader.read(0, &bytes[..len]).map(|read| read.frame_number), Err(expected), "{len}");
        assert!(reader.structure().is_none());
    }
    reader.read(0, &key_frame()).expect("a key frame");
    for template in ["000000", "000110", "111111"] {
        let bytes = bits(&whole(template, "0000000000010101", ""));
        assert_eq!(reader.read(1, &bytes).map(|read| read.frame_number), Err(DecodeError::UnknownTemplate));
    }
    assert_eq!(reader.structure(), Some(&structure(1, L1T3)));
    // What follows is padding, whatever it says.
    let padded = [&bits(&whole("000001", "0000000000010101", "00000"))[..], &[0xff; 9]].concat();
    assert!(reader.read(1, &padded).is_ok());
}

#[test]
fn a_structure_has_64_templates_at_most() {
    let of = |templates: usize| {
        let layers = "00".repeat(templates - 1);
        let indications = "10".repeat(templates);
        let references = "0".repeat(templates);
        let structure = format!("000000 00000 {layers} 11 {indications} {references} 0 0");
        bits(&format!("{} {structure}", whole("111111", "0000000000000000", "10000")))
    };
    let mut reader = DependencyReader::new();
    let read = reader.read(0, &of(65)).map(|read| read.frame_number);
    assert_eq!(read, Err(DecodeError::Malformed("dependency structure")));
    assert_eq!(reader.read(0, &of(64)).map(|read| read.structure.templates()), Ok(64));
    // Without chains nothing is said of them.
    assert_eq!(reader.structure().map(|structure| (structure.chains(), structure.targets()[0].chain)), Some((0, None)));
}

#[test]
fn what_comes_late_refers_to_what_was_told_before_it() {
    let (first, second) = (structure(60, L3T3), structure(11, L3T3_KEY_SHIFT));
    let (mut reader, mut out) = (DependencyReader::new(), Vec::new());
    let mut key = DescriptorFields::new(0, 500);
    key.brings_structure = true;
    key.write(&first, &mut out).expect("a template");
    reader.read(100, &out).expect("a key frame");
    key.frame_number = 3;
    key.write(&second, &mut out).expect("a template");
    let generation = reader.read(200, &out).expect("another").generation;
    // Frames count anew, and the seventh template of the first has the number 2, which the second has not.
    DescriptorFields::new(6, 600).write(&first, &mut out).expect("a template");
    assert_eq!(out[0] & 0x3f, 2);
    let late = reader.read(199, &out).expect("it came late");
    assert_eq!((fdiffs(&late), late.structure == &first), (vec![12, 1], true));
    assert_ne!(late.generation, generation);
    assert_eq!(reader.read(201, &out).map(|read| read.generation), Err(DecodeError::UnknownTemplate));
    // A key frame in between that comes late is known to what is behind it, and to nobody else.
    key.brings_structure = true;
    key.write(&structure(32, L1T3), &mut out).expect("a template");
    assert_eq!(reader.read(150, &out).map(|read| read.structure.templates()), Ok(5));
    DescriptorFields::new(1, 600).write(&structure(32, L1T3), &mut out).expect("a template");
    assert_eq!(reader.read(151, &out).map(|read| fdiffs(&read)), Ok(vec![4]));
    assert_eq!(reader.structure(), Some(&second));
    // The same structure once more is the same.
    key.write(&second, &mut out).expect("a template");
    assert_eq!(reader.read(300, &out).map(|read| read.generation), Ok(generation));
}

/// A.4: what is said holds until something else is, and a structure makes all active.
#[test]
fn active_targets_hold_until_others_are_told() {
    let mut reader = DependencyReader::new();
    let mut active = |sequence, text: &str| reader.read(sequence, &bits(text)).map(|read| read.active_targets);
    let key = format!("{} {L1T3_BITS} 0", whole("000001", "0000000000000000", "10000"));
    assert_eq!(active(0, &key), Ok(0b111));
    assert_eq!(active(2, &format!("{} 110", whole("000010", "0000000000000010", "01000"))), Ok(0b110));
    assert_eq!(active(3, &whole("000010", "0000000000000011", "")), Ok(0b110));
    assert_eq!(active(1, &format!("{} 001", whole("000010", "0000000000000001", "01000"))), Ok(0b001), "it came late");
    assert_eq!(active(4, &whole("000010", "0000000000000100", "")), Ok(0b110));
    assert_eq!(active(5, &format!("{} {L1T3_BITS} 0 010", whole("000001", "0000000000000101", "11000"))), Ok(0b010));
    assert_eq!(active(6, &key), Ok(0b111));
}

#[test]
fn a_server_tells_other_active_targets_in_the_same_descriptor() {
    let mut reader = DependencyReader::new();
    let mut out = Vec::new();
    let own = "110001 01 0010 00 11111111";
    let cases = [
        (
            format!("{} {L1T3_BITS} {RESOLUTIONS} 111 {own}", whole("000001", "0000000000000000", "11111")),
            format!("{} {L1T3_BITS} {RESOLUTIONS} 100 {own}", whole("000001", "0000000000000000", "11111")),
        ),
        (
            format!("{} {L1T3_BITS} 0", whole("000001", "0000000000000001", "10000")),
            format!("{} {L1T3_BITS} 0 100", whole("000001", "0000000000000001", "11000")),
        ),
        (whole("000011", "0000000000000010", ""), format!("{} 100", whole("000011", "0000000000000010", "01000"))),
        (
            format!("{} {own}", whole("000011", "0000000000000010", "00111")),
            format!("{} 100 {own}", whole("000011", "0000000000000010", "01111")),
        ),
    ];
    for (sequence, (given, expected)) in (0..).zip(cases) {
        let given = bits(&given);
        reader.read(sequence, &given).expect("a descriptor").write_with_active_targets(0b100, &mut out);
        assert_eq!(out, bits(&expected), "{sequence}");
    }
}

#[test]
fn what_cannot_be_written_is_refused() {
    let template =
        Template { spatial_id: 0, temporal_id: 0, indications: &[Indication::Switch], fdiffs: &[], chain_fdiffs: &[0] };
    let new = |template, protected_by: &[u8], resolutions: &[(u32, u32)]| {
        DependencyStructure::new(0, &[template], protected_by, resolutions)
    };
    assert!(new(template, &[0], &[(1, 65_536)]).is_ok());
    for (template, protected_by, resolutions) in [
        (Template { temporal_id: 1, ..template }, &[0][..], &[][..]),
        (Template { indications: &[], ..template }, &[0], &[]),
        (Template { indications: &[Indication::Switch; 33], ..template }, &[0; 33], &[]),
        (Template { fdiffs: &[17], ..template }, &[0], &[]),
        (Template { fdiffs: &[0], ..template }, &[0], &[]),
        (Template { chain_fdiffs: &[16], ..template }, &[0], &[]),
        (Template { chain_fdiffs: &[0, 0], ..template }, &[0], &[]),
        (template, &[1], &[]),
        (template, &[], &[]),
        (template, &[0], &[(0, 1)]),
        (template, &[0], &[(1, 65_537)]),
        (template, &[0], &[(1, 1), (2, 2)]),
    ] {
        assert!(matches!(new(template, protected_by, resolutions), Err(Error::DependencyStructure(_))), "{template:?}");
    }
    let layers = |second: (u8, u8), third: (u8, u8)| {
        let of = |(spatial_id, temporal_id)| Template { spatial_id, temporal_id, ..template };
        DependencyStructure::new(0, &[template, of(second), of(third)], &[0], &[])
    };
    assert!(layers((0, 1), (1, 0)).is_ok() && layers((0, 0), (0, 1)).is_ok());
    assert!([layers((0, 2), (1, 0)), layers((1, 1), (1, 1)), layers((1, 0), (0, 1))].iter().all(Result::is_err));
    let structure = structure(0, L1T3);
    let refused = [
        DescriptorFields::new(5, 0),
        with(|fields| fields.indications = Some(&[Indication::Switch])),
        with(|fields| fields.fdiffs = Some(&[0])),
        with(|fields| fields.fdiffs = Some(&[4097])),
        with(|fields| fields.chain_fdiffs = Some(&[])),
    ];
    for fields in refused {
        let mut out = vec![1];
        assert!(fields.write(&structure, &mut out).is_err() && out.is_empty(), "{fields:?}");
    }
}

fn with(change: impl FnOnce(&mut DescriptorFields<'static>)) -> DescriptorFields<'static> {
    let mut fields = DescriptorFields::new(0, 0);
    change(&mut fields);
    fields
}

/// A.6: what a chain's frames are is seen from the targets that it protects.
#[test]
fn a_frame_is_of_a_chain_if_no_target_that_it_protects_can_do_without() {
    let structure = structure(0, L3T3);
    let (mut reader, mut out) = (DependencyReader::new(), Vec::new());
    let mut key = DescriptorFields::new(0, 0);
    key.brings_structure = true;
    key.write(&structure, &mut out).expect("a template");
    reader.read(0, &out).expect("a key frame");
    // Chain 0: S0 of T0; chain 1: S0 and S1 of T0; chain 2: all of T0.
    for (template, chains) in
        [(0, "012"), (1, "012"), (2, ""), (3, ""), (6, "12"), (7, ""), (10, "2"), (11, "2"), (12, "")]
    {
        DescriptorFields::new(template, 1).write(&structure, &mut out).expect("a template");
        let read = reader.read(1, &out).expect("a descriptor");
        let of: String = (0..4u8).filter(|chain| read.is_of_chain(*chain)).map(|chain| chain.to_string()).collect();
        assert_eq!(of, chains, "{template}");
    }
}

/// Chromium 156 sends VP8 with three temporal layers, 640 by 480 pixels; captured with `WebRTC-DependencyDescriptorAdvertised`.
#[test]
fn descriptors_of_chromium_are_read() {
    let captured: [(&[u8], u16, u8, &[u16]); 5] = [
        (
            &[
                0x80, 0x00, 0x01, 0x80, 0x02, 0x04, 0x4e, 0xaa, 0xaf, 0x28, 0x60, 0x41, 0x4d, 0x34, 0x53, 0x8a, 0x09,
                0x40, 0x40, 0x9f, 0xc0, 0x77, 0xc0,
            ],
            1,
            0,
            &[],
        ),
        (&[0xc5, 0x00, 0x02], 2, 2, &[1]),
        (&[0xc3, 0x00, 0x03], 3, 1, &[2]),
        (&[0x85, 0x00, 0x04], 4, 2, &[1]),
        // It refers to the frame of T1 though its template says otherwise.
        (&[0x85, 0x00, 0x05, 0x12, 0x20], 5, 2, &[2]),
    ];
    let mut reader = DependencyReader::new();
    for (sequence, (bytes, number, temporal, references)) in (0..).zip(captured) {
        let read = reader.read(sequence, bytes).expect("a descriptor");
        assert_eq!((read.frame_number, read.spatial_id, read.temporal_id), (number, 0, temporal));
        assert_eq!((fdiffs(&read), read.resolution()), (references.to_vec(), Some((640, 480))), "{number}");
        assert_eq!((read.structure.templates(), read.structure.chains(), read.active_targets), (7, 0, 0b111));
        let layers: Vec<_> = read.structure.targets().iter().map(|target| target.temporal_id).collect();
        assert_eq!(layers, [0, 1, 2]);
    }
}

prop_compose! {
    fn any_structure()(targets in 1..=32usize, templates in 1..=20usize)(
        chains in 0..=targets,
        targets in Just(targets),
        offset in 0..64u8,
        steps in prop::collection::vec((0..3u8, any::<u64>(), prop::collection::vec(1..=16u8, 0..4)), templates),
        draws in prop::collection::vec(any::<u8>(), 32 * 33),
        has_resolutions in any::<bool>(),
    ) -> DependencyStructure {
        let (mut layer, mut rows) = ((0u8, 0u8), Vec::new());
        for (at, (step, dtis, fdiffs)) in steps.iter().enumerate() {
            layer = match step {
                _ if at == 0 => layer,
                0 => layer,
                1 => (layer.0, layer.1 + 1),
                _ => (layer.0 + 1, 0),
            };
            let indications: Vec<_> = (0..targets)
                .map(|target| letters(["-", "D", "S", "R"][(dtis >> (2 * target) & 3) as usize])[0])
                .collect();
            let chain_fdiffs: Vec<_> = (0..chains).map(|chain| draws[at * 32 + chain] % 16).collect();
            rows.push((layer, indications, fdiffs.clone(), chain_fdiffs));
        }
        let templates: Vec<_> = rows.iter().map(|((spatial_id, temporal_id), indications, fdiffs, chain_fdiffs)| Template {
            spatial_id: *spatial_id,
            temporal_id: *temporal_id,
            indications,
            fdiffs,
            chain_fdiffs,
        }).collect();
        let protected_by: Vec<_> = draws[32 * 32..].iter().take(if chains > 0 { targets } else { 0 })
            .map(|draw| (usize::from(*draw) % chains) as u8).collect();
        let resolutions: Vec<_> = (0..=u32::from(layer.0)).map(|spatial| (spatial * 7 + 1, 65_536 - spatial)).collect();
        let resolutions = if has_resolutions { &resolutions[..] } else { &[] };
        DependencyStructure::new(offset, &templates, &protected_by, resolutions).expect("a structure")
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        structure in any_structure(),
        (template, number, start, end) in (0..20usize, any::<u16>(), any::<bool>(), any::<bool>()),
        active in prop::option::of(any::<u32>()),
        own_dtis in any::<Option<u64>>(),
        own_fdiffs in prop::option::of(prop::collection::vec(1..=4096u16, 0..9)),
        own_chains in any::<Option<u8>>(),
    ) {
        let targets = structure.targets().len();
        let mut fields = DescriptorFields::new(template % structure.templates(), number);
        (fields.start_of_frame, fields.end_of_frame, fields.brings_structure) = (start, end, true);
        let active = active.map(|active| active & (u32::MAX >> (32 - targets)));
        fields.active_targets = active;
        let own: Option<Vec<_>> = own_dtis.map(|dtis| (0..targets).map(|target| letters(["-", "D", "S", "R"][(dtis >> (2 * target) & 3) as usize])[0]).collect());
        fields.indications = own.as_deref();
        fields.fdiffs = own_fdiffs.as_deref();
        let own_chains: Option<Vec<_>> = own_chains.map(|first| (0..structure.chains()).map(|chain| first.wrapping_add((chain as u8).wrapping_mul(91))).collect());
        fields.chain_fdiffs = own_chains.as_deref();
        let (mut out, mut again) = (Vec::new(), Vec::new());
        fields.write(&structure, &mut out).expect("it fits");
        let mut reader = DependencyReader::new();
        {
            let read = reader.read(7, &out).expect("our own");
            prop_assert_eq!(read.structure, &structure);
            prop_assert_eq!((read.start_of_frame, read.end_of_frame, read.frame_number), (start, end, number));
            prop_assert_eq!(read.active_targets, active.unwrap_or(u32::MAX >> (32 - targets)));
            if let Some(own) = &own { prop_assert_eq!(&indications(&read), own); }
            if let Some(own) = &own_fdiffs { prop_assert_eq!(&fdiffs(&read), own); }
            if let Some(own) = &own_chains { prop_assert_eq!(&chains(&read), own); }
            read.write_with_active_targets(0, &mut again);
        }
        fields.active_targets = Some(0);
        fields.write(&structure, &mut out).expect("it fits");
        prop_assert_eq!(&again, &out);
        // The rest of the sequence is short.
        fields.brings_structure = false;
        fields.write(&structure, &mut out).expect("it fits");
        prop_assert_eq!(reader.read(8, &out).map(|read| read.active_targets), Ok(0));
    }

    #[test]
    fn any_bytes_are_read_to_their_end_or_not_at_all(first in prop::collection::vec(any::<u8>(), 0..80), second in prop::collection::vec(any::<u8>(), 0..9)) {
        let mut reader = DependencyReader::new();
        let mut first = first;
        // With a structure whose first template it has.
        if let [a, _, _, flags, rest @ ..] = &mut first[..] {
            *flags |= 0x80;
            *a = *a & 0xc0 | (*flags & 7) << 3 | rest.first().map_or(0, |byte| byte >> 5);
        }
        for (sequence, bytes) in [(1, &first), (2, &second), (0, &second)] {
            if let Ok(read) = reader.read(sequence, bytes) {
                prop_assert!(read.fdiffs().all(|fdiff| (1..=4096).contains(&fdiff)));
                prop_assert_eq!(read.chain_fdiffs().count(), read.structure.chains());
                prop_assert!(read.structure.templates() <= 64 && read.structure.targets().len() <= 32);
                prop_assert!(read.structure.chains() <= read.structure.targets().len());
            }
        }
    }
}
