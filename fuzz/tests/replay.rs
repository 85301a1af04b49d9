//! Every seed of the corpora and its mutations through its target, on stable.
//!
//! A failure prints the input; saved as a file, `cargo run --bin <target> -- <file>` repeats it.

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use wigwag_fuzz::TARGETS;

/// How many prefixes and how many flipped bits of one seed are tried, spread evenly.
const MUTATIONS: usize = 150;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The names in a folder, without extensions, in order.
fn names(path: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

/// The seed, its prefixes, its flipped bits, and it twice over.
fn mutations(seed: &[u8]) -> impl Iterator<Item = (String, Vec<u8>)> {
    let prefixes = spread(seed.len()).map(|length| (format!("prefix of {length}"), seed[..length].to_vec()));
    let flips = spread(seed.len() * 8).map(|bit| {
        let mut bytes = seed.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        (format!("bit {bit} flipped"), bytes)
    });
    let extremes = spread(seed.len()).map(|at| {
        let mut bytes = seed.to_vec();
        bytes[at] = if bytes[at] == 0xff { 0 } else { 0xff };
        (format!("byte {at} extreme"), bytes)
    });
    let plain = [("itself".to_owned(), seed.to_vec()), ("twice".to_owned(), seed.repeat(2))];
    plain.into_iter().chain(prefixes).chain(flips).chain(extremes)
}

/// Numbers below `end`, at most [`MUTATIONS`], evenly spread.
fn spread(end: usize) -> impl Iterator<Item = usize> {
    (0..end).step_by(end.div_ceil(MUTATIONS).max(1))
}

fn replay(name: &str) {
    let (_, target) = *TARGETS.iter().find(|(target, _)| *target == name).unwrap();
    target(&[]);
    let mut bytes = 0;
    for entry in fs::read_dir(folder("corpus").join(name)).unwrap() {
        let path = entry.unwrap().path();
        let seed = fs::read(&path).unwrap();
        bytes += seed.len();
        for (mutation, input) in mutations(&seed) {
            if catch_unwind(|| target(&input)).is_err() {
                panic!("{}, {mutation}: {input:02x?}", path.display());
            }
        }
    }
    assert!(bytes > 0, "there is a seed");
    assert!(bytes <= 100_000, "the corpus stays small: {bytes} bytes");
}

#[test]
fn every_target_has_a_shell_and_a_corpus() {
    let targets: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(&folder("fuzz_targets")), targets);
    assert_eq!(names(&folder("corpus")), targets);
    let manifest = fs::read_to_string(folder("Cargo.toml")).unwrap();
    targets.iter().for_each(|name| assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}"));
}

macro_rules! replays {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            replay(stringify!($name));
        })*

        #[test]
        fn every_target_is_replayed() {
            let names: Vec<_> = TARGETS.iter().map(|(name, _)| *name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
        }
    };
}

replays! {
    sdp_candidate
    sdp_session
    srtp_packet
    srtp_sealed
    stun_message
    stun_sealed
}
