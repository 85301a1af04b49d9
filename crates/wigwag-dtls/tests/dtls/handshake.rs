//! Two of ours, and a wire that loses, repeats and cuts.

use crate::common::{
    self, A, Pair, Z, as_it_is, assert_same_keys, configs, configs_of, established, plaintext, records,
};
use std::sync::Arc;
use std::time::Duration;
use wigwag_dtls::{
    AlertDescription, Certificate, CipherSuite, ClientAuthentication, CloseReason, Connection, Group, HashAlgorithm,
    SrtpProfile, Verifier, Version,
};
use wigwag_sansio::{Rng, Seed};

const LIMIT: Duration = Duration::from_secs(100);

#[test]
fn two_of_ours_agree_on_keys_with_swapped_roles() {
    let pair = established(1);
    assert_same_keys(&pair);
    for (peer, other) in [(A, Z), (Z, A)] {
        let (other, peer) = (&pair.peers[other], &pair.peers[peer]);
        assert_eq!(peer.version(), Some(Version::Dtls12));
        assert_eq!(peer.cipher_suite(), Some(CipherSuite::EcdheEcdsaAes128GcmSha256));
        assert_eq!((peer.group(), peer.srtp_profile()), (Some(Group::X25519), Some(SrtpProfile::AeadAes128Gcm)));
        assert_eq!(peer.peer_certificate_der(), Some(other.config().certificate.der()));
    }
}

#[test]
fn four_flights_are_four_datagrams() {
    let pair = established(1);
    assert_eq!(pair.sent, [2, 2]);
    for peer in &pair.peers {
        assert_eq!((peer.stats().retransmissions, peer.stats().repetitions), (0, 0));
    }
}

#[test]
fn each_group_and_each_profile_works_and_the_server_prefers() {
    for group in [Group::X25519, Group::Secp256r1, Group::Secp384r1] {
        for &profile in SrtpProfile::ALL {
            let mut configs = configs();
            configs[Z].groups.sort_by_key(|other| *other != group);
            configs.iter_mut().for_each(|config| config.srtp_profiles = SrtpProfile::ALL.to_vec());
            configs[Z].srtp_profiles.sort_by_key(|other| *other != profile);
            let mut pair = Pair::with(configs, 1);
            pair.run(LIMIT, as_it_is);
            pair.assert_alive();
            assert_same_keys(&pair);
            assert_eq!((pair.peers[A].group(), pair.peers[A].srtp_profile()), (Some(group), Some(profile)));
        }
    }
}

#[test]
fn each_cipher_suite_works_and_the_server_prefers() {
    let rsa = include_str!("certificates/rsa2048.pem");
    let rsa = Arc::new(Certificate::from_pem(rsa, rsa).unwrap());
    for suite in CipherSuite::ALL.iter().filter(|suite| suite.version() == Version::Dtls12) {
        let mut configs = configs();
        let name = suite.to_string();
        if name.contains("RSA_WITH") && !name.contains("ECDSA") {
            configs[A].remote_fingerprints = vec![rsa.fingerprint(HashAlgorithm::Sha256)];
            configs[Z].certificate = rsa.clone();
        }
        configs[Z].cipher_suites.sort_by_key(|other| other != suite);
        let mut pair = Pair::with(configs, 1);
        pair.run(LIMIT, as_it_is);
        pair.assert_alive();
        assert_same_keys(&pair);
        assert_eq!(pair.peers.each_ref().map(Connection::cipher_suite), [Some(*suite); 2]);
        let record = pair.protect(A, b"text").expect("connected");
        let explicit = if name.contains("CHACHA20") { 0 } else { 8 };
        assert_eq!(record.len(), 13 + explicit + 4 + 16);
        assert!(record.len() <= Connection::OVERHEAD + 4);
    }
}

#[test]
fn a_key_log_is_given_to_who_asked_for_it_once_and_says_the_same_on_both_sides() {
    let mut silent = established(1);
    assert_eq!(silent.peers.each_mut().map(Connection::poll_key_log), [None, None]);
    let mut configs = configs();
    configs.iter_mut().for_each(|config| config.key_log = true);
    let mut pair = Pair::with(configs, 1);
    pair.poll(A);
    let random: String = pair.wire[0].1[13 + 12 + 2..][..32].iter().map(|byte| format!("{byte:02x}")).collect();
    pair.run(LIMIT, as_it_is);
    let [Some(a), Some(z)] = pair.peers.each_mut().map(Connection::poll_key_log) else { panic!("both say it") };
    assert_eq!(a, z);
    let words: Vec<&str> = a.split(' ').collect();
    assert_eq!((words[0], words[1], words[2].len(), words.len()), ("CLIENT_RANDOM", &*random, 96, 3));
    assert!(words[2].bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)));
    assert_eq!(pair.peers.each_mut().map(Connection::poll_key_log), [None, None]);
}

#[test]
fn without_a_common_cipher_suite_both_end() {
    let mut configs = configs();
    configs[A].cipher_suites = vec![CipherSuite::EcdheEcdsaAes256GcmSha384];
    configs[Z].cipher_suites = vec![CipherSuite::EcdheEcdsaAes128GcmSha256];
    let mut pair = Pair::with(configs, 1);
    pair.run(LIMIT, as_it_is);
    assert!(matches!(pair.closed[Z], Some(CloseReason::Refused { .. })), "{:?}", pair.closed);
    assert!(matches!(pair.closed[A], Some(CloseReason::Alert(_))), "{:?}", pair.closed);
}

#[test]
fn without_a_common_profile_there_are_no_srtp_keys_and_all_else_works() {
    for side in [A, Z] {
        let mut configs = configs();
        configs[side].srtp_profiles.clear();
        let mut pair = Pair::with(configs, 1);
        pair.run(LIMIT, as_it_is);
        pair.assert_alive();
        assert!(pair.srtp.iter().all(Option::is_none));
    }
}

#[test]
fn without_a_common_group_both_end() {
    let mut configs = configs();
    configs[A].groups = vec![Group::X25519];
    configs[Z].groups = vec![Group::Secp256r1];
    let mut pair = Pair::with(configs, 1);
    pair.run(LIMIT, as_it_is);
    assert!(matches!(pair.closed[Z], Some(CloseReason::Refused { .. })), "{:?}", pair.closed);
    assert!(matches!(pair.closed[A], Some(CloseReason::Alert(_))), "{:?}", pair.closed);
    assert_eq!(pair.connected, [false; 2]);
}

#[test]
fn a_handshake_survives_the_loss_of_any_one_datagram() {
    for mtu in [1200, 300] {
        let mut pair = Pair::new(1);
        pair.mtu = mtu;
        pair.run(LIMIT, as_it_is);
        let datagrams: usize = pair.sent.iter().sum();
        assert!(datagrams >= 4);
        for lost in 0..datagrams {
            let mut pair = Pair::new(1);
            pair.mtu = mtu;
            let (begin, mut n) = (pair.now, 0);
            pair.run(LIMIT, |_, datagram| {
                n += 1;
                if n - 1 == lost { vec![] } else { vec![datagram] }
            });
            // The server's last datagram is lost after it is connected.
            pair.run(LIMIT, as_it_is);
            pair.assert_alive();
            assert_same_keys(&pair);
            assert!(pair.now - begin <= Duration::from_millis(400), "datagram {lost}: {:?}", pair.now - begin);
        }
    }
}

#[test]
fn a_handshake_survives_datagrams_that_come_twice_or_in_reverse() {
    let mut twice = Pair::new(1);
    twice.run(LIMIT, |_, datagram| vec![datagram.clone(), datagram]);
    twice.assert_alive();
    assert!(twice.sent.iter().sum::<usize>() <= 8, "{:?}", twice.sent);

    let mut reverse = Pair::new(1);
    reverse.mtu = 200;
    for _ in 0..100 {
        reverse.poll(A);
        reverse.poll(Z);
        while let Some((to, datagram)) = reverse.wire.pop_back() {
            reverse.deliver(to, &datagram);
        }
        if reverse.connected == [true; 2] || reverse.poll(A) + reverse.poll(Z) == 0 && !reverse.advance() {
            break;
        }
    }
    reverse.assert_alive();
}

/// Cuts each unprotected handshake message into fragments of one byte, and shuffles all records.
fn shred(datagram: &[u8], rng: &mut Rng) -> Vec<Vec<u8>> {
    let mut shreds = Vec::new();
    for record in records(datagram) {
        if record[0] != 22 || record[3..5] != [0, 0] {
            shreds.push(record);
            continue;
        }
        let (header, body) = record[13..].split_at(12);
        for (i, byte) in body.iter().enumerate() {
            let offset = u32::try_from(i).expect("a short message").to_be_bytes();
            let fragment = [&header[..6], &offset[1..], &[0, 0, 1, *byte]].concat();
            shreds.push(plaintext(22, 0, i as u64, &fragment));
        }
        if body.is_empty() {
            shreds.push(record);
        }
    }
    for i in (1..shreds.len()).rev() {
        shreds.swap(i, rng.below(i as u64 + 1) as usize);
    }
    shreds
}

#[test]
fn fragments_of_one_byte_in_any_order_are_enough() {
    for seed in 0..5 {
        let mut rng = Rng::new(Seed::for_test(seed));
        let mut pair = Pair::new(seed);
        pair.run(LIMIT, |_, datagram| shred(&datagram, &mut rng));
        pair.run(LIMIT, as_it_is);
        pair.assert_alive();
        assert_same_keys(&pair);
    }
}

#[test]
fn a_path_for_almost_nothing_is_enough() {
    let mut pair = Pair::new(1);
    pair.mtu = 50; // one byte of a protected handshake message
    pair.run(LIMIT, as_it_is);
    pair.assert_alive();
    assert!(pair.sent[Z] > 30, "{:?}", pair.sent);
}

/// RFC 6347 §4.1.1.1: nobody says that a datagram was too long; so, after three retransmissions, they are shorter.
#[test]
fn a_path_that_swallows_long_datagrams_only_delays() {
    let mut pair = Pair::new(1);
    let begin = pair.now;
    pair.run(LIMIT, |_, datagram| if datagram.len() > 548 { vec![] } else { vec![datagram] });
    pair.assert_alive();
    assert_eq!((pair.now - begin).as_millis(), 2 * (200 + 400 + 800), "once for each side that has much to say");
}

#[test]
fn several_messages_in_a_record_are_read() {
    let mut pair = Pair::new(1);
    pair.run(LIMIT, |_, datagram| {
        let (mut merged, mut others) = (Vec::new(), Vec::new());
        for record in records(&datagram) {
            if record[0] == 22 && record[3..5] == [0, 0] {
                merged.extend_from_slice(&record[13..]);
            } else {
                others.extend(record);
            }
        }
        vec![[plaintext(22, 0, 0, &merged), others].concat()]
    });
    pair.assert_alive();
}

#[test]
fn a_handshake_survives_much_loss() {
    for seed in 0..30 {
        let mut rng = Rng::new(Seed::for_test(seed));
        let mut pair = Pair::new(seed);
        pair.mtu = [1200, 400][seed as usize % 2];
        pair.run(LIMIT, |_, datagram| if rng.below(100) < 30 { vec![] } else { vec![datagram] });
        pair.run(LIMIT, as_it_is);
        pair.assert_alive();
        assert_same_keys(&pair);
    }
}

#[test]
fn a_client_that_nobody_answers_gives_up() {
    let mut pair = Pair::new(1);
    let begin = pair.now;
    while pair.closed[A].is_none() {
        pair.exchange(|_, _| vec![]);
        assert!(pair.advance() || pair.closed[A].is_some());
        pair.poll_events(A);
    }
    assert_eq!(pair.closed[A], Some(CloseReason::TimedOut));
    assert_eq!(pair.sent[A], 11, "ten retransmissions");
    assert_eq!((pair.now - begin).as_millis(), 200 * 511 + 60_000 + 60_000);
    assert_eq!(pair.peers[A].poll_timeout(pair.now), None);
}

#[test]
fn a_server_waits_for_its_client_for_ever() {
    let mut pair = Pair::new(1);
    assert_eq!((pair.poll(Z), pair.peers[Z].poll_timeout(pair.now)), (0, None));
}

#[test]
fn the_client_hello_does_not_depend_on_time_and_seeds_differ() {
    let hello = |seed| {
        let mut out = Vec::new();
        let [config, _] = configs();
        assert!(Connection::new(config, Seed::for_test(seed)).poll_packet(wigwag_sim::origin(), 1200, &mut out));
        out
    };
    assert_eq!(hello(1), hello(1));
    assert_ne!(hello(1), hello(2));
}

#[test]
fn a_cookie_is_brought_back_and_the_hello_is_else_the_same() {
    let mut pair = Pair::new(1);
    pair.poll(A);
    let (_, first) = pair.wire.pop_front().unwrap();
    // HelloVerifyRequest: DTLS 1.0, a cookie of 20 bytes.
    let request = [&[0xFE, 0xFF, 20][..], &[0xC0; 20]].concat();
    pair.deliver(A, &common::handshake_record(3, 0, &request));
    pair.poll(A);
    let (_, second) = pair.wire.pop_front().unwrap();
    // The body without its cookie: header, version, random, empty session id.
    let start = 13 + 12 + 2 + 32 + 1;
    assert_eq!((first[start], second[start]), (0, 20));
    assert_eq!(second[start + 1..start + 21], [0xC0; 20]);
    assert_eq!(first[start + 1..], second[start + 21..]);
    assert_eq!(first[25..start], second[25..start]);
    assert_eq!(second[17..19], [0, 1], "message_seq");
    // A server that keeps nothing of the first is our own, if it thinks that the second is the first: but the
    // transcripts must agree, so it is told the number that the client used.
    assert_eq!(pair.closed, [None; 2]);
}

#[test]
fn both_can_close_and_the_other_learns_of_it() {
    for who in [A, Z] {
        let mut pair = established(1);
        pair.peers[who].close();
        pair.peers[who].close();
        assert!(pair.protect(who, b"late").is_none());
        pair.exchange(as_it_is);
        assert_eq!(
            (pair.closed[who], pair.closed[1 - who]),
            (Some(CloseReason::Local), Some(CloseReason::CloseNotify))
        );
        let none = pair.peers[who].export_keying_material("EXPORTER-test", None, &mut [0; 4]);
        assert_eq!(none, Err(wigwag_dtls::Error::NotConnected));
    }
}

#[test]
fn closing_before_anything_was_said_says_nothing() {
    let mut pair = Pair::new(1);
    pair.peers[Z].close();
    pair.peers[A].close();
    assert_eq!((pair.poll(A), pair.poll(Z)), (0, 0));
    assert_eq!(pair.closed, [Some(CloseReason::Local); 2]);
}

#[test]
fn a_record_that_does_not_fit_or_is_empty_handed_changes_nothing() {
    let mut pair = established(1);
    let mut out = vec![1, 2, 3];
    let peer = &mut pair.peers[A];
    assert!(!peer.protect(Connection::OVERHEAD - 1, &mut out, |_, _| panic!("there is no room")));
    assert!(!peer.protect(1200, &mut out, |room, _| {
        assert_eq!(room, 1200 - Connection::OVERHEAD);
        false
    }));
    assert!(!peer.protect(1200, &mut out, |_, out| {
        out.extend_from_slice(b"half");
        false
    }));
    assert!(!peer.protect(Connection::OVERHEAD + 3, &mut out, |room, out| {
        assert_eq!(room, 3);
        out.extend_from_slice(b"more");
        true
    }));
    assert_eq!(out, [1, 2, 3]);
    assert!(peer.protect(Connection::OVERHEAD + 4, &mut out, |_, out| {
        out.extend_from_slice(b"full");
        true
    }));
    assert_eq!(out.len(), 3 + Connection::OVERHEAD + 4);
    assert_eq!(out[3 + 11..3 + 13], [0, 28]);
    pair.deliver(Z, &out[3..]);
    assert_eq!(pair.data[Z].last().unwrap(), b"full");
}

#[test]
fn labels_of_tls_itself_are_not_exported() {
    let pair = established(1);
    for label in ["client finished", "server finished", "master secret", "extended master secret", "key expansion"] {
        let refused = pair.peers[A].export_keying_material(label, None, &mut [0; 4]);
        assert_eq!(refused, Err(wigwag_dtls::Error::InvalidExporter));
    }
    let long = vec![0; 65_536];
    let refused = pair.peers[A].export_keying_material("EXPORTER-x", Some(&long), &mut [0; 4]);
    assert_eq!(refused, Err(wigwag_dtls::Error::InvalidExporter));
}

/// RFC 9147 §4: a server of any version takes the first record for what it is.
#[test]
fn only_the_records_before_the_version_is_settled_say_1_0() {
    let mut pair = Pair::new(1);
    let mut versions = [vec![], vec![]];
    pair.run(LIMIT, |to, datagram| {
        versions[1 - to].extend(records(&datagram).iter().map(|record| [record[1], record[2]]));
        vec![datagram]
    });
    pair.assert_alive();
    assert_eq!(versions[A][0], [0xFE, 0xFF]);
    assert!(versions[A][1..].iter().chain(&versions[Z]).all(|version| *version == [0xFE, 0xFD]), "{versions:?}");
}

/// RFC 9147 §4: "legacy_record_version: … It MUST be ignored for all purposes." RFC 5246 §E.1 says so of a ClientHello.
#[test]
fn what_a_record_without_protection_says_of_versions_is_ignored() {
    for version in [Version::Dtls12, Version::Dtls13] {
        for minor in [0x00, 0x01, 0xFC, 0xFE] {
            let mut pair = Pair::with(configs_of(version), 1);
            pair.run(LIMIT, |_, mut datagram| {
                let mut at = 0;
                while datagram[at..].len() >= 13 && datagram[at] == 22 && datagram[at + 3..at + 5] == [0, 0] {
                    datagram[at + 2] = minor;
                    at += 13 + usize::from(u16::from_be_bytes([datagram[at + 11], datagram[at + 12]]));
                }
                vec![datagram]
            });
            pair.assert_alive();
        }
    }
}

/// The peer has not yet waited for our answer, when its flight comes twice at once.
#[test]
fn a_flight_that_comes_twice_at_once_is_answered_once() {
    let mut pair = Pair::new(1);
    pair.run(LIMIT, |_, datagram| vec![datagram.clone(), datagram]);
    pair.assert_alive();
    assert_eq!(pair.sent, [2, 2]);
    for peer in &pair.peers {
        assert_eq!((peer.stats().retransmissions, peer.stats().repetitions), (0, 0));
    }
}

#[test]
fn a_server_knows_its_client_if_it_asks() {
    for (authentication, knows) in [
        (ClientAuthentication::Required, true),
        (ClientAuthentication::Requested, true),
        (ClientAuthentication::None, false),
    ] {
        let mut configs = configs();
        configs[Z].client_authentication = authentication;
        let mut pair = Pair::with(configs, 1);
        pair.run(LIMIT, as_it_is);
        pair.assert_alive();
        assert_eq!(pair.peers[Z].peer_certificate_der().is_some(), knows);
    }
}

#[derive(Debug)]
struct Nobody;

impl Verifier for Nobody {
    fn verify(&self, _certificate: &[u8], _intermediates: &[&[u8]]) -> Result<(), AlertDescription> {
        Err(AlertDescription::UnknownCa)
    }
}

#[derive(Debug)]
struct Anybody;

impl Verifier for Anybody {
    fn verify(&self, _certificate: &[u8], _intermediates: &[&[u8]]) -> Result<(), AlertDescription> {
        Ok(())
    }
}

#[test]
fn a_verifier_decides_in_place_of_fingerprints() {
    for who in [A, Z] {
        let mut configs = configs();
        configs[who].remote_fingerprints.clear();
        configs[who].verifier = Some(Arc::new(Anybody));
        let mut pair = Pair::with(configs.clone(), 1);
        pair.run(LIMIT, as_it_is);
        pair.assert_alive();
        configs[who].verifier = Some(Arc::new(Nobody));
        let mut pair = Pair::with(configs, 1);
        pair.run(LIMIT, as_it_is);
        assert!(!pair.connected[who]);
        assert_eq!(pair.closed[1 - who], Some(CloseReason::Alert(AlertDescription::UnknownCa)));
    }
}

/// Carries one datagram after the other, and shows each of both to `look` after each that has come, before it is polled.
fn step_by_step(version: Version, mut look: impl FnMut(&mut Pair, usize)) -> Pair {
    let mut pair = Pair::with(configs_of(version), 1);
    for _ in 0..40 {
        pair.poll(A);
        pair.poll(Z);
        if let Some((to, datagram)) = pair.wire.pop_front() {
            pair.deliver(to, &datagram);
            look(&mut pair, to);
        }
    }
    pair
}

/// Law 4: whoever is connected may send at once, before what is left of its handshake was asked for.
#[test]
fn nothing_that_is_sealed_overtakes_the_end_of_the_handshake() {
    for version in [Version::Dtls12, Version::Dtls13] {
        let (mut sealed, mut refused) = ([0; 2], 0);
        let pair = step_by_step(version, |pair, who| {
            let Some(record) = pair.protect(who, b"at once") else {
                refused += usize::from(pair.peers[who].is_connected());
                return;
            };
            if sealed[who] < 3 {
                pair.wire.push_back((1 - who, record));
                sealed[who] += 1;
            }
        });
        assert_eq!(pair.data.each_ref().map(Vec::len), [sealed[Z], sealed[A]], "{version:?}");
        assert!(refused > 0 && sealed.iter().all(|n| *n > 0), "{version:?}: {sealed:?}");
    }
}

/// Law 4: nor need the end of a handshake have been asked for when it is closed.
#[test]
fn whoever_closes_as_soon_as_it_is_connected_is_heard() {
    for version in [Version::Dtls12, Version::Dtls13] {
        for closes in [A, Z] {
            let pair = step_by_step(version, |pair, who| {
                if who == closes && pair.peers[who].is_connected() {
                    pair.peers[who].close();
                }
            });
            let (ours, theirs) = (pair.closed[closes], pair.closed[1 - closes]);
            assert_eq!((ours, theirs), (Some(CloseReason::Local), Some(CloseReason::CloseNotify)), "{version:?}");
        }
    }
}

/// Whenever that is: who has been heard is missed within two expiries of a timer, which is what an alert without protection takes.
#[test]
fn whoever_closes_amid_a_handshake_is_heard() {
    for (version, closes, at) in [Version::Dtls12, Version::Dtls13]
        .into_iter()
        .flat_map(|version| [A, Z].map(|who| (version, who)))
        .flat_map(|(version, who)| (1..4).map(move |at| (version, who, at)))
    {
        let mut n = 0;
        let mut pair = step_by_step(version, |pair, who| {
            n += usize::from(who == closes);
            if n == at && who == closes {
                pair.peers[who].close();
            }
        });
        pair.run(Duration::from_secs(2), as_it_is);
        pair.poll_events(1 - closes);
        let is_heard = pair.sent[closes] == 0 || pair.closed[1 - closes].is_some();
        assert!(n < at || is_heard, "{version:?} {closes} {at}: {:?}", pair.peers);
    }
}
