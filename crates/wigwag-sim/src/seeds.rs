//! Which seeds a test runs, and how a failed one is run again.

use std::ops::Range;
use std::path::PathBuf;

/// The seed that the environment asks for: `WIGWAG_SEED=17 cargo test`.
///
/// # Panics
/// If it is not a number.
pub fn seed_from_env() -> Option<u64> {
    number_from_env("WIGWAG_SEED")
}

/// The seeds from 0 to `n - 1`; with `WIGWAG_SEED` only that one, with `WIGWAG_SEEDS` as many as it says.
///
/// # Panics
/// If a variable is not a number.
pub fn seeds(n: u64) -> Range<u64> {
    choose(n, seed_from_env(), number_from_env("WIGWAG_SEEDS"))
}

/// Where the environment wants the datagrams of a world that fails: `WIGWAG_PCAP=failed.pcapng cargo test`.
pub(crate) fn pcap_from_env() -> Option<PathBuf> {
    from_env("WIGWAG_PCAP").map(PathBuf::from)
}

const fn choose(n: u64, seed: Option<u64>, count: Option<u64>) -> Range<u64> {
    match (seed, count) {
        (Some(seed), _) => seed..seed.saturating_add(1),
        (None, Some(count)) => 0..count,
        (None, None) => 0..n,
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests are told by the environment which seed to repeat; machines are not"
)]
fn from_env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn number_from_env(name: &str) -> Option<u64> {
    let value = from_env(name)?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name}={value} is not a number")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_goes_before_a_count_and_a_count_before_the_default() {
        assert_eq!(choose(3, None, None), 0..3);
        assert_eq!(choose(3, None, Some(9)), 0..9);
        assert_eq!(choose(3, Some(17), Some(9)), 17..18);
    }
}
