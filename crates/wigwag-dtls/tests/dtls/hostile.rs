//! Attacks, by the rows of docs/security.md, on both versions where they are the same.
//!
//! Rows 2, 3 and 11 are about peers that must be refused: of those nothing is dropped, and no call goes on. Row 9 is about what
//! we send ourselves.

use crate::common::{
    A, MTU, Pair, Z, as_it_is, at_every_stage, certificate, configs, configs_of, dropped, established,
    handshake_record, plaintext, records,
};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::time::Duration;
use wigwag_dtls::{AlertDescription, CipherSuite, CloseReason, Connection, Fingerprint, HashAlgorithm, Stats, Version};
use wigwag_sansio::{Rng, Seed};

const LIMIT: Duration = Duration::from_secs(100);

const VERSIONS: [Version; 2] = [Version::Dtls12, Version::Dtls13];

/// A pair that is connected, and has nothing more to say.
fn established_of(version: Version, seed: u64) -> Pair {
    let mut pair = Pair::with(configs_of(version), seed);
    pair.run(LIMIT, as_it_is);
    pair.assert_alive();
    pair
}

/// The datagrams that `connection` owes.
fn owed(mut connection: Connection) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| {
        let mut out = Vec::new();
        connection.poll_packet(wigwag_sim::origin(), MTU, &mut out).then_some(out)
    })
    .collect()
}

/// Row 1.
#[test]
fn foreign_client_hellos_do_not_stop_a_handshake_and_get_nothing_after_it() {
    for version in VERSIONS {
        let [config, _] = configs_of(version);
        let hello = owed(Connection::new(config, Seed::for_test(666)));
        let flood = || hello.iter().cycle().take(10_000);
        let mut pair = Pair::with(configs_of(version), 1);
        pair.poll(A);
        while let Some((to, genuine)) = pair.wire.pop_front() {
            pair.deliver(to, &genuine);
        }
        pair.attack(Z, |stats| stats.repeated_fragments, flood());
        pair.run(LIMIT, as_it_is);
        pair.assert_alive();
        pair.attack(Z, |stats| stats.plaintext_handshake, flood());
        pair.assert_alive();
    }
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
    for version in VERSIONS {
        at_every_stage(version, |pair| {
            for who in [A, Z] {
                let forged = |epoch| (0..100).map(move |sequence| plaintext(23, epoch, sequence, b"forged"));
                pair.attack(who, |stats| stats.plaintext_application_data, forged(0));
                pair.attack(who, |stats| stats.unknown_epoch, (2..5).flat_map(forged));
            }
        });
    }
}

/// Row 5.
#[test]
fn alerts_handshake_and_acks_without_protection_end_nothing() {
    let finished = [20, 0, 0, 12, 0xFF, 0xFF, 0, 0, 0, 0, 0, 12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
    let ack_of = |epoch: u8| [&[0, 16, 0, 0, 0, 0, 0, 0, 0, epoch][..], &[0; 8]].concat();
    let alerts = [[2, 40], [1, 0], [2, 0], [1, 90], [0, 0]];
    for version in VERSIONS {
        at_every_stage(version, |pair| {
            for who in [A, Z] {
                pair.attack(who, |stats| stats.plaintext_alerts, alerts.map(|body| plaintext(21, 0, 7, &body)));
                let acks = [vec![0, 0], ack_of(2), ack_of(3), vec![0, 1], vec![]];
                pair.attack(who, |stats| stats.plaintext_acks, acks.map(|body| plaintext(26, 0, 7, &body)));
                // What is far from what comes next; and with keys, whatever nobody sealed.
                let reason = |stats: &Stats| stats.excessive_fragments + stats.plaintext_handshake;
                pair.attack(who, reason, [plaintext(22, 0, 7, &finished)]);
                let unsealed = (1..=16).flat_map(|epoch| {
                    let contents = [(21, &[2, 40][..]), (20, &[1]), (26, &[0, 0]), (22, &finished), (22, &[])];
                    contents.map(|(content_type, body)| plaintext(content_type, epoch, 7, body))
                });
                // In the epoch of which there are keys, if it is one of 1.2, it does not open.
                let reason = |stats: &Stats| stats.unknown_epoch + stats.not_authentic + stats.malformed_records;
                pair.attack(who, reason, unsealed);
            }
            assert_eq!(pair.closed, [None; 2]);
        });
    }
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
    for (version, seed) in VERSIONS.into_iter().flat_map(|version| (0..20).map(move |seed| (version, seed))) {
        let mut rng = Rng::new(Seed::for_test(seed));
        let mut pair = established_of(version, seed);
        let (data, before, held) = (pair.data[Z].len(), dropped(pair.peers[Z].stats()), pair.peers[Z].held_len());
        let genuine: Vec<Vec<u8>> = (0..100u32).map(|n| pair.protect(A, &n.to_be_bytes()).unwrap()).collect();
        let mut hostile = 0;
        for record in &genuine {
            for _ in 0..rng.below(4) {
                let mut forged = genuine[rng.below(100) as usize].clone();
                match (rng.below(4), version) {
                    (0, Version::Dtls12) => forged[5..11].copy_from_slice(&rng.bytes::<6>()),
                    (0, _) => forged[1..3].copy_from_slice(&rng.bytes::<2>()),
                    (1, _) => *forged.last_mut().unwrap() ^= 1,
                    (2, _) => forged[0] ^= 1 << rng.below(8),
                    _ => forged.truncate(1 + rng.below(forged.len() as u64 - 1) as usize),
                }
                pair.deliver(Z, &forged);
                hostile += 1;
            }
            pair.deliver(Z, record);
            pair.deliver(Z, record);
            hostile += 1;
        }
        let expected: Vec<Vec<u8>> = (0..100u32).map(|n| n.to_be_bytes().to_vec()).collect();
        assert_eq!(pair.data[Z][data..], expected);
        assert_eq!(dropped(pair.peers[Z].stats()) - before, hostile);
        assert!(pair.peers[Z].stats().replayed >= 100);
        assert!((pair.poll(Z), pair.peers[Z].held_len()) <= (0, held));
        pair.assert_alive();
    }
}

/// Row 6, of records that share a datagram: what does not open takes nothing with it that was sealed.
#[test]
fn a_record_is_read_behind_others_that_do_not_open() {
    for version in VERSIONS {
        let mut pair = established_of(version, 1);
        let mut record = |text: &[u8]| pair.protect(A, text).unwrap();
        let [before, old, first, second] = [&b"before"[..], b"old", b"first", b"second"].map(&mut record);
        let mut altered = old.clone();
        *altered.last_mut().unwrap() ^= 1;
        let mut other_epoch = old.clone();
        other_epoch[if version == Version::Dtls12 { 4 } else { 0 }] ^= 1;
        let datagram =
            [&before, &before, &altered, &first, &other_epoch, &altered, &second].map(|record| &**record).concat();
        let n = pair.data[Z].len();
        let dropped_before = dropped(pair.peers[Z].stats());
        pair.deliver(Z, &datagram);
        assert_eq!(pair.data[Z][n..], [&b"before"[..], b"first", b"second"], "{version:?}");
        // In 1.3, what follows something of which nobody knows how long it is may be no record at all.
        let n = if version == Version::Dtls12 { 4 } else { 3 };
        assert_eq!(dropped(pair.peers[Z].stats()) - dropped_before, n, "{version:?}");
        pair.assert_alive();
    }
}

/// Row 7. What is held of claims is not dropped: that is one of each of the eight numbers that may come.
#[test]
fn claims_of_long_messages_do_not_stop_a_handshake() {
    for version in VERSIONS {
        at_every_stage(version, |pair| {
            for who in [A, Z] {
                pair.poll(who);
                let before = dropped(pair.peers[who].stats());
                for n in 0..20_000u32 {
                    // Of all numbers: those that are held as well.
                    let seq = n as u16;
                    let len = ((n * 7919) % (1 << 24)).to_be_bytes();
                    let body = [&[11, len[1], len[2], len[3]][..], &seq.to_be_bytes(), &[0, 0, 9, 0, 0, 1, 0]].concat();
                    pair.deliver(who, &plaintext(22, 0, n.into(), &body));
                }
                let dropped = dropped(pair.peers[who].stats()) - before;
                assert!((19_992..=20_000).contains(&dropped), "{dropped}");
                assert_eq!(pair.poll(who), 0, "nothing is sent");
                assert!(pair.peers[who].held_len() <= pair.peers[who].held_len_max());
            }
        });
    }
}

/// Row 7: a datagram forged early must not be believed for ever. All that has come of a message gives way to what
/// contradicts it, so the peer, who sends everything again, is heard at last. So it is not the forgery that is dropped and
/// counted, but what it contradicts, or what contradicts it.
#[test]
fn messages_forged_before_their_time_give_way_to_genuine_ones() {
    for version in VERSIONS {
        at_every_stage(version, |pair| {
            for who in [A, Z] {
                pair.poll(who);
                for seq in 1..8 {
                    pair.deliver(who, &handshake_record(99, seq + 4 * u16::from(who == Z), b"forged"));
                    // Half a Certificate.
                    let half = [&[11, 0, 1, 0][..], &seq.to_be_bytes(), &[0, 0, 0, 0, 0, 3, 7, 7, 7]].concat();
                    pair.deliver(who, &plaintext(22, 0, 9, &half));
                }
                assert_eq!(pair.poll(who), 0, "nothing is sent");
                assert!(pair.peers[who].held_len() <= pair.peers[who].held_len_max());
            }
        });
    }
}

/// RFC 5246 §7.4.1.1: twelve bytes that anybody can write, and that are ignored while a handshake is under way.
#[test]
fn a_hello_request_does_not_stop_a_handshake() {
    for version in VERSIONS {
        at_every_stage(version, |pair| {
            let reason = |stats: &Stats| stats.early_hello_requests + stats.plaintext_handshake;
            pair.attack(A, reason, (0..8).map(|seq| handshake_record(0, seq, b"")));
        });
    }
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
    for version in VERSIONS {
        let mut rng = Rng::new(Seed::for_test(10));
        let mut pair = Pair::with(configs_of(version), 1);
        let mut noise = |first: [u8; 3]| {
            let mut bytes = vec![0; 13 + rng.below(100) as usize];
            rng.fill(&mut bytes);
            bytes[..3].copy_from_slice(&first);
            bytes
        };
        // Of no record's type, of another version, of a record that ends early, and in an epoch without keys, in either form.
        let unknown: Vec<_> =
            (0..=255).filter(|n| !matches!(n, 20..=23 | 26 | 32..=63)).map(|n| noise([n, 0xFE, 0xFD])).collect();
        pair.attack(Z, |stats| stats.unknown_content_type, unknown);
        let other: Vec<_> = (0..=255).filter(|n| *n != 0xFE).map(|n| noise([22, n, 0xFD])).collect();
        pair.attack(Z, |stats| stats.wrong_version, other);
        let cut = handshake_record(1, 0, &[7; 100]);
        pair.attack(Z, |stats| stats.malformed_records, (1..cut.len()).map(|len| &cut[..len]));
        pair.attack(Z, |stats| stats.unknown_epoch, (1..500).map(|epoch| plaintext(22, epoch, 0, &cut)));
        let unified = [0b10_1000, 0b10_1001, 0b10_1010, 0b10_1011].map(|first| [&[first][..], &[7; 60]].concat());
        pair.attack(Z, |stats| stats.unknown_epoch, unified);
        pair.attack(Z, |stats| stats.malformed_fragments, (0..12).map(|len| plaintext(22, 0, 0, &cut[13..13 + len])));
        pair.run(LIMIT, as_it_is);
        pair.assert_alive();
    }
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
    for version in VERSIONS {
        let mut pair = established_of(version, 1);
        let reason = |stats: &Stats| match version {
            Version::Dtls12 => stats.malformed_records,
            _ => stats.unknown_epoch,
        };
        pair.attack(Z, reason, std::iter::repeat_n(plaintext(23, 1, 0, &[]), 100_000));
        // A record of 1.3 that is longer than its datagram, and one of nothing.
        for nothing in [&[0x2F; 40][..], &[0x2F, 0, 0, 0, 0]] {
            pair.attack(Z, |stats| stats.malformed_records, std::iter::repeat_n(nothing, 50_000));
        }
        // What the peer itself has sealed is received, and not dropped.
        let empty: Vec<_> = (0..10_000).map(|_| pair.protect(A, b"").unwrap()).collect();
        let (received, held) = (pair.peers[Z].stats().application_records_received, pair.peers[Z].held_len());
        empty.iter().for_each(|record| pair.deliver(Z, record));
        assert_eq!(pair.peers[Z].stats().application_records_received, received + 10_000);
        assert_eq!((pair.poll(Z), pair.data[Z].len()), (0, 1));
        assert!(pair.peers[Z].held_len() <= held);
        pair.assert_alive();
    }
}

/// Row 8: whatever is cut off is not a record, and what comes before it is one that came early, and is no attack.
#[test]
fn every_prefix_of_every_datagram_may_come_before_it() {
    for (version, step) in [(Version::Dtls12, 1), (Version::Dtls13, 7)] {
        let mut pair = Pair::with(configs_of(version), 1);
        pair.run(LIMIT, |_, datagram| {
            (0..datagram.len()).step_by(step).chain([datagram.len()]).map(|len| datagram[..len].to_vec()).collect()
        });
        for peer in &pair.peers {
            assert!(dropped(peer.stats()) > 0 && peer.held_len() <= peer.held_len_max());
        }
        pair.assert_alive();
    }
}

/// Rows 6 and 8. Which reason it is depends on the bit.
#[test]
fn bits_turned_over_in_what_is_protected_change_nothing() {
    for version in VERSIONS {
        let mut pair = established_of(version, 1);
        for who in [A, Z] {
            let record = pair.protect(who, b"hello").unwrap();
            let before = pair.data[1 - who].len();
            for bit in 0..record.len() * 8 {
                let mut forged = record.clone();
                forged[bit / 8] ^= 1 << (bit % 8);
                // In 1.2, a record that is shorter has another behind it, of noise.
                if version == Version::Dtls12 && matches!(bit / 8, 11 | 12) {
                    pair.deliver(1 - who, &forged);
                } else {
                    pair.attack(1 - who, dropped, [forged]);
                }
            }
            assert_eq!(pair.data[1 - who].len(), before);
            pair.deliver(1 - who, &record);
            assert_eq!(pair.data[1 - who].len(), before + 1);
        }
        pair.assert_alive();
    }
}

#[test]
fn what_comes_after_the_end_is_dropped() {
    let mut pair = established(1);
    let record = pair.protect(A, b"late").unwrap();
    pair.peers[Z].close();
    pair.poll(Z);
    let before = pair.data[Z].len();
    pair.deliver(Z, &record);
    assert_eq!((pair.data[Z].len(), pair.peers[Z].stats().after_close, dropped(pair.peers[Z].stats())), (before, 1, 1));
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
