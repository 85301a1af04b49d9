//! Descriptors as they are received, and the structures that they refer to.

use super::bits::{BitReader, BitWriter};
use super::structure::{DependencyStructure, Indication, Indications, TARGETS_MAX};
use crate::DecodeError;

/// The mandatory fields, in bytes: what a frame that is like its template needs.
const MANDATORY_LEN: usize = 3;
/// The flags of the extended fields, in bits.
const FLAGS_LEN: usize = 5;
/// Reads the descriptors of one source, and keeps what they refer to: the last structure, and the one before for frames that come late.
#[derive(Clone, Debug, Default)]
pub struct DependencyReader {
    current: Slot,
    previous: Slot,
    /// What is read before it is known whether it holds.
    spare: DependencyStructure,
    /// Which decode targets are active, and since which packet.
    active: (u32, u64),
    /// Of the structure that came last.
    generation: u64,
}

#[derive(Clone, Debug, Default)]
struct Slot {
    structure: DependencyStructure,
    /// The packet that brought it.
    began: u64,
    /// 0: none.
    generation: u64,
}

/// The fixed fields, and where the rest lies.
#[derive(Clone, Copy, Debug, Default)]
struct Fields {
    start_of_frame: bool,
    end_of_frame: bool,
    template_id: u8,
    frame_number: u16,
    has_structure: bool,
    has_active: bool,
    has_indications: bool,
    has_fdiffs: bool,
    has_chains: bool,
    /// The bits of the structure, if there is one.
    structure: (usize, usize),
}

/// The descriptor of a packet (AV1 RTP A.8).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct DependencyDescriptor<'a> {
    /// The packet is the first of its frame.
    pub start_of_frame: bool,
    /// The packet is the last of its frame; others of the same picture may follow.
    pub end_of_frame: bool,
    /// Counts frames in the order of decoding; wraps.
    pub frame_number: u16,
    /// The spatial layer of the frame.
    pub spatial_id: u8,
    /// The temporal layer of the frame.
    pub temporal_id: u8,
    /// The packet brings a structure: it is the first of a key frame.
    pub brings_structure: bool,
    /// The decode targets that can be decoded now, a bit each, the first target's the lowest; as they were told last.
    pub active_targets: u32,
    /// Which structure it is: another number is another structure.
    pub generation: u64,
    /// What the frame refers to.
    pub structure: &'a DependencyStructure,
    template: usize,
    indications: Indications,
    fields: Fields,
    bytes: &'a [u8],
    /// Where the frame's own references and chains are, if it has them.
    fdiffs: Option<BitReader<'a>>,
    chains: Option<BitReader<'a>>,
    /// The bits behind the active targets.
    custom: (usize, usize),
}

impl DependencyReader {
    /// Nothing was read yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The structure that was told last.
    pub fn structure(&self) -> Option<&DependencyStructure> {
        (self.current.generation > 0).then_some(&self.current.structure)
    }

    /// Reads the descriptor of a packet of the source, of which `extended_sequence` is the number
    /// ([`Received::extended_sequence`](field@crate::Received::extended_sequence)): packets that come late refer to what was told before them.
    ///
    /// # Errors
    /// [`DecodeError::UnknownTemplate`], if it refers to a structure that has not come or is long gone; and if it ends too soon or is malformed. What was
    /// known before is known still.
    pub fn read<'a>(
        &'a mut self,
        extended_sequence: u64,
        bytes: &'a [u8],
    ) -> Result<DependencyDescriptor<'a>, DecodeError> {
        let mut bits = BitReader::new(bytes);
        let mut fields = read_mandatory(&mut bits)?;
        if bytes.len() > MANDATORY_LEN {
            read_flags(&mut bits, &mut fields)?;
        }
        if fields.has_structure {
            let start = bits.at();
            self.spare.read(&mut bits)?;
            fields.structure = (start, bits.at());
        }
        let is_late = self.current.generation > 0 && extended_sequence < self.current.began;
        let known = if is_late { &self.previous.structure } else { &self.current.structure };
        let structure = if fields.has_structure { &self.spare } else { known };
        let frame = Frame::read(&mut bits, fields, structure)?;
        let active_targets = self.activate(extended_sequence, frame.active);
        if fields.has_structure {
            self.adopt(extended_sequence, is_late);
        }
        let slot = if is_late { &self.previous } else { &self.current };
        Ok(frame.describe(bytes, slot, active_targets))
    }

    /// AV1 RTP A.4: "When an update to the set of active decode targets is received it is valid until the next update in RTP packet sequence
    /// number order."
    const fn activate(&mut self, extended_sequence: u64, active: Option<u32>) -> u32 {
        match active {
            Some(active) => {
                if extended_sequence >= self.active.1 {
                    self.active = (active, extended_sequence);
                }
                active
            }
            None => self.active.0,
        }
    }

    /// A structure has come: one that is late takes the place of the one before.
    fn adopt(&mut self, extended_sequence: u64, is_late: bool) {
        let is_known = |slot: &Slot| slot.generation > 0 && slot.structure == self.spare;
        if is_known(if is_late { &self.previous } else { &self.current }) {
            return;
        }
        if !is_late {
            std::mem::swap(&mut self.previous, &mut self.current);
        }
        let slot = if is_late { &mut self.previous } else { &mut self.current };
        std::mem::swap(&mut slot.structure, &mut self.spare);
        self.generation += 1;
        (slot.began, slot.generation) = (extended_sequence, self.generation);
    }
}

/// What a descriptor says of its frame.
struct Frame<'a> {
    fields: Fields,
    template: usize,
    layer: (u8, u8),
    indications: Indications,
    active: Option<u32>,
    fdiffs: Option<BitReader<'a>>,
    chains: Option<BitReader<'a>>,
    custom: (usize, usize),
}

impl<'a> Frame<'a> {
    /// AV1 RTP A.8.2, from `active_decode_targets_bitmask` on.
    fn read(bits: &mut BitReader<'a>, fields: Fields, structure: &DependencyStructure) -> Result<Self, DecodeError> {
        let template = structure.index(fields.template_id).ok_or(DecodeError::UnknownTemplate)?;
        let (layer, mut indications) = structure.template(template).ok_or(DecodeError::UnknownTemplate)?;
        let targets = structure.targets().len();
        let mut active = fields.has_structure.then(|| structure.all_targets());
        if fields.has_active {
            // The first target's bit is the lowest, which is read last.
            active = Some(bits.number(targets as u32)?);
        }
        let start = bits.at();
        if fields.has_indications {
            indications = Indications::read(bits, targets)?;
        }
        let fdiffs = fields.has_fdiffs.then_some(*bits);
        if fields.has_fdiffs {
            while next_fdiff(bits)?.is_some() {}
        }
        let chains = fields.has_chains.then_some(*bits);
        if fields.has_chains {
            for _ in 0..structure.chains() {
                bits.small(8)?;
            }
        }
        Ok(Self { fields, template, layer, indications, active, fdiffs, chains, custom: (start, bits.at()) })
    }

    fn describe(self, bytes: &'a [u8], slot: &'a Slot, active_targets: u32) -> DependencyDescriptor<'a> {
        let Self { fields, template, layer: (spatial_id, temporal_id), indications, fdiffs, chains, custom, .. } = self;
        DependencyDescriptor {
            start_of_frame: fields.start_of_frame,
            end_of_frame: fields.end_of_frame,
            frame_number: fields.frame_number,
            spatial_id,
            temporal_id,
            brings_structure: fields.has_structure,
            active_targets,
            generation: slot.generation,
            structure: &slot.structure,
            template,
            indications,
            fields,
            bytes,
            fdiffs,
            chains,
            custom,
        }
    }
}

fn read_mandatory(bits: &mut BitReader<'_>) -> Result<Fields, DecodeError> {
    Ok(Fields {
        start_of_frame: bits.flag()?,
        end_of_frame: bits.flag()?,
        template_id: bits.small(6)?,
        frame_number: bits.number(16)? as u16,
        ..Fields::default()
    })
}

fn read_flags(bits: &mut BitReader<'_>, fields: &mut Fields) -> Result<(), DecodeError> {
    fields.has_structure = bits.flag()?;
    fields.has_active = bits.flag()?;
    fields.has_indications = bits.flag()?;
    fields.has_fdiffs = bits.flag()?;
    fields.has_chains = bits.flag()?;
    Ok(())
}

/// AV1 RTP A.8.2, `frame_fdiffs`: one more, or the end.
fn next_fdiff(bits: &mut BitReader<'_>) -> Result<Option<u16>, DecodeError> {
    match bits.number(2)? {
        0 => Ok(None),
        size => bits.number(4 * size).map(|fdiff| Some(fdiff as u16 + 1)),
    }
}

impl<'a> DependencyDescriptor<'a> {
    /// What the frame is to a decode target.
    pub fn indication(&self, target: usize) -> Indication {
        self.indications.of(target)
    }

    /// How many frames before it those are that it refers to, 1 to 4,096.
    pub fn fdiffs(&self) -> impl Iterator<Item = u16> + 'a {
        let from_template = if self.fdiffs.is_some() { &[][..] } else { self.structure.fdiffs_of(self.template) };
        let mut own = self.fdiffs;
        let own = std::iter::from_fn(move || own.as_mut().and_then(|bits| next_fdiff(bits).ok().flatten()));
        from_template.iter().map(|fdiff| u16::from(*fdiff)).chain(own)
    }

    /// How many frames before it the last one of each chain is, 0 to 255; 0: the chain begins with it.
    pub fn chain_fdiffs(&self) -> impl Iterator<Item = u8> + 'a {
        let from_template = if self.chains.is_some() { &[][..] } else { self.structure.chain_fdiffs_of(self.template) };
        let (mut own, count) = (self.chains, self.structure.chains());
        let own = std::iter::from_fn(move || own.as_mut().and_then(|bits| bits.small(8).ok())).take(count);
        from_template.iter().copied().chain(own)
    }

    /// Whether the frame is of a chain.
    // AV1 RTP A.6: it is, if it is needed by each decode target that the chain protects.
    pub fn is_of_chain(&self, chain: u8) -> bool {
        let is_needed = |target| matches!(self.indication(target), Indication::Switch | Indication::Required);
        let protected =
            || self.structure.targets().iter().enumerate().filter(|(_, target)| target.chain == Some(chain));
        protected().next().is_some() && protected().all(|(target, _)| is_needed(target))
    }

    /// Width and height of the frame in pixels at most, if they are told.
    pub fn resolution(&self) -> Option<(u32, u32)> {
        self.structure.resolution(self.spatial_id)
    }

    /// The same descriptor, but that it says which decode targets are active, a bit each: as a server writes it that leaves some out (AV1 RTP A.4). It
    /// replaces what is in `out`. It is up to four bytes longer than the one that was read: of one that has nearly 255,
    /// [`ElementData::new`](crate::ElementData::new) may then make nothing.
    pub fn write_with_active_targets(&self, active_targets: u32, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(self.bytes.get(..MANDATORY_LEN).unwrap_or_default());
        let mut bits = BitWriter::new(out);
        let Fields { has_structure, has_indications, has_fdiffs, has_chains, structure, .. } = self.fields;
        [has_structure, true, has_indications, has_fdiffs, has_chains].into_iter().for_each(|flag| bits.flag(flag));
        let from = BitReader::new(self.bytes);
        debug_assert!(structure.0 == 0 || structure.0 == 8 * MANDATORY_LEN + FLAGS_LEN, "it follows the flags");
        bits.copy(&mut from.starting_at(structure.0), structure.1);
        bits.number(self.structure.targets().len().min(TARGETS_MAX) as u32, active_targets);
        bits.copy(&mut from.starting_at(self.custom.0), self.custom.1);
    }
}
