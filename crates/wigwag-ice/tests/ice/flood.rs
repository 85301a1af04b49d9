//! Genuine messages, seen and sent again by somebody else, and peers who have learned too much.

use crate::config;
use crate::script::{PEER_PASSWORD, PEER_UFRAG, Script, local, path, remote, success};
use std::net::SocketAddr;
use std::time::Duration;
use wigwag_ice::{Agent, Config, Credentials, Error, Kind, LocalCandidate, RemoteCandidate, Role};
use wigwag_sansio::{Datagram, Seed};
use wigwag_stun::{IntegrityKey, MessageWriter};

const MS: Duration = Duration::from_millis(1);
const S: Duration = Duration::from_secs(1);

pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Script {
    let mut config = config(Role::Controlled);
    change(&mut config);
    let mut script = Script::new(Role::Controlled);
    script.agent = Agent::new(config, Seed::for_test(7));
    script.agent.add_local_candidate(LocalCandidate::host(local())).unwrap();
    script.agent.set_remote_credentials(Credentials { ufrag: PEER_UFRAG.into(), password: PEER_PASSWORD.into() });
    script
}

/// Whoever has seen one request can send it again from many addresses, without knowing any password.
#[test]
fn replays_from_many_addresses_leave_room_for_what_is_signalled() {
    let mut script = with(|_| {});
    let request = script.request().bytes();
    for port in 0..300 {
        let from = SocketAddr::from(([10, 3, 0, 1], 10_000 + port));
        script.agent.handle_input(Datagram::udp(local(), from, &mut request.clone()), script.now);
        script.sent();
    }
    assert_eq!(script.agent.remote_candidates().len(), 100);
    script.signal(0);
    script.answer(&[0], 10 * S);
    assert_eq!(script.agent.selected_path(), Some(path(0)));
    // Signalled ones do not give way.
    for number in 1..100 {
        script.signal(number);
    }
    let one_more = RemoteCandidate::udp("1", 1, remote(200), Kind::Host);
    assert_eq!(script.agent.add_remote_candidate(one_more), Err(Error::TooManyCandidates));
    assert_eq!(script.agent.selected_path(), Some(path(0)));
}

fn mapped(check: &crate::script::Sent, address: SocketAddr) -> Vec<u8> {
    let mut out = Vec::new();
    MessageWriter::success(&mut out, check.message().transaction(), address)
        .integrity(&IntegrityKey::short_term(PEER_PASSWORD))
        .fingerprint();
    out
}

#[test]
fn what_the_peer_claims_to_see_leaves_room_for_our_own_addresses() {
    let mut script = with(|config| config.candidates_max = 3);
    for number in 0..3 {
        script.signal(number);
        let check = script.check();
        let claim = mapped(&check, SocketAddr::from(([192, 0, 2, number + 1], 4000)));
        script.feed(number, &claim);
    }
    assert_eq!(script.agent.local_candidates().len(), 3);
    let second = SocketAddr::from(([10, 0, 0, 1], 1001));
    script.agent.add_local_candidate(LocalCandidate::host(second)).unwrap();
    assert_eq!(script.agent.local_candidates().len(), 3);
    assert!(script.agent.local_candidates().iter().any(|candidate| candidate.address == second));
}

#[test]
fn an_address_that_nobody_has_is_no_candidate_of_ours() {
    for address in ["0.0.0.0:0", "224.0.0.1:5", "255.255.255.255:1", "10.0.0.1:0", "[::]:1", "[2001:db8::1]:7"] {
        let mut script = with(|_| {});
        script.signal(0);
        let check = script.check();
        let claim = mapped(&check, address.parse().unwrap());
        script.feed(0, &claim);
        assert_eq!(script.agent.local_candidates().len(), 1, "{address}");
        assert_eq!(script.agent.selected_path(), Some(path(0)), "the path works nevertheless");
    }
}

/// RFC 8445 §7.2.5.2.1 fails a pair whose check was answered on another path; a path in use is kept, or whoever is
/// faster than the peer with a copy of its answer could end the call.
#[test]
fn a_copy_of_a_consent_from_elsewhere_does_not_end_the_call() {
    let mut script = with(|_| {});
    script.signal(0);
    script.answer(&[0], 100 * MS);
    let check = script.check();
    script.feed(9, &success(&check));
    assert_eq!(script.agent.stats().asymmetric_responses, 1);
    assert_eq!(script.agent.selected_path(), Some(path(0)));
    assert!(!script.agent.is_open(path(9)));
    script.feed(0, &success(&check));
    assert_eq!(script.agent.stats().unknown_transaction, 0, "the genuine one counts");
}

#[test]
fn refused_candidates_leave_nothing_behind() {
    let mut script = with(|config| config.candidates_max = 1);
    let allocated = allocation_counter::measure(|| {
        for number in 0..10_000u32 {
            let [_, a, b, c] = number.to_be_bytes();
            let candidate = LocalCandidate::host(SocketAddr::from(([10, a, b, c.max(2)], 1000)));
            assert_eq!(script.agent.add_local_candidate(candidate), Err(Error::TooManyCandidates));
        }
    });
    assert!(allocated.bytes_current < 1000, "{}", allocated.bytes_current);
}

/// RFC 8445 §14.2: new checks are at least 5 ms from each other.
#[test]
fn no_configuration_makes_checks_a_flood() {
    let mut script = with(|config| config.pacing = Duration::ZERO);
    for number in 0..50 {
        script.signal(number);
    }
    for _ in 0..20 {
        assert!(script.sent().len() <= 1);
        script.pass(5 * MS);
    }
}

/// With many pairs the RTO grows, and the last request leaves later.
#[test]
fn an_answer_to_the_last_retransmission_of_many_checks_is_taken() {
    let mut script = with(|_| {});
    for number in 0..60 {
        script.signal(number);
    }
    let check = script.check();
    assert_eq!(check.path, path(0));
    script.answer(&[], 37 * S);
    script.signal(100);
    script.answer(&[], 2 * S);
    script.feed(0, &success(&check));
    assert_eq!(script.agent.stats().unknown_transaction, 0);
    assert_eq!(script.agent.selected_path(), Some(path(0)));
}

/// While it sleeps no time of its checks is over; found by libFuzzer, for what was owed before it slept.
#[test]
fn a_program_that_was_stopped_goes_on_checking() {
    for is_owed in [false, true] {
        let mut script = with(|_| {});
        (0..3).for_each(|number| script.signal(number));
        script.answer(&[], 3 * S);
        if is_owed {
            script.pass(5 * S);
        }
        script.now += 60 * S;
        script.answer(&[0], S);
        assert_eq!(script.agent.selected_path(), Some(path(0)), "owed: {is_owed}");
    }
}

/// RFC 8489 §6.3.3, RFC 8445 §7.2.5.2.4
#[test]
fn a_success_that_says_nothing_fails_the_check() {
    let mut script = with(|_| {});
    script.signal(0);
    let check = script.check();
    let mut out = Vec::new();
    let transaction = check.message().transaction();
    MessageWriter::new(&mut out, wigwag_stun::Class::SuccessResponse, wigwag_stun::Method::BINDING, transaction)
        .integrity(&IntegrityKey::short_term(PEER_PASSWORD))
        .fingerprint();
    script.feed(0, &out);
    script.pass(600 * MS);
    assert!(script.sent().is_empty(), "it is not sent again");
    assert_eq!(script.agent.selected_path(), None);
}

/// Of replays nothing comes, and when that is known they keep no peer from moving.
#[test]
fn replays_from_many_addresses_leave_room_for_a_peer_that_moves() {
    for pairs_max in [100, 20] {
        let mut script = with(|config| config.pairs_max = pairs_max);
        script.signal(0);
        script.answer(&[0], S);
        let request = script.request().bytes();
        for port in 0..300 {
            let from = SocketAddr::from(([10, 3, 0, 1], 10_000 + port));
            script.agent.handle_input(Datagram::udp(local(), from, &mut request.clone()), script.now);
            script.sent();
        }
        script.answer(&[0], 50 * S);
        for number in 1..200 {
            let request = script.request().bytes();
            script.feed(number, &request);
            script.answer(&[number], 20 * S);
            assert!(script.agent.is_proven(path(number)), "{number}");
            assert!(script.agent.remote_candidates().len() <= 100);
        }
        assert!(script.agent.selected_path().is_some());
    }
}

/// While the consent to the pair that is being nominated ends, a better one comes, and there is room for one.
#[test]
fn a_pair_that_is_being_nominated_may_be_given_up() {
    let mut script = with(|config| (config.role, config.pairs_max) = (Role::Controlling, 1));
    script.signal(10);
    let check = script.check();
    script.feed(10, &success(&check));
    script.answer(&[], 31 * S);
    let request = script.request().bytes();
    script.feed(10, &request);
    script.signal(0);
    script.answer(&[0], 5 * S);
    assert_eq!(script.agent.selected_path(), Some(path(0)));
}

/// A list that was full of pairs of one address has room for those of another when that address vanishes.
#[test]
fn pairs_for_which_there_was_no_room_are_formed_when_there_is() {
    let mut script = with(|config| config.pairs_max = 3);
    (0..3).for_each(|number| script.signal(number));
    script.answer(&[0, 1, 2], 2 * S);
    let other = SocketAddr::from(([10, 0, 0, 9], 1000));
    script.agent.add_local_candidate(LocalCandidate::host(other)).unwrap();
    script.agent.remove_local_candidate(local());
    let tried = script.agent.pairs().map(|pair| (pair.path.local, pair.path.remote));
    assert_eq!(tried.collect::<Vec<_>>(), [0, 1, 2].map(|number| (other, remote(number))));
}

/// Whatever is configured, an agent is polled a bounded number of times, and is right about itself.
#[test]
fn no_configuration_makes_an_agent_spin() {
    let times = [Duration::ZERO, Duration::from_nanos(1), S, Duration::from_secs(1 << 40), Duration::MAX];
    for (role, time) in
        [Role::Controlling, Role::Controlled].into_iter().flat_map(|role| times.map(|time| (role, time)))
    {
        for which in 0..5 {
            for answered in [&[][..], &[1]] {
                let mut script = with(|config| {
                    config.role = role;
                    match which {
                        0 => config.pacing = time,
                        1 => config.patience = time,
                        2 => config.silence_max = time,
                        3 => config.pairs_max = usize::try_from(time.as_secs()).unwrap_or(0).min(2),
                        _ => config.candidates_max = 1,
                    }
                });
                for number in 0..3 {
                    let priority = u32::from(number);
                    let candidate = RemoteCandidate::udp("1", priority, remote(number), Kind::Host);
                    let _ = script.agent.add_remote_candidate(candidate);
                }
                let request = script.nomination().bytes();
                script.feed(1, &request);
                let end = script.now + 100 * S;
                for _ in 0..1000 {
                    script.answer(answered, Duration::ZERO);
                    match script.agent.poll_timeout(script.now).filter(|at| *at <= end) {
                        Some(at) => {
                            script.now = at;
                            script.agent.handle_timeout(at);
                        }
                        None => script.now = end + S,
                    }
                }
                assert!(script.now > end, "{role:?} {time:?} {which}");
            }
        }
    }
}
