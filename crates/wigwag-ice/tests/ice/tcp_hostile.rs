//! Streams that come, break and end at the worst moments, and peers who open too many.

use crate::script::{PEER_PASSWORD, PEER_UFRAG, Script, Sent, local, path, success};
use crate::tcp::{active, answer_all, connected, ends, feed, passive, sent_within, signal};
use crate::{config, tcp};
use std::net::SocketAddr;
use std::time::Duration;
use wigwag_ice::{Agent, CheckState, Credentials, LocalCandidate, Path, Role, State};
use wigwag_sansio::{Protocol, Seed};
use wigwag_stun::{ErrorCode, IntegrityKey, MessageWriter};

const MS: Duration = Duration::from_millis(1);
const S: Duration = Duration::from_secs(1);

/// A stream that the peer opens.
fn stream(number: u16) -> Path {
    Path { protocol: Protocol::Tcp, local: local(), remote: SocketAddr::from(([10, 0, 0, 2], 20_000 + number)) }
}

fn conflict(check: &Sent) -> Vec<u8> {
    let mut out = vec![];
    let writer = MessageWriter::error(&mut out, check.message().transaction(), ErrorCode::ROLE_CONFLICT);
    writer.integrity(&IntegrityKey::short_term(PEER_PASSWORD)).fingerprint();
    out
}

#[test]
fn a_stream_that_ends_before_its_next_check_is_opened_again() {
    let mut script = active(Role::Controlling);
    signal(&mut script, 0);
    let check = script.check();
    feed(&mut script, check.path, &conflict(&check));
    feed(&mut script, check.path, &[]);
    answer_all(&mut script);
    let again = script.agent.selected_path().expect("it is checked over another");
    assert_ne!(again, check.path);
}

/// As in one turn of a loop: the answer was on its way when something better was nominated.
#[test]
fn an_answer_that_comes_when_its_stream_was_given_up_proves_nothing() {
    let mut script = active(Role::Controlling);
    script.agent.add_local_candidate(LocalCandidate::host(local())).unwrap();
    signal(&mut script, 0);
    script.signal(0);
    let checks: Vec<_> = sent_within(&mut script, 200 * MS).into_iter().filter(Sent::is_check).collect();
    let of = |protocol| checks.iter().find(|check| check.path.protocol == protocol).unwrap();
    let (over_udp, over_tcp) = (of(Protocol::Udp), of(Protocol::Tcp));
    script.feed(0, &success(over_udp));
    script.now += S;
    script.agent.handle_timeout(script.now);
    let mut out = vec![];
    let nomination = loop {
        script.agent.poll_transmit(script.now, &mut out).expect("a nomination is owed");
        let sent = Sent { path: path(0), bytes: out.clone() };
        if sent.is_check() {
            break sent;
        }
    };
    script.feed(0, &success(&nomination));
    feed(&mut script, over_tcp.path, &success(over_tcp));
    let valid: Vec<_> = script.agent.pairs().filter(|pair| pair.state == CheckState::Succeeded).collect();
    assert_eq!(valid.iter().map(|pair| pair.path).collect::<Vec<_>>(), [path(0)], "no stream is of the other's name");
}

#[test]
fn what_was_said_early_on_a_stream_is_forgotten_with_it() {
    let mut script = passive(Role::Controlled);
    let new = Credentials { ufrag: "next".into(), password: "the next password of ours".into() };
    script.agent.prepare_restart(new.clone());
    let mut request = script.nomination();
    (request.username, request.password) = (format!("{}:{PEER_UFRAG}", new.ufrag), new.password.clone());
    feed(&mut script, stream(0), &request.bytes());
    assert!(script.agent.is_open(stream(0)));
    feed(&mut script, stream(0), &[]);
    assert!(!script.agent.is_open(stream(0)) && !script.agent.has_streams());
    let peer = Credentials { ufrag: "anew".into(), password: "another password of the peer".into() };
    script.agent.set_remote_credentials(peer);
    assert!(sent_within(&mut script, 5 * S).is_empty(), "nothing opens a stream to whom we listen for");
}

/// With the right password, but nothing that makes a pair.
#[test]
fn streams_that_lead_to_nothing_are_few() {
    for which in 0..4 {
        let mut script = passive(Role::Controlled);
        let mut request = script.request();
        match which {
            0 => request.priority = None,
            1 => request.claim = (Role::Controlled, u64::MAX),
            2 => {
                let new = Credentials { ufrag: "next".into(), password: "the next password of ours".into() };
                script.agent.prepare_restart(new.clone());
                (request.username, request.password) = (format!("{}:{PEER_UFRAG}", new.ufrag), new.password.clone());
            }
            _ => {
                let new = Credentials { ufrag: "next".into(), password: "the next password of ours".into() };
                sent_within(&mut script, 120 * S);
                assert_eq!(script.agent.state(), State::Failed);
                script.agent.prepare_restart(new.clone());
                (request.username, request.password) = (format!("{}:{PEER_UFRAG}", new.ufrag), new.password.clone());
            }
        }
        let mut closed = vec![];
        for number in 0..1000 {
            feed(&mut script, stream(number), &request.bytes());
            closed.extend(ends(&script.sent()));
        }
        let open = (0..1000).filter(|number| script.agent.has_stream(stream(*number))).count();
        assert!(open <= 132, "{which}: {open} are open");
        assert!(closed.iter().all(|path| !script.agent.has_stream(*path)));
    }
}

#[test]
fn a_check_on_a_stream_that_is_about_to_be_closed_keeps_it() {
    let mut script = passive(Role::Controlled);
    let mut request = script.request();
    request.claim = (Role::Controlled, u64::MAX);
    feed(&mut script, stream(0), &request.bytes());
    script.sent();
    script.agent.add_local_candidate(LocalCandidate::host(local())).unwrap();
    script.now += 31 * S;
    script.agent.handle_timeout(script.now);
    script.agent.remove_local_candidate(local()); // it looks what is of use
    script.agent.handle_timeout(script.now);
    let request = script.nomination().bytes();
    feed(&mut script, stream(0), &request);
    let sent = sent_within(&mut script, 100 * MS);
    assert!(ends(&sent).is_empty() && sent.iter().all(|sent| sent.path == stream(0)));
    let check = sent.iter().find(|sent| sent.is_check()).unwrap();
    feed(&mut script, stream(0), &success(check));
    assert_eq!(script.agent.selected_path(), Some(stream(0)));
}

#[test]
fn an_end_that_comes_after_our_own_is_answered_by_nothing() {
    let (mut script, path) = connected();
    script.agent.close();
    feed(&mut script, path, &[]);
    assert!(script.sent().is_empty() && !script.agent.has_streams());
    assert_eq!(script.agent.poll_timeout(script.now), None);
}

#[test]
fn a_peer_that_reconnects_without_end_is_always_heard() {
    let mut script = passive(Role::Controlled);
    for number in 0..400 {
        let request = script.nomination().bytes();
        feed(&mut script, stream(number), &request);
        answer_all(&mut script);
        assert_eq!(script.agent.selected_path(), Some(stream(number)), "{number}");
        feed(&mut script, stream(number), &[]);
        assert_eq!(script.agent.selected_path(), None);
    }
    assert!(script.agent.remote_candidates().len() <= 100);
}

/// Whoever has seen one check can send it again over streams of its own, without knowing any password.
#[test]
fn replays_over_many_streams_leave_room_for_a_peer_that_reconnects() {
    for (replays, has_end) in [(100, true), (300, true), (300, false)] {
        let mut script = passive(Role::Controlled);
        let request = script.nomination().bytes();
        feed(&mut script, stream(0), &request);
        answer_all(&mut script);
        for number in 1..replays {
            feed(&mut script, stream(number), &request);
            script.sent();
        }
        for _ in 0..10 {
            answer(&mut script, stream(0));
        }
        assert_eq!(script.agent.selected_path(), Some(stream(0)));
        if has_end {
            feed(&mut script, stream(0), &[]);
        }
        let request = script.nomination().bytes();
        feed(&mut script, stream(1000), &request);
        answer(&mut script, stream(1000));
        if !has_end {
            feed(&mut script, stream(0), &[]); // it is known late that the old one has broken
        }
        assert_eq!(script.agent.selected_path(), Some(stream(1000)), "after {replays}");
        let open = (0..=1000).filter(|number| script.agent.has_stream(stream(*number))).count();
        assert!(open <= 132, "{open}");
    }
}

/// Answers the checks on one path for a second.
fn answer(script: &mut Script, path: Path) {
    for _ in 0..20 {
        for check in sent_within(script, 50 * MS).iter().filter(|sent| sent.is_check() && sent.path == path) {
            feed(script, path, &success(check));
        }
    }
}

#[test]
fn a_stream_of_no_use_is_closed_in_time_though_nothing_else_happens() {
    let mut script = passive(Role::Controlled);
    let request = script.nomination().bytes();
    feed(&mut script, stream(0), &request);
    answer_all(&mut script);
    let mut wrong = script.request();
    wrong.claim = (Role::Controlled, u64::MAX);
    feed(&mut script, stream(1), &wrong.bytes());
    let mut sent = vec![];
    for _ in 0..35 {
        answer(&mut script, stream(0));
        sent.extend(script.sent());
    }
    assert!(!script.agent.has_stream(stream(1)));

    let mut lite = config(Role::Controlled);
    lite.lite = true;
    let mut agent = Agent::new(lite, Seed::for_test(7));
    agent.add_local_candidate(LocalCandidate::tcp_passive(local())).unwrap();
    let mut script = tcp::script(agent);
    let request = script.request().bytes();
    feed(&mut script, stream(0), &request);
    let closed = ends(&sent_within(&mut script, 31 * S));
    assert_eq!(closed, [stream(0)]);
}

/// Between two lite agents nobody checks: what is not begun with a check is no stream of ICE's.
#[test]
fn who_is_lite_opens_no_stream() {
    let mut lite = config(Role::Controlling);
    lite.lite = true;
    let mut agent = Agent::new(lite, Seed::for_test(7));
    agent.add_local_candidate(LocalCandidate::tcp_active(local().ip())).unwrap();
    agent.set_remote_lite();
    let mut script = tcp::script(agent);
    signal(&mut script, 0);
    script.agent.end_of_local_candidates();
    script.agent.end_of_remote_candidates();
    assert!(sent_within(&mut script, 5 * S).is_empty());
    assert_eq!(script.agent.selected_path(), None);
}
