//! Peers with whom nothing comes of it, and who never stop: it is told within a bound.

use crate::flood;
use crate::script::{PEER_PASSWORD, Script, Sent, path};
use std::time::Duration;
use wigwag_ice::{Role, State};
use wigwag_stun::{ErrorCode, IntegrityKey, MessageWriter};

const S: Duration = Duration::from_secs(1);
/// The patience of an agent, and all that a check may take that has begun within it.
const BOUND: Duration = Duration::from_secs(80);

fn refusal(check: &Sent, error: ErrorCode<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    MessageWriter::error(&mut out, check.message().transaction(), error)
        .integrity(&IntegrityKey::short_term(PEER_PASSWORD))
        .fingerprint();
    out
}

/// Answers each check with this error, and checks these paths each second, until the agent has failed.
fn fails(role: Role, answer: Option<ErrorCode<'_>>, paths: impl Fn(u64) -> [u8; 2], bound: Duration) {
    let mut script = Script::new(role);
    script.signal(0);
    let begin = script.now;
    while script.agent.state() != State::Failed {
        let passed = script.now - begin;
        assert!(passed <= bound, "{:?} after {passed:?}", script.agent.state());
        for number in paths(passed.as_secs()) {
            let request = script.request().bytes();
            script.feed(number, &request);
        }
        let end = script.now + S;
        while script.now < end {
            for check in script.sent().iter().filter(|sent| sent.is_check()) {
                let number = (check.path.remote.port() - crate::script::remote(0).port()) as u8;
                answer.into_iter().for_each(|error| script.feed(number, &refusal(check, error)));
            }
            script.pass(Duration::from_millis(50));
        }
    }
    assert!(script.now - begin >= Duration::from_millis(39_500), "RFC 8863");
}

#[test]
fn a_peer_that_takes_any_role_for_its_own_is_given_up() {
    for role in [Role::Controlling, Role::Controlled] {
        fails(role, Some(ErrorCode::ROLE_CONFLICT), |_| [0, 1], BOUND);
    }
}

#[test]
fn a_peer_that_checks_and_does_not_answer_is_given_up() {
    for role in [Role::Controlling, Role::Controlled] {
        fails(role, None, |_| [0, 1], BOUND);
    }
}

#[test]
fn a_peer_that_checks_and_refuses_is_given_up() {
    for role in [Role::Controlling, Role::Controlled] {
        fails(role, Some(ErrorCode::BAD_REQUEST), |_| [0, 1], BOUND);
    }
}

/// Between two NATs that map anew for each address, and let in everybody, every check is another address.
#[test]
fn a_peer_that_checks_from_ever_new_addresses_is_given_up() {
    for role in [Role::Controlling, Role::Controlled] {
        let paths = |second| [2 * second, 2 * second + 1].map(|number| (number % 250) as u8);
        // The list is full after 50 s, and its last checks begin then.
        fails(role, None, paths, 95 * S);
    }
}

/// An answer is not taken after 40 s, so nobody waits for it any longer, however slowly many checks are sent again.
#[test]
fn a_peer_that_is_not_there_is_given_up_however_many_pairs_there_are() {
    for pairs in [1, 2, 11, 90] {
        let mut script = Script::new(Role::Controlling);
        (0..pairs).for_each(|number| script.signal(number));
        let begin = script.now;
        while script.agent.state() != State::Failed {
            script.answer(&[], S / 10);
            let passed = script.now - begin;
            assert!(passed <= Duration::from_millis(40_000 + 50 * u64::from(pairs)), "{pairs} pairs: {passed:?}");
        }
        assert!(script.now - begin >= Duration::from_millis(39_500), "RFC 8863");
    }
}

/// After 8 s of silence, it is waited for as long as at the beginning.
#[test]
fn a_peer_that_has_gone_is_given_up_however_many_pairs_there_are() {
    for (role, pairs, bound) in [(Role::Controlling, 1, 31), (Role::Controlled, 2, 48), (Role::Controlling, 90, 48)] {
        let mut script = Script::new(role);
        (0..pairs).for_each(|number| script.signal(number));
        script.answer(&[0], S);
        let nomination = script.nomination().bytes();
        script.feed(0, &nomination);
        script.answer(&[0], 100 * S);
        assert_eq!(script.agent.selected_path(), Some(path(0)));
        let gone = script.now;
        while script.agent.state() != State::Failed {
            let passed = script.now - gone;
            assert!(passed <= bound * S, "{pairs} pairs: {:?} after {passed:?}", script.agent.state());
            if passed >= 9 * S {
                assert_eq!(script.agent.state(), State::Disconnected, "{pairs} pairs, after {passed:?}");
            }
            script.answer(&[], S);
        }
        assert!(script.now - gone >= 23 * S, "consent was asked for at least every 6 s before");
    }
}

/// Found by libFuzzer: the time to search was over when it began, and nobody had taken note.
#[test]
fn whoever_has_no_patience_gives_up_with_the_consent() {
    let mut script = flood::with(|config| config.patience = Duration::ZERO);
    (0..3).for_each(|number| script.signal(number));
    script.answer(&[0], 20 * S);
    assert_eq!(script.agent.selected_path(), Some(path(0)));
    let gone = script.now;
    while script.agent.state() != State::Failed {
        assert!(script.now - gone <= 31 * S, "{:?}", script.agent.state());
        script.answer(&[], S);
    }
}
