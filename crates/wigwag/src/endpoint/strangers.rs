//! Requests for ufrags that nobody has made.

use std::net::SocketAddr;
use wigwag_sansio::{Rng, Seed};

/// How many are kept between two polls.
const STRANGERS_MAX: usize = 64;

/// RFC 8839 §5.4: an `ice-ufrag` has 4 to 256 characters, each a letter, a digit, `+` or `/`. What the application is told
/// may become a line of a description.
fn is_ufrag(name: &str) -> bool {
    let is_ice_char = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    (4..=256).contains(&name.len()) && name.bytes().all(is_ice_char)
}

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
        if !is_ufrag(ufrag) || self.sample.iter().any(|(known, _)| known == ufrag) {
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
        for name in ["", "abc", &"x".repeat(257), "abcd efg", "abcd\r\na=ice-lite", "abcdé", "abcd:"] {
            strangers.ask(name, ([10, 0, 0, 1], 1).into());
            assert!(strangers.is_empty(), "{name:?}");
        }
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
