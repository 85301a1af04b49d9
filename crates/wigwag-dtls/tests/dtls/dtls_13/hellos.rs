//! Hellos that say what they must not (RFC 8446 §4.1, §4.2, RFC 9147 §5).

use super::configs;
use crate::common::{A, Pair, Z, as_it_is, handshake_record};
use std::time::Duration;
use wigwag_dtls::AlertDescription::{
    self, DecodeError, HandshakeFailure, IllegalParameter, MissingExtension, UnexpectedMessage, UnsupportedExtension,
};
use wigwag_dtls::{CloseReason, Config, Group, Version};

const SUPPORTED_GROUPS: u16 = 10;
const SIGNATURE_ALGORITHMS: u16 = 13;
const USE_SRTP: u16 = 14;
const PADDING: u16 = 21;
const PRE_SHARED_KEY: u16 = 41;
const EARLY_DATA: u16 = 42;
const SUPPORTED_VERSIONS: u16 = 43;
const COOKIE: u16 = 44;
const PSK_KEY_EXCHANGE_MODES: u16 = 45;
const KEY_SHARE: u16 = 51;
/// Nobody has this one.
const UNKNOWN: u16 = 0x7777;
/// Where the random of a hello begins, the suites of a ClientHello, and the suite of a ServerHello.
const RANDOM: usize = 2;
const SUITES: usize = 2 + 32 + 1 + 1 + 2;
const SUITE: usize = 2 + 32 + 1;

/// A hello in parts, without session id and cookie.
struct Hello {
    message_type: u8,
    message_seq: u16,
    /// All that comes before the extensions.
    fields: Vec<u8>,
    extensions: Vec<(u16, Vec<u8>)>,
}

impl Hello {
    /// The first record of a datagram, if it is one, and how long it is.
    fn parse(datagram: &[u8]) -> Option<(Self, usize)> {
        let message_type = *datagram.get(13)?;
        if datagram[0] != 22 || !matches!(message_type, 1 | 2) {
            return None;
        }
        let len = 13 + usize::from(u16::from_be_bytes([datagram[11], datagram[12]]));
        let body = &datagram[25..len];
        let suites = usize::from(u16::from_be_bytes([body[SUITES - 2], body[SUITES - 1]]));
        let (fields, rest) = body.split_at(if message_type == 1 { SUITES + suites + 2 } else { SUITE + 3 });
        let (mut rest, mut extensions) = (&rest[2..], vec![]);
        while let [a, b, c, d, ..] = *rest {
            let end = 4 + usize::from(u16::from_be_bytes([c, d]));
            extensions.push((u16::from_be_bytes([a, b]), rest[4..end].to_vec()));
            rest = &rest[end..];
        }
        let message_seq = u16::from_be_bytes([datagram[17], datagram[18]]);
        Some((Self { message_type, message_seq, fields: fields.to_vec(), extensions }, len))
    }

    fn record(&self) -> Vec<u8> {
        let mut extensions = vec![];
        for (number, data) in &self.extensions {
            extensions.extend(
                [number.to_be_bytes(), u16::try_from(data.len()).expect("a short extension").to_be_bytes()].concat(),
            );
            extensions.extend(data);
        }
        let len = u16::try_from(extensions.len()).expect("a short hello").to_be_bytes();
        let body = [&self.fields[..], &len, &extensions].concat();
        handshake_record(self.message_type, self.message_seq, &body)
    }

    /// What this extension carries; it comes last if it was not there.
    fn set(&mut self, number: u16, data: &[u8]) {
        match self.extensions.iter_mut().find(|(other, _)| *other == number) {
            Some((_, old)) => *old = data.to_vec(),
            None => self.extensions.push((number, data.to_vec())),
        }
    }

    fn get(&self, number: u16) -> Vec<u8> {
        self.extensions.iter().find(|(other, _)| *other == number).expect("it is there").1.clone()
    }

    fn remove(&mut self, number: u16) {
        self.extensions.retain(|(other, _)| *other != number);
    }
}

type Change = fn(&mut Hello);

fn classic() -> [Config; 2] {
    configs().map(|mut config| {
        config.groups = vec![Group::X25519, Group::Secp256r1];
        config
    })
}

/// Of peers that need another hello: the client has sent no share of the group that the server wants.
fn retrying() -> [Config; 2] {
    let mut configs = classic();
    configs[Z].groups = vec![Group::Secp256r1];
    configs
}

/// Lets `change` have the `nth` hello that is sent by anybody.
fn meddle(configs: [Config; 2], nth: usize, change: Change) -> Pair {
    let (mut pair, mut n) = (Pair::with(configs, 1), 0);
    pair.run(Duration::from_secs(5), |_, datagram| {
        let Some((mut hello, len)) = Hello::parse(&datagram) else { return vec![datagram] };
        n += 1;
        if n - 1 != nth {
            return vec![datagram];
        }
        change(&mut hello);
        vec![[&hello.record(), &datagram[len..]].concat()]
    });
    pair
}

/// Each of these changes of the `nth` hello makes `who` refuse it with this alert.
fn assert_refused(configs: fn() -> [Config; 2], nth: usize, who: usize, cases: &[(&str, Change, AlertDescription)]) {
    for (name, change, expected) in cases {
        let pair = meddle(configs(), nth, *change);
        match pair.closed[who] {
            Some(CloseReason::Refused { alert, .. }) => assert_eq!(alert, *expected, "{name}"),
            other => panic!("{name}: {other:?}"),
        }
        assert_eq!(pair.connected, [false; 2], "{name}");
    }
}

/// A share of a group, in the list of a ClientHello.
fn shares(shares: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut list = vec![];
    for (group, key) in shares {
        list.extend([group.to_be_bytes(), u16::try_from(key.len()).expect("a short share").to_be_bytes()].concat());
        list.extend(key);
    }
    [&u16::try_from(list.len()).expect("few shares").to_be_bytes()[..], &list].concat()
}

#[test]
fn a_first_hello_that_says_what_it_must_not_is_refused() {
    let x25519 = Group::X25519.wire();
    assert_eq!(x25519, 29);
    assert_refused(
        classic,
        0,
        Z,
        &[
            ("compression", |hello| *hello.fields.last_mut().unwrap() = 1, IllegalParameter),
            ("no suite", |hello| hello.fields[SUITES..SUITES + 6].fill(0x7A), HandshakeFailure),
            ("no groups", |hello| hello.remove(SUPPORTED_GROUPS), MissingExtension),
            ("no shares", |hello| hello.remove(KEY_SHARE), MissingExtension),
            ("no signatures", |hello| hello.remove(SIGNATURE_ALGORITHMS), MissingExtension),
            ("a cookie", |hello| hello.set(COOKIE, &[0, 1, 7]), IllegalParameter),
            ("an extension twice", |hello| hello.extensions.push((KEY_SHARE, vec![0, 0])), DecodeError),
            (
                "a share twice",
                |hello| hello.set(KEY_SHARE, &shares(&[(29, vec![9; 32]), (29, vec![8; 32])])),
                IllegalParameter,
            ),
            ("a short share", |hello| hello.set(KEY_SHARE, &shares(&[(29, vec![9; 31])])), IllegalParameter),
            ("a long share", |hello| hello.set(KEY_SHARE, &shares(&[(29, vec![9; 33])])), IllegalParameter),
            ("an empty share", |hello| hello.set(KEY_SHARE, &shares(&[(29, vec![])])), DecodeError),
            ("a share of zeros", |hello| hello.set(KEY_SHARE, &shares(&[(29, vec![0; 32])])), IllegalParameter),
            (
                "a pre-shared key that is not last",
                |hello| {
                    hello.set(PSK_KEY_EXCHANGE_MODES, &[1, 1]);
                    hello.extensions.insert(0, (PRE_SHARED_KEY, vec![7; 50]));
                },
                IllegalParameter,
            ),
            ("a pre-shared key without modes", |hello| hello.set(PRE_SHARED_KEY, &[7; 50]), MissingExtension),
        ],
    );
    // What is last and has its modes is not looked at: there are no sessions.
    let pair = meddle(classic(), 0, |hello| {
        hello.set(PSK_KEY_EXCHANGE_MODES, &[1, 1]);
        hello.set(PRE_SHARED_KEY, &[7; 50]);
    });
    assert!(!matches!(pair.closed[Z], Some(CloseReason::Refused { .. })), "{:?}", pair.closed);
}

/// FIPS 203 §7.2: the encapsulation key is checked, that its numbers are below the modulus.
#[test]
fn a_post_quantum_share_that_is_none_is_refused() {
    let hybrid = || {
        configs().map(|mut config| {
            config.groups = vec![Group::X25519MlKem768];
            config
        })
    };
    let run = |change: fn(&mut Vec<u8>)| {
        let mut pair = Pair::with(hybrid(), 1);
        pair.mtu = 2000;
        pair.run(Duration::from_secs(5), |_, datagram| {
            let Some((mut hello, len)) = Hello::parse(&datagram).filter(|(hello, _)| hello.message_type == 1) else {
                return vec![datagram];
            };
            let mut share = hello.get(KEY_SHARE).split_off(6);
            assert_eq!(share.len(), 1184 + 32);
            change(&mut share);
            hello.set(KEY_SHARE, &shares(&[(0x11EC, share)]));
            vec![[&hello.record(), &datagram[len..]].concat()]
        });
        pair
    };
    let genuine = run(|_| {});
    assert_eq!(genuine.connected, [true; 2]);
    let changes: [fn(&mut Vec<u8>); 5] = [
        // Two numbers of twelve bits: 0xFFF, and then 3329, the modulus itself.
        |share| share[..3].fill(0xFF),
        |share| (share[0], share[1]) = (0x01, share[1] & 0xF0 | 0x0D),
        |share| share[1184..].fill(0),
        |share| share.truncate(1184),
        |share| share.push(0),
    ];
    for change in changes {
        let pair = run(change);
        assert!(
            matches!(pair.closed[Z], Some(CloseReason::Refused { alert: IllegalParameter, .. })),
            "{:?}",
            pair.closed
        );
    }
}

/// RFC 8446 §4.1.2: all but the shares, the cookie, early data, pre-shared keys and padding is as it was.
#[test]
fn a_second_hello_that_differs_in_anything_else_is_refused() {
    assert_refused(
        retrying,
        2,
        Z,
        &[
            ("another random", |hello| hello.fields[RANDOM] ^= 1, IllegalParameter),
            ("another legacy version", |hello| hello.fields[1] ^= 1, IllegalParameter),
            ("other suites", |hello| hello.fields[SUITES + 4] ^= 1, IllegalParameter),
            ("one extension less", |hello| hello.remove(USE_SRTP), IllegalParameter),
            ("one extension more", |hello| hello.set(UNKNOWN, &[]), IllegalParameter),
            ("another profile", |hello| hello.set(USE_SRTP, &[0, 2, 0, 1, 0]), IllegalParameter),
            ("another order", |hello| hello.extensions.swap(0, 1), IllegalParameter),
            ("other versions", |hello| hello.set(SUPPORTED_VERSIONS, &[4, 0xFE, 0xFC, 0xFE, 0xFD]), IllegalParameter),
            ("a cookie", |hello| hello.set(COOKIE, &[0, 1, 7]), IllegalParameter),
            ("no share", |hello| hello.set(KEY_SHARE, &[0, 0]), IllegalParameter),
            ("a share of another group", |hello| hello.set(KEY_SHARE, &shares(&[(29, vec![9; 32])])), IllegalParameter),
            (
                "a share too many",
                |hello| {
                    let right = hello.get(KEY_SHARE).split_off(6);
                    hello.set(KEY_SHARE, &shares(&[(23, right), (29, vec![9; 32])]));
                },
                IllegalParameter,
            ),
        ],
    );
    for allowed in [PADDING, EARLY_DATA] {
        // The transcripts are not the same, so there is no connection; but it is not for the hello.
        let mut pair = Pair::with(retrying(), 1);
        let mut n = 0;
        pair.run(Duration::from_secs(5), |_, datagram| {
            let Some((mut hello, _)) = Hello::parse(&datagram) else { return vec![datagram] };
            n += 1;
            if n == 3 {
                hello.set(allowed, &[0; 9]);
            }
            vec![if n == 3 { hello.record() } else { datagram }]
        });
        assert!(!matches!(pair.closed[Z], Some(CloseReason::Refused { .. })), "{allowed}: {:?}", pair.closed);
    }
}

/// The same, of a server that has kept nothing of the first.
#[test]
fn a_cookie_is_good_for_the_hello_that_it_was_made_for() {
    let changes: [(bool, Change); 5] = [
        (true, |_| {}),
        (false, |hello| hello.fields[RANDOM] ^= 1),
        (false, |hello| hello.fields[SUITES + 4] ^= 1),
        (false, |hello| hello.set(USE_SRTP, &[0, 2, 0, 1, 0])),
        (false, |hello| hello.remove(SIGNATURE_ALGORITHMS)),
    ];
    for (is_good, change) in changes {
        let mut configs = classic();
        let secret = std::sync::Arc::new(wigwag_dtls::CookieSecret::new(wigwag_sansio::Seed::for_test(1)));
        configs[Z].cookie_exchange = Some(wigwag_dtls::CookieExchange::new(secret, b"here".to_vec()));
        let pair = meddle(configs, 2, change);
        // What was changed comes again as it was sent.
        let expected = u64::from(!is_good);
        assert_eq!(pair.peers[Z].stats().malformed_fragments, expected);
        assert_eq!((pair.connected, pair.closed), ([true; 2], [None; 2]));
    }
}

#[test]
fn a_server_hello_that_says_what_it_must_not_is_refused() {
    assert_refused(
        classic,
        1,
        A,
        &[
            ("another legacy version", |hello| hello.fields[1] = 0xFC, IllegalParameter),
            ("a session id", |hello| drop(hello.fields.splice(34..35, [1, 7])), IllegalParameter),
            ("compression", |hello| *hello.fields.last_mut().unwrap() = 1, IllegalParameter),
            ("a suite not offered", |hello| hello.fields[SUITE + 1] = 5, IllegalParameter),
            ("a suite of 1.2", |hello| hello.fields[SUITE..SUITE + 2].copy_from_slice(&[0xC0, 0x2B]), IllegalParameter),
            ("the version of 1.2", |hello| hello.set(SUPPORTED_VERSIONS, &[0xFE, 0xFD]), IllegalParameter),
            ("a version to come", |hello| hello.set(SUPPORTED_VERSIONS, &[0xFE, 0xFB]), IllegalParameter),
            ("two versions", |hello| hello.set(SUPPORTED_VERSIONS, &[0xFE, 0xFC, 0xFE, 0xFD]), DecodeError),
            ("no share", |hello| hello.remove(KEY_SHARE), MissingExtension),
            ("a share of no group", |hello| hello.set(KEY_SHARE, &[0x7A, 0x7A, 0, 1, 7]), IllegalParameter),
            ("a group without our share", |hello| hello.set(KEY_SHARE, &[0, 23, 0, 1, 4]), IllegalParameter),
            (
                "a share of zeros",
                |hello| hello.set(KEY_SHARE, &[&[0, 29, 0, 32][..], &[0; 32]].concat()),
                IllegalParameter,
            ),
            ("an extension not offered", |hello| hello.set(UNKNOWN, &[]), UnsupportedExtension),
            ("a pre-shared key", |hello| hello.set(PRE_SHARED_KEY, &[0, 0]), UnsupportedExtension),
            ("a cookie", |hello| hello.set(COOKIE, &[0, 1, 7]), UnsupportedExtension),
            ("an extension of another message", |hello| hello.set(USE_SRTP, &[0, 2, 0, 1, 0]), IllegalParameter),
            ("an extension twice", |hello| hello.extensions.push((KEY_SHARE, vec![])), DecodeError),
        ],
    );
}

#[test]
fn a_retry_that_says_what_it_must_not_is_refused() {
    assert_refused(
        retrying,
        1,
        A,
        &[
            ("no version", |hello| hello.remove(SUPPORTED_VERSIONS), MissingExtension),
            ("nothing to change", |hello| hello.remove(KEY_SHARE), IllegalParameter),
            ("a group of which there is a share", |hello| hello.set(KEY_SHARE, &[0, 29]), IllegalParameter),
            ("a group not offered", |hello| hello.set(KEY_SHARE, &[0, 24]), IllegalParameter),
            ("an empty cookie", |hello| hello.set(COOKIE, &[0, 0]), DecodeError),
            ("a suite not offered", |hello| hello.fields[SUITE + 1] = 5, IllegalParameter),
            ("a session id", |hello| drop(hello.fields.splice(34..35, [1, 7])), IllegalParameter),
            ("an extension not offered", |hello| hello.set(UNKNOWN, &[]), UnsupportedExtension),
            ("an extension of another message", |hello| hello.set(USE_SRTP, &[0, 2, 0, 1, 0]), IllegalParameter),
        ],
    );
    // The same, of a client that speaks 1.2 as well: its random says what it is, whatever else it says.
    let both = || {
        retrying().map(|mut config| {
            config.min_version = Version::Dtls12;
            config
        })
    };
    assert_refused(both, 1, A, &[("no version", |hello| hello.remove(SUPPORTED_VERSIONS), MissingExtension)]);
}

/// RFC 9147 §5.2: who has asked as one of 1.3 does not ask as one of 1.2.
#[test]
fn a_hello_verify_request_after_a_retry_is_refused() {
    let mut configs = retrying();
    configs[A].min_version = Version::Dtls12;
    let mut pair = Pair::with(configs, 1);
    for who in [A, Z] {
        pair.poll(who);
        for (to, hello) in std::mem::take(&mut pair.wire) {
            pair.deliver(to, &hello);
        }
    }
    assert_eq!((pair.poll(A) > 0, pair.closed[A]), (true, None), "another hello");
    pair.deliver(A, &handshake_record(3, 1, &[0xFE, 0xFF, 1, 7]));
    pair.poll(A);
    assert!(matches!(pair.closed[A], Some(CloseReason::Refused { alert: UnexpectedMessage, .. })), "{:?}", pair.closed);
}

#[test]
fn a_server_hello_that_is_not_of_its_retry_is_refused() {
    let retry: Change = |hello| {
        let random = "CF21AD74E59A6111BE1D8C021E65B891C2A211167ABB8C5E079E09E2C8A8339C";
        let bytes = (0..32).map(|i| u8::from_str_radix(&random[2 * i..2 * i + 2], 16).unwrap());
        hello.fields.splice(RANDOM..RANDOM + 32, bytes);
        hello.set(KEY_SHARE, &[0, 29]);
    };
    assert_refused(
        retrying,
        3,
        A,
        &[
            ("another suite", |hello| hello.fields[SUITE + 1] = 3, IllegalParameter),
            ("the group of before", |hello| hello.set(KEY_SHARE, &[0, 29, 0, 1, 7]), IllegalParameter),
            ("no version", |hello| hello.remove(SUPPORTED_VERSIONS), IllegalParameter),
            ("a second retry", retry, UnexpectedMessage),
        ],
    );
}

/// Row 10 of docs/security.md: the least that a hello can be to be answered with a cookie.
#[test]
fn the_smallest_hello_is_answered_with_less_than_twice_its_length() {
    let mut configs = configs();
    let secret = std::sync::Arc::new(wigwag_dtls::CookieSecret::new(wigwag_sansio::Seed::for_test(1)));
    configs[Z].cookie_exchange = Some(wigwag_dtls::CookieExchange::new(secret, b"here".to_vec()));
    let mut pair = Pair::with(configs, 1);
    for suite in 1..=3 {
        let hello = Hello {
            message_type: 1,
            message_seq: 0,
            fields: [&[0xFE, 0xFD][..], &[7; 32], &[0, 0, 0, 2, 0x13, suite, 1, 0]].concat(),
            extensions: vec![
                (SUPPORTED_VERSIONS, vec![2, 0xFE, 0xFC]),
                (SUPPORTED_GROUPS, vec![0, 2, 0, 29]),
                (SIGNATURE_ALGORITHMS, vec![0, 2, 4, 3]),
                (KEY_SHARE, vec![0, 0]),
            ],
        };
        let hello = hello.record();
        pair.deliver(Z, &hello);
        assert_eq!(pair.poll(Z), 1);
        let (_, answer) = pair.wire.pop_front().unwrap();
        assert!(answer.len() < 2 * hello.len(), "{} for {}", answer.len(), hello.len());
        assert_eq!((pair.poll(Z), pair.peers[Z].held_len()), (0, 0));
    }
    pair.run(super::LIMIT, as_it_is);
    pair.assert_alive();
}
