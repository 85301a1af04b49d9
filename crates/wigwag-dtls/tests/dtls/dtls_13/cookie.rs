//! A server of 1.3 that keeps nothing of a client before it has shown where it is (RFC 9147 §5.1).

use super::{LIMIT, configs, pair as plain_pair};
use crate::common::{A, MTU, Pair, Z, as_it_is, assert_same_keys, dropped, handshake_record};
use std::sync::Arc;
use wigwag_dtls::{Connection, CookieExchange, CookieSecret, Group, Version};
use wigwag_sansio::{Rng, Seed};

fn secret(n: u64) -> Arc<CookieSecret> {
    Arc::new(CookieSecret::new(Seed::for_test(n)))
}

fn pair(seed: u64, groups: [&[Group]; 2]) -> Pair {
    let mut configs = configs();
    for (config, groups) in configs.iter_mut().zip(groups) {
        config.groups = groups.to_vec();
        config.min_version = Version::Dtls12;
    }
    configs[Z].cookie_exchange = Some(CookieExchange::new(secret(1), b"here".to_vec()));
    Pair::with(configs, seed)
}

const CLASSIC: &[Group] = &[Group::X25519, Group::Secp256r1];
const ALL: &[Group] = &[Group::X25519MlKem768, Group::X25519, Group::Secp256r1];
const OTHER: &[Group] = &[Group::Secp256r1];

/// With and without another share to ask for in the same breath, and with a hello in several datagrams.
#[test]
fn a_cookie_is_asked_for_and_brought() {
    for groups in [[CLASSIC, CLASSIC], [CLASSIC, OTHER], [ALL, ALL], [ALL, OTHER]] {
        let mut pair = pair(1, groups);
        pair.run(LIMIT, as_it_is);
        pair.assert_alive();
        assert_same_keys(&pair);
        assert_eq!(pair.peers[Z].stats().hello_verify_requests_sent, 1);
        assert_eq!(pair.peers[Z].version(), Some(Version::Dtls13));
        assert_eq!(pair.peers[Z].group(), Some(groups[1][0]));
    }
}

#[test]
fn loss_only_delays_it() {
    for seed in 0..40 {
        let mut rng = Rng::new(Seed::for_test(seed));
        let mut pair = pair(seed, [[CLASSIC, OTHER], [ALL, ALL]][seed as usize % 2]);
        pair.run(LIMIT, |_, datagram| if rng.below(100) < 30 { vec![] } else { vec![datagram] });
        pair.run(LIMIT, as_it_is);
        pair.assert_alive();
        assert_same_keys(&pair);
    }
}

/// What came of it is nothing that the second hello has to wait for.
#[test]
fn a_part_of_a_first_hello_may_come_again_before_the_second() {
    let mut pair = pair(1, [ALL, OTHER]);
    pair.poll(A);
    let first: Vec<_> = pair.wire.drain(..).collect();
    assert_eq!(first.len(), 2, "the hello takes two datagrams");
    for (to, datagram) in first.iter().chain(&first[..1]) {
        pair.deliver(*to, datagram);
    }
    pair.run(LIMIT, as_it_is);
    pair.assert_alive();
    assert_same_keys(&pair);
}

fn is_retry(answer: &[u8]) -> bool {
    answer[0] == 22 && answer[13] == 2 && answer[27..29] == [0xCF, 0x21]
}

/// Row 10 of docs/security.md.
#[test]
fn strangers_get_no_more_than_they_send_and_nothing_is_kept_of_them() {
    let mut pair = pair(1, [CLASSIC, CLASSIC]);
    let (mut came, mut went) = (0, 0);
    for n in 0..1_000u64 {
        let [mut config, _] = configs();
        config.groups = CLASSIC.to_vec();
        let mut hello = Vec::new();
        Connection::new(config, Seed::for_test(n)).poll_packet(pair.now, MTU, &mut hello);
        hello[10] = n as u8;
        pair.deliver(Z, &hello);
        came += hello.len();
        assert_eq!(pair.poll(Z), 1);
        let (_, answer) = pair.wire.pop_front().expect("an answer");
        assert!(is_retry(&answer) && answer.len() <= hello.len());
        assert_eq!(answer[3..11], hello[3..11], "the record sequence number is that of the ClientHello");
        went += answer.len();
        // Everything else is nothing, and gets nothing.
        let others = [&hello[..hello.len() - 1], &[22; 40], &handshake_record(16, 0, &[0; 40])];
        pair.attack(Z, dropped, others);
        assert_eq!((pair.poll(Z), pair.peers[Z].held_len(), pair.peers[Z].poll_timeout(pair.now)), (0, 0, None));
    }
    assert!(went <= came);
    pair.run(LIMIT, as_it_is);
    pair.assert_alive();
}

/// A hello with the cookie of `server`'s, which nobody has answered yet.
fn hello_with_cookie(pair: &mut Pair) -> Vec<u8> {
    pair.poll(A);
    let (_, hello) = pair.wire.pop_front().expect("a datagram");
    pair.deliver(Z, &hello);
    pair.poll(Z);
    let (_, retry) = pair.wire.pop_front().expect("a datagram");
    assert!(is_retry(&retry));
    pair.deliver(A, &retry);
    pair.poll(A);
    pair.wire.pop_front().expect("a datagram").1
}

/// A server that keeps nothing can check it before it keeps the rest of a hello in several datagrams, as wolfSSL's wants it.
#[test]
fn the_cookie_is_in_the_first_datagram_of_a_hello() {
    let mut pair = pair(1, [&[Group::X25519, Group::X25519MlKem768], &[Group::X25519MlKem768]]);
    let first = hello_with_cookie(&mut pair);
    assert!(!pair.wire.is_empty(), "the hello takes several datagrams");
    // RFC 8446 §4.2.2: number 44, its length, and that of the cookie, which ours has in one byte.
    let cookie_len = |window: &[u8]| (window[..2] == [0, 44]).then_some(usize::from(window[5]));
    let found = first.windows(6).enumerate().find_map(|(at, window)| Some(at + 6 + cookie_len(window)?));
    assert!(found.is_some_and(|end| end <= first.len()), "{found:?} of {}", first.len());
}

#[test]
fn a_cookie_is_good_for_one_address_one_hello_and_its_secret_alone() {
    let answers = |secret: Arc<CookieSecret>, address: &[u8], hello: &[u8]| {
        let mut configs = configs();
        configs[Z].cookie_exchange = Some(CookieExchange::new(secret, address.to_vec()));
        let mut server = Pair::with(configs, 9);
        server.deliver(Z, hello);
        server.poll(Z) > 0
    };
    let hello = hello_with_cookie(&mut pair(1, [CLASSIC, CLASSIC]));
    assert!(answers(secret(1), b"here", &hello));
    assert!(!answers(secret(1), b"elsewhere", &hello));
    assert!(!answers(secret(2), b"here", &hello));
    let next = Arc::new(secret(1).succeeded_by(Seed::for_test(2)));
    assert!(answers(next.clone(), b"here", &hello));
    assert!(!answers(Arc::new(next.succeeded_by(Seed::for_test(3))), b"here", &hello));
    // The cookie is before the share of X25519.
    let end = hello.len() - 42;
    for at in [13 + 12 + 5, end - 1, end - 40, end - 66] {
        let mut other = hello.clone();
        other[at] ^= 1;
        assert!(!answers(secret(1), b"here", &other), "another random, or another cookie: {at}");
    }
    // Each is counted, nothing is kept of it, and whoever comes after it is served.
    let mut flooded = pair(2, [CLASSIC, CLASSIC]);
    // A group, a hash and a MAC.
    let forged = (end - 66..end).map(|at| {
        let mut forged = hello.clone();
        forged[at] ^= 1;
        forged
    });
    flooded.attack(Z, |stats| stats.malformed_fragments, forged);
    flooded.run(LIMIT, as_it_is);
    flooded.assert_alive();
}

/// RFC 9147 §5.1.
#[test]
fn a_cookie_that_nobody_asked_for_is_refused() {
    let hello = hello_with_cookie(&mut pair(1, [CLASSIC, CLASSIC]));
    let mut server = plain_pair(2);
    // As the first message.
    let mut first = hello;
    first[18] = 0;
    server.deliver(Z, &first);
    server.poll(Z);
    assert!(server.closed[Z].is_some());
}
