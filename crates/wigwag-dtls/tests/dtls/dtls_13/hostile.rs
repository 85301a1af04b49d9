//! Attacks on what only 1.3 has, by the rows of docs/security.md; `hostile.rs` has those that are the same in both versions.

use super::{LIMIT, configs, established, pair};
use crate::common::{A, Pair, Z, as_it_is, plaintext};
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;
use wigwag_dtls::{AlertDescription, CloseReason, CookieExchange, CookieSecret, Fingerprint, Group, HashAlgorithm};
use wigwag_sansio::Seed;

/// Row 2. It ends, so there is no call to go on, and what is dropped is the peer.
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
    assert!(pair.protect(A, b"earlier").is_none(), "the end of the handshake goes first");
    pair.poll(A);
    let early = pair.protect(A, b"early").unwrap();
    pair.deliver(Z, &early);
    assert!(pair.data[Z].is_empty() && !pair.connected[Z]);
    assert!(pair.protect(Z, b"no").is_none());
    pair.run(LIMIT, as_it_is);
    pair.assert_alive();
}

/// An ACK of the first records of epoch 0, which anybody can write.
fn forged_ack() -> Vec<u8> {
    let numbers: Vec<u8> =
        (0..8u64).flat_map(|sequence| [0u64.to_be_bytes(), sequence.to_be_bytes()].concat()).collect();
    plaintext(26, 0, 7, &[&u16::try_from(numbers.len()).expect("few numbers").to_be_bytes()[..], &numbers].concat())
}

/// D9: whoever says that a hello has come, or forges a part of the next one, does not keep it from being sent again when it
/// was lost.
#[test]
fn forged_acknowledgements_of_what_was_lost_only_delay() {
    for has_cookie in [false, true] {
        for lost in 0..4 {
            let mut configs = configs();
            configs[A].groups = vec![Group::X25519, Group::Secp256r1];
            configs[Z].groups = vec![Group::Secp256r1];
            if has_cookie {
                let secret = Arc::new(CookieSecret::new(Seed::for_test(1)));
                configs[Z].cookie_exchange = Some(CookieExchange::new(secret, b"here".to_vec()));
            }
            let mut pair = Pair::with(configs, 1);
            // ClientHello, HelloRetryRequest, ClientHello, ServerHello.
            for n in 0..4 {
                pair.poll(A);
                pair.poll(Z);
                let (to, datagram) = pair.wire.pop_front().expect("a hello");
                if n != lost {
                    pair.deliver(to, &datagram);
                }
                pair.poll(A);
                pair.poll(Z);
                if n == lost {
                    pair.deliver(1 - to, &forged_ack());
                    // A part of the message that comes next.
                    let part = [&[1, 0, 1, 0, 0, 1, 0, 0, 9, 0, 0, 1, 7][..]].concat();
                    pair.deliver(1 - to, &plaintext(22, 0, 9, &part));
                    break;
                }
            }
            pair.run(LIMIT, as_it_is);
            assert_eq!((pair.connected, pair.closed), ([true; 2], [None; 2]), "{has_cookie} {lost}: {:?}", pair.peers);
            pair.assert_alive();
        }
    }
}

/// Row 5: whoever has used its keys would say it with them, and is there though what it waits for is lost.
#[test]
fn a_forged_alert_does_not_end_a_handshake_whose_peer_has_used_its_keys() {
    for is_early in [true, false] {
        let mut configs = configs();
        configs[A].groups = vec![Group::X25519];
        let mut pair = Pair::with(configs, 1);
        pair.mtu = 400;
        let (begin, mut first) = (pair.now, true);
        let alert = plaintext(21, 0, 9, &[2, 40]);
        if is_early {
            pair.exchange(|to, datagram| if to == Z { vec![datagram] } else { vec![] });
            pair.peers[Z].handle_timeout(pair.now);
            pair.deliver(Z, &alert);
        }
        // Of the server's flight, only the first datagram comes, which the client acknowledges.
        while pair.now - begin < Duration::from_millis(1500) {
            pair.exchange(|to, datagram| if to == Z || std::mem::take(&mut first) { vec![datagram] } else { vec![] });
            if !is_early && pair.sent[A] == 2 {
                pair.deliver(Z, &alert);
            }
            assert!(pair.advance());
        }
        pair.run(LIMIT, as_it_is);
        assert_eq!((pair.connected, pair.closed), ([true; 2], [None; 2]), "{is_early}");
    }
}

/// D9: the same of a part of a hello, the other part of which has come.
#[test]
fn a_forged_acknowledgement_of_a_part_that_was_lost_only_delays() {
    let mut configs = configs();
    let secret = Arc::new(CookieSecret::new(Seed::for_test(1)));
    configs[Z].cookie_exchange = Some(CookieExchange::new(secret, b"here".to_vec()));
    let mut pair = Pair::with(configs, 1);
    // Two datagrams of the first hello, a HelloRetryRequest, and of the second hello the second datagram.
    let mut n = 0;
    pair.exchange(|_, datagram| {
        n += 1;
        if n == 4 { vec![] } else { vec![datagram] }
    });
    assert_eq!((n, pair.connected), (5, [false; 2]));
    let number = [0u64.to_be_bytes(), 2u64.to_be_bytes()].concat();
    pair.deliver(A, &plaintext(26, 0, 7, &[&[0, 16][..], &number].concat()));
    pair.run(LIMIT, as_it_is);
    assert_eq!((pair.connected, pair.closed), ([true; 2], [None; 2]));
}

/// Row 5: however often it is said.
#[test]
fn an_acknowledgement_that_is_forged_again_and_again_delays_a_lost_hello_no_longer() {
    let mut configs = configs();
    configs[A].groups = vec![Group::X25519, Group::Secp256r1];
    configs[Z].groups = vec![Group::Secp256r1];
    // A server that keeps nothing, so that nobody but the client repeats itself.
    let secret = Arc::new(CookieSecret::new(Seed::for_test(1)));
    configs[Z].cookie_exchange = Some(CookieExchange::new(secret, b"here".to_vec()));
    let mut pair = Pair::with(configs, 1);
    let (begin, mut n) = (pair.now, 0);
    pair.exchange(|_, datagram| {
        n += 1;
        if n < 3 { vec![datagram] } else { vec![] }
    });
    while pair.now - begin < Duration::from_secs(90) {
        pair.deliver(A, &forged_ack());
        pair.exchange(as_it_is);
        pair.now += Duration::from_secs(1);
        pair.peers.iter_mut().for_each(|peer| peer.handle_timeout(pair.now));
    }
    assert_eq!((pair.connected, pair.closed), ([true; 2], [None; 2]));
}

/// Rows 10 and 12: who acknowledges and asks again by turns gets one answer at a time.
#[test]
fn acknowledgements_and_repetitions_by_turns_provoke_one_answer() {
    let mut configs = configs();
    configs[A].groups = vec![Group::X25519, Group::Secp256r1];
    configs[Z].groups = vec![Group::Secp256r1];
    let mut pair = Pair::with(configs, 1);
    pair.poll(A);
    let (_, hello) = pair.wire.pop_front().expect("a hello");
    pair.deliver(Z, &hello);
    assert_eq!(pair.poll(Z), 1, "a HelloRetryRequest");
    let held = pair.peers[Z].held_len();
    for _ in 0..1000 {
        pair.deliver(Z, &forged_ack());
        pair.deliver(Z, &hello);
        pair.poll(Z);
    }
    assert!(pair.sent[Z] <= 2, "{:?}", pair.sent);
    let stats = pair.peers[Z].stats();
    assert_eq!((stats.plaintext_acks, stats.repeated_fragments), (1000, 1000));
    assert!(pair.peers[Z].held_len() <= held + 100);
    pair.run(LIMIT, as_it_is);
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
    /// D9: whatever is forged that nobody sealed, and whatever is repeated and lost besides, only delays; with a retry and a
    /// cookie, and without. But for a whole hello, which is believed, and a fatal alert, which is when the peer is silent.
    #[test]
    fn forgeries_and_losses_together_only_delay(
        fates in prop::collection::vec((0u8..8, 0u8..6, any::<u16>()), 0..12),
        has_cookie in any::<bool>(),
        retries in any::<bool>(),
        mtu in prop::sample::select(vec![1200usize, 300]),
        seed in 0u64..1000,
    ) {
        let mut configs = configs();
        configs[A].groups = vec![Group::X25519, Group::Secp256r1];
        configs[Z].groups = if retries { vec![Group::Secp256r1] } else { configs[A].groups.clone() };
        if has_cookie {
            let secret = Arc::new(CookieSecret::new(Seed::for_test(1)));
            configs[Z].cookie_exchange = Some(CookieExchange::new(secret, b"here".to_vec()));
        }
        let mut pair = Pair::with(configs, seed);
        pair.mtu = mtu;
        let (mut fates, mut lost, mut before) = (fates.into_iter(), 0u32, [vec![], vec![]]);
        // Patience may end once on each side.
        pair.run(Duration::from_secs(300), |to, datagram| {
            let (fate, forged, random) = fates.next().unwrap_or((7, 9, 0));
            let seq = (random % 5).to_be_bytes();
            let forged = match forged {
                0 => forged_ack(),
                1 => plaintext(22, 0, random.into(), &[&[99, 0, 1, 0][..], &seq, &[0, 0, 9, 0, 0, 1, 7]].concat()),
                2 => plaintext(21, 0, random.into(), &[1, 90]),
                3 => [&[0x2C | random as u8 & 3][..], &[7; 60]].concat(),
                4 => before[to].clone(),
                _ => vec![],
            };
            before[to].clone_from(&datagram);
            let is_lost = fate < 3 && lost < 2;
            lost = if is_lost { lost + 1 } else { 0 };
            let genuine = if is_lost { vec![] } else { datagram };
            let order = if fate % 2 == 0 { [forged, genuine] } else { [genuine, forged] };
            order.into_iter().filter(|datagram| !datagram.is_empty()).collect()
        });
        prop_assert_eq!((pair.connected, pair.closed), ([true; 2], [None; 2]), "{:?}", pair.peers);
        pair.assert_alive();
    }
}
