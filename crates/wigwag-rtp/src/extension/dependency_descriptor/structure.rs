//! What the frames of a stream are to one another, told once (AV1 RTP A.8.2, `template_dependency_structure`).

use super::bits::{BitReader, BitWriter};
use crate::{DecodeError, Error};

/// Template numbers have six bits.
pub(super) const TEMPLATES_MAX: usize = 64;
/// `dt_cnt_minus_one` has five bits.
pub(super) const TARGETS_MAX: usize = 32;

/// What a frame is to a decode target (AV1 RTP A.8.3, table A.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Indication {
    /// The frame is not of the target.
    #[default]
    NotPresent,
    /// It is, and no other frame of the target refers to it.
    Discardable,
    /// Who can decode it can decode all later frames of the target.
    Switch,
    /// It is of the target, and nothing else can be said.
    Required,
}

impl Indication {
    const fn from_bits(bits: u64) -> Self {
        match bits & 3 {
            0 => Self::NotPresent,
            1 => Self::Discardable,
            2 => Self::Switch,
            _ => Self::Required,
        }
    }

    pub(super) const fn bits(self) -> u8 {
        match self {
            Self::NotPresent => 0,
            Self::Discardable => 1,
            Self::Switch => 2,
            Self::Required => 3,
        }
    }
}

/// One indication for each decode target, two bits each, the first target's the lowest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Indications(u64);

impl Indications {
    pub(super) fn of(self, target: usize) -> Indication {
        if target < TARGETS_MAX { Indication::from_bits(self.0 >> (2 * target)) } else { Indication::NotPresent }
    }

    pub(super) fn set(&mut self, target: usize, indication: Indication) {
        if target < TARGETS_MAX {
            self.0 = self.0 & !(3 << (2 * target)) | u64::from(indication.bits()) << (2 * target);
        }
    }

    pub(super) fn read(bits: &mut BitReader<'_>, count: usize) -> Result<Self, DecodeError> {
        let mut all = Self::default();
        for target in 0..count.min(TARGETS_MAX) {
            all.set(target, Indication::from_bits(bits.number(2)?.into()));
        }
        Ok(all)
    }

    pub(super) fn write(self, bits: &mut BitWriter<'_>, count: usize) {
        (0..count).for_each(|target| bits.number(2, self.of(target).bits().into()));
    }
}

/// What many frames have in common, as it is made (AV1 RTP A.2, "Frame dependency template").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Template<'a> {
    /// The spatial layer, from 0 on.
    pub spatial_id: u8,
    /// The temporal layer, from 0 on.
    pub temporal_id: u8,
    /// What such a frame is to each decode target.
    pub indications: &'a [Indication],
    /// How many frames before it those are that it refers to, each 1 to 16.
    pub fdiffs: &'a [u8],
    /// How many frames before it the last one of each chain is, 0 to 15; 0: it needs none before it.
    pub chain_fdiffs: &'a [u8],
}

/// A decode target: what is needed to decode a stream at some size and rate (AV1 RTP A.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DecodeTarget {
    /// The highest spatial layer of its frames.
    pub spatial_id: u8,
    /// The highest temporal layer of its frames.
    pub temporal_id: u8,
    /// The chain that protects it, where there are chains.
    pub chain: Option<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Kept {
    spatial_id: u8,
    temporal_id: u8,
    indications: Indications,
    /// Where its references end in the list of all.
    fdiffs_end: u16,
}

/// What the frames of a stream are to one another: templates to which its packets refer (AV1 RTP A.2, "Frame dependency structure").
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DependencyStructure {
    template_id_offset: u8,
    templates: Vec<Kept>,
    /// Of all templates, one after another.
    fdiffs: Vec<u8>,
    /// Likewise, `chains` for each.
    chain_fdiffs: Vec<u8>,
    chains: usize,
    targets: Vec<DecodeTarget>,
    /// Of each spatial layer, if they are told.
    resolutions: Vec<(u32, u32)>,
}

impl DependencyStructure {
    /// A structure. `template_id_offset`: the number of the first template, below 64, so chosen that those of a structure that differs from the one before
    /// have other numbers. `protected_by`: the chain of each decode target; empty without chains. `resolutions`: width and height
    /// of each spatial layer in pixels, 1 to 65,536, or empty.
    ///
    /// # Errors
    /// If templates are none or more than 64, or not in the order of their layers; if they have no decode targets, more than 32, or not the same
    /// number of them and of chains; or if a number is out of range.
    pub fn new(
        template_id_offset: u8,
        templates: &[Template<'_>],
        protected_by: &[u8],
        resolutions: &[(u32, u32)],
    ) -> Result<Self, Error> {
        let first = templates.first().ok_or(Error::DependencyStructure("templates"))?;
        let mut structure = Self { template_id_offset, chains: first.chain_fdiffs.len(), ..Self::default() };
        let targets = first.indications.len();
        check("templates", templates.len() <= TEMPLATES_MAX && usize::from(template_id_offset) < TEMPLATES_MAX)?;
        check("decode targets", (1..=TARGETS_MAX).contains(&targets))?;
        check("chains", structure.chains <= targets && protected_by.len() == structure.chains.min(1) * targets)?;
        check("chains", protected_by.iter().all(|chain| usize::from(*chain) < structure.chains))?;
        check("the order of layers", (first.spatial_id, first.temporal_id) == (0, 0) && is_in_order(templates))?;
        for template in templates {
            structure.push(template, targets)?;
        }
        structure.find_targets(targets, protected_by);
        let layers = structure.spatial_layers();
        check("resolutions", resolutions.is_empty() || resolutions.len() == layers)?;
        let is_size = |(width, height): &(u32, u32)| [width, height].iter().all(|side| (1..=65_536).contains(*side));
        check("resolutions", resolutions.iter().all(is_size))?;
        structure.resolutions.extend_from_slice(resolutions);
        Ok(structure)
    }

    fn push(&mut self, template: &Template<'_>, targets: usize) -> Result<(), Error> {
        let Template { spatial_id, temporal_id, indications: given, fdiffs, chain_fdiffs } = *template;
        check("decode targets", given.len() == targets)?;
        check("references", fdiffs.iter().all(|fdiff| (1..=16).contains(fdiff)))?;
        check("chains", chain_fdiffs.len() == self.chains && chain_fdiffs.iter().all(|fdiff| *fdiff < 16))?;
        let mut indications = Indications::default();
        given.iter().enumerate().for_each(|(target, indication)| indications.set(target, *indication));
        self.fdiffs.extend_from_slice(fdiffs);
        let fdiffs_end = u16::try_from(self.fdiffs.len()).map_err(|_| Error::DependencyStructure("references"))?;
        self.chain_fdiffs.extend_from_slice(chain_fdiffs);
        self.templates.push(Kept { spatial_id, temporal_id, indications, fdiffs_end });
        Ok(())
    }

    /// The number of the first template.
    pub const fn template_id_offset(&self) -> u8 {
        self.template_id_offset
    }

    /// How many templates there are, at most 64.
    pub const fn templates(&self) -> usize {
        self.templates.len()
    }

    /// The decode targets, at most 32, in the order that the sender gave them.
    pub fn targets(&self) -> &[DecodeTarget] {
        &self.targets
    }

    /// How many chains there are.
    pub const fn chains(&self) -> usize {
        self.chains
    }

    /// How many spatial layers there are.
    pub fn spatial_layers(&self) -> usize {
        self.templates.last().map_or(0, |last| usize::from(last.spatial_id) + 1)
    }

    /// Width and height of the frames of a spatial layer in pixels at most, if they are told.
    pub fn resolution(&self, spatial_id: u8) -> Option<(u32, u32)> {
        self.resolutions.get(usize::from(spatial_id)).copied()
    }

    /// Whether every frame of the decode target `part` is one of `whole`, too.
    pub fn contains(&self, whole: usize, part: usize) -> bool {
        let is_of = |template: &Kept, target: usize| template.indications.of(target) != Indication::NotPresent;
        self.templates.iter().all(|template| !is_of(template, part) || is_of(template, whole))
    }

    /// One bit for each decode target.
    pub(super) fn all_targets(&self) -> u32 {
        u32::MAX.checked_shr((TARGETS_MAX - self.targets.len().min(TARGETS_MAX)) as u32).unwrap_or(0)
    }

    /// The place of a template.
    // AV1 RTP A.8.2: templateIndex = (frame_dependency_template_id + 64 - template_id_offset) % 64
    pub(super) fn index(&self, template_id: u8) -> Option<usize> {
        let index = (usize::from(template_id) + TEMPLATES_MAX - usize::from(self.template_id_offset)) % TEMPLATES_MAX;
        Some(index).filter(|index| *index < self.templates.len())
    }

    /// Spatial and temporal layer of a template, and its indications.
    pub(super) fn template(&self, index: usize) -> Option<((u8, u8), Indications)> {
        self.templates.get(index).map(|kept| ((kept.spatial_id, kept.temporal_id), kept.indications))
    }

    pub(super) fn fdiffs_of(&self, index: usize) -> &[u8] {
        let end = |index: usize| self.templates.get(index).map_or(0, |kept| usize::from(kept.fdiffs_end));
        let start = index.checked_sub(1).map_or(0, end);
        self.fdiffs.get(start..end(index)).unwrap_or_default()
    }

    pub(super) fn chain_fdiffs_of(&self, index: usize) -> &[u8] {
        let start = index * self.chains;
        self.chain_fdiffs.get(start..start + self.chains).unwrap_or_default()
    }

    /// Reads one in the place of what was here, whose memory it takes.
    pub(super) fn read(&mut self, bits: &mut BitReader<'_>) -> Result<(), DecodeError> {
        self.templates.clear();
        self.fdiffs.clear();
        self.chain_fdiffs.clear();
        self.resolutions.clear();
        self.template_id_offset = bits.small(6)?;
        let targets = usize::from(bits.small(5)?) + 1;
        self.read_layers(bits)?;
        for template in &mut self.templates {
            template.indications = Indications::read(bits, targets)?;
        }
        for template in &mut self.templates {
            while bits.flag()? {
                self.fdiffs.push(bits.small(4)? + 1);
            }
            template.fdiffs_end =
                u16::try_from(self.fdiffs.len()).map_err(|_| DecodeError::Malformed("dependency structure"))?;
        }
        self.read_chains(bits, targets)?;
        if bits.flag()? {
            for _ in 0..self.spatial_layers() {
                self.resolutions.push((bits.number(16)? + 1, bits.number(16)? + 1));
            }
        }
        Ok(())
    }

    fn read_layers(&mut self, bits: &mut BitReader<'_>) -> Result<(), DecodeError> {
        let mut template = Kept::default();
        loop {
            if self.templates.len() >= TEMPLATES_MAX {
                return Err(DecodeError::Malformed("dependency structure"));
            }
            self.templates.push(template);
            match bits.number(2)? {
                0 => {}
                1 => template.temporal_id += 1,
                2 => (template.spatial_id, template.temporal_id) = (template.spatial_id + 1, 0),
                _ => return Ok(()),
            }
        }
    }

    fn read_chains(&mut self, bits: &mut BitReader<'_>, targets: usize) -> Result<(), DecodeError> {
        let chains = bits.one_of(targets as u32 + 1)?;
        self.chains = chains as usize;
        let mut protected_by = [0; TARGETS_MAX];
        if chains > 0 {
            for chain in protected_by.iter_mut().take(targets) {
                *chain = bits.one_of(chains)? as u8;
            }
        }
        for _ in 0..self.templates.len() * self.chains {
            self.chain_fdiffs.push(bits.small(4)?);
        }
        self.find_targets(targets, &protected_by);
        Ok(())
    }

    /// AV1 RTP A.8.2, `decode_target_layers`: the highest layers of the templates that are of a target.
    fn find_targets(&mut self, targets: usize, protected_by: &[u8]) {
        self.targets.clear();
        for target in 0..targets {
            let present = |kept: &&Kept| kept.indications.of(target) != Indication::NotPresent;
            let of_target = || self.templates.iter().filter(present);
            self.targets.push(DecodeTarget {
                spatial_id: of_target().map(|kept| kept.spatial_id).max().unwrap_or(0),
                temporal_id: of_target().map(|kept| kept.temporal_id).max().unwrap_or(0),
                chain: protected_by.get(target).copied().filter(|_| self.chains > 0),
            });
        }
    }

    pub(super) fn write(&self, bits: &mut BitWriter<'_>) {
        let targets = self.targets.len();
        bits.number(6, self.template_id_offset.into());
        bits.number(5, targets.saturating_sub(1) as u32);
        for (before, template) in self.templates.iter().zip(self.templates.iter().skip(1)) {
            let is_same = before.spatial_id == template.spatial_id;
            let is_same_rate = before.temporal_id == template.temporal_id;
            bits.number(2, if !is_same { 2 } else { u32::from(!is_same_rate) });
        }
        bits.number(2, 3);
        self.templates.iter().for_each(|template| template.indications.write(bits, targets));
        for index in 0..self.templates.len() {
            for fdiff in self.fdiffs_of(index) {
                bits.flag(true);
                bits.number(4, u32::from(*fdiff) - 1);
            }
            bits.flag(false);
        }
        bits.one_of(targets as u32 + 1, self.chains as u32);
        for target in self.targets.iter().filter_map(|target| target.chain) {
            bits.one_of(self.chains as u32, target.into());
        }
        self.chain_fdiffs.iter().for_each(|fdiff| bits.number(4, (*fdiff).into()));
        bits.flag(!self.resolutions.is_empty());
        for (width, height) in &self.resolutions {
            bits.number(16, width - 1);
            bits.number(16, height - 1);
        }
    }
}

fn check(what: &'static str, is_so: bool) -> Result<(), Error> {
    if is_so { Ok(()) } else { Err(Error::DependencyStructure(what)) }
}

/// AV1 RTP A.8.3, table A.2: each template is of the layer of the one before, of the next temporal one, or of the next spatial one's first.
fn is_in_order(templates: &[Template<'_>]) -> bool {
    templates.iter().zip(templates.iter().skip(1)).all(|(before, template)| {
        let (spatial, temporal) = (before.spatial_id, before.temporal_id);
        let layer = (template.spatial_id, template.temporal_id);
        layer == (spatial, temporal) || layer == (spatial, temporal + 1) || layer == (spatial + 1, 0)
    })
}
