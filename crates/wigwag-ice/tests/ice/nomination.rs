//! Which pair is used in the end, with peers of all habits.

use crate::script::{PEER_PASSWORD, PEER_UFRAG, Request, Script, local, path, remote, success};
use std::net::SocketAddr;
use std::time::Duration;
use wigwag_ice::{Credentials, Kind, LocalCandidate, RemoteCandidate, Role, State};

const MS: Duration = Duration::from_millis(1);
const S: Duration = Duration::from_secs(1);

fn nominate(script: &mut Script, number: u8) {
    let bytes = script.nomination().bytes();
    script.feed(number, &bytes);
}

/// As libwebrtc and Firefox do.
#[test]
fn a_nomination_may_come_before_our_check_is_answered() {
    let mut script = Script::new(Role::Controlled);
    nominate(&mut script, 3);
    assert_eq!(script.agent.selected_path(), None, "we have not seen yet that it works");
    script.answer(&[3], 100 * MS);
    assert_eq!(script.agent.selected_path(), Some(path(3)));
    script.agent.end_of_local_candidates();
    script.agent.end_of_remote_candidates();
    script.pass(MS);
    assert_eq!(script.agent.state(), State::Completed);
}

#[test]
fn of_a_peer_that_nominates_everything_the_best_pair_is_used() {
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let mut script = Script::new(Role::Controlled);
        for number in order {
            script.signal(number);
        }
        for number in order {
            nominate(&mut script, number);
            script.answer(&[0, 1, 2], 60 * MS);
        }
        assert_eq!(script.agent.selected_path(), Some(path(0)), "{order:?}");
    }
}

/// libwebrtc nominates with each of its checks of the pair it uses, and may change its mind.
#[test]
fn a_peer_that_keeps_nominating_another_pair_is_followed() {
    let mut script = Script::new(Role::Controlled);
    script.signal(0);
    script.signal(1);
    script.answer(&[0, 1], 200 * MS);
    for _ in 0..4 {
        nominate(&mut script, 0);
        script.answer(&[0, 1], 2 * S);
    }
    nominate(&mut script, 1);
    script.answer(&[0, 1], S);
    assert_eq!(script.agent.selected_path(), Some(path(0)), "one request may have been late");
    for _ in 0..3 {
        nominate(&mut script, 1);
        script.answer(&[0, 1], 2 * S);
    }
    assert_eq!(script.agent.selected_path(), Some(path(1)));
    // And back: the better one at once.
    nominate(&mut script, 0);
    script.answer(&[0, 1], MS);
    assert_eq!(script.agent.selected_path(), Some(path(0)));
}

/// libwebrtc sends data on its new pair from the moment it has chosen it: so does its controlled side, which follows what it
/// receives.
#[test]
fn a_peer_that_sends_on_another_pair_that_it_has_nominated_is_followed_at_once() {
    let mut script = Script::new(Role::Controlled);
    script.signal(0);
    script.signal(1);
    script.answer(&[0, 1], 200 * MS);
    for _ in 0..4 {
        nominate(&mut script, 0);
        script.answer(&[0, 1], 2 * S);
    }
    script.agent.data_received(path(1), script.now);
    script.pass(MS);
    assert_eq!(script.agent.selected_path(), Some(path(0)), "what is not nominated is not used, whatever comes there");
    nominate(&mut script, 1);
    script.answer(&[0, 1], MS);
    assert_eq!(script.agent.selected_path(), Some(path(0)));
    script.agent.data_received(path(1), script.now);
    script.pass(MS);
    assert_eq!(script.agent.selected_path(), Some(path(1)));
    for late in [path(0), path(5)] {
        script.agent.data_received(late, script.now);
        script.pass(MS);
        assert_eq!(script.agent.selected_path(), Some(path(1)), "what was sent before comes late");
    }
    // And back.
    nominate(&mut script, 0);
    script.answer(&[0, 1], MS);
    assert_eq!(script.agent.selected_path(), Some(path(0)));
}

#[test]
fn a_pair_that_does_not_work_is_not_used_although_data_comes_there() {
    let mut script = Script::new(Role::Controlled);
    script.signal(0);
    script.signal(1);
    nominate(&mut script, 0);
    script.answer(&[0], S);
    nominate(&mut script, 1);
    script.agent.data_received(path(1), script.now);
    script.answer(&[0], S);
    assert_eq!(script.agent.selected_path(), Some(path(0)));
    let mut script = Script::new(Role::Controlling);
    script.signal(0);
    script.signal(1);
    script.answer(&[0, 1], S);
    nominate(&mut script, 1);
    script.agent.data_received(path(1), script.now);
    script.answer(&[0, 1], S);
    assert_eq!(script.agent.selected_path(), Some(path(0)), "who controls follows nobody");
}

/// The NAT before the peer gives it another address, of which the peer knows nothing: it nominates nothing new.
#[test]
fn a_nominated_pair_that_is_silent_is_stood_in_for_by_one_that_is_not() {
    let mut script = Script::new(Role::Controlled);
    script.signal(0);
    nominate(&mut script, 0);
    script.answer(&[0], S);
    for _ in 0..4 {
        let check = script.request().bytes();
        script.feed(3, &check);
        script.answer(&[3], 4 * S);
    }
    assert_eq!(script.agent.selected_path(), Some(path(3)), "{:?}", script.agent.decisions().last());
    assert_eq!(script.agent.state(), State::Connected);
    // It was the peer's choice, and is used again when it is heard of again.
    let check = script.request().bytes();
    script.feed(0, &check);
    script.answer(&[0, 3], S);
    assert_eq!(script.agent.selected_path(), Some(path(0)));
}

#[test]
fn a_nominated_pair_that_does_not_work_is_not_used() {
    let mut script = Script::new(Role::Controlled);
    script.signal(0);
    script.signal(1);
    script.answer(&[1], 200 * MS);
    for _ in 0..3 {
        nominate(&mut script, 0);
        script.answer(&[1], S);
    }
    assert_eq!(script.agent.selected_path(), Some(path(1)));
}

#[test]
fn a_controlling_agent_is_not_nominated_to() {
    let mut script = Script::new(Role::Controlling);
    script.signal(0);
    let request = Request { use_candidate: true, ..script.request() };
    script.feed(5, &request.bytes());
    script.answer(&[0], 300 * MS);
    assert_eq!(script.agent.selected_path(), Some(path(0)));
}

#[test]
fn the_best_pair_is_nominated_at_once_and_a_worse_one_after_a_short_wait() {
    for (answered, wait) in [(0, 100 * MS), (1, 200 * MS)] {
        let mut script = Script::new(Role::Controlling);
        script.signal(0);
        script.signal(1);
        let begin = script.now;
        let nomination = loop {
            let check = script.check();
            if check.message().attributes.use_candidate {
                break check;
            }
            if check.path == path(answered) {
                script.feed(answered, &success(&check));
            }
        };
        assert_eq!(nomination.path, path(answered));
        assert!(script.now - begin <= wait, "{:?}", script.now - begin);
        script.feed(answered, &success(&nomination));
        assert_eq!(script.agent.selected_path(), Some(path(answered)));
        // Once is enough.
        script.answer(&[0, 1], 20 * S);
        assert_eq!(script.agent.selected_path(), Some(path(answered)));
    }
}

#[test]
fn a_relayed_pair_is_nominated_only_after_a_longer_wait() {
    let mut script = Script::new(Role::Controlling);
    let relayed = SocketAddr::from(([192, 0, 2, 9], 50_000));
    let candidate = RemoteCandidate::udp("r", 16_777_215, relayed, Kind::Relayed);
    script.agent.add_remote_candidate(candidate).unwrap();
    let check = script.check();
    let mut bytes = success(&check);
    let now = script.now;
    script.agent.handle_input(wigwag_sansio::Datagram::udp(local(), relayed, &mut bytes), now);
    assert_eq!(script.agent.selected_path().map(|path| path.remote), Some(relayed), "data may flow already");
    script.pass(300 * MS);
    // A better candidate comes, and works.
    script.signal(0);
    script.answer(&[0], 100 * MS);
    assert_eq!(script.agent.selected_path(), Some(path(0)));
}

#[test]
fn a_reflexive_candidate_shares_the_pairs_of_its_base() {
    let mut script = Script::new(Role::Controlling);
    let mapped = SocketAddr::from(([192, 0, 2, 1], 4000));
    let reflexive = LocalCandidate::server_reflexive(mapped, local(), [192, 0, 2, 53].into());
    let reflexive = script.agent.add_local_candidate(reflexive).unwrap();
    assert_eq!((reflexive.priority, reflexive.related), (1_694_498_815, Some(local())));
    assert_ne!(reflexive.foundation, script.agent.local_candidates()[0].foundation);
    script.signal(0);
    assert_eq!(script.check().path, path(0));
    script.pass(60 * MS);
    assert!(script.sent().is_empty(), "one path, one pair");
}

/// RFC 8445 §7.2.5.3.1
#[test]
fn what_the_peer_sees_of_us_is_a_candidate() {
    let mut script = Script::new(Role::Controlling);
    script.signal(0);
    let check = script.check();
    let mapped = SocketAddr::from(([192, 0, 2, 1], 4000));
    let mut out = Vec::new();
    wigwag_stun::MessageWriter::success(&mut out, check.message().transaction(), mapped)
        .integrity(&wigwag_stun::IntegrityKey::short_term(PEER_PASSWORD))
        .fingerprint();
    script.feed(0, &out);
    let learned = &script.agent.local_candidates()[1];
    assert_eq!((learned.kind, learned.address, learned.base), (Kind::PeerReflexive, mapped, local()));
    assert_eq!(learned.priority, check.message().attributes.priority.unwrap());
    assert_eq!(script.agent.selected_path(), Some(path(0)));
}

#[test]
fn candidates_alike_have_one_foundation_and_all_have_a_priority_of_their_own() {
    let mut script = Script::new(Role::Controlling);
    let server = [192, 0, 2, 53].into();
    for port in 1001..1005 {
        script.agent.add_local_candidate(LocalCandidate::host(SocketAddr::from(([10, 0, 0, 1], port)))).unwrap();
        let base = SocketAddr::from(([10, 0, 0, 1], port));
        let mapped = SocketAddr::from(([192, 0, 2, 1], port));
        script.agent.add_local_candidate(LocalCandidate::server_reflexive(mapped, base, server)).unwrap();
    }
    let other = SocketAddr::from(([10, 0, 1, 1], 1000));
    script.agent.add_local_candidate(LocalCandidate::host(other)).unwrap();
    let candidates = script.agent.local_candidates();
    let of = |kind| candidates.iter().filter(move |candidate| candidate.kind == kind);
    let foundations = |kind| of(kind).map(|c| c.foundation.as_str()).collect::<std::collections::BTreeSet<_>>().len();
    assert_eq!((foundations(Kind::Host), foundations(Kind::ServerReflexive)), (2, 1));
    let priorities: std::collections::BTreeSet<_> = candidates.iter().map(|candidate| candidate.priority).collect();
    assert_eq!(priorities.len(), candidates.len());
}

#[test]
fn link_local_addresses_pair_with_their_like_and_in_our_zone() {
    let mut script = Script::new(Role::Controlling);
    let socket = |text: &str| -> SocketAddr { text.parse().unwrap() };
    script.agent.add_local_candidate(LocalCandidate::host(socket("[fe80::1%3]:1000"))).unwrap();
    script.agent.add_local_candidate(LocalCandidate::host(socket("[2001:db8::1]:1000"))).unwrap();
    for address in ["[fe80::2]:2000", "[2001:db8::2]:2000"] {
        let candidate = RemoteCandidate::udp("1", 1, socket(address), Kind::Host);
        script.agent.add_remote_candidate(candidate).unwrap();
    }
    let mut paths = vec![script.check().path, script.check().path];
    script.pass(60 * MS);
    assert!(script.sent().is_empty());
    paths.sort();
    let paths: Vec<_> = paths.into_iter().map(|path| (path.local, path.remote)).collect();
    assert_eq!(
        paths,
        [
            (socket("[2001:db8::1]:1000"), socket("[2001:db8::2]:2000")),
            (socket("[fe80::1%3]:1000"), socket("[fe80::2%3]:2000")),
        ]
    );
    assert_eq!(remote(0).port(), 2000);
}

/// On a path that loses, checks of some seconds may all be lost while everything else comes.
#[test]
fn a_path_on_which_data_comes_is_not_silent() {
    for role in [Role::Controlling, Role::Controlled] {
        let mut script = Script::new(role);
        script.signal(0);
        if role == Role::Controlled {
            nominate(&mut script, 0);
        }
        script.answer(&[0], S);
        let connected = script.agent.state();
        for _ in 0..15 {
            script.pass(S);
            script.agent.data_received(path(0), script.now);
            assert_eq!(script.agent.state(), connected, "{role:?}");
        }
        // What comes elsewhere is no sign of this path.
        for _ in 0..9 {
            script.pass(S);
            script.agent.data_received(path(1), script.now);
        }
        assert_eq!(script.agent.state(), State::Disconnected, "{role:?}");
        script.agent.data_received(path(0), script.now);
        script.pass(MS);
        assert_eq!(script.agent.state(), connected, "{role:?}");
        // RFC 7675 §5.1: data that the peer sends is no consent.
        for _ in 0..20 {
            script.pass(S);
            script.agent.data_received(path(0), script.now);
        }
        assert_eq!(script.agent.selected_path(), None, "{role:?}");
    }
}

/// A restart that ends on the path of before leaves what was before to expire.
#[test]
fn after_a_restart_data_ends_a_silence_as_before() {
    let mut script = Script::new(Role::Controlled);
    script.signal(0);
    nominate(&mut script, 0);
    script.answer(&[0], S);
    script.agent.restart().unwrap();
    script.agent.set_remote_credentials(Credentials { ufrag: PEER_UFRAG.into(), password: PEER_PASSWORD.into() });
    script.signal(0);
    nominate(&mut script, 0);
    script.answer(&[0], S);
    assert!(matches!(script.agent.state(), State::Connected | State::Completed), "{:?}", script.agent.state());
    for _ in 0..12 {
        script.pass(S);
        script.agent.data_received(path(0), script.now);
    }
    assert!(matches!(script.agent.state(), State::Connected | State::Completed), "{:?}", script.agent.state());
}
