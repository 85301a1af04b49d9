//! Peers with whom nothing comes of it, and who never stop: it is told within a bound.

use crate::script::{PEER_PASSWORD, Script, Sent};
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

/// Answers each check with this error, and checks two paths each second, until the agent has failed.
fn fails(role: Role, answer: Option<ErrorCode<'_>>, is_checking: bool) {
    let mut script = Script::new(role);
    script.signal(0);
    let begin = script.now;
    while script.agent.state() != State::Failed {
        let passed = script.now - begin;
        assert!(passed <= BOUND, "{:?} after {passed:?}", script.agent.state());
        for number in [0, 1].into_iter().filter(|_| is_checking) {
            let request = script.request().bytes();
            script.feed(number, &request);
        }
        let end = script.now + S;
        while script.now < end {
            for check in script.sent().iter().filter(|sent| sent.is_check()) {
                let number = u8::from(check.path != crate::script::path(0));
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
        fails(role, Some(ErrorCode::ROLE_CONFLICT), false);
        fails(role, Some(ErrorCode::ROLE_CONFLICT), true);
    }
}

#[test]
fn a_peer_that_checks_and_does_not_answer_is_given_up() {
    for role in [Role::Controlling, Role::Controlled] {
        fails(role, None, true);
    }
}

#[test]
fn a_peer_that_checks_and_refuses_is_given_up() {
    for role in [Role::Controlling, Role::Controlled] {
        fails(role, Some(ErrorCode::BAD_REQUEST), true);
    }
}
