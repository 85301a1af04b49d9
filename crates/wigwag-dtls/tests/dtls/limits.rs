//! What is held of a handshake that has not gone on: each limit by itself.

use crate::common::{A, MTU, Pair, Z, as_it_is, configs, plaintext};
use std::collections::BTreeSet;
use std::time::Duration;
use wigwag_dtls::Connection;
use wigwag_sansio::Seed;

/// The first byte of a handshake message of `len` bytes with this number.
fn first_byte(seq: u16, len: u32) -> Vec<u8> {
    let [_, len @ ..] = len.to_be_bytes();
    [&[11][..], &len, &seq.to_be_bytes(), &[0, 0, 0, 0, 0, 1, 7]].concat()
}

/// Row 7: of a certificate of 32 KiB at most, in one of eight messages.
#[test]
fn a_fragment_of_a_message_too_long_or_too_far_ahead_is_not_kept() {
    for (seq, len, excessive) in [
        (1, 32 * 1024, 0),
        (1, 32 * 1024 + 1, 1),
        (1, (1 << 24) - 1, 1),
        (7, 1000, 0),
        (8, 1000, 1),
        (u16::MAX, 1000, 1),
    ] {
        let mut pair = Pair::new(1);
        for who in [A, Z] {
            let held = pair.peers[who].stats().excessive_fragments;
            pair.deliver(who, &plaintext(22, 0, 1, &first_byte(seq, len)));
            assert_eq!(pair.peers[who].stats().excessive_fragments, held + excessive, "{seq}, {len} bytes");
        }
        pair.run(Duration::from_secs(100), as_it_is);
        pair.assert_alive();
    }
}

/// Row 30.
#[test]
fn ten_thousand_hellos_have_no_random_in_common() {
    let [config, _] = configs();
    let mut randoms = BTreeSet::new();
    for seed in 0..10_000 {
        let mut connection = Connection::new(config.clone(), Seed::for_test(seed));
        let mut hello = Vec::new();
        assert!(connection.poll_packet(wigwag_sim::origin(), MTU, &mut hello));
        // Behind the headers of record and message, and the version.
        let random = &hello[13 + 12 + 2..][..32];
        assert!(randoms.insert(random.to_vec()), "{seed}");
    }
}
