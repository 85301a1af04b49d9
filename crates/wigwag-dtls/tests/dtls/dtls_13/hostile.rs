//! Attacks, by the rows of docs/security.md.

use super::{LIMIT, configs, established, pair};
use crate::common::{A, Pair, Z, as_it_is, handshake_record, plaintext};
use proptest::prelude::*;
use wigwag_dtls::{AlertDescription, CloseReason, Connection, Fingerprint, HashAlgorithm};
use wigwag_sansio::{Rng, Seed};

/// What a stage of a handshake is like, before the `n`th datagram is delivered; and the end of it.
fn at_every_stage(mut attack: impl FnMut(&mut Pair)) {
    for stage in 0..=6 {
        let mut pair = pair(stage);
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
    let mut hellos = vec![];
    let mut stranger = Connection::new(configs()[A].clone(), Seed::for_test(666));
    let mut out = Vec::new();
    while stranger.poll_packet(wigwag_sim::origin(), 1200, &mut out) {
        hellos.push(std::mem::take(&mut out));
    }
    let mut pair = pair(1);
    pair.poll(A);
    while let Some((to, genuine)) = pair.wire.pop_front() {
        pair.deliver(to, &genuine);
    }
    assert_eq!(pair.poll(Z), 2);
    for _ in 0..5_000 {
        for hello in &hellos {
            pair.deliver(Z, hello);
            pair.poll(Z);
        }
    }
    assert_eq!(pair.sent[Z], 2, "its flight, and nothing at once");
    pair.run(LIMIT, as_it_is);
    pair.assert_alive();
    let sent = pair.sent[Z];
    for _ in 0..5_000 {
        for hello in &hellos {
            pair.deliver(Z, hello);
            pair.poll(Z);
        }
    }
    assert_eq!(pair.sent[Z], sent);
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
        let own = configs()[who].certificate.fingerprint(HashAlgorithm::Sha256);
        for wrong in [vec![], vec![flipped], vec![own]] {
            let mut configs = configs();
            configs[who].remote_fingerprints = wrong;
            let mut pair = Pair::with(configs, 1);
            pair.run(LIMIT, as_it_is);
            for _ in 0..5 {
                pair.advance();
                pair.exchange(as_it_is);
            }
            assert_eq!(pair.closed[who], Some(CloseReason::FingerprintMismatch));
            assert_eq!(pair.closed[1 - who], Some(CloseReason::Alert(AlertDescription::BadCertificate)));
            assert!(!pair.connected[who]);
            // A client is done before its server has looked at it: it has proved the server, and learns that it is unwelcome.
            assert_eq!(pair.connected[1 - who], who == Z);
            let peer = &mut pair.peers[who];
            assert!(peer.export_keying_material("EXPORTER-x", None, &mut [0; 1]).is_err());
            assert!(!peer.protect(1200, &mut Vec::new(), |_, _| true));
            assert!(pair.srtp[who].is_none());
        }
    }
}

/// Row 4, and data of a client that nobody knows yet.
#[test]
fn application_data_without_protection_is_never_delivered() {
    at_every_stage(|pair| {
        for who in [A, Z] {
            for epoch in 0..5 {
                for sequence in 0..20 {
                    pair.deliver(who, &plaintext(23, epoch, sequence, b"forged"));
                }
            }
            assert!(pair.data[who].iter().all(|data| data != b"forged"));
        }
    });
}

#[test]
fn data_that_come_before_the_proof_are_not_delivered() {
    let mut pair = pair(1);
    while !pair.connected[A] {
        pair.poll(A);
        pair.poll(Z);
        let Some((to, datagram)) = pair.wire.pop_front() else { panic!("the client connects") };
        pair.deliver(to, &datagram);
        pair.poll_events(A);
    }
    let early = pair.protect(A, b"early").unwrap();
    pair.deliver(Z, &early);
    assert!(pair.data[Z].is_empty() && !pair.connected[Z]);
    assert!(pair.protect(Z, b"no").is_none());
    pair.run(LIMIT, as_it_is);
    pair.assert_alive();
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
                    (26, &[0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
                    (26, &[0, 16, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0]),
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

/// Row 6.
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
                match rng.below(4) {
                    0 => forged[1..3].copy_from_slice(&rng.bytes::<2>()),
                    1 => *forged.last_mut().unwrap() ^= 1,
                    2 => forged[0] ^= 1 << rng.below(8),
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
fn claims_of_long_messages_and_messages_before_their_time_do_not_stop_a_handshake() {
    at_every_stage(|pair| {
        for who in [A, Z] {
            for n in 0..5_000u32 {
                let len = ((n * 7919) % (1 << 24)).to_be_bytes();
                let seq = (n as u16).to_be_bytes();
                let body = [&[11, len[1], len[2], len[3]][..], &seq, &[0, 0, 9, 0, 0, 1, 0]].concat();
                pair.deliver(who, &plaintext(22, 0, n.into(), &body));
            }
            for seq in 1..8 {
                pair.deliver(who, &handshake_record(99, seq + 4 * u16::from(who == Z), b"forged"));
            }
        }
    });
}

/// Row 12.
#[test]
fn floods_of_what_says_nothing_provoke_nothing() {
    let mut pair = established(1);
    for _ in 0..50_000 {
        pair.deliver(Z, &plaintext(23, 1, 0, &[]));
        pair.deliver(Z, &[0x2F; 40]);
        pair.deliver(Z, &[0x2F, 0, 0, 0, 0]);
    }
    for _ in 0..10_000 {
        let empty = pair.protect(A, b"").unwrap();
        pair.deliver(Z, &empty);
    }
    assert_eq!((pair.poll(Z), pair.data[Z].len()), (0, 1));
    pair.assert_alive();
}

/// Row 8.
#[test]
fn every_prefix_of_every_datagram_may_come_before_it() {
    let mut pair = pair(1);
    pair.run(LIMIT, |_, datagram| {
        // A record whose length is cut off is shorter; one of a single fragment is that without its end.
        (0..datagram.len()).step_by(7).chain([datagram.len()]).map(|len| datagram[..len].to_vec()).collect()
    });
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

#[test]
fn a_record_is_sealed_and_opened_without_an_allocation() {
    let mut pair = established(1);
    let (mut out, now) = (Vec::with_capacity(1200), pair.now);
    let mut received = 0;
    let mut carry = |n: usize| {
        for _ in 0..n {
            out.clear();
            assert!(pair.peers[A].protect(1200, &mut out, |room, out| {
                out.resize(out.len() + room, 7);
                true
            }));
            pair.peers[Z].handle_input(&mut out, now, |data| received += data.len());
        }
    };
    carry(10);
    let counted = allocation_counter::measure(|| carry(1000));
    assert_eq!(counted.count_total, 0);
    assert_eq!(received, 1010 * (1200 - 22));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// D1 and D9: whatever a handshake is changed into, there is no panic, and never are both connected with other keys.
    #[test]
    fn a_bit_turned_over_in_a_handshake_never_gives_different_keys(
        datagram in 0usize..6,
        bit in any::<prop::sample::Index>(),
        again in any::<bool>(),
    ) {
        let mut pair = pair(1);
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

    /// D5: any schedule of loss, repetition and order that lets something through in the end only delays. Of what waits twice
    /// as long each time, no more than five are lost in a row: the eighth would come after more than a minute.
    #[test]
    fn any_schedule_that_lets_each_flight_through_completes(
        fates in prop::collection::vec(0u8..6, 0..60),
        mtu in prop::sample::select(vec![1200usize, 500, 200]),
        seed in 0u64..1000,
    ) {
        let mut pair = pair(seed);
        pair.mtu = mtu;
        let begin = pair.now;
        let mut fates = fates.into_iter();
        let (mut held, mut lost): (Vec<(usize, Vec<u8>)>, u32) = (vec![], 0);
        pair.run(LIMIT, |to, datagram| {
            let mut arriving = vec![];
            let fate = fates.next().filter(|_| lost < 5).unwrap_or(5);
            lost = if matches!(fate, 0 | 1 | 3) { lost + 1 } else { 0 };
            match fate {
                0 | 1 => {}
                2 => arriving.extend([datagram.clone(), datagram]),
                // Until another comes the same way.
                3 => held.push((to, datagram)),
                _ => arriving.push(datagram),
            }
            if !arriving.is_empty() {
                let (late, still) = held.drain(..).partition(|(other, _)| *other == to);
                held = still;
                let late: Vec<_> = late;
                arriving.extend(late.into_iter().map(|(_, datagram)| datagram));
            }
            arriving
        });
        prop_assert_eq!(pair.connected, [true; 2], "{:?}", pair.closed);
        prop_assert!(pair.now - begin <= std::time::Duration::from_secs(60), "{:?}", pair.now - begin);
        pair.run(LIMIT, as_it_is);
        pair.assert_alive();
    }
}
