//! Attacks, by the rows of docs/security.md.

use crate::common::{A, Pair, Z, as_it_is, certificate, configs, established, handshake_record, plaintext, records};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::time::Duration;
use wigwag_dtls::{AlertDescription, CipherSuite, CloseReason, Connection, Fingerprint, HashAlgorithm, Stats, Version};
use wigwag_sansio::{Rng, Seed};

const LIMIT: Duration = Duration::from_secs(100);

/// What a stage of a handshake is like, before the `n`th datagram is delivered; and the end of it.
fn at_every_stage(mut attack: impl FnMut(&mut Pair)) {
    for stage in 0..=4 {
        let mut pair = Pair::new(stage);
        let (mut n, mut has_attacked) = (0, false);
        pair.poll(A);
        pair.poll(Z);
        loop {
            if n == stage {
                attack(&mut pair);
                has_attacked = true;
            }
            let Some((to, datagram)) = pair.wire.pop_front() else { break };
            pair.deliver(to, &datagram);
            n += 1;
            pair.poll(A);
            pair.poll(Z);
        }
        assert!(has_attacked);
        pair.run(LIMIT, as_it_is);
        pair.assert_alive();
    }
}

/// Row 1.
#[test]
fn foreign_client_hellos_do_not_stop_a_handshake_and_get_nothing_after_it() {
    let mut hello = Vec::new();
    let [config, _] = configs();
    Connection::new(config, Seed::for_test(666)).poll_packet(wigwag_sim::origin(), 1200, &mut hello);
    let mut pair = Pair::new(1);
    pair.poll(A);
    let (to, genuine) = pair.wire.pop_front().unwrap();
    pair.deliver(to, &genuine);
    assert_eq!(pair.poll(Z), 1);
    for _ in 0..10_000 {
        pair.deliver(Z, &hello);
        pair.poll(Z);
    }
    assert_eq!(pair.sent[Z], 1, "its flight, and nothing at once");
    pair.run(LIMIT, as_it_is);
    pair.assert_alive();
    let (sent, dropped) = (pair.sent[Z], pair.peers[Z].stats().plaintext_handshake);
    for _ in 0..10_000 {
        pair.deliver(Z, &hello);
        pair.poll(Z);
    }
    assert_eq!(pair.sent[Z], sent);
    assert_eq!(pair.peers[Z].stats().plaintext_handshake, dropped + 10_000);
    pair.assert_alive();
}

/// Row 2.
#[test]
fn a_wrong_fingerprint_gives_no_key_to_anybody() {
    for who in [A, Z] {
        let genuine = configs()[who].remote_fingerprints[0];
        let mut nibble = genuine.digest().to_vec();
        nibble[31] ^= 0x10;
        let flipped = Fingerprint::new(HashAlgorithm::Sha256, &nibble).unwrap();
        let other_hash = Fingerprint::of(HashAlgorithm::Sha384, b"something else");
        let own = configs()[who].certificate.fingerprint(HashAlgorithm::Sha256);
        for wrong in [vec![], vec![flipped], vec![flipped, other_hash], vec![own]] {
            let mut configs = configs();
            configs[who].remote_fingerprints = wrong;
            let mut pair = Pair::with(configs, 1);
            pair.run(LIMIT, as_it_is);
            assert_eq!(pair.closed[who], Some(CloseReason::FingerprintMismatch));
            assert_eq!(pair.closed[1 - who], Some(CloseReason::Alert(AlertDescription::BadCertificate)));
            assert_eq!(pair.connected, [false; 2]);
            for peer in &mut pair.peers {
                assert!(peer.export_keying_material("EXPORTER-x", None, &mut [0; 1]).is_err());
                assert!(!peer.protect(1200, &mut Vec::new(), |_, _| true));
                assert!(peer.is_closed() && !peer.is_connected());
            }
        }
    }
}

/// Row 2, the other way round: one of several is enough, with any hash that is trusted.
#[test]
fn one_right_fingerprint_among_wrong_ones_is_enough() {
    for algorithm in [HashAlgorithm::Sha256, HashAlgorithm::Sha384, HashAlgorithm::Sha512] {
        let mut configs = configs();
        for who in [A, Z] {
            let right = configs[1 - who].certificate.fingerprint(algorithm);
            configs[who].remote_fingerprints = vec![certificate(7).fingerprint(HashAlgorithm::Sha256), right];
        }
        let mut pair = Pair::with(configs, 1);
        pair.run(LIMIT, as_it_is);
        pair.assert_alive();
    }
}

/// Lets `change` have each unprotected handshake record to the server, by its type, and returns why the server closed.
fn meddle(message_type: u8, change: impl Fn(&mut Vec<u8>)) -> Pair {
    let mut pair = Pair::new(1);
    pair.run(LIMIT, |_, datagram| {
        let mut records = records(&datagram);
        for record in records.iter_mut().filter(|record| record[0] == 22 && record[3..5] == [0, 0]) {
            if record[13] == message_type {
                change(record);
            }
        }
        vec![records.concat()]
    });
    pair
}

/// Row 3.
#[test]
fn a_client_without_certificate_or_proof_is_refused() {
    let empty = meddle(11, |record| {
        if record[17..19] == [0, 1] && record[13 + 12 + 3..].len() > 3 {
            let seq = u16::from_be_bytes([record[17], record[18]]);
            *record = handshake_record(11, seq, &[0, 0, 0]);
        }
    });
    let refused = |pair: &Pair, who: usize| match pair.closed[who] {
        Some(CloseReason::Refused { alert, .. }) => alert,
        other => panic!("{other:?}"),
    };
    // The client's Certificate is its second message, the server's as well: both are without one.
    assert!(matches!(refused(&empty, A), AlertDescription::DecodeError));
    assert_eq!(empty.connected, [false; 2]);
    let signature = meddle(15, |record| *record.last_mut().unwrap() ^= 1);
    assert_eq!(refused(&signature, Z), AlertDescription::DecryptError);
    assert_eq!(signature.connected, [false; 2]);
    let without = meddle(15, |record| record[13] = 99);
    assert_eq!(refused(&without, Z), AlertDescription::UnexpectedMessage);
    assert_eq!(without.connected, [false; 2]);
}

/// Row 3, of the server: its signature covers both randoms and its share.
#[test]
fn a_server_whose_share_was_changed_is_refused() {
    for at in [13 + 12 + 4 + 1, 13 + 12 + 4 + 31] {
        let pair = meddle(12, |record| record[at] ^= 1);
        assert!(matches!(pair.closed[A], Some(CloseReason::Refused { alert: AlertDescription::DecryptError, .. })));
        assert_eq!(pair.connected, [false; 2]);
    }
}

/// Row 4.
#[test]
fn application_data_without_protection_is_never_delivered() {
    at_every_stage(|pair| {
        for who in [A, Z] {
            let before = pair.peers[who].stats().plaintext_application_data;
            for sequence in 0..100 {
                pair.deliver(who, &plaintext(23, 0, sequence, b"forged"));
            }
            assert_eq!(pair.peers[who].stats().plaintext_application_data, before + 100);
            assert!(pair.data[who].iter().all(|data| data != b"forged"));
        }
    });
}

/// Row 5.
#[test]
fn alerts_handshake_and_acks_without_protection_end_nothing() {
    at_every_stage(|pair| {
        let (wire, sent) = (pair.wire.len(), pair.sent);
        for who in [A, Z] {
            for epoch in 0..=16 {
                for (content_type, body) in [
                    (21, &[2, 40][..]),
                    (21, &[1, 0]),
                    (21, &[2, 0]),
                    (21, &[1, 90]),
                    (20, &[1]),
                    (26, &[0, 0]),
                    (22, &[20, 0, 0, 12, 0, 9, 0, 0, 0, 0, 0, 12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
                    (22, &[]),
                ] {
                    pair.deliver(who, &plaintext(content_type, epoch, 7, body));
                }
            }
            pair.poll(who);
        }
        assert_eq!((pair.wire.len(), pair.sent, pair.closed), (wire, sent, [None; 2]), "no output, no close");
    });
}

/// Row 5: an alert that is genuine is believed when nothing else comes.
#[test]
fn an_alert_without_protection_is_believed_when_the_peer_is_silent() {
    let mut pair = Pair::new(1);
    pair.exchange(|_, _| vec![]);
    let begin = pair.now;
    pair.deliver(A, &plaintext(21, 0, 0, &[2, 70]));
    while pair.closed[A].is_none() {
        assert!(pair.advance());
        pair.exchange(|_, _| vec![]);
    }
    assert_eq!(pair.closed[A], Some(CloseReason::Alert(AlertDescription::ProtocolVersion)));
    assert_eq!((pair.now - begin).as_millis(), 600);
}

/// Row 6, and law 4 of records: each at most once, whatever comes between.
#[test]
fn forged_and_repeated_records_never_hide_genuine_ones() {
    for seed in 0..20 {
        let mut rng = Rng::new(Seed::for_test(seed));
        let mut pair = established(seed);
        let before = pair.data[Z].len();
        let genuine: Vec<Vec<u8>> = (0..100u32).map(|n| pair.protect(A, &n.to_be_bytes()).unwrap()).collect();
        for record in &genuine {
            for _ in 0..rng.below(4) {
                let mut forged = genuine[rng.below(100) as usize].clone();
                match rng.below(3) {
                    0 => forged[5..11].copy_from_slice(&rng.bytes::<6>()),
                    1 => *forged.last_mut().unwrap() ^= 1,
                    _ => forged.truncate(rng.below(forged.len() as u64) as usize),
                }
                pair.deliver(Z, &forged);
            }
            pair.deliver(Z, record);
            pair.deliver(Z, record);
        }
        let expected: Vec<Vec<u8>> = (0..100u32).map(|n| n.to_be_bytes().to_vec()).collect();
        assert_eq!(pair.data[Z][before..], expected);
        assert!(pair.peers[Z].stats().replayed >= 100);
        pair.assert_alive();
    }
}

/// Row 7.
#[test]
fn claims_of_long_messages_do_not_stop_a_handshake() {
    at_every_stage(|pair| {
        for who in [A, Z] {
            for n in 0..20_000u32 {
                // Of all numbers: those that are held as well.
                let seq = n as u16;
                let len = ((n * 7919) % (1 << 24)).to_be_bytes();
                let body = [&[11, len[1], len[2], len[3]][..], &seq.to_be_bytes(), &[0, 0, 9, 0, 0, 1, 0]].concat();
                pair.deliver(who, &plaintext(22, 0, n.into(), &body));
            }
        }
    });
}

/// Row 7: a datagram forged early must not be believed for ever. All that has come of a message gives way to what
/// contradicts it, so the peer, who sends everything again, is heard at last.
#[test]
fn messages_forged_before_their_time_give_way_to_genuine_ones() {
    at_every_stage(|pair| {
        for who in [A, Z] {
            for seq in 1..8 {
                pair.deliver(who, &handshake_record(99, seq + 4 * u16::from(who == Z), b"forged"));
                // Half a Certificate.
                let half = [&[11, 0, 1, 0][..], &seq.to_be_bytes(), &[0, 0, 0, 0, 0, 3, 7, 7, 7]].concat();
                pair.deliver(who, &plaintext(22, 0, 9, &half));
            }
        }
    });
}

/// RFC 5246 §7.4.1.1: twelve bytes that anybody can write, and that are ignored while a handshake is under way.
#[test]
fn a_hello_request_does_not_stop_a_handshake() {
    at_every_stage(|pair| {
        for seq in 0..8 {
            pair.deliver(A, &handshake_record(0, seq, b""));
        }
    });
}

/// RFC 6347 §4.2.7: an alert may be lost, so it is said again when what provoked it comes again, but not for ever.
#[test]
fn a_refusal_that_was_lost_is_said_again() {
    let mut configs = configs();
    configs[Z].remote_fingerprints.clear();
    let mut pair = Pair::with(configs, 1);
    let mut alerts = 0;
    pair.run(LIMIT, |_, datagram| {
        let is_alert = datagram[0] == 21;
        alerts += usize::from(is_alert);
        if is_alert && alerts == 1 { vec![] } else { vec![datagram] }
    });
    assert_eq!(pair.closed[A], Some(CloseReason::Alert(AlertDescription::BadCertificate)));
    assert_eq!(alerts, 3, "the client believes the second when it has asked once more");
    for n in 0..1000 {
        pair.deliver(Z, &handshake_record(11, 1, &[n as u8; 100]));
        pair.poll(Z);
    }
    assert!(pair.sent[Z] < 13, "{:?}", pair.sent);
}

/// RFC 8122 §5.1: of several hash functions, the preferred one decides alone.
#[test]
fn a_weaker_fingerprint_does_not_help_against_a_stronger_one() {
    let (weak, strong) = (HashAlgorithm::Sha256, HashAlgorithm::Sha512);
    for who in [A, Z] {
        let genuine = configs()[1 - who].certificate.clone();
        let right = [genuine.fingerprint(weak), genuine.fingerprint(strong)];
        let wrong = [certificate(7).fingerprint(weak), certificate(7).fingerprint(strong)];
        for (fingerprints, is_peer) in [
            (vec![right[0], wrong[1]], false),
            (vec![wrong[0], right[1]], true),
            (vec![right[0], wrong[1], right[1]], true),
            (vec![right[0], wrong[0]], true),
        ] {
            let mut configs = configs();
            configs[who].remote_fingerprints = fingerprints;
            let mut pair = Pair::with(configs, 1);
            pair.run(LIMIT, as_it_is);
            assert_eq!(pair.connected[who], is_peer);
        }
    }
}

/// Row 9.
#[test]
fn no_nonce_is_used_twice() {
    let mut nonces = [BTreeSet::new(), BTreeSet::new()];
    let mut pair = Pair::new(1);
    let mut rng = Rng::new(Seed::for_test(9));
    let mut see = |to: usize, datagram: &[u8]| {
        for record in records(datagram).iter().filter(|record| record[3..5] != [0, 0]) {
            assert_eq!(record[3..11], record[13..21], "the explicit nonce is the record's number");
            assert!(nonces[to].insert(record[13..21].to_vec()), "a nonce was used twice");
        }
    };
    pair.run(LIMIT, |to, datagram| {
        see(to, &datagram);
        if rng.below(100) < 60 { vec![] } else { vec![datagram] }
    });
    pair.run(LIMIT, |to, datagram| {
        see(to, &datagram);
        vec![datagram]
    });
    pair.assert_alive();
    for n in 0..100_000u32 {
        let record = pair.protect(A, &n.to_be_bytes()).unwrap();
        see(Z, &record);
    }
    assert!(pair.peers.iter().map(|peer| peer.stats().retransmissions).sum::<u64>() > 0);
}

/// Row 10: what a first datagram provokes.
#[test]
fn a_first_datagram_that_is_no_client_hello_provokes_nothing() {
    let mut rng = Rng::new(Seed::for_test(10));
    let mut pair = Pair::new(1);
    for n in 0..20_000u64 {
        let mut bytes = vec![0; rng.below(100) as usize];
        rng.fill(&mut bytes);
        if let (true, [first, major, ..]) = (n % 2 == 0, &mut bytes[..]) {
            (*first, *major) = (20 + (*first % 4), 0xFE);
        }
        pair.deliver(Z, &bytes);
    }
    assert_eq!(pair.poll(Z), 0);
    pair.run(LIMIT, as_it_is);
    pair.assert_alive();
}

/// Row 11.
#[test]
fn a_hello_without_what_we_need_is_refused() {
    let start = 13 + 12 + 2 + 32 + 2; // where the cipher suites are in our ClientHello
    let suites = CipherSuite::ALL.iter().filter(|suite| suite.version() == Version::Dtls12).count();
    let refused = |change: &dyn Fn(&mut Vec<u8>)| {
        let pair = meddle(1, change);
        assert_eq!(pair.connected, [false; 2]);
        match pair.closed[Z] {
            Some(CloseReason::Refused { alert, .. }) => alert,
            other => panic!("{other:?}"),
        }
    };
    // TLS_NULL_WITH_NULL_NULL, TLS_ECDH_anon_WITH_NULL_SHA, TLS_ECDHE_ECDSA_WITH_NULL_SHA.
    for suite in [[0, 0], [0xC0, 0x15], [0xC0, 0x06]] {
        let alert = refused(&|record| {
            (0..suites).for_each(|n| record[start + 2 * n + 2..start + 2 * n + 4].copy_from_slice(&suite));
        });
        assert_eq!(alert, AlertDescription::HandshakeFailure);
    }
    let start = start + 2 * (suites - 1);
    let no_null_compression = refused(&|record| record[start + 5] = 1);
    assert_eq!(no_null_compression, AlertDescription::IllegalParameter);
    let dtls_10 = refused(&|record| record[26] = 0xFF);
    assert_eq!(dtls_10, AlertDescription::ProtocolVersion);
    // extended_master_secret is the first extension; with another number it is unknown.
    let no_extended_master_secret = refused(&|record| record[start + 9] = 99);
    assert_eq!(no_extended_master_secret, AlertDescription::HandshakeFailure);
}

/// Row 12.
#[test]
fn floods_of_what_says_nothing_provoke_nothing() {
    let mut pair = established(1);
    for _ in 0..100_000 {
        pair.deliver(Z, &plaintext(23, 1, 0, &[]));
        pair.deliver(Z, &[]);
    }
    for _ in 0..10_000 {
        let empty = pair.protect(A, b"").unwrap();
        pair.deliver(Z, &empty);
    }
    assert_eq!((pair.poll(Z), pair.data[Z].len()), (0, 1));
    pair.assert_alive();
}

/// Row 8: whatever is cut off is not a record, and what comes before it is one that came early.
#[test]
fn every_prefix_of_every_datagram_may_come_before_it() {
    let mut pair = Pair::new(1);
    pair.run(LIMIT, |_, datagram| (0..=datagram.len()).map(|len| datagram[..len].to_vec()).collect());
    pair.assert_alive();
}

#[test]
fn bits_turned_over_in_what_is_protected_change_nothing() {
    let mut pair = established(1);
    for who in [A, Z] {
        let record = pair.protect(who, b"hello").unwrap();
        let before = pair.data[1 - who].len();
        for bit in 0..record.len() * 8 {
            let mut forged = record.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            pair.deliver(1 - who, &forged);
        }
        assert_eq!(pair.data[1 - who].len(), before);
        pair.deliver(1 - who, &record);
        assert_eq!(pair.data[1 - who].len(), before + 1);
    }
    pair.assert_alive();
}

fn dropped(stats: &Stats) -> u64 {
    stats.malformed_records
        + stats.wrong_version
        + stats.unknown_content_type
        + stats.unknown_epoch
        + stats.replayed
        + stats.not_authentic
}

#[test]
fn what_comes_after_the_end_is_dropped() {
    let mut pair = established(1);
    let record = pair.protect(A, b"late").unwrap();
    pair.peers[Z].close();
    pair.poll(Z);
    let before = pair.data[Z].len();
    pair.deliver(Z, &record);
    assert_eq!((pair.data[Z].len(), pair.peers[Z].stats().after_close, dropped(pair.peers[Z].stats())), (before, 1, 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// D1 and D9: whatever a handshake is changed into, there is no panic, and never are both connected with other keys.
    #[test]
    fn a_bit_turned_over_in_a_handshake_never_gives_different_keys(
        datagram in 0usize..4,
        bit in any::<prop::sample::Index>(),
        again in any::<bool>(),
    ) {
        let mut pair = Pair::new(1);
        let mut n = 0;
        pair.run(LIMIT, |_, genuine| {
            let mut forged = genuine.clone();
            if n == datagram {
                let bit = bit.index(forged.len() * 8);
                forged[bit / 8] ^= 1 << (bit % 8);
            }
            n += 1;
            if again { vec![forged, genuine] } else { vec![forged] }
        });
        pair.run(LIMIT, as_it_is);
        let exported = pair.peers.each_ref().map(|peer| {
            let mut out = [0; 20];
            peer.export_keying_material("EXPORTER-x", None, &mut out).map(|()| out)
        });
        if let [Ok(a), Ok(z)] = exported {
            prop_assert_eq!(a, z);
        }
    }
}
