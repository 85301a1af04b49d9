//! Descriptors as they are made.

use super::bits::BitWriter;
use super::structure::{DependencyStructure, Indication};
use crate::Error;

/// A descriptor to be written (AV1 RTP A.8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DescriptorFields<'a> {
    /// The packet is the first of its frame.
    pub start_of_frame: bool,
    /// The packet is the last of its frame.
    pub end_of_frame: bool,
    /// The place of the frame's template in the structure.
    pub template: usize,
    /// Counts frames in the order of decoding; wraps.
    pub frame_number: u16,
    /// The packet brings the structure: the first one of a key frame.
    pub brings_structure: bool,
    /// The active decode targets, a bit each, if it tells them.
    pub active_targets: Option<u32>,
    /// What the frame is to each decode target, if that is not what its template says.
    pub indications: Option<&'a [Indication]>,
    /// How many frames before it those are that it refers to, 1 to 4,096 each, likewise.
    pub fdiffs: Option<&'a [u16]>,
    /// How many frames before it the last one of each chain is, likewise.
    pub chain_fdiffs: Option<&'a [u8]>,
}

impl<'a> DescriptorFields<'a> {
    /// Of a packet that is a whole frame, as its template says.
    pub const fn new(template: usize, frame_number: u16) -> Self {
        Self {
            start_of_frame: true,
            end_of_frame: true,
            template,
            frame_number,
            brings_structure: false,
            active_targets: None,
            indications: None,
            fdiffs: None,
            chain_fdiffs: None,
        }
    }

    /// Writes it in the place of what is in `out`, three bytes if the frame is as its template says.
    ///
    /// # Errors
    /// If there is no such template, or not one indication for each decode target, one difference for each chain, or a difference out of range. `out` is
    /// empty then.
    pub fn write(&self, structure: &DependencyStructure, out: &mut Vec<u8>) -> Result<(), Error> {
        out.clear();
        let targets = structure.targets().len();
        let fits = self.template < structure.templates()
            && self.indications.is_none_or(|indications| indications.len() == targets)
            && self.fdiffs.is_none_or(|fdiffs| fdiffs.iter().all(|fdiff| (1..=4096).contains(fdiff)))
            && self.chain_fdiffs.is_none_or(|chains| chains.len() == structure.chains());
        if !fits {
            return Err(Error::DependencyStructure("a frame that is like its templates"));
        }
        let mut bits = BitWriter::new(out);
        bits.flag(self.start_of_frame);
        bits.flag(self.end_of_frame);
        bits.number(6, (self.template as u32 + u32::from(structure.template_id_offset())) % 64);
        bits.number(16, self.frame_number.into());
        let flags = [
            self.brings_structure,
            self.active_targets.is_some(),
            self.indications.is_some(),
            self.fdiffs.is_some(),
            self.chain_fdiffs.is_some(),
        ];
        if flags.contains(&true) {
            flags.into_iter().for_each(|flag| bits.flag(flag));
            self.write_extended(structure, &mut bits);
        }
        Ok(())
    }

    fn write_extended(&self, structure: &DependencyStructure, bits: &mut BitWriter<'_>) {
        if self.brings_structure {
            structure.write(bits);
        }
        if let Some(active) = self.active_targets {
            bits.number(structure.targets().len() as u32, active);
        }
        for indication in self.indications.unwrap_or_default() {
            bits.number(2, indication.bits().into());
        }
        if let Some(fdiffs) = self.fdiffs {
            for fdiff in fdiffs {
                let number = u32::from(*fdiff) - 1;
                let size = (u32::BITS - number.leading_zeros()).div_ceil(4).max(1);
                bits.number(2, size);
                bits.number(4 * size, number);
            }
            bits.number(2, 0);
        }
        for fdiff in self.chain_fdiffs.unwrap_or_default() {
            bits.number(8, (*fdiff).into());
        }
    }
}
