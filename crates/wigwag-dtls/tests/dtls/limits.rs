//! What is held of a handshake that has not gone on: each limit by itself.

use crate::common::{A, MTU, Pair, Z, as_it_is, configs_of, plaintext};
use std::collections::BTreeSet;
use std::time::Duration;
use wigwag_dtls::{Connection, Group, Version};
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
        for version in [Version::Dtls12, Version::Dtls13] {
            let mut pair = Pair::with(configs_of(version), 1);
            for who in [A, Z] {
                pair.poll(who);
                let (before, held) = (pair.peers[who].stats().excessive_fragments, pair.peers[who].held_len());
                pair.deliver(who, &plaintext(22, 0, 1, &first_byte(seq, len)));
                assert_eq!(pair.peers[who].stats().excessive_fragments, before + excessive, "{seq}, {len} bytes");
                assert_eq!(pair.peers[who].held_len() > held, excessive == 0, "what is dropped is not held");
                assert_eq!(pair.poll(who), 0, "nothing is sent");
            }
            pair.run(Duration::from_secs(100), as_it_is);
            pair.assert_alive();
        }
    }
}

/// Row 30. Nobody attacks, so nothing is dropped.
#[test]
fn ten_thousand_hellos_have_no_random_in_common() {
    for version in [Version::Dtls12, Version::Dtls13] {
        let [mut config, _] = configs_of(version);
        config.groups = vec![Group::X25519];
        let (mut randoms, mut shares) = (BTreeSet::new(), BTreeSet::new());
        for seed in 0..10_000 {
            let mut connection = Connection::new(config.clone(), Seed::for_test(seed));
            let mut hello = Vec::new();
            assert!(connection.poll_packet(wigwag_sim::origin(), MTU, &mut hello));
            // Behind the headers of record and message, and the version.
            let random = &hello[13 + 12 + 2..][..32];
            assert!(randoms.insert(random.to_vec()), "{seed}");
            // In 1.3, the share of the only group comes last.
            let share = &hello[hello.len() - 32..];
            assert!(version == Version::Dtls12 || shares.insert(share.to_vec()), "{seed}");
        }
    }
}
