//! Video layers allocations, against bytes made by hand after the layout of video-layers-allocation00.

use proptest::prelude::*;
use wigwag_rtp::{DecodeError, Error, LayerAllocation, LayerFormat, VideoLayersAllocation};

fn layer(stream: u8, spatial_id: u8, bitrates: &[u32]) -> LayerAllocation {
    LayerAllocation::new(stream, spatial_id, bitrates).expect("a layer")
}

fn with_format(mut layer: LayerAllocation, width: u32, height: u32, frame_rate_max: u8) -> LayerAllocation {
    layer.format = Some(LayerFormat { width, height, frame_rate_max });
    layer
}

fn allocation(stream: u8, streams: u8, layers: &[LayerAllocation]) -> VideoLayersAllocation {
    VideoLayersAllocation::new(stream, streams, layers).expect("an allocation")
}

fn cases() -> Vec<(VideoLayersAllocation, Vec<u8>)> {
    vec![
        (VideoLayersAllocation::empty(), vec![0]),
        // One stream, one spatial layer, three temporal ones: 200, 300 and 500 kbit/s, 0b1100_1000, 0b10_0101100, 0b11_1110100.
        (
            allocation(0, 1, &[layer(0, 0, &[200, 300, 500])]),
            vec![0b0000_0001, 0b1000_0000, 0xc8, 0x01, 0xac, 0x02, 0xf4, 0x03],
        ),
        // The second of three streams, each with one layer, two with two temporal layers; in their sizes.
        (
            allocation(
                1,
                3,
                &[
                    with_format(layer(0, 0, &[50]), 320, 180, 15),
                    with_format(layer(1, 0, &[100, 127]), 640, 360, 30),
                    with_format(layer(2, 0, &[128, 16_384]), 65_536, 1, 60),
                ],
            ),
            [
                &[0b0110_0001, 0b0001_0100, 50, 100, 127, 0x80, 0x01, 0x80, 0x80, 0x01][..],
                &[0x01, 0x3f, 0x00, 0xb3, 15, 0x02, 0x7f, 0x01, 0x67, 30, 0xff, 0xff, 0, 0, 60],
            ]
            .concat(),
        ),
        // Two streams with other layers each: 0 and 2, and 1.
        (
            allocation(0, 2, &[layer(0, 0, &[1]), layer(0, 2, &[2, 3, 4, 5]), layer(1, 1, &[6])]),
            vec![0b0001_0000, 0b0101_0010, 0b0011_0000, 1, 2, 3, 4, 5, 6],
        ),
        // Four streams, of which the third sends nothing; five layers need a second byte of temporal layers.
        (
            allocation(
                3,
                4,
                &[
                    layer(0, 0, &[1, 1]),
                    layer(0, 1, &[2]),
                    layer(1, 3, &[3]),
                    layer(3, 2, &[4]),
                    layer(3, 3, &[5, 6, 7]),
                ],
            ),
            vec![0b1111_0000, 0b0011_1000, 0b0000_1100, 0b0100_0000, 0b1000_0000, 1, 1, 2, 3, 4, 5, 6, 7],
        ),
        // Three layers of one stream (SVC), and the largest number.
        (
            allocation(0, 1, &[layer(0, 0, &[0]), layer(0, 1, &[u32::MAX]), layer(0, 2, &[1])]),
            vec![0b0000_0111, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 1],
        ),
    ]
}

#[test]
fn allocations_are_read_and_written_as_they_are_laid_out() {
    let mut out = vec![9];
    for (allocation, bytes) in cases() {
        allocation.write(&mut out);
        assert_eq!(out, bytes, "{allocation:?}");
        assert_eq!(VideoLayersAllocation::parse(&bytes), Ok(allocation));
    }
}

/// Chromium 156 of one stream of 640 by 480 pixels with three temporal layers.
#[test]
fn an_allocation_of_chromium_is_read_and_written() {
    let captured = [0x01, 0x80, 0x71, 0x9a, 0x01, 0x9a, 0x02, 0x02, 0x7f, 0x01, 0xdf, 0x3c];
    let expected = allocation(0, 1, &[with_format(layer(0, 0, &[113, 154, 282]), 640, 480, 60)]);
    assert_eq!(VideoLayersAllocation::parse(&captured).as_ref(), Ok(&expected));
    let mut out = Vec::new();
    expected.write(&mut out);
    assert_eq!(out, captured);
}

#[test]
fn one_that_ends_elsewhere_is_none() {
    for (_, bytes) in cases() {
        for len in 0..bytes.len() {
            let read = VideoLayersAllocation::parse(&bytes[..len]);
            // Without the formats it is whole, and nothing is there.
            let is_whole = len > 0 && bytes[..len] == [0] || bytes.len() - len == 15 && bytes.len() > 20;
            assert!(read.is_ok() == is_whole, "{len} of {bytes:02x?}: {read:?}");
        }
        let longer = [&bytes[..], &[1]].concat();
        assert!(VideoLayersAllocation::parse(&longer).is_err(), "{longer:02x?}");
    }
    let malformed = Err(DecodeError::Malformed("layers allocation"));
    // The second of one stream; no layer at all; a bit rate of 33 bits; one that does not end.
    for bytes in [
        &[0b0100_0001, 0, 1][..],
        &[0b0000_0000, 0b0000_0000, 0, 1],
        &[0b0000_0001, 0, 0xff, 0xff, 0xff, 0xff, 0x1f],
        &[0b0000_0001, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0],
    ] {
        assert_eq!(VideoLayersAllocation::parse(bytes), malformed, "{bytes:02x?}");
    }
    // A number may be longer than it needs.
    let read = VideoLayersAllocation::parse(&[0b0000_0001, 0, 0x81, 0x80, 0x00]);
    assert_eq!(read, Ok(allocation(0, 1, &[layer(0, 0, &[1])])));
}

#[test]
fn what_cannot_be_told_is_refused() {
    let one = layer(0, 0, &[1]);
    for (stream, streams, layers) in [
        (0, 0, &[one][..]),
        (0, 5, &[one]),
        (1, 1, &[one]),
        (0, 1, &[]),
        (0, 1, &[layer(1, 0, &[1])]),
        (0, 2, &[layer(1, 0, &[1]), one]),
        (0, 1, &[one, one]),
        (0, 1, &[one, with_format(layer(0, 1, &[1]), 1, 1, 1)]),
        (0, 1, &[with_format(one, 0, 1, 1)]),
        (0, 1, &[with_format(one, 1, 65_537, 1)]),
    ] {
        assert_eq!(VideoLayersAllocation::new(stream, streams, layers), Err(Error::LayersAllocation), "{layers:?}");
    }
    // Whoever changes a layer may give it any number.
    let mut beyond = layer(0, 0, &[100]);
    beyond.spatial_id = 4;
    assert_eq!(VideoLayersAllocation::new(0, 1, &[beyond]), Err(Error::LayersAllocation));
    for (stream, spatial_id, bitrates) in [(4, 0, &[1][..]), (0, 4, &[1]), (0, 0, &[]), (0, 0, &[1; 5])] {
        assert_eq!(LayerAllocation::new(stream, spatial_id, bitrates), Err(Error::LayersAllocation));
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        streams in 1..=4u8,
        stream in 0..4u8,
        masks in any::<u16>(),
        bitrates in prop::collection::vec(prop::collection::vec(any::<u32>(), 1..=4), 16),
        sizes in prop::option::of((1..=65_536u32, 1..=65_536u32, any::<u8>())),
    ) {
        let places = (0..streams).flat_map(|stream| (0..4).map(move |spatial_id| (stream, spatial_id)));
        let places = places.filter(|(stream, spatial_id)| masks >> (4 * stream + spatial_id) & 1 == 1);
        let layers: Vec<_> = places.zip(&bitrates).map(|((stream, spatial_id), bitrates)| {
            let layer = layer(stream, spatial_id, bitrates);
            sizes.map_or(layer, |(width, height, rate)| with_format(layer, width, height, rate))
        }).collect();
        let allocation = VideoLayersAllocation::new(stream % streams, streams, &layers);
        let allocation = if layers.is_empty() { VideoLayersAllocation::empty() } else { allocation.expect("possible") };
        let mut out = Vec::new();
        allocation.write(&mut out);
        prop_assert_eq!(VideoLayersAllocation::parse(&out), Ok(allocation));
    }

    #[test]
    fn any_bytes_are_read_to_their_end_or_not_at_all(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let mut read = VideoLayersAllocation::empty();
        match read.read(&bytes) {
            Ok(()) => {
                let mut out = Vec::new();
                read.write(&mut out);
                prop_assert!(out.len() <= bytes.len());
                prop_assert_eq!(VideoLayersAllocation::parse(&out), Ok(read));
            }
            Err(_) => prop_assert_eq!(read, VideoLayersAllocation::empty()),
        }
    }
}
