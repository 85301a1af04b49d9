//! Which version two peers speak (RFC 8446 §4.1.3, §4.2.1).

use crate::common::{A, Pair, Z, as_it_is, assert_same_keys, configs, plaintext, records};
use std::time::Duration;
use wigwag_dtls::{AlertDescription, CloseReason, Config, Connection, Group, Version};

const LIMIT: Duration = Duration::from_secs(100);
const RANGES: [(Version, Version); 3] =
    [(Version::Dtls12, Version::Dtls12), (Version::Dtls12, Version::Dtls13), (Version::Dtls13, Version::Dtls13)];

fn configs_of(ranges: [(Version, Version); 2]) -> [Config; 2] {
    let mut configs = configs();
    for (config, (min, max)) in configs.iter_mut().zip(ranges) {
        (config.min_version, config.max_version) = (min, max);
    }
    configs
}

#[test]
fn the_newest_that_both_speak_is_spoken() {
    for ours in RANGES {
        for theirs in RANGES {
            let common = ours.1.min(theirs.1);
            let mut pair = Pair::with(configs_of([ours, theirs]), 1);
            pair.run(LIMIT, as_it_is);
            if common < ours.0.max(theirs.0) {
                assert_eq!(pair.connected, [false; 2]);
                assert!(pair.closed.iter().all(Option::is_some), "{:?}", pair.closed);
                continue;
            }
            pair.assert_alive();
            assert_same_keys(&pair);
            assert_eq!(pair.peers.each_ref().map(Connection::version), [Some(common); 2]);
            let group = if common == Version::Dtls13 { Group::X25519MlKem768 } else { Group::X25519 };
            assert_eq!(pair.peers[A].group(), Some(group));
        }
    }
}

/// A server that was asked for 1.2 only, by somebody in between, says in its random what it could have spoken.
#[test]
fn who_takes_the_newest_version_away_is_noticed() {
    let both = (Version::Dtls12, Version::Dtls13);
    let mut pair = Pair::with(configs_of([both, both]), 1);
    pair.mtu = 2000;
    pair.run(LIMIT, |_, mut datagram| {
        let offered = [0, 43, 0, 5, 4, 0xFE, 0xFC, 0xFE, 0xFD];
        if let Some(at) = datagram.windows(9).position(|bytes| bytes == offered) {
            datagram[at + 6] = 0xFF;
        }
        vec![datagram]
    });
    let illegal = AlertDescription::IllegalParameter;
    assert!(
        matches!(pair.closed[A], Some(CloseReason::Refused { alert, .. }) if alert == illegal),
        "{:?}",
        pair.closed
    );
    assert_eq!(pair.connected, [false; 2]);
}

/// The same with both of the marks, and with none.
#[test]
fn a_mark_of_any_version_is_noticed_by_who_could_have_spoken_a_newer_one() {
    for (mark, max) in [(1, Version::Dtls13), (0, Version::Dtls13), (1, Version::Dtls12), (7, Version::Dtls13)] {
        let old = (Version::Dtls12, Version::Dtls12);
        let mut pair = Pair::with(configs_of([(Version::Dtls12, max), old]), 1);
        pair.run(LIMIT, |to, datagram| {
            let mut records = records(&datagram);
            for record in records.iter_mut().filter(|record| to == A && record[13] == 2) {
                record[27 + 24..27 + 32].copy_from_slice(&[0x44, 0x4F, 0x57, 0x4E, 0x47, 0x52, 0x44, mark]);
            }
            vec![records.concat()]
        });
        let is_noticed =
            matches!(pair.closed[A], Some(CloseReason::Refused { alert: AlertDescription::IllegalParameter, .. }));
        assert_eq!(is_noticed, mark < 2 && max == Version::Dtls13, "{:?}", pair.closed);
        assert_eq!(pair.connected, [false; 2], "the signature covers the random");
    }
}

/// RFC 6347 §4.2.1: a server of 1.2 may ask for a cookie whatever else the client speaks.
#[test]
fn a_client_of_both_versions_brings_the_cookie_of_1_2_and_one_of_1_3_alone_does_not() {
    for (min, brings) in [(Version::Dtls12, true), (Version::Dtls13, false)] {
        let mut pair = Pair::with(configs_of([(min, Version::Dtls13); 2]), 1);
        pair.mtu = 2000;
        pair.poll(A);
        pair.wire.clear();
        let request = [3, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 5, 0xFE, 0xFF, 2, 7, 8];
        pair.deliver(A, &plaintext(22, 0, 0, &request));
        pair.poll(A);
        let (_, answer) = pair.wire.pop_front().unwrap();
        assert_eq!((answer[0] == 22, pair.closed[A].is_none()), (brings, brings));
        if brings {
            assert_eq!(answer[13 + 12 + 2 + 32 + 1..][..3], [2, 7, 8]);
            // RFC 9147 §5.3: a server of 1.3 takes no such cookie.
            pair.deliver(Z, &answer);
            pair.poll(Z);
            assert_eq!(pair.closed[Z], None, "it awaits the first message first");
        }
    }
}
