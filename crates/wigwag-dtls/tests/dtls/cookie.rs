//! The cookie exchange: a server that keeps nothing of a client before it has shown where it is.

use crate::common::{A, MTU, Pair, Z, as_it_is, configs, dropped, records};
use std::sync::Arc;
use std::time::Duration;
use wigwag_dtls::{Config, Connection, CookieExchange, CookieSecret, Version};
use wigwag_sansio::Seed;

const LIMIT: Duration = Duration::from_secs(100);

fn secret(n: u64) -> Arc<CookieSecret> {
    Arc::new(CookieSecret::new(Seed::for_test(n)))
}

fn server(secret: &Arc<CookieSecret>, address: &[u8]) -> Config {
    let [_, mut config] = configs();
    config.cookie_exchange = Some(CookieExchange::new(Arc::clone(secret), address.to_vec()));
    config
}

fn pair(secret: &Arc<CookieSecret>) -> Pair {
    let [client, _] = configs();
    Pair::with([client, server(secret, b"192.0.2.1:5000")], 1)
}

/// What a server answers to a datagram, if it is the first that it gets.
fn first_answer(config: Config, datagram: &[u8]) -> Vec<u8> {
    let mut connection = Connection::new(config, Seed::for_test(9));
    let (now, mut out) = (wigwag_sim::origin(), Vec::new());
    connection.handle_input(&mut datagram.to_vec(), now, |_| panic!("no data"));
    assert_eq!(connection.poll_timeout(now), Some(now));
    assert!(connection.poll_packet(now, MTU, &mut out));
    out
}

fn is_verify_request(datagram: &[u8]) -> bool {
    datagram[0] == 22 && datagram[13] == 3
}

/// The second ClientHello of a client that was asked for its cookie by a server of this configuration.
fn hello_with_cookie(config: Config) -> Vec<u8> {
    let mut pair = pair(&secret(1));
    pair.poll(A);
    let (_, hello) = pair.wire.pop_front().expect("a ClientHello");
    pair.deliver(A, &first_answer(config, &hello));
    pair.poll(A);
    pair.wire.pop_front().expect("another").1
}

#[test]
fn a_client_that_brings_its_cookie_is_served() {
    let mut pair = pair(&secret(1));
    let mut kinds = Vec::new();
    pair.run(LIMIT, |_, datagram| {
        kinds.push(records(&datagram)[0][13]);
        vec![datagram]
    });
    pair.assert_alive();
    assert_eq!(kinds[..4], [1, 3, 1, 2], "ClientHello, HelloVerifyRequest, ClientHello, ServerHello");
    assert_eq!((pair.sent, pair.peers[Z].stats().hello_verify_requests_sent), ([3, 3], 1));
}

#[test]
fn the_exchange_survives_loss_and_repetition() {
    for lost in 0..6 {
        let (mut pair, mut n) = (pair(&secret(1)), 0);
        pair.run(LIMIT, |_, datagram| {
            n += 1;
            if n - 1 == lost { vec![] } else { vec![datagram.clone(), datagram] }
        });
        pair.run(LIMIT, as_it_is);
        pair.assert_alive();
    }
}

/// RFC 6347 §4.2.1: so that the server needs to keep nothing, not even a connection.
#[test]
fn another_connection_with_the_same_secret_takes_the_cookie() {
    let secret = secret(1);
    let mut hello = hello_with_cookie(server(&secret, b"here"));
    assert_eq!(hello[17..19], [0, 1], "message_seq");
    hello[10] = 77;
    let answer = first_answer(server(&secret, b"here"), &hello);
    assert_eq!((answer[13], &answer[3..11], &answer[17..19]), (2, &hello[3..11], &hello[17..19]), "a ServerHello");
}

#[test]
fn a_cookie_is_good_at_its_address_with_its_secret_and_its_hello_alone() {
    let secret_1 = secret(1);
    let hello = hello_with_cookie(server(&secret_1, b"here"));
    assert!(!is_verify_request(&first_answer(server(&secret_1, b"here"), &hello)));
    assert!(is_verify_request(&first_answer(server(&secret_1, b"then"), &hello)));
    assert!(is_verify_request(&first_answer(server(&secret(2), b"here"), &hello)));
    // Every bit of random, session, cookie, cipher suites and compression.
    let end = 13 + 12 + 2 + 32 + 1 + 33 + 8 + 2;
    for at in (13 + 12 + 2..end).filter(|at| ![59, 60, 93, 94, 101].contains(at)) {
        let mut forged = hello.clone();
        forged[at] ^= 1;
        assert!(is_verify_request(&first_answer(server(&secret_1, b"here"), &forged)), "byte {at}");
    }
}

#[test]
fn a_secret_takes_the_cookies_of_the_one_before_it_but_of_none_before_that() {
    let first = secret(1);
    let second = Arc::new(first.succeeded_by(Seed::for_test(2)));
    let third = Arc::new(second.succeeded_by(Seed::for_test(3)));
    let hello = hello_with_cookie(server(&first, b"here"));
    assert!(!is_verify_request(&first_answer(server(&second, b"here"), &hello)));
    assert!(is_verify_request(&first_answer(server(&third, b"here"), &hello)));
}

/// Of a client that speaks 1.3 as well, with a share of a post-quantum group.
#[test]
fn a_hello_in_several_datagrams_is_put_together() {
    let [mut client, mut server] = configs();
    client.max_version = Version::Dtls13;
    server.cookie_exchange = Some(CookieExchange::new(secret(1), b"here".to_vec()));
    let mut pair = Pair::with([client, server], 1);
    assert_eq!((pair.poll(A), pair.peers[Z].version()), (2, None), "the hello takes two datagrams");
    pair.run(LIMIT, as_it_is);
    pair.assert_alive();
    assert_eq!(pair.peers[Z].stats().hello_verify_requests_sent, 1);
    assert_eq!(pair.peers[A].version(), Some(Version::Dtls12));
}

/// Row 10 of docs/security.md.
#[test]
fn strangers_get_no_more_than_they_send_and_nothing_is_kept_of_them() {
    let mut pair = pair(&secret(1));
    let (mut came, mut went) = (0, 0);
    for n in 0..2_000u64 {
        let [config, _] = configs();
        let mut hello = Vec::new();
        Connection::new(config, Seed::for_test(n)).poll_packet(pair.now, MTU, &mut hello);
        // The least that a ClientHello can be, among others.
        if n % 2 == 0 {
            let body = [&[0xFE, 0xFD][..], &[7; 32], &[0, 0, 0, 2, 0xC0, 0x2B, 1, 0]].concat();
            hello = crate::common::handshake_record(1, 0, &body);
        }
        hello[10] = n as u8;
        pair.deliver(Z, &hello);
        came += hello.len();
        pair.poll(Z);
        let (_, answer) = pair.wire.pop_front().expect("an answer");
        assert!(is_verify_request(&answer) && answer.len() <= hello.len());
        assert_eq!(answer[3..11], hello[3..11], "the record sequence number is that of the ClientHello");
        went += answer.len();
        // Everything else is nothing, and gets nothing.
        let others = [&hello[..hello.len() - 1], &[22; 40], &crate::common::handshake_record(16, 0, &[0; 40])];
        pair.attack(Z, dropped, others);
        assert_eq!((pair.poll(Z), pair.peers[Z].held_len(), pair.peers[Z].poll_timeout(pair.now)), (0, 0, None));
    }
    assert!(went <= came);
    pair.run(LIMIT, as_it_is);
    pair.assert_alive();
}

#[test]
fn tells_no_secret_when_printed() {
    assert_eq!(format!("{:?}", secret(1)), "CookieSecret(…)");
    assert!(format!("{:?}", server(&secret(1), b"here")).contains("CookieSecret(…)"));
}
