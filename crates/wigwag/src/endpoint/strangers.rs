//! Requests for ufrags that nobody has made.

use std::net::SocketAddr;
use wigwag_sansio::{Rng, Seed};

/// How many are kept between two polls.
const STRANGERS_MAX: usize = 64;

/// RFC 8839 §5.4: an `ice-ufrag` has at most 256 characters.
const UFRAG_LEN_MAX: usize = 256;

/// A bounded fair sample: were it first come first served, those who were refused and come again could keep everybody
/// else out.
#[derive(Debug)]
pub(super) struct Strangers {
    rng: Rng,
    sample: Vec<(String, SocketAddr)>,
    /// How many have asked since the sample was last empty.
    asked: u64,
}

impl Strangers {
    pub(super) fn new(seed: Seed) -> Self {
        Self { rng: Rng::new(seed), sample: Vec::new(), asked: 0 }
    }

    pub(super) fn ask(&mut self, ufrag: &str, remote: SocketAddr) {
        if ufrag.len() > UFRAG_LEN_MAX || self.sample.iter().any(|(known, _)| known == ufrag) {
            return;
        }
        self.asked += 1;
        if self.sample.len() < STRANGERS_MAX {
            return self.sample.push((ufrag.to_owned(), remote));
        }
        let lot = usize::try_from(self.rng.below(self.asked)).unwrap_or(usize::MAX);
        if let Some(place) = self.sample.get_mut(lot) {
            *place = (ufrag.to_owned(), remote);
        }
    }

    pub(super) fn take(&mut self) -> Option<(String, SocketAddr)> {
        let taken = self.sample.pop();
        if self.sample.is_empty() {
            self.asked = 0;
        }
        taken
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sample.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ufrag_that_none_can_be_is_not_kept() {
        let mut strangers = Strangers::new(Seed::for_test(0));
        strangers.ask(&"x".repeat(257), ([10, 0, 0, 1], 1).into());
        assert!(strangers.is_empty());
        strangers.ask(&"x".repeat(256), ([10, 0, 0, 1], 1).into());
        assert!(!strangers.is_empty());
    }

    #[test]
    fn whoever_comes_late_has_the_same_chance() {
        let mut kept = [0u32; 2];
        for round in 0..200 {
            let mut strangers = Strangers::new(Seed::for_test(round));
            for stranger in 0..640 {
                strangers.ask(&format!("{stranger:04}"), ([10, 0, 0, 1], 1).into());
            }
            let mut seen = 0;
            while let Some((ufrag, _)) = strangers.take() {
                kept[usize::from(ufrag.as_str() >= "0320")] += 1;
                seen += 1;
            }
            assert_eq!(seen, STRANGERS_MAX);
        }
        assert!(kept.iter().all(|kept| (6000..6800).contains(kept)), "{kept:?}");
    }
}
