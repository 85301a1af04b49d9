//! Whether the chains of a stream are intact for a listener (AV1 RTP A.5, A.6).

use super::frames::{Fate, Frames};

/// As many as there are decode targets at most.
const CHAINS_MAX: usize = 32;
/// So many frames of a chain may be waited for; each is known by one that points to it.
const MISSING_MAX: usize = 4;

#[derive(Clone, Copy, Debug, Default)]
struct Chain {
    /// The frames that have not come, by the low bits of their numbers.
    missing: [u16; MISSING_MAX],
    len: usize,
    /// One was left out, or too many are missing: it is intact where it begins anew.
    is_cut: bool,
}

/// All chains of a stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Chains([Chain; CHAINS_MAX]);

impl Chains {
    /// Whether all frames of a chain were forwarded so far.
    pub(super) fn is_intact(&self, chain: u8) -> bool {
        self.0.get(usize::from(chain)).is_some_and(|chain| chain.len == 0 && !chain.is_cut)
    }

    /// Whatever was before, it begins anew.
    pub(super) fn begin(&mut self, chain: u8) {
        if let Some(chain) = self.0.get_mut(usize::from(chain)) {
            *chain = Chain::default();
        }
    }

    /// A frame has come, and tells for each chain how far back the one before is.
    // AV1 RTP A.8.3: "A value of 0 indicates no previous frames are needed for the Chain."
    pub(super) fn take(&mut self, number: u64, is_new: bool, fdiffs: impl Iterator<Item = u8>, frames: &Frames) {
        for (chain, fdiff) in self.0.iter_mut().zip(fdiffs) {
            match (fdiff, is_new) {
                (0, true) => *chain = Chain::default(),
                (0, false) => {}
                (fdiff, _) => chain.points_to(number.saturating_sub(fdiff.into()), frames),
            }
        }
    }

    /// A frame for which some may have waited was forwarded, or was left out.
    pub(super) fn came(&mut self, number: u64, is_forwarded: bool) {
        for chain in &mut self.0 {
            if let Some(at) = chain.find(number) {
                chain.len -= 1;
                chain.missing.swap(at, chain.len);
                chain.is_cut |= !is_forwarded;
            }
        }
    }
}

impl Chain {
    fn find(&self, number: u64) -> Option<usize> {
        self.missing.iter().take(self.len).position(|missing| *missing == number as u16)
    }

    fn points_to(&mut self, number: u64, frames: &Frames) {
        match frames.fate(number) {
            Fate::Forwarded => {}
            Fate::LeftOut => self.is_cut = true,
            Fate::Unseen if self.find(number).is_some() => {}
            Fate::Unseen => match self.missing.get_mut(self.len) {
                Some(slot) => {
                    *slot = number as u16;
                    self.len += 1;
                }
                None => self.is_cut = true,
            },
        }
    }
}
