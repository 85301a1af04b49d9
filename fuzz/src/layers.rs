//! What packets tell of their layers.

use wigwag_rtp::{DependencyReader, LayerSelector, Selection, VideoLayersAllocation};

/// Any descriptors, one behind another: a byte that says how far the number goes on and what is wanted, a length, and so many bytes. What is read
/// can be read to its end, and is forwarded or left out; what is written with other active targets is read as the same.
pub fn rtp_dependency_descriptor(mut data: &[u8]) {
    let (mut reader, mut again) = (DependencyReader::new(), DependencyReader::new());
    let (mut selector, mut written) = (LayerSelector::new(), Vec::new());
    let mut sequence = 1000u64;
    while let [step, len, rest @ ..] = data {
        let (bytes, rest) = rest.split_at(rest.len().min((*len).into()));
        data = rest;
        sequence = sequence.saturating_add_signed(i64::from(step % 8) - 2);
        let Ok(read) = reader.read(sequence, bytes) else { continue };
        assert!(read.fdiffs().all(|fdiff| (1..=4096).contains(&fdiff)), "twelve bits and one");
        assert!(read.fdiffs().count() <= 4 * bytes.len() + 16 * 64 * 8, "no more than there are bits");
        assert_eq!(read.chain_fdiffs().count(), read.structure.chains(), "one for each chain");
        assert!(read.structure.templates() <= 64 && read.structure.targets().len() <= 32, "bounded");
        selector.set_layers_max(step >> 3 & 3, step >> 5);
        let timestamp = u32::from(read.frame_number / 3);
        if let Selection::Forward { active_targets: Some(active), .. } =
            selector.select(&read, sequence, timestamp, false)
        {
            assert_eq!(active & !read.active_targets, 0, "nothing is active that was not");
        }
        read.write_with_active_targets(1, &mut written);
        if read.brings_structure {
            let same = again.read(sequence, &written).expect("our own");
            assert!(same.structure == read.structure && same.fdiffs().eq(read.fdiffs()), "the same");
            assert_eq!((same.active_targets, same.frame_number), (1, read.frame_number));
        }
    }
}

/// Any bytes as an allocation: what is read is written as the same, in no more bytes.
pub fn rtp_layers_allocation(data: &[u8]) {
    let Ok(allocation) = VideoLayersAllocation::parse(data) else { return };
    assert!(allocation.layers().len() <= 16 && allocation.stream() < allocation.streams(), "bounded");
    let mut written = Vec::new();
    allocation.write(&mut written);
    assert!(written.len() <= data.len(), "numbers are as short as can be");
    assert_eq!(VideoLayersAllocation::parse(&written), Ok(allocation), "the same");
}
