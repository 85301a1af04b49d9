//! Which packets of a stream with layers a listener gets (AV1 RTP A.4 to A.7).
//!
//! ```text
//! nothing ── a key frame, or a switch indication of a frame that refers to nothing ──▶ a decode target
//!                                                                                       │      ▲
//!           less: when a picture begins;  more: where the chain is intact, or at a switch indication
//! ```

mod chains;
mod frames;

use crate::extension::{DependencyDescriptor, Indication};
use chains::Chains;
use frames::{Fate, Frames};
use std::cmp::Reverse;

/// So many changes may be as late as a frame that comes late.
const PAST_MAX: usize = 4;

/// What a listener is to get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Layers { spatial_max: u8, temporal_max: u8 },
    Target(usize),
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Selection {
    /// The listener gets it.
    Forward {
        /// The marker bit that it has there: it is the last packet of a picture for this listener.
        marker: bool,
        /// The decode targets that the listener can decode, a bit each, if they are not those that the packet tells
        /// ([`DependencyDescriptor::write_with_active_targets`]).
        active_targets: Option<u32>,
    },
    /// The listener does without it, and its number in the stream is to be closed up.
    LeaveOut,
}

/// Says of each packet of one source whether one listener gets it.
///
/// What was lost on the way here and may come yet is no reason to leave out what follows: the listener waits, as for any loss. More layers begin
/// only where the listener can decode them.
#[derive(Clone, Debug)]
pub struct LayerSelector {
    wanted: Wanted,
    current: Option<Current>,
    /// The targets before, and their first frames, the latest first: for frames of them that come late.
    past: [Option<(u64, usize)>; PAST_MAX],
    frames: Frames,
    chains: Chains,
    /// The packet that is furthest, and the timestamp of the last new frame.
    last: Option<(u64, u32)>,
    /// The structure that the frames refer to.
    generation: u64,
    /// Whether what is wanted comes without a key frame.
    needs_key_frame: bool,
}

/// The decode target that is forwarded.
#[derive(Clone, Copy, Debug)]
struct Current {
    target: usize,
    spatial_id: u8,
    temporal_id: u8,
    chain: Option<u8>,
    /// The first frame that was forwarded as of it.
    since: u64,
    /// The targets of which it has all frames.
    contained: u32,
    /// Whether more of the same picture may have to follow what is its last packet so far.
    may_grow: bool,
}

impl Default for LayerSelector {
    fn default() -> Self {
        Self::new()
    }
}

impl LayerSelector {
    /// All layers.
    #[must_use]
    pub fn new() -> Self {
        Self {
            wanted: Wanted::Layers { spatial_max: u8::MAX, temporal_max: u8::MAX },
            current: None,
            past: [None; PAST_MAX],
            frames: Frames::default(),
            chains: Chains::default(),
            last: None,
            generation: 0,
            needs_key_frame: true,
        }
    }

    /// From now on, or from where it is possible: the best decode target with these layers at most; where none is as small, the smallest.
    pub const fn set_layers_max(&mut self, spatial_max: u8, temporal_max: u8) {
        self.wanted = Wanted::Layers { spatial_max, temporal_max };
    }

    /// Likewise this decode target, by its place in the structure; while it is not active, the best one with no more layers.
    pub const fn set_decode_target(&mut self, target: usize) {
        self.wanted = Wanted::Target(target);
    }

    /// Packets that were to be forwarded were not: what follows begins with a key frame.
    pub fn restart(&mut self) {
        let Self { wanted, last, generation, .. } = *self;
        *self = Self { wanted, last, generation, ..Self::new() };
    }

    /// The highest spatial and temporal layer that are forwarded now.
    pub fn layers(&self) -> Option<(u8, u8)> {
        self.current.map(|current| (current.spatial_id, current.temporal_id))
    }

    /// Whether nothing can be forwarded, or what is wanted cannot, before a key frame comes.
    pub const fn needs_key_frame(&self) -> bool {
        self.needs_key_frame
    }

    /// Whether no frame is missing that the listener needs to go on, as far as chains tell. What is missing may come late.
    pub fn is_intact(&self) -> bool {
        self.current.is_some_and(|current| current.chain.is_none_or(|chain| self.chains.is_intact(chain)))
    }

    /// What becomes of a packet: its descriptor, its number ([`Received::extended_sequence`](field@crate::Received::extended_sequence)), its
    /// timestamp and its marker bit. Each packet of the source once, in the order in which they come.
    pub fn select(
        &mut self,
        descriptor: &DependencyDescriptor<'_>,
        extended_sequence: u64,
        timestamp: u32,
        marker: bool,
    ) -> Selection {
        let is_ahead = self.last.is_none_or(|(sequence, _)| extended_sequence > sequence);
        if is_ahead {
            self.follow(descriptor);
        } else if descriptor.generation != self.generation {
            // It came too late: all has begun anew since.
            return Selection::LeaveOut;
        }
        let number = self.frames.extend(descriptor.frame_number);
        let is_new = is_ahead && self.frames.is_new(number);
        let is_forwarded = match self.frames.fate(number) {
            _ if is_new => {
                let begins_picture = self.last.is_none_or(|(_, before)| before != timestamp);
                self.take_new(descriptor, number, begins_picture)
            }
            Fate::Unseen => self.take(descriptor, number, false),
            fate => fate == Fate::Forwarded,
        };
        if is_ahead {
            let of_picture = self.last.filter(|_| !is_new).map_or(timestamp, |(_, timestamp)| timestamp);
            self.last = Some((extended_sequence, of_picture));
        }
        match self.current {
            Some(current) if is_forwarded => Selection::Forward {
                marker: marker || current.ends_picture(descriptor, number),
                active_targets: Some(descriptor.active_targets & current.contained)
                    .filter(|active| *active != descriptor.active_targets),
            },
            _ => Selection::LeaveOut,
        }
    }

    /// Where another structure has come, or frames are counted anew, all begins anew.
    fn follow(&mut self, descriptor: &DependencyDescriptor<'_>) {
        let is_counted_anew =
            || descriptor.brings_structure && self.frames.is_behind(self.frames.extend(descriptor.frame_number));
        if descriptor.generation != self.generation || is_counted_anew() {
            self.restart();
            self.generation = descriptor.generation;
        }
    }

    /// Whether the first packet that came of the newest frame is forwarded.
    fn take_new(&mut self, descriptor: &DependencyDescriptor<'_>, number: u64, begins_picture: bool) -> bool {
        self.chains.take(number, true, descriptor.chain_fdiffs(), &self.frames);
        let wanted = self.resolve(descriptor);
        if let Some(target) = self.next_target(descriptor, number, wanted, begins_picture) {
            self.switch(descriptor, number, target);
        }
        self.judge(descriptor, wanted);
        self.take(descriptor, number, true)
    }

    /// Whether a frame is forwarded of which no packet had come.
    fn take(&mut self, descriptor: &DependencyDescriptor<'_>, number: u64, is_new: bool) -> bool {
        let is_left_out = |fdiff: u16| self.frames.fate(number.saturating_sub(fdiff.into())) == Fate::LeftOut;
        let is_forwarded = self.target_at(number).is_some_and(|target| {
            descriptor.indication(target) != Indication::NotPresent && !descriptor.fdiffs().any(is_left_out)
        });
        self.frames.set(number, is_forwarded);
        if !is_new {
            self.chains.came(number, is_forwarded);
            if is_forwarded {
                self.chains.take(number, false, descriptor.chain_fdiffs(), &self.frames);
            }
        }
        is_forwarded
    }

    /// The decode target of which frames were forwarded when this one was sent.
    fn target_at(&self, number: u64) -> Option<usize> {
        let current = self.current.map(|current| (current.since, current.target));
        let mut all = current.into_iter().chain(self.past.into_iter().flatten());
        all.find(|(since, _)| *since <= number).map(|(_, target)| target)
    }

    /// The decode target that is wanted, of those that are active.
    fn resolve(&self, descriptor: &DependencyDescriptor<'_>) -> Option<usize> {
        let targets = descriptor.structure.targets();
        let is_active = |target: usize| descriptor.active_targets.checked_shr(target as u32).unwrap_or(0) & 1 == 1;
        let (spatial_max, temporal_max) = match self.wanted {
            Wanted::Target(target) if target < targets.len() && is_active(target) => return Some(target),
            Wanted::Target(target) => {
                targets.get(target).map_or((u8::MAX, u8::MAX), |target| (target.spatial_id, target.temporal_id))
            }
            Wanted::Layers { spatial_max, temporal_max } => (spatial_max, temporal_max),
        };
        let active = || targets.iter().enumerate().filter(|(at, _)| is_active(*at));
        let fits =
            active().filter(|(_, target)| target.spatial_id <= spatial_max && target.temporal_id <= temporal_max);
        // Of two that are alike, the first.
        let best = fits.max_by_key(|(at, target)| (target.spatial_id, target.temporal_id, Reverse(*at)));
        best.or_else(|| active().min_by_key(|(_, target)| (target.spatial_id, target.temporal_id))).map(|(at, _)| at)
    }

    /// Where it goes from here with this frame, if it can.
    fn next_target(
        &self,
        descriptor: &DependencyDescriptor<'_>,
        number: u64,
        wanted: Option<usize>,
        begins_picture: bool,
    ) -> Option<usize> {
        let wanted = wanted?;
        let structure = descriptor.structure;
        let current = self.current.map(|current| current.target);
        if current == Some(wanted) {
            return None;
        }
        // All layers begin anew: with the first picture, each with its own frame.
        let is_key_frame = descriptor.brings_structure && descriptor.fdiffs().next().is_none();
        if is_key_frame && descriptor.start_of_frame {
            return Some(wanted);
        }
        let Some(current) = current else {
            let may_begin = descriptor.start_of_frame && self.may_switch(descriptor, number, wanted);
            return may_begin.then_some(wanted);
        };
        if structure.contains(current, wanted) {
            return begins_picture.then_some(wanted);
        }
        if self.may_switch(descriptor, number, wanted) {
            return Some(wanted);
        }
        let is_between = |target: &usize| {
            *target != current && structure.contains(wanted, *target) && structure.contains(*target, current)
        };
        let between = (0..structure.targets().len()).filter(is_between);
        let possible = between.filter(|target| self.may_switch(descriptor, number, *target));
        possible
            .max_by_key(|target| structure.targets().get(*target).map(|found| (found.spatial_id, found.temporal_id)))
    }

    /// Whether a decode target can begin with this frame.
    // AV1 RTP A.7: "An SFM MAY begin forwarding packets belonging to a new Decode target beginning with a decodable frame containing a Switch
    // indication to that Decode target." "When Chains are used, an SFM MAY switch to a Decode target at any point if the Chain tracking
    // that Decode target is intact."
    fn may_switch(&self, descriptor: &DependencyDescriptor<'_>, number: u64, target: usize) -> bool {
        let is_forwarded = |fdiff: u16| self.frames.fate(number.saturating_sub(fdiff.into())) == Fate::Forwarded;
        let chain = descriptor.structure.targets().get(target).and_then(|target| target.chain);
        let by_chain = chain.is_some_and(|chain| self.current.is_some() && self.chains.is_intact(chain));
        match descriptor.indication(target) {
            Indication::NotPresent => false,
            Indication::Switch if self.current.is_none() || self.is_intact() => descriptor.fdiffs().all(is_forwarded),
            Indication::Switch | Indication::Discardable | Indication::Required => {
                by_chain && descriptor.fdiffs().all(is_forwarded)
            }
        }
    }

    /// From this frame on, another decode target is forwarded.
    fn switch(&mut self, descriptor: &DependencyDescriptor<'_>, number: u64, target: usize) {
        let structure = descriptor.structure;
        let Some(found) = structure.targets().get(target) else { return };
        match self.current {
            Some(before) => {
                self.past.rotate_right(1);
                self.past[0] = Some((before.since, before.target));
            }
            None => self.frames.begin(number),
        }
        let is_less = self.current.is_some_and(|current| structure.contains(current.target, target));
        if let Some(chain) = found.chain.filter(|_| !is_less) {
            self.chains.begin(chain);
        }
        let bit = |part: usize| u32::from(structure.contains(target, part)) << part;
        self.current = Some(Current {
            target,
            spatial_id: found.spatial_id,
            temporal_id: found.temporal_id,
            chain: found.chain,
            since: number,
            contained: (0..structure.targets().len()).fold(0, |all, part| all | bit(part)),
            may_grow: false,
        });
    }

    /// Whether what is wanted comes by itself.
    fn judge(&mut self, descriptor: &DependencyDescriptor<'_>, wanted: Option<usize>) {
        let structure = descriptor.structure;
        let target_of = |target: usize| structure.targets().get(target);
        let Some((current, wanted)) = self.current.as_mut().zip(wanted) else {
            self.needs_key_frame = true;
            return;
        };
        let is_more = !structure.contains(current.target, wanted);
        let Some(found) = target_of(wanted) else { return };
        current.may_grow =
            is_more && structure.contains(wanted, current.target) && found.spatial_id > current.spatial_id;
        self.needs_key_frame = is_more
            && match found.chain {
                Some(chain) => !self.chains.is_intact(chain),
                None => found.spatial_id != current.spatial_id,
            };
    }
}

impl Current {
    /// Whether a packet is the last of its picture for this listener.
    // AV1 RTP §4.2: "The RTP header Marker bit MUST be set equal to 0 if the packet is not the last packet of the temporal unit, it
    // SHOULD be set equal to 1 otherwise."
    fn ends_picture(&self, descriptor: &DependencyDescriptor<'_>, number: u64) -> bool {
        descriptor.end_of_frame && descriptor.spatial_id == self.spatial_id && number >= self.since && !self.may_grow
    }
}
