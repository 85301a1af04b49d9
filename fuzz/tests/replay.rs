//! Every seed of the corpora, its mutations and mixtures through its target, on stable. `WIGWAG_SEEDS` says how many mixtures.
//!
//! A failure prints the input; saved as a file, `cargo run --bin <target> -- <file>` repeats it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use wigwag_fuzz::TARGETS;
use wigwag_sansio::{Rng, Seed};
use wigwag_sim::seeds;

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

/// Some seed with up to 8 changes: a byte, some bytes of another seed put in, or some taken out.
fn mixture(seeds: &[Vec<u8>], rng: &mut Rng) -> Vec<u8> {
    let mut below = |n: usize| rng.below(n as u64) as usize;
    let mut input = seeds[below(seeds.len())].clone();
    for _ in 0..=below(8) {
        let at = below(input.len() + 1);
        let end = input.len().min(at + below(20));
        match below(3) {
            0 => input.splice(at..end.min(at + 1), [below(256) as u8]).for_each(drop),
            1 => {
                let other = &seeds[below(seeds.len())];
                let from = below(other.len() + 1);
                let to = other.len().min(from + below(60));
                input.splice(at..at, other[from..to].iter().copied()).for_each(drop);
            }
            _ => input.drain(at..end).for_each(drop),
        }
    }
    input
}

fn replay(name: &str) {
    let (_, target) = *TARGETS.iter().find(|(target, _)| *target == name).unwrap();
    let run = |what: &str, input: &[u8]| {
        assert!(catch_unwind(|| target(input)).is_ok(), "{name}: {what}: {input:02x?}");
    };
    run("nothing", &[]);
    let paths = fs::read_dir(folder("corpus").join(name)).unwrap().map(|entry| entry.unwrap().path());
    let corpus: BTreeMap<_, _> = paths.map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    for (path, seed) in &corpus {
        for (mutation, input) in mutations(seed) {
            run(&format!("{}, {mutation}", path.display()), &input);
        }
    }
    let corpus: Vec<_> = corpus.into_values().collect();
    let bytes: usize = corpus.iter().map(Vec::len).sum();
    assert!((1..=100_000).contains(&bytes), "the corpus is there and stays small: {bytes} bytes");
    for seed in seeds(100) {
        run(&format!("mixture, WIGWAG_SEED={seed}"), &mixture(&corpus, &mut Rng::new(Seed::for_test(seed))));
    }
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
    congestion
    dtls_13_connection
    dtls_certificate
    dtls_connection
    dtls_fingerprint
    ice_agent
    ice_frames
    ice_peek
    mdns_host
    peer_connection
    peer_description
    rtcp_compound
    rtp_av1
    rtp_dependency_descriptor
    rtp_frames
    rtp_h264
    rtp_layers_allocation
    rtp_opus
    rtp_packet
    rtp_session
    rtp_telephone_event
    rtp_vp8
    rtp_vp9
    sctp_association
    sctp_init
    sctp_interleaved
    sctp_migration
    sctp_tuned
    sdp_candidate
    sdp_session
    srtp_packet
    srtp_sealed
    stun_message
    stun_sealed
    turn_client
    turn_server
    turn_stream
}
